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
