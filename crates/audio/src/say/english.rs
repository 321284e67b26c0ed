//! How numbers, times and sentences are said in English: with "and" after the hundreds, and the month
//! before the day.

use jiff::civil::{Date, Time};

use super::{Noun, Part, base_letter};

/// Appends the ids of the prompts that say `part`.
pub(super) fn say(part: &Part<'_>, out: &mut Vec<String>) {
    match *part {
        Part::Prompt(id) => push(id, out),
        Part::Number(n) => number(n, out),
        Part::Digits(digits) => digits.chars().for_each(|digit| say_digit(digit, out)),
        Part::Spelled(name) => name.chars().for_each(|letter| say_letter(letter, out)),
        Part::Count(n, noun) => count(n, noun, out),
        Part::Duration { seconds } => duration(seconds, out),
        Part::Time(at) => time(at, out),
        Part::Day { day, today } => say_day(day, today, out),
        Part::Moment { at, today } => {
            say_day(at.date(), today, out);
            push("time-at", out);
            time(at.time(), out);
        }
        Part::Mailbox { new, saved } => mailbox(new, saved, out),
        Part::QueuePlace(place) => queue_place(place, out),
        Part::QueueWait { seconds } => queue_wait(seconds, out),
        Part::ConferenceSize(people) => conference_size(people, out),
        Part::ParkedAt(slot) => {
            push("park-at", out);
            say(&Part::Digits(slot), out);
        }
    }
}

/// One hundred and five; two thousand three hundred; beyond the millions figure by figure.
fn number(n: u32, out: &mut Vec<String>) {
    match n {
        0..=20 => out.push(format!("number-{n}")),
        21..=99 => {
            out.push(format!("number-{}", n / 10 * 10));
            if !n.is_multiple_of(10) {
                number(n % 10, out);
            }
        }
        100..=999 => group(n, 100, "number-hundred", out),
        1_000..=999_999 => group(n, 1_000, "number-thousand", out),
        1_000_000..=999_999_999 => group(n, 1_000_000, "number-million", out),
        _ => say(&Part::Digits(&n.to_string()), out),
    }
}

/// So many of the unit, and the rest.
fn group(n: u32, unit: u32, unit_id: &str, out: &mut Vec<String>) {
    number(n / unit, out);
    push(unit_id, out);
    let rest = n % unit;
    if rest == 0 {
        return;
    }
    if rest < 100 {
        push("number-and", out);
    }
    number(rest, out);
}

fn say_digit(digit: char, out: &mut Vec<String>) {
    match digit {
        '0'..='9' => out.push(format!("number-{digit}")),
        '*' => push("digit-star", out),
        '#' => push("digit-hash", out),
        '+' => push("digit-plus", out),
        _ => {}
    }
}

fn say_letter(letter: char, out: &mut Vec<String>) {
    match base_letter(letter) {
        Some(digit @ '0'..='9') => say_digit(digit, out),
        Some(letter) => out.push(format!("letter-{letter}")),
        None => {}
    }
}

fn count(n: u32, noun: Noun, out: &mut Vec<String>) {
    let (one, many) = match noun {
        Noun::NewMessage => ("vm-new-message", "vm-new-messages"),
        Noun::SavedMessage => ("vm-old-message", "vm-old-messages"),
        Noun::Second => ("time-second", "time-seconds"),
        Noun::Minute => ("time-minute", "time-minutes"),
        Noun::Hour => ("time-hour", "time-hours"),
    };
    number(n, out);
    push(if n == 1 { one } else { many }, out);
}

/// The two largest units that there are: nobody wants the seconds of an hour.
fn duration(seconds: u32, out: &mut Vec<String>) {
    let units = [
        (seconds / 3_600, Noun::Hour),
        (seconds / 60 % 60, Noun::Minute),
        (seconds % 60, Noun::Second),
    ];
    let first = units.iter().position(|(n, _)| *n > 0).unwrap_or(2);
    let two = units.iter().skip(first).take(2);
    for (place, (n, noun)) in two.filter(|(n, _)| *n > 0 || seconds == 0).enumerate() {
        if place > 0 {
            push("number-and", out);
        }
        count(*n, *noun, out);
    }
}

/// Three o'clock p.m.; three oh five p.m.; noon.
fn time(at: Time, out: &mut Vec<String>) {
    let (hour, minute) = (at.hour().unsigned_abs(), at.minute().unsigned_abs());
    match (hour, minute) {
        (0, 0) => return push("time-midnight", out),
        (12, 0) => return push("time-noon", out),
        _ => {}
    }
    number(u32::from((hour + 11) % 12 + 1), out);
    match minute {
        0 => push("time-oclock", out),
        1..=9 => {
            push("digit-oh", out);
            number(u32::from(minute), out);
        }
        _ => number(u32::from(minute), out),
    }
    push(if hour < 12 { "time-am" } else { "time-pm" }, out);
}

