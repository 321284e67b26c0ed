//! Provisional answers that arrive for certain (RFC 3262): ours, which are repeated until their
//! PRACK comes, and the PRACKs for those of the peer.
//!
//! Of ours one is on its way at a time; what the owner wants to say meanwhile waits for its PRACK.

use clock::Time;

use super::call::{Body, Call, Early, Inviting, Phase, Ringing};
use super::called::sdp_body;
use super::calling::sdp_of;
use super::clients::{Answered, Owner};
use super::compose;
use super::inside::Outgoing;
use super::random::Random;
use super::servers::Composed;
use super::step::Step;
use super::types::{Answer, DialogId, EndCause, Event, Reason};
use super::{Arrival, Ua};
use crate::bytes::{as_str, decimal};
use crate::dialog::{Dialog, Origin};
use crate::transaction::{LIFETIME, Resend};
use crate::{Destination, Message, Method, Writer};

/// The option tag.
pub(crate) const OPTION: &str = "100rel";
/// Forks of one INVITE that are told apart; of more only the final answers count.
pub(super) const MAX_FORKS: usize = 16;

/// Where the numbers may begin (RFC 3262 §7.1: below 2^31).
const FIRST_NUMBERS: u64 = 1 << 30;

/// Which of our provisional answers are sent so that they arrive for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// None: the peer does not know how.
    Never,
    /// Those with a session description: the peer knows how.
    Described,
    /// All but 100: the peer requires it.
    Always,
}

/// Our reliable provisional answers to one INVITE.
pub(crate) struct Reliable {
    demand: Demand,
    /// The number of the last one.
    number: u32,
    pending: Option<Pending>,
    waiting: Option<Waiting>,
    /// The session description that the peer has for certain.
    pub(crate) agreed: Option<Box<[u8]>>,
}

/// One whose PRACK has not come.
struct Pending {
    bytes: Box<[u8]>,
    to: Destination,
    sdp: Option<Box<[u8]>>,
    resend: Resend,
    give_up_at: Time,
}

/// What follows the PRACK.
pub(crate) enum Waiting {
    /// Another provisional answer.
    Progress(u16, Option<Vec<u8>>),
    /// The 200: it must not overtake a description (RFC 3262 §3).
    Accept(Vec<u8>),
    /// The same, and a BYE at once: the owner has accepted the call and hung up.
    Leave(Vec<u8>, Option<Reason>),
}

/// What a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rack {
    number: u32,
    cseq: u32,
}

impl Rack {
    fn of(prack: &Message<'_>) -> Option<Self> {
        let value = as_str(prack.header_named("RAck").next()?)?;
        let mut words = value.split_ascii_whitespace();
        let rack = Self {
            number: words.next()?.parse().ok()?,
            cseq: words.next()?.parse().ok()?,
        };
        (words.next()? == "INVITE" && words.next().is_none()).then_some(rack)
    }
}

impl Reliable {
    /// What an INVITE asks for. The numbers begin anywhere (RFC 3262 §3).
    pub(crate) fn of(invite: &Message<'_>, random: &mut Random) -> Self {
        let is_it = |tag: &[u8]| tag.eq_ignore_ascii_case(OPTION.as_bytes());
        let demand = if invite.requires().any(is_it) {
            Demand::Always
        } else if invite.supports(OPTION) {
            Demand::Described
        } else {
            Demand::Never
        };
        let number = match demand {
            Demand::Never => 0,
            Demand::Described | Demand::Always => random.below(FIRST_NUMBERS),
        };
        Self {
            demand,
            number: u32::try_from(number).unwrap_or(0),
            pending: None,
            waiting: None,
            agreed: None,
        }
    }

