//! Header values that a call carries for others' eyes: who really calls, which way it came, how
//! the phone shall ring. Each is a name and a value for the headers of an [`crate::Invite`].

use crate::Party;
use crate::ua::address;

/// Why a call was sent on (RFC 5806 §3.1), and the code that says so in History-Info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// Always.
    Unconditional,
    /// The line was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// No phone was there.
    Unavailable,
    /// Who was called sent it on by hand.
    Deflection,
}

impl Forwarding {
    const fn word(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::Busy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::Unavailable => "unavailable",
            Self::Deflection => "deflection",
        }
    }

    /// RFC 4458 §4 and RFC 7044 §10.2.
    const fn cause(self) -> u16 {
        match self {
            Self::Unconditional => 302,
            Self::Busy => 486,
            Self::NoAnswer => 408,
            Self::Unavailable => 404,
            Self::Deflection => 480,
        }
    }
}

/// Who calls, as we vouch for it (RFC 3325).
pub fn asserted_identity(party: &Party) -> (String, String) {
    ("P-Asserted-Identity".to_owned(), address(party))
}

/// That what identifies the caller is for carriers only (RFC 3323, RFC 3325 §9.3).
pub fn privacy() -> (String, String) {
    ("Privacy".to_owned(), "id".to_owned())
}

/// Who sent the call on to where it goes now (RFC 5806).
pub fn diversion(by: &Party, why: Forwarding) -> (String, String) {
    let value = format!("{};reason={}", address(by), why.word());
    ("Diversion".to_owned(), value)
}

/// The same as a history (RFC 7044): where the call was sent first, and where it goes now.
pub fn history(first: &Party, now: &Party, why: Forwarding) -> (String, String) {
    let uri = |party: &Party| Party {
        display: None,
        uri: party.uri.clone(),
    };
    let mut target = uri(now);
    target.uri = format!("{};cause={}", target.uri, why.cause());
    let value = format!(
        "{};index=1, {};index=1.1;mp=1",
        address(&uri(first)),
        address(&target)
    );
    ("History-Info".to_owned(), value)
}

/// How the phone shall ring (RFC 3261 §20.4): the name of a tone that its maker gives it.
pub fn alert_info(tone: &str) -> (String, String) {
    let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || "-_.:/".contains(*letter);
    let tone: String = tone.chars().filter(is_plain).collect();
    let value = format!("<http://127.0.0.1>;info={tone}");
    ("Alert-Info".to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(display: Option<&str>, uri: &str) -> Party {
        Party {
            display: display.map(str::to_owned),
            uri: uri.to_owned(),
        }
    }

    #[test]
    fn values_say_what_they_must_and_nothing_more() {
        let bob = party(Some("Bob \"B\""), "sip:bob@h");
        let evil = party(None, "sip:x@h>\r\nX: y");
        for ((name, value), expect) in [
            (
                asserted_identity(&bob),
                r#"P-Asserted-Identity: "Bob \"B\"" <sip:bob@h>"#,
            ),
            (
                asserted_identity(&evil),
                "P-Asserted-Identity: <sip:x@h%3E%0D%0AX:%20y>",
            ),
            (privacy(), "Privacy: id"),
            (
                diversion(&bob, Forwarding::Busy),
                r#"Diversion: "Bob \"B\"" <sip:bob@h>;reason=user-busy"#,
            ),
            (
                history(&bob, &party(None, "sip:c@h"), Forwarding::NoAnswer),
                "History-Info: <sip:bob@h>;index=1, <sip:c@h;cause=408>;index=1.1;mp=1",
            ),
            (
                alert_info("ring-2\r\nX: y"),
                "Alert-Info: <http://127.0.0.1>;info=ring-2X:y",
            ),
        ] {
            assert_eq!(format!("{name}: {value}"), expect);
        }
    }
}
