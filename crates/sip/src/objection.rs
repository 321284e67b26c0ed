//! What speaks against answering a well-formed request: the inspection of RFC 3261 §8.2.1–§8.2.3.

use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::uri::{Scheme, Uri};

/// What a user agent can do.
#[derive(Clone, Copy, Debug)]
pub struct Abilities<'s> {
    /// The methods it takes; also its Allow header.
    pub methods: &'s [Method],
    /// The option tags it knows; also its Supported header.
    pub extensions: &'s [&'s str],
    /// The body types it reads in INVITE and UPDATE; also its Accept header.
    pub content_types: &'s [&'s str],
}

/// Why a request cannot be served, in the order in which RFC 3261 §8.2 looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// Nobody here has heard of the method.
    UnknownMethod,
    /// The method is known and not taken; the answer carries Allow.
    MethodNotAllowed,
    /// The request URI is of a kind we cannot reach.
    UnknownScheme,
    /// The request may not travel further, and serving it would send it on.
    NoHopsLeft,
    /// It requires what we do not know; the answer names it in Unsupported.
    UnknownExtension,
    /// The body cannot be read; the answer carries Accept.
    UnknownContentType,
}

impl Objection {
    /// The status code of the answer.
    pub const fn code(self) -> u16 {
        match self {
            Self::UnknownMethod => 501,
            Self::MethodNotAllowed => 405,
            Self::UnknownScheme => 416,
            Self::NoHopsLeft => 483,
            Self::UnknownExtension => 420,
            Self::UnknownContentType => 415,
        }
    }
}

impl<'a> Message<'a> {
    /// What speaks against serving this request; `None` for responses and for ACK, which is never
    /// answered.
    pub fn objection(&self, abilities: &Abilities<'_>) -> Option<Objection> {
        let line = self.request_line()?;
        if line.method == Method::Ack {
            return None;
        }
        if line.method == Method::Other {
            return Some(Objection::UnknownMethod);
        }
        if !abilities.methods.contains(&line.method) {
            return Some(Objection::MethodNotAllowed);
        }
        if Uri::parse(line.uri).is_none_or(|uri| uri.scheme == Scheme::Other) {
            return Some(Objection::UnknownScheme);
        }
        if self.max_forwards() == Some(0) {
            return Some(Objection::NoHopsLeft);
        }
        // CANCEL has no Require that counts (RFC 3261 §8.2.2.3).
        if line.method != Method::Cancel && self.unknown_extensions(abilities).next().is_some() {
            return Some(Objection::UnknownExtension);
        }
        self.has_unknown_body(abilities)
            .then_some(Objection::UnknownContentType)
    }

    /// The required option tags that are not known: the value of the Unsupported header.
    pub fn unknown_extensions(&self, abilities: &Abilities<'_>) -> impl Iterator<Item = &'a [u8]> {
        self.requires().filter(|tag| {
            !abilities
                .extensions
                .iter()
                .any(|known| known.as_bytes().eq_ignore_ascii_case(tag))
        })
    }

    /// Only offers and answers must be understood; other bodies are looked at by their methods.
    fn has_unknown_body(&self, abilities: &Abilities<'_>) -> bool {
        if self.body().is_empty() || !matches!(self.method(), Method::Invite | Method::Update) {
            return false;
        }
        let is_encoded = self
            .values(Name::ContentEncoding)
            .any(|encoding| !encoding.eq_ignore_ascii_case(b"identity"));
        let is_known = abilities
            .content_types
            .iter()
            .any(|known| self.is_content_type(known));
        is_encoded || !is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Framing;

    const ABILITIES: Abilities<'static> = Abilities {
        methods: &[Method::Invite, Method::Cancel, Method::Info],
        extensions: &["timer"],
        content_types: &["application/sdp"],
    };

    /// What speaks against this method, URI and header lines; there is a body.
    fn check(method: &str, uri: &str, lines: &str, expect: Option<u16>) {
        let bytes = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: sip:a@h\r\nTo: sip:b@h\r\n\
             Call-ID: c\r\nCSeq: 1 {method}\r\n{lines}\r\n\r\nbody"
        );
        let message = Message::parse(bytes.as_bytes(), Framing::Datagram).unwrap();
        let found = message.objection(&ABILITIES).map(Objection::code);
        assert_eq!(found, expect, "{method} {uri} {lines}");
    }

    #[test]
    fn the_first_thing_wrong_is_named() {
        let sdp = "Content-Type: application/sdp";
        let require = "Require: timer, gruu\r\nContent-Type: text/plain";
        for (method, uri, lines, expect) in [
            ("INVITE", "sip:h", sdp, None),
            ("INVITE", "tel:+1", sdp, None),
            ("MAKE", "odd:h", require, Some(501)),
            ("PUBLISH", "odd:h", require, Some(405)),
            ("INVITE", "odd:h", require, Some(416)),
            (
                "INVITE",
                "sip:h",
                "Max-Forwards: 0\r\nRequire: gruu",
                Some(483),
            ),
            ("INVITE", "sip:h", require, Some(420)),
            (
                "INVITE",
                "sip:h",
                "Require: timer\r\nContent-Type: application/sdp",
                None,
            ),
            ("INVITE", "sip:h", "Content-Type: text/plain", Some(415)),
            ("INVITE", "sip:h", "X: y", Some(415)),
            (
                "INVITE",
                "sip:h",
                "Content-Encoding: gzip\r\nc: application/sdp",
                Some(415),
            ),
            ("INVITE", "sip:h", "Content-Length: 0", None),
            (
                "INFO",
                "sip:h",
                "Content-Type: application/dtmf-relay",
                None,
            ),
            ("CANCEL", "sip:h", "Require: gruu", None),
            ("ACK", "odd:h", require, None),
        ] {
            check(method, uri, lines, expect);
        }
    }
}
