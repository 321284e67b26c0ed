//! Requests inside dialogs (RFC 3261 §12.2.2).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::call::{Body, Call, First, Phase, Rest, Talking};
use super::clients::{Attempt, Owner, Sending};
use super::compose::{self, Head};
use super::keys::ServerKey;
use super::outside::{destination, objected};
use super::servers::{Composed, Opening};
use super::step::Step;
use super::types::{Answer, DialogId, Event};
use super::{Arrival, Ua};
use crate::dialog::{Dialog, OutOfOrder, Tag};
use crate::{Message, Method, Objection, Writer};

impl Ua {
    /// A request with a To tag that no transaction knows.
    pub(super) fn inside_came(&mut self, arrival: &Arrival<'_, '_>, step: &mut Step) {
        let message = arrival.message;
        if let Some(subscription) = self.subscription_of(message) {
            return self.subscribe_inside_came(subscription, arrival, step);
        }
        let Some((dialog, mut call)) = self.call_of(message) else {
            // RFC 3261 §12.2.2: the dialog is gone, or never was.
            return self.answer_stateless(message, arrival.source, Answer::code(481), step);
        };
        let arrival = &Arrival {
            inside: Some(dialog),
            ..*arrival
        };
        if let Some(answer) = refusal_inside(&mut call, arrival) {
            self.answer_once(arrival, answer, step);
            return self.keep_call(dialog, call);
        }
        let method = message.method();
        if method != Method::Bye && self.servers.is_full_for(dialog) {
            // RFC 3261 §14.2 says so of re-INVITEs. The number is taken, so a copy that comes when
            // there is room is refused too.
            let answer = self.come_again();
            self.answer_stateless(message, arrival.source, answer, step);
            return self.keep_call(dialog, call);
        }
        if method == Method::Bye {
            return self.bye_came(dialog, call, arrival, step);
        }
        if method == Method::Invite {
            self.reinvite_came(&mut call, arrival, step);
        } else if method == Method::Update {
            self.update_came(&mut call, arrival, step);
        } else if method == Method::Info {
            self.info_came(dialog, arrival, step);
        } else if method == Method::Prack {
            let waiting = self.prack_came(&mut call, arrival, step);
            call.phase = self.after_prack(call.phase, waiting, step);
        } else if method == Method::Refer {
            self.refer_came(&mut call, arrival, step);
        } else if method == Method::Subscribe {
            self.subscribe_in_call_came(&mut call, arrival, step);
        } else {
            // OPTIONS: the abilities are added to every 200 of that method.
            self.answer_once(arrival, Answer::code(200), step);
        }
        self.keep_call(dialog, call);
    }

    /// An ACK that is of no transaction: for a 2xx of ours.
    pub(super) fn call_acknowledged(&mut self, arrival: &Arrival<'_, '_>, step: &mut Step) {
        let Some((dialog, mut call)) = self.call_of(arrival.message) else {
            return;
        };
        call.phase = match call.phase {
            Phase::Talking(mut talking) => {
                acknowledged(dialog, &mut talking, arrival.message, step);
                self.go_on(&mut talking, step);
                Phase::Talking(talking)
            }
            Phase::Leaving(leaving) => match leaving.rest {
                Rest::Acknowledgement(ok, reason) if is_ack_of(ok.cseq, arrival.message) => {
                    self.send_bye(leaving.dialog, reason.as_ref(), step)
                }
                Rest::Acknowledgement(..) | Rest::LastWord(_) | Rest::ByeAnswer => {
                    Phase::Leaving(leaving)
                }
            },
            other @ (Phase::Inviting(_) | Phase::Ringing(_)) => other,
        };
        self.keep_call(dialog, call);
    }

    /// Sends the final answer to a request inside a dialog, with its Contact.
    pub(super) fn answer_inside(
        &mut self,
        key: ServerKey,
        contact: &str,
        answer: Answer,
        step: &mut Step,
    ) -> Option<Vec<u8>> {
        let code = answer.code;
        let bytes = self.words_inside(key, contact, answer)?;
        self.answer_server(
            key,
            Composed {
                code,
                bytes: bytes.clone(),
            },
            step,
        );
        Some(bytes)
    }

    fn words_inside(&self, key: ServerKey, contact: &str, answer: Answer) -> Option<Vec<u8>> {
        let server = self.servers.find(key)?;
        let mut writer = self.identity.answer(&server.head, &answer);
        if answer.code < 300 {
            writer = writer
                .header("Contact", contact)
                .header("Allow", compose::ALLOW);
        }
        Some(compose::finish_answer(writer, answer))
    }

