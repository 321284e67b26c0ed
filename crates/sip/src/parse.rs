//! From bytes to a [`Message`]: tolerant where RFC 4475 §3.1.1 wants tolerance, strict where two
//! readers could understand two different messages.

use smallvec::SmallVec;

use crate::bytes::{decimal, is_space, is_token, rsplit_once, split_once, trim, trim_end};
use crate::header::{CSeq, NameAddr, Values, Via, is_balanced};
use crate::message::{Field, INLINE_FIELDS, Message, RequestLine, StartLine, StatusLine};
use crate::method::Method;
use crate::name::Name;
use crate::uri::Uri;

/// The most header lines of a message; more is an attack.
pub const MAX_HEADER_LINES: usize = 256;

/// The largest body taken, in bytes. A datagram cannot be larger; a stream could.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// How the end of a message is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The message is alone in a datagram or a WebSocket message: without Content-Length the body
    /// goes to the end, and bytes after the body are ignored (RFC 3261 §18.3).
    Datagram,
    /// The message was cut out of a stream by [`crate::stream::Framer`]: without Content-Length
    /// there is no body.
    Stream,
}

/// Why bytes could not be taken as a message, and what to answer if it was a request.
#[derive(Clone, Debug)]
pub struct Malformed<'a> {
    /// The status code the sender should get.
    pub code: u16,
    /// What is wrong, for the answer's first line.
    pub reason: &'static str,
    partial: Option<Box<Message<'a>>>,
}

impl<'a> Malformed<'a> {
    /// The request as far as it was understood, when an answer can be sent: there is a readable
    /// top Via, and it is no ACK. `None` means: drop it without a word (RFC 3261 §16.3).
    pub fn request(&self) -> Option<&Message<'a>> {
        let message = self.partial.as_deref()?;
        let line = message.request_line()?;
        (line.method != Method::Ack && message.top_via().is_some()).then_some(message)
    }

    const fn silent(reason: &'static str) -> Self {
        Self {
            code: 400,
            reason,
            partial: None,
        }
    }
}

/// The first thing found wrong.
#[derive(Clone, Copy)]
struct Fault {
    code: u16,
    reason: &'static str,
}

const fn bad(reason: &'static str) -> Fault {
    Fault { code: 400, reason }
}

