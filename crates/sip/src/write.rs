//! From values to the bytes of a message. Whatever a value holds, it cannot start a new line.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::bytes::{is_token_byte, split_at_option};
use crate::header::{NameAddr, Values, Via};
use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::transport::Source;

/// Room for an ordinary message, so that writing one allocates once.
const USUAL_BYTES: usize = 1024;

/// Builds one message, line by line.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts a request. Spaces and control bytes of the URI are escaped.
    pub fn request(method: Method, uri: impl AsRef<[u8]>) -> Self {
        Self::request_named(method.as_str(), uri)
    }

    /// Starts a request of a method that has no [`Method`].
    pub fn request_named(method: &str, uri: impl AsRef<[u8]>) -> Self {
        let mut writer = Self {
            bytes: Vec::with_capacity(USUAL_BYTES),
        };
        writer.push_token(method.as_bytes());
        writer.bytes.push(b' ');
        writer.push_uri(uri.as_ref());
        writer.bytes.extend_from_slice(b" SIP/2.0\r\n");
        writer
    }

    /// Starts a response.
    pub fn response(code: u16, reason: impl AsRef<[u8]>) -> Self {
        debug_assert!((100..700).contains(&code), "a status code has three digits");
        let mut writer = Self {
            bytes: Vec::with_capacity(USUAL_BYTES),
        };
        // Writing to a vector cannot fail; the same holds for every `write!` below.
        let _written = write!(writer.text(), "SIP/2.0 {code} ");
        writer.push_value(reason.as_ref());
        writer.bytes.extend_from_slice(b"\r\n");
        writer
    }

    /// Adds a header line. CR and LF of the value become spaces.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.push_header(name.as_ref(), value.as_ref());
        self
    }

    /// Adds a header line from `format_args!`, without a string in between.
    #[must_use]
    pub fn header_fmt(mut self, name: impl AsRef<str>, value: fmt::Arguments<'_>) -> Self {
        self.push_name(name.as_ref());
        let _written = self.text().write_fmt(value);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Adds every line of that header of another message, in order.
    #[must_use]
    pub fn copy(mut self, message: &Message<'_>, name: Name) -> Self {
        for value in message.headers(name) {
            self.push_header(name.as_str(), value);
        }
        self
    }

    /// Adds what every response repeats of its request (RFC 3261 §8.2.6.2): Via with the source
    /// noted in it (§18.2.1, RFC 3581 §4), From, To with our tag if it has none, Call-ID, CSeq.
    #[must_use]
    pub fn echo(mut self, request: &Message<'_>, source: Source, to_tag: Option<&str>) -> Self {
        self.push_vias(request, source);
        self = self.copy_first(request, Name::From);
        self.push_to(request, to_tag);
        self.copy_first(request, Name::CallId)
            .copy_first(request, Name::CSeq)
    }

    /// Adds whole lines that another writer made; see [`Self::into_lines`].
    #[must_use]
    pub(crate) fn lines(mut self, lines: &[u8]) -> Self {
        self.bytes.extend_from_slice(lines);
        self
    }

    /// The lines so far without the first one, for several messages that have them in common.
    pub(crate) fn into_lines(self) -> Vec<u8> {
        let mut lines = self.bytes;
        let first = lines.iter().position(|byte| *byte == b'\n');
        lines.drain(..first.map_or(0, |end| end + 1));
        lines
    }

    /// Ends the message without a body.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        self.bytes
    }

    /// Ends the message with a body.
    pub fn body(mut self, content_type: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        self.push_header(Name::ContentType.as_str(), content_type.as_ref());
        let _written = write!(self.text(), "Content-Length: {}", body.len());
        self.bytes.extend_from_slice(b"\r\n\r\n");
        self.bytes.extend_from_slice(body);
        self.bytes
    }

    fn copy_first(mut self, message: &Message<'_>, name: Name) -> Self {
        if let Some(value) = message.header(name) {
            self.push_header(name.as_str(), value);
        }
        self
    }

    fn push_vias(&mut self, request: &Message<'_>, source: Source) {
        let mut is_top = true;
        for line in request.headers(Name::Via) {
            for value in Values::new(line) {
                self.push_name(Name::Via.as_str());
                match Via::parse(value).filter(|_| is_top) {
                    Some(via) => self.push_top_via(value, via, source),
                    None => self.push_value(value),
                }
                self.bytes.extend_from_slice(b"\r\n");
                is_top = false;
            }
        }
    }

    /// The top Via with `received` and the port filled in. What the sender itself wrote there is
    /// dropped: only the receiver knows.
    fn push_top_via(&mut self, value: &[u8], via: Via<'_>, source: Source) {
        let semicolon = value.iter().position(|byte| *byte == b';');
        self.push_value(split_at_option(value, semicolon).0);
        for param in via.params.iter() {
            let is_ours = [&b"received"[..], b"rport"]
                .iter()
                .any(|name| param.name.eq_ignore_ascii_case(name));
            if is_ours {
                continue;
            }
            self.bytes.push(b';');
            self.push_value(param.name);
            if let Some(value) = param.value {
                self.bytes.push(b'=');
                self.push_value(value);
            }
        }
        let came_from = source.remote.ip();
        let says_same = crate::uri::host_ip(via.host) == Some(came_from);
        if via.wants_rport() {
            let _written = write!(self.text(), ";rport={}", source.remote.port());
        }
        // RFC 3581 §4: with rport, received is noted even if it says the same.
        if via.wants_rport() || !says_same {
            let _written = match came_from {
                IpAddr::V4(address) => write!(self.text(), ";received={address}"),
                IpAddr::V6(address) => write!(self.text(), ";received={address}"),
            };
        }
    }

    fn push_to(&mut self, request: &Message<'_>, to_tag: Option<&str>) {
        let Some(value) = request.header(Name::To) else {
            return;
        };
        self.push_name(Name::To.as_str());
        self.push_value(value);
        let can_have_tag = NameAddr::parse(value).is_some_and(|to| to.tag().is_none());
        if let Some(tag) = to_tag.filter(|_| can_have_tag) {
            self.bytes.extend_from_slice(b";tag=");
            self.push_token(tag.as_bytes());
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn push_header(&mut self, name: &str, value: &[u8]) {
        self.push_name(name);
        self.push_value(value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn push_name(&mut self, name: &str) {
        self.push_token(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
    }

    fn push_token(&mut self, token: &[u8]) {
        let safe = |byte: &u8| if is_token_byte(*byte) { *byte } else { b'-' };
        self.bytes.extend(token.iter().map(safe));
    }

    fn push_value(&mut self, value: &[u8]) {
        self.bytes.extend(value.iter().map(|byte| harmless(*byte)));
    }

    fn push_uri(&mut self, uri: &[u8]) {
        for byte in uri {
            if *byte <= b' ' || *byte == 0x7f {
                let _written = write!(self.text(), "%{byte:02X}");
            } else {
                self.bytes.push(*byte);
            }
        }
    }

    fn text(&mut self) -> HarmlessText<'_> {
        HarmlessText(&mut self.bytes)
    }
}

/// Takes formatted text with the same care as a value.
struct HarmlessText<'w>(&'w mut Vec<u8>);

impl fmt::Write for HarmlessText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.bytes().map(harmless));
        Ok(())
    }
}

