//! Changing and refreshing a session inside a dialog: re-INVITE (RFC 3261 §14), UPDATE (RFC 3311),
//! glare, and the refreshes of session timers (RFC 4028).

use std::time::Duration;

use clock::Time;

use super::call::{
    Body, By, Call, Exchange, First, Next, Phase, RefreshBy, SentOk, Talking, Theirs,
    Unacknowledged, What,
};
use super::called::{sdp_body, session_headers};
use super::calling::sdp_of;
use super::clients::{Answered, Attempt, Failure, Owner, Sending};
use super::compose;
use super::keys::ServerKey;
use super::outside::too_short_a_session;
use super::step::Step;
use super::types::{Answer, DialogId, Event, Output};
use super::{Arrival, Ua};
use crate::dialog::Side;
use crate::session_timer::{Asked, SessionTimer, Terms};
use crate::transaction::LIFETIME;
use crate::{Method, Writer};

/// The pause before a refresh that was refused is tried again.
const REFRESH_AGAIN: Duration = Duration::from_secs(10);
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

    /// Accepts what [`Event::Offered`] or [`Event::OfferWanted`] told of.
    pub fn answer(&mut self, now: Time, dialog: DialogId, sdp: Vec<u8>) -> Vec<Output> {
        let mut step = Step::at(now);
        self.in_talk(dialog, |ua, talking| {
            ua.accept_theirs(talking, sdp, &mut step);
        });
        step.finish()
    }

    /// Refuses what [`Event::Offered`] or [`Event::OfferWanted`] told of; the session stays.
    pub fn refuse(&mut self, now: Time, dialog: DialogId, code: u16) -> Vec<Output> {
        let mut step = Step::at(now);
        self.in_talk(dialog, |ua, talking| {
            ua.refuse_theirs(talking, Answer::code(code), &mut step);
        });
        step.finish()
    }

    /// Sends an INFO. Nothing is told of its answer, unless it says that the call is lost.
    pub fn info(
        &mut self,
        now: Time,
        dialog: DialogId,
        content_type: &str,
        body: Vec<u8>,
    ) -> Vec<Output> {
        let mut step = Step::at(now);
        self.in_talk(dialog, |ua, talking| {
            let finish = |writer: Writer| writer.body(content_type, body);
            let owner = Owner::Info(dialog);
            ua.send_inside(
                talking,
                Outgoing {
                    method: Method::Info,
                    owner,
                    finish,
                },
                &mut step,
            );
        });
        step.finish()
    }

    /// A re-INVITE.
    pub(super) fn reinvite_came(
        &mut self,
        key: ServerKey,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let Phase::Talking(talking) = &mut call.phase else {
            // RFC 3261 §14.2: the first INVITE is not answered yet.
            let answer = self.come_again();
            return self.answer_once(*arrival, answer, step);
        };
        let dialog = talking.dialog.tag.dialog;
        imply_ack(dialog, talking, step);
        if let Some(answer) = self.clash(talking, arrival) {
            return self.answer_once(*arrival, answer, step);
        }
        self.open_inside(key, dialog, arrival, step);
        take_theirs(talking, key, By::Invite, arrival, step);
    }

    /// An UPDATE (RFC 3311 §5.2).
    pub(super) fn update_came(
        &mut self,
        key: ServerKey,
        call: &mut Call,
        arrival: &Arrival<'_, '_>,
        step: &mut Step,
    ) {
        let has_offer = sdp_of(arrival.message).is_some();
        let Phase::Talking(talking) = &mut call.phase else {
            // Before the final answer an offer is outstanding, in one direction or the other.
            let is_ours = matches!(call.phase, Phase::Inviting(_));
            let answer = match has_offer {
                true if is_ours => Answer::code(491),
                true => self.come_again(),
                false => Answer::code(200),
            };
            return self.answer_once(*arrival, answer, step);
        };
        if let Some(answer) = self.clash(talking, arrival).filter(|_| has_offer) {
            return self.answer_once(*arrival, answer, step);
        }
        if let Some(answer) = too_short_a_session(arrival.message) {
            return self.answer_once(*arrival, answer, step);
        }
        self.open_inside(key, talking.dialog.tag.dialog, arrival, step);
        if has_offer {
            return take_theirs(talking, key, By::Update, arrival, step);
        }
        talking.dialog.refresh_target(arrival.message);
        let headers = self.refreshed(talking, Asked::of(arrival.message), step);
        let answer = Answer {
            code: 200,
            headers,
            ..Answer::default()
        };
        self.answer_inside(key, talking, answer, step);
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
            self.acknowledge_again(answered, step);
            return;
        }
        let Some(mut call) = self.take_call(dialog) else {
            return;
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

    /// The final answer to an INFO of ours.
    pub(super) fn info_answered(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        if matches!(answered.code, 408 | 481) {
            return self.call_lost(dialog, Failure::TimeOut, step);
        }
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        let credentials = call.credentials.as_deref();
        if let Phase::Talking(talking) = &mut call.phase {
            self.inside_again(&mut talking.dialog, credentials, answered, step);
        }
        self.keep_call(dialog, call);
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
        let by_update =
            matches!(next.what, What::Refresh) && talking.refresh_by == RefreshBy::Update;
        let (method, owner) = if by_update {
            (Method::Update, Owner::Update(dialog))
        } else {
            (Method::Invite, Owner::Reinvite(dialog))
        };
        let body = match &next.what {
            What::Offer(sdp) => sdp.clone(),
            What::Refresh if by_update => Box::default(),
            What::Refresh => talking.local_sdp.clone(),
        };
        let (contact, seconds) = (talking.contact.clone(), talking.session_seconds);
        let finish = |writer: Writer| {
            let writer = writer
                .header("Contact", &*contact)
                .header("Allow", compose::ALLOW)
                .header("Supported", compose::SUPPORTED)
                .header_fmt("Session-Expires", format_args!("{seconds};refresher=uac"));
            if body.is_empty() {
                writer.finish()
            } else {
                writer.body(compose::SDP, &body)
            }
        };
        self.send_inside(
            talking,
            Outgoing {
                method,
                owner,
                finish,
            },
            step,
        );
        talking.session = talking.session.refresh_sent();
        talking.exchange = Exchange::Ours(next.what);
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
            self.refuse_theirs(talking, Answer::code(487), step);
        }
    }

    /// Refuses the peer's offer.
    pub(super) fn refuse_theirs(&mut self, talking: &mut Talking, answer: Answer, step: &mut Step) {
        let exchange = std::mem::replace(&mut talking.exchange, Exchange::Idle);
        match exchange {
            Exchange::Theirs(theirs) => {
                self.answer_theirs(talking, &theirs, answer, step);
                self.go_on(talking, step);
            }
            Exchange::Idle | Exchange::Ours(_) => talking.exchange = exchange,
        }
    }

    /// Sends the answer to the peer's offer.
    pub(super) fn answer_theirs(
        &mut self,
        talking: &Talking,
        theirs: &Theirs,
        answer: Answer,
        step: &mut Step,
    ) -> Option<Vec<u8>> {
        self.answer_inside(theirs.server, talking, answer, step)
    }

    fn accept_theirs(&mut self, talking: &mut Talking, sdp: Vec<u8>, step: &mut Step) {
        let exchange = std::mem::replace(&mut talking.exchange, Exchange::Idle);
        let Exchange::Theirs(theirs) = exchange else {
            talking.exchange = exchange;
            return;
        };
        let headers = self.refreshed(talking, theirs.asked, step);
        talking.local_sdp = sdp.as_slice().into();
        let answer = Answer {
            code: 200,
            headers,
            body: Some(sdp_body(sdp)),
            reason: None,
        };
        let to = self.servers.find(theirs.server).map(|server| server.to);
        let bytes = self.answer_theirs(talking, &theirs, answer, step);
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
    fn come_again(&mut self) -> Answer {
        let seconds = self.random.below(10) + 1;
        Answer::code(500).header("Retry-After", &seconds.to_string())
    }

    /// Restarts the session timer at a request of the peer; the headers of our 2xx.
    fn refreshed(&self, talking: &mut Talking, asked: Asked, step: &Step) -> Vec<(String, String)> {
        let (terms, refresher) = asked.answer(self.session_seconds);
        talking.session = SessionTimer::start(terms, step.now);
        session_headers(asked, terms, refresher)
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
            call.phase = self.break_off(*talking, super::EndCause::DialogLost, step);
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
        let dialog = talking.dialog.tag.dialog;
        let code = answered.code;
        // A newer offer makes a second try of this one pointless.
        if code == 491 && talking.next.is_none() {
            let not_before = step.now + self.glare_pause(talking.dialog.side);
            talking.next = Some(Next { what, not_before });
            return;
        }
        match what {
            What::Offer(_) => step.event(Event::OfferRefused { dialog, code }),
            What::Refresh => {
                if matches!(code, 405 | 501) {
                    talking.refresh_by = RefreshBy::Reinvite;
                }
                let min_se = answered.answer.min_se().filter(|_| code == 422);
                talking.session_seconds = talking.session_seconds.max(min_se.unwrap_or(0));
                talking.session = talking.session.refresh_failed(step.now + REFRESH_AGAIN);
            }
        }
    }

    /// RFC 3261 §14.1.
    fn glare_pause(&mut self, side: Side) -> Duration {
        let steps = match side {
            Side::Caller => 210 + self.random.below(191),
            Side::Called => self.random.below(201),
        };
        GLARE_STEP.saturating_mul(u32::try_from(steps).unwrap_or(400))
    }

    /// A 2xx to our re-INVITE has come again: so did our ACK not arrive.
    fn acknowledge_again(&mut self, answered: &Answered<'_, '_>, step: &mut Step) {
        let Some(client) = self.clients.find_mut(answered.key) else {
            return;
        };
        client.bytes = answered.request.into();
        step.send(client.ack_to, answered.request.to_vec());
    }

    /// Sends a request inside a dialog.
    fn send_inside(
        &mut self,
        talking: &mut Talking,
        outgoing: Outgoing<impl FnOnce(Writer) -> Vec<u8>>,
        step: &mut Step,
    ) {
        let Outgoing {
            method,
            owner,
            finish,
        } = outgoing;
        let to = talking.dialog.destination();
        let branch = self.next_branch();
        let number = talking.dialog.next_cseq();
        let via = self.identity.via(to.transport, branch);
        let writer = talking
            .dialog
            .request(method, number, format_args!("{via}"))
            .header("User-Agent", &self.identity.product);
        let bytes = finish(writer);
        let attempt = Attempt::First;
        self.start_client(
            Sending {
                branch,
                method,
                to,
                bytes,
                owner,
                attempt,
            },
            step,
        );
    }

    /// Looks at a call that talks; at others nothing is done.
    fn in_talk(&mut self, dialog: DialogId, act: impl FnOnce(&mut Self, &mut Talking)) {
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        if let Phase::Talking(talking) = &mut call.phase {
            act(self, talking);
        }
        self.keep_call(dialog, call);
    }
}

