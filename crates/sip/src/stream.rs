//! Whole messages out of a byte stream (RFC 3261 §18.3), within limits. Bytes are looked at once,
//! however small the pieces in which they come.

use std::ops::Range;

use crate::name::Name;
use crate::parse::{Lines, MAX_BODY_BYTES, content_length, field};

/// The most bytes of first line and headers together. Beyond it the peer is no phone.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The answer to [`Frame::Ping`] (RFC 5626 §3.5.1).
pub const PONG: &[u8] = b"\r\n";

/// What an idle connection may keep of its buffer, in bytes.
const IDLE_BYTES: usize = 4 * 1024;

/// The next thing in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// One message, for [`crate::Message::parse`] with [`crate::Framing::Stream`].
    Message(&'a [u8]),
    /// A keep-alive; answer [`PONG`].
    Ping,
}

/// Why the stream cannot be read further: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// More than [`MAX_HEAD_BYTES`] without an empty line.
    HeadTooLarge,
    /// The head before this said a length that is no number, stands there twice, or is more than
    /// [`MAX_BODY_BYTES`]: nobody knows where the next message starts. That head was given out as
    /// a message, so that it can still be answered.
    LengthUnknown,
}

/// Cuts one connection's bytes into frames. Give it bytes with [`Framer::push`], then take frames
/// until there is none.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// How many bytes at the front of the buffer were given out.
    taken: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between messages, after so many line ends: two are a keep-alive.
    Between { line_ends: u8 },
    /// Looking for the empty line, which does not start in the first `scanned` bytes.
    Head { scanned: usize },
    /// Waiting for a message of `length` bytes.
    Body { length: usize },
    /// A head of `length` bytes is to be given out, the end of its body is not known.
    LastHead { length: usize },
    /// Nothing more can be read.
    Lost(FrameError),
}

impl Default for State {
    fn default() -> Self {
        Self::Between { line_ends: 0 }
    }
}

/// A frame by its place in the buffer.
enum Found {
    Message(Range<usize>),
    Ping,
}

impl Framer {
    /// A framer for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was read from the connection. If frames are taken after each read, the buffer
    /// stays within the two limits and one read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(IDLE_BYTES);
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and not ended: the server gives it so much time and no more.
    pub fn has_partial(&self) -> bool {
        self.taken < self.buffer.len()
    }

    /// The next frame; `None` when more bytes are needed. After an error there is only that error.
    #[expect(
        clippy::should_implement_trait,
        reason = "a frame borrows from the framer"
    )]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        Ok(match self.find()? {
            Some(Found::Message(place)) => self.buffer.get(place).map(Frame::Message),
            Some(Found::Ping) => Some(Frame::Ping),
            None => None,
        })
    }

    fn find(&mut self) -> Result<Option<Found>, FrameError> {
        loop {
            match self.state {
                State::Between { line_ends } => match self.rest().first() {
                    None => return Ok(None),
                    Some(b'\n') if line_ends == 1 => {
                        self.taken += 1;
                        self.state = State::Between { line_ends: 0 };
                        return Ok(Some(Found::Ping));
                    }
                    Some(b'\n') => {
                        self.taken += 1;
                        self.state = State::Between { line_ends: 1 };
                    }
                    Some(b'\r') => self.taken += 1,
                    Some(_) => self.state = State::Head { scanned: 0 },
                },
                State::Head { scanned } => {
                    self.state = self.scan_head(scanned);
                    if matches!(self.state, State::Head { .. }) {
                        return Ok(None);
                    }
                }
                State::Body { length } => {
                    return Ok(self.take(length, State::default()));
                }
                State::LastHead { length } => {
                    return Ok(self.take(length, State::Lost(FrameError::LengthUnknown)));
                }
                State::Lost(error) => return Err(error),
            }
        }
    }

    /// Looks on for the empty line that ends the head.
    fn scan_head(&self, scanned: usize) -> State {
        let rest = self.rest();
        let (end, scanned) = match find_empty_line(rest, scanned) {
            Ok(end) => (Some(end), end),
            Err(scanned) => (None, scanned),
        };
        if scanned > MAX_HEAD_BYTES {
            return State::Lost(FrameError::HeadTooLarge);
        }
        let head = end.and_then(|end| rest.get(..end));
        head.map_or(State::Head { scanned }, measure)
    }

    /// Gives out a message of that length once it is there, and goes on in that state.
    fn take(&mut self, length: usize, then: State) -> Option<Found> {
        let end = self.taken + length;
        if end > self.buffer.len() {
            return None;
        }
        let place = self.taken..end;
        self.taken = end;
        self.state = then;
        Some(Found::Message(place))
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }
}

/// Where the head ends, empty line included; or from where to look on when there is more to read.
fn find_empty_line(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    while let Some(rest) = bytes.get(at..)
        && let Some(line_end) = rest.iter().position(|byte| *byte == b'\n')
    {
        match rest.get(line_end + 1..) {
            Some([b'\n', ..]) => return Ok(at + line_end + 2),
            Some([b'\r', b'\n', ..]) => return Ok(at + line_end + 3),
            Some([] | [b'\r']) | None => return Err(at + line_end),
            Some(_) => at += line_end + 1,
        }
    }
    Err(bytes.len())
}

