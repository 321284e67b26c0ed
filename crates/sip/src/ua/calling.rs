//! Calls that we make: our INVITE and its answers (RFC 3261 §13.2).

use clock::Time;

use super::Ua;
use super::call::{Call, Exchange, Intent, Inviting, Phase, RefreshBy, Talking};
use super::clients::{Answered, Attempt, Failure, Owner, Sending};
use super::compose::{self, Words};
use super::keys::{Branch, ClientKey};
use super::reliable::{Heard, MAX_FORKS};
use super::step::Step;
use super::types::{Answer, DialogId, Event, Invite, NatPolicy, Output, Reason, Series};
use crate::dialog::{Dialog, Origin, Tag};
use crate::session_timer::{SessionTimer, Terms};
use crate::transaction::LIFETIME;
use crate::{Destination, Message, Method, Name, reason_phrase};

impl Ua {
    /// Makes a call. The end comes as [`Event::Accepted`] or [`Event::Refused`].
    pub fn invite(&mut self, now: Time, dialog: DialogId, invite: Invite) -> Vec<Output> {
        let mut step = Step::at(now);
        let has_room = self.clients.len() < self.limits.max_client_transactions
            && self.calls.len() < self.limits.max_dialogs
            && !self.calls.contains_key(&dialog);
        if !has_room {
            step.event(refused(dialog, 503));
            return step.finish();
        }
        let tag = Tag {
            dialog,
            secret: self.random.next(),
        };
        let branch = self.next_branch();
        let bytes = self.first_invite(&invite, tag, branch);
        if compose::reread(&bytes).is_none() {
            // What the owner wrote into the headers makes no message.
            step.event(refused(dialog, 400));
            return step.finish();
        }
        let client = self.start_client(
            Sending {
                branch,
                method: Method::Invite,
                to: invite.to,
                bytes,
                owner: Owner::Invite(dialog),
                attempt: Attempt::First,
            },
            &mut step,
        );
        let contact = self
            .identity
            .contact(invite.to.transport, invite.contact_user.as_deref());
        let phase = Phase::Inviting(Inviting {
            client,
            tag,
            nat: invite.symmetric,
            contact: contact.into(),
            session_seconds: self.session_seconds,
            intent: Intent::Wanted,
            early: Vec::new(),
        });
        let credentials = invite.credentials.map(Box::new);
        self.keep_call(
            dialog,
            Call {
                credentials,
                phase,
                armed: None,
            },
        );
        step.finish()
    }

    /// Whether nothing at all has come back for our INVITE.
    pub fn is_unheard(&self, dialog: DialogId) -> bool {
        let phase = self.calls.get(&dialog).map(|call| &call.phase);
        let Some(Phase::Inviting(inviting)) = phase else {
            return false;
        };
        let client = self.clients.find(inviting.client);
        client.is_some_and(super::clients::Client::is_unheard)
    }

    /// A provisional answer to our INVITE.
    pub(super) fn invite_proceeds(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        if let Phase::Inviting(inviting) = &mut call.phase {
            match std::mem::replace(&mut inviting.intent, Intent::Wanted) {
                Intent::Wanted if answered.code > 100 => {
                    let heard = self.fork_proceeds(dialog, inviting, answered, step);
                    if heard == Heard::New {
                        step.event(Event::Provisional {
                            dialog,
                            code: answered.code,
                            sdp: sdp_of(answered.answer),
                        });
                    }
                }
                Intent::Wanted => {}
                // RFC 3261 §9.1: now the CANCEL may go.
                Intent::CancelWaits(reason) => {
                    self.send_cancel(inviting.client, reason.as_ref(), step);
                    inviting.intent = cancelled(step);
                }
                is @ Intent::Cancelled { .. } => inviting.intent = is,
            }
        }
        self.keep_call(dialog, call);
    }