    /// Sends a request inside a dialog.
    pub(super) fn send_inside(
        &mut self,
        dialog: &mut Dialog,
        outgoing: Outgoing<impl FnOnce(Writer) -> Vec<u8>>,
        step: &mut Step,
    ) {
        let Outgoing {
            method,
            owner,
            finish,
        } = outgoing;
        let to = dialog.destination();
        let branch = self.next_branch();
        let number = dialog.next_cseq();
        let via = self.identity.via(to.transport, branch);
        let writer = dialog
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
    pub(super) fn in_talk(&mut self, dialog: DialogId, act: impl FnOnce(&mut Self, &mut Talking)) {
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        if let Phase::Talking(talking) = &mut call.phase {
            act(self, talking);
        }
        self.keep_call(dialog, call);
    }

    /// Keeps a request inside a dialog until the owner has answered it.
    pub(super) fn open_inside(&mut self, dialog: DialogId, arrival: &Arrival<'_, '_>, step: &Step) {
        let opening = Opening {
            key: arrival.key,
            method: arrival.message.method(),
            to: destination(arrival.message, arrival.source),
            head: Head::of(arrival.message, arrival.source, None),
            call: Some(dialog),
            merge: None,
        };
        self.open_server(opening, step);
    }

    /// Takes the call that a request is inside of out of the table.
    fn call_of(&mut self, request: &Message<'_>) -> Option<(DialogId, Call)> {
        let tag = Tag::parse(request.to()?.tag()?)?;
        if !self.calls.get(&tag.dialog)?.is_meant(tag, request) {
            return None;
        }
        Some((tag.dialog, self.take_call(tag.dialog)?))
    }
}

impl Call {
    /// Our tag.
    pub(super) fn tag(&self) -> Tag {
        match &self.phase {
            Phase::Inviting(inviting) => inviting.tag,
            Phase::Ringing(ringing) => ringing.dialog.tag,
            Phase::Talking(talking) => talking.dialog.tag,
            Phase::Leaving(leaving) => leaving.dialog.tag,
        }
    }

    /// The dialog, once there is one. While our INVITE is unanswered every fork has its own.
    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Inviting(_) => None,
            Phase::Ringing(ringing) => Some(&mut ringing.dialog),
            Phase::Talking(talking) => Some(&mut talking.dialog),
            Phase::Leaving(leaving) => Some(&mut leaving.dialog),
        }
    }

    /// The dialog of a request: while our INVITE is unanswered that of the fork.
    fn dialog_of(&mut self, request: &Message<'_>) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Inviting(inviting) => {
                let tag = request.from()?.tag()?;
                Some(&mut inviting.fork_mut(tag)?.dialog)
            }
            Phase::Ringing(ringing) => Some(&mut ringing.dialog),
            Phase::Talking(talking) => Some(&mut talking.dialog),
            Phase::Leaving(leaving) => Some(&mut leaving.dialog),
        }
    }

    fn is_meant(&self, tag: Tag, request: &Message<'_>) -> bool {
        match &self.phase {
            Phase::Inviting(inviting) => inviting.tag == tag,
            Phase::Ringing(ringing) => ringing.dialog.has(tag, request),
            Phase::Talking(talking) => talking.dialog.has(tag, request),
            Phase::Leaving(leaving) => leaving.dialog.has(tag, request),
        }
    }
}

/// Requests of one call that are under way or remembered at once, in each direction. A person who
/// presses keys sends one or two a second, and each is remembered for half a minute at most.
pub(crate) const MAX_INSIDE: u16 = 100;

/// How many requests each call has, in one direction. A BYE is not counted: it always goes.
#[derive(Default)]
pub(crate) struct Inside(BTreeMap<DialogId, u16>);

impl Inside {
    /// Counts one more.
    pub(crate) fn add(&mut self, dialog: Option<DialogId>) {
        if let Some(dialog) = dialog {
            let count = self.0.entry(dialog).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Counts one less.
    pub(crate) fn remove(&mut self, dialog: Option<DialogId>) {
        let entry = dialog.map(|dialog| self.0.entry(dialog));
        if let Some(Entry::Occupied(mut count)) = entry {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Whether the call must wait with the next one.
    pub(crate) fn is_full_for(&self, dialog: DialogId) -> bool {
        self.0
            .get(&dialog)
            .is_some_and(|count| *count >= MAX_INSIDE)
    }
}

/// A request inside a dialog: who asks for it, and how it ends.
pub(super) struct Outgoing<F> {
    pub(super) method: Method,
    pub(super) owner: Owner,
    pub(super) finish: F,
}

/// What is answered to a request inside a dialog before its method is looked at.
fn refusal_inside(call: &mut Call, arrival: &Arrival<'_, '_>) -> Option<Answer> {
    let message = arrival.message;
    let number = message.cseq().map_or(0, |cseq| cseq.number);
    if let Some(dialog) = call.dialog_of(message) {
        // RFC 3261 §12.2.2: a number out of order.
        if dialog.advance(number) == Err(OutOfOrder) {
            return Some(Answer::code(500));
        }
        dialog.saw(arrival.source);
    }
    let objection = message.objection(&compose::INSIDE);
    if let Some(objection) = objection.filter(|found| *found != Objection::NoHopsLeft) {
        return Some(objected(objection, message));
    }
    let is_courtesy = matches!(message.method(), Method::Bye | Method::Prack);
    let is_over = call.is_over_for_owner() && !is_courtesy;
    is_over.then(|| Answer::code(481))
}

/// The ACK for a 2xx of ours ends its repetitions (RFC 3261 §13.3.1.4).
pub(super) fn acknowledged(
    dialog: DialogId,
    talking: &mut Talking,
    ack: &Message<'_>,
    step: &mut Step,
) {
    let Some(ok) = talking.unacknowledged.take_if(|ok| is_ack_of(ok.cseq, ack)) else {
        return;
    };
    if ok.first == First::Call {
        step.event(Event::Established { dialog });
    }
    if ok.body == Body::Offer {
        step.event(match super::calling::sdp_of(ack) {
            Some(sdp) => Event::OfferAnswered { dialog, sdp },
            None => Event::OfferRefused { dialog, code: 200 },
        });
    }
}

fn is_ack_of(cseq: u32, message: &Message<'_>) -> bool {
    message.method() == Method::Ack && message.cseq().is_some_and(|ack| ack.number == cseq)
}
