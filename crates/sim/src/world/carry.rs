//! What the node and the parties want done is done here: sent, told, written down, and looked at.

use std::time::Duration;

use clock::Time;
use engine::{Effect, Input, Play};
use media::{MediaEvent, PathId};
use sip::{Destination, FlowId, Source, Transmit};

use super::World;
use crate::Broken;
use crate::agenda::Happening;
use crate::check::Cause;
use crate::network::{NODE, Packet, Peer, Way};
use crate::party::{Act, Out, PartyId, Power};
use crate::random::millis;

/// Inputs of a node in their order, to be given to another node.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The inputs.
    pub inputs: Vec<(Time, RecordedInput)>,
}

/// One input of a node.
#[derive(Clone, Debug)]
pub enum RecordedInput {
    /// A message.
    Packet(Source, Vec<u8>),
    /// News of the media threads.
    Media(MediaEvent),
    /// A plan.
    Apply(std::sync::Arc<pbx::Plan>),
    /// The deadline.
    Wake,
}

impl RecordedInput {
    /// As the node takes it.
    pub fn as_input(&self) -> Input<'_> {
        match self {
            Self::Packet(source, bytes) => Input::Packet {
                source: *source,
                bytes,
            },
            Self::Media(event) => Input::Media(event.clone()),
            Self::Apply(plan) => Input::Apply(plan.clone()),
            Self::Wake => Input::Wake,
        }
    }

    /// Its SIP bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Packet(_, bytes) => bytes.len(),
            Self::Media(_) | Self::Apply(_) | Self::Wake => 0,
        }
    }

    fn of(input: &Input<'_>) -> Option<Self> {
        match input {
            Input::Packet { source, bytes } => Some(Self::Packet(*source, bytes.to_vec())),
            Input::Media(event) => Some(Self::Media(event.clone())),
            Input::Apply(plan) => Some(Self::Apply(plan.clone())),
            Input::Wake => Some(Self::Wake),
            Input::FlowClosed(_)
            | Input::SendFailed(_)
            | Input::Resolved { .. }
            | Input::Remove(_)
            | Input::Originate { .. }
            | Input::Told { .. }
            | Input::Mailbox { .. }
            | Input::Restore { .. }
            | Input::Agent { .. }
            | Input::Load(_)
            | Input::HangUpAll => None,
        }
    }
}

impl World {
    /// From now on what the node is told is written down.
    pub(crate) fn record(&mut self) {
        self.recorded = Some(Recorded::default());
    }

    /// What was written down.
    pub(crate) fn take_recorded(&mut self) -> Recorded {
        self.recorded.take().unwrap_or_default()
    }

