//! A world for user agents: virtual time, a network that loses, delays, reorders and duplicates by
//! a seed, and a diary of what each agent was told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use clock::Time;
use sip::{
    Contacts, Counts, Destination, DialogId, EndCause, Event, FlowId, Framing, Incoming, Invite,
    Limits, Message, Method, NatPolicy, Output, Party, Source, Transmit, Transport, Ua, UaConfig,
};

/// When every world begins.
pub(crate) const START: Time = Time::from_secs(1_700_000_000);

/// Numbers from a seed (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }
}

/// How bad the network is.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) loss_percent: u64,
    pub(crate) duplicate_percent: u64,
    pub(crate) mangle_percent: u64,
    pub(crate) delay_ms: (u64, u64),
}

/// A network that only delays.
pub(crate) const FAIR: Weather = Weather {
    loss_percent: 0,
    duplicate_percent: 0,
    mangle_percent: 0,
    delay_ms: (5, 6),
};

/// A datagram on its way.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Packet {
    /// `INVITE`, or `200 INVITE` for an answer.
    pub(crate) fn name(&self) -> String {
        name_of(&self.bytes)
    }
}

/// `INVITE`, or `200 INVITE` for an answer.
pub(crate) fn name_of(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes, Framing::Datagram) else {
        // The answer to what cannot be read lacks what the request lacked.
        return "an answer to a wreck".to_owned();
    };
    let method = message.method().as_str();
    match message.status_line() {
        Some(line) => format!("{} {method}", line.code),
        None => method.to_owned(),
    }
}

/// One user agent and what it was told.
pub(crate) struct Agent {
    pub(crate) ua: Ua,
    pub(crate) address: SocketAddr,
    pub(crate) diary: Vec<(Time, Event)>,
    /// Events not yet looked at by the test.
    fresh: Vec<Event>,
}

/// What a fault does with a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    Lost,
}

type Fault = Box<dyn FnMut(Time, &Packet) -> Fate>;
type Act = Box<dyn FnOnce(&mut World)>;

/// Agents, the network between them, and time.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: Time,
    pub(crate) agents: Vec<Agent>,
    pub(crate) weather: Weather,
    pub(crate) dice: Dice,
    /// Every dialog begun, by agent.
    pub(crate) begun: BTreeSet<(usize, DialogId)>,
    /// Every packet sent, as `from>to name`, with the time in milliseconds.
    pub(crate) ladder: Vec<String>,
    fault: Fault,
    transport: Transport,
    packets: BTreeMap<(Time, u64), Packet>,
    acts: BTreeMap<(Time, u64), Act>,
    number: u64,
}

impl World {
    pub(crate) fn new(seed: u64, agents: usize) -> Self {
        Self::with_limits(seed, agents, Limits::default())
    }

    pub(crate) fn with_limits(seed: u64, agents: usize, limits: Limits) -> Self {
        let agents = (0..agents)
            .map(|index| Agent::new(index, seed, limits))
            .collect();
        Self {
            seed,
            now: START,
            agents,
            weather: FAIR,
            dice: Dice::new(seed),
            begun: BTreeSet::new(),
            ladder: Vec::new(),
            fault: Box::new(|_, _| Fate::Arrives),
            transport: Transport::Udp,
            packets: BTreeMap::new(),
            acts: BTreeMap::new(),
            number: 0,
        }
    }

    /// The same over streams: packets are whole messages, and the weather should be fair.
    pub(crate) fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Loses what the fault picks.
    pub(crate) fn fault(&mut self, fault: impl FnMut(Time, &Packet) -> Fate + 'static) {
        self.fault = Box::new(fault);
    }

    /// Loses the first `count` packets of that name.
    pub(crate) fn lose(&mut self, name: &'static str, mut count: usize) {
        self.fault(move |_, packet| {
            if count > 0 && packet.name() == name {
                count -= 1;
                return Fate::Lost;
            }
            Fate::Arrives
        });
    }

    /// Does something later.
    pub(crate) fn later(&mut self, after: Duration, act: impl FnOnce(&mut Self) + 'static) {
        self.number += 1;
        self.acts
            .insert((self.now + after, self.number), Box::new(act));
    }

    /// Uses an agent and takes care of what it wants done.
    pub(crate) fn with<T: Into<Vec<Output>>>(
        &mut self,
        agent: usize,
        act: impl FnOnce(&mut Ua, Time) -> T,
    ) {
        let outputs = act(&mut self.agents[agent].ua, self.now).into();
        self.take(agent, outputs);
    }

