//! Requests of peers: which transaction or call they meet, and what is answered without asking
//! (RFC 3261 §8.2).

use clock::Time;

use super::call::Call;
use super::compose::{self, Head};
use super::keys::{MergeKey, ServerKey, merge_key, server_key};
use super::servers::{Composed, Met, Opening};
use super::step::Step;
use super::types::{Answer, Event, Incoming, Output, Reason};
use super::{Arrival, Ua};
use crate::session_timer::{Asked, MIN_SE_SECONDS};
use crate::transaction::server_invite::Input;
use crate::{Destination, Malformed, Message, Method, Objection, Source};

/// What a peer is told to wait when our tables are full.
const BUSY_RETRY_SECONDS: u32 = 5;

impl Incoming {
    /// The message, read again; it was readable when it came.
    pub fn message(&self) -> Message<'_> {
        let read = Message::parse(&self.bytes, compose::framing(self.source.transport));
        read.expect("an Incoming is made of bytes that were parsed with the same framing")
    }
}

impl Ua {
    /// Answers without keeping anything (RFC 3261 §8.2.7): challenges, refusals under load. A
    /// repeated request comes up again and gets the same To tag. Does nothing when the request
    /// already has a transaction, which then answers it.
    pub fn reply(&mut self, incoming: &Incoming, answer: Answer) -> Vec<Output> {
        let mut step = Step::at(Time::ZERO);
        let message = incoming.message();
        let is_served =
            server_key(self.key, &message).is_some_and(|key| self.servers.find(key).is_some());
        if !is_served {
            self.answer_stateless(&message, incoming.source, answer, &mut step);
        }
        step.finish()
    }

    /// Answers through a transaction, which gives the same answer to the repeated request. When
    /// the table is full the answer goes out all the same, and nothing is kept.
    pub fn respond(&mut self, now: Time, incoming: &Incoming, answer: Answer) -> Vec<Output> {
        let mut step = Step::at(now);
        let message = incoming.message();
        if let Some(key) = server_key(self.key, &message) {
            let arrival = Arrival {
                key,
                message: &message,
                bytes: &incoming.bytes,
                source: incoming.source,
                inside: None,
            };
            self.answer_once(&arrival, answer, &mut step);
        }
        step.finish()
    }

    /// A request has come.
    pub(super) fn request_came(
        &mut self,
        message: &Message<'_>,
        bytes: &[u8],
        source: Source,
        step: &mut Step,
    ) {
        let Some(key) = server_key(self.key, message) else {
            return;
        };
        let arrival = Arrival {
            key,
            message,
            bytes,
            source,
            inside: None,
        };
        let method = message.method();
        if method == Method::Ack {
            return self.ack_came(&arrival, step);
        }
        if method == Method::Cancel {
            return self.cancel_came(&arrival, step);
        }
        if self.meet_server(key, Input::Request, step) != Met::Nobody {
            return;
        }
        if message.to().and_then(|to| to.tag()).is_some() {
            self.inside_came(&arrival, step);
        } else {
            self.outside_came(&arrival, step);
        }
    }

    /// Something unreadable has come; if it was a request, it is answered where that is possible.
    pub(super) fn malformed_came(
        &mut self,
        malformed: &Malformed<'_>,
        source: Source,
        step: &mut Step,
    ) {
        if let Some(request) = malformed.request() {
            let answer = Answer::code(malformed.code).reason(malformed.reason);
            self.answer_stateless(request, source, answer, step);
        }
    }

    /// Sends an answer and keeps nothing.
    pub(super) fn answer_stateless(
        &self,
        request: &Message<'_>,
        source: Source,
        answer: Answer,
        step: &mut Step,
    ) {
        let bytes = self.words_of_answer(request, source, answer);
        step.send(destination(request, source), bytes);
    }

    /// Sends the final answer to a request, and keeps it for repetitions if there is room.
    pub(super) fn answer_once(
        &mut self,
        arrival: &Arrival<'_, '_>,
        answer: Answer,
        step: &mut Step,
    ) {
        let Arrival {
            key,
            message,
            source,
            inside,
            ..
        } = *arrival;
        if self.servers.find(key).is_some() {
            return;
        }
        // Half of the table is for calls: a flood of anything else cannot crowd them out.
        if self.servers.len() >= self.limits.max_server_transactions / 2 {
            return self.answer_stateless(message, source, answer, step);
        }
        let code = answer.code;
        let bytes = self.words_of_answer(message, source, answer);
        let opening = Opening {
            key,
            method: message.method(),
            to: destination(message, source),
            head: Head::default(),
            call: inside,
            merge: None,
        };
        self.open_server(opening, step);
        self.answer_server(key, Composed { code, bytes }, step);
    }

    /// 503, and when to come again.
    pub(super) fn busy() -> Answer {
        Answer::code(503).header("Retry-After", &BUSY_RETRY_SECONDS.to_string())
    }

    /// Whether another call may begin.
    pub(super) fn has_room(&self) -> bool {
        self.servers.len() < self.limits.max_server_transactions
            && self.calls.len() < self.limits.max_dialogs
    }

    /// How a second copy of an INVITE outside dialogs is known. Of other requests two copies do
    /// no harm, so they are not looked for.
    pub(super) fn merge_key(&self, request: &Message<'_>) -> Option<MergeKey> {
        (request.method() == Method::Invite)
            .then(|| merge_key(self.key, request))
            .flatten()
    }

