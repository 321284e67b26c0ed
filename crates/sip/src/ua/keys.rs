//! How messages find their transaction: RFC 3261 §17.1.3 and §17.2.3.

use std::fmt;

use super::random::HashKey;
use crate::bytes::as_str;
use crate::{Message, Method, RequestLine, Via};

/// What every branch since RFC 3261 begins with (§8.1.1.7).
const MAGIC_COOKIE: &str = "z9hG4bK";

/// A server transaction: a keyed hash of what RFC 3261 §17.2.3 compares, so that no peer can choose
/// requests that meet those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerKey(u128);

impl ServerKey {
    /// The least key, for ranges.
    pub(crate) const LEAST: Self = Self(0);
}

/// What requests that are the same one on two ways have in common (RFC 3261 §8.2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MergeKey(u128);

/// A client transaction, by the number in its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientKey {
    /// The number.
    pub(crate) number: u64,
    /// The request itself, or its CANCEL.
    pub(crate) lane: Lane,
}

/// A CANCEL shares its branch with the INVITE it cancels (RFC 3261 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Any request but CANCEL.
    Request,
    /// The CANCEL of an INVITE.
    Cancel,
}

impl Lane {
    /// The lane of a request of that method, and of its answers.
    pub(crate) fn of(method: Method) -> Self {
        if method == Method::Cancel {
            Self::Cancel
        } else {
            Self::Request
        }
    }
}

impl ClientKey {
    /// The least and the greatest key, for ranges.
    pub(crate) const ALL: (Self, Self) = (
        Self {
            number: 0,
            lane: Lane::Request,
        },
        Self {
            number: u64::MAX,
            lane: Lane::Cancel,
        },
    );
}

/// The branch parameter of a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The number finds the transaction.
    pub(crate) number: u64,
    /// What only who saw the request can repeat.
    pub(crate) secret: u64,
}

impl Branch {
    /// Reads a branch of ours.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (number, secret) = as_str(text)?.strip_prefix(MAGIC_COOKIE)?.split_once('-')?;
        Some(Self {
            number: u64::from_str_radix(number, 16).ok()?,
            secret: u64::from_str_radix(secret, 16).ok()?,
        })
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{MAGIC_COOKIE}{:x}-{:016x}",
            self.number, self.secret
        )
    }
}

/// The key of the transaction that a request belongs to: for ACK and CANCEL that of their INVITE.
pub(crate) fn server_key(key: HashKey, request: &Message<'_>) -> Option<ServerKey> {
    let via = request.top_via()?;
    let line = request.request_line()?;
    let is_of_invite = matches!(line.method, Method::Ack | Method::Cancel);
    let method = if is_of_invite {
        b"INVITE"
    } else {
        line.method_token
    };
    let branch = via
        .branch()
        .filter(|branch| branch.starts_with(MAGIC_COOKIE.as_bytes()));
    let Some(branch) = branch else {
        return old_server_key(key, request, Old { line, via, method });
    };
    let host = via.host.to_ascii_lowercase();
    let port = via.port.unwrap_or(0).to_be_bytes();
    Some(ServerKey(
        key.hash(&[b"branch", branch, &host, &port, method]),
    ))
}

/// The parts of a request without the magic cookie.
#[derive(Clone, Copy)]
struct Old<'a> {
    line: RequestLine<'a>,
    via: Via<'a>,
    method: &'a [u8],
}

/// RFC 3261 §17.2.3 for the elements of RFC 2543. The To tag of an INVITE is left out, because its
/// ACK carries the one we gave; the CSeq tells re-INVITEs apart.
fn old_server_key(key: HashKey, request: &Message<'_>, old: Old<'_>) -> Option<ServerKey> {
    let to_tag = request.to().and_then(|to| to.tag()).unwrap_or_default();
    let to_tag = if old.method == b"INVITE" {
        &[][..]
    } else {
        to_tag
    };
    Some(ServerKey(
        key.hash(&[
            b"elements",
            old.line.uri,
            request
                .from()
                .and_then(|from| from.tag())
                .unwrap_or_default(),
            to_tag,
            request.call_id()?,
            &request.cseq()?.number.to_be_bytes(),
            old.method,
            old.via.transport,
            old.via.host,
            &old.via.port.unwrap_or(0).to_be_bytes(),
            old.via.params.as_bytes(),
        ]),
    ))
}