    /// When something must be done.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let pending = self.pending.as_ref()?;
        Some(pending.resend.at.min(pending.give_up_at))
    }

    /// Whether an answer must arrive for certain.
    pub(crate) fn concerns(&self, sdp: Option<&[u8]>) -> bool {
        match self.demand {
            Demand::Never => false,
            Demand::Described => sdp.is_some(),
            Demand::Always => true,
        }
    }

    /// What comes later, if something is on its way. A 200 is not replaced by what it overtakes.
    pub(crate) fn hold(&mut self, waiting: Waiting) -> Option<Waiting> {
        let must_wait = match &waiting {
            Waiting::Progress(..) => self.pending.is_some(),
            Waiting::Accept(_) | Waiting::Leave(..) => {
                self.pending.as_ref().is_some_and(|it| it.sdp.is_some())
            }
        };
        if !must_wait {
            return Some(waiting);
        }
        if !matches!(self.waiting, Some(Waiting::Accept(_) | Waiting::Leave(..))) {
            self.waiting = Some(waiting);
        }
        None
    }

    /// Whether the owner has accepted the call, which the caller will hear of.
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self.waiting, Some(Waiting::Accept(_)))
    }

    /// The owner hangs up a call that it has accepted.
    pub(crate) fn leave(&mut self, reason: Option<Reason>) {
        if let Some(Waiting::Accept(sdp)) = self.waiting.take() {
            self.waiting = Some(Waiting::Leave(sdp, reason));
        }
    }

    /// Whether the owner has let go of the call.
    pub(crate) fn is_left(&self) -> bool {
        matches!(self.waiting, Some(Waiting::Leave(..)))
    }

    /// What the last one is acknowledged by.
    pub(crate) fn rack(&self, cseq: u32) -> Rack {
        Rack {
            number: self.number,
            cseq,
        }
    }
}

impl Ua {
    /// Sends a provisional answer and repeats it until its PRACK comes.
    pub(super) fn progress_reliably(
        &mut self,
        ringing: &mut Ringing,
        code: u16,
        sdp: Option<Vec<u8>>,
        step: &mut Step,
    ) {
        let number = ringing.reliable.number + 1;
        let answer = Answer {
            code,
            headers: vec![
                ("Require".to_owned(), OPTION.to_owned()),
                ("RSeq".to_owned(), number.to_string()),
            ],
            body: sdp.clone().map(sdp_body),
            ..Answer::default()
        };
        let Some((bytes, to)) = self.words_of(ringing, answer) else {
            return;
        };
        ringing.reliable.number = number;
        ringing.reliable.pending = Some(Pending {
            bytes: bytes.as_slice().into(),
            to,
            sdp: sdp.map(Into::into),
            resend: Resend::first(step.now),
            give_up_at: step.now + LIFETIME,
        });
        self.answer_server(ringing.server, Composed { code, bytes }, step);
    }

    /// Repeats what has no PRACK yet. After 64 × T1 the INVITE is refused (RFC 3262 §3).
    pub(super) fn wake_reliable(&mut self, ringing: &mut Ringing, step: &mut Step) -> Patience {
        let Some(pending) = &mut ringing.reliable.pending else {
            return Patience::GoesOn;
        };
        if pending.give_up_at <= step.now {
            let dialog = ringing.dialog.tag.dialog;
            self.end_ringing(ringing, Answer::code(504), step);
            if !ringing.reliable.is_left() {
                let cause = EndCause::NoAck;
                step.event(Event::Ended { dialog, cause });
            }
            return Patience::IsOver;
        }
        if pending.resend.at <= step.now {
            pending.resend = pending.resend.doubled(step.now);
            step.send(pending.to, pending.bytes.to_vec());
        }
        Patience::GoesOn
    }

    /// A PRACK. Gives what has waited for it.
    pub(super) fn prack_came(
        &mut self,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) -> Option<Waiting> {
        let rack = Rack::of(arrival.message);
        let code = match &call.phase {
            Phase::Ringing(ringing) => {
                let is_it = rack == Some(ringing.reliable.rack(ringing.cseq));
                (is_it && ringing.reliable.pending.is_some()).then_some(200)
            }
            // The 200 has overtaken it, as it may.
            Phase::Talking(talking) => talking.rack.filter(|last| rack == Some(*last)).map(|_| 200),
            Phase::Inviting(_) | Phase::Leaving(_) => None,
        };
        let Phase::Ringing(ringing) = &mut call.phase else {
            let answer = Answer::code(code.unwrap_or(481));
            self.answer_once(arrival, answer, step);
            return None;
        };
        let Some(pending) = ringing.reliable.pending.take_if(|_| code.is_some()) else {
            self.answer_once(arrival, Answer::code(481), step);
            return None;
        };
        self.prack_described(ringing, pending, arrival, step);
        ringing.reliable.waiting.take()
    }

