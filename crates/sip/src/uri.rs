//! SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966), read tolerantly and borrowed.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::bytes::{as_str, decimal, rsplit_once, split_at_option, split_once, trim};
use crate::params::Params;
use crate::transport::Transport;

/// What kind of address a URI is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`.
    Sip,
    /// `sips:`.
    Sips,
    /// `tel:`; the number is the user part.
    Tel,
    /// Any other, whose rest is not looked into.
    Other,
}

/// A URI in its parts. Nothing is decoded; see [`percent_decode`] and [`Uri::user_decoded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The kind of address.
    pub scheme: Scheme,
    /// The user, or the number of a `tel:` URI.
    pub user: Option<&'a [u8]>,
    /// The password. Nobody should use it; it is kept apart so that it is never part of a name.
    pub password: Option<&'a [u8]>,
    /// The host as written, with the brackets of an IPv6 address. Empty for `tel:`; the whole rest
    /// for a scheme we do not know.
    pub host: &'a [u8],
    /// The port, when one is written.
    pub port: Option<u16>,
    /// The parameters after the host.
    pub params: Params<'a>,
    /// What stands after the question mark.
    pub headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a URI without angle brackets around it.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = split_once(trim(text), b':')?;
        if !is_scheme(scheme) || rest.is_empty() {
            return None;
        }
        match scheme_of(scheme) {
            Scheme::Sip => Self::parse_sip(Scheme::Sip, rest),
            Scheme::Sips => Self::parse_sip(Scheme::Sips, rest),
            Scheme::Tel => Some(Self::parse_tel(rest)),
            Scheme::Other => Some(Self {
                host: rest,
                ..Self::empty(Scheme::Other)
            }),
        }
    }

    /// The user part with its escapes decoded.
    pub fn user_decoded(&self) -> Option<Cow<'a, [u8]>> {
        self.user.map(percent_decode)
    }

    /// The host as an IP address, when it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// The host's address and port, the transport's own when none is written.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        let transport = self.transport().unwrap_or(Transport::Udp);
        Some(SocketAddr::new(
            self.ip()?,
            self.port.unwrap_or(transport.default_port()),
        ))
    }

    /// The transport asked for: the parameter, TLS for `sips:`, nothing otherwise.
    pub fn transport(&self) -> Option<Transport> {
        let named = self
            .params
            .value("transport")
            .and_then(Transport::from_token);
        match (self.scheme, named) {
            (Scheme::Sips, None | Some(Transport::Tcp)) => Some(Transport::Tls),
            (Scheme::Sips, Some(Transport::Ws)) => Some(Transport::Wss),
            _ => named,
        }
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4): escapes, the case of the host and
    /// the order of parameters do not matter, a parameter that only one has matters if it is one
    /// of `user`, `ttl`, `method`, `maddr` and `transport`.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        self.scheme == other.scheme
            && self.user_decoded() == other.user_decoded()
            && self.password.map(percent_decode) == other.password.map(percent_decode)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
            && params_agree(self.params, other.params)
            && params_agree(other.params, self.params)
            && self.headers == other.headers
    }

    const fn empty(scheme: Scheme) -> Self {
        let params = Params::new(&[]);
        Self {
            scheme,
            user: None,
            password: None,
            host: &[],
            port: None,
            params,
            headers: None,
        }
    }

    fn parse_tel(rest: &'a [u8]) -> Self {
        let (number, params) = split_at_option(rest, rest.iter().position(|byte| *byte == b';'));
        Self {
            user: Some(number),
            params: Params::new(params),
            ..Self::empty(Scheme::Tel)
        }
    }

    fn parse_sip(scheme: Scheme, rest: &'a [u8]) -> Option<Self> {
        // The user part may hold `;` and `?` (RFC 3261 §25.1), so it is cut off first.
        let (user_info, rest) = match split_once(rest, b'@') {
            Some((user_info, rest)) => (Some(user_info), rest),
            None => (None, rest),
        };
        let (rest, headers) = match split_once(rest, b'?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let (host_port, params) = split_at_option(rest, rest.iter().position(|byte| *byte == b';'));
        let (host, port) = split_host_port(host_port)?;
        let (user, password) = match user_info.map(|info| (info, split_once(info, b':'))) {
            Some((_, Some((user, password)))) => (Some(user), Some(password)),
            Some((user, None)) => (Some(user), None),
            None => (None, None),
        };
        Some(Self {
            scheme,
            user,
            password,
            host,
            port,
            params: Params::new(params),
            headers,
        })
    }
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`, with spaces around the colon. A host must be
/// one by its letters, a port a number that fits.
pub(crate) fn split_host_port(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let text = trim(text);
    let (host, port) = match rsplit_once(text, b':') {
        Some((host, port)) if !port.contains(&b']') => (trim(host), Some(trim(port))),
        _ => (text, None),
    };
    if !is_host(host) {
        return None;
    }
    match port {
        None | Some([]) => Some((host, None)),
        Some(port) => Some((host, Some(u16::try_from(decimal(port)?).ok()?))),
    }
}

/// The host as an IP address, with or without brackets.
pub(crate) fn host_ip(host: &[u8]) -> Option<IpAddr> {
    let host = as_str(host)?;
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// The text with `%41` as `A`; a percent sign that starts no escape stays.
pub fn percent_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let (decoded, next) = escape(rest).unwrap_or((*byte, after));
        plain.push(decoded);
        rest = next;
    }
    Cow::Owned(plain)
}

fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = text else {
        return None;
    };
    let value = hex_digit(*high)? * 16 + hex_digit(*low)?;
    Some((value, rest))
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn scheme_of(token: &[u8]) -> Scheme {
    const KNOWN: [(&str, Scheme); 3] = [
        ("sip", Scheme::Sip),
        ("sips", Scheme::Sips),
        ("tel", Scheme::Tel),
    ];
    let known = KNOWN
        .iter()
        .find(|(text, _)| text.as_bytes().eq_ignore_ascii_case(token));
    known.map_or(Scheme::Other, |(_, scheme)| *scheme)
}

/// Names, addresses and addresses in brackets. The underscore is no host letter, but is in use.
fn is_host(text: &[u8]) -> bool {
    if let [b'[', inner @ .., b']'] = text {
        return as_str(inner).is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    !text.is_empty()
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
}

/// Each parameter of `one` is in `other` with the same value, or not at all if that is no matter.
fn params_agree(one: Params<'_>, other: Params<'_>) -> bool {
    const MATTERS_ALONE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    let is_same = |left: Option<&[u8]>, right: Option<&[u8]>| match (left, right) {
        (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
        (left, right) => left == right,
    };
    one.iter().all(|param| {
        let mut namesakes = other
            .iter()
            .filter(|found| found.name.eq_ignore_ascii_case(param.name))
            .peekable();
        if namesakes.peek().is_none() {
            let is_name = |name: &&str| param.name.eq_ignore_ascii_case(name.as_bytes());
            return !MATTERS_ALONE.iter().any(is_name);
        }
        namesakes.any(|found| is_same(param.value, found.value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Uri<'_>> {
        Uri::parse(text.as_bytes())
    }

    #[test]
    fn parts_are_found() {
        for (text, user, host, port, params) in [
            ("sip:a@h", "a", "h", None, ""),
            ("SIP:a@h:5070;lr", "a", "h", Some(5070), ";lr"),
            ("sip:h", "", "h", None, ""),
            ("sips:a:secret@h", "a", "h", None, ""),
            (
                "sip:a@[2001:db8::1]:5061",
                "a",
                "[2001:db8::1]",
                Some(5061),
                "",
            ),
            ("sip:[2001:db8::1]", "", "[2001:db8::1]", None, ""),
            (
                "sip:a;par=u%40example.net@h",
                "a;par=u%40example.net",
                "h",
                None,
                "",
            ),
            ("sip:a@h?Route=%3Csip:x%3E", "a", "h", None, ""),
            ("sip:conf@h;x=1?Replaces=a@b", "conf", "h", None, ";x=1"),
            (
                "tel:+1555;phone-context=x",
                "+1555",
                "",
                None,
                ";phone-context=x",
            ),
            ("isbn:2983792873", "", "2983792873", None, ""),
        ] {
            let uri = parsed(text).unwrap();
            assert_eq!(uri.user.unwrap_or_default(), user.as_bytes(), "{text}");
            assert_eq!(uri.host, host.as_bytes(), "{text}");
            assert_eq!(uri.port, port, "{text}");
            assert_eq!(uri.params.as_bytes(), params.as_bytes(), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "sip",
            "sip:",
            ":a@h",
            "1ip:a@h",
            "sip:a@",
            "sip:a@h:x",
            "sip:a@h:65536",
            "sip:a@h i",
            "sip:a@b@c",
            "sip:a@[::1",
            "sip:a@[nonsense]",
            "<sip:a@h>",
            "sip:;lr",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn equivalence_follows_the_rfc() {
        // The examples of RFC 3261 §19.1.4.
        for (left, right, expect) in [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
                true,
            ),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com;newparam=5",
                true,
            ),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com;security=on",
                true,
            ),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER",
                "sip:biloxi.com;method=REGISTER;transport=tcp",
                true,
            ),
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
                false,
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false),
            (
                "sip:bob@biloxi.com",
                "sip:bob@biloxi.com;transport=udp",
                false,
            ),
            (
                "sip:bob@biloxi.com",
                "sip:bob@biloxi.com:6000;transport=tcp",
                false,
            ),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;security=off",
                false,
            ),
            ("sip:a@h", "sips:a@h", false),
            ("sip:a@h;x=1;x=2", "sip:a@h;x=1;x=2", true),
        ] {
            let (one, two) = (parsed(left).unwrap(), parsed(right).unwrap());
            assert_eq!(one.is_equivalent(&two), expect, "{left} {right}");
            assert_eq!(two.is_equivalent(&one), expect, "{right} {left}");
        }
    }

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        for (text, expect) in [
            ("%75se%72", &b"user"[..]),
            ("null-%00-null", b"null-\0-null"),
            ("100%", b"100%"),
            ("%4", b"%4"),
            ("%zz%41", b"%zzA"),
            ("%25%34%31", b"%41"),
        ] {
            assert_eq!(&*percent_decode(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn transport_and_address_are_read() {
        for (text, transport, address) in [
            ("sip:a@192.0.2.1", None, Some("192.0.2.1:5060")),
            (
                "sip:a@192.0.2.1:5070;transport=TCP",
                Some(Transport::Tcp),
                Some("192.0.2.1:5070"),
            ),
            ("sips:a@[::1]", Some(Transport::Tls), Some("[::1]:5061")),
            (
                "sips:a@192.0.2.1;transport=ws",
                Some(Transport::Wss),
                Some("192.0.2.1:443"),
            ),
            ("sip:a@example.com", None, None),
        ] {
            let uri = parsed(text).unwrap();
            assert_eq!(uri.transport(), transport, "{text}");
            assert_eq!(
                uri.socket_address(),
                address.map(|text| text.parse().unwrap()),
                "{text}"
            );
        }
    }
}
