//! The world: its clock, and who meets whom.
//!
//! One loop takes whatever comes first: what is on the agenda, the node's deadline, a party's.
//! Everything the node does is looked at before it is carried out.

mod asks;
mod carry;
mod cast;
mod mailbox;
mod operator;
mod rest;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use engine::{Engine, Input, Settings};
use media::{MediaEvent, PathId};
use pbx::Plan;
use pbx::draft::Draft;
use sip::{Contacts, FlowId, Limits, RegistrarLimits, Source, Transport, UaConfig};

pub use carry::{Recorded, RecordedInput};
pub(crate) use operator::Intervention;

use crate::Broken;
use crate::agenda::{Agenda, Happening};
use crate::check::{Audio, Cause, Story, Wire};
use crate::ladder::Ladder;
use crate::network::{DATAGRAMS, NODE, Network, Packet, Peer, Way, Weather};
use crate::party::{Out, Party, PartyId, Power};
use crate::planted::{Planted, Planter};
use crate::random::{Random, fork};
use crate::shell::Shell;

/// When every world begins.
pub(crate) const START: Time = Time::from_secs(1_700_000_000);

/// Steps within one instant. More is a circle.
const MAX_STEPS_PER_INSTANT: u32 = 20_000;

/// How long the media threads wait for a peer that sends nothing.
const SILENCE: Duration = Duration::from_secs(8);

/// Port pairs that wait for a leg, and so many that they always do.
const STOCK: usize = 64;
const PLENTY: usize = 500;

/// What a world is made from.
pub(crate) struct Ground {
    pub(crate) seed: u64,
    pub(crate) weather: Weather,
    /// Port pairs of all media threads.
    pub(crate) port_pairs: usize,
    pub(crate) planted: Option<Planted>,
    pub(crate) ladder: Ladder,
}

/// An account, as its draft was applied last.
pub(crate) struct Office {
    pub(crate) draft: Draft,
    pub(crate) plan: Arc<Plan>,
}

/// A world.
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) engine: Engine,
    pub(crate) weather: Weather,
    pub(crate) random: Random,
    pub(crate) parties: Vec<Party>,
    pub(crate) offices: Vec<Office>,
    pub(crate) agenda: Agenda,
    pub(crate) network: Network,
    pub(crate) shell: Shell,
    pub(crate) story: Story,
    pub(crate) audio: Audio,
    pub(crate) ladder: Ladder,
    /// Domain names of carriers.
    pub(crate) names: BTreeMap<String, Vec<SocketAddr>>,
    /// There may be no port for a call.
    pub(crate) is_short_of_ports: bool,
    /// The operator has changed something while calls were up.
    pub(crate) intervened: bool,
    /// Nobody begins anything new any more.
    pub(crate) is_closing: bool,
    /// Paths of phones that a program's call has rung.
    pub(crate) summoned: BTreeSet<PathId>,
    wire: Wire,
    planter: Planter,
    by_address: BTreeMap<SocketAddr, PartyId>,
    recorded: Option<Recorded>,
    digest: u64,
    steps: u32,
}

impl World {
    /// A world with a node that has ports, and nobody else.
    pub(crate) fn new(ground: Ground) -> Self {
        let mut random = Random::new(ground.seed);
        let mut world = Self {
            now: START,
            engine: Engine::new(settings(ground.seed)),
            weather: ground.weather,
            parties: Vec::new(),
            offices: Vec::new(),
            agenda: Agenda::default(),
            network: Network::new(ground.weather, fork(&mut random)),
            shell: Shell::new(ground.port_pairs, fork(&mut random)),
            story: Story::default(),
            audio: Audio::default(),
            ladder: ground.ladder,
            names: BTreeMap::new(),
            is_short_of_ports: ground.port_pairs < PLENTY,
            intervened: false,
            is_closing: false,
            summoned: BTreeSet::new(),
            wire: Wire::default(),
            planter: Planter::new(ground.planted),
            by_address: BTreeMap::new(),
            recorded: None,
            digest: 0xcbf2_9ce4_8422_2325,
            steps: 0,
            random,
        };
        world.refill_ports();
        world
    }