    /// Gives the node an input, looks at what it does, and does it.
    pub(crate) fn node(&mut self, input: Input<'_>, cause: &Cause) -> Result<(), Broken> {
        if let Some(recorded) = &mut self.recorded {
            let input = RecordedInput::of(&input);
            recorded.inputs.extend(input.map(|input| (self.now, input)));
        }
        self.story.hears(self.now, cause);
        let effects = self.engine.handle(self.now, input);
        let plays = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Play(_)));
        self.story.may_pick_up(plays);
        if let Cause::Asked(_) = cause {
            self.summons(&effects);
        }
        for effect in self.planter.spoil(effects, &self.shell) {
            self.note(&effect);
            self.carry_out(effect, cause)?;
        }
        self.story.settled(self.now, self.engine.deadline())?;
        let faults = self.engine.counts().faults;
        Broken::unless(faults == 0, || format!("{faults} steps of accounts failed"))
    }

    fn carry_out(&mut self, effect: Effect, cause: &Cause) -> Result<(), Broken> {
        match effect {
            Effect::Send(transmit) => {
                // A stranger may be answered with as little as it said.
                if self.by_address.contains_key(&transmit.to.remote) {
                    self.wire.sent(&transmit, &self.shell)?;
                }
                self.node_sends(transmit);
                Ok(())
            }
            Effect::Media(command) => {
                for (after, event) in self.shell.take(self.now, &command)? {
                    self.agenda.add(self.now + after, Happening::Media(event));
                }
                Ok(())
            }
            Effect::Play(Play {
                path, play, times, ..
            }) => {
                self.shell.plays(self.now, path)?;
                if times == pbx::Times::Once {
                    let after = millis(&mut self.random, 500, 8_000);
                    let ended = Happening::Media(MediaEvent::PlayEnded { path, play });
                    self.agenda.add(self.now + after, ended);
                }
                Ok(())
            }
            // What was begun is told in events.
            Effect::Originated { .. } => Ok(()),
            Effect::Ask(question) => {
                self.is_asked(&question);
                Ok(())
            }
            Effect::AskMailbox(question) => {
                self.mailbox_is_asked(&question);
                Ok(())
            }
            Effect::Emit(event) => {
                self.ladder.event(self.now, &event);
                let plan = self.engine.plan(event.account).cloned();
                self.story.event(self.now, &event, plan, cause)
            }
            Effect::Resolve { token, host, .. } => {
                let addresses = self.names.get(&*host).cloned().unwrap_or_default();
                let after = millis(&mut self.random, 1, 200);
                let resolved = Happening::Resolved {
                    token,
                    addresses,
                    valid: Duration::from_mins(5),
                };
                self.agenda.add(self.now + after, resolved);
                Ok(())
            }
            Effect::CloseCalls { account, .. } => {
                Err(Broken::new(format!("account {account} lost its calls")))
            }
        }
    }

    /// The address answers soon, late, with nonsense or not at all.
    fn is_asked(&mut self, question: &pbx::Question) {
        if self.random.percent(10) {
            return;
        }
        let exits = ["vip", "usual", "vip", "usual", "elsewhere"];
        let exit = self.random.pick(&exits).copied();
        let told = match exit.filter(|_| self.random.percent(90)) {
            Some(exit) => pbx::Told::Way {
                exit: exit.to_owned(),
                caller_name: self.random.percent(30).then(|| "Somebody".to_owned()),
            },
            None => pbx::Told::Nothing,
        };
        let after = millis(&mut self.random, 1, 2_500);
        let told = Happening::Told {
            account: question.account,
            call: question.call,
            question: question.id,
            told,
        };
        self.agenda.add(self.now + after, told);
    }

    fn node_sends(&mut self, transmit: Transmit) {
        let Some(party) = self.by_address.get(&transmit.to.remote).copied() else {
            let to = Peer::Stranger(transmit.to.remote);
            return self
                .ladder
                .message(self.now, (Peer::Node, to), &transmit.bytes, 1);
        };
        let way = if transmit.to.transport.is_reliable() {
            let Some(flow) = self.node_connection(transmit.to, party) else {
                let ends = (Peer::Node, Peer::Party(party));
                self.ladder.message(self.now, ends, &transmit.bytes, 0);
                return self.agenda.add(
                    self.now + CONNECT_FAILS_AFTER,
                    Happening::NodeSendFailed(transmit.to),
                );
            };
            Way::Connection(flow)
        } else {
            Way::Datagram
        };
        self.send(Packet {
            from: Peer::Node,
            to: Peer::Party(party),
            way,
            bytes: transmit.bytes,
        });
    }

    /// The connection a message of the node goes by: the one it names, any open one, or a new one
    /// to a party that waits for connections.
    fn node_connection(&mut self, to: Destination, party: PartyId) -> Option<FlowId> {
        if let Some(flow) = to.flow {
            return Some(flow).filter(|flow| self.network.is_open(*flow));
        }
        let found = self.parties.get(party.0)?;
        let is_listening = found.is_carrier() && found.power == Power::On;
        let open = self.network.connection_of(party);
        open.or_else(|| is_listening.then(|| self.network.connect(party)))
    }

    /// A party has done something.
    pub(super) fn party_did(&mut self, id: PartyId, out: Out) -> Result<(), Broken> {
        for (at, act) in out.acts {
            self.agenda.add(at, Happening::Acts(id, act));
        }
        for (belief, port) in out.told {
            let path = self.shell.path_at(port);
            let path = path.ok_or_else(|| Broken::new(format!("port {port} is nobody's")))?;
            let belief = self
                .parties
                .get_mut(id.0)
                .and_then(|party| party.belief_mut(belief));
            if let Some(belief) = belief.filter(|belief| !belief.paths.contains(&path)) {
                belief.paths.push(path);
            }
        }
        for transmit in out.sends {
            self.party_sends(id, transmit)?;
        }
        Ok(())
    }

    fn party_sends(&mut self, id: PartyId, transmit: Transmit) -> Result<(), Broken> {
        let Some(party) = self.parties.get_mut(id.0) else {
            return Ok(());
        };
        if party.power != Power::On || transmit.to.remote != NODE {
            return Ok(());
        }
        party.place.passes_out(self.now);
        let way = if transmit.to.transport.is_reliable() {
            let open = match transmit.to.flow {
                Some(flow) => Some(flow).filter(|flow| self.network.is_open(*flow)),
                None => self
                    .network
                    .connection_of(id)
                    .or_else(|| Some(self.network.connect(id))),
            };
            let Some(flow) = open else {
                return self.party(id, |party, now, out| party.send_failed(now, &transmit, out));
            };
            Way::Connection(flow)
        } else {
            Way::Datagram
        };
        self.send(Packet {
            from: Peer::Party(id),
            to: Peer::Node,
            way,
            bytes: transmit.bytes,
        });
        Ok(())
    }

    /// Puts a message on its way.
    pub(super) fn send(&mut self, packet: Packet) {
        let arrivals = self.network.arrivals(self.now, &packet);
        let ends = (packet.from, packet.to);
        self.ladder
            .message(self.now, ends, &packet.bytes, arrivals.len());
        let mut arrivals = arrivals.into_iter();
        let first = arrivals.next();
        for at in arrivals {
            self.agenda.add(at, Happening::Arrives(packet.clone()));
        }
        if let Some(at) = first {
            self.agenda.add(at, Happening::Arrives(packet));
        }
    }

    /// A party acts; some acts concern the network too.
    pub(super) fn acts(&mut self, id: PartyId, act: Act) -> Result<(), Broken> {
        let begins = matches!(
            act,
            Act::Dial(_) | Act::Unplug | Act::PowerCut | Act::Unregister | Act::Reconnect
        );
        if self.is_closing && begins {
            return Ok(());
        }
        match act {
            Act::Unplug => self.falls_silent(id, Memory::Kept),
            Act::PowerCut => self.falls_silent(id, Memory::Lost),
            Act::Reconnect => self.breaks(id, Memory::Kept),
            _ => {}
        }
        self.ladder.act(self.now, id, &act);
        self.party(id, |party, now, out| party.act(now, act, out))
    }

    /// The connections of a party break.
    fn breaks(&mut self, id: PartyId, memory: Memory) {
        for flow in self.network.disconnect(id) {
            self.agenda
                .add(self.now + BREAKS_AFTER, Happening::NodeFlowClosed(flow));
            // Calls on it may end.
            self.story.trouble(id);
            if memory == Memory::Kept {
                self.agenda
                    .add(self.now, Happening::PartyFlowClosed(id, flow));
            }
        }
    }

    /// A party is cut off: its connections break, and no audio comes from it any more.
    fn falls_silent(&mut self, id: PartyId, memory: Memory) {
        self.story.trouble(id);
        self.breaks(id, memory);
        let Some(party) = self.parties.get(id.0) else {
            return;
        };
        let talking = party.live_calls().filter(|(_, belief)| belief.is_talking());
        for path in talking.flat_map(|(_, belief)| &belief.paths) {
            let watched = self.shell.path(*path).and_then(|path| path.watch);
            if let Some(silence) = watched {
                let silent = MediaEvent::Silent { path: *path };
                self.agenda
                    .add(self.now + silence, Happening::Media(silent));
            }
        }
    }

    /// Whether a silence on this path would be noticed.
    pub(super) fn is_watched(&self, path: PathId) -> bool {
        let path = self.shell.path(path);
        path.is_some_and(|path| path.watch.is_some() && path.stage == crate::shell::Stage::InUse)
    }

    /// Goes into the number that stands for everything the node did (FNV-1a).
    fn note(&mut self, effect: &Effect) {
        const PRIME: u64 = 0x0100_0000_01b3;
        let mut put = |bytes: &[u8]| {
            for byte in bytes {
                self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(PRIME);
            }
        };
        match effect {
            Effect::Send(transmit) => put(&transmit.bytes),
            Effect::Media(_)
            | Effect::Play(_)
            | Effect::Emit(_)
            | Effect::Originated { .. }
            | Effect::Ask(_)
            | Effect::AskMailbox(_)
            | Effect::Resolve { .. }
            | Effect::CloseCalls { .. } => put(format!("{effect:?}").as_bytes()),
        }
    }
}

/// Whether a party that is cut off remembers what it was doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Kept,
    Lost,
}

const CONNECT_FAILS_AFTER: Duration = Duration::from_millis(20);
const BREAKS_AFTER: Duration = Duration::from_secs(3);
