//! What we want changed in a session: offers by re-INVITE (RFC 3261 §14.1), refreshes by UPDATE or
//! re-INVITE (RFC 4028 §7), glare.

use std::time::Duration;

use clock::Time;

use super::Ua;
use super::call::{Call, Exchange, Next, Phase, RefreshBy, Talking, What};
use super::calling::sdp_of;
use super::clients::{Answered, Owner};
use super::compose::{self, SessionWords};
use super::inside::Outgoing;
use super::step::Step;
use super::types::{DialogId, EndCause, Event, Output, Withdrawal};
use crate::dialog::Side;
use crate::session_timer::{MAX_SECONDS, SessionTimer, Terms};
use crate::{Method, Writer};

/// The pause before a refresh that was refused is tried again.
pub(super) const REFRESH_AGAIN: Duration = Duration::from_secs(10);
/// RFC 3261 §14.1: after a glare the caller waits 2.1 to 4 s, the called side up to 2 s, both in
/// steps of 10 ms.
const GLARE_STEP: Duration = Duration::from_millis(10);

impl Ua {
    /// Offers the peer a new session by re-INVITE, after what is under way. A later offer takes
    /// the place of one that still waits. The end is [`Event::OfferAnswered`] or
    /// [`Event::OfferRefused`].
    pub fn offer(&mut self, now: Time, dialog: DialogId, sdp: Vec<u8>) -> Vec<Output> {
        let mut step = Step::at(now);
        self.in_talk(dialog, |ua, talking| {
            talking.next = Some(Next {
                what: What::Offer(sdp.into()),
                not_before: now,
            });
            ua.go_on(talking, &mut step);
        });
        step.finish()
    }

    /// Takes an offer back that waits for its turn, after a glare for instance. Nothing is told of
    /// its end any more. One that is on its way stays.
    pub fn withdraw_offer(&mut self, dialog: DialogId) -> Withdrawal {
        let mut withdrawal = Withdrawal::TooLate;
        self.in_talk(dialog, |_, talking| {
            let is_offer =
                |next: &mut Next| matches!(next.what, What::Offer(_) | What::Correction(_));
            if talking.next.take_if(is_offer).is_some() {
                withdrawal = Withdrawal::Done;
            }
        });
        withdrawal
    }

    /// The final answer to our re-INVITE.
    pub(super) fn reinvite_answered(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Some(stored) = compose::reread(answered.request) else {
            return;
        };
        if stored.method() == Method::Ack {
            return self.accepted_again(&stored, answered, step);
        }
        let Some(mut call) = self.take_call(dialog) else {
            return self.acknowledge_orphan(&stored, answered, step);
        };
        match &mut call.phase {
            Phase::Talking(talking) if answered.code < 300 => {
                talking.dialog.refresh_target(answered.answer);
                self.acknowledge(&talking.dialog, &stored, answered.key, step);
            }
            Phase::Leaving(leaving) if answered.code < 300 => {
                self.acknowledge(&leaving.dialog, &stored, answered.key, step);
            }
            Phase::Inviting(_) | Phase::Ringing(_) | Phase::Talking(_) | Phase::Leaving(_) => {}
        }
        self.ours_answered(dialog, call, answered, step);
    }

    /// The final answer to our UPDATE.
    pub(super) fn update_answered(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Some(call) = self.take_call(dialog) else {
            return;
        };
        self.ours_answered(dialog, call, answered, step);
    }

    /// Whether a call must wait with its next request, because of those it has sent lately or
    /// because of everybody else's.
    pub(super) fn is_full_for(&self, dialog: DialogId) -> bool {
        self.clients.is_full_for(dialog)
            || self.clients.len() >= self.limits.max_client_transactions
    }

    /// Starts what waits, if nothing else is under way and its time has come.
    pub(super) fn go_on(&mut self, talking: &mut Talking, step: &mut Step) {
        if !talking.is_quiet() {
            return;
        }
        let Some(next) = talking.next.take_if(|next| next.not_before <= step.now) else {
            return;
        };
        let dialog = talking.dialog.tag.dialog;
        if self.is_full_for(dialog) {
            return put_off(talking, &next.what, step);
        }
        let (method, owner) = match (&next.what, talking.refresh_by) {
            (What::Refresh, RefreshBy::Update) => (Method::Update, Owner::Update(dialog)),
            (What::Refresh, RefreshBy::Reinvite) | (What::Offer(_) | What::Correction(_), _) => {
                (Method::Invite, Owner::Reinvite(dialog))
            }
        };
        let body = match &next.what {
            What::Offer(sdp) | What::Correction(sdp) => Some(sdp),
            What::Refresh => Some(&talking.local_sdp).filter(|_| method == Method::Invite),
        };
        let session = SessionWords {
            contact: &talking.contact,
            seconds: talking.session_seconds,
            is_raised: talking.session_seconds > self.session_seconds,
        };
        let finish = |writer: Writer| match body {
            Some(sdp) => session.add_to(writer).body(compose::SDP, sdp),
            None => session.add_to(writer).finish(),
        };
        let outgoing = Outgoing {
            method,
            owner,
            finish,
        };
        self.send_inside(&mut talking.dialog, outgoing, step);
        talking.exchange = Exchange::Ours(next.what);
    }

