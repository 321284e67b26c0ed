//! Calls that a peer makes: its INVITE and our answers (RFC 3261 §13.3).

use clock::Time;

use super::Ua;
use super::call::{Body, Call, First, Phase, RING_AGAIN, RefreshBy, Ringing, SentOk, Talking};
use super::call::{Exchange, Next, Unacknowledged, What};
use super::compose::{self, Head};
use super::keys::{ServerKey, server_key};
use super::outside::destination;
use super::reliable::{Reliable, Waiting};
use super::servers::{Composed, Opening};
use super::step::Step;
use super::types::{Answer, DialogId, EndCause, Event, Incoming, Output, Reason, Refusal};
use crate::dialog::{Dialog, Tag};
use crate::session_timer::{Asked, SessionTimer, Support, Terms};
use crate::{Destination, FlowId, Message, Method, Refresher, Uri};

impl Ua {
    /// Takes on a call: the INVITE gets a transaction and a dialog. 100 goes out by itself unless
    /// an answer comes within 200 ms.
    pub fn open(
        &mut self,
        now: Time,
        dialog: DialogId,
        incoming: &Incoming,
    ) -> Result<Vec<Output>, Refusal> {
        let message = incoming.message();
        let key = server_key(self.key, &message).filter(|key| {
            let is_new = self.servers.find(*key).is_none() && !self.calls.contains_key(&dialog);
            is_new && message.method() == Method::Invite && self.has_room()
        });
        let Some(key) = key else {
            return Err(Refusal {
                answer: Self::busy(),
            });
        };
        let step = Step::at(now);
        let tag = Tag {
            dialog,
            secret: self.random.next(),
        };
        let opening = Opening {
            key,
            method: Method::Invite,
            to: destination(&message, incoming.source),
            head: Head::of_call(&message, incoming.source, &tag.to_string()),
            call: Some(dialog),
            merge: self.merge_key(&message),
        };
        self.open_server(opening, &step);
        let phase = Phase::Ringing(Box::new(self.ringing(key, tag, incoming, &message)));
        self.keep_call(
            dialog,
            Call {
                credentials: None,
                phase,
                armed: None,
            },
        );
        Ok(step.finish())
    }

    /// Sends a provisional answer, 101 to 199, which repeats itself every minute. To a caller that
    /// can acknowledge it, one with a session description arrives for certain (RFC 3262), and is
    /// the answer to the offer, or our offer, from then on.
    pub fn progress(
        &mut self,
        now: Time,
        dialog: DialogId,
        code: u16,
        sdp: Option<Vec<u8>>,
    ) -> Vec<Output> {
        let mut step = Step::at(now);
        let Some(mut call) = self.take_call(dialog) else {
            return Vec::new();
        };
        if let Phase::Ringing(ringing) = &mut call.phase
            && let Some(Waiting::Progress(code, sdp)) =
                ringing.reliable.hold(Waiting::Progress(code, sdp))
        {
            self.progress_now(ringing, code, sdp, &mut step);
        }
        self.keep_call(dialog, call);
        step.finish()
    }

    /// Accepts a call. The 200 is repeated until its ACK comes, which is told as
    /// [`Event::Established`]; without one the call ends after 32 s.
    pub fn accept(&mut self, now: Time, dialog: DialogId, sdp: Vec<u8>) -> Vec<Output> {
        let mut step = Step::at(now);
        let Some(mut call) = self.take_call(dialog) else {
            return Vec::new();
        };
        call.phase = match call.phase {
            Phase::Ringing(mut ringing) => match ringing.reliable.hold(Waiting::Accept(sdp)) {
                Some(Waiting::Accept(sdp)) => self.accepted(ringing, sdp, &mut step),
                Some(Waiting::Progress(..) | Waiting::Leave(..)) | None => Phase::Ringing(ringing),
            },
            other @ (Phase::Inviting(_) | Phase::Talking(_) | Phase::Leaving(_)) => other,
        };
        self.keep_call(dialog, call);
        step.finish()
    }

