//! What the peer wants changed in a session: its re-INVITEs (RFC 3261 §14.2) and UPDATEs (RFC
//! 3311), answered by the owner, and its refreshes, answered here.

use std::time::Duration;

use clock::Time;

use super::call::{
    Body, By, Call, Exchange, First, Phase, SentOk, Talking, Theirs, Unacknowledged, What,
};
use super::called::{sdp_body, session_headers};
use super::calling::sdp_of;
use super::keys::ServerKey;
use super::outside::too_short_a_session;
use super::step::Step;
use super::types::{Answer, DialogId, Event, Output};
use super::{Arrival, Ua};
use crate::session_timer::{Asked, SessionTimer};
use crate::transaction::{LIFETIME, T2};

impl Ua {
    /// Accepts what [`Event::Offered`] or [`Event::OfferWanted`] told of.
    pub fn answer(&mut self, now: Time, dialog: DialogId, sdp: Vec<u8>) -> Vec<Output> {
        let mut step = Step::at(now);
        let Some(mut call) = self.take_call(dialog) else {
            return Vec::new();
        };
        match &mut call.phase {
            Phase::Talking(talking) => self.accept_theirs(talking, sdp, &mut step),
            Phase::Inviting(_) | Phase::Ringing(_) => {
                self.accept_early(&mut call, sdp, &mut step);
            }
            Phase::Leaving(_) => {}
        }
        self.keep_call(dialog, call);
        step.finish()
    }

    /// Refuses what [`Event::Offered`] or [`Event::OfferWanted`] told of; the session stays. 500
    /// and 503 say when to try again.
    pub fn refuse(&mut self, now: Time, dialog: DialogId, code: u16) -> Vec<Output> {
        let mut step = Step::at(now);
        let Some(mut call) = self.take_call(dialog) else {
            return Vec::new();
        };
        let answer = match code {
            500 => self.come_again(),
            503 => Self::busy(),
            _ => Answer::code(code),
        };
        match &mut call.phase {
            Phase::Talking(talking) => self.refuse_theirs(talking, answer, &mut step),
            Phase::Inviting(_) | Phase::Ringing(_) => {
                self.refuse_early(&mut call, answer, &mut step);
            }
            Phase::Leaving(_) => {}
        }
        self.keep_call(dialog, call);
        step.finish()
    }

    /// A re-INVITE.
    pub(super) fn reinvite_came(
        &mut self,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let Phase::Talking(talking) = &mut call.phase else {
            // RFC 3261 §14.2: the first INVITE is not answered yet.
            let answer = self.come_again();
            return self.answer_once(arrival, answer, step);
        };
        let dialog = talking.dialog.tag.dialog;
        imply_ack(dialog, talking, step);
        if let Some(answer) = self.clash(talking, arrival) {
            return self.answer_once(arrival, answer, step);
        }
        self.open_inside(dialog, arrival, step);
        take_theirs(talking, By::Invite, arrival, step);
    }

    /// An UPDATE (RFC 3311 §5.2).
    pub(super) fn update_came(
        &mut self,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let has_offer = sdp_of(arrival.message).is_some();
        let Phase::Talking(talking) = &mut call.phase else {
            if has_offer {
                return self.early_update_came(call, arrival, step);
            }
            return self.answer_once(arrival, Answer::code(200), step);
        };
        if let Some(answer) = self.clash(talking, arrival).filter(|_| has_offer) {
            return self.answer_once(arrival, answer, step);
        }
        if let Some(answer) = too_short_a_session(arrival.message) {
            return self.answer_once(arrival, answer, step);
        }
        self.open_inside(talking.dialog.tag.dialog, arrival, step);
        if has_offer {
            return take_theirs(talking, By::Update, arrival, step);
        }
        talking.dialog.refresh_target(arrival.message);
        let headers = self.refreshed(talking, Asked::of(arrival.message), step);
        let answer = Answer {
            code: 200,
            headers,
            ..Answer::default()
        };
        self.answer_inside(arrival.key, &talking.contact, answer, step);
    }

    /// The peer cancelled its re-INVITE.
    pub(super) fn exchange_cancelled(
        &mut self,
        talking: &mut Talking,
        server: ServerKey,
        step: &mut Step,
    ) {
        let is_it = matches!(&talking.exchange,
            Exchange::Theirs(theirs) if theirs.server == server && theirs.by == By::Invite);
        if is_it {
            self.withdrawn(talking, Answer::code(487), step);
        }
    }

    /// The peer's offer is no longer open: nobody need answer it.
    pub(super) fn withdrawn(&mut self, talking: &mut Talking, answer: Answer, step: &mut Step) {
        let dialog = talking.dialog.tag.dialog;
        step.event(Event::OfferWithdrawn { dialog });
        self.refuse_theirs(talking, answer, step);
    }