fn say_day(day: Date, today: Date, out: &mut Vec<String>) {
    let ago = (today - day).get_days();
    match ago {
        0 => return push("date-today", out),
        1 => return push("date-yesterday", out),
        -1 => return push("date-tomorrow", out),
        _ => {}
    }
    out.push(format!("day-{}", day.weekday().to_monday_one_offset()));
    if (2..=6).contains(&ago) {
        return;
    }
    out.push(format!("month-{}", day.month()));
    ordinal(day.day().unsigned_abs(), out);
    if day.year() != today.year() {
        year(day.year().unsigned_abs(), out);
    }
}

/// A day of the month.
fn ordinal(day: u8, out: &mut Vec<String>) {
    match day {
        1..=20 | 30 => out.push(format!("ordinal-{day}")),
        _ => {
            number(u32::from(day / 10 * 10), out);
            out.push(format!("ordinal-{}", day % 10));
        }
    }
}

/// Nineteen ninety-nine, two thousand and five, twenty twenty-six.
fn year(year: u16, out: &mut Vec<String>) {
    let (century, rest) = (u32::from(year / 100), u32::from(year % 100));
    match (century, rest) {
        (11..=19 | 21..=99, 1..=9) => {
            number(century, out);
            push("digit-oh", out);
            number(rest, out);
        }
        (11..=99, 10..) => {
            number(century, out);
            number(rest, out);
        }
        _ => number(u32::from(year), out),
    }
}

fn mailbox(new: u32, saved: u32, out: &mut Vec<String>) {
    if (new, saved) == (0, 0) {
        return push("vm-no-messages", out);
    }
    push("vm-you-have", out);
    if new > 0 {
        count(new, Noun::NewMessage, out);
    }
    if new > 0 && saved > 0 {
        push("number-and", out);
    }
    if saved > 0 {
        count(saved, Noun::SavedMessage, out);
    }
}

fn queue_place(place: u32, out: &mut Vec<String>) {
    if place <= 1 {
        return push("queue-next", out);
    }
    push("queue-you-are-number", out);
    number(place, out);
    push("queue-in-line", out);
}

/// In minutes, rounded up, and beyond ten of them to the next five: an estimate is not more exact.
fn queue_wait(seconds: u32, out: &mut Vec<String>) {
    if seconds < 60 {
        return push("queue-wait-less-than-minute", out);
    }
    let minutes = match seconds.div_ceil(60) {
        minutes @ ..=10 => minutes,
        minutes => minutes.div_ceil(5) * 5,
    };
    push("queue-wait-about", out);
    duration(minutes.saturating_mul(60), out);
}

fn conference_size(people: u32, out: &mut Vec<String>) {
    if people <= 1 {
        return push("conf-alone", out);
    }
    push("conf-there-are", out);
    number(people, out);
    push("conf-people", out);
}

