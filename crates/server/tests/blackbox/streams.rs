//! TCP peers that misbehave are dropped and delay nobody (targets R6).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::common::address::fresh_address;
use crate::common::stage::Stage;

/// The server gives a message so long to arrive, and a peer so long to read.
const LIMITS: &[(&str, &str)] = &[
    ("SWITCHHOOK_SIP__LIMITS__TCP_MESSAGE_SECONDS", "2"),
    ("SWITCHHOOK_SIP__LIMITS__TCP_WRITE_SECONDS", "2"),
];

/// By then a peer that misbehaves must be gone.
const DROPPED_WITHIN: Duration = Duration::from_secs(10);

/// The most that others may notice.
const DELAY: Duration = Duration::from_millis(50);

/// How long a phone waits for the answer to a REGISTER: the median of several.
fn answer_time(server: SocketAddr) -> Duration {
    let phone = UdpSocket::bind(fresh_address()).expect("the address was free");
    phone
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("the time-out is not zero");
    let local = phone.local_addr().expect("a bound socket has an address");
    let mut times: Vec<Duration> = (0..15)
        .map(|number| {
            let request = register(local, number);
            let begun = Instant::now();
            phone
                .send_to(request.as_bytes(), server)
                .expect("loopback takes a datagram");
            let mut answer = [0; 2048];
            phone.recv(&mut answer).expect("the server answers");
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn register(local: SocketAddr, number: u32) -> String {
    format!(
        "REGISTER sip:acme.test SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bKtime{number};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:1010-desk@acme.test>;tag=time\r\n\
         To: <sip:1010-desk@acme.test>\r\n\
         Call-ID: time@{local}\r\n\
         CSeq: {} REGISTER\r\n\
         Contact: <sip:1010-desk@{local}>\r\n\
         Content-Length: 0\r\n\r\n",
        number + 1
    )
}

/// Runs the misbehaviour on several connections: each must be dropped in time, and a phone on UDP
/// must not notice.
fn check(misbehave: impl Fn(&mut TcpStream) + Sync) {
    const PEERS: usize = 8;
    let stage = Stage::with(LIMITS, |_| {});
    let listening = stage.server.listening();
    let quiet = answer_time(listening.udp);
    std::thread::scope(|scope| {
        let peers: Vec<_> = (0..PEERS)
            .map(|_| scope.spawn(|| time_to_drop(listening.tcp, &misbehave)))
            .collect();
        std::thread::sleep(Duration::from_millis(500));
        let disturbed = answer_time(listening.udp);
        assert!(
            disturbed < quiet + DELAY,
            "{disturbed:?}, without them {quiet:?}"
        );
        for peer in peers {
            let time = peer.join().expect("the peer does not panic");
            assert!(time < DROPPED_WITHIN, "dropped after {time:?}");
        }
    });
    assert!(answer_time(listening.udp) < quiet + DELAY);
}

fn time_to_drop(server: SocketAddr, misbehave: impl Fn(&mut TcpStream)) -> Duration {
    let mut peer = TcpStream::connect(server).expect("the server listens on TCP");
    peer.set_read_timeout(Some(DROPPED_WITHIN))
        .expect("the time-out is not zero");
    peer.set_write_timeout(Some(DROPPED_WITHIN))
        .expect("the time-out is not zero");
    let begun = Instant::now();
    misbehave(&mut peer);
    // Whatever was answered before: the end of the stream is what counts.
    let mut rest = Vec::new();
    drop(peer.read_to_end(&mut rest));
    begun.elapsed()
}

#[test]
fn half_a_message_for_ever_is_dropped() {
    check(|peer| {
        drop(peer.write_all(b"INVITE sip:1010@acme.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1"));
    });
}

#[test]
fn a_message_that_trickles_in_is_dropped() {
    check(|peer| {
        for byte in b"INVITE sip:1010@acme.test SIP/2.0\r\nVia: "
            .iter()
            .cycle()
            .take(80)
        {
            if peer.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn a_hundred_megabytes_of_headers_are_not_read() {
    const CHUNK: usize = 1024 * 1024;
    check(|peer| {
        drop(peer.write_all(b"INVITE sip:1010@acme.test SIP/2.0\r\n"));
        let line = b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
        let chunk = line.repeat(CHUNK / line.len());
        let taken = (0..100)
            .take_while(|_| peer.write_all(&chunk).is_ok())
            .count();
        assert!(taken < 20, "took {taken} MiB of headers");
    });
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    check(|peer| {
        let local = peer
            .local_addr()
            .expect("a connected socket has an address");
        for number in 0..200_000 {
            let request = register(local, number).replace("/UDP", "/TCP");
            if peer.write_all(request.as_bytes()).is_err() {
                return;
            }
        }
    });
}

#[test]
fn many_idle_connections_cost_the_others_nothing() {
    let stage = Stage::new();
    let listening = stage.server.listening();
    let quiet = answer_time(listening.udp);
    let idle: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(listening.tcp))
        .collect();
    assert!(idle.iter().all(Result::is_ok));
    assert!(answer_time(listening.udp) < quiet + DELAY);
}
