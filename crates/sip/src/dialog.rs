//! One dialog (RFC 3261 §12): its names, numbers and route set, and how a request inside it begins.
//!
//! Plain data with rules; what is done in a dialog, and when, belongs to the user agent.

use std::fmt;

use crate::bytes::as_str;
use crate::transport::is_routable;
use crate::ua::{DialogId, NatPolicy};
use crate::{Destination, Message, Method, Name, NameAddr, Source, Transport, Uri, Writer};

/// Hops a request of ours inside a dialog may travel (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u8 = 70;
/// Record-Route values kept of a peer; more is no proxy chain but an attack.
const MAX_ROUTES: usize = 32;

/// Our tag: the dialog's number finds it without a search, the secret proves that who sends the
/// tag has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The dialog.
    pub(crate) dialog: DialogId,
    /// What cannot be guessed.
    pub(crate) secret: u64,
}

impl Tag {
    /// Reads a tag of ours; `None` for any other text.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (dialog, secret) = as_str(text)?.split_once('-')?;
        let tag = Self {
            dialog: DialogId(u64::from_str_radix(dialog, 16).ok()?),
            secret: u64::from_str_radix(secret, 16).ok()?,
        };
        // Only one spelling is ours.
        (tag.to_string().as_bytes() == text).then_some(tag)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}-{:016x}", self.dialog.0, self.secret)
    }
}

/// The state that both ends of a dialog keep (RFC 3261 §12.1).
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    /// Our tag.
    pub(crate) tag: Tag,
    /// Which end we are: only the caller's Call-ID decides who waits longer after a glare.
    pub(crate) side: Side,
    call_id: Box<[u8]>,
    /// What we write into From.
    local: Box<[u8]>,
    /// What we write into To.
    remote: Box<[u8]>,
    remote_tag: Box<[u8]>,
    /// The number of our last request.
    pub(crate) local_cseq: u32,
    remote_cseq: Option<u32>,
    target: Box<[u8]>,
    routes: Box<[Box<[u8]>]>,
    nat: NatPolicy,
    /// Where the peer's last message came from.
    seen: Destination,
}

/// Who made the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// We did.
    Caller,
    /// The peer did.
    Called,
}

impl Dialog {
    /// The dialog that our answer to an INVITE makes (RFC 3261 §12.1.1).
    pub(crate) fn called(invite: &Message<'_>, source: Source, tag: Tag) -> Self {
        let to = invite.header(Name::To).unwrap_or_default();
        let mut local = to.to_vec();
        local.extend_from_slice(format!(";tag={tag}").as_bytes());
        let from = invite.from();
        let named = contact_of(invite).or(from.map(|from| from.uri).filter(|uri| is_usable(uri)));
        let target = named.map_or_else(
            || format!("sip:{}", source.remote).into_bytes(),
            <[u8]>::to_vec,
        );
        Self {
            tag,
            side: Side::Called,
            call_id: invite.call_id().unwrap_or_default().into(),
            local: local.into(),
            remote: invite.header(Name::From).unwrap_or_default().into(),
            remote_tag: tag_of(from).into(),
            local_cseq: 0,
            remote_cseq: invite.cseq().map(|cseq| cseq.number),
            target: target.into(),
            routes: routes(invite.values(Name::RecordRoute)),
            nat: policy_towards(invite, source),
            seen: source.into(),
        }
    }

    /// The dialog that a 2xx to our INVITE makes (RFC 3261 §12.1.2).
    pub(crate) fn calling(invite: &Message<'_>, answer: &Message<'_>, origin: Origin) -> Self {
        let uri = invite
            .request_line()
            .map(|line| line.uri)
            .unwrap_or_default();
        let mut reversed: Vec<&[u8]> = answer.values(Name::RecordRoute).take(MAX_ROUTES).collect();
        reversed.reverse();
        Self {
            tag: origin.tag,
            side: Side::Caller,
            call_id: invite.call_id().unwrap_or_default().into(),
            local: invite.header(Name::From).unwrap_or_default().into(),
            remote: answer.header(Name::To).unwrap_or_default().into(),
            remote_tag: tag_of(answer.to()).into(),
            local_cseq: invite.cseq().map_or(0, |cseq| cseq.number),
            remote_cseq: None,
            target: contact_of(answer).unwrap_or(uri).into(),
            routes: routes(reversed.into_iter()),
            nat: origin.nat,
            seen: origin.source.into(),
        }
    }

    /// Whether a request with our tag is of this dialog (RFC 3261 §12.2.2).
    pub(crate) fn has(&self, tag: Tag, request: &Message<'_>) -> bool {
        self.tag == tag
            && request.call_id() == Some(&self.call_id)
            && tag_of(request.from()) == &*self.remote_tag
    }

    /// The Call-ID and the peer's tag.
    pub(crate) fn names(&self) -> (&[u8], &[u8]) {
        (&self.call_id, &self.remote_tag)
    }

    /// Whether the peer has that tag.
    pub(crate) fn is_with(&self, tag: &[u8]) -> bool {
        &*self.remote_tag == tag
    }

    /// Goes on counting where the early dialog of the same fork has come to.
    pub(crate) fn continues(&mut self, early: &Self) {
        self.local_cseq = early.local_cseq.max(self.local_cseq);
        self.remote_cseq = early.remote_cseq;
    }

