//! The leg's rules, one test each.

use super::*;
use crate::latch::Latch;
use crate::path::ThreadId;

const PATH: PathId = PathId::new(ThreadId(0), 1, 0);
const ANNOUNCED: &str = "192.0.2.1:4000";
const STRANGER: &str = "198.51.100.9:4000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn remote(direction: Direction) -> Remote {
    let payload = |number, codec| Payload {
        number,
        codec,
        clock: 8_000,
    };
    Remote {
        rtp: address(ANNOUNCED),
        rtcp: address("192.0.2.1:4001"),
        latch: Latch::Restricted {
            signalling: address(ANNOUNCED).ip(),
        },
        carries: Carries::Audio,
        payloads: vec![payload(8, Codec::Pcma), payload(101, Codec::TelephoneEvent)],
        direction,
    }
}

fn leg() -> Leg {
    let mut leg = Leg::new(PATH, Time::ZERO);
    assert_eq!(
        leg.set_remote(Time::ZERO, remote(Direction::SendRecv)),
        Listening::ToAnybody
    );
    leg
}

fn rtp(payload: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let mut bytes = vec![0x80, payload, high, low, 0, 0, 0, 7, 0, 0, 0, 1];
    bytes.extend_from_slice(body);
    bytes
}

fn hears(leg: &mut Leg, source: &str, datagram: &mut [u8]) -> (Heard, Vec<MediaEvent>) {
    let mut events = Vec::new();
    let heard = leg.rtp(
        Time::ZERO,
        Source::Address(address(source)),
        datagram,
        &mut events,
    );
    (heard, events)
}

#[test]
fn the_first_packet_and_its_source_are_told() {
    let (heard, events) = hears(&mut leg(), ANNOUNCED, &mut rtp(8, 1, b"x"));
    assert_eq!(heard, Heard::LatchedRtp(address(ANNOUNCED)));
    let remote = address(ANNOUNCED);
    let expect = [
        MediaEvent::FirstPacket { path: PATH },
        MediaEvent::Latched { path: PATH, remote },
    ];
    assert_eq!(events, expect);
}

#[test]
fn a_stranger_is_told_once() {
    let mut leg = leg();
    let source = address(STRANGER);
    let (heard, events) = hears(&mut leg, STRANGER, &mut rtp(8, 1, b"x"));
    assert_eq!(
        (heard, events),
        (
            Heard::Nothing,
            vec![MediaEvent::Rejected { path: PATH, source }]
        )
    );
    assert_eq!(
        hears(&mut leg, STRANGER, &mut rtp(8, 2, b"x")),
        (Heard::Nothing, vec![])
    );
    assert_eq!(leg.finish(&mut vec![]).packets_dropped, 2);
}

#[test]
fn a_number_that_was_not_negotiated_latches_nobody() {
    let mut leg = leg();
    assert_eq!(
        hears(&mut leg, ANNOUNCED, &mut rtp(18, 1, b"x")).0,
        Heard::Nothing
    );
    assert_eq!(leg.rtp_destination(), Some(address(ANNOUNCED)));
}

#[test]
fn noise_is_dropped() {
    for noise in [
        &b""[..],
        b"
",
        &[0x80; 11],
        &[0x81, 200, 0, 9],
    ] {
        let mut noise = noise.to_vec();
        assert_eq!(
            hears(&mut leg(), ANNOUNCED, &mut noise),
            (Heard::Nothing, vec![])
        );
    }
}

#[test]
fn keys_are_told_and_kept() {
    let mut leg = leg();
    let (_, events) = hears(&mut leg, ANNOUNCED, &mut rtp(101, 1, &[11, 0x80, 3, 0x20]));
    assert!(events.contains(&MediaEvent::Dtmf {
        path: PATH,
        digit: '#',
        duration_ms: 100
    }));
    assert_eq!(leg.finish(&mut vec![]).dtmf, "#");
}

