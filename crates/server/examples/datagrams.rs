//! The least that the kernel asks for a SIP message over UDP: wake up, receive one datagram, send one.
//! P1 and P2 are judged beside it, because a virtual machine's wake-up costs what its host makes of it.
//!
//! `cargo run --release -p switchhook --example datagrams`
#![expect(
    clippy::print_stdout,
    reason = "a program that measures tells what it found"
)]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A SIP message of usual size, in bytes.
const MESSAGE_BYTES: usize = 600;
/// 50 calls a second have 8 messages each: one in 2.5 ms.
const PAUSES: [(&str, Duration); 2] = [
    ("at 400 messages/s", Duration::from_micros(2_500)),
    ("one after another", Duration::ZERO),
];
const MESSAGES: u32 = 4_000;
/// Messages that the server gets for a bridged call with digest, and for a registration.
const PER_CALL: f64 = 8.0;
const PER_REGISTRATION: f64 = 2.0;
const PATIENCE: Duration = Duration::from_secs(1);

fn main() {
    for (pace, pause) in PAUSES {
        let micros = micros_per_message(pause);
        println!(
            "{pace}: {micros:.1} µs of CPU per message; 1,000 calls {:.3}, 1,000 registrations {:.3} CPU-s",
            micros * PER_CALL / 1_000.0,
            micros * PER_REGISTRATION / 1_000.0
        );
    }
}

/// CPU of an echo on the second core, which a peer on the first one talks to.
fn micros_per_message(pause: Duration) -> f64 {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has ports");
    let (echo, peer) = (bind(), bind());
    let to = echo.local_addr().expect("a bound socket has an address");
    peer.set_read_timeout(Some(PATIENCE))
        .expect("it is not zero");
    let answering = std::thread::spawn(move || {
        pin_to_core(1);
        let before = cpu_nanos();
        answer_all(&echo);
        cpu_nanos() - before
    });
    pin_to_core(0);
    ask(&peer, to, pause);
    let nanos = answering.join().expect("the echo ends");
    let nanos = u32::try_from(nanos).unwrap_or(u32::MAX);
    f64::from(nanos) / 1_000.0 / f64::from(MESSAGES)
}

fn ask(peer: &UdpSocket, to: SocketAddr, pause: Duration) {
    let mut buffer = [b'x'; MESSAGE_BYTES];
    for _ in 0..MESSAGES {
        peer.send_to(&buffer, to).expect("loopback takes it");
        peer.recv(&mut buffer).expect("the echo answers");
        std::thread::sleep(pause);
    }
}

fn answer_all(echo: &UdpSocket) {
    echo.set_nonblocking(true).expect("a socket can be set so");
    let mut buffer = [0; MESSAGE_BYTES];
    let mut answered = 0;
    while answered < MESSAGES {
        poll(&mut [PollFd::new(echo, PollFlags::IN)], None).expect("poll waits");
        // Until it is empty, as a server must.
        while let Ok((bytes, from)) = echo.recv_from(&mut buffer) {
            echo.send_to(&buffer[..bytes], from)
                .expect("loopback takes it");
            answered += 1;
        }
    }
}

/// On a machine with one core both stay where they are.
fn pin_to_core(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    if sched_getaffinity(None).is_ok_and(|cores| cores.is_set(core)) {
        sched_setaffinity(None, &only).expect("the core is ours");
    }
}

fn cpu_nanos() -> u64 {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    let nanos = statistics.split_whitespace().next();
    nanos
        .and_then(|nanos| nanos.parse().ok())
        .expect("it begins with nanoseconds")
}
