//! Where in the network a party is, and the NAT it may sit behind.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clock::Time;
use sip::Transport;

/// How long a NAT keeps the way in open after the last packet that left (RFC 4787 §4.3 asks for two
/// minutes; half of that is common).
const NAT_LIFETIME: Duration = Duration::from_mins(1);

/// A place in the network.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// What the party thinks its address is.
    pub(crate) inside: SocketAddr,
    /// Where its packets come from.
    pub(crate) outside: SocketAddr,
    pub(crate) transport: Transport,
    nat: Nat,
}

#[derive(Clone, Copy, Debug)]
enum Nat {
    None,
    ClosesAt(Time),
}

impl Place {
    /// A public address.
    pub(crate) fn public(address: SocketAddr, transport: Transport) -> Self {
        Self {
            inside: address,
            outside: address,
            transport,
            nat: Nat::None,
        }
    }

    /// The `number`th phone of an office, at a public address.
    pub(crate) fn desk(number: u8, transport: Transport) -> Self {
        let ip = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10 + number));
        Self::public(SocketAddr::new(ip, 5060), transport)
    }

    /// The `number`th phone of an office whose phones share one public address.
    pub(crate) fn behind_nat(number: u8, transport: Transport) -> Self {
        let inside = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 10 + number));
        let outside = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 200));
        Self {
            inside: SocketAddr::new(inside, 5060),
            outside: SocketAddr::new(outside, 40_000 + u16::from(number)),
            transport,
            nat: Nat::ClosesAt(Time::ZERO),
        }
    }

    /// The `number`th carrier.
    pub(crate) fn carrier(number: u8) -> Self {
        let ip = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10 + number));
        Self::public(SocketAddr::new(ip, 5060), Transport::Udp)
    }

    /// A packet leaves.
    pub(crate) fn passes_out(&mut self, now: Time) {
        if let Nat::ClosesAt(at) = &mut self.nat {
            *at = now + NAT_LIFETIME;
        }
    }

    /// Whether a datagram gets in.
    pub(crate) fn lets_in(&self, now: Time) -> bool {
        match self.nat {
            Nat::None => true,
            Nat::ClosesAt(at) => now < at,
        }
    }
}
