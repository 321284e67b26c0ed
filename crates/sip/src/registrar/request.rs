//! What a REGISTER asks for, read from the message once.

use smallvec::SmallVec;

use super::RegisterError;
use super::binding::Binding;
use crate::bytes::{decimal_saturating, is_space, split_once};
use crate::header::{Contact, NameAddr};
use crate::message::Message;
use crate::name::Name;
use crate::params::unquote;
use crate::transport::Source;
use crate::uri::{Scheme, Uri};

/// Contacts of one REGISTER.
pub const MAX_CONTACTS_PER_REQUEST: usize = 10;

/// Bytes of each text a binding keeps: the contact URI, the Call-ID, the instance.
pub const MAX_TEXT_BYTES: usize = 1_024;

/// Parameters of a contact URI; comparing two URIs takes the product of theirs.
pub const MAX_URI_PARAMS: usize = 32;

/// A REGISTER that can be carried out.
#[derive(Clone, Debug)]
pub struct RegisterRequest<'a> {
    pub(super) source: Source,
    pub(super) wants_rport: bool,
    pub(super) call_id: &'a [u8],
    pub(super) cseq: u32,
    pub(super) expires: Option<u32>,
    pub(super) wish: Wish<'a>,
}

/// What is to be done with the bindings.
#[derive(Clone, Debug)]
pub(super) enum Wish<'a> {
    /// Show them.
    Query,
    /// Take all away.
    RemoveAll,
    /// Add, refresh or take away these.
    Change(SmallVec<[Wanted<'a>; 1]>),
}

/// One contact of the request.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) text: &'a [u8],
    pub(super) uri: Uri<'a>,
    pub(super) expires: Option<u32>,
    pub(super) q: u16,
    pub(super) device: Option<Device<'a>>,
}

/// The device and which of its connections (RFC 5626 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device<'a> {
    pub(super) instance: &'a [u8],
    pub(super) reg_id: u32,
}

impl<'a> RegisterRequest<'a> {
    /// Reads a REGISTER and where it came from.
    pub fn parse(message: &Message<'a>, source: Source) -> Result<Self, RegisterError> {
        let call_id = message
            .call_id()
            .ok_or(RegisterError::Malformed("Missing Call-ID"))?;
        let cseq = message
            .cseq()
            .ok_or(RegisterError::Malformed("Missing CSeq"))?;
        Ok(Self {
            source,
            wants_rport: message.top_via().is_some_and(|via| via.wants_rport()),
            call_id: bounded(call_id)?,
            cseq: cseq.number,
            expires: message.expires(),
            wish: wish(message)?,
        })
    }

    /// Whether the contact takes the place of this binding, one of `all` of its address: it has
    /// the same URI, or is of the same device, or (for devices that name themselves by neither)
    /// the one contact of the same Call-ID, which a device keeps until it restarts.
    pub(super) fn replaces(&self, all: &[Binding], one: &Binding, wanted: &Wanted<'_>) -> bool {
        let is_known = |one: &Binding| one.is_at(wanted) || one.is_of(wanted.device);
        if is_known(one) {
            return true;
        }
        let is_alone = matches!(&self.wish, Wish::Change(wanted) if wanted.len() == 1);
        is_alone
            && wanted.device.is_none()
            && *one.call_id == *self.call_id
            && !all.iter().any(is_known)
    }
}

fn wish<'a>(message: &Message<'a>) -> Result<Wish<'a>, RegisterError> {
    let mut wanted = SmallVec::new();
    let mut has_star = false;
    for value in message.values(Name::Contact) {
        if wanted.len() >= MAX_CONTACTS_PER_REQUEST {
            return Err(RegisterError::Malformed("Too Many Contacts"));
        }
        match Contact::parse(value).ok_or(RegisterError::Malformed("Bad Contact"))? {
            Contact::Star => has_star = true,
            Contact::Address(address) => wanted.push(Wanted::new(&address)?),
        }
    }
    match (has_star, wanted.is_empty()) {
        (false, true) => Ok(Wish::Query),
        (false, false) => Ok(Wish::Change(wanted)),
        // RFC 3261 §10.3 step 6: the star stands alone and with a lifetime of zero.
        (true, true) if message.expires() == Some(0) => Ok(Wish::RemoveAll),
        (true, _) => Err(RegisterError::Malformed("Bad Use Of Contact Star")),
    }
}

impl<'a> Wanted<'a> {
    fn new(address: &NameAddr<'a>) -> Result<Self, RegisterError> {
        let text = bounded(address.uri)?;
        // Such a letter is no URI's and would break out of the brackets we write it in.
        if text
            .iter()
            .any(|byte| is_space(*byte) || b"<>\"\0".contains(byte))
        {
            return Err(RegisterError::Malformed("Bad Contact"));
        }
        let uri = Uri::parse(text)
            .filter(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips))
            .filter(|uri| uri.params.iter().count() <= MAX_URI_PARAMS)
            .ok_or(RegisterError::Malformed("Bad Contact"))?;
        // A lifetime that is no number counts as none (RFC 3261 §10.2.1.1).
        let expires = address.param("expires").and_then(decimal_saturating);
        let q = address.param("q").and_then(thousandths).unwrap_or(1_000);
        Ok(Self {
            text,
            uri,
            expires,
            q,
            device: Device::of(address)?,
        })
    }
}

impl<'a> Device<'a> {
    fn of(address: &NameAddr<'a>) -> Result<Option<Self>, RegisterError> {
        let Some(instance) = address.param("+sip.instance") else {
            return Ok(None);
        };
        let reg_id = address
            .param("reg-id")
            .and_then(decimal_saturating)
            .unwrap_or(0);
        // Kept as written between its quotes: only ever compared and given back.
        let instance = match instance {
            [b'"', inner @ .., b'"'] => bounded(inner)?,
            other => bounded(other)?,
        };
        Ok(Some(Self { instance, reg_id }).filter(|device| !unquote(device.instance).is_empty()))
    }
}

fn bounded(text: &[u8]) -> Result<&[u8], RegisterError> {
    (text.len() <= MAX_TEXT_BYTES)
        .then_some(text)
        .ok_or(RegisterError::Malformed("Text Too Long"))
}

/// A preference (RFC 3261 §25.1 `qvalue`) in thousandths: `0`, `0.33`, `1.000`.
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = split_once(text, b'.').unwrap_or((text, &[]));
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(b"000").take(3);
    let fraction = digits.fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
    match (whole, fraction) {
        (b"0" | b"", fraction) => Some(fraction),
        (b"1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_to_three_places() {
        for (text, expect) in [
            ("0", Some(0)),
            ("1", Some(1_000)),
            ("1.000", Some(1_000)),
            ("0.33", Some(330)),
            ("0.007", Some(7)),
            (".5", Some(500)),
            ("1.1", None),
            ("0.1234", None),
            ("2", None),
            ("-1", None),
            ("x", None),
        ] {
            assert_eq!(thousandths(text.as_bytes()), expect, "{text}");
        }
    }
}
