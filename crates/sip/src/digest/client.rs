//! The side that answers challenges: for trunks we register at or call through.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::{Algorithm, AuthParams, Computation, Ha1, Protection, hex, inside_quotes, quoted};
use crate::bytes::as_str;
use crate::method::Method;
use crate::params::unquote;

/// A name and its password at another server. It does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// Credentials of that name.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
        }
    }

    /// The name.
    pub fn username(&self) -> &str {
        &self.username
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The value of a WWW-Authenticate or Proxy-Authenticate header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    realm: Cow<'a, [u8]>,
    nonce: &'a [u8],
    opaque: Option<&'a [u8]>,
    algorithm: Option<Algorithm>,
    offer: Offer,
    is_stale: bool,
}

/// The quality of protection a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    None,
    Auth,
    OnlyOthers,
}

impl<'a> Challenge<'a> {
    /// Reads the header value. `None` for another scheme, without realm or nonce, or with a nonce
    /// that could not be given back between quotes.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let params = AuthParams::parse(value)?;
        let find = |wanted: &str| {
            let mut all = params.iter();
            all.find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
                .map(|(_, value)| value)
        };
        Some(Self {
            realm: unquote(find("realm")?),
            nonce: plain(inside_quotes(find("nonce")?))?,
            opaque: find("opaque").map(inside_quotes).and_then(plain),
            algorithm: Algorithm::from_param(find("algorithm")),
            offer: offer(find("qop").map(inside_quotes)),
            is_stale: find("stale")
                .map(inside_quotes)
                .is_some_and(|stale| stale.eq_ignore_ascii_case(b"true")),
        })
    }

    /// Whether it can be answered: MD5, with `qop=auth` or none.
    pub fn is_answerable(&self) -> bool {
        self.algorithm.is_some() && self.offer != Offer::OnlyOthers
    }

    /// Whether only the nonce was too old, so that the same password is worth a second try.
    pub const fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// The nonce, to know it again: a nonce's first use counts 1.
    pub const fn nonce(&self) -> &'a [u8] {
        self.nonce
    }
}

/// The text, if it can stand between quotes as it is.
fn plain(text: &[u8]) -> Option<&[u8]> {
    (!text.iter().any(|byte| b"\"\\".contains(byte))).then_some(text)
}

fn offer(qop: Option<&[u8]>) -> Offer {
    let Some(qop) = qop else { return Offer::None };
    let mut options = qop.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if options.any(|option| option.eq_ignore_ascii_case(b"auth")) {
        Offer::Auth
    } else {
        Offer::OnlyOthers
    }
}

/// The request that is to be sent again with an answer.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Its method.
    pub method: Method,
    /// Its request URI.
    pub uri: &'a str,
    /// A random token of ours, of letters and digits.
    pub cnonce: &'a str,
    /// How many requests used this nonce, with this one.
    pub nc: u32,
}

/// The value of the Authorization or Proxy-Authorization header that answers a challenge. `None`
/// if it cannot be answered: a hash or protection we do not have, a realm that is no text, a URI
/// that cannot stand between quotes.
pub fn answer(
    challenge: &Challenge<'_>,
    credentials: &Credentials,
    attempt: &Attempt<'_>,
) -> Option<String> {
    let Algorithm::Md5 = challenge.algorithm.filter(|_| challenge.is_answerable())?;
    let (realm, nonce) = (as_str(&challenge.realm)?, as_str(challenge.nonce)?);
    let nc = format!("{:08x}", attempt.nc);
    let protection = match challenge.offer {
        Offer::Auth => Protection::Auth {
            nc: nc.as_bytes(),
            cnonce: attempt.cnonce.as_bytes(),
        },
        Offer::None | Offer::OnlyOthers => Protection::Legacy,
    };
    let computation = Computation {
        method: attempt.method.as_str().as_bytes(),
        uri: plain(attempt.uri.as_bytes())?,
        nonce: challenge.nonce,
        protection,
    };
    let ha1 = Ha1::md5(&credentials.username, realm, &credentials.password);
    let response = hex(&computation.response(&ha1).into());
    let mut value = format!(
        "Digest username=\"{}\", realm=\"{}\", nonce=\"{nonce}\", uri=\"{}\", response=\"{}\", algorithm=MD5",
        quoted(&credentials.username),
        quoted(realm),
        attempt.uri,
        as_str(&response)?,
    );
    if let Protection::Auth { .. } = protection {
        let _written = write!(value, ", qop=auth, nc={nc}, cnonce=\"{}\"", attempt.cnonce);
    }
    if let Some(opaque) = challenge.opaque {
        let _written = write!(value, ", opaque=\"{}\"", as_str(opaque)?);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(challenge: &str, expect: Option<&str>) {
        let parsed = Challenge::parse(challenge.as_bytes()).unwrap();
        let credentials = Credentials::new("bob", "zanzibar");
        let attempt = Attempt {
            method: Method::Invite,
            uri: "sip:bob@biloxi.com",
            cnonce: "0a4f113b",
            nc: 1,
        };
        let value = answer(&parsed, &credentials, &attempt);
        let response = value.as_deref().map(|value| {
            let (_, rest) = value.split_once("response=\"").unwrap();
            rest.split_once('"').unwrap().0
        });
        assert_eq!(response, expect, "{challenge}");
    }

    #[test]
    fn offered_protections_are_answered() {
        let base = "Digest realm=\"biloxi.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        check(
            &format!("{base}, qop=\"auth,auth-int\""),
            Some("89eb0059246c02b2f6ee02c7961d5ea3"),
        );
        check(
            &format!("{base}, qop=auth, algorithm=MD5"),
            Some("89eb0059246c02b2f6ee02c7961d5ea3"),
        );
        check(base, Some("bf57e4e0d0bffc0fbaedce64d59add5e"));
        check(&format!("{base}, algorithm=SHA-256"), None);
        check(&format!("{base}, qop=\"auth-int\""), None);
    }

    #[test]
    fn what_the_server_wants_back_comes_back() {
        let challenge = "Digest realm=\"a \\\"b\\\"\",nonce=\"n\",opaque=\"5ccc\",stale=TRUE";
        let parsed = Challenge::parse(challenge.as_bytes()).unwrap();
        assert!(parsed.is_stale());
        let attempt = Attempt {
            method: Method::Register,
            uri: "sip:h",
            cnonce: "c",
            nc: 1,
        };
        let value = answer(&parsed, &Credentials::new("u", "p"), &attempt).unwrap();
        assert!(value.contains(r#"realm="a \"b\"""#), "{value}");
        assert!(value.ends_with(r#", opaque="5ccc""#), "{value}");
    }

    #[test]
    fn other_schemes_are_no_challenge() {
        for value in [
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"x\"",
            "",
        ] {
            assert_eq!(Challenge::parse(value.as_bytes()), None, "{value}");
        }
        assert!(!format!("{:?}", Credentials::new("u", "hidden")).contains("hidden"));
    }
}
