//! How a party makes and takes calls, and keeps book of them.

use std::time::Duration;

use clock::Time;
use media::{Codec, Description, Direction, Local, own_answer, own_offer};
use sip::{Answer, DialogId, EndCause, Incoming, Invite, Message, NatPolicy, Party as Name, Uri};

use super::belief::{Belief, BeliefId, End, Side, Stage};
use super::carrier::Carrier;
use super::habit::{Talk, Target, Then};
use super::{Act, Call, Out, Party, Role};
use crate::network::NODE;

/// A phone stops ringing by itself: the end of the call may never reach it.
const RINGS_AT_MOST: Duration = Duration::from_secs(200);
/// How long it waits before it asks for the next change.
const PATIENCE: Duration = Duration::from_secs(1);
const FIRST_RTP_PORT: u16 = 30_000;

impl Party {
    /// Calls somebody.
    pub(super) fn dial(&mut self, now: Time, call: Call, out: &mut Out) {
        let id = BeliefId(self.beliefs.len());
        let sdp = own_offer(&self.codecs, self.local(id, 1));
        let invite = self.invite(&call, sdp.clone());
        let dialog = self.ua.next_dialog_id();
        let outputs = self.ua.invite(now, dialog, invite);
        let first = outputs.iter().find_map(|output| match output {
            sip::Output::Send(transmit) => Some(transmit),
            sip::Output::Event(_) => None,
        });
        let call_id = first.map(|first| call_id_of(&first.bytes));
        out.acts.push((now + call.patience, Act::GiveUp(id)));
        let side = Side::Calling {
            dialled: call.dialled,
            caller: call.caller,
        };
        let belief = self.new_belief(now, dialog, side, call_id.unwrap_or_default());
        belief.talk = call.talk;
        belief.offering = Description::parse(&sdp).ok();
        self.carry_out(now, outputs, out);
    }

    fn invite(&self, call: &Call, sdp: Vec<u8>) -> Invite {
        let (uri, from, to, credentials) = match &self.role {
            Role::Phone(phone) => {
                let uri = format!("sip:{}@{}", call.dialled, phone.domain);
                (uri.clone(), phone.name(), uri, Some(phone.credentials()))
            }
            Role::Carrier(carrier) => {
                let to = format!("sip:{}@{}", call.dialled, NODE.ip());
                (carrier.target(&to), self.shown_caller(call), to, None)
            }
        };
        let headers = match (&self.role, &call.caller) {
            (Role::Carrier(_), None) => vec![("Privacy".to_owned(), "id".to_owned())],
            _ => Vec::new(),
        };
        Invite {
            to: self.node(),
            uri,
            from,
            to_party: Name {
                display: None,
                uri: to,
            },
            contact_user: None,
            headers,
            sdp,
            credentials,
            symmetric: NatPolicy::Symmetric,
            max_forwards: 70,
        }
    }

    fn shown_caller(&self, call: &Call) -> Name {
        let user = call.caller.as_deref().unwrap_or("anonymous");
        Name {
            display: None,
            uri: format!("sip:{user}@{}", self.place.inside.ip()),
        }
    }

    fn new_belief(
        &mut self,
        now: Time,
        dialog: DialogId,
        side: Side,
        call_id: String,
    ) -> &mut Belief {
        let id = BeliefId(self.beliefs.len());
        self.by_dialog.insert(dialog, id);
        self.beliefs.push(Belief {
            dialog,
            call_id,
            side,
            began: now,
            stage: Stage::Waiting,
            hands_on: false,
            talk: Talk::default(),
            told: None,
            ours: None,
            offering: None,
            version: 1,
            agreed_at: now,
            paths: Vec::new(),
        });
        self.beliefs
            .last_mut()
            .expect("a belief was pushed on the line above")
    }

    /// A call comes in.
    pub(super) fn called(&mut self, now: Time, incoming: &Incoming, out: &mut Out) {
        if let Some(answer) = self.challenge(now, incoming) {
            let outputs = self.ua.reply(incoming, answer);
            return self.carry_out(now, outputs, out);
        }
        let message = incoming.message();
        let dialog = self.ua.next_dialog_id();
        match self.ua.open(now, dialog, incoming) {
            Ok(outputs) => self.carry_out(now, outputs, out),
            Err(refusal) => {
                let outputs = self.ua.reply(incoming, refusal.answer);
                return self.carry_out(now, outputs, out);
            }
        }
        let id = BeliefId(self.beliefs.len());
        let is_busy = self.live_calls().count() >= self.lines;
        let reception = self.temper.reception(&mut self.random);
        let side = Side::Called {
            shown: shown_number(&message),
        };
        let call_id = String::from_utf8_lossy(message.call_id().unwrap_or_default()).into_owned();
        self.new_belief(now, dialog, side, call_id).began = now;
        self.tell(id, message.body(), out);
        if is_busy {
            return self.reject(now, id, 486, out);
        }
        let rings = reception.rings_after.map(|after| (after, Act::Ring(id)));
        let early = reception
            .early_after
            .map(|after| (after, Act::SendEarly(id)));
        let then = match reception.then {
            Then::Answer(after, talk) => {
                if let Some(belief) = self.belief_mut(id) {
                    belief.talk = talk;
                }
                Some((after, Act::Answer(id)))
            }
            Then::Reject(after, code) => Some((after, Act::Reject(id, code))),
            Then::Ignore => None,
        };
        let stops = Some((RINGS_AT_MOST, Act::Reject(id, 480)));
        let acts = [rings, early, then, stops].into_iter().flatten();
        out.acts.extend(acts.map(|(after, act)| (now + after, act)));
    }

