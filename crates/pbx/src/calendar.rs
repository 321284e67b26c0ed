//! Hours and days as people write them, and whether an instant of the local clock is among them.

use std::fmt::Display;

use jiff::civil::{Date, DateTime, Weekday};
use serde::Deserialize;

const MINUTES_PER_HOUR: u16 = 60;
const MINUTES_PER_DAY: u16 = 24 * MINUTES_PER_HOUR;

/// Hours and days as the document has them. Of each list one entry must hold; an empty list holds
/// always.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    hours: Vec<Entry>,
    weekdays: Vec<Entry>,
    days: Vec<Entry>,
    months: Vec<Entry>,
    years: Vec<Entry>,
    dates: Vec<Entry>,
}

/// A year or a day needs no quotes.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Number(u32),
}

/// Hours and days.
#[derive(Debug)]
pub(crate) struct Calendar {
    hours: Vec<Hours>,
    days: Days,
}

/// Minutes of a day, the last not among them. They may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from: u16,
    until: u16,
}

/// Days, by everything that may be said of one.
#[derive(Debug)]
struct Days {
    weekdays: Vec<Span<i8>>,
    of_month: Vec<Span<i8>>,
    months: Vec<Span<i8>>,
    years: Vec<Span<i16>>,
    dates: Vec<Dates>,
}

/// From one to another, both among them. When the first is greater it goes round: from Saturday
/// to Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span<T> {
    from: T,
    until: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dates {
    /// In one year.
    Once(Span<Date>),
    /// Month and day, in every year.
    Yearly(Span<(i8, i8)>),
}

/// An entry that cannot be read: its list, its place there, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) list: &'static str,
    pub(crate) place: usize,
    pub(crate) rule: String,
}

impl Written {
    /// Whether it says nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        let lists = [
            &self.hours,
            &self.weekdays,
            &self.days,
            &self.months,
            &self.years,
            &self.dates,
        ];
        lists.iter().all(|list| list.is_empty())
    }

    /// What it means, or all that cannot be read.
    pub(crate) fn read(&self) -> Result<Calendar, Vec<Unreadable>> {
        let mut bad = Vec::new();
        let calendar = Calendar {
            hours: read_list("hours", &self.hours, hours, &mut bad),
            days: Days {
                weekdays: read_list("weekdays", &self.weekdays, weekdays, &mut bad),
                of_month: read_list("days", &self.days, days, &mut bad),
                months: read_list("months", &self.months, months, &mut bad),
                years: read_list("years", &self.years, years, &mut bad),
                dates: read_list("dates", &self.dates, dates, &mut bad),
            },
        };
        if bad.is_empty() {
            Ok(calendar)
        } else {
            Err(bad)
        }
    }
}

impl Calendar {
    /// Whether it holds then. Hours that go over midnight belong to the day they begin on: those of
    /// Friday night are open on Saturday morning.
    pub(crate) fn holds(&self, at: DateTime) -> bool {
        let (today, yesterday) = (at.date(), at.date().yesterday().ok());
        if self.hours.is_empty() {
            return self.days.hold(today);
        }
        let minute = minutes(at.hour().unsigned_abs(), at.minute().unsigned_abs());
        self.hours.iter().any(|hours| {
            let Hours { from, until } = *hours;
            if from < until {
                return (from..until).contains(&minute) && self.days.hold(today);
            }
            let in_the_evening = minute >= from && self.days.hold(today);
            in_the_evening || minute < until && yesterday.is_some_and(|day| self.days.hold(day))
        })
    }
}

impl Days {
    fn hold(&self, date: Date) -> bool {
        let (month, day) = (date.month(), date.day());
        let weekday = date.weekday().to_monday_one_offset();
        is_among(&self.weekdays, weekday)
            && is_among(&self.of_month, day)
            && is_among(&self.months, month)
            && is_among(&self.years, date.year())
            && (self.dates.is_empty()
                || self.dates.iter().any(|dates| match dates {
                    Dates::Once(span) => span.has(date),
                    Dates::Yearly(span) => span.has((month, day)),
                }))
    }
}

impl<T: PartialOrd + Copy> Span<T> {
    fn has(self, value: T) -> bool {
        let (begun, goes_on) = (self.from <= value, value <= self.until);
        if self.from <= self.until {
            begun && goes_on
        } else {
            begun || goes_on
        }
    }
}

fn is_among<T: PartialOrd + Copy>(spans: &[Span<T>], value: T) -> bool {
    spans.is_empty() || spans.iter().any(|span| span.has(value))
}