/// The byte, or a space for one that could end the line. A NUL may stand in a quoted string, and an
/// answer must repeat it (RFC 4475 §3.1.1.2).
const fn harmless(byte: u8) -> u8 {
    match byte {
        b'\r' | b'\n' => b' ',
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Framing;
    use crate::transport::{FlowId, Transport};

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_request_is_written_line_by_line() {
        let bytes = Writer::request(Method::Invite, "sip:b@h")
            .header(Name::CallId, "c")
            .header_fmt("X-Number", format_args!("{}-{}", 1, 2))
            .body("application/sdp", "v=0\r\n");
        assert_eq!(
            text(bytes),
            "INVITE sip:b@h SIP/2.0\r\nCall-ID: c\r\nX-Number: 1-2\r\n\
             Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
        );
        let bytes = Writer::response(200, "OK").finish();
        assert_eq!(text(bytes), "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn no_text_starts_a_line_of_its_own() {
        let evil = "x\r\nEvil: 1\r\n\r\nbody\n";
        let bytes = Writer::request_named(evil, evil)
            .header(evil, evil)
            .header_fmt("Subject", format_args!("{evil}"))
            .body(evil, "");
        assert_eq!(text(bytes.clone()).lines().count(), 6);
        let bytes_of_response = Writer::response(200, evil).finish();
        assert_eq!(text(bytes_of_response).lines().count(), 3);
        let request = text(bytes);
        let first = request.lines().next().unwrap();
        assert_eq!(
            first,
            "x--Evil--1----body- x%0D%0AEvil:%201%0D%0A%0D%0Abody%0A SIP/2.0"
        );
    }

    /// The echo of these header lines, from a peer at 192.0.2.7:4000.
    fn check_echo(lines: &str, expect: &str) {
        let bytes =
            format!("OPTIONS sip:h SIP/2.0\r\n{lines}CSeq: 1 OPTIONS\r\nCall-ID: c\r\n\r\n");
        let request = Message::parse(bytes.as_bytes(), Framing::Datagram).unwrap();
        let remote = "192.0.2.7:4000".parse().unwrap();
        let source = Source {
            transport: Transport::Udp,
            remote,
            flow: FlowId(1),
        };
        let bytes = Writer::response(200, "OK")
            .echo(&request, source, Some("ours"))
            .finish();
        let written = text(bytes);
        let echoed = written.strip_prefix("SIP/2.0 200 OK\r\n").unwrap();
        let rest = "Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(echoed.strip_suffix(rest).unwrap(), expect);
    }

    #[test]
    fn an_answer_repeats_its_request_and_notes_the_source() {
        check_echo(
            "v: SIP/2.0/UDP 192.0.2.7:5060;branch=1\r\nf: sip:a@h;tag=1\r\nt: sip:b@h\r\n",
            "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=1\r\nFrom: sip:a@h;tag=1\r\n\
             To: sip:b@h;tag=ours\r\n",
        );
        check_echo(
            "Via: SIP/2.0/UDP 10.0.0.1;rport;branch=1;received=9.9.9.9, SIP/2.0/TCP next;rport\r\n\
             From: \"A\r\n B\" <sip:a@h>\r\nTo: <sip:b@h>;tag=theirs\r\n",
            "Via: SIP/2.0/UDP 10.0.0.1;branch=1;rport=4000;received=192.0.2.7\r\n\
             Via: SIP/2.0/TCP next;rport\r\nFrom: \"A   B\" <sip:a@h>\r\n\
             To: <sip:b@h>;tag=theirs\r\n",
        );
        check_echo(
            "Via: SIP/2.0/UDP pc.example.com;branch=1\r\nFrom: <sip:a@h>\r\nTo: <sip:b@h>\r\n",
            "Via: SIP/2.0/UDP pc.example.com;branch=1;received=192.0.2.7\r\n\
             From: <sip:a@h>\r\nTo: <sip:b@h>;tag=ours\r\n",
        );
    }
}
