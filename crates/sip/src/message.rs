//! A parsed message. It borrows everything from the bytes it was read from; header values are
//! looked at only when they are asked for.

use smallvec::SmallVec;

use crate::bytes::{decimal_saturating, trim};
use crate::header::{CSeq, Contact, NameAddr, SessionExpires, Values, Via};
use crate::method::Method;
use crate::name::Name;

/// Header lines kept without an allocation; ordinary messages have 8 to 20.
pub(crate) const INLINE_FIELDS: usize = 24;

/// A request or response that passed the checks of [`Message::parse`].
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub(crate) start: StartLine<'a>,
    pub(crate) fields: SmallVec<[Field<'a>; INLINE_FIELDS]>,
    pub(crate) body: &'a [u8],
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartLine<'a> {
    Request(RequestLine<'a>),
    Status(StatusLine<'a>),
}

/// The first line of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: Method,
    /// The method as written, for one we do not know.
    pub method_token: &'a [u8],
    /// The request URI as written; see [`crate::Uri::parse`].
    pub uri: &'a [u8],
}

/// The first line of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLine<'a> {
    /// The status code, 100 to 699.
    pub code: u16,
    /// The words after it, in any encoding, perhaps none.
    pub reason: &'a [u8],
}

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Which header it is.
    pub name: Name,
    /// The name as written.
    pub token: &'a [u8],
    /// The value, trimmed. A folded one keeps its line ends, which every reader of this crate
    /// takes as white space and [`crate::Writer`] turns into spaces.
    pub value: &'a [u8],
}

