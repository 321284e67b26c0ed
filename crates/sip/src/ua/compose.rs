//! The words of our requests and answers.

use std::fmt::{self, Write as _};

use super::keys::Branch;
use super::types::{Answer, Contacts, Invite, OutRequest, Party, Reason, Series};
use crate::{Abilities, Framing, Message, Method, Name, Source, Transport, Writer, reason_phrase};

/// What this user agent takes from anybody.
pub(crate) const OUTSIDE: Abilities<'_> = Abilities {
    methods: &[
        Method::Invite,
        Method::Ack,
        Method::Cancel,
        Method::Bye,
        Method::Options,
        Method::Info,
        Method::Update,
        Method::Register,
        Method::Subscribe,
    ],
    extensions: &["timer", "100rel", "replaces", "norefersub"],
    content_types: &[SDP],
};

/// What it takes inside a dialog.
pub(crate) const INSIDE: Abilities<'_> = Abilities {
    methods: &[
        Method::Invite,
        Method::Ack,
        Method::Cancel,
        Method::Bye,
        Method::Options,
        Method::Info,
        Method::Update,
        Method::Prack,
        Method::Refer,
        Method::Subscribe,
    ],
    ..OUTSIDE
};

/// The type of a session description.
pub(crate) const SDP: &str = "application/sdp";
/// [`INSIDE`] as the value of Allow.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE";
/// The extensions as the value of Supported.
pub(crate) const SUPPORTED: &str = "timer, 100rel, replaces, norefersub";

/// How bytes of a transport are read.
pub(crate) fn framing(transport: Transport) -> Framing {
    match transport {
        Transport::Udp | Transport::Ws | Transport::Wss => Framing::Datagram,
        Transport::Tcp | Transport::Tls => Framing::Stream,
    }
}

/// Reads a message that this node wrote or has already read.
pub(crate) fn reread(bytes: &[u8]) -> Option<Message<'_>> {
    // Ours carry Content-Length, and a datagram's may lack it: the framing that fits both.
    Message::parse(bytes, Framing::Datagram).ok()
}

/// Who we are, in the words of the headers.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// User-Agent and Server.
    pub(crate) product: String,
    udp: String,
    tcp: String,
}

impl Identity {
    /// Who is reached at those addresses.
    pub(crate) fn new(product: String, contacts: Contacts) -> Self {
        Self {
            product,
            udp: contacts.udp.to_string(),
            tcp: contacts.tcp.to_string(),
        }
    }

    /// The Via value of a request of ours.
    pub(crate) fn via(&self, transport: Transport, branch: Branch) -> Via<'_> {
        Via {
            identity: self,
            transport,
            branch,
        }
    }

    /// The Contact value for a peer reached over that transport.
    pub(crate) fn contact(&self, transport: Transport, user: Option<&str>) -> String {
        let mut value = String::from("<sip:");
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            value.push_str(&escaped_user(user));
            value.push('@');
        }
        let address = self.address(transport);
        let token = transport.via_token().to_ascii_lowercase();
        // Writing to a string cannot fail; the same holds for every `write!` below.
        let _written = match transport {
            Transport::Udp => write!(value, "{address}>"),
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                write!(value, "{address};transport={token}>")
            }
        };
        value
    }

    /// Begins an answer; what it says besides follows.
    pub(crate) fn answer(&self, head: &Head, answer: &Answer) -> Writer {
        let usual = reason_phrase(answer.code);
        let reason = answer.reason.as_deref().unwrap_or(usual);
        Writer::response(answer.code, reason)
            .lines(&head.0)
            .header("Server", &self.product)
    }

    /// The INVITE of a new call.
    pub(crate) fn invite(&self, invite: &Invite, words: &Words<'_>) -> Vec<u8> {
        let writer = Writer::request(Method::Invite, &invite.uri);
        let contact = self.contact(invite.to.transport, invite.contact_user.as_deref());
        let mut writer = self
            .opening(
                writer,
                words,
                Ends {
                    from: &invite.from,
                    to: &invite.to_party,
                },
            )
            .header_fmt("Max-Forwards", format_args!("{}", invite.max_forwards))
            .header("Contact", contact)
            .header("Allow", ALLOW)
            .header("Supported", SUPPORTED);
        for (name, value) in &invite.headers {
            writer = writer.header(name, value);
        }
        writer
            .header_fmt("Session-Expires", format_args!("{}", words.session_seconds))
            .body(SDP, &invite.sdp)
    }

    /// A request outside dialogs.
    pub(crate) fn request(&self, request: &OutRequest, words: &Words<'_>) -> Vec<u8> {
        let writer = Writer::request(request.method, &request.uri);
        let mut writer = self
            .opening(
                writer,
                words,
                Ends {
                    from: &request.from,
                    to: &request.to_party,
                },
            )
            .header("Max-Forwards", "70");
        if let Some(user) = request.contact_user.as_deref() {
            writer = writer.header("Contact", self.contact(request.to.transport, Some(user)));
        }
        for (name, value) in &request.headers {
            writer = writer.header(name, value);
        }
        finish(writer, request.body.clone())
    }

    fn address(&self, transport: Transport) -> &str {
        match transport {
            Transport::Udp => &self.udp,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => &self.tcp,
        }
    }

    /// The headers every request outside dialogs begins with (RFC 3261 §8.1.1).
    fn opening(&self, writer: Writer, words: &Words<'_>, ends: Ends<'_>) -> Writer {
        let via = self.via(words.transport, words.branch);
        let from = address(ends.from);
        let Series { call_id, cseq } = words.series;
        writer
            .header_fmt("Via", format_args!("{via}"))
            .header_fmt("From", format_args!("{from};tag={}", words.tag))
            .header("To", address(ends.to))
            .header("Call-ID", call_id)
            .header_fmt("CSeq", format_args!("{cseq} {}", words.method.as_str()))
            .header("User-Agent", &self.product)
    }
}

