//! What the writer writes, the parser reads: for any text in any place.

use proptest::prelude::*;
use sip::{FlowId, Framing, Message, Method, Name, NameAddr, Source, Transport, Uri, Writer};

const METHODS: [Method; 6] = [
    Method::Invite,
    Method::Bye,
    Method::Cancel,
    Method::Register,
    Method::Options,
    Method::Info,
];

/// A request with that subject and body.
fn request(method: Method, subject: &[u8], body: &[u8]) -> Vec<u8> {
    Writer::request(method, "sip:b@example.com")
        .header(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport")
        .header(Name::From, "\"A\" <sip:a@example.com>;tag=1")
        .header(Name::To, "<sip:b@example.com>")
        .header(Name::CallId, "c1@192.0.2.1")
        .header_fmt(Name::CSeq, format_args!("7 {}", method.as_str()))
        .header(Name::Subject, subject)
        .body("text/plain", body)
}

/// The value as its reader sees it: line ends are spaces, spaces around it do not count.
fn as_read(value: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = value
        .iter()
        .map(|byte| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                *byte
            }
        })
        .collect();
    spaced.trim_ascii_start_matches().to_vec()
}

/// Trims what SIP takes for white space, which is less than Rust does.
trait TrimAscii {
    fn trim_ascii_start_matches(&self) -> &[u8];
}

impl TrimAscii for [u8] {
    fn trim_ascii_start_matches(&self) -> &[u8] {
        let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let Some(start) = self.iter().position(is_text) else {
            return &[];
        };
        let end = self.iter().rposition(is_text).map_or(0, |end| end + 1);
        &self[start..end]
    }
}

proptest! {
    #[test]
    fn a_value_and_a_body_come_back(
        method in proptest::sample::select(&METHODS[..]),
        subject in proptest::collection::vec(any::<u8>(), 0..80),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = request(method, &subject, &body);
        for framing in [Framing::Datagram, Framing::Stream] {
            let message = Message::parse(&bytes, framing).unwrap();
            prop_assert_eq!(message.fields().count(), 8);
            prop_assert_eq!(message.method(), method);
            prop_assert_eq!(message.header(Name::Subject), Some(&as_read(&subject)[..]));
            prop_assert_eq!(message.body(), &body[..]);
        }
    }

    #[test]
    fn an_answer_repeats_what_it_answers(
        display in "[^\"\\\\\\r\\n\\x00]{0,20}",
        user in "[a-zA-Z0-9_.!~*'()&=+$,;?/%-]{1,20}",
        host in "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{2,5}){0,2}",
        port in proptest::option::of(any::<u16>()),
        tag in "[a-zA-Z0-9]{1,12}",
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let uri = format!("sip:{user}@{host}{port}");
        let bytes = Writer::request(Method::Options, &uri)
            .header(Name::Via, format!("SIP/2.0/UDP {host}{port};branch=z9hG4bK{tag};rport"))
            .header(Name::From, format!("\"{display}\" <{uri}>;tag={tag}"))
            .header(Name::To, format!("<{uri}>"))
            .header(Name::CallId, &tag)
            .header(Name::CSeq, "1 OPTIONS")
            .finish();
        let request = Message::parse(&bytes, Framing::Datagram).unwrap();
        let source = Source {
            transport: Transport::Udp,
            remote: ([192, 0, 2, 7], 5070).into(),
            flow: FlowId(1),
        };
        let bytes = Writer::response(200, "OK").echo(&request, source, Some("ours")).finish();
        let response = Message::parse(&bytes, Framing::Stream).unwrap();
        let via = response.top_via().unwrap();
        prop_assert_eq!(via.rport(), Some(5070));
        prop_assert_eq!(via.received(), Some(&b"192.0.2.7"[..]));
        prop_assert_eq!(via.branch(), request.top_via().and_then(|via| via.branch()));
        prop_assert_eq!(response.from(), request.from());
        prop_assert_eq!(response.to().and_then(|to| to.tag()), Some(&b"ours"[..]));
        let from = response.from().unwrap();
        prop_assert_eq!(from.display_name().unwrap_or_default().into_owned(), display);
        prop_assert_eq!(Uri::parse(from.uri).unwrap().user, Some(user.as_bytes()));
    }

    #[test]
    fn no_text_becomes_a_header(text in "[ -~\\r\\n\\t:]{0,60}") {
        let bytes = Writer::request_named(&text, &text).header(&text, &text).body(&text, "");
        let head_lines = bytes.split(|byte| *byte == b'\n').count();
        // First line, the header, Content-Type, Content-Length, the empty line, and what follows.
        prop_assert_eq!(head_lines, 6);
    }

    #[test]
    fn addresses_of_any_text_are_read_or_refused(text in "[ -~\\r\\n\\t]{0,60}") {
        if let Some(address) = NameAddr::parse(text.as_bytes()) {
            prop_assert!(!address.uri.is_empty());
        }
        if let Some(uri) = Uri::parse(text.as_bytes()) {
            prop_assert!(uri.is_equivalent(&uri));
        }
    }
}