impl<'a> Message<'a> {
    /// The first line, if this is a request.
    pub fn request_line(&self) -> Option<RequestLine<'a>> {
        match self.start {
            StartLine::Request(line) => Some(line),
            StartLine::Status(_) => None,
        }
    }

    /// The first line, if this is a response.
    pub fn status_line(&self) -> Option<StatusLine<'a>> {
        match self.start {
            StartLine::Request(_) => None,
            StartLine::Status(line) => Some(line),
        }
    }

    /// The method of a request, or the one a response answers.
    pub fn method(&self) -> Method {
        match self.start {
            StartLine::Request(line) => line.method,
            StartLine::Status(_) => self.cseq().map_or(Method::Other, |cseq| cseq.method),
        }
    }

    /// All header lines in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> {
        self.fields.iter().copied()
    }

    /// The value of the first line of that header.
    pub fn header(&self, name: Name) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value)
    }

    /// The value of every line of that header, in order.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |field| field.name == name)
            .map(|field| field.value)
    }

    /// The value of every line whose name is written so, in any case. For extension headers.
    pub fn header_named(&self, token: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |field| field.token.eq_ignore_ascii_case(token.as_bytes()))
            .map(|field| field.value)
    }

    /// Every value of that header over all its lines: split at commas, trimmed, not empty.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.headers(name).flat_map(Values::new)
    }

    /// The Via values, the last hop's first.
    pub fn vias(&self) -> impl Iterator<Item = Via<'a>> {
        self.values(Name::Via).filter_map(Via::parse)
    }

    /// The Via of the last hop.
    pub fn top_via(&self) -> Option<Via<'a>> {
        self.vias().next()
    }

    /// Who sent the request.
    pub fn from(&self) -> Option<NameAddr<'a>> {
        self.header(Name::From).and_then(NameAddr::parse)
    }

    /// Whom the request was first meant for.
    pub fn to(&self) -> Option<NameAddr<'a>> {
        self.header(Name::To).and_then(NameAddr::parse)
    }

    /// The call's identifier.
    pub fn call_id(&self) -> Option<&'a [u8]> {
        self.header(Name::CallId)
    }

    /// The request's number and method.
    pub fn cseq(&self) -> Option<CSeq<'a>> {
        self.header(Name::CSeq).and_then(CSeq::parse)
    }

    /// The Contact values; those that are no address are left out.
    pub fn contacts(&self) -> impl Iterator<Item = Contact<'a>> {
        self.values(Name::Contact).filter_map(Contact::parse)
    }

    /// The first Contact that is an address.
    pub fn contact(&self) -> Option<NameAddr<'a>> {
        self.contacts().find_map(|contact| match contact {
            Contact::Star => None,
            Contact::Address(address) => Some(address),
        })
    }

    /// The Route values, the next hop's first.
    pub fn routes(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.values(Name::Route).filter_map(NameAddr::parse)
    }

    /// The Record-Route values in the order of the message.
    pub fn record_routes(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.values(Name::RecordRoute).filter_map(NameAddr::parse)
    }

    /// How many hops are left; what does not fit is the largest.
    pub fn max_forwards(&self) -> Option<u8> {
        let hops = self.number(Name::MaxForwards)?;
        Some(u8::try_from(hops).unwrap_or(u8::MAX))
    }

    /// The Expires header in seconds; what does not fit is the largest.
    pub fn expires(&self) -> Option<u32> {
        self.number(Name::Expires)
    }

    /// The Min-Expires header in seconds.
    pub fn min_expires(&self) -> Option<u32> {
        self.number(Name::MinExpires)
    }

    /// The Retry-After header in seconds, without its comment and parameters.
    pub fn retry_after(&self) -> Option<u32> {
        let value = self.header(Name::RetryAfter)?;
        let end = value.iter().position(|byte| !byte.is_ascii_digit());
        decimal_saturating(crate::bytes::split_at_option(value, end).0)
    }

    /// The Session-Expires header.
    pub fn session_expires(&self) -> Option<SessionExpires> {
        self.header(Name::SessionExpires)
            .and_then(SessionExpires::parse)
    }

    /// The Min-SE header in seconds.
    pub fn min_se(&self) -> Option<u32> {
        let value = self.header(Name::MinSe)?;
        SessionExpires::parse(value).map(|value| value.seconds)
    }

    /// The type of the body as written, parameters included.
    pub fn content_type(&self) -> Option<&'a [u8]> {
        self.header(Name::ContentType)
    }

    /// Whether the body is of that type, in any case and with any parameters.
    pub fn is_content_type(&self, wanted: &str) -> bool {
        let Some(value) = self.content_type() else {
            return false;
        };
        let end = value.iter().position(|byte| *byte == b';');
        let essence = trim(crate::bytes::split_at_option(value, end).0);
        essence.eq_ignore_ascii_case(wanted.as_bytes())
    }

    /// Whether the sender says that it knows the extension.
    pub fn supports(&self, tag: &str) -> bool {
        self.values(Name::Supported)
            .any(|value| value.eq_ignore_ascii_case(tag.as_bytes()))
    }

    /// The extensions that must be known to answer the request.
    pub fn requires(&self) -> impl Iterator<Item = &'a [u8]> {
        self.values(Name::Require)
    }

    /// Whether the sender says that it takes requests of that method.
    pub fn allows(&self, method: Method) -> bool {
        self.values(Name::Allow)
            .any(|value| value == method.as_str().as_bytes())
    }

    /// The body, as long as Content-Length says.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    fn number(&self, name: Name) -> Option<u32> {
        self.header(name).and_then(decimal_saturating)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Refresher;
    use crate::parse::Framing;

    /// A request with these header lines besides the obligatory ones.
    fn with(lines: &str, inspect: impl FnOnce(&Message<'_>)) {
        let bytes = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h1, SIP/2.0/TCP h2\r\nv: SIP/2.0/UDP h3\r\n\
             From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n{lines}\r\n\r\nbody"
        );
        inspect(&Message::parse(bytes.as_bytes(), Framing::Datagram).unwrap());
    }

    #[test]
    fn obligatory_headers_are_read() {
        with("X: y", |message| {
            let hosts: Vec<_> = message.vias().map(|via| via.host).collect();
            assert_eq!(hosts, [b"h1", b"h2", b"h3"]);
            assert_eq!(message.top_via().map(|via| via.host), Some(&b"h1"[..]));
            assert_eq!(message.from().and_then(|from| from.tag()), Some(&b"1"[..]));
            assert_eq!(message.to().and_then(|to| to.tag()), None);
            assert_eq!(message.call_id(), Some(&b"c"[..]));
            assert_eq!(message.cseq().map(|cseq| cseq.number), Some(7));
            assert_eq!(message.method(), Method::Invite);
            assert_eq!(message.body(), b"body");
            assert_eq!(message.status_line(), None);
        });
    }

    #[test]
    fn lists_run_over_lines_and_commas() {
        with(
            "k: timer,\r\n path\r\nSupported: replaces\r\nAllow: ACK, BYE",
            |message| {
                for (tag, known) in [
                    ("timer", true),
                    ("PATH", true),
                    ("replaces", true),
                    ("gruu", false),
                ] {
                    assert_eq!(message.supports(tag), known, "{tag}");
                }
                assert!(message.allows(Method::Bye));
                assert!(!message.allows(Method::Info));
            },
        );
        with(
            "Contact: *\r\nm: sip:a@h;q=1, junk, <sip:b@h>\r\nRoute: <sip:r1;lr>, <sip:r2;lr>",
            |message| {
                assert_eq!(message.contacts().count(), 3);
                assert_eq!(
                    message.contact().map(|contact| contact.uri),
                    Some(&b"sip:a@h"[..])
                );
                let routes: Vec<_> = message.routes().map(|route| route.uri).collect();
                assert_eq!(routes, [&b"sip:r1;lr"[..], b"sip:r2;lr"]);
            },
        );
        with("X-One: a, b\r\nx-one: c\r\nX-Two: d", |message| {
            let values: Vec<_> = message.header_named("X-ONE").collect();
            assert_eq!(values, [&b"a, b"[..], b"c"]);
        });
    }

    #[test]
    fn numbers_saturate_and_may_have_company() {
        with(
            "Max-Forwards: 300\r\nExpires: 99999999999\r\nMin-SE: 90;x",
            |message| {
                assert_eq!(message.max_forwards(), Some(u8::MAX));
                assert_eq!(message.expires(), Some(u32::MAX));
                assert_eq!(message.min_se(), Some(90));
                assert_eq!(message.retry_after(), None);
            },
        );
        with(
            "Retry-After: 18 (in a meeting);duration=3\r\nx: 1800;refresher=uas",
            |message| {
                assert_eq!(message.retry_after(), Some(18));
                let session = message.session_expires().unwrap();
                assert_eq!(
                    (session.seconds, session.refresher),
                    (1_800, Some(Refresher::Uas))
                );
            },
        );
    }

    #[test]
    fn content_types_compare_without_parameters_and_case() {
        with("c: Application/SDP ; charset=utf-8", |message| {
            assert!(message.is_content_type("application/sdp"));
            assert!(!message.is_content_type("application/sdpx"));
        });
        with("X: y", |message| {
            assert!(!message.is_content_type("application/sdp"));
        });
    }
}