impl<'a> Message<'a> {
    /// Reads one message. Never allocates for a message of up to 24 header lines that is in order.
    pub fn parse(bytes: &'a [u8], framing: Framing) -> Result<Self, Malformed<'a>> {
        let mut lines = Lines::new(skip_line_ends(bytes));
        let Some(first) = lines.next_line() else {
            return Err(Malformed::silent("No Line End"));
        };
        let (start, started) = match start_line(first) {
            Ok(start) => (start, Ok(())),
            Err((fault, Some(salvaged))) => (StartLine::Request(salvaged), Err(fault)),
            Err((fault, None)) => return Err(Malformed::silent(fault.reason)),
        };
        let mut message = Self {
            start,
            fields: SmallVec::new(),
            body: &[],
        };
        let read = message.read_fields(&mut lines);
        let checked = started
            .and(read)
            .and_then(|()| message.take_body(lines.rest, framing))
            .and_then(|()| message.check());
        match checked {
            Ok(()) => Ok(message),
            Err(Fault { code, reason }) => Err(Malformed {
                code,
                reason,
                partial: Some(Box::new(message)),
            }),
        }
    }

    /// Reads header lines up to the empty one. Lines that are wrong are left out, and reported.
    fn read_fields(&mut self, lines: &mut Lines<'a>) -> Result<(), Fault> {
        let mut result = Ok(());
        loop {
            let Some(line) = lines.next_line() else {
                return result.and(Err(bad("No Empty Line After Headers")));
            };
            if line.is_empty() {
                return result;
            }
            if self.fields.len() >= MAX_HEADER_LINES {
                return result.and(Err(Fault {
                    code: 513,
                    reason: "Too Many Header Lines",
                }));
            }
            match field(line) {
                Some(field) => self.fields.push(field),
                None => result = result.and(Err(bad("Header Line Without Name"))),
            }
        }
    }

    fn take_body(&mut self, rest: &'a [u8], framing: Framing) -> Result<(), Fault> {
        let Some(value) = self.header(Name::ContentLength) else {
            if framing == Framing::Datagram {
                self.body = rest;
            }
            return Ok(());
        };
        let length = content_length(value).ok_or(bad("Bad Content-Length"))?;
        if length > MAX_BODY_BYTES {
            return Err(Fault {
                code: 413,
                reason: "Body Too Large",
            });
        }
        self.body = rest
            .get(..length)
            .ok_or(bad("Content-Length Larger Than Body"))?;
        Ok(())
    }

    fn check(&self) -> Result<(), Fault> {
        self.check_singles()?;
        self.check_vias()?;
        for (name, missing) in [(Name::From, "Missing From"), (Name::To, "Missing To")] {
            let value = self.header(name).ok_or(bad(missing))?;
            NameAddr::parse(value)
                .filter(|_| is_balanced(value))
                .ok_or(bad("Bad From Or To"))?;
        }
        match self.call_id() {
            None | Some([]) => return Err(bad("Missing Call-ID")),
            Some(_) => {}
        }
        self.check_cseq()?;
        match self.header(Name::MaxForwards) {
            Some(hops) if !hops.iter().all(u8::is_ascii_digit) => Err(bad("Bad Max-Forwards")),
            _ => Ok(()),
        }
    }

    /// No header twice that may stand once: which of the two would hold?
    fn check_singles(&self) -> Result<(), Fault> {
        let mut seen = 0_u64;
        for field in self.fields.iter().filter(|field| field.name.is_single()) {
            let bit = 1_u64 << (field.name as u64);
            if seen & bit != 0 {
                return Err(bad("Header Repeated"));
            }
            seen |= bit;
        }
        Ok(())
    }

    fn check_vias(&self) -> Result<(), Fault> {
        let mut values = self.headers(Name::Via).flat_map(Values::new).peekable();
        if values.peek().is_none() {
            return Err(bad("Missing Via"));
        }
        let all_read = values.all(|value| Via::parse(value).is_some());
        all_read.then_some(()).ok_or(bad("Bad Via"))
    }

    /// The method of the first line and of CSeq are one (RFC 3261 §8.1.1.5).
    fn check_cseq(&self) -> Result<(), Fault> {
        let value = self.header(Name::CSeq).ok_or(bad("Missing CSeq"))?;
        let cseq = CSeq::parse(value).ok_or(bad("Bad CSeq"))?;
        match self.request_line() {
            Some(line) if line.method_token != cseq.method_token => Err(bad("CSeq Mismatch")),
            _ => Ok(()),
        }
    }
}

/// Lines of a message head. A line that a space or tab continues is one with its continuation
/// (RFC 3261 §7.3.1); the line ends inside stay. A bare LF ends a line too.
pub(crate) struct Lines<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next line without its end; `None` when no line end is left.
    pub(crate) fn next_line(&mut self) -> Option<&'a [u8]> {
        let mut end = line_length(self.rest)?;
        // The empty line ends the head: what follows is the body, even if it starts with a space.
        let is_empty = matches!(self.rest, [b'\n', ..] | [b'\r', b'\n', ..]);
        while !is_empty && matches!(self.rest.get(end), Some(b' ' | b'\t')) {
            let continuation = self.rest.get(end..)?;
            end += line_length(continuation)?;
        }
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

fn line_length(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| at + 1)
}

/// Line ends before the first line are ignored (RFC 3261 §7.5).
pub(crate) fn skip_line_ends(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// One header line, `None` without a name that is a token.
pub(crate) fn field(line: &[u8]) -> Option<Field<'_>> {
    let (token, value) = split_once(line, b':')?;
    let token = trim_end(token);
    is_token(token).then(|| Field {
        name: Name::from_token(token),
        token,
        value: trim(value),
    })
}

/// The number of a Content-Length header.
pub(crate) fn content_length(value: &[u8]) -> Option<usize> {
    decimal(value).and_then(|length| usize::try_from(length).ok())
}

type StartFault<'a> = (Fault, Option<RequestLine<'a>>);

fn start_line(line: &[u8]) -> Result<StartLine<'_>, StartFault<'_>> {
    let is_response = line
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"));
    if is_response {
        return status_line(line)
            .map(StartLine::Status)
            .map_err(|fault| (fault, None));
    }
    request_line(line).map(StartLine::Request)
}