    /// A 2xx to our INVITE: the first makes the call, one that comes again gets the ACK again, one
    /// of another fork gets ACK and BYE (RFC 3261 §13.2.2.4).
    pub(super) fn invite_accepted(
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
            return;
        };
        let Phase::Inviting(mut inviting) = call.phase else {
            return self.keep_call(dialog, call);
        };
        let origin = Origin {
            tag: inviting.tag,
            source: answered.source,
            nat: inviting.nat,
        };
        let mut made = Dialog::calling(&stored, answered.answer, origin);
        let fork = inviting.fork_mut(made.names().1);
        if let Some(early) = &fork {
            made.continues(&early.dialog);
        }
        self.acknowledge(&made, &stored, answered.key, step);
        call.phase = match inviting.intent {
            Intent::Wanted => {
                // RFC 3261 §13.2.1: the first answer counts, and a reliable one comes for certain.
                let early = inviting.fork_mut(made.names().1);
                let certain = early.and_then(|early| early.theirs.take());
                let sdp = certain.map(Vec::from).or_else(|| sdp_of(answered.answer));
                step.event(Event::Accepted { dialog, sdp });
                Phase::Talking(Box::new(talking(inviting, made, (&stored, answered), step)))
            }
            // The 200 crossed our CANCEL.
            Intent::CancelWaits(reason) => self.send_bye(made, reason.as_ref(), step),
            Intent::Cancelled { .. } => self.send_bye(made, None, step),
        };
        self.keep_call(dialog, call);
    }

    /// A final answer of 300 or more to our INVITE; its ACK has been sent.
    pub(super) fn invite_refused(
        &mut self,
        dialog: DialogId,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Some(mut call) = self.take_call(dialog) else {
            return;
        };
        let Phase::Inviting(inviting) = &mut call.phase else {
            return self.keep_call(dialog, call);
        };
        if !matches!(inviting.intent, Intent::Wanted) {
            return; // The owner has been told of the end.
        }
        let credentials = call.credentials.as_deref();
        if let Some(client) = self.invite_again(inviting, credentials, answered, step) {
            inviting.client = client;
            return self.keep_call(dialog, call);
        }
        let line = answered.answer.status_line();
        let reason = line.map(|line| String::from_utf8_lossy(line.reason).into_owned());
        step.event(Event::Refused {
            dialog,
            code: answered.code,
            reason: reason.unwrap_or_default(),
            retry_after: answered.answer.retry_after(),
        });
    }

    /// Nobody answered our INVITE.
    pub(super) fn invite_failed(&mut self, dialog: DialogId, failure: Failure, step: &mut Step) {
        let Some(call) = self.take_call(dialog) else {
            return;
        };
        match call.phase {
            Phase::Inviting(inviting) => {
                if matches!(inviting.intent, Intent::Wanted) {
                    step.event(refused(dialog, failure.code()));
                }
            }
            Phase::Ringing(_) | Phase::Talking(_) | Phase::Leaving(_) => {
                self.keep_call(dialog, call);
            }
        }
    }

    /// The owner no longer wants the call that our INVITE asks for.
    pub(super) fn withdraw(
        &mut self,
        inviting: &mut Inviting,
        reason: Option<Reason>,
        step: &mut Step,
    ) {
        if let Some((theirs, _)) = inviting.offering().and_then(|early| early.offered.take()) {
            let answer = Answer::code(487);
            self.answer_inside(theirs.server, &inviting.contact, answer, step);
        }
        let is_unheard = self
            .clients
            .find(inviting.client)
            .is_some_and(super::clients::Client::is_unheard);
        inviting.intent = match inviting.intent {
            Intent::Wanted if is_unheard => Intent::CancelWaits(reason),
            Intent::Wanted => {
                self.send_cancel(inviting.client, reason.as_ref(), step);
                cancelled(step)
            }
            Intent::CancelWaits(_) => Intent::CancelWaits(reason),
            Intent::Cancelled { until } => Intent::Cancelled { until },
        };
    }

    /// Sends the ACK for a 2xx, and keeps it in its INVITE's place.
    pub(super) fn acknowledge(
        &mut self,
        dialog: &Dialog,
        invite: &Message<'_>,
        key: ClientKey,
        step: &mut Step,
    ) {
        let (to, ack) = self.ack(dialog, invite);
        if let Some(client) = self.clients.find_mut(key) {
            client.bytes = ack.as_slice().into();
            client.ack_to = to;
        }
        step.send(to, ack);
    }

    /// The ACK for a 2xx, with the credentials of the INVITE (RFC 3261 §13.2.2.4).
    fn ack(&mut self, dialog: &Dialog, invite: &Message<'_>) -> (Destination, Vec<u8>) {
        let to = dialog.destination();
        let branch = self.next_branch();
        let via = self.identity.via(to.transport, branch);
        let number = invite.cseq().map_or(0, |cseq| cseq.number);
        let ack = dialog
            .request(Method::Ack, number, format_args!("{via}"))
            .copy(invite, Name::Authorization)
            .copy(invite, Name::ProxyAuthorization)
            .finish();
        (to, ack)
    }

    fn first_invite(&mut self, invite: &Invite, tag: Tag, branch: Branch) -> Vec<u8> {
        let series = Series {
            call_id: self.new_call_id(),
            cseq: 1,
        };
        let words = Words {
            transport: invite.to.transport,
            branch,
            method: Method::Invite,
            tag: &tag.to_string(),
            series: &series,
            session_seconds: self.session_seconds,
        };
        self.identity.invite(invite, &words)
    }

    /// A Call-ID nobody else has.
    pub(super) fn new_call_id(&mut self) -> String {
        format!("{:032x}", self.random.wide())
    }

    /// Sends the CANCEL of an INVITE (RFC 3261 §9.1).
    pub(super) fn send_cancel(
        &mut self,
        invite: ClientKey,
        reason: Option<&Reason>,
        step: &mut Step,
    ) {
        let Some(client) = self.clients.find(invite) else {
            return;
        };
        let Some(bytes) = compose::cancel(&client.bytes, reason) else {
            return;
        };
        let sending = Sending {
            branch: client.branch(invite),
            method: Method::Cancel,
            to: client.to,
            bytes,
            owner: Owner::Nobody,
            attempt: Attempt::Last,
        };
        self.start_client(sending, step);
    }

    /// A further 2xx to an INVITE that has its ACK.
    pub(super) fn accepted_again(
        &mut self,
        ack: &Message<'_>,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        let Some(client) = self.clients.find_mut(answered.key) else {
            return;
        };
        client.bytes = answered.request.into();
        let to = client.ack_to;
        let tag = answered
            .answer
            .to()
            .and_then(|to| to.tag())
            .unwrap_or_default();
        if ack.to().and_then(|to| to.tag()).unwrap_or_default() == tag {
            return step.send(to, answered.request.to_vec());
        }
        self.dismiss_fork(ack, answered, step);
    }

    /// A 2xx to a re-INVITE whose call is over.
    pub(super) fn acknowledge_orphan(
        &mut self,
        invite: &Message<'_>,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) {
        self.acknowledge_other(invite, answered, step);
    }

    /// Sends an ACK that is made of nothing but the INVITE (or its earlier ACK) and the 2xx.
    fn acknowledge_other(
        &mut self,
        sent: &Message<'_>,
        answered: &Answered<'_, '_>,
        step: &mut Step,
    ) -> Option<Dialog> {
        let origin = Origin {
            tag: Tag::parse(sent.from()?.tag()?)?,
            source: answered.source,
            nat: NatPolicy::ByContact,
        };
        let dialog = Dialog::calling(sent, answered.answer, origin);
        let (to, ack) = self.ack(&dialog, sent);
        step.send(to, ack);
        Some(dialog)
    }

    /// Another fork answered too: ACK each time, BYE once (RFC 3261 §13.2.2.4).
    fn dismiss_fork(&mut self, ack: &Message<'_>, answered: &Answered<'_, '_>, step: &mut Step) {
        let Some(mut fork) = self.acknowledge_other(ack, answered, step) else {
            return;
        };
        let to = answered.answer.header(Name::To).unwrap_or_default();
        let name = self.key.hash(&[b"fork", to]);
        let Some(client) = self.clients.find_mut(answered.key) else {
            return;
        };
        if client.dismissed.contains(&name) || client.dismissed.len() >= MAX_FORKS {
            return;
        }
        client.dismissed.push(name);
        self.bye(&mut fork, None, Owner::Nobody, step);
    }
}