    pub(super) fn ring(&mut self, now: Time, id: BeliefId, out: &mut Out) {
        if let Some(dialog) = self.waiting(id) {
            let outputs = self.ua.progress(now, dialog, 180, None);
            self.carry_out(now, outputs, out);
        }
    }

    pub(super) fn send_early(&mut self, now: Time, id: BeliefId, out: &mut Out) {
        let Some(dialog) = self.waiting(id) else {
            return;
        };
        let sdp = self.answer_to_told(id);
        let outputs = self.ua.progress(now, dialog, 183, sdp);
        self.carry_out(now, outputs, out);
    }

    pub(super) fn answer(&mut self, now: Time, id: BeliefId, out: &mut Out) {
        let Some(dialog) = self.waiting(id) else {
            return;
        };
        let Some(sdp) = self.answer_to_told(id) else {
            return self.reject(now, id, 488, out);
        };
        if let Some(belief) = self.belief_mut(id) {
            belief.ours = Description::parse(&sdp).ok();
            belief.answer(now);
        }
        let outputs = self.ua.accept(now, dialog, sdp);
        self.carry_out(now, outputs, out);
        self.plan_talk(now, id, out);
    }

    pub(super) fn reject(&mut self, now: Time, id: BeliefId, code: u16, out: &mut Out) {
        let Some(dialog) = self.waiting(id) else {
            return;
        };
        self.finish(now, id, End::Rejected(code));
        let outputs = self.ua.reject(now, dialog, Answer::code(code));
        self.carry_out(now, outputs, out);
    }

    pub(super) fn give_up(&mut self, now: Time, id: BeliefId, out: &mut Out) {
        let is_waiting = self.belief(id).is_some_and(|belief| {
            belief.stage == Stage::Waiting && matches!(belief.side, Side::Calling { .. })
        });
        if is_waiting {
            self.end(now, id, End::GaveUp, out);
        }
    }

    pub(super) fn hang_up(&mut self, now: Time, id: BeliefId, out: &mut Out) {
        if self.belief(id).is_some_and(Belief::is_talking) {
            self.end(now, id, End::HungUp, out);
        }
    }

    /// Ends a call in whatever state it is.
    pub(super) fn leave(&mut self, now: Time, id: BeliefId, out: &mut Out) {
        match self.belief(id).map(|belief| (&belief.stage, &belief.side)) {
            Some((Stage::Waiting, Side::Called { .. })) => self.reject(now, id, 480, out),
            Some((Stage::Waiting, Side::Calling { .. })) => self.end(now, id, End::GaveUp, out),
            Some((Stage::Talking { .. }, _)) => self.end(now, id, End::HungUp, out),
            Some((Stage::Over { .. }, _)) | None => {}
        }
    }

    fn end(&mut self, now: Time, id: BeliefId, end: End, out: &mut Out) {
        let Some(dialog) = self.belief(id).map(|belief| belief.dialog) else {
            return;
        };
        self.finish(now, id, end);
        let outputs = self.ua.hang_up(now, dialog, None);
        self.carry_out(now, outputs, out);
    }

    pub(super) fn press(&mut self, now: Time, id: BeliefId, key: char, out: &mut Out) {
        let Some(belief) = self.belief(id).filter(|belief| belief.is_talking()) else {
            return;
        };
        let body = format!("Signal={key}\r\nDuration=160\r\n").into_bytes();
        let outputs = self
            .ua
            .info(now, belief.dialog, "application/dtmf-relay", body);
        self.carry_out(now, outputs, out);
    }

