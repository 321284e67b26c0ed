//! Parameters after a semicolon: `;name`, `;name=value`, `;name="quoted value"`.

use std::borrow::Cow;

use crate::bytes::{Brackets, find_outside, split_around, split_at_option, split_once, trim};

/// The parameters of a header value or URI, read as they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a [u8]);

/// One parameter. A quoted value keeps its quotes; see [`unquote`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as written.
    pub name: &'a [u8],
    /// The value as written, `None` without an equals sign.
    pub value: Option<&'a [u8]>,
}

impl<'a> Params<'a> {
    /// Reads the text that starts at the first semicolon, or nothing.
    pub const fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// The text, semicolons included.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The parameters in order. Empty ones (`;;`) are skipped.
    pub fn iter(self) -> impl Iterator<Item = Param<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            loop {
                if rest.is_empty() {
                    return None;
                }
                let end = find_outside(rest, b';', Brackets::Ignore);
                let piece = split_at_option(rest, end).0;
                rest = end
                    .and_then(|at| split_around(rest, at))
                    .map_or(&[][..], |(_, rest)| rest);
                if let Some(param) = Param::parse(piece) {
                    return Some(param);
                }
            }
        })
    }

    /// The first parameter of that name, in any case.
    pub fn find(self, name: &str) -> Option<Param<'a>> {
        self.iter()
            .find(|param| param.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value of the first parameter of that name.
    pub fn value(self, name: &str) -> Option<&'a [u8]> {
        self.find(name)?.value
    }

    /// Whether there is a parameter of that name, with or without a value.
    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

impl<'a> Param<'a> {
    fn parse(piece: &'a [u8]) -> Option<Self> {
        let piece = trim(piece);
        if piece.is_empty() {
            return None;
        }
        let (name, value) = match split_once(piece, b'=') {
            Some((name, value)) => (trim(name), Some(trim(value))),
            None => (piece, None),
        };
        Some(Self { name, value })
    }
}

/// The text of a quoted string without its quotes and escapes; any other text as it is.
pub fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = text else {
        return Cow::Borrowed(text);
    };
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        let escaped = if *byte == b'\\' { rest.next() } else { None };
        plain.push(*escaped.unwrap_or(byte));
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, Option<&str>)]) {
        let read: Vec<_> = Params::new(text.as_bytes())
            .iter()
            .map(|param| {
                let value = param.value.map(|value| std::str::from_utf8(value).unwrap());
                (std::str::from_utf8(param.name).unwrap(), value)
            })
            .collect();
        assert_eq!(read, expect, "{text}");
    }

    #[test]
    fn parameters_are_split_outside_quotes() {
        check("", &[]);
        check(";;;; ", &[]);
        check(";lr", &[("lr", None)]);
        check(";a=1;b", &[("a", Some("1")), ("b", None)]);
        check(" ; tag\r\n = \t98asjd8", &[("tag", Some("98asjd8"))]);
        check(
            r#";a="x;y\";z";b=2"#,
            &[("a", Some(r#""x;y\";z""#)), ("b", Some("2"))],
        );
        check(";a=b=c", &[("a", Some("b=c"))]);
        check(";=x", &[("", Some("x"))]);
    }

    #[test]
    fn names_are_found_in_any_case() {
        let params = Params::new(b";Tag=1;TAG=2;lr");
        assert_eq!(params.value("tag"), Some(&b"1"[..]));
        assert!(params.has("LR"));
        assert!(!params.has("rport"));
    }

    #[test]
    fn quotes_and_escapes_are_taken_off() {
        for (text, expect) in [
            (r#""plain""#, "plain"),
            (r#""a \"b\" \\c""#, r#"a "b" \c"#),
            (r#""ends \""#, r"ends \"),
            ("token", "token"),
            ("\"", "\""),
            ("", ""),
        ] {
            assert_eq!(unquote(text.as_bytes()), expect.as_bytes(), "{text}");
        }
    }
}
