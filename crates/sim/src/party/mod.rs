//! A phone or a carrier: a user agent of its own, a place in the network, habits, and what it
//! believes about its calls.

mod belief;
mod calls;
mod carrier;
mod habit;
mod lamp;
mod phone;
mod place;

use std::collections::BTreeMap;

use clock::Time;
use media::Codec;
use sip::{
    Contacts, DialogId, Event, FlowId, Incoming, Limits, Method, Output, Source, Transmit, Ua,
    UaConfig,
};

pub(crate) use belief::{Belief, BeliefId, End, Side, Stage};
pub(crate) use calls::call_id_of;
pub(crate) use carrier::{Calls, Carrier};
pub(crate) use habit::moody_talk;
pub use habit::{Reception, Talk, Target, Temper, Then};
pub(crate) use lamp::{Lamp, Told};
pub(crate) use phone::{Phone, Registered, Stays};
pub(crate) use place::Place;

use crate::random::{Random, fork};

/// Number of a party in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartyId(pub(crate) usize);

/// One thing a party does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Registers, or refreshes its registration.
    Register,
    /// Refreshes, unless it has registered again since that round.
    Refresh { round: u64 },
    /// Takes its registration away.
    Unregister,
    /// Calls somebody.
    Dial(Call),
    /// Says that it rings.
    Ring(BeliefId),
    /// Sends audio before its answer.
    SendEarly(BeliefId),
    /// Answers.
    Answer(BeliefId),
    /// Refuses a call.
    Reject(BeliefId, u16),
    /// Gives a call up that is not answered.
    GiveUp(BeliefId),
    /// Hangs up.
    HangUp(BeliefId),
    /// Puts the other side on hold.
    Hold(BeliefId),
    /// Takes it back.
    Resume(BeliefId),
    /// Presses a key.
    Press(BeliefId, char),
    /// Hands on whom it talks with.
    HandOn(BeliefId, Target),
    /// Ends whatever call it has, some way or other.
    Leave(BeliefId),
    /// Loses the network, but not its memory.
    Unplug,
    /// Its connection breaks, and it opens another one.
    Reconnect,
    /// Loses everything.
    PowerCut,
    /// Is back, after either.
    Return,
}

/// A call about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is dialled.
    pub dialled: String,
    /// The caller's number, if a carrier calls; `None` withholds it.
    pub caller: Option<String>,
    /// How long the caller waits for an answer.
    pub patience: std::time::Duration,
    /// What the caller does once it is answered.
    pub talk: Talk,
}

/// Whether a party can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    On,
    /// It lives, but nothing comes through.
    Unplugged,
    /// It is switched off.
    Off,
}

/// Phone or carrier.
pub(crate) enum Role {
    Phone(Phone),
    Carrier(Carrier),
}

/// What a party leaves to be done after a step.
#[derive(Default)]
pub(crate) struct Out {
    pub(crate) sends: Vec<Transmit>,
    pub(crate) acts: Vec<(Time, Act)>,
    /// RTP ports that the node named in its descriptions.
    pub(crate) told: Vec<(BeliefId, u16)>,
}

/// One party.
pub(crate) struct Party {
    pub(crate) id: PartyId,
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) role: Role,
    pub(crate) power: Power,
    pub(crate) temper: Temper,
    pub(crate) codecs: Vec<Codec>,
    /// Calls at once, beyond which it is busy.
    pub(crate) lines: usize,
    /// Every call it ever had.
    pub(crate) beliefs: Vec<Belief>,
    by_dialog: BTreeMap<DialogId, BeliefId>,
    ua: Ua,
    random: Random,
}

impl Party {
    /// A party that has done nothing yet.
    pub(crate) fn new(id: PartyId, cast: Cast, mut random: Random) -> Self {
        let ua = user_agent(&cast.name, &cast.place, &mut random);
        Self {
            id,
            name: cast.name,
            place: cast.place,
            role: cast.role,
            power: Power::On,
            temper: cast.temper,
            codecs: cast.codecs,
            lines: LINES,
            beliefs: Vec::new(),
            by_dialog: BTreeMap::new(),
            ua,
            random,
        }
    }

