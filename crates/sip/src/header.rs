//! Typed header values, borrowed from the message and read tolerantly.

use std::borrow::Cow;
use std::net::SocketAddr;

use crate::bytes::{
    Brackets, Outside, decimal, decimal_saturating, find_outside, is_space, is_token, split_around,
    split_at_option, split_once, trim,
};
use crate::method::Method;
use crate::params::{Params, unquote};
use crate::transport::Source;
use crate::uri::split_host_port;

/// The values of one header line: pieces between commas outside quotes and angle brackets,
/// trimmed; empty ones are skipped.
#[derive(Clone, Debug)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// Reads the value of one line.
    pub const fn new(line: &'a [u8]) -> Self {
        Self(line)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.0.is_empty() {
            let comma = find_outside(self.0, b',', Brackets::Hide);
            let piece = trim(split_at_option(self.0, comma).0);
            self.0 = comma
                .and_then(|at| split_around(self.0, at))
                .map_or(&[], |(_, rest)| rest);
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }
}

/// An address with an optional display name and parameters: From, To, Contact, Route and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as written, quotes and escapes kept.
    pub display: Option<&'a [u8]>,
    /// The URI as written, without angle brackets; see [`crate::Uri::parse`].
    pub uri: &'a [u8],
    /// The parameters of the header value, not those of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value. `None` without a URI, or with a quote or bracket left open.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let parsed = match find_outside(value, b'<', Brackets::Ignore) {
            Some(at) => Self::bracketed(value, at)?,
            None => Self::bare(value)?,
        };
        // Any scheme will do here; an address without one is none.
        split_once(parsed.uri, b':')
            .filter(|(scheme, _)| is_token(scheme))
            .map(|_| parsed)
    }

    /// The tag of a From or To.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value("tag")
    }

    /// The value of a parameter.
    pub fn param(&self, name: &str) -> Option<&'a [u8]> {
        self.params.value(name)
    }

    /// The display name without quotes and escapes; `None` when there is none or it is empty.
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        let name = match unquote(self.display?) {
            Cow::Borrowed(name) => String::from_utf8_lossy(name),
            Cow::Owned(name) => Cow::Owned(String::from_utf8_lossy(&name).into_owned()),
        };
        (!name.is_empty()).then_some(name)
    }

    fn bracketed(value: &'a [u8], at: usize) -> Option<Self> {
        let (display, rest) = split_around(value, at)?;
        let (uri, params) = split_once(rest, b'>')?;
        let (display, params) = (trim(display), trim(params));
        if !matches!(params, [] | [b';', ..]) {
            return None;
        }
        let display = (!display.is_empty()).then_some(display);
        Some(Self {
            display,
            uri: trim(uri),
            params: Params::new(params),
        })
    }

    /// Without brackets a semicolon starts the header's parameters (RFC 3261 §20.10).
    fn bare(value: &'a [u8]) -> Option<Self> {
        let semicolon = value.iter().position(|byte| *byte == b';');
        let (uri, params) = split_at_option(value, semicolon);
        let uri = trim(uri);
        let is_one_word = !uri.iter().any(|byte| is_space(*byte) || *byte == b'"');
        is_one_word.then_some(Self {
            display: None,
            uri,
            params: Params::new(params),
        })
    }
}

/// Whether every quoted string and bracket of a value is closed.
pub(crate) fn is_balanced(value: &[u8]) -> bool {
    let mut outside = Outside::new(Brackets::Hide);
    for byte in value {
        outside.step(*byte);
    }
    outside.is_closed()
}

/// One value of a Contact header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: all bindings (RFC 3261 §10.2.2).
    Star,
    /// An address.
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        match trim(value) {
            b"*" => Some(Self::Star),
            value => NameAddr::parse(value).map(Self::Address),
        }
    }
}

