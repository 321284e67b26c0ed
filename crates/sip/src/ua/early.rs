//! Offers that a peer makes before the call is answered: by UPDATE (RFC 3311 §5.1) or PRACK (RFC
//! 3262 §5), once the first description of each side has arrived for certain.

use super::call::{Body, By, Call, Phase, Theirs};
use super::called::sdp_body;
use super::calling::sdp_of;
use super::reliable::Waiting;
use super::step::Step;
use super::theirs::theirs_of;
use super::types::{Answer, DialogId, Event};
use super::{Arrival, Ua};

impl Ua {
    /// An UPDATE with an offer in an early dialog. Before both sides have described themselves
    /// an offer is outstanding, in one direction or the other (RFC 3311 §5.2).
    pub(super) fn early_update_came(
        &mut self,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let answer = match &mut call.phase {
            Phase::Ringing(ringing) => {
                if ringing.reliable.agreed.is_some() && ringing.theirs.is_none() {
                    let dialog = ringing.dialog.tag.dialog;
                    ringing.theirs = self.early_offer_came(dialog, arrival, step);
                    return;
                }
                self.come_again()
            }
            Phase::Inviting(inviting) => {
                let is_busy = inviting.offering().is_some();
                let dialog = inviting.tag.dialog;
                let tag = arrival.message.from().and_then(|from| from.tag());
                let fork = inviting.fork_mut(tag.unwrap_or_default());
                match fork.filter(|early| early.theirs.is_some()) {
                    None => Answer::code(491),
                    Some(_) if is_busy => self.come_again(),
                    Some(early) => {
                        let sdp = sdp_of(arrival.message).unwrap_or_default();
                        let theirs = self.early_offer_came(dialog, arrival, step);
                        early.offered = theirs.map(|theirs| (theirs, sdp.into()));
                        return;
                    }
                }
            }
            Phase::Talking(_) | Phase::Leaving(_) => Answer::code(481),
        };
        self.answer_once(arrival, answer, step);
    }

    /// The owner is asked, if there is room for the question.
    pub(super) fn early_offer_came(
        &mut self,
        dialog: DialogId,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) -> Option<Theirs> {
        if self.servers.len() >= self.limits.max_server_transactions {
            self.answer_once(arrival, Self::busy(), step);
            return None;
        }
        let sdp = sdp_of(arrival.message)?;
        self.open_inside(dialog, arrival, step);
        step.event(Event::Offered { dialog, sdp });
        Some(theirs_of(By::Update, Body::Answer, arrival, step))
    }

    /// The owner accepts an early offer.
    pub(super) fn accept_early(&mut self, call: &mut Call, sdp: Vec<u8>, step: &mut Step) {
        let answer = Answer {
            body: Some(sdp_body(sdp.clone())),
            ..Answer::code(200)
        };
        if let Some(offer) = self.answer_early(call, answer, step) {
            match &mut call.phase {
                Phase::Ringing(ringing) => ringing.reliable.agreed = Some(sdp.into()),
                Phase::Inviting(inviting) => {
                    if let Some(early) = inviting.fork_mut(&offer.tag) {
                        early.theirs = Some(offer.sdp);
                        early.ours = Some(sdp.into());
                    }
                }
                Phase::Talking(_) | Phase::Leaving(_) => {}
            }
        }
    }

    /// The owner refuses an early offer.
    pub(super) fn refuse_early(&mut self, call: &mut Call, answer: Answer, step: &mut Step) {
        let _refused = self.answer_early(call, answer, step);
    }

    /// The owner has forgotten an early offer.
    pub(super) fn wake_early(&mut self, call: &mut Call, step: &mut Step) {
        let due = match &mut call.phase {
            Phase::Ringing(ringing) => ringing.theirs.as_ref().map(|theirs| theirs.give_up_at),
            Phase::Inviting(inviting) => {
                let offered = inviting.offering().and_then(|early| early.offered.as_ref());
                offered.map(|(theirs, _)| theirs.give_up_at)
            }
            Phase::Talking(_) | Phase::Leaving(_) => None,
        };
        if due.is_some_and(|due| due <= step.now) {
            let dialog = call.tag().dialog;
            step.event(Event::OfferWithdrawn { dialog });
            let answer = self.come_again();
            self.refuse_early(call, answer, step);
        }
    }

    /// What the owner wanted to say before the PRACK came.
    pub(super) fn after_prack(
        &mut self,
        phase: Phase,
        waiting: Option<Waiting>,
        step: &mut Step,
    ) -> Phase {
        match (phase, waiting) {
            (Phase::Ringing(mut ringing), Some(Waiting::Progress(code, sdp))) => {
                self.progress_now(&mut ringing, code, sdp, step);
                Phase::Ringing(ringing)
            }
            (Phase::Ringing(ringing), Some(Waiting::Accept(sdp))) => {
                self.accepted(ringing, sdp, step)
            }
            (Phase::Ringing(ringing), Some(Waiting::Leave(sdp, reason))) => {
                match self.accepted(ringing, sdp, step) {
                    Phase::Talking(talking) => self.leave(*talking, reason, step),
                    phase @ (Phase::Inviting(_) | Phase::Ringing(_) | Phase::Leaving(_)) => phase,
                }
            }
            (phase, _) => phase,
        }
    }

    /// Answers an early offer, and gives it.
    fn answer_early(&mut self, call: &mut Call, answer: Answer, step: &mut Step) -> Option<Offer> {
        match &mut call.phase {
            Phase::Ringing(ringing) => {
                let theirs = ringing.theirs.take()?;
                self.answer_inside(theirs.server, &ringing.contact, answer, step);
                Some(Offer::default())
            }
            Phase::Inviting(inviting) => {
                let early = inviting.offering()?;
                let (theirs, sdp) = early.offered.take()?;
                let tag = early.dialog.names().1.into();
                self.answer_inside(theirs.server, &inviting.contact, answer, step);
                Some(Offer { tag, sdp })
            }
            Phase::Talking(_) | Phase::Leaving(_) => None,
        }
    }
}

/// An offer of a fork of ours; a caller's is not kept.
#[derive(Default)]
struct Offer {
    tag: Box<[u8]>,
    sdp: Box<[u8]>,
}
