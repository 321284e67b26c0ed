//! One call as its state: what is known in each phase, and when it wants to be woken.

use std::time::Duration;

use clock::Time;

use super::keys::{ClientKey, ServerKey};
use super::referrals::Served;
use super::reliable::{Rack, Reliable};
use super::types::{NatPolicy, Reason};
use crate::Destination;
use crate::dialog::{Dialog, Tag};
use crate::digest::client::Credentials;
use crate::session_timer::{Asked, SessionTimer};
use crate::transaction::{LIFETIME, Resend};

/// A provisional answer is repeated so often (RFC 3261 §13.3.1.1).
pub(crate) const RING_AGAIN: Duration = Duration::from_mins(1);

/// A call: one dialog from its INVITE to the end of its BYE.
pub(crate) struct Call {
    /// What challenges are answered with.
    pub(crate) credentials: Option<Box<Credentials>>,
    /// Where it stands.
    pub(crate) phase: Phase,
    /// The wake time that is set.
    pub(crate) armed: Option<Time>,
}

/// Where a call stands.
pub(crate) enum Phase {
    /// Our INVITE awaits its final answer.
    Inviting(Inviting),
    /// The peer's INVITE awaits ours.
    Ringing(Box<Ringing>),
    /// Answered.
    Talking(Box<Talking>),
    /// The owner has let go; what is left are the courtesies.
    Leaving(Box<Leaving>),
}

/// Our INVITE awaits its final answer.
pub(crate) struct Inviting {
    /// Its transaction.
    pub(crate) client: ClientKey,
    /// Our tag.
    pub(crate) tag: Tag,
    /// Where later requests go.
    pub(crate) nat: NatPolicy,
    /// Our Contact.
    pub(crate) contact: Box<str>,
    /// The session interval that was asked for.
    pub(crate) session_seconds: u32,
    /// Whether it is still wanted.
    pub(crate) intent: Intent,
    /// The forks that have answered provisionally.
    pub(crate) early: Vec<Early>,
}

/// A fork of our INVITE before its final answer (RFC 3261 §12.1.2).
pub(crate) struct Early {
    /// Its dialog.
    pub(crate) dialog: Dialog,
    /// The number of its last reliable answer.
    pub(crate) number: Option<u32>,
    /// What it has described for certain.
    pub(crate) theirs: Option<Box<[u8]>>,
    /// What it was answered to an offer of its own.
    pub(crate) ours: Option<Box<[u8]>>,
    /// An offer of its own, which our owner has not yet answered.
    pub(crate) offered: Option<(Theirs, Box<[u8]>)>,
}

/// Whether our INVITE is still wanted.
pub(crate) enum Intent {
    /// It is.
    Wanted,
    /// It is not, but a CANCEL must wait for a first answer (RFC 3261 §9.1).
    CancelWaits(Option<Reason>),
    /// The CANCEL was sent; without a final answer the call is over then (RFC 3261 §9.1).
    Cancelled { until: Time },
}

/// The peer's INVITE awaits our final answer.
pub(crate) struct Ringing {
    /// The dialog that our answers make.
    pub(crate) dialog: Dialog,
    /// The transaction.
    pub(crate) server: ServerKey,
    /// The number of the INVITE.
    pub(crate) cseq: u32,
    /// Our Contact.
    pub(crate) contact: Box<str>,
    /// What the caller asked of session timers.
    pub(crate) asked: Asked,
    /// Who makes the offer.
    pub(crate) body: Body,
    /// When the provisional answer is sent again, once there was one.
    pub(crate) repeat_at: Option<Time>,
    /// Whether the caller takes UPDATE.
    pub(crate) refresh_by: RefreshBy,
    /// The provisional answers that must arrive for certain.
    pub(crate) reliable: Reliable,
    /// An offer of the caller's, which our owner has not yet answered.
    pub(crate) theirs: Option<Theirs>,
}

/// Answered: both sides may talk.
pub(crate) struct Talking {
    /// The dialog.
    pub(crate) dialog: Dialog,
    /// Our Contact.
    pub(crate) contact: Box<str>,
    /// Our last session description, for a refresh by re-INVITE.
    pub(crate) local_sdp: Box<[u8]>,
    /// The session timer.
    pub(crate) session: SessionTimer,
    /// The interval we ask for: a 422 can raise it.
    pub(crate) session_seconds: u32,
    /// How we refresh.
    pub(crate) refresh_by: RefreshBy,
    /// A 200 of ours that has not been acknowledged.
    pub(crate) unacknowledged: Option<Unacknowledged>,
    /// The offer or refresh that is under way.
    pub(crate) exchange: Exchange,
    /// What is to follow it.
    pub(crate) next: Option<Next>,
    /// The PRACK that the 200 may have overtaken.
    pub(crate) rack: Option<Rack>,
    /// The REFER that is being served.
    pub(crate) served: Option<Served>,
    /// How many were accepted.
    pub(crate) referrals: u32,
}

/// The owner has let go.
pub(crate) struct Leaving {
    /// The dialog.
    pub(crate) dialog: Dialog,
    /// What is left.
    pub(crate) rest: Rest,
}

/// What is left when the owner has let go.
pub(crate) enum Rest {
    /// Our 200 must be acknowledged before we may send BYE (RFC 3261 §15).
    Acknowledgement(Unacknowledged, Option<Reason>),
    /// The peer must hear how the transfer it asked for went before the BYE overtakes it.
    LastWord(LastWord),
    /// The answer to our BYE.
    ByeAnswer,
}