#[test]
fn payload_numbers_change_only_if_mapped() {
    let mut leg = leg();
    let mut packet = rtp(101, 1, &[11, 0x80, 3, 0x20]);
    hears(&mut leg, ANNOUNCED, &mut packet);
    assert_eq!(packet[1], 101);
    leg.set_onward(PayloadMap::of(&[(101, 96)]));
    hears(&mut leg, ANNOUNCED, &mut packet);
    assert_eq!(packet[1], 96);
}

#[test]
fn reports_pass_from_the_peers_address_and_are_answered_there() {
    let mut leg = leg();
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    assert_eq!(leg.rtcp_destination(), Some(address("192.0.2.1:4001")));
    assert_eq!(
        leg.rtcp(Time::ZERO, address(STRANGER), &report),
        Heard::Nothing
    );
    assert_eq!(
        leg.rtcp(Time::ZERO, address("192.0.2.1:9"), &report),
        Heard::Rtcp
    );
    assert_eq!(leg.rtcp_destination(), Some(address("192.0.2.1:9")));
}

/// The times in ms at which silence is told, asking every 100 ms, with packets at `packets_ms`.
fn silences(direction: Direction, packets_ms: &[u64]) -> Vec<u64> {
    let mut leg = leg();
    leg.set_remote(Time::ZERO, remote(direction));
    leg.watch(Time::ZERO, Some(Duration::from_secs(1)));
    let mut told = Vec::new();
    for at in (0..6_000).step_by(100) {
        let now = Time::from_millis(at);
        let mut events = Vec::new();
        if packets_ms.contains(&at) {
            let from = Source::Address(address(ANNOUNCED));
            leg.rtp(now, from, &mut rtp(8, 1, b"x"), &mut events);
        }
        leg.tick(now, &mut events);
        told.extend(
            events
                .contains(&MediaEvent::Silent { path: PATH })
                .then_some(at),
        );
    }
    told
}

#[test]
fn silence_is_told_once_until_the_peer_speaks_again() {
    assert_eq!(silences(Direction::SendRecv, &[]), [1_000]);
    assert_eq!(silences(Direction::SendRecv, &[500]), [1_500]);
    assert_eq!(silences(Direction::SendRecv, &[500, 3_000]), [1_500, 4_000]);
}

#[test]
fn a_leg_on_hold_may_be_silent() {
    for direction in [
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ] {
        assert_eq!(silences(direction, &[500]), [0; 0], "{direction:?}");
    }
}

#[test]
fn a_refresh_keeps_the_source_and_a_move_or_silence_forgets_it() {
    let mut leg = leg();
    hears(&mut leg, ANNOUNCED, &mut rtp(8, 1, b"x"));
    let same = remote(Direction::SendRecv);
    assert_eq!(
        leg.set_remote(Time::ZERO, same.clone()),
        Listening::AsBefore
    );
    let moved = Remote {
        rtp: address("192.0.2.7:5000"),
        ..same
    };
    assert_eq!(leg.set_remote(Time::ZERO, moved), Listening::ToAnybody);
    assert_eq!(leg.rtp_destination(), Some(address("192.0.2.7:5000")));
    hears(&mut leg, "192.0.2.7:5000", &mut rtp(8, 1, b"x"));
    assert_eq!(
        leg.tick(Time::from_millis(4_999), &mut vec![]),
        Listening::AsBefore
    );
    assert_eq!(
        leg.tick(Time::from_secs(5), &mut vec![]),
        Listening::ToAnybody
    );
    assert_eq!(
        leg.tick(Time::from_secs(6), &mut vec![]),
        Listening::AsBefore
    );
}

#[test]
fn a_peer_on_old_hold_gets_nothing() {
    let mut leg = leg();
    let held = Remote {
        rtp: address("0.0.0.0:4000"),
        ..remote(Direction::SendOnly)
    };
    leg.set_remote(Time::ZERO, held);
    assert_eq!(leg.rtp_destination(), None);
}