/// One value of a Via header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport as written; see [`crate::Transport::from_token`].
    pub transport: &'a [u8],
    /// The host of the sender, as it named itself.
    pub host: &'a [u8],
    /// Its port, when one is written.
    pub port: Option<u16>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value: `SIP/2.0/UDP host:port;params`, with white space where RFC 3261 §25.1
    /// allows it.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (protocol, rest) = split_once(value, b'/')?;
        let (version, rest) = split_once(rest, b'/')?;
        if !trim(protocol).eq_ignore_ascii_case(b"SIP") || !is_token(trim(version)) {
            return None;
        }
        let rest = trim(rest);
        let (transport, rest) = split_around(rest, rest.iter().position(|byte| is_space(*byte))?)?;
        let semicolon = rest.iter().position(|byte| *byte == b';');
        let (sent_by, params) = split_at_option(rest, semicolon);
        let (host, port) = split_host_port(sent_by)?;
        is_token(transport).then_some(Self {
            transport,
            host,
            port,
            params: Params::new(params),
        })
    }

    /// The branch: the transaction's name (RFC 3261 §8.1.1.7).
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.value("branch")
    }

    /// The address the request came from, noted by its receiver.
    pub fn received(&self) -> Option<&'a [u8]> {
        self.params.value("received")
    }

    /// Whether the sender wants answers at the port it sent from (RFC 3581 §3).
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The port the request came from, noted by its receiver.
    pub fn rport(&self) -> Option<u16> {
        u16::try_from(decimal(self.params.value("rport")?)?).ok()
    }

    /// Where a response to a request with this top Via goes (RFC 3261 §18.2.2, RFC 3581 §4): the
    /// source's address; its port too for a stream or with `rport`, else the port named here.
    pub fn response_address(&self, source: Source) -> SocketAddr {
        if source.transport.is_reliable() || self.wants_rport() {
            return source.remote;
        }
        let port = self.port.unwrap_or(source.transport.default_port());
        SocketAddr::new(source.remote.ip(), port)
    }
}

/// A CSeq value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method as written, for one we do not know.
    pub method_token: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Reads the value. `None` for a number that is none or does not fit.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let space = value.iter().position(|byte| is_space(*byte))?;
        let (number, token) = value.split_at_checked(space)?;
        let method_token = trim(token);
        let method = Method::from_token(method_token);
        is_token(method_token).then_some(Self {
            number: decimal(number)?,
            method,
            method_token,
        })
    }
}

/// Who sends the refreshes of a session (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