/// What a whole head says about the rest. Without Content-Length there is no body (a stream's
/// message must have one, RFC 3261 §18.3, but some leave a zero out).
fn measure(head: &[u8]) -> State {
    let mut lines = Lines::new(head);
    let mut body_length = None;
    while let Some(line) = lines.next_line() {
        let Some(value) = content_length_value(line) else {
            continue;
        };
        match content_length(value).filter(|length| *length <= MAX_BODY_BYTES) {
            Some(length) if body_length.is_none() => body_length = Some(length),
            _ => return State::LastHead { length: head.len() },
        }
    }
    State::Body {
        length: head.len() + body_length.unwrap_or(0),
    }
}

fn content_length_value(line: &[u8]) -> Option<&[u8]> {
    // Most lines are out by their first letter.
    let can_be = matches!(line.first(), Some(b'C' | b'c' | b'L' | b'l'));
    let field = field(line).filter(|_| can_be)?;
    (field.name == Name::ContentLength).then_some(field.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n";
    const TWO: &str = "INVITE sip:a SIP/2.0\r\nl: 5\r\n\r\nhello";
    const NO_LENGTH: &str = "BYE sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n";

    /// Frames of a stream that comes in pieces of that many bytes; pings are empty strings.
    fn frames(stream: &str, piece_bytes: usize) -> (Vec<String>, Option<FrameError>) {
        let mut framer = Framer::new();
        let mut found = Vec::new();
        for piece in stream.as_bytes().chunks(piece_bytes) {
            framer.push(piece);
            loop {
                match framer.next() {
                    Ok(Some(Frame::Message(bytes))) => {
                        found.push(String::from_utf8(bytes.to_vec()).unwrap());
                    }
                    Ok(Some(Frame::Ping)) => found.push(String::new()),
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                }
            }
        }
        (found, None)
    }

    fn check(stream: &str, expect: &[&str], error: Option<FrameError>) {
        for piece_bytes in [1, 2, 3, 7, stream.len().max(1)] {
            let (found, ended) = frames(stream, piece_bytes);
            assert_eq!(found, expect, "{stream:?} in pieces of {piece_bytes}");
            assert_eq!(ended, error, "{stream:?} in pieces of {piece_bytes}");
        }
    }

    #[test]
    fn messages_are_cut_in_pieces_of_any_size() {
        check(ONE, &[ONE], None);
        check(
            &format!("{ONE}{TWO}{NO_LENGTH}{ONE}"),
            &[ONE, TWO, NO_LENGTH, ONE],
            None,
        );
        check(&TWO[..TWO.len() - 1], &[], None);
        check("", &[], None);
        let bare = "BYE sip:a SIP/2.0\nl:1\n\nx";
        check(&format!("{bare}{ONE}"), &[bare, ONE], None);
        let folded = "BYE sip:a SIP/2.0\r\nContent-Length:\r\n 2\r\n\r\nab";
        check(&format!("{folded}{ONE}"), &[folded, ONE], None);
    }

    #[test]
    fn line_ends_between_messages_are_keep_alives() {
        check("\r\n\r\n", &[""], None);
        check("\r\n", &[], None);
        check(
            &format!("\r\n{ONE}\r\n\r\n\r\n\r\n{TWO}"),
            &[ONE, "", "", TWO],
            None,
        );
        let mut framer = Framer::new();
        framer.push(b"\r\n");
        assert_eq!(framer.next(), Ok(None));
        assert!(!framer.has_partial());
    }

    #[test]
    fn a_length_that_cannot_be_trusted_ends_the_stream() {
        for length in [
            "-999",
            "x",
            "",
            "1\r\nContent-Length: 1",
            "262145",
            "99999999999",
        ] {
            let head = format!("INVITE sip:a SIP/2.0\r\nContent-Length: {length}\r\n\r\n");
            check(
                &format!("{head}{ONE}"),
                &[&head],
                Some(FrameError::LengthUnknown),
            );
        }
    }

    #[test]
    fn endless_heads_are_refused_at_the_limit() {
        let mut framer = Framer::new();
        framer.push(b"INVITE sip:a SIP/2.0\r\n");
        let piece =
            b"X-Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(64);
        let error = (0..100 * 1024 * 1024 / piece.len()).find_map(|_| {
            framer.push(&piece);
            framer.next().err()
        });
        assert_eq!(error, Some(FrameError::HeadTooLarge));
        assert!(framer.buffer.len() <= MAX_HEAD_BYTES + 2 * piece.len());
        assert_eq!(framer.next(), Err(FrameError::HeadTooLarge), "it stays so");
    }

    #[test]
    fn a_large_message_leaves_no_large_buffer() {
        let mut framer = Framer::new();
        let large = format!("INFO sip:a SIP/2.0\r\nl: {MAX_BODY_BYTES}\r\n\r\n");
        framer.push(large.as_bytes());
        framer.push(&vec![b'x'; MAX_BODY_BYTES]);
        assert!(matches!(framer.next(), Ok(Some(Frame::Message(_)))));
        assert!(!framer.has_partial());
        framer.push(b"");
        assert!(framer.buffer.capacity() <= 2 * IDLE_BYTES);
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_scanned_once() {
        // 60,000 single bytes with a quadratic scan would be 1.8 billion steps.
        let mut framer = Framer::new();
        framer.push(b"INVITE sip:a SIP/2.0\r\nX: ");
        for _ in 0..60_000 {
            framer.push(b"a");
            assert_eq!(framer.next(), Ok(None));
        }
        let State::Head { scanned } = framer.state else {
            panic!("{:?}", framer.state)
        };
        assert_eq!(scanned, framer.buffer.len());
    }
}