#[test]
fn a_new_announcement_for_reports_counts_and_the_same_one_keeps_what_was_seen() {
    let mut leg = leg();
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    let seen = address("192.0.2.1:9");
    leg.rtcp(Time::ZERO, seen, &report);
    leg.set_remote(Time::ZERO, remote(Direction::SendRecv));
    assert_eq!(leg.rtcp_destination(), Some(seen));
    let multiplexed = Remote {
        rtcp: address(ANNOUNCED),
        ..remote(Direction::SendRecv)
    };
    assert_eq!(leg.set_remote(Time::ZERO, multiplexed), Listening::AsBefore);
    assert!(leg.is_multiplexed());
}

#[test]
fn a_key_whose_end_is_lost_is_told_a_little_later() {
    let mut leg = leg();
    hears(&mut leg, ANNOUNCED, &mut rtp(101, 1, &[5, 0, 1, 0x90]));
    let mut events = Vec::new();
    leg.tick(Time::from_millis(100), &mut events);
    assert_eq!(events, []);
    leg.tick(Time::from_millis(250), &mut events);
    assert_eq!(
        events,
        [MediaEvent::Dtmf {
            path: PATH,
            digit: '5',
            duration_ms: 50
        }]
    );
}

/// The leg of a peer that sends a fax from where it spoke before.
fn faxing() -> Leg {
    let mut leg = leg();
    hears(&mut leg, ANNOUNCED, &mut rtp(8, 1, b"x"));
    let fax = Remote {
        carries: Carries::Fax,
        payloads: Vec::new(),
        ..remote(Direction::SendRecv)
    };
    assert_eq!(leg.set_remote(Time::ZERO, fax), Listening::AsBefore);
    leg
}

#[test]
fn a_fax_passes_as_it_came_and_from_its_source_only() {
    // Its number may look like the beginning of RTP, of RTCP, or of neither.
    for number in [0x0000_u16, 0x8008, 0x80c8, 0xffff] {
        let [high, low] = number.to_be_bytes();
        let sent = [high, low, 1, 6, 0, 0];
        let mut datagram = sent;
        let (heard, events) = hears(&mut faxing(), ANNOUNCED, &mut datagram);
        assert_eq!((heard, events), (Heard::Rtp, vec![]), "{number:x}");
        assert_eq!(datagram, sent);
        assert_eq!(
            hears(&mut faxing(), STRANGER, &mut datagram).0,
            Heard::Nothing
        );
    }
    for short in [&b""[..], b"\r\n", &[0, 1, 0]] {
        assert_eq!(
            hears(&mut faxing(), ANNOUNCED, &mut short.to_vec()).0,
            Heard::Nothing
        );
    }
}

#[test]
fn a_fax_from_behind_a_nat_needs_three_packets() {
    let mut leg = faxing();
    let moved = Remote {
        rtp: address("192.0.2.1:4444"),
        carries: Carries::Fax,
        payloads: Vec::new(),
        ..remote(Direction::SendRecv)
    };
    assert_eq!(leg.set_remote(Time::ZERO, moved), Listening::ToAnybody);
    let nated = "192.0.2.1:999";
    let heard = [1, 2, 3, 4].map(|number| hears(&mut leg, nated, &mut [0, number, 1, 6]).0);
    let (wait, latched) = (Heard::Nothing, Heard::LatchedRtp(address(nated)));
    assert_eq!(heard, [wait, wait, latched, Heard::Rtp]);
}

#[test]
fn a_machine_that_receives_a_page_is_neither_silent_nor_gone() {
    let mut leg = faxing();
    leg.watch(Time::ZERO, Some(Duration::from_secs(30)));
    let mut events = Vec::new();
    assert_eq!(
        leg.tick(Time::from_secs(60), &mut events),
        Listening::AsBefore
    );
    assert_eq!(events, []);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    assert_eq!(
        leg.rtcp(Time::ZERO, address(ANNOUNCED), &report),
        Heard::Nothing
    );
}
