//! With real sockets on loopback: each test has an address of its own there, and every wait a deadline.

mod fax;
mod recordings;
mod voices;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use media::path::{Remote, ThreadId};
use media::{Carries, Codec, Direction, Latch, LegReport, PathId, Payload, PayloadMap, Port, Way};

use super::*;

/// Nothing in a test takes longer, unless the machine stands still.
const DEADLINE: Duration = Duration::from_secs(10);
const REPORT: &[u8] = &[0x80, 201, 0, 1, 0, 0, 0, 7];

/// Media threads at an address of their own, and what the engine would know.
struct Server {
    rtp: Rtp,
    address: Ipv4Addr,
    woken: Receiver<()>,
    stock: Vec<Port>,
    events: Vec<MediaEvent>,
}

impl Server {
    /// `host` is the last byte of its loopback address and unique to the test.
    fn start(host: u8, change: impl FnOnce(&mut RtpSettings)) -> Self {
        let address = Ipv4Addr::new(127, 0, 77, host);
        let mut settings = RtpSettings {
            threads: 1,
            address: address.into(),
            ..Default::default()
        };
        change(&mut settings);
        let (wake, woken) = sync_channel(1);
        let wake = move || {
            wake.try_send(()).ok();
        };
        let rtp = start(&settings, &Clock::start(), wake).unwrap();
        Self {
            rtp,
            address,
            woken,
            stock: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Waits until an event is there that `pick` takes something from.
    fn expect<T>(&mut self, pick: impl Fn(&MediaEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.drain();
            if let Some(at) = self.events.iter().position(|event| pick(event).is_some()) {
                return pick(&self.events.remove(at)).unwrap();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.woken
                .recv_timeout(left)
                .expect("the expected event must come");
        }
    }

    fn drain(&mut self) {
        let mut events = Vec::new();
        self.rtp.drain_events(&mut events);
        for event in events {
            if let MediaEvent::Ports { ports } = event {
                self.stock.extend(ports);
            } else {
                self.events.push(event);
            }
        }
    }

    fn port(&mut self) -> Port {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.drain();
            if let Some(port) = self.stock.pop() {
                self.send(Command::Claim { path: port.path });
                return port;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.woken.recv_timeout(left).expect("a port must come");
        }
    }

    fn send(&self, command: Command) {
        self.rtp.send(command).unwrap();
    }

    fn remote(&self, path: PathId, phone: &Phone, change: impl FnOnce(&mut Remote)) {
        let payload = |number, codec| Payload {
            number,
            codec,
            clock: 8_000,
        };
        let mut remote = Remote {
            rtp: phone.rtp.local_addr().unwrap(),
            rtcp: phone.rtcp.local_addr().unwrap(),
            latch: Latch::Restricted {
                signalling: phone.address().ip(),
            },
            carries: Carries::Audio,
            payloads: vec![payload(0, Codec::Pcmu), payload(101, Codec::TelephoneEvent)],
            direction: Direction::SendRecv,
        };
        change(&mut remote);
        self.send(Command::Remote { path, remote });
    }

    fn bridge(&self, a: PathId, b: PathId) {
        let (a_to_b, b_to_a) = (Way::DIRECT, Way::DIRECT);
        self.send(Command::Bridge {
            a,
            b,
            a_to_b,
            b_to_a,
        });
    }

    /// Two phones and their bridged ports.
    fn call(&mut self) -> Call {
        let (a, b) = (Phone::new(), Phone::new());
        let (at_a, at_b) = (self.port(), self.port());
        self.remote(at_a.path, &a, |_| ());
        self.remote(at_b.path, &b, |_| ());
        self.bridge(at_a.path, at_b.path);
        Call { a, b, at_a, at_b }
    }

    fn rtp_of(&self, port: Port) -> SocketAddr {
        (self.address, port.rtp_port).into()
    }

    fn rtcp_of(&self, port: Port) -> SocketAddr {
        (self.address, port.rtp_port + 1).into()
    }

    fn release(&mut self, path: PathId) -> LegReport {
        self.send(Command::Release { path });
        self.expect(|event| {
            let MediaEvent::Closed {
                path: closed,
                report,
            } = event
            else {
                return None;
            };
            (*closed == path).then(|| report.clone())
        })
    }

    /// How many of these ports something is bound to.
    fn bound(&self, ports: RangeInclusive<u16>) -> usize {
        ports
            .filter(|port| UdpSocket::bind((self.address, *port)).is_err())
            .count()
    }
}

struct Call {
    a: Phone,
    b: Phone,
    at_a: Port,
    at_b: Port,
}

/// A phone at any free ports.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Phone {
    fn new() -> Self {
        Self::at(Ipv4Addr::LOCALHOST)
    }

    fn at(address: Ipv4Addr) -> Self {
        let socket = || {
            let socket = UdpSocket::bind((address, 0)).unwrap();
            socket.set_read_timeout(Some(DEADLINE)).unwrap();
            socket
        };
        Self {
            rtp: socket(),
            rtcp: socket(),
        }
    }

    fn address(&self) -> SocketAddr {
        self.rtp.local_addr().unwrap()
    }

    /// Sends packets with these numbers.
    fn speak(&self, to: SocketAddr, sequence: impl IntoIterator<Item = u16>) {
        for sequence in sequence {
            self.rtp.send_to(&voice(sequence), to).unwrap();
        }
    }

    /// Waits for a packet with that number, which must be the next.
    fn hear(&self, sequence: u16) {
        assert_eq!(received(&self.rtp), voice(sequence));
    }

    fn hears_nothing(&self) -> bool {
        self.rtp.set_nonblocking(true).unwrap();
        let nothing = self.rtp.recv(&mut [0; 1]).is_err();
        self.rtp.set_nonblocking(false).unwrap();
        nothing
    }
}

fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 2_048];
    let bytes = socket.recv(&mut buffer).expect("a datagram must come");
    buffer.truncate(bytes);
    buffer
}