    /// Refuses the peer's offer.
    pub(super) fn refuse_theirs(&mut self, talking: &mut Talking, answer: Answer, step: &mut Step) {
        let exchange = std::mem::replace(&mut talking.exchange, Exchange::Idle);
        match exchange {
            Exchange::Theirs(theirs) => {
                self.answer_inside(theirs.server, &talking.contact, answer, step);
                self.go_on(talking, step);
            }
            Exchange::Idle | Exchange::Ours(_) => talking.exchange = exchange,
        }
    }

    fn accept_theirs(&mut self, talking: &mut Talking, sdp: Vec<u8>, step: &mut Step) {
        let exchange = std::mem::replace(&mut talking.exchange, Exchange::Idle);
        let Exchange::Theirs(theirs) = exchange else {
            talking.exchange = exchange;
            return;
        };
        let headers = self.refreshed(talking, theirs.asked, step);
        talking
            .next
            .take_if(|next| matches!(next.what, What::Correction(_)));
        talking.local_sdp = sdp.as_slice().into();
        let answer = Answer {
            code: 200,
            headers,
            body: Some(sdp_body(sdp)),
            reason: None,
        };
        let to = self.servers.find(theirs.server).map(|server| server.to);
        let bytes = self.answer_inside(theirs.server, &talking.contact, answer, step);
        if theirs.by == By::Invite
            && let (Some(bytes), Some(to)) = (bytes, to)
        {
            let Theirs { cseq, body, .. } = theirs;
            let ok = SentOk {
                bytes: bytes.into(),
                to,
                cseq,
                body,
                first: First::Change,
            };
            talking.unacknowledged = Some(Unacknowledged::sent(step.now, ok));
        }
        self.go_on(talking, step);
    }

    /// Why a request of the peer that changes the session must wait (RFC 3261 §14.2, RFC 3311
    /// §5.2).
    fn clash(&mut self, talking: &Talking, arrival: &Arrival<'_, '_>) -> Option<Answer> {
        if self.servers.len() >= self.limits.max_server_transactions {
            return Some(Self::busy());
        }
        match talking.exchange {
            Exchange::Ours(_) => Some(Answer::code(491)),
            Exchange::Theirs(_) => Some(self.come_again()),
            Exchange::Idle if talking.unacknowledged.is_some() => Some(Answer::code(491)),
            Exchange::Idle => too_short_a_session(arrival.message),
        }
    }

    /// 500 with a Retry-After of up to ten seconds (RFC 3261 §14.2).
    pub(super) fn come_again(&mut self) -> Answer {
        let seconds = self.random.below(10) + 1;
        Answer::code(500).header("Retry-After", &seconds.to_string())
    }

    /// Restarts the session timer at a request of the peer; the headers of our 2xx.
    fn refreshed(&self, talking: &mut Talking, asked: Asked, step: &Step) -> Vec<(String, String)> {
        let (terms, refresher) = asked.answer(self.session_seconds);
        talking.session = SessionTimer::start(terms, step.now);
        session_headers(asked, terms, refresher)
    }
}

/// A peer that goes on has our 200, though its ACK was lost. Only if the 200 held the answer: an
/// offer of ours is still unanswered.
fn imply_ack(dialog: DialogId, talking: &mut Talking, step: &mut Step) {
    let implied = talking.unacknowledged.take_if(|ok| ok.body == Body::Answer);
    if implied.is_some_and(|ok| ok.first == First::Call) {
        step.event(Event::Established { dialog });
    }
}

pub(super) fn theirs_of(by: By, body: Body, arrival: &Arrival<'_, '_>, step: &Step) -> Theirs {
    let message = arrival.message;
    Theirs {
        server: arrival.key,
        by,
        body,
        cseq: message.cseq().map_or(0, |cseq| cseq.number),
        asked: Asked::of(message),
        give_up_at: step.now + patience(by),
    }
}

/// How long the owner may take to answer. For anything but an INVITE the peer itself gives up after
/// 64 × T1, and its answer needs some time to arrive.
fn patience(by: By) -> Duration {
    match by {
        By::Invite => LIFETIME,
        By::Update => LIFETIME.saturating_sub(2 * T2),
    }
}

/// The peer offers, or wants an offer: the owner is asked.
fn take_theirs(talking: &mut Talking, by: By, arrival: &Arrival<'_, '_>, step: &mut Step) {
    let message = arrival.message;
    let dialog = talking.dialog.tag.dialog;
    talking.dialog.refresh_target(message);
    let sdp = sdp_of(message);
    let body = if sdp.is_some() {
        Body::Answer
    } else {
        Body::Offer
    };
    talking.exchange = Exchange::Theirs(theirs_of(by, body, arrival, step));
    step.event(match sdp {
        Some(sdp) => Event::Offered { dialog, sdp },
        None => Event::OfferWanted { dialog },
    });
}