    /// What the body of a PRACK means (RFC 3262 §5): the answer to an offer of ours, or an offer.
    fn prack_described(
        &mut self,
        ringing: &mut Ringing,
        pending: Pending,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let dialog = ringing.dialog.tag.dialog;
        let sdp = sdp_of(arrival.message);
        let is_offer = ringing.body == Body::Offer && ringing.reliable.agreed.is_none();
        let was_described = pending.sdp.is_some();
        if was_described {
            ringing.reliable.agreed = pending.sdp;
        }
        if ringing.reliable.is_left() {
            let code = if sdp.is_some() && !is_offer { 488 } else { 200 };
            return self.answer_once(arrival, Answer::code(code), step);
        }
        if was_described && is_offer {
            step.event(match sdp {
                Some(sdp) => Event::OfferAnswered { dialog, sdp },
                None => Event::OfferRefused { dialog, code: 200 },
            });
            return self.answer_once(arrival, Answer::code(200), step);
        }
        if sdp.is_some() {
            if ringing.theirs.is_none() {
                ringing.theirs = self.early_offer_came(dialog, arrival, step);
                return;
            }
            let answer = self.come_again();
            return self.answer_once(arrival, answer, step);
        }
        self.answer_once(arrival, Answer::code(200), step);
    }

    /// A provisional answer of a fork. `New` when the owner should hear of it.
    pub(super) fn fork_proceeds(
        &mut self,
        dialog: DialogId,
        inviting: &mut Inviting,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) -> Heard {
        let answer = answered.answer;
        let Some(place) = self.early_place(inviting, answered) else {
            return Heard::New;
        };
        let Some(early) = inviting.early.get_mut(place) else {
            return Heard::New;
        };
        let is_reliable = answer
            .requires()
            .any(|tag| tag.eq_ignore_ascii_case(OPTION.as_bytes()));
        let number = answer.header_named("RSeq").next().and_then(decimal);
        let Some(number) = number.filter(|_| is_reliable) else {
            return Heard::New;
        };
        // RFC 3262 §4: in order, and each once.
        if early
            .number
            .is_some_and(|last| number != last.wrapping_add(1))
        {
            return Heard::Before;
        }
        if self.is_full_for(dialog) {
            return Heard::Before;
        }
        early.number = Some(number);
        if let Some(sdp) = sdp_of(answer) {
            early.theirs.get_or_insert(sdp.into());
        }
        let cseq = answer.cseq().map_or(0, |cseq| cseq.number);
        let finish = |writer: Writer| {
            let rack = format!("{number} {cseq} INVITE");
            writer.header("RAck", rack).finish()
        };
        let outgoing = Outgoing {
            method: Method::Prack,
            owner: Owner::Prack(dialog),
            finish,
        };
        self.send_inside(&mut early.dialog, outgoing, step);
        Heard::New
    }

    /// The answer to a PRACK: it matters only if it asks for credentials.
    pub(super) fn prack_answered(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        let credentials = call.credentials.as_deref();
        let tag = answered.answer.to().and_then(|to| to.tag());
        if let Phase::Inviting(inviting) = &mut call.phase
            && let Some(early) = inviting.fork_mut(tag.unwrap_or_default())
        {
            self.inside_again(&mut early.dialog, credentials, answered, step);
        }
        self.keep_call(dialog, call);
    }

    /// The fork that answers, a new one if there is room.
    fn early_place(&self, inviting: &mut Inviting, answered: &Answered<'_, '_>) -> Option<usize> {
        let tag = answered.answer.to()?.tag()?;
        let mut forks = inviting.early.iter();
        if let Some(place) = forks.position(|early| early.dialog.is_with(tag)) {
            return Some(place);
        }
        if inviting.early.len() >= MAX_FORKS {
            return None;
        }
        let invite = compose::reread(&self.clients.find(answered.key)?.bytes)?;
        let origin = Origin {
            tag: inviting.tag,
            source: answered.source,
            nat: inviting.nat,
        };
        inviting.early.push(Early {
            dialog: Dialog::calling(&invite, answered.answer, origin),
            number: None,
            theirs: None,
            ours: None,
            offered: None,
        });
        Some(inviting.early.len() - 1)
    }
}

impl Inviting {
    /// The fork with that tag of the peer's.
    pub(super) fn fork_mut(&mut self, tag: &[u8]) -> Option<&mut Early> {
        let mut forks = self.early.iter_mut();
        forks.find(|early| early.dialog.is_with(tag))
    }
}

/// Whether a provisional answer is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is.
    New,
    /// It is a repetition, or comes before its turn.
    Before,
}

/// Whether a PRACK is still waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It is, or none is due.
    GoesOn,
    /// The call is over.
    IsOver,
}