fn packet(payload: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    let [s0, s1] = sequence.to_be_bytes();
    let [t0, t1, t2, t3] = (u32::from(sequence) * 160).to_be_bytes();
    let mut bytes = vec![0x80, payload, s0, s1, t0, t1, t2, t3, 0, 0, 0, 9];
    bytes.extend_from_slice(body);
    bytes
}

fn voice(sequence: u16) -> Vec<u8> {
    packet(0, sequence, &[0xff; 160])
}

#[test]
fn audio_and_reports_pass_both_ways() {
    let mut server = Server::start(1, |_| ());
    let Call { a, b, at_a, at_b } = server.call();
    let (to_a, to_b) = (server.rtp_of(at_a), server.rtp_of(at_b));
    for sequence in 1..=50 {
        a.speak(to_a, [sequence]);
        b.hear(sequence);
        b.speak(to_b, [sequence]);
        a.hear(sequence);
    }
    a.rtcp.send_to(REPORT, server.rtcp_of(at_a)).unwrap();
    assert_eq!(received(&b.rtcp), REPORT);
    b.rtcp.send_to(REPORT, server.rtcp_of(at_b)).unwrap();
    assert_eq!(received(&a.rtcp), REPORT);
}

#[test]
fn multiplexed_reports_come_and_go_on_the_rtp_port() {
    let mut server = Server::start(2, |_| ());
    let Call { a, b, at_a, at_b } = server.call();
    server.remote(at_a.path, &Phone::new(), |_| ());
    server.remote(at_a.path, &a, |remote| remote.rtcp = remote.rtp);
    a.speak(server.rtp_of(at_a), [1]);
    b.hear(1);
    a.rtp.send_to(REPORT, server.rtp_of(at_a)).unwrap();
    assert_eq!(received(&b.rtcp), REPORT);
    b.rtcp.send_to(REPORT, server.rtcp_of(at_b)).unwrap();
    assert_eq!(received(&a.rtp), REPORT);
}

#[test]
fn a_stranger_is_not_heard_and_a_phone_behind_a_nat_is() {
    let mut server = Server::start(3, |_| ());
    let Call { a, b, at_a, .. } = server.call();
    let to = server.rtp_of(at_a);
    // The description named an address that the packets do not come from.
    let private = Phone::at(Ipv4Addr::new(127, 0, 78, 1));
    server.remote(at_a.path, &private, |remote| {
        remote.latch = Latch::Restricted {
            signalling: a.address().ip(),
        };
    });
    let stranger = Phone::at(Ipv4Addr::new(127, 0, 78, 2));
    stranger.speak(to, 90..95);
    let source = server.expect(|event| {
        let MediaEvent::Rejected { source, .. } = event else {
            return None;
        };
        Some(*source)
    });
    assert_eq!(source, stranger.address());
    a.speak(to, 1..=4);
    let remote = server.expect(|event| {
        let MediaEvent::Latched { path, remote } = event else {
            return None;
        };
        (*path == at_a.path).then_some(*remote)
    });
    assert_eq!(remote, a.address());
    b.hear(3);
    b.hear(4);
    stranger.speak(to, 96..=97);
    a.speak(to, [5]);
    b.hear(5);
    assert!(b.hears_nothing());
}