    /// What went through the node, as one number.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Lets time go on until `end`.
    pub(crate) fn run_until(&mut self, end: Time) -> Result<(), Broken> {
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            if at > self.now {
                self.now = at;
                self.steps = 0;
            }
            self.steps += 1;
            Broken::unless(self.steps < MAX_STEPS_PER_INSTANT, || {
                "time stands still".to_owned()
            })?;
            self.step()?;
        }
        self.now = end;
        Ok(())
    }

    fn next_at(&self) -> Option<Time> {
        let party = self.parties.iter().filter_map(awake).min();
        [self.agenda.next_at(), self.node_wakes_at(), party]
            .into_iter()
            .flatten()
            .min()
    }

    fn node_wakes_at(&self) -> Option<Time> {
        let deadline = self.engine.deadline()?;
        Some(self.planter.wakes_at(deadline))
    }

    fn step(&mut self) -> Result<(), Broken> {
        if let Some(happening) = self.agenda.take_due(self.now) {
            return self.happen(happening);
        }
        if self.node_wakes_at().is_some_and(|at| at <= self.now) {
            self.node(Input::Wake, &Cause::Other)?;
            return Broken::unless(self.engine.deadline() > Some(self.now), || {
                "the node has woken and its deadline is still due".to_owned()
            })
            .or_else(|broken| self.engine.deadline().map_or(Ok(()), |_| Err(broken)));
        }
        let is_due = |party: &&mut Party| awake(party).is_some_and(|at| at <= self.now);
        let Some(party) = self.parties.iter_mut().find(is_due) else {
            return Ok(());
        };
        let (id, mut out) = (party.id, Out::default());
        party.wake(self.now, &mut out);
        self.party_did(id, out)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Arrives(packet) => self.arrives(packet),
            Happening::Acts(id, act) => self.acts(id, act),
            Happening::NodeFlowClosed(flow) => self.node(Input::FlowClosed(flow), &Cause::Other),
            Happening::PartyFlowClosed(id, flow) => {
                self.party(id, |party, now, out| party.flow_closed(now, flow, out))
            }
            Happening::NodeSendFailed(to) => self.node(Input::SendFailed(to), &Cause::Other),
            Happening::Media(event) => self.media_news(event),
            Happening::Resolved {
                token,
                addresses,
                valid,
            } => {
                let input = Input::Resolved {
                    token,
                    addresses,
                    valid,
                };
                self.node(input, &Cause::Other)
            }
            Happening::Asks(account, asked) => self.asks(account, asked),
            Happening::Told {
                account,
                call,
                question,
                told,
            } => {
                let input = Input::Told {
                    account,
                    call,
                    question,
                    told,
                };
                self.node(input, &Cause::Other)
            }
            Happening::Operator(intervention) => self.intervene(intervention),
            Happening::Listen => {
                self.refill_ports();
                self.offers_are_answered()?;
                self.listen()
            }
        }
    }

    fn media_news(&mut self, event: MediaEvent) -> Result<(), Broken> {
        let cause = match &event {
            MediaEvent::Closed { path, .. } => Cause::Closed(*path),
            _ => Cause::Other,
        };
        if let MediaEvent::Silent { path } = &event
            && !self.is_watched(*path)
        {
            return Ok(());
        }
        self.node(Input::Media(event), &cause)
    }

    fn arrives(&mut self, packet: Packet) -> Result<(), Broken> {
        match packet.to {
            Peer::Node => {
                let Some(source) = self.source_of(&packet) else {
                    return Ok(());
                };
                if self.planter.is_deaf_to(&packet.bytes) {
                    return Ok(());
                }
                let from = match packet.from {
                    Peer::Party(id) => Some(id),
                    Peer::Node | Peer::Stranger(_) => None,
                };
                let cause = Cause::of_message(from, &packet.bytes);
                let bytes = self.planter.heard(packet.bytes);
                self.node(
                    Input::Packet {
                        source,
                        bytes: &bytes,
                    },
                    &cause,
                )
            }
            Peer::Party(id) => {
                let reaches = self.parties.get(id.0).is_some_and(|party| {
                    let gets_in = match packet.way {
                        Way::Datagram => party.place.lets_in(self.now),
                        Way::Connection(flow) => self.network.is_open(flow),
                    };
                    party.power == Power::On && gets_in
                });
                if !reaches {
                    return Ok(());
                }
                let source = Source {
                    transport: transport_of(packet.way),
                    remote: NODE,
                    flow: flow_of(packet.way),
                };
                self.party(id, |party, now, out| {
                    party.hear(now, source, &packet.bytes, out);
                })
            }
            Peer::Stranger(_) => Ok(()),
        }
    }

    fn source_of(&self, packet: &Packet) -> Option<Source> {
        let remote = match packet.from {
            Peer::Party(id) => self.parties.get(id.0)?.place.outside,
            Peer::Stranger(address) => address,
            Peer::Node => NODE,
        };
        if let Way::Connection(flow) = packet.way
            && !self.network.is_open(flow)
        {
            return None;
        }
        Some(Source {
            transport: transport_of(packet.way),
            remote,
            flow: flow_of(packet.way),
        })
    }

    /// Lets a party do something and carries out what comes of it.
    fn party(
        &mut self,
        id: PartyId,
        does: impl FnOnce(&mut Party, Time, &mut Out),
    ) -> Result<(), Broken> {
        let now = self.now;
        let Some(party) = self.parties.get_mut(id.0) else {
            return Ok(());
        };
        let mut out = Out::default();
        does(party, now, &mut out);
        self.party_did(id, out)
    }

    fn refill_ports(&mut self) {
        let missing = STOCK.saturating_sub(self.engine.counts().ports_in_stock);
        if let Some(ports) = self.shell.bind(self.now, missing) {
            self.agenda.add(self.now, Happening::Media(ports));
        }
    }
}

/// When a party wants to be woken. Who is switched off sleeps on.
fn awake(party: &Party) -> Option<Time> {
    party.deadline().filter(|_| party.power != Power::Off)
}

fn transport_of(way: Way) -> Transport {
    match way {
        Way::Datagram => Transport::Udp,
        Way::Connection(_) => Transport::Tcp,
    }
}

fn flow_of(way: Way) -> FlowId {
    match way {
        Way::Datagram => DATAGRAMS,
        Way::Connection(flow) => flow,
    }
}

/// The settings of every node here.
pub(crate) fn settings(seed: u64) -> Settings {
    Settings {
        node: 7,
        first_call_at: START,
        seed,
        secret: [7; 32],
        user_agent: UaConfig {
            product: "Switchhook".to_owned(),
            contacts: Contacts {
                udp: NODE,
                tcp: NODE,
            },
            session_expires_seconds: 90,
            limits: Limits::default(),
        },
        registrar: RegistrarLimits::default(),
        media_address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
        silence: Some(SILENCE),
        keepalive: Duration::from_secs(25),
    }
}