/// A request inside a dialog: who asked for it, and how it ends.
struct Outgoing<F> {
    method: Method,
    owner: Owner,
    finish: F,
}

/// A peer that goes on has our 200, though its ACK was lost. Only if the 200 held the answer: an
/// offer of ours is still unanswered.
fn imply_ack(dialog: DialogId, talking: &mut Talking, step: &mut Step) {
    let implied = talking.unacknowledged.take_if(|ok| ok.body == Body::Answer);
    if implied.is_some_and(|ok| ok.first == First::Call) {
        step.event(Event::Established { dialog });
    }
}

/// The peer offers, or wants an offer: the owner is asked.
fn take_theirs(
    talking: &mut Talking,
    server: ServerKey,
    by: By,
    arrival: &Arrival<'_, '_>,
    step: &mut Step,
) {
    let message = arrival.message;
    let dialog = talking.dialog.tag.dialog;
    talking.dialog.refresh_target(message);
    let sdp = sdp_of(message);
    let body = if sdp.is_some() {
        Body::Answer
    } else {
        Body::Offer
    };
    talking.exchange = Exchange::Theirs(Theirs {
        server,
        by,
        body,
        cseq: message.cseq().map_or(0, |cseq| cseq.number),
        asked: Asked::of(message),
        give_up_at: step.now + LIFETIME,
    });
    step.event(match sdp {
        Some(sdp) => Event::Offered { dialog, sdp },
        None => Event::OfferWanted { dialog },
    });
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
    let What::Offer(sdp) = what else { return };
    talking.local_sdp = sdp;
    step.event(match sdp_of(answered.answer) {
        Some(sdp) => Event::OfferAnswered { dialog, sdp },
        None => Event::OfferRefused {
            dialog,
            code: answered.code,
        },
    });
}