fn read_list<T>(
    list: &'static str,
    entries: &[Entry],
    read: fn(&str) -> Option<T>,
    bad: &mut Vec<Unreadable>,
) -> Vec<T> {
    let mut values = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let text = match entry {
            Entry::Text(text) => text.trim().to_owned(),
            Entry::Number(number) => number.to_string(),
        };
        match read(&text) {
            Some(value) => values.push(value),
            None => bad.push(Unreadable {
                list,
                place,
                rule: cannot_be_read(list, text),
            }),
        }
    }
    values
}

fn cannot_be_read(list: &str, text: impl Display) -> String {
    let example = match list {
        "hours" => "09:00-17:30, or 22:00-06:00 over midnight; a day ends at 24:00",
        "weekdays" => "mon or mon-fri",
        "days" => "1-15, from 1 to 31",
        "months" => "dec or dec-feb",
        "years" => "2026 or 2026-2028",
        _ => "2026-12-25, or 12-25 for every year, or 2026-12-24..2027-01-02",
    };
    format!("`{text}` cannot be read: write it like {example}")
}

/// `from-until`, or one that is both.
fn span<T: Copy>(text: &str, between: &str, read: impl Fn(&str) -> Option<T>) -> Option<Span<T>> {
    let (from, until) = text.split_once(between).unwrap_or((text, text));
    Some(Span {
        from: read(from.trim())?,
        until: read(until.trim())?,
    })
}

fn hours(text: &str) -> Option<Hours> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (minute_of(from.trim())?, minute_of(until.trim())?);
    (from < MINUTES_PER_DAY && from != until).then_some(Hours { from, until })
}

fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (digits(hour)?, digits(minute)?);
    let sum = minutes(hour, minute);
    (minute < 60 && sum <= MINUTES_PER_DAY).then_some(sum)
}

fn minutes(hour: u8, minute: u8) -> u16 {
    u16::from(hour) * MINUTES_PER_HOUR + u16::from(minute)
}