    /// Begins a call from one agent to another.
    pub(crate) fn call(&mut self, from: usize, to: usize) -> DialogId {
        let destination = Destination {
            transport: self.transport,
            remote: self.agents[to].address,
            flow: None,
        };
        let dialog = self.agents[from].ua.next_dialog_id();
        self.begun.insert((from, dialog));
        self.with(from, |ua, now| ua.invite(now, dialog, invite(destination)));
        dialog
    }

    /// Lets time pass. What agents are told goes to `react`.
    pub(crate) fn run(&mut self, time: Duration, mut react: impl FnMut(&mut Self, usize, Event)) {
        let end = self.now + time;
        loop {
            self.tell(&mut react);
            let Some(next) = self.next_time().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass; nobody does anything.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.run(time, |_, _, _| {});
    }

    /// The events an agent was told of one dialog.
    pub(crate) fn told(&self, agent: usize, dialog: DialogId) -> Vec<&Event> {
        let diary = self.agents[agent].diary.iter().map(|(_, event)| event);
        diary
            .filter(|event| dialog_of(event) == Some(dialog))
            .collect()
    }

    /// Every dialog ended exactly once, and nothing came after its end.
    pub(crate) fn assert_ended_once(&self) {
        let ladder = || format!("seed {}\n{}", self.seed, self.ladder.join("\n"));
        for (agent, dialog) in &self.begun {
            let told = self.told(*agent, *dialog);
            let ends = told.iter().filter(|event| is_end(event)).count();
            let is_last = told.last().is_some_and(|event| is_end(event));
            assert!(
                ends == 1 && is_last,
                "agent {agent} {dialog:?}: {told:#?}\n{}",
                ladder()
            );
        }
        for agent in &self.agents {
            assert_eq!(agent.ua.counts(), Counts::default(), "{}", ladder());
            assert_eq!(agent.ua.deadline(), None, "{}", ladder());
        }
    }

    fn next_time(&self) -> Option<Time> {
        let packet = self.packets.keys().next().map(|(at, _)| *at);
        let act = self.acts.keys().next().map(|(at, _)| *at);
        let deadlines = self.agents.iter().map(|agent| agent.ua.deadline());
        deadlines.chain([packet, act]).flatten().min()
    }

    fn step(&mut self) {
        while let Some(entry) = self
            .acts
            .first_entry()
            .filter(|entry| entry.key().0 <= self.now)
        {
            entry.remove()(self);
        }
        while let Some(entry) = self
            .packets
            .first_entry()
            .filter(|entry| entry.key().0 <= self.now)
        {
            let packet = entry.remove();
            self.arrive(&packet);
        }
        for index in 0..self.agents.len() {
            if self.agents[index]
                .ua
                .deadline()
                .is_some_and(|due| due <= self.now)
            {
                self.with(index, Ua::wake);
            }
        }
    }

    fn arrive(&mut self, packet: &Packet) {
        let Some(index) = self
            .agents
            .iter()
            .position(|agent| agent.address == packet.to)
        else {
            return;
        };
        let source = Source {
            transport: self.transport,
            remote: packet.from,
            flow: FlowId(index as u64),
        };
        self.with(index, |ua, now| ua.receive(now, source, &packet.bytes));
    }

    fn take(&mut self, agent: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(transmit) => self.send(agent, transmit),
                Output::Event(event) => {
                    self.agents[agent].diary.push((self.now, event.clone()));
                    self.agents[agent].fresh.push(event);
                }
            }
        }
    }

    fn tell(&mut self, react: &mut impl FnMut(&mut Self, usize, Event)) {
        for index in 0..self.agents.len() {
            while !self.agents[index].fresh.is_empty() {
                let event = self.agents[index].fresh.remove(0);
                react(self, index, event);
            }
        }
    }

    /// Changes, removes or doubles a few bytes.
    fn mangle(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.dice.below(4) {
            let length = u64::try_from(bytes.len()).unwrap();
            let at = usize::try_from(self.dice.below(length)).unwrap();
            match self.dice.below(4) {
                0 => bytes[at] = b" ;,:<>@=\r\n0"[at % 11],
                1 => bytes[at] ^= 1 << self.dice.below(8),
                2 => drop(bytes.drain(at..bytes.len().min(at + 5))),
                _ => bytes.extend_from_within(at..bytes.len().min(at + 40)),
            }
            if bytes.is_empty() {
                return;
            }
        }
    }

    fn send(&mut self, agent: usize, transmit: Transmit) {
        let from = self.agents[agent].address;
        let packet = Packet {
            from,
            to: transmit.to.remote,
            bytes: transmit.bytes,
        };
        let at = (self.now - START).as_millis();
        self.ladder.push(format!(
            "{at} {}>{} {}",
            from.ip(),
            packet.to.ip(),
            packet.name()
        ));
        if (self.fault)(self.now, &packet) == Fate::Lost
            || self.dice.percent(self.weather.loss_percent)
        {
            return;
        }
        let copies = if self.dice.percent(self.weather.duplicate_percent) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let (low, high) = self.weather.delay_ms;
            let delay = self.dice.millis(low..high);
            let mut packet = packet.clone();
            if self.dice.percent(self.weather.mangle_percent) {
                self.mangle(&mut packet.bytes);
            }
            self.number += 1;
            self.packets.insert((self.now + delay, self.number), packet);
        }
    }
}

