//! Where bytes came from and where they go: plain data, no socket.

use std::net::{IpAddr, SocketAddr};

/// The transport protocols of SIP (RFC 3261 §18, RFC 7118).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream inside TLS.
    Tls,
    /// Messages of a WebSocket.
    Ws,
    /// Messages of a WebSocket inside TLS.
    Wss,
}

impl Transport {
    /// The token as written in a Via header.
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The transport named by a Via header or a `transport` parameter, in any case.
    pub fn from_token(token: &[u8]) -> Option<Self> {
        const ALL: [Transport; 5] = [
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
            Transport::Ws,
            Transport::Wss,
        ];
        ALL.into_iter()
            .find(|known| known.via_token().as_bytes().eq_ignore_ascii_case(token))
    }

    /// Whether the transport itself delivers and orders, so that no request is repeated.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The port meant when none is written (RFC 3261 §19.1.2, RFC 7118 §5.3).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// A UDP socket or one stream connection, numbered by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The protocol it arrived by.
    pub transport: Transport,
    /// The peer's address as the socket saw it.
    pub remote: SocketAddr,
    /// The socket or connection it arrived on.
    pub flow: FlowId,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// The protocol to send it by.
    pub transport: Transport,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The socket or connection to use; `None` is any, or a new one.
    pub flow: Option<FlowId>,
}

impl From<Source> for Destination {
    fn from(source: Source) -> Self {
        Self {
            transport: source.transport,
            remote: source.remote,
            flow: Some(source.flow),
        }
    }
}

/// A whole message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where it goes.
    pub to: Destination,
    /// The message as it goes over the wire.
    pub bytes: Vec<u8>,
}

/// Whether an address means the same host everywhere.
pub(crate) const fn is_routable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            // RFC 6598: between a carrier's NAT and its customers.
            let is_shared = first == 100 && second & 0xc0 == 64;
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_broadcast()
                || address.is_multicast()
                || is_shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_in_any_case() {
        for (token, expect) in [
            ("UDP", Some(Transport::Udp)),
            ("udp", Some(Transport::Udp)),
            ("Wss", Some(Transport::Wss)),
            ("SCTP", None),
            ("", None),
        ] {
            assert_eq!(Transport::from_token(token.as_bytes()), expect, "{token}");
        }
    }

    #[test]
    fn addresses_of_private_networks_are_not_routable() {
        for (address, expect) in [
            ("198.51.100.7", true),
            ("100.63.0.1", true),
            ("100.64.0.1", false),
            ("172.31.255.255", false),
            ("172.32.0.1", true),
            ("127.0.0.2", false),
            ("0.0.0.0", false),
            ("169.254.1.1", false),
            ("255.255.255.255", false),
            ("2001:db8::1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::1", false),
            ("::", false),
        ] {
            assert_eq!(is_routable(address.parse().unwrap()), expect, "{address}");
        }
    }
}