    /// A request that is of no transaction and no call.
    fn outside_came(&mut self, arrival: &Arrival<'_, '_>, step: &mut Step) {
        let message = arrival.message;
        if let Some(answer) = self.objection_outside(arrival.key, message) {
            return self.answer_stateless(message, arrival.source, answer, step);
        }
        step.event(Event::Request(Incoming {
            source: arrival.source,
            method: message.method(),
            bytes: arrival.bytes.into(),
        }));
    }

    /// What is answered to a request outside dialogs without asking the owner.
    fn objection_outside(&self, key: ServerKey, message: &Message<'_>) -> Option<Answer> {
        let method = message.method();
        let objection = message.objection(&compose::OUTSIDE);
        // RFC 3261 §16.3 (3): who is the end of the way need not count hops. An INVITE goes on.
        let counts = objection != Some(Objection::NoHopsLeft) || method == Method::Invite;
        if let Some(objection) = objection.filter(|_| counts) {
            return Some(objected(objection, message));
        }
        if method == Method::Invite {
            return self.objection_to_call(key, message);
        }
        let is_of_a_dialog = matches!(method, Method::Bye | Method::Info | Method::Update);
        is_of_a_dialog.then(|| Answer::code(481))
    }

    fn objection_to_call(&self, key: ServerKey, invite: &Message<'_>) -> Option<Answer> {
        // RFC 3261 §8.2.2.2: the same request came on another way.
        if self
            .merge_key(invite)
            .is_some_and(|merge| self.servers.has_twin(merge, key))
        {
            return Some(Answer::code(482));
        }
        if let Some(answer) = too_short_a_session(invite) {
            return Some(answer);
        }
        (!self.has_room()).then(Self::busy)
    }

    /// An ACK: of its INVITE's transaction, or of a call. It is never answered.
    fn ack_came(&mut self, arrival: &Arrival<'_, '_>, step: &mut Step) {
        match self.meet_server(arrival.key, Input::Ack, step) {
            Met::Transaction => {}
            Met::Acceptance | Met::Nobody => self.call_acknowledged(arrival, step),
        }
    }

    /// A CANCEL (RFC 3261 §9.2). Its own answer needs no memory: as long as the INVITE is
    /// remembered a repeated CANCEL gets the same one.
    fn cancel_came(&mut self, arrival: &Arrival<'_, '_>, step: &mut Step) {
        let Arrival {
            key,
            message,
            source,
            ..
        } = *arrival;
        let Some(server) = self.servers.find(key) else {
            return self.answer_stateless(message, source, Answer::code(481), step);
        };
        let dialog = server.call;
        let call = dialog.and_then(|dialog| self.calls.get(&dialog));
        let Some((dialog, tag)) = dialog.zip(call.map(Call::tag)) else {
            return self.answer_stateless(message, source, Answer::code(200), step);
        };
        // RFC 3261 §9.2: the tag is the one of the answers to the INVITE.
        let head = Head::of(message, source, Some(&tag.to_string()));
        let answer = Answer::code(200);
        let bytes = compose::finish_answer(self.identity.answer(&head, &answer), answer);
        step.send(destination(message, source), bytes);
        self.call_withdrawn(dialog, key, Reason::of(message), step);
    }

    /// An answer that makes no dialog.
    fn words_of_answer(&self, request: &Message<'_>, source: Source, answer: Answer) -> Vec<u8> {
        let has_tag = request.to().is_some_and(|to| to.tag().is_some());
        let tag = (!has_tag).then(|| self.stateless_tag(request));
        let head = Head::of(request, source, tag.as_deref());
        let mut writer = self.identity.answer(&head, &answer);
        if request.method() == Method::Options && (200..300).contains(&answer.code) {
            writer = compose::abilities(writer);
        }
        compose::finish_answer(writer, answer)
    }

    /// A To tag that the same request always gets, without remembering it.
    fn stateless_tag(&self, request: &Message<'_>) -> String {
        let from_tag = request
            .from()
            .and_then(|from| from.tag())
            .unwrap_or_default();
        let call_id = request.call_id().unwrap_or_default();
        format!("{:032x}", self.key.hash(&[b"tag", call_id, from_tag]))
    }
}

/// The words for what [`Message::objection`] found.
pub(super) fn objected(objection: Objection, message: &Message<'_>) -> Answer {
    let answer = Answer::code(objection.code());
    match objection {
        Objection::MethodNotAllowed => answer.header("Allow", compose::ALLOW),
        Objection::UnknownExtension => {
            let tags: Vec<_> = message
                .unknown_extensions(&compose::OUTSIDE)
                .map(|tag| String::from_utf8_lossy(tag).into_owned())
                .collect();
            answer.header("Unsupported", &tags.join(", "))
        }
        Objection::UnknownContentType => answer.header("Accept", compose::SDP),
        Objection::UnknownMethod | Objection::UnknownScheme | Objection::NoHopsLeft => answer,
    }
}

/// 422, if a request asks for a session interval below our minimum (RFC 4028 §6).
pub(super) fn too_short_a_session(request: &Message<'_>) -> Option<Answer> {
    Asked::of(request)
        .is_too_small()
        .then(|| Answer::code(422).header("Min-SE", &MIN_SE_SECONDS.to_string()))
}

/// Where the answer to a request goes (RFC 3261 §18.2.2, RFC 3581 §4).
pub(super) fn destination(request: &Message<'_>, source: Source) -> Destination {
    let remote = request
        .top_via()
        .map_or(source.remote, |via| via.response_address(source));
    Destination {
        remote,
        ..source.into()
    }
}