#[test]
fn what_a_stranger_sent_before_the_peer_was_known_is_not_passed_on() {
    let mut server = Server::start(14, |_| ());
    let Call { a, b, at_a, at_b } = server.call();
    let to = server.rtp_of(at_a);
    let stranger = Phone::at(Ipv4Addr::new(127, 0, 78, 3));
    for sequence in 0..40 {
        stranger.speak(to, [900, 901]);
        a.speak(to, [sequence]);
        stranger.speak(to, [902]);
    }
    for sequence in 0..40 {
        b.hear(sequence);
    }
    assert!(b.hears_nothing());
    assert_eq!(server.release(at_b.path).packets_sent, 40);
}

#[test]
fn a_phone_that_moves_is_heard_again_after_its_new_description() {
    let mut server = Server::start(4, |_| ());
    let Call { a, b, at_a, at_b } = server.call();
    a.speak(server.rtp_of(at_a), [1]);
    b.hear(1);
    let moved = Phone::new();
    server.remote(at_a.path, &moved, |_| ());
    b.speak(server.rtp_of(at_b), [7]);
    moved.hear(7);
    moved.speak(server.rtp_of(at_a), [2]);
    b.hear(2);
}

#[test]
fn nothing_passes_before_the_bridge_or_after_it() {
    let mut server = Server::start(5, |_| ());
    let (a, b) = (Phone::new(), Phone::new());
    let (at_a, at_b) = (server.port(), server.port());
    server.remote(at_a.path, &a, |_| ());
    server.remote(at_b.path, &b, |_| ());
    a.speak(server.rtp_of(at_a), [1]);
    server.expect(|event| matches!(event, MediaEvent::FirstPacket { .. }).then_some(()));
    server.bridge(at_a.path, at_b.path);
    wait_until(|| {
        a.speak(server.rtp_of(at_a), [2]);
        !b.hears_nothing()
    });
    server.send(Command::Unbridge { path: at_b.path });
    let report = server.release(at_b.path);
    assert!(report.packets_sent >= 1);
    a.speak(server.rtp_of(at_a), [3]);
    let report = server.release(at_a.path);
    assert!(report.packets_dropped >= 1, "the one before the bridge");
}

#[test]
fn the_report_tells_what_passed() {
    let mut server = Server::start(6, |_| ());
    let Call { a, b, at_a, at_b } = server.call();
    let to = server.rtp_of(at_a);
    a.speak(to, [1, 2, 4]);
    a.rtp
        .send_to(&packet(101, 5, &[7, 0x80, 3, 0x20]), to)
        .unwrap();
    for _ in 0..4 {
        received(&b.rtp);
    }
    let digit = server.expect(|event| {
        let MediaEvent::Dtmf {
            path,
            digit,
            duration_ms,
        } = event
        else {
            return None;
        };
        Some((*path, *digit, *duration_ms))
    });
    assert_eq!(digit, (at_a.path, '7', 100));
    let report = server.release(at_a.path);
    assert_eq!((report.packets_received, report.packets_lost), (4, 1));
    assert_eq!(report.bytes_received, 3 * 172 + 16);
    assert_eq!(
        (report.codec, report.dtmf.as_str()),
        (Some(Codec::Pcmu), "7")
    );
    let report = server.release(at_b.path);
    assert_eq!((report.packets_received, report.packets_sent), (0, 4));
    let counts = server.rtp.counts();
    assert_eq!((counts.relayed, counts.opened, counts.closed), (4, 2, 2));
}

#[test]
fn payload_numbers_change_where_the_legs_differ() {
    let mut server = Server::start(7, |_| ());
    let Call { a, b, at_a, at_b } = server.call();
    let (a_to_b, b_to_a) = (
        Way::Relay(PayloadMap::of(&[(101, 96)])),
        Way::Relay(PayloadMap::of(&[(96, 101)])),
    );
    server.send(Command::Bridge {
        a: at_a.path,
        b: at_b.path,
        a_to_b,
        b_to_a,
    });
    server.remote(at_b.path, &b, |remote| remote.payloads[1].number = 96);
    a.speak(server.rtp_of(at_a), [1]);
    b.hear(1);
    b.speak(server.rtp_of(at_b), [1]);
    a.hear(1);
    let body = [7, 0x80, 3, 0x20];
    a.rtp
        .send_to(&packet(101, 2, &body), server.rtp_of(at_a))
        .unwrap();
    assert_eq!(received(&b.rtp), packet(96, 2, &body));
    b.rtp
        .send_to(&packet(96, 2, &body), server.rtp_of(at_b))
        .unwrap();
    assert_eq!(received(&a.rtp), packet(101, 2, &body));
}

