//! Telephone numbers: read as dialled or as a carrier sends them, written as a trunk wants them.
//!
//! A small table of dialling rules decides, not a list of every assigned number: a PBX must pass
//! on what a person dials and leave the last word to the carrier (see `docs/decisions`).

mod countries;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::plan::NumberFormat;
use countries::Country;

/// Digits of the shortest international number we take for one.
const MIN_E164_DIGITS: usize = 7;
/// Fewer digits are an emergency or service number, never somebody's local one.
const MIN_SUBSCRIBER_DIGITS: usize = 4;
/// ITU-T E.164 §6.1.
const MAX_E164_DIGITS: usize = 15;

/// An international number: country code and national number, at most 15 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct E164(u64);

impl E164 {
    /// From digits without `+`. No country code begins with 0.
    pub fn from_digits(digits: &str) -> Option<Self> {
        Self::from_parts(["", "", digits])
    }

    /// From digits that stand one after the other.
    fn from_parts(parts: [&str; 3]) -> Option<Self> {
        let mut number = 0;
        let mut count = 0;
        for byte in parts.iter().flat_map(|part| part.bytes()) {
            let leading_zero = count == 0 && byte == b'0';
            if !byte.is_ascii_digit() || leading_zero || count == MAX_E164_DIGITS {
                return None;
            }
            number = number * 10 + u64::from(byte - b'0');
            count += 1;
        }
        (count >= MIN_E164_DIGITS).then_some(Self(number))
    }
}

impl fmt::Display for E164 {
    /// The digits, without `+`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for E164 {
    type Err = &'static str;

    /// From `+61298765432`, with spaces, dots, dashes and brackets where people put them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = without_separators(text);
        let digits = digits.strip_prefix('+').ok_or("does not begin with `+`")?;
        Self::from_digits(digits).ok_or("is not 7 to 15 digits with a country code after the `+`")
    }
}

/// What somebody dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// A subscriber's number.
    Number(E164),
    /// Digits that mean something only where they are dialled: emergency and service numbers,
    /// local numbers of an account without an area code. Passed on as they are.
    Local(String),
    /// No number at all.
    Other,
}

/// The rules of one account: its country, and the area it dials from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbering {
    country: &'static Country,
    area_code: String,
}

impl Numbering {
    /// The country's ISO 3166 code.
    pub fn country(&self) -> &'static str {
        self.country.iso
    }

    /// The country's code (ITU-T E.164); empty where there is no country.
    pub(crate) fn calling_code(&self) -> &'static str {
        self.country.calling_code
    }

    /// The rules of a country (ISO 3166), dialled from `area_code` when numbers may lack it.
    pub fn new(country: &str, area_code: Option<&str>) -> Option<Self> {
        let country = countries::country(country)?;
        Some(Self {
            country,
            area_code: area_code.unwrap_or_default().to_owned(),
        })
    }

    /// Rules that read international numbers only.
    pub(crate) fn anywhere() -> Self {
        Self {
            country: &countries::ANYWHERE,
            area_code: String::new(),
        }
    }

    /// What `text` means when dialled here.
    pub fn dialled(&self, text: &str) -> Dialled {
        let text = without_separators(text);
        match self.international(&text) {
            Some(number) => Dialled::Number(number),
            None if is_digits(&text) && text.len() <= MAX_E164_DIGITS => {
                Dialled::Local(text.into_owned())
            }
            None => Dialled::Other,
        }
    }

    /// The international form of a number as a person writes it here.
    pub fn normalise(&self, text: &str) -> Option<E164> {
        self.international(&without_separators(text))
    }

    /// The international form of a number as a trunk of that format sends it. Many carriers send
    /// what they do not want themselves, so whatever can still be read is.
    pub fn carried(&self, text: &str, format: NumberFormat) -> Option<E164> {
        let text = without_separators(text);
        match format {
            NumberFormat::E164 | NumberFormat::E164Plus => {
                E164::from_digits(&text).or_else(|| self.international(&text))
            }
            NumberFormat::National => self.international(&text),
        }
    }

    fn international(&self, text: &str) -> Option<E164> {
        if let Some(digits) = text.strip_prefix('+') {
            return E164::from_digits(digits);
        }
        if !is_digits(text) {
            return None;
        }
        if let Some(rest) = strip(text, self.country.international) {
            return E164::from_digits(rest);
        }
        if let Some(rest) = strip(text, self.country.trunk)
            && self.is_national(rest.len())
        {
            return self.national("", rest);
        }
        self.unprefixed(text)
    }

    /// A number with neither an international nor a trunk prefix.
    fn unprefixed(&self, digits: &str) -> Option<E164> {
        let national = self.is_national(digits.len());
        let local = !self.area_code.is_empty()
            && digits.len() >= MIN_SUBSCRIBER_DIGITS
            && self.is_national(self.area_code.len() + digits.len())
            && (!national || self.country.has_open_plan());
        if local {
            return self.national(&self.area_code, digits);
        }
        if national {
            return self.national("", digits);
        }
        let rest = strip(digits, self.country.calling_code)?;
        if self.is_national(rest.len()) {
            E164::from_digits(digits)
        } else {
            None
        }
    }

    fn national(&self, area_code: &str, number: &str) -> Option<E164> {
        E164::from_parts([self.country.calling_code, area_code, number])
    }

    fn is_national(&self, length: usize) -> bool {
        (self.country.shortest..=self.country.longest).contains(&length)
    }

    /// A number as a trunk wants it written.
    pub fn format(&self, number: E164, format: NumberFormat) -> String {
        match format {
            NumberFormat::E164 => number.to_string(),
            NumberFormat::E164Plus => format!("+{number}"),
            NumberFormat::National => {
                let digits = number.to_string();
                match digits.strip_prefix(self.country.calling_code) {
                    Some(national) => format!("{}{national}", self.country.trunk),
                    None => format!("{}{digits}", self.country.international),
                }
            }
        }
    }
}

/// `text` after a prefix that is not empty.
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() {
        None
    } else {
        text.strip_prefix(prefix)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text without what people write for the eye (RFC 3966 §5.1.1: visual separators) and
/// without parameters (RFC 3261 §19.1.6).
fn without_separators(text: &str) -> Cow<'_, str> {
    const SEPARATORS: [char; 6] = [' ', '-', '.', '(', ')', '/'];
    let number = text.split(';').next().unwrap_or_default();
    if number.contains(SEPARATORS) {
        Cow::Owned(number.replace(SEPARATORS, ""))
    } else {
        Cow::Borrowed(number)
    }
}

#[cfg(test)]
mod tests;
