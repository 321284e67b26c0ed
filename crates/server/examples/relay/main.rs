//! P3 and P4: what a relayed packet costs in the media thread, beside the least that the kernel asks
//! for the same packets: one flow through two connected sockets, `recvmmsg` and `sendmmsg`, the same
//! tick. Both are taken in turns in one run, so that a noisy machine is noisy for both.
//!
//! `cargo run --release -p switchhook --example relay [SECONDS [REPETITIONS]]`
#![expect(
    clippy::print_stdout,
    reason = "a program that measures tells what it found"
)]

mod baseline;
mod load;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use media::path::Remote;
use media::{Carries, Codec, Command, Direction, Latch, MediaEvent, Payload, Port, Way};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use switchhook::clock::Clock;
use switchhook::rtp::{self, Rtp, RtpSettings};

use load::{Load, Outcome};

/// What P3 and P4 ask for.
const FEW_CALLS: usize = 100;
const MANY_CALLS: usize = 400;
/// 100 calls of 20 s are 200,000 packets, so a microsecond each makes this many seconds.
const MICROS_PER_PACKET_IN_P3: f64 = 0.2;
/// A packet each 20 ms from both phones.
const PACKETS_PER_SECOND_AND_CALL: usize = 100;
const BASELINE_BUFFER_BYTES: usize = 4 << 20;
const WARM_UP: Duration = Duration::from_secs(1);
const PORTS_DEADLINE: Duration = Duration::from_secs(10);

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok());
    let during = Duration::from_secs(arguments.next().unwrap_or(5));
    let repetitions = arguments.next().unwrap_or(3);
    let few = measure(FEW_CALLS, during, repetitions);
    println!(
        "P3: {:.2} CPU-s per 100 calls × 20 s (target 1.6, in the end 1.1)\n",
        few.relay * MICROS_PER_PACKET_IN_P3
    );
    let many = measure(MANY_CALLS, during, repetitions);
    println!(
        "P4: relay ÷ baseline {:.2} (target 2.0, in the end 1.3)",
        many.relay / many.baseline
    );
}

/// Microseconds of CPU per packet.
struct Cost {
    baseline: f64,
    relay: f64,
}

/// The median of several runs of both, in turns.
fn measure(calls: usize, during: Duration, repetitions: u64) -> Cost {
    println!("{calls} G.711 calls, CPU of the thread that relays:");
    let (mut baselines, mut relays) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        baselines.push(show("kernel baseline", &baseline_run(calls, during)));
        relays.push(show("media thread", &relay_run(calls, during)));
    }
    Cost {
        baseline: median(baselines),
        relay: median(relays),
    }
}

/// All packets in one flow.
fn baseline_run(calls: usize, during: Duration) -> Outcome {
    let phone = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let (caller, callee) = (phone(), phone());
    let (near, far) = (phone(), phone());
    let to = near.local_addr().expect("a bound socket has an address");
    let connected = near
        .connect(address(&caller))
        .and_then(|()| far.connect(address(&callee)))
        .and_then(|()| caller.connect(to));
    connected.expect("loopback can be connected to");
    // One socket holds what the relay keeps in hundreds.
    for socket in [&near, &callee] {
        set_socket_recv_buffer_size_force(socket, BASELINE_BUFFER_BYTES)
            .or_else(|_| set_socket_recv_buffer_size(socket, BASELINE_BUFFER_BYTES))
            .expect("a buffer size can be set");
    }
    let relaying = on_other_core(|| baseline::start(near, far));
    let rate = calls * PACKETS_PER_SECOND_AND_CALL;
    let outcome = Load::new(vec![caller, callee], 1, rate).run("baseline", WARM_UP, during);
    relaying.stop();
    outcome
}

/// A socket pair per leg, as it is.
fn relay_run(calls: usize, during: Duration) -> Outcome {
    let settings = RtpSettings {
        threads: 1,
        address: Ipv4Addr::LOCALHOST.into(),
        stock: u16::try_from(calls * 2).unwrap_or(u16::MAX),
        ..RtpSettings::default()
    };
    let rtp = on_other_core(|| rtp::start(&settings, &Clock::start(), || ()))
        .expect("the media thread must start");
    let ports = ports(&rtp, calls * 2);
    let phones: Vec<UdpSocket> = ports.iter().map(|port| phone(&rtp, *port)).collect();
    for call in ports.chunks_exact(2) {
        let (a_to_b, b_to_a) = (Way::DIRECT, Way::DIRECT);
        let bridge = Command::Bridge {
            a: call[0].path,
            b: call[1].path,
            a_to_b,
            b_to_a,
        };
        rtp.send(bridge).expect("both legs are on one thread");
    }
    let senders = phones.len();
    let rate = calls * PACKETS_PER_SECOND_AND_CALL;
    Load::new(phones, senders, rate).run("media-0", WARM_UP, during)
}

/// A phone that sends to the port and is announced there.
fn phone(rtp: &Rtp, port: Port) -> UdpSocket {
    let phone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    phone
        .connect((Ipv4Addr::LOCALHOST, port.rtp_port))
        .expect("loopback can be connected to");
    let here = address(&phone);
    let remote = Remote {
        rtp: here,
        rtcp: here,
        latch: Latch::Restricted {
            signalling: here.ip(),
        },
        carries: Carries::Audio,
        payloads: vec![Payload {
            number: 0,
            codec: Codec::Pcmu,
            clock: 8_000,
        }],
        direction: Direction::SendRecv,
    };
    rtp.send(Command::Remote {
        path: port.path,
        remote,
    })
    .expect("the queue has room");
    phone
}

fn ports(rtp: &Rtp, wanted: usize) -> Vec<Port> {
    let deadline = Instant::now() + PORTS_DEADLINE;
    let mut found = Vec::new();
    while found.len() < wanted {
        assert!(Instant::now() < deadline, "ports must be bound in time");
        std::thread::sleep(Duration::from_millis(1));
        let mut events = Vec::new();
        rtp.drain_events(&mut events);
        for event in events {
            if let MediaEvent::Ports { ports } = event {
                found.extend(ports);
            }
        }
    }
    found.truncate(wanted);
    found
}

/// Starts a thread on another core than this one, if there is one.
fn on_other_core<T>(start: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|core| all.is_set(*core))
        .collect();
    let [load, .., relay] = cores.as_slice() else {
        return start();
    };
    stay_on(*relay);
    let started = start();
    stay_on(*load);
    started
}

/// It only makes figures quieter, so a system that refuses is left alone.
fn stay_on(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).ok();
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("a bound socket has an address")
}

fn show(name: &str, outcome: &Outcome) -> f64 {
    let Outcome {
        micros_per_packet,
        packets,
        lost,
        delay_us,
    } = outcome;
    let [middle, late] = delay_us;
    println!(
        "{name:>16}: {micros_per_packet:.2} µs per packet, {packets} packets, {lost} lost, \
         delay {middle} µs, 99 % within {late} µs"
    );
    *micros_per_packet
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