    /// Asks the node to hand on whom the party talks with (RFC 5589).
    pub(super) fn hand_on(&mut self, now: Time, id: BeliefId, target: &Target, out: &mut Out) {
        let Some(dialog) = self
            .belief(id)
            .filter(|it| it.is_talking())
            .map(|it| it.dialog)
        else {
            return;
        };
        let node = NODE.ip();
        let refer_to = match target {
            Target::Number(number) => Some(format!("<sip:{number}@{node}>")),
            Target::OtherCall => {
                let mut calls = self.live_calls();
                let other = calls.find(|(other, belief)| *other != id && belief.is_talking());
                let replaces = other.and_then(|(_, other)| self.ua.replaces_of(other.dialog));
                // The node sees the dialog from the other side.
                replaces.map(|seen| {
                    let value = format!(
                        "{};to-tag={};from-tag={}",
                        seen.call_id, seen.from_tag, seen.to_tag
                    );
                    format!("<sip:1000@{node}?Replaces={}>", in_uri_header(&value))
                })
            }
        };
        let Some(refer_to) = refer_to else { return };
        if let Some(belief) = self.belief_mut(id) {
            belief.hands_on = true;
        }
        let outputs = self.ua.refer(now, dialog, &refer_to);
        self.carry_out(now, outputs, out);
    }

    /// Offers a session that flows in another direction.
    pub(super) fn offer(&mut self, now: Time, act: Act, out: &mut Out) {
        let (id, direction) = match act {
            Act::Hold(id) => (id, Direction::SendOnly),
            Act::Resume(id) => (id, Direction::SendRecv),
            _ => return,
        };
        let Some(belief) = self.belief(id).filter(|belief| belief.is_talking()) else {
            return;
        };
        // One after the other.
        if belief.offering.is_some() {
            return out.acts.push((now + PATIENCE, act));
        }
        let sdp = self.own_description(id, direction);
        let Some(belief) = self.belief_mut(id) else {
            return;
        };
        belief.offering = Description::parse(&sdp).ok();
        belief.agreed_at = now;
        let dialog = belief.dialog;
        let outputs = self.ua.offer(now, dialog, sdp);
        self.carry_out(now, outputs, out);
    }

    /// A provisional answer may name the node's port already.
    pub(super) fn heard_early(&mut self, dialog: DialogId, sdp: Option<&[u8]>, out: &mut Out) {
        if let (Some(id), Some(sdp)) = (self.by_dialog.get(&dialog).copied(), sdp) {
            self.tell(id, sdp, out);
        }
    }

    pub(super) fn accepted(
        &mut self,
        now: Time,
        dialog: DialogId,
        sdp: Option<&[u8]>,
        out: &mut Out,
    ) {
        let Some(id) = self.by_dialog.get(&dialog).copied() else {
            return;
        };
        if let Some(sdp) = sdp {
            self.tell(id, sdp, out);
        }
        if let Some(belief) = self.belief_mut(id) {
            belief.ours = belief.offering.take();
            belief.answer(now);
        }
        self.plan_talk(now, id, out);
    }

    fn plan_talk(&self, now: Time, id: BeliefId, out: &mut Out) {
        let Some(talk) = self.belief(id).map(|belief| &belief.talk) else {
            return;
        };
        let hang_up = talk.hangs_up_after.map(|after| (after, Act::HangUp(id)));
        let hold = talk.holds.map(|(after, _)| (after, Act::Hold(id)));
        let resume = talk
            .holds
            .map(|(after, length)| (after + length, Act::Resume(id)));
        let presses = talk.presses.iter();
        let presses = presses.map(|(after, key)| (*after, Act::Press(id, *key)));
        let hands_on = talk.hands_on.clone();
        let hands_on = hands_on.map(|(after, target)| (after, Act::HandOn(id, target)));
        let acts = [hang_up, hold, resume, hands_on];
        let acts = acts.into_iter().flatten().chain(presses);
        out.acts.extend(acts.map(|(after, act)| (now + after, act)));
    }

    pub(super) fn ended(&mut self, now: Time, dialog: DialogId, cause: &EndCause) {
        let end = match cause {
            EndCause::Bye { .. } => End::TheyHungUp,
            EndCause::HungUp => return,
            EndCause::SessionExpired
            | EndCause::NoAck
            | EndCause::DialogLost
            | EndCause::Transport => End::Lost,
        };
        self.over(now, dialog, end);
    }

    pub(super) fn over(&mut self, now: Time, dialog: DialogId, end: End) {
        if let Some(id) = self.by_dialog.get(&dialog).copied() {
            self.finish(now, id, end);
        }
    }

    fn finish(&mut self, now: Time, id: BeliefId, end: End) {
        if let Some(belief) = self.belief_mut(id) {
            belief.finish(now, end);
            let dialog = belief.dialog;
            self.by_dialog.remove(&dialog);
        }
    }