/// After the CANCEL: without a final answer in this time the call is over (RFC 3261 §9.1).
fn cancelled(step: &Step) -> Intent {
    Intent::Cancelled {
        until: step.now + LIFETIME,
    }
}

/// The call that a 2xx makes.
fn talking(
    mut inviting: Inviting,
    dialog: Dialog,
    (invite, answered): (&Message<'_>, &Answered<'_, '_>),
    step: &Step,
) -> Talking {
    let expires = answered.answer.session_expires();
    let terms = Terms::of_answer(expires, inviting.session_seconds);
    let early = inviting.fork_mut(dialog.names().1);
    let (ours, offered) = early.map_or((None, None), |early| {
        (early.ours.take(), early.offered.take())
    });
    let exchange = match offered {
        Some((theirs, _)) => Exchange::Theirs(theirs),
        None => Exchange::Idle,
    };
    Talking {
        dialog,
        contact: inviting.contact,
        local_sdp: ours.unwrap_or_else(|| invite.body().into()),
        session: SessionTimer::start(terms, step.now),
        session_seconds: inviting.session_seconds,
        refresh_by: RefreshBy::of(answered.answer),
        unacknowledged: None,
        exchange,
        next: None,
        rack: None,
        served: None,
        referrals: 0,
    }
}

/// The session description of a message.
pub(super) fn sdp_of(message: &Message<'_>) -> Option<Vec<u8>> {
    let has_sdp = !message.body().is_empty() && message.is_content_type(compose::SDP);
    has_sdp.then(|| message.body().to_vec())
}

fn refused(dialog: DialogId, code: u16) -> Event {
    let reason = reason_phrase(code).to_owned();
    Event::Refused {
        dialog,
        code,
        reason,
        retry_after: None,
    }
}