/// The Via value of a request of ours; `rport` asks for answers where it came from (RFC 3581).
pub(crate) struct Via<'a> {
    identity: &'a Identity,
    transport: Transport,
    branch: Branch,
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.transport.via_token();
        let address = self.identity.address(self.transport);
        write!(
            formatter,
            "SIP/2.0/{token} {address};branch={};rport",
            self.branch
        )
    }
}

/// What every answer to a request repeats of it (RFC 3261 §8.2.6.2), ready to be sent.
#[derive(Debug, Default)]
pub(crate) struct Head(Box<[u8]>);

impl Head {
    /// For any request. `tag` is ours, for a To that has none.
    pub(crate) fn of(request: &Message<'_>, source: Source, tag: Option<&str>) -> Self {
        Self(Self::echo(request, source, tag).into_lines().into())
    }

    /// For an INVITE that makes a dialog: its answers repeat the route too (RFC 3261 §12.1.1).
    pub(crate) fn of_call(request: &Message<'_>, source: Source, tag: &str) -> Self {
        let writer = Self::echo(request, source, Some(tag)).copy(request, Name::RecordRoute);
        Self(writer.into_lines().into())
    }

    /// 100 Trying. It may bear a tag (RFC 3261 §8.2.6.2).
    pub(crate) fn trying(&self) -> Vec<u8> {
        let writer = Writer::response(100, reason_phrase(100));
        writer.lines(&self.0).finish()
    }

    fn echo(request: &Message<'_>, source: Source, tag: Option<&str>) -> Writer {
        Writer::response(100, "").echo(request, source, tag)
    }
}

/// What of a request outside dialogs the owner does not choose.
pub(crate) struct Words<'a> {
    pub(crate) transport: Transport,
    pub(crate) branch: Branch,
    pub(crate) method: Method,
    pub(crate) tag: &'a str,
    pub(crate) series: &'a Series,
    pub(crate) session_seconds: u32,
}

/// Both ends of a request.
#[derive(Clone, Copy)]
struct Ends<'a> {
    from: &'a Party,
    to: &'a Party,
}

/// What a user agent tells of itself (RFC 3261 §11.2).
pub(crate) fn abilities(writer: Writer) -> Writer {
    writer
        .header("Allow", ALLOW)
        .header("Accept", SDP)
        .header("Supported", SUPPORTED)
}

/// The ACK for an answer of 300 or more (RFC 3261 §17.1.1.3).
pub(crate) fn ack_of_refusal(invite: &[u8], answer: &Message<'_>) -> Option<Vec<u8>> {
    let invite = reread(invite)?;
    Some(same_hop(&invite, Method::Ack, answer.header(Name::To)).finish())
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(crate) fn cancel(invite: &[u8], reason: Option<&Reason>) -> Option<Vec<u8>> {
    let invite = reread(invite)?;
    let writer = same_hop(&invite, Method::Cancel, invite.header(Name::To));
    Some(with_reason(writer, reason).finish())
}

/// A request that goes the same way as an INVITE and carries its branch: ACK and CANCEL.
fn same_hop(invite: &Message<'_>, method: Method, to: Option<&[u8]>) -> Writer {
    let uri = invite
        .request_line()
        .map(|line| line.uri)
        .unwrap_or_default();
    let number = invite.cseq().map_or(0, |cseq| cseq.number);
    Writer::request(method, uri)
        .copy(invite, Name::Via)
        .header("Max-Forwards", "70")
        .copy(invite, Name::Route)
        .copy(invite, Name::From)
        .header("To", to.unwrap_or_default())
        .copy(invite, Name::CallId)
        .header_fmt("CSeq", format_args!("{number} {}", method.as_str()))
}

/// A request once more: other branch, higher number, some headers exchanged (RFC 3261 §22.2).
pub(crate) fn again(request: &Message<'_>, repeat: &Repeat<'_>) -> Option<Vec<u8>> {
    let line = request.request_line()?;
    let mut writer = Writer::request(line.method, line.uri).header("Via", repeat.via);
    for field in request.fields() {
        let is_new = repeat.headers.iter().any(|(name, _)| *name == field.name);
        let is_written = matches!(
            field.name,
            Name::Via | Name::CSeq | Name::ContentType | Name::ContentLength
        );
        if is_new || is_written {
            continue;
        }
        if let Ok(token) = std::str::from_utf8(field.token) {
            writer = writer.header(token, field.value);
        }
    }
    writer = writer.header_fmt(
        "CSeq",
        format_args!("{} {}", repeat.cseq, line.method.as_str()),
    );
    for (name, value) in &repeat.headers {
        writer = writer.header(name.as_str(), value);
    }
    Some(match request.content_type() {
        Some(content_type) => writer.body(content_type, request.body()),
        None => writer.finish(),
    })
}

/// What is other in a request that is sent once more.
pub(crate) struct Repeat<'a> {
    pub(crate) via: &'a str,
    pub(crate) cseq: u32,
    pub(crate) headers: Vec<(Name, String)>,
}

