//! The Reason header (RFC 3326).

use std::fmt::{self, Write as _};

use super::types::Reason;
use crate::bytes::{as_str, split_at_option, trim};
use crate::{Message, Name, Params, unquote};

impl Reason {
    /// The first value of a message that names a cause, else its first value.
    pub fn of(message: &Message<'_>) -> Option<Self> {
        let mut first = None;
        for value in message.values(Name::Reason).filter_map(Self::parse) {
            if value.cause.is_some() {
                return Some(value);
            }
            first = first.or(Some(value));
        }
        first
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let semicolon = value.iter().position(|byte| *byte == b';');
        let (protocol, params) = split_at_option(value, semicolon);
        let params = Params::new(params);
        let text = params.value("text").map(unquote);
        Some(Self {
            protocol: as_str(trim(protocol))?.to_owned(),
            cause: params
                .value("cause")
                .and_then(|cause| as_str(cause)?.parse().ok()),
            text: text.map(|text| String::from_utf8_lossy(&text).into_owned()),
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(formatter, ";cause={cause}")?;
        }
        let Some(text) = &self.text else {
            return Ok(());
        };
        formatter.write_str(";text=\"")?;
        for letter in text.chars() {
            if matches!(letter, '"' | '\\') {
                formatter.write_char('\\')?;
            }
            formatter.write_char(letter)?;
        }
        formatter.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_and_write() {
        for (value, cause, text) in [
            (
                "Q.850;cause=16;text=\"Normal \\\"clearing\\\"\"",
                Some(16),
                Some("Normal \"clearing\""),
            ),
            ("SIP;cause=200", Some(200), None),
            ("SIP", None, None),
        ] {
            let reason = Reason::parse(value.as_bytes()).unwrap();
            assert_eq!((reason.cause, reason.text.as_deref()), (cause, text));
            assert_eq!(reason.to_string(), value);
        }
        assert_eq!(Reason::parse(b"SIP ;cause=x").unwrap().cause, None);
    }
}