    /// Refuses a call with an answer of 300 or more. The dialog is gone, as [`Event::Ended`] says.
    pub fn reject(&mut self, now: Time, dialog: DialogId, answer: Answer) -> Vec<Output> {
        let mut step = Step::at(now);
        let Some(call) = self.take_call(dialog) else {
            return Vec::new();
        };
        match call.phase {
            Phase::Ringing(ringing) if !ringing.reliable.is_left() => {
                self.end_ringing(&ringing, answer, &mut step);
                step.event(Event::Ended {
                    dialog,
                    cause: EndCause::HungUp,
                });
            }
            Phase::Inviting(_) | Phase::Ringing(_) | Phase::Talking(_) | Phase::Leaving(_) => {
                self.keep_call(dialog, call);
            }
        }
        step.finish()
    }

    /// The caller gave up an INVITE (RFC 3261 §9.2): its call, or a change of a session.
    pub(super) fn call_withdrawn(
        &mut self,
        dialog: DialogId,
        server: ServerKey,
        reason: Option<Reason>,
        step: &mut Step,
    ) {
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        match &mut call.phase {
            Phase::Ringing(ringing) if ringing.server == server => {
                self.end_ringing(ringing, Answer::code(487), step);
                if !ringing.reliable.is_left() {
                    step.event(Event::Cancelled { dialog, reason });
                }
                return;
            }
            Phase::Talking(talking) => self.exchange_cancelled(talking, server, step),
            // RFC 3261 §9.2: no effect on a request that has its final answer.
            Phase::Ringing(_) | Phase::Inviting(_) | Phase::Leaving(_) => {}
        }
        self.keep_call(dialog, call);
    }

    /// A connection is closed by which callers wait for an answer: it would not reach them.
    pub(super) fn callers_gone(&mut self, flow: FlowId, step: &mut Step) {
        for (dialog, server) in self.servers.callers_on(flow) {
            self.call_withdrawn(dialog, server, None, step);
        }
    }

    /// Sends a provisional answer.
    pub(super) fn progress_now(
        &mut self,
        ringing: &mut Ringing,
        code: u16,
        sdp: Option<Vec<u8>>,
        step: &mut Step,
    ) {
        ringing.repeat_at = Some(step.now + RING_AGAIN);
        if ringing.reliable.concerns(sdp.as_deref()) {
            return self.progress_reliably(ringing, code, sdp, step);
        }
        // RFC 3262 §5: an offer that may be lost is none.
        let sdp = sdp.filter(|_| ringing.body == Body::Answer);
        let answer = Answer {
            code,
            body: sdp.map(sdp_body),
            ..Answer::default()
        };
        self.answer_ringing(ringing, answer, step);
    }

    /// Sends the final answer to the INVITE of a call that rings, and to what it offers besides.
    pub(super) fn end_ringing(&mut self, ringing: &Ringing, answer: Answer, step: &mut Step) {
        self.answer_ringing(ringing, answer, step);
        if let Some(theirs) = &ringing.theirs {
            let answer = Answer::code(487);
            self.answer_inside(theirs.server, &ringing.contact, answer, step);
        }
    }

    /// Sends an answer to the INVITE of a call that rings.
    pub(super) fn answer_ringing(&mut self, ringing: &Ringing, answer: Answer, step: &mut Step) {
        let code = answer.code;
        if let Some((bytes, _)) = self.words_of(ringing, answer) {
            self.answer_server(ringing.server, Composed { code, bytes }, step);
        }
    }

    /// An answer to the INVITE of a call that rings, and where it goes.
    pub(super) fn words_of(
        &self,
        ringing: &Ringing,
        answer: Answer,
    ) -> Option<(Vec<u8>, Destination)> {
        let server = self.servers.find(ringing.server)?;
        let mut writer = self.identity.answer(&server.head, &answer);
        if answer.code < 300 {
            // RFC 3261 §12.1.1: what makes a dialog says where we are.
            writer = writer
                .header("Contact", &*ringing.contact)
                .header("Allow", compose::ALLOW);
        }
        Some((compose::finish_answer(writer, answer), server.to))
    }