fn digits(text: &str) -> Option<u8> {
    let fits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

fn weekdays(text: &str) -> Option<Span<i8>> {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    span(text, "-", |name| {
        let place = NAMES.iter().position(|known| *known == name)?;
        let day = Weekday::from_monday_zero_offset(i8::try_from(place).ok()?).ok()?;
        Some(day.to_monday_one_offset())
    })
}

fn months(text: &str) -> Option<Span<i8>> {
    const NAMES: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    span(text, "-", |name| {
        let place = NAMES.iter().position(|known| *known == name)?;
        i8::try_from(place + 1).ok()
    })
}

fn days(text: &str) -> Option<Span<i8>> {
    span(text, "-", |day| {
        i8::try_from(digits(day)?)
            .ok()
            .filter(|day| (1..=31).contains(day))
    })
}

/// Years do not go round.
fn years(text: &str) -> Option<Span<i16>> {
    let years = span(text, "-", |year| {
        year.parse()
            .ok()
            .filter(|year| (2_000..3_000).contains(year))
    });
    years.filter(|years| years.from <= years.until)
}

fn dates(text: &str) -> Option<Dates> {
    if let Some(span) = span(text, "..", |date| date_of(date, "")) {
        return (span.from <= span.until).then_some(Dates::Once(span));
    }
    // A leap year has every day that any year has.
    let span = span(text, "..", |date| date_of(date, "2024-"))?;
    let day = |date: Date| (date.month(), date.day());
    Some(Dates::Yearly(Span {
        from: day(span.from),
        until: day(span.until),
    }))
}

fn date_of(text: &str, before: &str) -> Option<Date> {
    const CHARS: usize = "2026-12-25".len();
    let text = format!("{before}{text}");
    text.parse().ok().filter(|_| text.len() == CHARS)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn calendar(written: Value) -> Calendar {
        let written: Written = serde_json::from_value(written).unwrap();
        written.read().unwrap()
    }

    #[track_caller]
    fn check(written: Value, table: &[(&str, bool)]) {
        let calendar = calendar(written);
        for (at, holds) in table {
            assert_eq!(calendar.holds(at.parse().unwrap()), *holds, "{at}");
        }
    }

    #[test]
    fn hours_begin_with_their_first_minute_and_end_before_their_last() {
        check(
            json!({"hours": ["09:00-12:00", "13:30-24:00"]}),
            &[
                ("2026-11-24T08:59:59.999", false),
                ("2026-11-24T09:00", true),
                ("2026-11-24T11:59:59.999", true),
                ("2026-11-24T12:00", false),
                ("2026-11-24T13:30", true),
                ("2026-11-24T23:59:59.999", true),
                ("2026-11-25T00:00", false),
            ],
        );
        check(
            json!({"hours": ["0:00-24:00"]}),
            &[("2026-11-24T00:00", true), ("2026-11-24T23:59", true)],
        );
    }

    /// 27 November 2026 is a Friday.
    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        check(
            json!({"hours": ["22:00-06:00"], "weekdays": ["fri"]}),
            &[
                ("2026-11-27T05:59", false),
                ("2026-11-27T21:59", false),
                ("2026-11-27T22:00", true),
                ("2026-11-28T00:00", true),
                ("2026-11-28T05:59", true),
                ("2026-11-28T06:00", false),
                ("2026-11-28T22:00", false),
            ],
        );
        check(
            json!({"hours": ["20:00-02:00"], "dates": ["2026-12-31"]}),
            &[
                ("2026-12-31T01:00", false),
                ("2026-12-31T20:00", true),
                ("2027-01-01T01:59", true),
                ("2027-01-01T20:00", false),
            ],
        );
        check(
            json!({"hours": ["22:00-00:00"]}),
            &[("2026-11-27T23:59", true), ("2026-11-28T00:00", false)],
        );
    }

    #[test]
    fn every_list_must_hold_and_of_each_one_entry() {
        check(
            json!({"weekdays": ["mon-fri"], "months": ["jan", "nov-dec"], "days": ["1-15", 24],
                   "years": [2026, "2028-2029"]}),
            &[
                ("2026-11-24T12:00", true),
                ("2026-11-25T12:00", false),
                ("2026-11-14T12:00", false),
                ("2026-10-12T12:00", false),
                ("2027-01-11T12:00", false),
                ("2029-01-11T12:00", true),
            ],
        );
    }

    #[test]
    fn weekdays_months_and_days_go_round() {
        check(
            json!({"weekdays": ["sat-mon"]}),
            &[
                ("2026-11-27T12:00", false),
                ("2026-11-28T12:00", true),
                ("2026-11-30T12:00", true),
                ("2026-12-01T12:00", false),
            ],
        );
        check(
            json!({"months": ["nov-feb"], "days": ["30-2"]}),
            &[
                ("2026-11-30T12:00", true),
                ("2027-02-02T12:00", true),
                ("2027-02-03T12:00", false),
                ("2027-03-01T12:00", false),
            ],
        );
    }

    #[test]
    fn dates_are_of_one_year_or_of_every_year() {
        check(
            json!({"dates": ["2026-12-25", "01-26", "2027-04-02..2027-04-05", "12-30..01-02"]}),
            &[
                ("2026-12-25T00:00", true),
                ("2027-12-25T12:00", false),
                ("2026-01-26T12:00", true),
                ("2031-01-26T23:59", true),
                ("2027-04-01T23:59", false),
                ("2027-04-02T00:00", true),
                ("2027-04-05T23:59", true),
                ("2027-04-06T00:00", false),
                ("2029-12-29T23:59", false),
                ("2029-12-30T00:00", true),
                ("2030-01-02T23:59", true),
                ("2030-01-03T00:00", false),
            ],
        );
    }

    #[test]
    fn the_leap_day_is_there_every_four_years() {
        let at = ["2027-02-28T12:00", "2027-03-01T12:00", "2028-02-28T12:00"];
        let never = at.map(|at| (at, false));
        check(json!({"dates": ["02-29"]}), &never);
        check(json!({"dates": ["02-29"]}), &[("2028-02-29T12:00", true)]);
        check(
            json!({"days": [29], "months": ["feb"]}),
            &[("2028-02-29T12:00", true), ("2027-03-29T12:00", false)],
        );
        check(
            json!({"dates": ["02-28..03-01"]}),
            &[("2028-02-29T12:00", true), ("2027-03-01T12:00", true)],
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let table = [
            ("hours", "9-17"),
            ("hours", "09:00"),
            ("hours", "09:00-09:00"),
            ("hours", "24:00-06:00"),
            ("hours", "09:60-10:00"),
            ("hours", "09:00-24:01"),
            ("hours", "+9:00-10:00"),
            ("weekdays", "monday"),
            ("weekdays", "mon-"),
            ("days", "0"),
            ("days", "32"),
            ("months", "13"),
            ("years", "2028-2026"),
            ("years", "26"),
            ("dates", "2027-02-29"),
            ("dates", "2026-13-01"),
            ("dates", "02-30"),
            ("dates", "2026-12-24..12-26"),
            ("dates", "2027-01-02..2026-12-24"),
            ("dates", "20261225"),
        ];
        for (list, text) in table {
            let written: Written = serde_json::from_value(json!({list: [text]})).unwrap();
            let bad = written.read().unwrap_err();
            assert_eq!((bad[0].list, bad[0].place), (list, 0), "{list} {text}");
            assert!(bad[0].rule.contains(text), "{}", bad[0].rule);
        }
    }
}
