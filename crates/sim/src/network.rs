//! Between the node and everybody else: datagrams that are late, lost, doubled and overtake one
//! another; connections that keep order until they are closed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clock::Time;
use sip::FlowId;

use crate::party::PartyId;
use crate::random::{Random, millis};

/// Where the node can be reached, by datagrams and by connections.
pub(crate) const NODE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);

/// The node's socket, and the only one of each party.
pub(crate) const DATAGRAMS: FlowId = FlowId(0);

/// How good the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Datagrams that get lost, of a hundred.
    pub loss_percent: u32,
    /// Datagrams that come twice, of a hundred.
    pub duplicate_percent: u32,
    /// The shortest and the longest way, in milliseconds. Datagrams overtake one another when the
    /// two differ.
    pub delay_ms: (u32, u32),
}

impl Weather {
    /// Every datagram takes ten milliseconds.
    pub const FAIR: Self = Self {
        loss_percent: 0,
        duplicate_percent: 0,
        delay_ms: (10, 10),
    };

    /// The weather of a random world.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let jitter = (random.between(1, 20), random.between(20, 120));
        match random.between(0, 9) {
            0..=1 => Self::FAIR,
            // So slow that everything is sent again before it can be answered.
            2 => Self {
                delay_ms: (random.between(100, 300), random.between(300, 900)),
                ..Self::FAIR
            },
            3..=4 => Self {
                delay_ms: jitter,
                ..Self::FAIR
            },
            5 => Self {
                duplicate_percent: 15,
                delay_ms: jitter,
                ..Self::FAIR
            },
            _ => Self {
                loss_percent: random.between(1, 20),
                duplicate_percent: random.between(0, 10),
                delay_ms: jitter,
            },
        }
    }

    /// How far what two sides believe may lie apart. A message that is lost is sent again for 32 s
    /// (RFC 3261 §17.1.1.2), and one that waits for it takes as long again.
    pub(crate) fn slack(&self) -> Duration {
        if self.loss_percent > 0 {
            return Duration::from_secs(70);
        }
        Duration::from_secs(2) + 6 * Duration::from_millis(self.delay_ms.1.into())
    }
}

/// One end of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Node,
    Party(PartyId),
    /// Somebody the node has never heard of.
    Stranger(SocketAddr),
}

/// What a message travels by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Datagram,
    Connection(FlowId),
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: Peer,
    pub(crate) to: Peer,
    pub(crate) way: Way,
    pub(crate) bytes: Vec<u8>,
}

/// A connection between the node and a party.
#[derive(Debug)]
struct Connection {
    party: PartyId,
    /// When the last message towards the node, and towards the party, arrives.
    last_arrivals: [Time; 2],
}

/// The network.
pub(crate) struct Network {
    weather: Weather,
    random: Random,
    open: BTreeMap<FlowId, Connection>,
    last_flow: u64,
}

impl Network {
    /// A network without connections.
    pub(crate) fn new(weather: Weather, random: Random) -> Self {
        Self {
            weather,
            random,
            open: BTreeMap::new(),
            last_flow: DATAGRAMS.0,
        }
    }

    /// From now on nothing gets lost any more.
    pub(crate) fn clears_up(&mut self) {
        self.weather = Weather::FAIR;
    }

    /// When the copies of a message arrive: never, once or twice.
    pub(crate) fn arrivals(&mut self, now: Time, packet: &Packet) -> Vec<Time> {
        match packet.way {
            Way::Datagram => self.datagram_arrivals(now),
            Way::Connection(flow) => self.in_order(now, flow, packet.to).into_iter().collect(),
        }
    }

    fn datagram_arrivals(&mut self, now: Time) -> Vec<Time> {
        if self.random.percent(self.weather.loss_percent) {
            return Vec::new();
        }
        let mut arrivals = vec![now + self.delay()];
        if self.random.percent(self.weather.duplicate_percent) {
            arrivals.push(now + self.delay());
        }
        arrivals
    }

    fn in_order(&mut self, now: Time, flow: FlowId, to: Peer) -> Option<Time> {
        let at = now + self.delay();
        let connection = self.open.get_mut(&flow)?;
        let [towards_node, towards_party] = &mut connection.last_arrivals;
        let last = match to {
            Peer::Node => towards_node,
            Peer::Party(_) | Peer::Stranger(_) => towards_party,
        };
        *last = at.max(*last);
        Some(*last)
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = self.weather.delay_ms;
        millis(&mut self.random, least, most)
    }

    /// The open connection to a party, if there is one.
    pub(crate) fn connection_of(&self, party: PartyId) -> Option<FlowId> {
        let mut of_party = self
            .open
            .iter()
            .filter(|(_, connection)| connection.party == party);
        of_party.next_back().map(|(flow, _)| *flow)
    }

    /// Whether the connection is open.
    pub(crate) fn is_open(&self, flow: FlowId) -> bool {
        self.open.contains_key(&flow)
    }

    /// Opens a connection between the node and a party.
    pub(crate) fn connect(&mut self, party: PartyId) -> FlowId {
        self.last_flow += 1;
        let flow = FlowId(self.last_flow);
        let last_arrivals = [Time::ZERO; 2];
        let connection = Connection {
            party,
            last_arrivals,
        };
        self.open.insert(flow, connection);
        flow
    }

    /// Closes the connections of a party. Gives them.
    pub(crate) fn disconnect(&mut self, party: PartyId) -> Vec<FlowId> {
        let of_party = |(flow, connection): (&FlowId, &Connection)| {
            (connection.party == party).then_some(*flow)
        };
        let closed: Vec<FlowId> = self.open.iter().filter_map(of_party).collect();
        for flow in &closed {
            self.open.remove(flow);
        }
        closed
    }
}
