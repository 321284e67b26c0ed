//! What may be dialled outside. Bills for calls that nobody meant to make go to countries and
//! numbers that nobody meant to allow.

use crate::core::Destination;
use crate::number::E164;

/// More digits are a service, whose calls may cost money. Calls for help have two or three
/// wherever we know.
const MOST_DIGITS_FOR_HELP: usize = 3;

/// An account's rules. Without any, everything may be dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dialling {
    /// Country codes of ITU-T E.164; `None` is all of them. Countries that share one go together.
    pub(crate) country_codes: Option<Vec<String>>,
    /// Beginnings of international numbers, digits only.
    pub(crate) blocked: Vec<String>,
    /// Beginnings of what is passed on as dialled.
    pub(crate) blocked_local: Vec<String>,
}

impl Dialling {
    /// Whether that number may be called.
    pub(crate) fn allows(&self, number: &Destination) -> bool {
        match number {
            Destination::Number(number) => self.allows_number(*number),
            Destination::Plain(digits) => {
                number.is_call_for_help() || !begins_with_any(digits, &self.blocked_local)
            }
        }
    }

    fn allows_number(&self, number: E164) -> bool {
        let digits = number.to_string();
        let codes = self.country_codes.as_ref();
        // No country code is the beginning of another one.
        let is_there = codes.is_none_or(|codes| begins_with_any(&digits, codes));
        is_there && !begins_with_any(&digits, &self.blocked)
    }
}

impl Destination {
    /// Whether it may be a call for help, which no rule and no limit of an account keeps back.
    pub(crate) fn is_call_for_help(&self) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Plain(digits) => {
                (1..=MOST_DIGITS_FOR_HELP).contains(&digits.len())
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
        }
    }
}

fn begins_with_any(digits: &str, beginnings: &[String]) -> bool {
    beginnings
        .iter()
        .any(|beginning| digits.starts_with(beginning.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Destination {
        match text.parse() {
            Ok(number) => Destination::Number(number),
            Err(_) => Destination::Plain(text.to_owned()),
        }
    }

    #[test]
    fn countries_and_beginnings_decide() {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let rules = Dialling {
            country_codes: Some(owned(&["61", "64"])),
            blocked: owned(&["61190"]),
            blocked_local: owned(&["19", "0"]),
        };
        for (called, is_allowed) in [
            ("+61298765432", true),
            ("+6441234567", true),
            ("+64190123456", true),
            ("+61190123456", false),
            ("+442079460000", false),
            ("+6621234567", false),
            ("131234", true),
            ("191234", false),
            // Calls for help.
            ("000", true),
            ("112", true),
            ("19", true),
            ("", true),
        ] {
            assert_eq!(rules.allows(&number(called)), is_allowed, "{called}");
            assert!(Dialling::default().allows(&number(called)), "{called}");
        }
    }
}