/// What a peer is still told of its transfer (RFC 3515 §2.4.4) when the owner has let go.
pub(crate) struct LastWord {
    /// Our Contact.
    pub(crate) contact: Box<str>,
    /// The REFER.
    pub(crate) served: Option<Served>,
    /// That of the BYE.
    pub(crate) reason: Option<Reason>,
    /// When the BYE is sent in any case.
    pub(crate) until: Time,
}

/// A 200 to an INVITE, repeated until its ACK comes (RFC 3261 §13.3.1.4).
pub(crate) struct Unacknowledged {
    /// The whole answer.
    pub(crate) bytes: Box<[u8]>,
    /// Where it goes.
    pub(crate) to: Destination,
    /// The number of the INVITE.
    pub(crate) cseq: u32,
    /// What its body is.
    pub(crate) body: Body,
    /// When it is sent again.
    pub(crate) resend: Resend,
    /// When it is given up.
    pub(crate) give_up_at: Time,
    /// Whether it made the call.
    pub(crate) first: First,
}

/// Whether an INVITE began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// It made the call.
    Call,
    /// It only changed the session.
    Change,
}

impl Unacknowledged {
    /// The 200 as it has just been sent.
    pub(crate) fn sent(now: Time, ok: SentOk) -> Self {
        Self {
            bytes: ok.bytes,
            to: ok.to,
            cseq: ok.cseq,
            body: ok.body,
            resend: Resend::first(now),
            give_up_at: now + LIFETIME,
            first: ok.first,
        }
    }

    fn deadline(&self) -> Time {
        self.resend.at.min(self.give_up_at)
    }
}

/// What is known of a 200 to an INVITE.
pub(crate) struct SentOk {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) to: Destination,
    pub(crate) cseq: u32,
    pub(crate) body: Body,
    pub(crate) first: First,
}

/// The part a session description in our answer plays (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The peer offered, we answer.
    Answer,
    /// We offer, the answer comes with the ACK.
    Offer,
}

/// How we refresh the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshBy {
    /// UPDATE without a session description (RFC 4028 §7.4 prefers it).
    Update,
    /// A re-INVITE with the last one, for who does not take UPDATE.
    Reinvite,
}

/// The offer or refresh that is under way; only one is at a time (RFC 3261 §14.1).
pub(crate) enum Exchange {
    /// None.
    Idle,
    /// Ours, by re-INVITE or UPDATE.
    Ours(What),
    /// The peer's, which our owner has not yet answered.
    Theirs(Theirs),
}

/// What we want of the peer.
pub(crate) enum What {
    /// A new session.
    Offer(Box<[u8]>),
    /// What the owner accepted the call with, where a reliable answer had said otherwise. What the
    /// owner answers to a newer offer of the peer's says more.
    Correction(Box<[u8]>),
    /// That the session lives on.
    Refresh,
}

/// An offer of the peer's, or its wish for one.
pub(crate) struct Theirs {
    /// The transaction of its request.
    pub(crate) server: ServerKey,
    /// How it came.
    pub(crate) by: By,
    /// Who offers.
    pub(crate) body: Body,
    /// The number of its request.
    pub(crate) cseq: u32,
    /// What it asked of session timers.
    pub(crate) asked: Asked,
    /// When it is refused in our owner's place.
    pub(crate) give_up_at: Time,
}

/// The method of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// re-INVITE.
    Invite,
    /// UPDATE, or PRACK.
    Update,
}

/// What follows the exchange under way, not before some time: after 491 both ends wait.
pub(crate) struct Next {
    pub(crate) what: What,
    pub(crate) not_before: Time,
}

impl Call {
    /// When the call wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Inviting(inviting) => match inviting.intent {
                Intent::Wanted => inviting.deadline(),
                Intent::CancelWaits(_) => None,
                Intent::Cancelled { until } => Some(until),
            },
            Phase::Ringing(ringing) => ringing.deadline(),
            Phase::Talking(talking) => Some(talking.deadline()),
            Phase::Leaving(leaving) => match &leaving.rest {
                Rest::Acknowledgement(unacknowledged, _) => Some(unacknowledged.deadline()),
                Rest::LastWord(word) => Some(word.until),
                Rest::ByeAnswer => None,
            },
        }
    }
}

impl Inviting {
    fn deadline(&self) -> Option<Time> {
        let offered = self.early.iter().filter_map(|early| early.offered.as_ref());
        offered.map(|(theirs, _)| theirs.give_up_at).min()
    }

    /// The fork that waits for the answer to an offer of its own; one may at a time.
    pub(crate) fn offering(&mut self) -> Option<&mut Early> {
        self.early.iter_mut().find(|early| early.offered.is_some())
    }
}

impl Ringing {
    fn deadline(&self) -> Option<Time> {
        let theirs = self.theirs.as_ref().map(|theirs| theirs.give_up_at);
        let all = [self.repeat_at, self.reliable.deadline(), theirs];
        all.into_iter().flatten().min()
    }
}

impl Talking {
    fn deadline(&self) -> Time {
        let unacknowledged = self.unacknowledged.as_ref().map(Unacknowledged::deadline);
        let exchange = match &self.exchange {
            Exchange::Idle | Exchange::Ours(_) => None,
            Exchange::Theirs(theirs) => Some(theirs.give_up_at),
        };
        let next = self
            .next
            .as_ref()
            .filter(|_| self.is_quiet())
            .map(|next| next.not_before);
        let mut deadline = self.session.deadline();
        let served = self.served.as_ref().and_then(Served::deadline);
        for other in [unacknowledged, exchange, next, served]
            .into_iter()
            .flatten()
        {
            deadline = deadline.min(other);
        }
        deadline
    }

    /// Whether we may start an exchange: none is under way, and the last one is acknowledged.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.exchange, Exchange::Idle) && self.unacknowledged.is_none()
    }
}