    fn ringing(
        &mut self,
        server: ServerKey,
        tag: Tag,
        incoming: &Incoming,
        invite: &Message<'_>,
    ) -> Ringing {
        let user = invite
            .request_line()
            .and_then(|line| Uri::parse(line.uri)?.user_decoded())
            .map(|user| String::from_utf8_lossy(&user).into_owned());
        Ringing {
            dialog: Dialog::called(invite, incoming.source, tag),
            server,
            cseq: invite.cseq().map_or(0, |cseq| cseq.number),
            contact: self
                .identity
                .contact(incoming.source.transport, user.as_deref())
                .into(),
            asked: Asked::of(invite),
            body: if invite.body().is_empty() {
                Body::Offer
            } else {
                Body::Answer
            },
            repeat_at: None,
            refresh_by: RefreshBy::of(invite),
            reliable: Reliable::of(invite, &mut self.random),
            theirs: None,
        }
    }

    /// Sends the 200. What the caller has already agreed to cannot be changed by it (RFC 3261
    /// §13.2.1): another description is offered afterwards.
    pub(super) fn accepted(
        &mut self,
        mut ringing: Box<Ringing>,
        sdp: Vec<u8>,
        step: &mut Step,
    ) -> Phase {
        let (terms, refresher) = ringing.asked.answer(self.session_seconds);
        let agreed = ringing.reliable.agreed.take();
        let body = match (&agreed, ringing.body) {
            (None, _) => Some(sdp.clone()),
            (Some(agreed), Body::Answer) => Some(agreed.to_vec()),
            (Some(_), Body::Offer) => None,
        };
        let role = if body.is_some() {
            ringing.body
        } else {
            Body::Answer
        };
        let answer = Answer {
            code: 200,
            headers: session_headers(ringing.asked, terms, refresher),
            body: body.map(sdp_body),
            ..Answer::default()
        };
        let Some((bytes, to)) = self.words_of(&ringing, answer) else {
            return Phase::Ringing(ringing);
        };
        let ok = SentOk {
            bytes: bytes.as_slice().into(),
            to,
            cseq: ringing.cseq,
            body: role,
            first: First::Call,
        };
        self.answer_server(ringing.server, Composed { code: 200, bytes }, step);
        let is_other = agreed.as_ref().is_some_and(|agreed| **agreed != *sdp);
        let next = is_other.then(|| Next {
            what: What::Correction(sdp.as_slice().into()),
            not_before: step.now,
        });
        let exchange = match ringing.theirs.take() {
            Some(theirs) => Exchange::Theirs(theirs),
            None => Exchange::Idle,
        };
        Phase::Talking(Box::new(Talking {
            dialog: ringing.dialog,
            contact: ringing.contact,
            local_sdp: agreed.unwrap_or_else(|| sdp.into()),
            session: SessionTimer::start(terms, step.now),
            session_seconds: self.session_seconds,
            refresh_by: ringing.refresh_by,
            unacknowledged: Some(Unacknowledged::sent(step.now, ok)),
            exchange,
            next,
            rack: Some(ringing.reliable.rack(ringing.cseq)),
            served: None,
            referrals: 0,
        }))
    }
}

impl RefreshBy {
    /// What a peer takes, by the Allow header of its INVITE or 2xx.
    pub(super) fn of(message: &Message<'_>) -> Self {
        if message.allows(Method::Update) {
            Self::Update
        } else {
            Self::Reinvite
        }
    }
}

/// The headers of a 2xx that starts or refreshes a session (RFC 4028 §9).
pub(super) fn session_headers(
    asked: Asked,
    terms: Terms,
    refresher: Refresher,
) -> Vec<(String, String)> {
    let role = match refresher {
        Refresher::Uac => "uac",
        Refresher::Uas => "uas",
    };
    let expires = format!("{};refresher={role}", terms.interval_seconds);
    let mut headers = vec![
        ("Supported".to_owned(), compose::SUPPORTED.to_owned()),
        ("Session-Expires".to_owned(), expires),
    ];
    if asked.support == Support::Timer {
        headers.push(("Require".to_owned(), "timer".to_owned()));
    }
    headers
}

/// A session description as a body.
pub(super) fn sdp_body(sdp: Vec<u8>) -> (String, Vec<u8>) {
    (compose::SDP.to_owned(), sdp)
}