    /// When it wants to be woken. Who is switched off sleeps.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.ua.deadline()
    }

    /// How much its user agent keeps.
    pub(crate) fn counts(&self) -> sip::Counts {
        self.ua.counts()
    }

    /// A message arrives.
    pub(crate) fn hear(&mut self, now: Time, source: Source, bytes: &[u8], out: &mut Out) {
        if self.notified(source, bytes, out) {
            return;
        }
        let outputs = self.ua.receive(now, source, bytes);
        self.carry_out(now, outputs, out);
    }

    /// Its deadline has come.
    pub(crate) fn wake(&mut self, now: Time, out: &mut Out) {
        let outputs = self.ua.wake(now);
        self.carry_out(now, outputs, out);
    }

    /// A connection is closed.
    pub(crate) fn flow_closed(&mut self, now: Time, flow: FlowId, out: &mut Out) {
        let outputs = self.ua.flow_closed(now, flow);
        self.carry_out(now, outputs, out);
    }

    /// Something could not be sent.
    pub(crate) fn send_failed(&mut self, now: Time, transmit: &Transmit, out: &mut Out) {
        let outputs = self.ua.send_failed(now, transmit.to);
        self.carry_out(now, outputs, out);
    }

    /// Does something, if it still makes sense.
    pub(crate) fn act(&mut self, now: Time, act: Act, out: &mut Out) {
        match act {
            Act::Return => self.come_back(now, out),
            _ if self.power == Power::Off => {}
            Act::Register | Act::Reconnect => self.register(now, out),
            Act::Refresh { round } => self.refresh(now, round, out),
            Act::Unregister => self.unregister(now, out),
            Act::Dial(call) => self.dial(now, call, out),
            Act::Ring(belief) => self.ring(now, belief, out),
            Act::SendEarly(belief) => self.send_early(now, belief, out),
            Act::Answer(belief) => self.answer(now, belief, out),
            Act::Reject(belief, code) => self.reject(now, belief, code, out),
            Act::GiveUp(belief) => self.give_up(now, belief, out),
            Act::HangUp(belief) => self.hang_up(now, belief, out),
            Act::Hold(_) | Act::Resume(_) => self.offer(now, act, out),
            Act::Press(belief, key) => self.press(now, belief, key, out),
            Act::HandOn(belief, target) => self.hand_on(now, belief, &target, out),
            Act::Leave(belief) => self.leave(now, belief, out),
            Act::Unplug => self.power = Power::Unplugged,
            Act::PowerCut => self.power_cut(now),
        }
    }

    /// Whether it waits for connections.
    pub(crate) fn is_carrier(&self) -> bool {
        matches!(self.role, Role::Carrier(_))
    }

    /// Every call that the party thinks goes on.
    pub(crate) fn live_calls(&self) -> impl Iterator<Item = (BeliefId, &Belief)> {
        let numbered = self.beliefs.iter().enumerate();
        numbered
            .filter(|(_, belief)| belief.is_live())
            .map(|(index, belief)| (BeliefId(index), belief))
    }

    pub(crate) fn belief(&self, id: BeliefId) -> Option<&Belief> {
        self.beliefs.get(id.0)
    }

    pub(crate) fn belief_mut(&mut self, id: BeliefId) -> Option<&mut Belief> {
        self.beliefs.get_mut(id.0)
    }

    fn power_cut(&mut self, now: Time) {
        self.power = Power::Off;
        for belief in &mut self.beliefs {
            belief.finish(now, End::PowerCut);
        }
        self.by_dialog.clear();
        self.ua = user_agent(&self.name, &self.place, &mut self.random);
        if let Role::Phone(phone) = &mut self.role {
            phone.forget();
        }
    }

    fn come_back(&mut self, now: Time, out: &mut Out) {
        self.power = Power::On;
        self.register(now, out);
    }

    fn carry_out(&mut self, now: Time, outputs: Vec<Output>, out: &mut Out) {
        for output in outputs {
            match output {
                Output::Send(transmit) => out.sends.push(transmit),
                Output::Event(event) => self.event(now, event, out),
            }
        }
    }

    fn event(&mut self, now: Time, event: Event, out: &mut Out) {
        match event {
            Event::Request(incoming) => self.request(now, &incoming, out),
            Event::Response { id, code, answer } if id == lamp::SUBSCRIBES => {
                self.subscribed(code, &answer);
            }
            Event::Response { code, answer, .. } => self.response(now, code, &answer, out),
            Event::Provisional { dialog, sdp, .. } => self.heard_early(dialog, sdp.as_deref(), out),
            Event::Accepted { dialog, sdp } => self.accepted(now, dialog, sdp.as_deref(), out),
            Event::Refused { dialog, code, .. } => self.over(now, dialog, End::Refused(code)),
            Event::Cancelled { dialog, .. } => self.over(now, dialog, End::Cancelled),
            Event::Ended { dialog, cause } => self.ended(now, dialog, &cause),
            Event::Established { .. }
            | Event::OfferWithdrawn { .. }
            | Event::Referred { .. }
            | Event::Subscription { .. }
            | Event::Info { .. } => {}
            Event::Offered { dialog, sdp } => self.offered(now, dialog, &sdp, out),
            Event::OfferWanted { dialog } => self.offer_wanted(now, dialog, out),
            Event::OfferAnswered { dialog, sdp } => self.offer_answered(now, dialog, &sdp, out),
            Event::OfferRefused { dialog, .. } => self.offer_refused(now, dialog),
        }
    }

    fn request(&mut self, now: Time, incoming: &Incoming, out: &mut Out) {
        let answer = match incoming.method {
            Method::Invite => return self.called(now, incoming, out),
            Method::Register => self.registered_with(now, incoming),
            Method::Options => sip::Answer::code(200),
            _ => sip::Answer::code(405),
        };
        let outputs = self.ua.respond(now, incoming, answer);
        self.carry_out(now, outputs, out);
    }
}

/// Calls at once of most phones.
const LINES: usize = 3;

/// What a party is made from.
pub(crate) struct Cast {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) role: Role,
    pub(crate) temper: Temper,
    pub(crate) codecs: Vec<Codec>,
}

fn user_agent(name: &str, place: &Place, random: &mut Random) -> Ua {
    let config = UaConfig {
        product: name.to_owned(),
        contacts: Contacts {
            udp: place.inside,
            tcp: place.inside,
        },
        session_expires_seconds: 1_800,
        limits: Limits::default(),
    };
    Ua::new(config, fork(random).bits())
}