impl Agent {
    fn new(index: usize, seed: u64, limits: Limits) -> Self {
        let address: SocketAddr = format!("192.0.2.{}:5060", index + 1).parse().unwrap();
        let config = UaConfig {
            product: "test".to_owned(),
            contacts: Contacts {
                udp: address,
                tcp: address,
            },
            session_expires_seconds: 1_800,
            limits,
        };
        let ua = Ua::new(config, seed.wrapping_mul(31).wrapping_add(index as u64));
        Self {
            ua,
            address,
            diary: Vec::new(),
            fresh: Vec::new(),
        }
    }
}

/// An ordinary call.
pub(crate) fn invite(to: Destination) -> Invite {
    Invite {
        to,
        uri: format!("sip:bob@{}", to.remote),
        from: Party {
            display: Some("Alice".to_owned()),
            uri: "sip:alice@a.example".to_owned(),
        },
        to_party: Party {
            display: None,
            uri: "sip:bob@b.example".to_owned(),
        },
        contact_user: Some("alice".to_owned()),
        headers: Vec::new(),
        sdp: b"offer".to_vec(),
        credentials: None,
        symmetric: NatPolicy::Symmetric,
        max_forwards: 70,
    }
}

/// The dialog an event tells of.
pub(crate) fn dialog_of(event: &Event) -> Option<DialogId> {
    match event {
        Event::Request(_) | Event::Response { .. } | Event::Subscription { .. } => None,
        Event::Provisional { dialog, .. }
        | Event::Accepted { dialog, .. }
        | Event::Refused { dialog, .. }
        | Event::Cancelled { dialog, .. }
        | Event::Established { dialog }
        | Event::Offered { dialog, .. }
        | Event::OfferWanted { dialog }
        | Event::OfferAnswered { dialog, .. }
        | Event::OfferRefused { dialog, .. }
        | Event::OfferWithdrawn { dialog }
        | Event::Referred { dialog, .. }
        | Event::Info { dialog, .. }
        | Event::Ended { dialog, .. } => Some(*dialog),
    }
}

/// Whether an event ends its dialog.
pub(crate) fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::Refused { .. } | Event::Cancelled { .. } | Event::Ended { .. }
    )
}

/// The cause of the end, if the dialog ended that way.
pub(crate) fn cause_of(events: &[&Event]) -> Option<EndCause> {
    events.iter().find_map(|event| match event {
        Event::Ended { cause, .. } => Some(cause.clone()),
        _ => None,
    })
}

/// Takes on the call of an INVITE; `None` for another request or when it is refused.
pub(crate) fn open(world: &mut World, agent: usize, incoming: &Incoming) -> Option<DialogId> {
    if incoming.method != Method::Invite {
        return None;
    }
    let now = world.now;
    let ua = &mut world.agents[agent].ua;
    let dialog = ua.next_dialog_id();
    match ua.open(now, dialog, incoming) {
        Ok(outputs) => {
            world.begun.insert((agent, dialog));
            world.take(agent, outputs);
            Some(dialog)
        }
        Err(refusal) => {
            world.with(agent, |ua, _| ua.reply(incoming, refusal.answer));
            None
        }
    }
}