    /// What the answer to our re-INVITE or UPDATE means.
    fn ours_answered(
        &mut self,
        dialog: DialogId,
        mut call: Call,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Phase::Talking(mut talking) = call.phase else {
            return self.keep_call(dialog, call);
        };
        let credentials = call.credentials.as_deref();
        let is_again = answered.code >= 300
            && self
                .inside_again(&mut talking.dialog, credentials, answered, step)
                .is_some();
        if is_again {
            call.phase = Phase::Talking(talking);
            return self.keep_call(dialog, call);
        }
        if matches!(answered.code, 408 | 481) {
            call.phase = self.break_off(*talking, EndCause::DialogLost, step);
            return self.keep_call(dialog, call);
        }
        if let Exchange::Ours(what) = std::mem::replace(&mut talking.exchange, Exchange::Idle) {
            if answered.code < 300 {
                accepted_by_peer(&mut talking, what, answered, step);
            } else {
                self.refused_by_peer(&mut talking, what, answered, step);
            }
        }
        self.go_on(&mut talking, step);
        call.phase = Phase::Talking(talking);
        self.keep_call(dialog, call);
    }

    fn refused_by_peer(
        &mut self,
        talking: &mut Talking,
        what: What,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        if answered.code == 491 {
            return self.wait_after_glare(talking, what, step);
        }
        let dialog = talking.dialog.tag.dialog;
        let code = answered.code;
        match what {
            What::Offer(_) | What::Correction(_) => {
                step.event(Event::OfferRefused { dialog, code });
            }
            What::Refresh => {
                if matches!(code, 405 | 501) {
                    talking.refresh_by = RefreshBy::Reinvite;
                }
                let min_se = answered.answer.min_se().filter(|_| code == 422);
                let raised = min_se.map_or(0, |seconds| seconds.min(MAX_SECONDS));
                talking.session_seconds = talking.session_seconds.max(raised);
                talking.session = talking.session.refresh_failed(step.now + REFRESH_AGAIN);
            }
        }
    }

    /// Both ends began at once: each tries again after a pause of its own length. What came to
    /// wait meanwhile takes the place of what failed.
    fn wait_after_glare(&mut self, talking: &mut Talking, what: What, step: &mut Step) {
        let not_before = step.now + self.glare_pause(talking.dialog.side);
        let newer = talking.next.take().map(|next| next.what);
        let what = match (what, newer) {
            (What::Offer(_), Some(What::Offer(newer))) => {
                let dialog = talking.dialog.tag.dialog;
                step.event(Event::OfferRefused { dialog, code: 491 });
                What::Offer(newer)
            }
            (What::Refresh, Some(newer)) | (What::Correction(_), Some(newer @ What::Offer(_))) => {
                newer
            }
            (what, Some(What::Refresh | What::Correction(_)) | None) => what,
        };
        talking.next = Some(Next { what, not_before });
    }

    /// RFC 3261 §14.1.
    fn glare_pause(&mut self, side: Side) -> Duration {
        let steps = match side {
            Side::Caller => 210 + self.random.below(191),
            Side::Called => self.random.below(201),
        };
        GLARE_STEP.saturating_mul(u32::try_from(steps).unwrap_or(400))
    }
}

/// What cannot be sent now: an offer is refused, a refresh waits.
fn put_off(talking: &mut Talking, what: &What, step: &mut Step) {
    let dialog = talking.dialog.tag.dialog;
    match what {
        What::Offer(_) | What::Correction(_) => {
            step.event(Event::OfferRefused { dialog, code: 500 });
        }
        What::Refresh => {
            talking.session = talking.session.refresh_failed(step.now + REFRESH_AGAIN);
        }
    }
}

/// The peer accepted what we asked for.
fn accepted_by_peer(
    talking: &mut Talking,
    what: What,
    answered: &Answered<'_, '_>,
    step: &mut Step,
) {
    let dialog = talking.dialog.tag.dialog;
    let terms = Terms::of_answer(answered.answer.session_expires(), talking.session_seconds);
    talking.session = SessionTimer::start(terms, step.now);
    let (What::Offer(sdp) | What::Correction(sdp)) = what else {
        return;
    };
    talking.local_sdp = sdp;
    step.event(match sdp_of(answered.answer) {
        Some(sdp) => Event::OfferAnswered { dialog, sdp },
        None => Event::OfferRefused {
            dialog,
            code: answered.code,
        },
    });
}
