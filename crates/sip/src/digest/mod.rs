//! Digest authentication (RFC 7616, and RFC 2617 for what is in use): the arithmetic and the
//! header values that server and client share. Both sides stay free of clocks and random numbers.

pub mod client;
pub mod server;

mod nonces;

use std::borrow::Cow;
use std::fmt;

use md5::digest::Output;
use md5::{Digest as _, Md5};

use crate::bytes::{
    Brackets, find_outside, is_space, split_around, split_at_option, split_once, trim,
};
use crate::params::unquote;

/// The hash of a digest. SHA-256 (RFC 8760) comes beside MD5 as a second variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// What every phone speaks.
    Md5,
}

impl Algorithm {
    /// The algorithm of a header value; MD5 when none is named (RFC 7616 §3.3).
    fn from_param(param: Option<&[u8]>) -> Option<Self> {
        match param {
            None => Some(Self::Md5),
            Some(token) if unquote(token).eq_ignore_ascii_case(b"MD5") => Some(Self::Md5),
            Some(_) => None,
        }
    }
}

/// The hash of username, realm and password: all that a server keeps of a password, and as good
/// as the password for this realm. It does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    md5: Hex,
}

/// An MD5 hash in lower-case hexadecimal digits.
type Hex = [u8; 32];

impl Ha1 {
    /// Hashes a password (RFC 7616 §3.4.2).
    pub fn md5(username: &str, realm: &str, password: &str) -> Self {
        let parts = [username.as_bytes(), realm.as_bytes(), password.as_bytes()];
        Self {
            md5: md5_joined(parts),
        }
    }

    /// Takes a hash that was made elsewhere.
    pub fn from_md5(hash: &[u8; 16]) -> Self {
        Self { md5: hex(hash) }
    }

    /// Reads what [`Ha1::md5_hex`] gave.
    pub fn from_md5_hex(text: &str) -> Option<Self> {
        let md5 = Hex::try_from(text.to_ascii_lowercase().as_bytes()).ok()?;
        md5.iter()
            .all(u8::is_ascii_hexdigit)
            .then_some(Self { md5 })
    }

    /// The MD5 hash as 32 hexadecimal digits, for storing.
    pub fn md5_hex(&self) -> String {
        self.md5.iter().copied().map(char::from).collect()
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ha1(…)")
    }
}

/// What a response is computed from, besides the password.
#[derive(Clone, Copy)]
struct Computation<'a> {
    method: &'a [u8],
    uri: &'a [u8],
    nonce: &'a [u8],
    protection: Protection<'a>,
}

/// The quality of protection a response was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection<'a> {
    /// None: RFC 2069.
    Legacy,
    /// `qop=auth`.
    Auth { nc: &'a [u8], cnonce: &'a [u8] },
}

impl Computation<'_> {
    /// The response value (RFC 7616 §3.4.1; RFC 2617 §3.2.2.1 without qop).
    fn response(&self, ha1: &Ha1) -> Output<Md5> {
        let ha2 = md5_joined([self.method, self.uri]);
        match self.protection {
            Protection::Legacy => md5([&ha1.md5, self.nonce, &ha2]),
            Protection::Auth { nc, cnonce } => {
                md5([&ha1.md5, self.nonce, nc, cnonce, b"auth", &ha2])
            }
        }
    }
}

/// The hash of the parts with a colon between each two, in digits.
fn md5_joined<const N: usize>(parts: [&[u8]; N]) -> Hex {
    hex(&md5(parts).into())
}

/// The hash of the parts with a colon between each two.
fn md5<const N: usize>(parts: [&[u8]; N]) -> Output<Md5> {
    let mut hasher = Md5::new();
    for (position, part) in parts.into_iter().enumerate() {
        if position > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    hasher.finalize()
}

fn hex(bytes: &[u8; 16]) -> Hex {
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        let digits = [byte >> 4, byte & 15].map(hex_digit);
        pair.copy_from_slice(&digits);
    }
    text
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'a' + value - 10
    }
}

/// The `name=value` list of a `Digest` header value.
#[derive(Clone, Copy, Debug)]
struct AuthParams<'a>(&'a [u8]);

impl<'a> AuthParams<'a> {
    /// Reads a header value; `None` for another scheme.
    fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let space = value.iter().position(|byte| is_space(*byte))?;
        let (scheme, params) = split_around(value, space)?;
        scheme
            .eq_ignore_ascii_case(b"Digest")
            .then_some(Self(params))
    }

    fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let comma = find_outside(rest, b',', Brackets::Ignore);
                let piece = split_at_option(rest, comma).0;
                rest = comma
                    .and_then(|at| split_around(rest, at))
                    .map_or(&[], |(_, rest)| rest);
                if let Some((name, value)) = split_once(piece, b'=') {
                    return Some((trim(name), trim(value)));
                }
            }
            None
        })
    }
}

/// The inside of a quoted string with its escapes kept, as the hashes want it.
fn inside_quotes(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// The text between quotes, ready for a header.
fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains(['"', '\\']) {
        return Cow::Owned(text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let ha1 = Ha1::md5("Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(ha1.md5_hex(), "939e7578ed9e3c518a452acee763bce9");
        let computation = Computation {
            method: b"GET",
            uri: b"/dir/index.html",
            nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
            protection: Protection::Auth {
                nc: b"00000001",
                cnonce: b"0a4f113b",
            },
        };
        assert_eq!(
            &hex(&computation.response(&ha1).into()),
            b"6629fae49393a05397450978507c4ef1"
        );
        let legacy = Computation {
            protection: Protection::Legacy,
            ..computation
        };
        assert_eq!(
            &hex(&legacy.response(&ha1).into()),
            b"670fd8c2df070c60b045671b8b24ff02"
        );
    }

    #[test]
    fn the_md5_example_of_rfc_7616_comes_out() {
        let ha1 = Ha1::md5("Mufasa", "http-auth@example.org", "Circle of Life");
        let computation = Computation {
            method: b"GET",
            uri: b"/dir/index.html",
            nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            protection: Protection::Auth {
                nc: b"00000001",
                cnonce: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            },
        };
        assert_eq!(
            &hex(&computation.response(&ha1).into()),
            b"8ca523f5e9506fed4657c9700eebdbec"
        );
    }

    #[test]
    fn a_stored_hash_reads_back_and_does_not_show_itself() {
        let ha1 = Ha1::md5("u", "r", "p");
        assert_eq!(
            Ha1::from_md5_hex(&ha1.md5_hex().to_uppercase()),
            Some(ha1.clone())
        );
        assert_eq!(Ha1::from_md5_hex("xyz"), None);
        assert_eq!(Ha1::from_md5_hex(&"g".repeat(32)), None);
        assert_eq!(format!("{ha1:?}"), "Ha1(…)");
    }
}
