//! What goes into and out of the user agent: plain data.

use std::net::SocketAddr;

use crate::digest::client::Credentials;
use crate::{Destination, Method, Source, Transmit};

/// One dialog, which is also one leg of a call. It is part of our tag, so that a request inside
/// the dialog finds it without a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(pub u64);

/// Somebody who is told of a state, by NOTIFY, until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// A request outside dialogs, numbered by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a node says of itself, and how much it takes on.
#[derive(Clone, Debug)]
pub struct UaConfig {
    /// The text of `User-Agent` and `Server`.
    pub product: String,
    /// The addresses at which peers reach us.
    pub contacts: Contacts,
    /// The session interval we ask for (RFC 4028).
    pub session_expires_seconds: u32,
    /// How much is kept at once.
    pub limits: Limits,
}

/// The advertised address of each kind of transport.
#[derive(Clone, Copy, Debug)]
pub struct Contacts {
    /// For datagrams.
    pub udp: SocketAddr,
    /// For streams of every kind.
    pub tcp: SocketAddr,
}

/// The size of each table. Over it, new calls are refused with 503 and Retry-After.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests of others that are being answered or remembered. Those that are no INVITE fill
    /// half of it, and are answered without being remembered then.
    pub max_server_transactions: usize,
    /// Requests of ours that await an answer or are remembered. A BYE is sent over it.
    pub max_client_transactions: usize,
    /// Calls.
    pub max_dialogs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_server_transactions: 200_000,
            max_client_transactions: 100_000,
            max_dialogs: 50_000,
        }
    }
}

/// How many of each are kept, for metrics and tests against leaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of others that are being answered or remembered.
    pub server_transactions: usize,
    /// Requests of ours that await an answer or are remembered.
    pub client_transactions: usize,
    /// Calls.
    pub dialogs: usize,
    /// Those who are told of a state.
    pub subscriptions: usize,
}

/// What must be done after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes for the network.
    Send(Transmit),
    /// News for the owner.
    Event(Event),
}

/// What happened. Every dialog ends with exactly one of [`Event::Refused`], [`Event::Cancelled`]
/// and [`Event::Ended`], also when the owner itself ended it: nothing comes after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request outside any dialog that no transaction knows. Nothing is stored yet: the owner
    /// calls `open`, `respond` or `reply`.
    Request(Incoming),
    /// A provisional answer (not 100) to our INVITE.
    Provisional {
        /// The dialog.
        dialog: DialogId,
        /// 101 to 199.
        code: u16,
        /// The session description, if it came with one.
        sdp: Option<Vec<u8>>,
    },
    /// Our INVITE was accepted; the ACK has been sent.
    Accepted {
        /// The dialog.
        dialog: DialogId,
        /// The answer, `None` only if the peer forgot it.
        sdp: Option<Vec<u8>>,
    },
    /// Our INVITE was refused, or found nobody (408 and 503 are made here). The dialog is gone.
    Refused {
        /// The dialog.
        dialog: DialogId,
        /// 300 or more.
        code: u16,
        /// The reason phrase.
        reason: String,
        /// Seconds of the Retry-After header.
        retry_after: Option<u32>,
    },
    /// The caller gave up before an answer. The dialog is gone.
    Cancelled {
        /// The dialog.
        dialog: DialogId,
        /// The Reason header of the CANCEL.
        reason: Option<Reason>,
    },
    /// The ACK for our 200 came.
    Established {
        /// The dialog.
        dialog: DialogId,
    },
    /// The peer offers a session: the owner calls `answer` or `refuse`.
    Offered {
        /// The dialog.
        dialog: DialogId,
        /// The offer.
        sdp: Vec<u8>,
    },
    /// The peer wants an offer from us (a re-INVITE without one): the owner calls `answer` with an
    /// offer, or `refuse`. The peer's answer comes as [`Event::OfferAnswered`].
    OfferWanted {
        /// The dialog.
        dialog: DialogId,
    },
    /// The peer took back what [`Event::Offered`] or [`Event::OfferWanted`] told of, or nobody
    /// answered it for half a minute: it needs no answer any more.
    OfferWithdrawn {
        /// The dialog.
        dialog: DialogId,
    },
    /// The peer answered an offer of ours.
    OfferAnswered {
        /// The dialog.
        dialog: DialogId,
        /// The answer.
        sdp: Vec<u8>,
    },
    /// The peer refused an offer of ours; the session stays as it was.
    OfferRefused {
        /// The dialog.
        dialog: DialogId,
        /// 300 or more, or 200 when the answer held no session description.
        code: u16,
    },
    /// The peer asks us to call somebody (REFER): the owner calls `accept_referral` or
    /// `refuse_referral`.
    Referred {
        /// The dialog.
        dialog: DialogId,
        /// What it asks for.
        referral: Box<Referral>,
    },
    /// News of a subscription that `subscribe` made.
    Subscription {
        /// The subscription.
        subscription: SubscriptionId,
        /// What happened to it.
        news: SubscriptionNews,
    },
    /// An INFO, already answered.
    Info {
        /// The dialog.
        dialog: DialogId,
        /// The type of the body, without parameters, in lower case.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// An established call is over. The dialog is gone.
    Ended {
        /// The dialog.
        dialog: DialogId,
        /// Why.
        cause: EndCause,
    },
    /// The final answer to a request outside dialogs (408 and 503 are made here).
    Response {
        /// The request.
        id: RequestId,
        /// 200 or more.
        code: u16,
        /// What it said.
        answer: Reply,
    },
}