    /// Takes the number of a request; `Err` when it comes too late (RFC 3261 §12.2.2).
    pub(crate) fn advance(&mut self, number: u32) -> Result<(), OutOfOrder> {
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// Notes where a request of the peer came from.
    pub(crate) fn saw(&mut self, source: Source) {
        self.seen = source.into();
    }

    /// A target refresh request or its 2xx moves the target (RFC 3261 §12.2.1.2, §12.2.2).
    pub(crate) fn refresh_target(&mut self, message: &Message<'_>) {
        if let Some(uri) = contact_of(message) {
            self.target = uri.into();
        }
    }

    /// The address of the peer, as it says.
    pub(crate) fn target(&self) -> &[u8] {
        &self.target
    }

    /// Where the next request goes.
    pub(crate) fn destination(&self) -> Destination {
        match self.nat {
            NatPolicy::Symmetric => self.seen,
            NatPolicy::ByContact => self.addressed().unwrap_or(self.seen),
        }
    }

    /// The other way to the peer, when the one to `failed` is closed: the address it gave, over a
    /// connection of its own. Later requests take it too.
    pub(crate) fn detour(&mut self, failed: Destination) -> Option<Destination> {
        let other = Destination {
            flow: None,
            ..self.addressed()?
        };
        let is_other = (other.transport, other.remote) != (failed.transport, failed.remote)
            || (failed.transport.is_reliable() && failed.flow.is_some());
        is_other.then(|| {
            self.seen = other;
            other
        })
    }

    /// Begins a request (RFC 3261 §12.2.1.1) up to CSeq.
    pub(crate) fn request(&self, method: Method, number: u32, via: fmt::Arguments<'_>) -> Writer {
        let token = method.as_str();
        let mut writer = Writer::request(method, self.request_uri())
            .header_fmt("Via", via)
            .header_fmt("Max-Forwards", format_args!("{MAX_FORWARDS}"));
        for route in self.route_values() {
            writer = writer.header("Route", route);
        }
        writer
            .header("From", &self.local)
            .header("To", &self.remote)
            .header("Call-ID", &self.call_id)
            .header_fmt("CSeq", format_args!("{number} {token}"))
    }

    /// The next number for a request of ours.
    pub(crate) fn next_cseq(&mut self) -> u32 {
        // RFC 3261 §8.1.1.5: below 2^31.
        self.local_cseq = (self.local_cseq + 1) & 0x7fff_ffff;
        self.local_cseq
    }

    /// The first route takes the request, unless it is a strict router, which wants its own
    /// address there (RFC 3261 §12.2.1.1).
    fn request_uri(&self) -> &[u8] {
        match self.strict_router() {
            Some(router) => router,
            None => &self.target,
        }
    }

    fn route_values(&self) -> Vec<Vec<u8>> {
        if self.strict_router().is_none() {
            return self.routes.iter().map(|route| route.to_vec()).collect();
        }
        let rest = self.routes.iter().skip(1).map(|route| route.to_vec());
        let target = [b"<", &*self.target, b">"].concat();
        rest.chain([target]).collect()
    }

    /// The URI of the first route, if it has no `lr` parameter.
    fn strict_router(&self) -> Option<&[u8]> {
        let route = NameAddr::parse(self.routes.first()?)?;
        let is_loose = Uri::parse(route.uri).is_some_and(|uri| uri.params.has("lr"));
        (!is_loose).then_some(route.uri)
    }

    /// The address in the first route, else in the target, if it is one and no name.
    fn addressed(&self) -> Option<Destination> {
        let first = self.routes.first().and_then(|route| NameAddr::parse(route));
        let uri = Uri::parse(first.map_or(&*self.target, |route| route.uri))?;
        let transport = uri.transport().unwrap_or(Transport::Udp);
        let remote = uri.socket_address()?;
        let is_seen = transport == self.seen.transport
            && (!transport.is_reliable() || remote == self.seen.remote);
        let flow = self.seen.flow.filter(|_| is_seen);
        Some(Destination {
            transport,
            remote,
            flow,
        })
    }
}

/// What the messages do not say of a dialog that our INVITE makes.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// Our tag.
    pub(crate) tag: Tag,
    /// Where the 2xx came from.
    pub(crate) source: Source,
    /// Where requests go.
    pub(crate) nat: NatPolicy,
}

/// A request whose number is not higher than an earlier one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

fn tag_of(party: Option<NameAddr<'_>>) -> &[u8] {
    party.and_then(|party| party.tag()).unwrap_or_default()
}

/// Where a peer says it is, if that makes a Request-URI.
fn contact_of<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    let contact = message.contact()?;
    Some(contact.uri).filter(|uri| is_usable(uri))
}

/// Whether a URI of a peer can stand in a request of ours.
fn is_usable(uri: &[u8]) -> bool {
    Uri::parse(uri).is_some()
}

/// The routes that can be followed.
fn routes<'a>(values: impl Iterator<Item = &'a [u8]>) -> Box<[Box<[u8]>]> {
    values
        .filter(|value| NameAddr::parse(value).is_some_and(|route| is_usable(route.uri)))
        .take(MAX_ROUTES)
        .map(Into::into)
        .collect()
}

/// How to reach who called us: a proxy that recorded its route says where it is; a phone that
/// asks for `rport`, came over a stream, or names an address that cannot be its own is reached
/// only where it came from.
fn policy_towards(invite: &Message<'_>, source: Source) -> NatPolicy {
    if invite.header(Name::RecordRoute).is_some() {
        return NatPolicy::ByContact;
    }
    let wants_rport = invite.top_via().is_some_and(|via| via.wants_rport());
    let contact = invite.contact().and_then(|contact| Uri::parse(contact.uri));
    let is_plausible = contact
        .and_then(|uri| uri.ip())
        .is_some_and(|address| address == source.remote.ip() || is_routable(address));
    if source.transport.is_reliable() || wants_rport || !is_plausible {
        NatPolicy::Symmetric
    } else {
        NatPolicy::ByContact
    }
}