/// The headers of a re-INVITE or UPDATE of ours besides those of every request.
pub(crate) struct SessionWords<'a> {
    pub(crate) contact: &'a str,
    pub(crate) seconds: u32,
    /// Whether a 422 made the interval longer than we want it.
    pub(crate) is_raised: bool,
}

impl SessionWords<'_> {
    /// Adds them (RFC 4028 §7.4: we refresh, and go on doing so).
    pub(crate) fn add_to(&self, writer: Writer) -> Writer {
        let seconds = self.seconds;
        let writer = writer
            .header("Contact", self.contact)
            .header("Allow", ALLOW)
            .header("Supported", SUPPORTED)
            .header_fmt("Session-Expires", format_args!("{seconds};refresher=uac"));
        if self.is_raised {
            writer.header_fmt("Min-SE", format_args!("{seconds}"))
        } else {
            writer
        }
    }
}

/// Adds a Reason header (RFC 3326).
pub(crate) fn with_reason(writer: Writer, reason: Option<&Reason>) -> Writer {
    match reason {
        Some(reason) => writer.header("Reason", reason.to_string()),
        None => writer,
    }
}

/// Ends an answer with the headers and the body that its owner gave it.
pub(crate) fn finish_answer(mut writer: Writer, answer: Answer) -> Vec<u8> {
    for (name, value) in &answer.headers {
        writer = writer.header(name, value);
    }
    finish(writer, answer.body)
}

/// Ends a message with a body, if there is one.
pub(crate) fn finish(writer: Writer, body: Option<(String, Vec<u8>)>) -> Vec<u8> {
    match body {
        Some((content_type, body)) => writer.body(content_type, body),
        None => writer.finish(),
    }
}

/// `"Name" <uri>`.
pub(crate) fn address(party: &Party) -> String {
    let mut value = String::new();
    if let Some(display) = party
        .display
        .as_deref()
        .filter(|display| !display.is_empty())
    {
        value.push('"');
        for letter in display.chars().filter(|letter| !letter.is_control()) {
            if matches!(letter, '"' | '\\') {
                value.push('\\');
            }
            value.push(letter);
        }
        value.push_str("\" ");
    }
    value.push('<');
    // What would end the address or the line is escaped, whoever chose the URI.
    for letter in party.uri.chars() {
        match letter {
            '<' | '>' | '"' | ' ' | '\0'..='\x1f' | '\x7f' => {
                let _written = write!(value, "%{:02X}", u32::from(letter));
            }
            _ => value.push(letter),
        }
    }
    value.push('>');
    value
}

/// A user part with everything escaped that RFC 3261 §25.1 does not allow there.
fn escaped_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _written = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_cannot_be_broken_out_of() {
        for (display, uri, expect) in [
            (None, "sip:a@h", "<sip:a@h>"),
            (Some(""), "sip:a@h", "<sip:a@h>"),
            (Some("Al \"x\" \\"), "sip:a@h", r#""Al \"x\" \\" <sip:a@h>"#),
            (
                Some("a\r\nb"),
                "sip:a@h>;x=\r\n\"",
                r#""ab" <sip:a@h%3E;x=%0D%0A%22>"#,
            ),
        ] {
            let party = Party {
                display: display.map(str::to_owned),
                uri: uri.to_owned(),
            };
            assert_eq!(address(&party), expect);
        }
    }

    #[test]
    fn contacts_name_their_transport() {
        let contacts = Contacts {
            udp: "192.0.2.1:5060".parse().unwrap(),
            tcp: "192.0.2.1:5070".parse().unwrap(),
        };
        let identity = Identity::new(String::new(), contacts);
        for (transport, user, expect) in [
            (Transport::Udp, None, "<sip:192.0.2.1:5060>"),
            (
                Transport::Udp,
                Some("+49 1"),
                "<sip:+49%201@192.0.2.1:5060>",
            ),
            (
                Transport::Tcp,
                Some("a"),
                "<sip:a@192.0.2.1:5070;transport=tcp>",
            ),
        ] {
            assert_eq!(identity.contact(transport, user), expect);
        }
    }
}
