//! Which source of packets is believed: the rule, and the state machine that learns it.

use std::net::{IpAddr, SocketAddr};

/// Which sources of a leg's RTP may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latch {
    /// Only the address and port of the peer's description: trunks.
    Exact,
    /// The address of the peer's description, or the one its signalling comes from, at any port:
    /// phones, which may be behind a NAT.
    Restricted {
        /// Where the peer's SIP messages come from.
        signalling: IpAddr,
    },
}

/// Placeholder until the state machine lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub SocketAddr);
