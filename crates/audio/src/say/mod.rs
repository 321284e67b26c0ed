//! Numbers, times and whole sentences as lists of prompts. How a language puts them together is one file
//! for each; adding a language is described in `prompts/README.md`.

mod english;

use jiff::civil::{Date, DateTime, Time};

/// Something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A prompt by its id, as it stands in `prompts.tsv`.
    Prompt(&'a str),
    /// A number: twenty-one.
    Number(u32),
    /// A telephone number or a code, figure by figure. What is no figure, `*`, `#` or `+` is left out.
    Digits(&'a str),
    /// A name, letter by letter. Accents are left out, and so is what is neither letter nor figure.
    Spelled(&'a str),
    /// So many of them: one minute, two minutes.
    Count(u32, Noun),
    /// How long something is: an hour and five minutes.
    Duration {
        /// In seconds.
        seconds: u32,
    },
    /// A time of day.
    Time(Time),
    /// A day, as somebody says it on another one: yesterday, on Monday, on the third of March.
    Day {
        /// The day that is meant.
        day: Date,
        /// The day on which it is said.
        today: Date,
    },
    /// A day and a time.
    Moment {
        /// What is meant.
        at: DateTime,
        /// The day on which it is said.
        today: Date,
    },
    /// What a mailbox holds.
    Mailbox {
        /// Messages that nobody has heard.
        new: u32,
        /// Messages that are kept.
        saved: u32,
    },
    /// A caller's place in a queue, from 1.
    QueuePlace(u32),
    /// How long a caller will wait, about.
    QueueWait {
        /// In seconds.
        seconds: u32,
    },
    /// How many are in a conference, the listener included.
    ConferenceSize(u32),
    /// Where a call was parked: the number that picks it up.
    ParkedAt(&'a str),
}

/// What can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A message that nobody has heard.
    NewMessage,
    /// A message that is kept.
    SavedMessage,
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

/// How the ids of words begin that sentences are made of, other than phrases. Each language has those
/// that its rules need.
pub const WORD_PREFIXES: &[&str] = &[
    "number-", "digit-", "ordinal-", "letter-", "day-", "month-", "date-", "time-",
];

/// A language's rules: appends the ids of the prompts that say a part.
#[derive(Clone, Copy)]
pub(crate) struct Rules(fn(&Part<'_>, &mut Vec<String>));

/// The rules of a language.
pub(crate) fn rules(code: &str) -> Option<Rules> {
    match code {
        "en" => Some(Rules(english::say)),
        _ => None,
    }
}

/// The ids of the prompts that say these parts.
pub(crate) fn ids(rules: Rules, parts: &[Part<'_>]) -> Vec<String> {
    let mut ids = Vec::new();
    for part in parts {
        (rules.0)(part, &mut ids);
    }
    ids
}

/// The letter without its accent, for the Latin letters of European names.
fn base_letter(letter: char) -> Option<char> {
    let lower = letter.to_lowercase().next()?;
    let base = match lower {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'æ' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' | 'ð' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì'..='ï' | 'ī' | 'į' | 'ı' => 'i',
        'ķ' => 'k',
        'ļ' | 'ĺ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' | 'œ' => 'o',
        'ř' | 'ŕ' => 'r',
        'ß' | 'ś' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' | 'þ' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    };
    (base.is_ascii_lowercase() || base.is_ascii_digit()).then_some(base)
}