/// A Session-Expires value (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// How long the session lives without a refresh.
    pub seconds: u32,
    /// Who refreshes, when it is said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads the value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let semicolon = value.iter().position(|byte| *byte == b';');
        let (seconds, params) = split_at_option(value, semicolon);
        let refresher = match Params::new(params).value("refresher") {
            Some(value) if value.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(value) if value.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(Self {
            seconds: decimal_saturating(trim(seconds))?,
            refresher,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn values_are_split_at_commas_outside_quotes_and_brackets() {
        for (line, expect) in [
            ("a, b ,c", &["a", "b", "c"][..]),
            (
                r#""x, y" <sip:a@h>, <sip:b@h;m=1,2>"#,
                &[r#""x, y" <sip:a@h>"#, "<sip:b@h;m=1,2>"],
            ),
            (";;,,;;,;", &[";;", ";;", ";"]),
            ("", &[]),
            (" , ", &[]),
        ] {
            let values: Vec<_> = Values::new(line.as_bytes()).map(text).collect();
            assert_eq!(values, expect, "{line}");
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (value, display, uri, tag) in [
            ("sip:a@h", None, "sip:a@h", None),
            ("sip:a@h ;   tag    = 19n", None, "sip:a@h", Some("19n")),
            ("<sip:a@h;lr>;tag=1", None, "sip:a@h;lr", Some("1")),
            (
                "\"J R \\\\\\\"\" <sip:a@h>\r\n ;\r\n tag = 9",
                Some("J R \\\""),
                "sip:a@h",
                Some("9"),
            ),
            (
                "caller<sip:a@h>;tag=323",
                Some("caller"),
                "sip:a@h",
                Some("323"),
            ),
            (
                "\"a <sip:x@y>\" <sip:a@h>",
                Some("a <sip:x@y>"),
                "sip:a@h",
                None,
            ),
            (
                "Bell, Alexander <sip:a@h>;tag=43",
                Some("Bell, Alexander"),
                "sip:a@h",
                Some("43"),
            ),
            (
                "\"Watson, Thomas\" < sip:t@h >",
                Some("Watson, Thomas"),
                "sip:t@h",
                None,
            ),
            ("\"\" <sip:a@h>", None, "sip:a@h", None),
            (
                "<http://www.example.com>;tag=3",
                None,
                "http://www.example.com",
                Some("3"),
            ),
        ] {
            let parsed = NameAddr::parse(value.as_bytes()).unwrap();
            assert_eq!(parsed.display_name().as_deref(), display, "{value}");
            assert_eq!(text(parsed.uri), uri, "{value}");
            assert_eq!(parsed.tag().map(text), tag, "{value}");
        }
    }

    #[test]
    fn broken_addresses_are_refused() {
        for value in [
            "",
            "<>",
            "a",
            "\"Mr. J. User <sip:j@h>",
            "<sip:a@h",
            "sip:a b",
            "<sip:a@h> x",
            "\"a\" sip:a@h",
            ";tag=1",
        ] {
            assert_eq!(NameAddr::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn vias_are_taken_apart() {
        for (value, transport, host, port, branch) in [
            (
                "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
                "UDP",
                "192.0.2.2",
                None,
                Some("390skdjuw"),
            ),
            (
                "SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=3",
                "UDP",
                "192.0.2.2",
                None,
                Some("3"),
            ),
            (
                "SIP/2.0/TCP s.example.com   ;\r\n branch  =   z9 ",
                "TCP",
                "s.example.com",
                None,
                Some("z9"),
            ),
            (
                "SIP/2.0/TLS [2001:db8::9]:5061",
                "TLS",
                "[2001:db8::9]",
                Some(5061),
                None,
            ),
            (
                "SIP/2.0/UNKNOWN h : 5070 ;rport",
                "UNKNOWN",
                "h",
                Some(5070),
                None,
            ),
            ("SIP/2.0/UDP 192.0.2.15;;", "UDP", "192.0.2.15", None, None),
        ] {
            let via = Via::parse(value.as_bytes()).unwrap();
            assert_eq!(text(via.transport), transport, "{value}");
            assert_eq!(text(via.host), host, "{value}");
            assert_eq!(via.port, port, "{value}");
            assert_eq!(via.branch().map(text), branch, "{value}");
        }
        for value in [
            "",
            ";",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ;branch=x",
            "HTTP/1.1/TCP h",
            "SIP/2.0 h",
        ] {
            assert_eq!(Via::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn cseq_needs_a_number_that_fits_and_a_method() {
        for (value, expect) in [
            ("1 INVITE", Some((1, Method::Invite))),
            ("0009\r\n  INVITE", Some((9, Method::Invite))),
            ("4294967295 NEW", Some((u32::MAX, Method::Other))),
            ("36893488147419103232 REGISTER", None),
            ("1", None),
            ("INVITE", None),
            ("-1 INVITE", None),
            ("1 IN VITE", None),
        ] {
            let parsed = CSeq::parse(value.as_bytes()).map(|cseq| (cseq.number, cseq.method));
            assert_eq!(parsed, expect, "{value}");
        }
    }

    #[test]
    fn session_expires_names_the_refresher() {
        for (value, expect) in [
            ("1800", Some((1800, None))),
            ("90 ; Refresher=UAS", Some((90, Some(Refresher::Uas)))),
            ("90;refresher=uac;x", Some((90, Some(Refresher::Uac)))),
            ("soon", None),
        ] {
            let parsed = SessionExpires::parse(value.as_bytes());
            assert_eq!(
                parsed.map(|value| (value.seconds, value.refresher)),
                expect,
                "{value}"
            );
        }
    }
}