/// The key by which a second copy of a request outside dialogs is known.
pub(crate) fn merge_key(key: HashKey, request: &Message<'_>) -> Option<MergeKey> {
    Some(MergeKey(key.hash(&[
        b"merge",
        request.from()?.tag()?,
        request.call_id()?,
        &request.cseq()?.number.to_be_bytes(),
        request.request_line()?.method_token,
    ])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Framing;

    const INVITE: &str = "INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1\n\
        From: <sip:a@h>;tag=1\nTo: <sip:b@h>\nCall-ID: c\nCSeq: 7 INVITE\n\n";
    const OLD: &str = "INVITE sip:b@h SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=1\n\
        From: <sip:a@h>;tag=1\nTo: <sip:b@h>\nCall-ID: c\nCSeq: 7 INVITE\n\n";

    fn key_of(text: &str) -> ServerKey {
        let message = Message::parse(text.as_bytes(), Framing::Datagram).unwrap();
        server_key(HashKey::from_seed(1, 0), &message).unwrap()
    }

    fn check(original: &str, changes: &[(&str, &str)], expect: bool) {
        let changed = changes
            .iter()
            .fold(original.to_owned(), |text, (from, to)| {
                text.replace(from, to)
            });
        assert_ne!(changed, original);
        assert_eq!(key_of(original) == key_of(&changed), expect, "{changes:?}");
    }

    #[test]
    fn branch_sent_by_and_method_make_a_transaction() {
        check(INVITE, &[("z9hG4bK1", "z9hG4bK2")], false);
        check(INVITE, &[("a.example", "b.example")], false);
        check(INVITE, &[("a.example", "a.example:5061")], false);
        check(INVITE, &[("INVITE", "OPTIONS")], false);
        check(INVITE, &[("a.example", "A.EXAMPLE")], true);
        check(
            INVITE,
            &[("sip:b@h", "sip:c@h"), ("CSeq: 7", "CSeq: 8")],
            true,
        );
        check(
            INVITE,
            &[("INVITE", "ACK"), ("<sip:b@h>", "<sip:b@h>;tag=2")],
            true,
        );
        check(INVITE, &[("INVITE", "CANCEL")], true);
    }

    #[test]
    fn without_the_cookie_every_element_counts() {
        check(OLD, &[("branch=1", "branch=2")], false);
        check(OLD, &[("sip:b@h SIP", "sip:c@h SIP")], false);
        check(OLD, &[("tag=1", "tag=2")], false);
        check(OLD, &[("Call-ID: c", "Call-ID: d")], false);
        check(OLD, &[("CSeq: 7", "CSeq: 8")], false);
        check(
            OLD,
            &[("INVITE", "ACK"), ("<sip:b@h>", "<sip:b@h>;tag=2")],
            true,
        );
        check(OLD, &[("INVITE", "BYE")], false);
        let bye = OLD.replace("INVITE", "BYE");
        check(&bye, &[("<sip:b@h>", "<sip:b@h>;tag=2")], false);
    }

    #[test]
    fn a_branch_reads_back() {
        let branch = Branch {
            number: 0x1f,
            secret: 7,
        };
        assert_eq!(branch.to_string(), "z9hG4bK1f-0000000000000007");
        assert_eq!(Branch::parse(branch.to_string().as_bytes()), Some(branch));
        for other in ["z9hG4bK1f", "1f-7", "z9hG4bKx-7", "z9hG4bK1f-7-8", ""] {
            assert_eq!(Branch::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn copies_on_two_ways_have_one_merge_key() {
        let merge = |text: &str| {
            let message = Message::parse(text.as_bytes(), Framing::Datagram).unwrap();
            merge_key(HashKey::from_seed(1, 0), &message)
        };
        assert_eq!(
            merge(INVITE),
            merge(&INVITE.replace("z9hG4bK1", "z9hG4bK2"))
        );
        assert_ne!(merge(INVITE), merge(&INVITE.replace("CSeq: 7", "CSeq: 8")));
        assert_eq!(merge(&INVITE.replace(";tag=1", "")), None);
    }
}
