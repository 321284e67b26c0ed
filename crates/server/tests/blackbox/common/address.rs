//! Loopback hosts and free ports: each test has its own, so tests share a machine in peace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// The hosts of tests: 127.64.0.0 to 127.127.255.255.
const FIRST_HOST: u32 = 0x7F40_0000;
const HOSTS: u32 = 0x0040_0000;

/// A process has so many hosts before it meets those of the next process.
const HOSTS_PER_PROCESS: u32 = 256;

/// A loopback host that no other test uses.
pub(crate) fn fresh_host() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(1);
    let number = TAKEN.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id().wrapping_mul(HOSTS_PER_PROCESS);
    Ipv4Addr::from_bits(FIRST_HOST + process.wrapping_add(number) % HOSTS)
}

/// A fresh host with a UDP port that was free a moment ago.
pub(crate) fn fresh_address() -> SocketAddr {
    free_port(IpAddr::V4(fresh_host()))
}

/// A port of the host that was free a moment ago.
pub(crate) fn free_port(host: IpAddr) -> SocketAddr {
    let socket = UdpSocket::bind((host, 0)).expect("loopback hosts can be bound");
    socket.local_addr().expect("a bound socket has an address")
}
