//! Small readers over byte slices, for text that need not be UTF-8. They never panic.

/// White space of SIP. CR and LF count because a folded header value keeps its line ends.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A byte of a token (RFC 3261 §25.1).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// Whether the text is a token: not empty, nothing else in it.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// The text without white space at both ends.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    trim_end(text)
}

/// The text without white space at its end.
pub(crate) fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// The text before and after the first `separator`.
pub(crate) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|byte| *byte == separator)?;
    split_around(text, position)
}

/// The text before and after the last `separator`.
pub(crate) fn rsplit_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().rposition(|byte| *byte == separator)?;
    split_around(text, position)
}

/// The text before and after the byte at `position`.
pub(crate) fn split_around(text: &[u8], position: usize) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(position)?;
    Some((before, rest.get(1..)?))
}

/// The text before `position` and from it on; everything before when there is none.
pub(crate) fn split_at_option(text: &[u8], position: Option<usize>) -> (&[u8], &[u8]) {
    position
        .and_then(|at| text.split_at_checked(at))
        .unwrap_or((text, &[]))
}

/// A decimal number that fits; `None` for anything but digits or for one too large.
pub(crate) fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A decimal number that becomes the largest one when it does not fit; `None` without digits.
pub(crate) fn decimal_saturating(text: &[u8]) -> Option<u32> {
    let digits_only = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits_only.then(|| decimal(text).unwrap_or(u32::MAX))
}

/// The text as UTF-8, when it is.
pub(crate) fn as_str(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok()
}

/// Finds bytes outside quoted strings and, if asked for, outside angle brackets.
pub(crate) struct Outside {
    quoted: bool,
    escaped: bool,
    brackets: Brackets,
    inside: bool,
}

/// Whether `<` and `>` hide what is between them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brackets {
    Hide,
    Ignore,
}

impl Outside {
    pub(crate) const fn new(brackets: Brackets) -> Self {
        Self {
            quoted: false,
            escaped: false,
            brackets,
            inside: false,
        }
    }

    /// Takes the next byte and says whether it stands outside, quotes and brackets themselves not.
    pub(crate) fn step(&mut self, byte: u8) -> bool {
        if self.escaped {
            self.escaped = false;
            return false;
        }
        if self.quoted {
            self.escaped = byte == b'\\';
            self.quoted = byte != b'"';
            return false;
        }
        match byte {
            b'"' if !self.inside => self.quoted = true,
            b'<' if self.brackets == Brackets::Hide => self.inside = true,
            b'>' if self.inside => self.inside = false,
            _ => return !self.inside,
        }
        false
    }

    /// Whether every quote and bracket that was opened has been closed.
    pub(crate) const fn is_closed(&self) -> bool {
        !self.quoted && !self.inside
    }
}

/// Where `wanted` first stands outside quotes (and brackets, if those hide).
pub(crate) fn find_outside(text: &[u8], wanted: u8, brackets: Brackets) -> Option<usize> {
    let mut outside = Outside::new(brackets);
    text.iter()
        .position(|byte| outside.step(*byte) && *byte == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only_and_bounded() {
        for (text, exact, saturating) in [
            ("0", Some(0), Some(0)),
            ("0068", Some(68), Some(68)),
            ("4294967295", Some(u32::MAX), Some(u32::MAX)),
            ("4294967296", None, Some(u32::MAX)),
            ("36893488147419103232", None, Some(u32::MAX)),
            ("", None, None),
            ("-1", None, None),
            ("+1", None, None),
            ("1 ", None, None),
        ] {
            assert_eq!(decimal(text.as_bytes()), exact, "{text}");
            assert_eq!(decimal_saturating(text.as_bytes()), saturating, "{text}");
        }
    }

    #[test]
    fn separators_inside_quotes_and_brackets_do_not_count() {
        for (text, at) in [
            (r#""a,b",c"#, Some(5)),
            (r#""a\",b",c"#, Some(7)),
            ("<a,b>,c", Some(5)),
            ("<a\"b>,c", Some(5)),
            ("\"a,b", None),
            ("<a,b", None),
        ] {
            assert_eq!(
                find_outside(text.as_bytes(), b',', Brackets::Hide),
                at,
                "{text}"
            );
        }
        assert_eq!(find_outside(b"<a,b>", b',', Brackets::Ignore), Some(2));
    }
}
