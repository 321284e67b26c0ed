//! Digits that are keyed in one after the other, up to `#`.

/// What was keyed in so far.
#[derive(Debug, Default)]
pub(crate) struct Keys(String);

/// What a key makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// There may be more.
    GoesOn,
    /// That was all.
    Ended(String),
    /// It is not wanted after all.
    Cancelled,
}

/// More than any number or PIN has.
const MAX_DIGITS: usize = 16;

impl Keys {
    /// Takes a key.
    pub(super) fn press(&mut self, key: char) -> Entry {
        match key {
            '#' => Entry::Ended(std::mem::take(&mut self.0)),
            '*' => Entry::Cancelled,
            digit if digit.is_ascii_digit() && self.0.len() < MAX_DIGITS => {
                self.0.push(digit);
                Entry::GoesOn
            }
            _ => Entry::GoesOn,
        }
    }

    /// Nothing more was keyed in for a while.
    pub(super) fn end(&mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_end_with_the_hash_key_and_star_takes_them_back() {
        let press = |keys: &str| {
            let mut entry = Keys::default();
            let pressed = keys.chars().map(|key| entry.press(key));
            pressed.last()
        };
        let cases = [
            ("4711#", Entry::Ended("4711".to_owned())),
            ("4711", Entry::GoesOn),
            ("#", Entry::Ended(String::new())),
            ("47*", Entry::Cancelled),
            ("A1#", Entry::Ended("1".to_owned())),
            (
                "12345678901234567890#",
                Entry::Ended("1234567890123456".to_owned()),
            ),
        ];
        for (keys, expect) in cases {
            assert_eq!(press(keys), Some(expect), "{keys}");
        }
    }
}
