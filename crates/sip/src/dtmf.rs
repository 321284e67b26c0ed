//! Keys pressed, as INFO carries them: `application/dtmf-relay` and `application/dtmf`.

use std::time::Duration;

use crate::bytes::{as_str, split_once, trim};

/// The length of a key press that does not tell it.
const USUAL: Duration = Duration::from_millis(250);
/// The longest that is believed.
const LONGEST: Duration = Duration::from_secs(10);

/// A key pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPress {
    /// One of `0` to `9`, `*`, `#`, `A` to `D`, and `!` for a flash of the hook.
    pub key: char,
    /// For how long.
    pub length: Duration,
}

impl KeyPress {
    /// Reads the body of an INFO of that type, without parameters and in lower case. `None` for
    /// other types and for what names no key.
    pub fn of_info(content_type: &str, body: &[u8]) -> Option<Self> {
        match content_type {
            "application/dtmf-relay" => Self::of_relay(body),
            "application/dtmf" => Some(Self {
                key: key_of(body)?,
                length: USUAL,
            }),
            _ => None,
        }
    }

    fn of_relay(body: &[u8]) -> Option<Self> {
        let value = |name: &[u8]| {
            let mut lines = body.split(|byte| matches!(byte, b'\r' | b'\n'));
            lines.find_map(|line| {
                let (key, value) = split_once(line, b'=')?;
                trim(key).eq_ignore_ascii_case(name).then(|| trim(value))
            })
        };
        let millis = value(b"Duration").and_then(|value| as_str(value)?.parse().ok());
        Some(Self {
            key: key_of(value(b"Signal")?)?,
            length: millis.map_or(USUAL, Duration::from_millis).min(LONGEST),
        })
    }
}

/// The key of a name, or of the number of an event (RFC 4733 §3.2).
fn key_of(name: &[u8]) -> Option<char> {
    const KEYS: &[u8; 17] = b"0123456789*#ABCD!";
    let name = trim(name);
    if let [byte] = name {
        let byte = byte.to_ascii_uppercase();
        return KEYS.contains(&byte).then(|| char::from(byte));
    }
    let event: usize = as_str(name)?.parse().ok()?;
    let is_two_digits = name.len() == 2 && event >= 10;
    KEYS.get(event)
        .filter(|_| is_two_digits)
        .map(|byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_phones_write_them() {
        let relay = "application/dtmf-relay";
        for (content_type, body, expect) in [
            (relay, "Signal=5\r\nDuration=160\r\n", Some(('5', 160))),
            (relay, "Signal= 5\nDuration= 160\n", Some(('5', 160))),
            (relay, "signal=*", Some(('*', 250))),
            (relay, "Signal=11\r\nDuration=100", Some(('#', 100))),
            (relay, "Signal=d\r\nDuration=999999999", Some(('D', 10_000))),
            (relay, "Signal=5\r\nDuration=x", Some(('5', 250))),
            (relay, "Signal=16", Some(('!', 250))),
            (relay, "Signal=17", None),
            (relay, "Signal=05", None),
            (relay, "Signal=", None),
            (relay, "Duration=160", None),
            ("application/dtmf", "7", Some(('7', 250))),
            ("application/dtmf", " # \r\n", Some(('#', 250))),
            ("application/dtmf", "x", None),
            ("text/plain", "7", None),
        ] {
            let press = KeyPress::of_info(content_type, body.as_bytes());
            let seen = press.map(|press| (press.key, press.length.as_millis()));
            assert_eq!(seen, expect, "{body:?}");
        }
    }
}