fn push(id: &str, out: &mut Vec<String>) {
    out.push(id.to_owned());
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;
    use crate::prompts::Language;

    /// What is said, in words: single words without their full stop.
    fn words(part: Part<'_>) -> String {
        let english = Language::named("en").unwrap();
        let mut ids = Vec::new();
        say(&part, &mut ids);
        let spoken = ids.iter().map(|id| {
            let prompt = english
                .prompt(id)
                .unwrap_or_else(|| panic!("{id} is no prompt"));
            prompt.words.to_lowercase().trim_end_matches('.').to_owned()
        });
        spoken.collect::<Vec<_>>().join(" ")
    }

    fn check(part: Part<'_>, expect: &str) {
        assert_eq!(words(part), expect, "{part:?}");
    }

    #[test]
    fn numbers_are_said_as_people_say_them() {
        let table = [
            (0, "zero"),
            (7, "seven"),
            (13, "thirteen"),
            (20, "twenty"),
            (21, "twenty one"),
            (90, "ninety"),
            (100, "one hundred"),
            (105, "one hundred and five"),
            (342, "three hundred and forty two"),
            (1_000, "one thousand"),
            (1_005, "one thousand and five"),
            (1_200, "one thousand two hundred"),
            (2_345, "two thousand three hundred and forty five"),
            (100_000, "one hundred thousand"),
            (1_000_021, "one million and twenty one"),
            (
                4_000_000_000,
                "four zero zero zero zero zero zero zero zero zero",
            ),
        ];
        for (n, expect) in table {
            check(Part::Number(n), expect);
        }
    }

    #[test]
    fn figures_and_letters_are_said_one_by_one() {
        check(
            Part::Digits("+61 (0)2-*#x"),
            "plus six one zero two star hash",
        );
        check(Part::Spelled("Müller 2"), "m u l l e r two");
        check(Part::Spelled("O'Neil-Žák"), "o n e i l z a k");
        check(Part::ParkedAt("701"), "call parked at seven zero one");
    }

    #[test]
    fn one_is_one_and_two_are_many() {
        check(Part::Count(1, Noun::Minute), "one minute");
        check(Part::Count(2, Noun::Hour), "two hours");
        check(Part::Mailbox { new: 0, saved: 0 }, "you have no messages");
        check(
            Part::Mailbox { new: 1, saved: 0 },
            "you have one new message",
        );
        let both = "you have two new messages and one saved message";
        check(Part::Mailbox { new: 2, saved: 1 }, both);
        check(
            Part::Mailbox { new: 0, saved: 3 },
            "you have three saved messages",
        );
        check(
            Part::ConferenceSize(1),
            "you are the only person in this conference",
        );
        check(
            Part::ConferenceSize(3),
            "there are three people in this conference",
        );
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let table = [
            (0, "zero seconds"),
            (1, "one second"),
            (60, "one minute"),
            (65, "one minute and five seconds"),
            (3_600, "one hour"),
            (3_605, "one hour"),
            (7_261, "two hours and one minute"),
        ];
        for (seconds, expect) in table {
            check(Part::Duration { seconds }, expect);
        }
    }

    #[test]
    fn times_are_said_with_twelve_hours() {
        let table = [
            (time(0, 0, 0, 0), "midnight"),
            (time(0, 5, 0, 0), "twelve oh five a.m"),
            (time(9, 0, 59, 0), "nine o'clock a.m"),
            (time(12, 0, 0, 0), "noon"),
            (time(12, 30, 0, 0), "twelve thirty p.m"),
            (time(15, 7, 0, 0), "three oh seven p.m"),
            (time(23, 59, 0, 0), "eleven fifty nine p.m"),
        ];
        for (at, expect) in table {
            check(Part::Time(at), expect);
        }
    }

    #[test]
    fn days_are_said_from_where_one_stands() {
        let today = date(2026, 3, 11);
        let table = [
            (date(2026, 3, 11), "today"),
            (date(2026, 3, 10), "yesterday"),
            (date(2026, 3, 12), "tomorrow"),
            (date(2026, 3, 9), "monday"),
            (date(2026, 3, 5), "thursday"),
            (date(2026, 3, 4), "wednesday march fourth"),
            (date(2026, 2, 21), "saturday february twenty first"),
            (date(2026, 1, 30), "friday january thirtieth"),
            (date(2026, 4, 20), "monday april twentieth"),
            (
                date(2025, 12, 31),
                "wednesday december thirty first twenty twenty five",
            ),
            (
                date(2005, 6, 12),
                "sunday june twelfth two thousand and five",
            ),
            (date(1999, 7, 4), "sunday july fourth nineteen ninety nine"),
            (date(1905, 7, 4), "tuesday july fourth nineteen oh five"),
        ];
        for (day, expect) in table {
            check(Part::Day { day, today }, expect);
        }
        let at = date(2026, 3, 10).at(16, 5, 0, 0);
        check(Part::Moment { at, today }, "yesterday at four oh five p.m");
    }

    #[test]
    fn the_line_is_said_in_whole_minutes() {
        check(Part::QueuePlace(1), "you are next in line");
        check(
            Part::QueuePlace(21),
            "you are number twenty one in the line",
        );
        let less = "the estimated waiting time is less than one minute";
        check(Part::QueueWait { seconds: 59 }, less);
        let about = "the estimated waiting time is about";
        check(
            Part::QueueWait { seconds: 60 },
            &format!("{about} one minute"),
        );
        check(
            Part::QueueWait { seconds: 61 },
            &format!("{about} two minutes"),
        );
        check(
            Part::QueueWait { seconds: 700 },
            &format!("{about} fifteen minutes"),
        );
        check(
            Part::QueueWait { seconds: 3_700 },
            &format!("{about} one hour and five minutes"),
        );
    }

    #[test]
    fn nothing_that_can_be_said_lacks_a_prompt() {
        for n in (0..=2_000).chain((2_000..u32::MAX - 99_991).step_by(99_991)) {
            words(Part::Number(n));
            words(Part::Duration { seconds: n });
        }
        for days in 0..800 {
            let day = date(2025, 1, 1).saturating_add(jiff::Span::new().days(days));
            words(Part::Day {
                day,
                today: date(2026, 6, 1),
            });
        }
        for minute in 0..1_440_i64 {
            let at = time(0, 0, 0, 0).wrapping_add(jiff::Span::new().minutes(minute));
            words(Part::Time(at));
        }
        words(Part::Spelled("abcdefghijklmnopqrstuvwxyz0123456789"));
    }

    #[test]
    fn what_is_no_prompt_is_left_out() {
        let english = Language::named("en").unwrap();
        let said = english.say(&[Part::Prompt("no-such-prompt"), Part::Number(21)]);
        let ids: Vec<&str> = said.iter().map(|prompt| prompt.id).collect();
        assert_eq!(ids, ["number-20", "number-1"]);
    }
}
