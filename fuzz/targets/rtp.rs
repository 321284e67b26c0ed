//! Any datagrams from anywhere, in any order, on both ports of a leg, with time passing: no panic,
//! nobody but the peer is latched, and every datagram is counted once.
#![no_main]

use std::net::SocketAddr;
use std::time::Duration;

use clock::Time;
use libfuzzer_sys::fuzz_target;
use media::leg::{Heard, Leg, Source};
use media::path::{Carries, Remote};
use media::rtp::{Packet, rtcp_packets};
use media::{Codec, Direction, Latch, MediaEvent, PathId, Payload, PayloadMap, ThreadId};

/// The announced address, the signalling's, and a stranger.
const SOURCES: [([u8; 4], u16); 4] = [
    ([10, 0, 0, 5], 4000),
    ([203, 0, 113, 9], 61_000),
    ([203, 0, 113, 9], 5),
    ([9, 9, 9, 9], 4000),
];

fuzz_target!(|bytes: &[u8]| {
    let mut leg = Leg::new(PathId::new(ThreadId(0), 1, 0), Time::ZERO);
    leg.set_remote(Time::ZERO, remote());
    leg.set_onward(PayloadMap::of(&[(101, 96)]));
    leg.watch(Time::ZERO, Some(Duration::from_secs(1)));
    let (mut now, mut events, mut rest) = (Time::ZERO, Vec::new(), bytes);
    let (mut given, mut reports) = (0, 0);
    // One datagram: how it comes, milliseconds since the one before, its length, its bytes.
    while let [how, wait, length, after @ ..] = rest {
        let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        now += Duration::from_millis(u64::from(*wait) * 8);
        let source = SocketAddr::from(SOURCES[usize::from(how % 4)]);
        let mut datagram = datagram.to_vec();
        let heard = if how & 0x10 == 0 {
            leg.rtp(now, Source::Address(source), &mut datagram, &mut events)
        } else {
            leg.rtcp(now, source, &datagram)
        };
        given += 1;
        reports += u64::from(heard == Heard::Rtcp);
        check(heard, source, &datagram);
        if how & 0x20 != 0 {
            leg.tick(now, &mut events);
        }
    }
    let silent = |event: &MediaEvent| matches!(event, MediaEvent::Silent { .. });
    assert!(events.iter().filter(|event| silent(event)).count() <= 1 + given);
    let report = leg.finish(&mut events);
    assert_eq!(
        report.packets_received + report.packets_dropped + reports,
        given as u64
    );
});

fn check(heard: Heard, source: SocketAddr, datagram: &[u8]) {
    let stranger = SocketAddr::from(SOURCES[3]);
    match heard {
        Heard::Rtp | Heard::LatchedRtp(_) => {
            assert_ne!(source, stranger);
            let packet = Packet::parse(datagram).expect("only RTP passes as RTP");
            assert!(packet.payload != 101 && packet.body.len() + 12 <= datagram.len());
        }
        Heard::Rtcp => {
            assert_ne!(source, stranger);
            assert!(rtcp_packets(datagram).is_some_and(|mut packets| packets.next().is_some()));
        }
        Heard::Nothing => {}
    }
}

fn remote() -> Remote {
    let payload = |number, codec| Payload {
        number,
        codec,
        clock: 8_000,
    };
    Remote {
        rtp: SocketAddr::from(SOURCES[0]),
        rtcp: SocketAddr::from(([10, 0, 0, 5], 4001)),
        latch: Latch::Restricted {
            signalling: SOURCES[1].0.into(),
        },
        carries: Carries::Audio,
        payloads: vec![payload(0, Codec::Pcmu), payload(101, Codec::TelephoneEvent)],
        direction: Direction::SendRecv,
    }
}