fn status_line(line: &[u8]) -> Result<StatusLine<'_>, Fault> {
    let (version, rest) = split_once(line, b' ').ok_or(bad("Bad Status Line"))?;
    check_version(version)?;
    let (code, reason) = split_once(rest, b' ').unwrap_or((rest, &[]));
    let [b'1'..=b'6', _, _] = code else {
        return Err(bad("Bad Status Code"));
    };
    let code = decimal(code).and_then(|code| u16::try_from(code).ok());
    Ok(StatusLine {
        code: code.ok_or(bad("Bad Status Code"))?,
        reason: trim(reason),
    })
}

/// Exactly one space between the three parts (RFC 3261 §7.1); spaces at the end are forgiven.
fn request_line(line: &[u8]) -> Result<RequestLine<'_>, StartFault<'_>> {
    let Some((method_token, rest)) = split_once(line, b' ').filter(|(token, _)| is_token(token))
    else {
        return Err((bad("Bad Request Line"), None));
    };
    let method = Method::from_token(method_token);
    let salvaged = RequestLine {
        method,
        method_token,
        uri: &[],
    };
    let Some((uri, version)) = rsplit_once(trim_end(rest), b' ') else {
        return Err((bad("Bad Request Line"), Some(salvaged)));
    };
    check_version(version).map_err(|fault| (fault, Some(salvaged)))?;
    if uri.iter().any(|byte| is_space(*byte)) || Uri::parse(uri).is_none() {
        return Err((bad("Bad Request URI"), Some(salvaged)));
    }
    Ok(RequestLine {
        method,
        method_token,
        uri,
    })
}

fn check_version(version: &[u8]) -> Result<(), Fault> {
    if version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let numbers = version
        .split_at_checked(4)
        .filter(|(sip, _)| sip.eq_ignore_ascii_case(b"SIP/"));
    let is_version = numbers
        .and_then(|(_, numbers)| split_once(numbers, b'.'))
        .is_some_and(|(major, minor)| decimal(major).is_some() && decimal(minor).is_some());
    if is_version {
        return Err(Fault {
            code: 505,
            reason: "Version Not Supported",
        });
    }
    Err(bad("Bad Version"))
}