/// What became of an offer that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The peer never hears of it.
    Done,
    /// It is on its way, or has been answered: its end is told.
    TooLate,
}

/// Why a dialog is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// The peer hung up.
    Bye {
        /// The Reason header.
        reason: Option<Reason>,
    },
    /// We hung up or rejected: the echo of `hang_up` and `reject`.
    HungUp,
    /// Nobody refreshed the session in time (RFC 4028).
    SessionExpired,
    /// Our 200 was never acknowledged.
    NoAck,
    /// The peer no longer knows the dialog: it answered 481 or 408, or not at all.
    DialogLost,
    /// The peer cannot be reached.
    Transport,
}

/// A request outside any dialog, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Where it came from.
    pub source: Source,
    /// Its method.
    pub method: Method,
    /// The whole message.
    pub bytes: Box<[u8]>,
}

/// An answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The reason phrase; the usual one when `None`.
    pub reason: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Vec<u8>)>,
}

impl Answer {
    /// An answer with the usual reason phrase.
    pub fn code(code: u16) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    /// The same with a reason phrase of its own.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = Some((content_type.to_owned(), body));
        self
    }
}

/// Why a call or a subscription was not taken on: the tables are full, or nobody tells of what it
/// asks for. The answer is ready for `reply`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 503 with Retry-After; to a SUBSCRIBE also 423 and 489.
    pub answer: Answer,
}

/// One end of a request, as its From and To headers name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// The display name.
    pub display: Option<String>,
    /// The address, such as `sip:alice@example.org`.
    pub uri: String,
}

/// Where requests inside a dialog go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatPolicy {
    /// Back to where the peer's messages come from: phones, which may sit behind a NAT.
    Symmetric,
    /// To the route set or the Contact, where it is an address; else as `Symmetric`: carriers.
    ByContact,
}

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Where the INVITE goes.
    pub to: Destination,
    /// The Request-URI.
    pub uri: String,
    /// The From header.
    pub from: Party,
    /// The To header.
    pub to_party: Party,
    /// The user part of our Contact.
    pub contact_user: Option<String>,
    /// Further headers, such as P-Asserted-Identity.
    pub headers: Vec<(String, String)>,
    /// The offer.
    pub sdp: Vec<u8>,
    /// What a challenge is answered with.
    pub credentials: Option<Credentials>,
    /// Where later requests go.
    pub symmetric: NatPolicy,
    /// Hops the request may still travel.
    pub max_forwards: u8,
}

/// A request outside dialogs: REGISTER, OPTIONS.
#[derive(Clone, Debug)]
pub struct OutRequest {
    /// REGISTER, OPTIONS or another method that makes no dialog.
    pub method: Method,
    /// Where it goes.
    pub to: Destination,
    /// The Request-URI.
    pub uri: String,
    /// The From header.
    pub from: Party,
    /// The To header.
    pub to_party: Party,
    /// The user part of our Contact; no Contact when `None`.
    pub contact_user: Option<String>,
    /// Further headers, such as Expires.
    pub headers: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Vec<u8>)>,
    /// What a challenge is answered with.
    pub credentials: Option<Credentials>,
    /// The series it continues; a new Call-ID when `None`.
    pub series: Option<Series>,
}

/// Requests that belong together: one Call-ID, rising numbers (RFC 3261 §10.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The Call-ID of all of them.
    pub call_id: String,
    /// The highest CSeq number used so far; the next request takes the next one.
    pub cseq: u32,
}

/// The final answer to a request outside dialogs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The reason phrase.
    pub reason: String,
    /// Seconds granted to our Contact, else of the Expires header.
    pub expires_seconds: Option<u32>,
    /// The Min-Expires header of a 423.
    pub min_expires_seconds: Option<u32>,
    /// The Retry-After header.
    pub retry_after_seconds: Option<u32>,
    /// Our address as the peer saw it (`received` and `rport` of the Via, RFC 3581).
    pub seen_as: Option<SocketAddr>,
    /// How the series goes on.
    pub series: Series,
}

/// What a REFER asks for (RFC 3515).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// Whom to call: the address of the Refer-To header without the headers in it.
    pub refer_to: String,
    /// The dialog that the new call takes the place of (RFC 3891): an attended transfer.
    pub replaces: Option<Replaces>,
    /// The Referred-By header (RFC 3892), as it came.
    pub referred_by: Option<String>,
}

/// The dialog that a call takes the place of (RFC 3891), as the sender of the header sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of the side that is asked to replace it: ours, if it is a dialog of ours.
    pub to_tag: String,
    /// The tag of the other side.
    pub from_tag: String,
    /// Which dialogs may be replaced.
    pub scope: ReplaceScope,
}

/// Which dialogs a Replaces header means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceScope {
    /// Any.
    Any,
    /// Only one that is not answered yet (`early-only`): a pickup must not break into a call.
    EarlyOnly,
}

/// What happened to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionNews {
    /// It was prolonged, or asked for the state: the owner calls `notify` with the whole of it.
    Refreshed,
    /// It is over; nothing comes after that.
    Ended(SubscriptionEnd),
}

/// Why a subscription is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionEnd {
    /// The subscriber wants no more.
    Unsubscribed,
    /// It was not prolonged.
    Expired,
    /// The subscriber does not know it any more, or cannot be reached.
    Lost,
    /// The same subscriber has subscribed to the same again, or to too much.
    Displaced,
}

/// The Reason header (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: String,
    /// The status code or release cause.
    pub cause: Option<u16>,
    /// The text.
    pub text: Option<String>,
}
