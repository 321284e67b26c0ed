//! The Replaces header (RFC 3891): reading it, and finding the dialog it means.

use std::fmt;

use super::Ua;
use super::call::{Call, Phase};
use super::types::{Answer, DialogId, Incoming, ReplaceScope, Replaces};
use crate::bytes::{split_at_option, split_once, trim};
use crate::dialog::Tag;
use crate::{Name, Params, Uri, percent_decode};

/// What an INVITE with a Replaces header would take the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// There is no such header: an ordinary call.
    Nothing,
    /// This call of ours.
    Call(DialogId),
    /// Nothing that may be replaced (RFC 3891 §3): the INVITE gets this answer.
    Refused(Answer),
}

impl Ua {
    /// What an INVITE would take the place of. Who may do so is for the owner to decide; it then
    /// takes the new call on and ends the old one.
    pub fn replaced_by(&self, incoming: &Incoming) -> Replaced {
        let message = incoming.message();
        let mut values = message.headers(Name::Replaces);
        let Some(value) = values.next() else {
            return Replaced::Nothing;
        };
        // RFC 3891 §3: two of them are a bad request.
        let replaces = Replaces::parse(value).filter(|_| values.next().is_none());
        let Some(replaces) = replaces else {
            return Replaced::Refused(Answer::code(400));
        };
        let found = match self.call_to_replace(&replaces) {
            Err(481) => self.call_as_watched(&replaces),
            found => found,
        };
        match found {
            Ok(dialog) => Replaced::Call(dialog),
            Err(code) => Replaced::Refused(Answer::code(code)),
        }
    }

    /// The same, named by a phone that has it from a document (RFC 4235): there the tags stand as
    /// the watched phone sees them, and the phone believes that it speaks to that one.
    fn call_as_watched(&self, replaces: &Replaces) -> Result<DialogId, u16> {
        self.call_to_replace(&Replaces {
            to_tag: replaces.from_tag.clone(),
            from_tag: replaces.to_tag.clone(),
            ..replaces.clone()
        })
    }

    /// The call of ours that a Replaces header means, be it of an INVITE or of a REFER; else the
    /// status code that says why not.
    pub fn call_to_replace(&self, replaces: &Replaces) -> Result<DialogId, u16> {
        let tag = Tag::parse(replaces.to_tag.as_bytes()).ok_or(481_u16)?;
        let call = self.calls.get(&tag.dialog).ok_or(481_u16)?;
        if !call.is_replaced(tag, replaces) {
            return Err(481);
        }
        match &call.phase {
            // RFC 3891 §3: who rings us cannot be taken from us, only whom we ring.
            Phase::Ringing(_) => Err(481),
            Phase::Leaving(_) => Err(603),
            Phase::Talking(_) if replaces.scope == ReplaceScope::EarlyOnly => Err(486),
            Phase::Inviting(_) if call.is_over_for_owner() => Err(603),
            Phase::Talking(_) | Phase::Inviting(_) => Ok(tag.dialog),
        }
    }

    /// The dialog as our peer would name it in a Replaces header, for documents that tell others of
    /// it. `None` as long as no peer has a name in it.
    pub fn replaces_of(&self, dialog: DialogId) -> Option<Replaces> {
        let call = self.calls.get(&dialog)?;
        let (call_id, remote_tag) = call.names()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Replaces {
            call_id: text(call_id),
            to_tag: call.tag().to_string(),
            from_tag: text(remote_tag),
            scope: ReplaceScope::Any,
        })
    }
}

impl Call {
    /// The Call-ID and the peer's tag.
    fn names(&self) -> Option<(&[u8], &[u8])> {
        match &self.phase {
            Phase::Inviting(inviting) => inviting.early.first().map(|early| early.dialog.names()),
            Phase::Ringing(ringing) => Some(ringing.dialog.names()),
            Phase::Talking(talking) => Some(talking.dialog.names()),
            Phase::Leaving(leaving) => Some(leaving.dialog.names()),
        }
    }

    fn is_replaced(&self, tag: Tag, replaces: &Replaces) -> bool {
        let expect = (replaces.call_id.as_bytes(), replaces.from_tag.as_bytes());
        let is_meant = match &self.phase {
            // Any fork of our INVITE.
            Phase::Inviting(inviting) => {
                let mut early = inviting.early.iter();
                early.any(|early| early.dialog.names() == expect)
            }
            Phase::Ringing(_) | Phase::Talking(_) | Phase::Leaving(_) => {
                self.names() == Some(expect)
            }
        };
        is_meant && self.tag() == tag
    }
}

impl Replaces {
    /// Reads the value of the header.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let semicolon = value.iter().position(|byte| *byte == b';');
        let (call_id, params) = split_at_option(value, semicolon);
        let params = Params::new(params);
        let text = |bytes: &[u8]| String::from_utf8_lossy(trim(bytes)).into_owned();
        Some(Self {
            call_id: Some(text(call_id)).filter(|call_id| !call_id.is_empty())?,
            to_tag: text(params.value("to-tag")?),
            from_tag: text(params.value("from-tag")?),
            scope: if params.has("early-only") {
                ReplaceScope::EarlyOnly
            } else {
                ReplaceScope::Any
            },
        })
    }

    /// The one among the headers of a URI, as Refer-To carries it.
    pub(super) fn of_uri(uri: &Uri<'_>) -> Option<Self> {
        let mut headers = uri.headers?.split(|byte| *byte == b'&');
        headers.find_map(|header| {
            let (name, value) = split_once(header, b'=')?;
            let is_it = name.eq_ignore_ascii_case(b"Replaces");
            is_it.then(|| Self::parse(&percent_decode(value))).flatten()
        })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            call_id,
            to_tag,
            from_tag,
            scope,
        } = self;
        write!(formatter, "{call_id};to-tag={to_tag};from-tag={from_tag}")?;
        match scope {
            ReplaceScope::Any => Ok(()),
            ReplaceScope::EarlyOnly => formatter.write_str(";early-only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_and_write() {
        for (value, expect) in [
            (
                "98732@h;from-tag=r33th4x0r;to-tag=ff87ff",
                Some("98732@h;to-tag=ff87ff;from-tag=r33th4x0r"),
            ),
            (
                "12@149 ; to-tag = 1;from-tag=2;early-only",
                Some("12@149;to-tag=1;from-tag=2;early-only"),
            ),
            ("12;to-tag=1", None),
            (";to-tag=1;from-tag=2", None),
            ("", None),
        ] {
            let replaces = Replaces::parse(value.as_bytes());
            let written = replaces.map(|replaces| replaces.to_string());
            assert_eq!(written.as_deref(), expect, "{value}");
        }
    }

    #[test]
    fn a_uri_carries_one_in_its_headers() {
        for (uri, expect) in [
            (
                "sip:b@h?Require=replaces&Replaces=1%40h%3Bto-tag%3D2%3Bfrom-tag%3D3",
                Some("1@h;to-tag=2;from-tag=3"),
            ),
            (
                "sip:b@h?replaces=1;to-tag=2;from-tag=3",
                Some("1;to-tag=2;from-tag=3"),
            ),
            ("sip:b@h?Replaces=1", None),
            ("sip:b@h", None),
        ] {
            let uri = Uri::parse(uri.as_bytes()).unwrap();
            let written = Replaces::of_uri(&uri).map(|replaces| replaces.to_string());
            assert_eq!(written.as_deref(), expect);
        }
    }
}