const _: () = assert!(INLINE_FIELDS < MAX_HEADER_LINES);

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: &str = "Via: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
                           Call-ID: c\r\nCSeq: 1 BYE\r\n";

    /// Reads the bytes: the body, or the code and whether somebody is to be answered.
    fn check(bytes: &str, framing: Framing, expect: Result<&str, (u16, bool)>) {
        let found = Message::parse(bytes.as_bytes(), framing);
        let found = found
            .as_ref()
            .map(|message| std::str::from_utf8(message.body()).unwrap())
            .map_err(|malformed| (malformed.code, malformed.request().is_some()));
        assert_eq!(found, expect, "{bytes}");
    }

    #[test]
    fn the_body_ends_where_the_length_says() {
        for (length, datagram, stream) in [
            ("", Ok("hello"), Ok("")),
            ("Content-Length: 5\r\n", Ok("hello"), Ok("hello")),
            ("l: 2\r\n", Ok("he"), Ok("he")),
            ("Content-Length:\r\n 2\r\n", Ok("he"), Ok("he")),
            ("Content-Length: 6\r\n", Err((400, true)), Err((400, true))),
            (
                "Content-Length: five\r\n",
                Err((400, true)),
                Err((400, true)),
            ),
            ("Content-Length:\r\n", Err((400, true)), Err((400, true))),
            (
                "Content-Length: 5\r\nl: 5\r\n",
                Err((400, true)),
                Err((400, true)),
            ),
            (
                "Content-Length: 262145\r\n",
                Err((413, true)),
                Err((413, true)),
            ),
        ] {
            let bytes = format!("BYE sip:a SIP/2.0\r\n{HEADERS}{length}\r\nhello");
            check(&bytes, Framing::Datagram, datagram);
            check(&bytes, Framing::Stream, stream);
        }
    }

    #[test]
    fn first_lines_are_exact() {
        for (line, expect) in [
            ("BYE sip:a SIP/2.0", Ok("")),
            ("BYE sip:a sip/2.0 ", Ok("")),
            ("BYE tel:+15 SIP/2.0", Ok("")),
            ("BYE x-odd:what/ever SIP/2.0", Ok("")),
            ("SIP/2.0 200 OK", Ok("")),
            ("SIP/2.0 200", Ok("")),
            ("BYE  sip:a SIP/2.0", Err((400, true))),
            ("BYE sip:a  SIP/2.0", Err((400, true))),
            ("BYE sip:a\tSIP/2.0", Err((400, true))),
            ("BYE sip:a SIP/3.0", Err((505, true))),
            ("BYE sip:a SIP/2", Err((400, true))),
            ("BYE sip: SIP/2.0", Err((400, true))),
            ("BYE sip:a@ SIP/2.0", Err((400, true))),
            ("BYE nothing SIP/2.0", Err((400, true))),
            ("BYE sip:a", Err((400, true))),
            ("BYE", Err((400, false))),
            ("B(E sip:a SIP/2.0", Err((400, false))),
            ("", Err((400, false))),
            ("ACK sip:a SIP/2.0", Err((400, false))),
            ("SIP/2.0 99 Low", Err((400, false))),
            ("SIP/2.0 700 High", Err((400, false))),
            ("SIP/2.0 20x OK", Err((400, false))),
            ("SIP/3.0 200 OK", Err((400, false))),
        ] {
            check(
                &format!("{line}\r\n{HEADERS}\r\n"),
                Framing::Datagram,
                expect,
            );
        }
        check(
            &format!("\r\n\r\nBYE sip:a SIP/2.0\r\n{HEADERS}\r\n"),
            Framing::Datagram,
            Ok(""),
        );
    }

    #[test]
    fn headers_that_must_be_there_are_there_once_and_readable() {
        for (was, is) in [
            ("Via: SIP/2.0/UDP h;branch=1\r\n", ""),
            ("From: <sip:a@h>;tag=1\r\n", ""),
            ("To: <sip:b@h>\r\n", ""),
            ("Call-ID: c\r\n", ""),
            ("CSeq: 1 BYE\r\n", ""),
            ("Call-ID: c", "Call-ID:"),
            ("SIP/2.0/UDP h;branch=1", "SIP/2.0/UDP h, nonsense"),
            ("<sip:b@h>", "<sip:b@h>;x=\"open"),
            ("1 BYE", "1 bye"),
            ("1 BYE", "4294967296 BYE"),
            ("CSeq", "Max-Forwards: ten\r\nCSeq"),
            ("CSeq", "i: d\r\nCSeq"),
            ("CSeq", "Expires: 1\r\nExpires: 2\r\nCSeq"),
            ("CSeq", "no colon\r\nCSeq"),
            ("CSeq", "bad name: x\r\nCSeq"),
            ("CSeq", ": x\r\nCSeq"),
        ] {
            let bytes = format!("BYE sip:a SIP/2.0\r\n{}\r\n", HEADERS.replace(was, is));
            let answered = !was.starts_with("Via");
            check(&bytes, Framing::Datagram, Err((400, answered)));
        }
    }

    #[test]
    fn so_many_lines_and_no_more() {
        let lines = "X: y\r\n".repeat(MAX_HEADER_LINES - 5);
        let bytes = format!("BYE sip:a SIP/2.0\r\n{HEADERS}{lines}\r\n");
        check(&bytes, Framing::Datagram, Ok(""));
        let bytes = format!("BYE sip:a SIP/2.0\r\n{HEADERS}{lines}X: y\r\n\r\n");
        check(&bytes, Framing::Datagram, Err((513, true)));
    }

    #[test]
    fn lines_are_folded_and_end_with_either_line_end() {
        let mut lines = Lines::new(b"a\r\n b\r\n\tc\r\nd\ne\n f\n\n body");
        let read: Vec<_> = std::iter::from_fn(|| lines.next_line()).take(4).collect();
        assert_eq!(read, [&b"a\r\n b\r\n\tc"[..], b"d", b"e\n f", b""]);
        assert_eq!(lines.rest, b" body");
        assert_eq!(Lines::new(b"no end").next_line(), None);
        assert_eq!(Lines::new(b"a\r\n folded without end").next_line(), None);
    }

    #[test]
    fn an_ordinary_message_is_read_without_an_allocation() {
        let lines = "X: y\r\n".repeat(INLINE_FIELDS - 5);
        let bytes = format!("BYE sip:a SIP/2.0\r\n{HEADERS}{lines}\r\n");
        let message = Message::parse(bytes.as_bytes(), Framing::Datagram).unwrap();
        assert!(!message.fields.spilled());
    }
}