#[test]
fn released_ports_rest_and_come_back_as_other_paths() {
    // Two pairs in all, one of them in stock, so that the next one must be the rested one.
    let (rest, ports) = (Duration::from_secs(1), 20_000..=20_003);
    let mut server = Server::start(8, |settings| {
        settings.ports = ports.clone();
        settings.stock = 1;
        settings.rest = rest;
    });
    let (first, second) = (server.port(), server.port());
    let released = Instant::now();
    server.release(first.path);
    server.release(second.path);
    let again = server.port();
    assert!(released.elapsed() >= rest);
    assert_eq!(server.bound(ports), 4, "nothing was closed");
    assert!([first.rtp_port, second.rtp_port].contains(&again.rtp_port));
    assert!(
        ![first.path, second.path].contains(&again.path),
        "an old id never comes back"
    );
    server.send(Command::Release { path: first.path });
    server.send(Command::Claim { path: again.path });
    wait_until(|| server.rtp.counts().strays == 1);
}

#[test]
fn a_port_that_something_else_has_is_passed_over() {
    let taken: Vec<_> = [20_001, 20_002]
        .map(|port| UdpSocket::bind((Ipv4Addr::new(127, 0, 77, 9), port)).unwrap())
        .into_iter()
        .collect();
    let mut server = Server::start(9, |settings| settings.ports = 20_000..=20_005);
    assert_eq!(server.port().rtp_port, 20_004);
    assert_eq!(server.rtp.counts().bind_failures, 2);
    drop(taken);
}

#[test]
fn silence_is_told_unless_the_leg_is_on_hold() {
    let mut server = Server::start(10, |_| ());
    let Call { a, at_a, at_b, .. } = server.call();
    server.remote(at_a.path, &a, |remote| {
        remote.direction = Direction::SendOnly;
    });
    for path in [at_a.path, at_b.path] {
        server.send(Command::Watch {
            path,
            silence: Some(Duration::from_millis(300)),
        });
    }
    let silent = |event: &MediaEvent| {
        let MediaEvent::Silent { path } = event else {
            return None;
        };
        Some(*path)
    };
    assert_eq!(server.expect(silent), at_b.path);
    server.remote(at_a.path, &a, |_| ());
    assert_eq!(
        server.expect(silent),
        at_a.path,
        "resumed, and still nothing comes"
    );
}

#[test]
fn a_flood_on_one_leg_starves_nobody() {
    let mut server = Server::start(11, |_| ());
    let flooded = server.call();
    let quiet = server.call();
    let to = server.rtp_of(flooded.at_a);
    flooded.a.speak(to, [0]);
    flooded.b.hear(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                flooded.a.speak(to, 0..100);
            }
        });
        for sequence in 1..=100 {
            quiet.a.speak(server.rtp_of(quiet.at_a), [sequence]);
            quiet.b.hear(sequence);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(server.release(quiet.at_b.path).packets_sent, 100);
}

#[test]
fn a_thousand_paths_leave_nothing_behind() {
    let mut server = Server::start(12, |settings| settings.rest = Duration::ZERO);
    let first = server.port();
    server.release(first.path);
    for round in 0..20 {
        let calls: Vec<_> = (0..25).map(|_| server.call()).collect();
        let paths = calls
            .iter()
            .flat_map(|call| [call.at_a.path, call.at_b.path]);
        for path in paths {
            server.send(Command::Release { path });
        }
        let closed = 50 * (round + 1) + 1;
        wait_until(|| server.rtp.counts().closed == closed);
    }
    let counts = server.rtp.counts();
    assert_eq!((counts.opened, counts.closed), (1_001, 1_001));
    // The stock, and what was in use at once, which stays bound while it rests.
    assert!(server.bound(RtpSettings::default().ports) <= 2 * (64 + 51));
}

#[test]
fn a_bridge_between_threads_is_refused() {
    let server = Server::start(13, |settings| settings.threads = 2);
    assert_eq!(server.rtp.threads(), 2);
    let [a, b, nowhere] = [0, 1, 9].map(|thread| PathId::new(ThreadId(thread), 0, 0));
    let (a_to_b, b_to_a) = (Way::DIRECT, Way::DIRECT);
    let bridge = Command::Bridge {
        a,
        b,
        a_to_b,
        b_to_a,
    };
    assert_eq!(
        server.rtp.send(bridge.clone()),
        Err(SendError::AcrossThreads(bridge))
    );
    let claim = Command::Claim { path: nowhere };
    assert_eq!(
        server.rtp.send(claim.clone()),
        Err(SendError::UnknownThread(claim))
    );
}

fn wait_until(mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_true() {
        assert!(Instant::now() < deadline, "it must become true");
        std::thread::yield_now();
    }
}