    /// The node offers something new.
    pub(super) fn offered(&mut self, now: Time, dialog: DialogId, sdp: &[u8], out: &mut Out) {
        let Some(id) = self.by_dialog.get(&dialog).copied() else {
            return;
        };
        self.tell(id, sdp, out);
        let answer = self.answer_to_told(id);
        let outputs = match &answer {
            Some(answer) => self.ua.answer(now, dialog, answer.clone()),
            None => self.ua.refuse(now, dialog, 488),
        };
        if let (Some(belief), Some(answer)) = (self.belief_mut(id), answer) {
            belief.ours = Description::parse(&answer).ok();
            belief.agreed_at = now;
        }
        self.carry_out(now, outputs, out);
    }

    pub(super) fn offer_wanted(&mut self, now: Time, dialog: DialogId, out: &mut Out) {
        let Some(id) = self.by_dialog.get(&dialog).copied() else {
            return;
        };
        let sdp = self.own_description(id, Direction::SendRecv);
        let outputs = self.ua.answer(now, dialog, sdp);
        self.carry_out(now, outputs, out);
    }

    pub(super) fn offer_answered(
        &mut self,
        now: Time,
        dialog: DialogId,
        sdp: &[u8],
        out: &mut Out,
    ) {
        let Some(id) = self.by_dialog.get(&dialog).copied() else {
            return;
        };
        self.tell(id, sdp, out);
        if let Some(belief) = self.belief_mut(id) {
            belief.ours = belief.offering.take().or(belief.ours.take());
            belief.agreed_at = now;
        }
    }

    pub(super) fn offer_refused(&mut self, now: Time, dialog: DialogId) {
        let id = self.by_dialog.get(&dialog).copied();
        if let Some(belief) = id.and_then(|id| self.belief_mut(id)) {
            belief.offering = None;
            belief.agreed_at = now;
        }
    }

    /// Keeps what the node described.
    fn tell(&mut self, id: BeliefId, sdp: &[u8], out: &mut Out) {
        let told = Description::parse(sdp).ok();
        if let Some(told) = &told {
            out.told.push((id, told.remote().rtp.port()));
        }
        if let Some(belief) = self.belief_mut(id) {
            belief.told = told;
        }
    }

    fn waiting(&self, id: BeliefId) -> Option<DialogId> {
        let belief = self.belief(id)?;
        (belief.stage == Stage::Waiting).then_some(belief.dialog)
    }

    fn answer_to_told(&mut self, id: BeliefId) -> Option<Vec<u8>> {
        let version = self.next_version(id);
        let local = self.local(id, version);
        let told = self.belief(id)?.told.as_ref()?;
        let mut codecs = self.codecs.clone();
        codecs.push(Codec::TelephoneEvent);
        own_answer(&codecs, told, local).ok()
    }

    fn own_description(&mut self, id: BeliefId, direction: Direction) -> Vec<u8> {
        let version = self.next_version(id);
        let sdp = own_offer(&self.codecs, self.local(id, version));
        let text = String::from_utf8_lossy(&sdp);
        let wanted = format!("a={}", direction.name());
        text.replace("a=sendrecv", &wanted).into_bytes()
    }

    fn next_version(&mut self, id: BeliefId) -> u64 {
        self.belief_mut(id).map_or(1, |belief| {
            belief.version += 1;
            belief.version
        })
    }

    /// Where the audio of a call goes; every call has a port of its own.
    fn local(&self, id: BeliefId, version: u64) -> Local {
        let number = u16::try_from(id.0 % 10_000).unwrap_or_default();
        Local {
            address: self.place.inside.ip(),
            rtp_port: FIRST_RTP_PORT + 2 * number,
            session: u64::from(number) + 1,
            version,
        }
    }
}

impl Carrier {
    /// Where a call to its customer goes: to the Contact it registered, else to the number.
    fn target(&self, to: &str) -> String {
        let registered = self.registrar.as_ref();
        registered
            .and_then(|registrar| registrar.contact.clone())
            .unwrap_or_else(|| to.to_owned())
    }
}

/// Text as the value of a header in a URI (RFC 3261 §19.1.2).
fn in_uri_header(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// The Call-ID of a message.
pub(crate) fn call_id_of(bytes: &[u8]) -> String {
    let message = Message::parse(bytes, sip::Framing::Datagram);
    let call_id = message
        .as_ref()
        .ok()
        .and_then(Message::call_id)
        .unwrap_or_default();
    String::from_utf8_lossy(call_id).into_owned()
}

/// The caller's number as a display shows it.
fn shown_number(invite: &Message<'_>) -> Option<String> {
    let user = Uri::parse(invite.from()?.uri)?.user_decoded()?;
    let user = String::from_utf8_lossy(&user).into_owned();
    (user != "anonymous").then_some(user)
}
