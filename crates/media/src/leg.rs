//! One leg's media as a pure state machine: which packets count, what they tell, what is reported.
//! It sees datagrams and their sources and decides; sockets and the other leg belong to the caller.

use std::net::SocketAddr;
use std::time::Duration;

use clock::Time;

use crate::codec::Codec;
use crate::latch::{Latching, Verdict};
use crate::path::{LegReport, MediaEvent, PathId, Remote};
use crate::payload::{Payload, PayloadMap};
use crate::rtp::{
    Arrival, KeyPress, Kind, Packet, Reception, TelephoneEvents, kind, rtcp_packets, set_payload,
};
use crate::sdp::Direction;

/// After so long without a packet the peer may have moved: its source is learned anew.
pub const RELEARN_AFTER: Duration = Duration::from_secs(5);

/// What is to be done with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Pass it on as RTP.
    Rtp,
    /// Pass it on as RTP; from now on only this source is heard.
    LatchedRtp(SocketAddr),
    /// Pass it on as RTCP.
    Rtcp,
    /// Forget it.
    Nothing,
}

/// Whether the leg listens to whoever it listened to before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Nothing changed.
    AsBefore,
    /// The source has to be learned: anybody may send.
    ToAnybody,
}

/// One leg's media.
#[derive(Debug)]
pub struct Leg {
    path: PathId,
    latching: Option<Latching>,
    rtcp: Reports,
    payloads: Vec<Payload>,
    /// The payload of the last packet, so that the usual packet needs no search.
    recent: Option<Payload>,
    outgoing: PayloadMap,
    direction: Direction,
    watch: Watch,
    heard: Time,
    events: TelephoneEvents,
    reception: Reception,
    rejection: Rejection,
    totals: LegReport,
}

/// Where the peer's RTCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reports {
    /// Wherever RTP goes.
    Multiplexed,
    /// To an address of its own.
    To(SocketAddr),
}

/// The watch for silence.
#[derive(Clone, Copy, Debug)]
struct Watch {
    limit: Option<Duration>,
    /// Silence before this does not count.
    since: Time,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    NotYet,
    Already,
}

/// Whether a stranger was told for the present announcement.
type Rejection = Told;

impl Leg {
    /// A leg whose peer is not known yet.
    pub fn new(path: PathId, now: Time) -> Self {
        Self {
            path,
            latching: None,
            rtcp: Reports::Multiplexed,
            payloads: Vec::new(),
            recent: None,
            outgoing: PayloadMap::IDENTITY,
            direction: Direction::SendRecv,
            watch: Watch {
                limit: None,
                since: now,
                told: Told::NotYet,
            },
            heard: now,
            events: TelephoneEvents::default(),
            reception: Reception::default(),
            rejection: Told::NotYet,
            totals: LegReport::default(),
        }
    }

    /// Takes a new description of the peer.
    pub fn set_remote(&mut self, now: Time, remote: Remote) -> Listening {
        if self.direction != remote.direction {
            self.watch.restart(now);
        }
        self.direction = remote.direction;
        self.payloads = remote.payloads;
        self.recent = None;
        let is_same = |latching: &Latching| latching.is_for(remote.rtp, remote.latch);
        if self.latching.as_ref().is_some_and(is_same) {
            return Listening::AsBefore;
        }
        self.rtcp = match remote.rtcp {
            rtcp if rtcp == remote.rtp => Reports::Multiplexed,
            rtcp => Reports::To(rtcp),
        };
        self.latching = Some(Latching::new(remote.rtp, remote.latch));
        self.rejection = Told::NotYet;
        Listening::ToAnybody
    }

    /// How this peer's payload numbers change on the way to the other leg.
    pub fn set_outgoing(&mut self, map: PayloadMap) {
        self.outgoing = map;
    }

    /// Begins, changes or ends the watch for silence.
    pub fn watch(&mut self, now: Time, limit: Option<Duration>) {
        self.watch.limit = limit;
        self.watch.restart(now);
    }

    /// Takes what arrived on the RTP port. `source` is `None` if the socket hears only the latched
    /// one. Rewrites the payload number for the other leg.
    pub fn rtp(
        &mut self,
        now: Time,
        source: Option<SocketAddr>,
        datagram: &mut [u8],
        events: &mut Vec<MediaEvent>,
    ) -> Heard {
        match kind(datagram) {
            Kind::Rtp => {}
            Kind::Rtcp => return self.report(now, source, datagram),
            Kind::Other => return self.drop_one(),
        }
        let Some(packet) = Packet::parse(datagram) else {
            return self.drop_one();
        };
        let payload = self.payload(packet.payload);
        let latched = match source.map(|source| self.judge(source, payload, packet.ssrc)) {
            None | Some(Verdict::Accept) => None,
            Some(Verdict::Latch) => source,
            Some(Verdict::Wait) => return self.drop_one(),
            Some(Verdict::Reject) => {
                self.reject(source, events);
                return self.drop_one();
            }
        };
        self.tell_beginning(latched, events);
        self.totals.bytes_received += datagram.len() as u64;
        self.count(now, &packet, payload, events);
        self.renumber(datagram);
        latched.map_or(Heard::Rtp, Heard::LatchedRtp)
    }

    /// Takes what arrived on the RTCP port. Its source is where RTCP for the peer goes from then on:
    /// behind a NAT that is another port than announced, and not the one after RTP's.
    pub fn rtcp(&mut self, now: Time, source: SocketAddr, datagram: &[u8]) -> Heard {
        let heard = self.report(now, Some(source), datagram);
        if let (Heard::Rtcp, Reports::To(destination)) = (heard, &mut self.rtcp) {
            *destination = source;
        }
        heard
    }

    /// Where RTP for the peer goes, if anywhere.
    pub fn rtp_destination(&self) -> Option<SocketAddr> {
        let destination = self.latching.as_ref()?.destination();
        reachable(destination)
    }

    /// Where RTCP for the peer goes, if it has a port of its own; else it goes with RTP.
    pub fn rtcp_destination(&self) -> Option<SocketAddr> {
        match self.rtcp {
            Reports::Multiplexed => None,
            Reports::To(destination) => reachable(destination),
        }
    }

    /// Whether RTCP for the peer goes wherever RTP goes.
    pub fn is_multiplexed(&self) -> bool {
        self.rtcp == Reports::Multiplexed
    }

    /// Counts an RTP packet that was sent to the peer.
    pub fn count_sent(&mut self, bytes: usize) {
        self.totals.packets_sent += 1;
        self.totals.bytes_sent += bytes as u64;
    }

    /// Counts a packet of the peer that went nowhere.
    pub fn count_dropped(&mut self) {
        self.totals.packets_dropped += 1;
    }

    /// Looks after what happens when nothing arrives: silence, lost ends of keys, moved peers.
    pub fn tick(&mut self, now: Time, events: &mut Vec<MediaEvent>) -> Listening {
        if let Some(key) = self.events.lapse(now) {
            self.press(key, events);
        }
        if self.direction == Direction::SendRecv && self.watch.is_over(now, self.heard) {
            self.watch.told = Told::Already;
            events.push(MediaEvent::Silent { path: self.path });
        }
        match &mut self.latching {
            Some(latching) if latching.source().is_some() && now - self.heard >= RELEARN_AFTER => {
                latching.relearn();
                Listening::ToAnybody
            }
            Some(_) | None => Listening::AsBefore,
        }
    }

    /// The leg is over.
    pub fn finish(mut self, events: &mut Vec<MediaEvent>) -> LegReport {
        if let Some(key) = self.events.finish() {
            self.press(key, events);
        }
        LegReport {
            packets_lost: self.reception.lost(),
            jitter_us: u32::try_from(self.reception.jitter().as_micros()).unwrap_or(u32::MAX),
            ..self.totals
        }
    }

    fn report(&mut self, now: Time, source: Option<SocketAddr>, datagram: &[u8]) -> Heard {
        let latching = self.latching.as_ref();
        let is_permitted = source
            .is_none_or(|source| latching.is_some_and(|latching| latching.permits_report(source)));
        if !is_permitted || rtcp_packets(datagram).is_none() {
            return self.drop_one();
        }
        self.hear(now);
        Heard::Rtcp
    }

    /// What a payload number was negotiated to mean.
    fn payload(&mut self, number: u8) -> Option<Payload> {
        if self.recent.is_none_or(|recent| recent.number != number) {
            self.recent = self
                .payloads
                .iter()
                .find(|payload| payload.number == number)
                .copied();
        }
        self.recent
    }

    fn judge(&mut self, source: SocketAddr, payload: Option<Payload>, ssrc: u32) -> Verdict {
        match &mut self.latching {
            None => Verdict::Wait,
            // A number that was not negotiated does not say who the peer is, a stranger stays one.
            Some(latching) if payload.is_none() && latching.source().is_none() => Verdict::Wait,
            Some(latching) => latching.packet(source, ssrc),
        }
    }

    fn reject(&mut self, source: Option<SocketAddr>, events: &mut Vec<MediaEvent>) {
        if let Some(source) = source.filter(|_| self.rejection == Told::NotYet) {
            self.rejection = Told::Already;
            events.push(MediaEvent::Rejected {
                path: self.path,
                source,
            });
        }
    }

    fn tell_beginning(&mut self, latched: Option<SocketAddr>, events: &mut Vec<MediaEvent>) {
        if self.totals.packets_received == 0 {
            events.push(MediaEvent::FirstPacket { path: self.path });
        }
        if let Some(remote) = latched {
            events.push(MediaEvent::Latched {
                path: self.path,
                remote,
            });
        }
    }

    fn count(
        &mut self,
        now: Time,
        packet: &Packet<'_>,
        payload: Option<Payload>,
        events: &mut Vec<MediaEvent>,
    ) {
        self.hear(now);
        self.totals.packets_received += 1;
        let is_voice = payload.is_some_and(|payload| payload.codec.is_voice());
        let clock = payload.filter(|_| is_voice).map(|payload| payload.clock);
        self.reception.packet(packet, Arrival { at: now, clock });
        match payload {
            Some(Payload {
                codec: Codec::TelephoneEvent,
                clock,
                ..
            }) => {
                for key in self.events.packet(now, packet, clock) {
                    self.press(key, events);
                }
            }
            Some(Payload { codec, .. }) => {
                self.totals.codec = Some(codec);
                if let Some(key) = self.events.lapse(now) {
                    self.press(key, events);
                }
            }
            None => {}
        }
    }

    fn hear(&mut self, now: Time) {
        self.heard = now;
        self.watch.told = Told::NotYet;
    }

    fn press(&mut self, key: KeyPress, events: &mut Vec<MediaEvent>) {
        if self.totals.dtmf.len() < LegReport::MAX_DTMF_DIGITS {
            self.totals.dtmf.push(key.digit);
        }
        let duration_ms = u32::try_from(key.held.as_millis()).unwrap_or(u32::MAX);
        events.push(MediaEvent::Dtmf {
            path: self.path,
            digit: key.digit,
            duration_ms,
        });
    }

    fn renumber(&self, datagram: &mut [u8]) {
        if self.outgoing.is_identity() {
            return;
        }
        if let Some(number) = datagram.get(1) {
            set_payload(datagram, self.outgoing.apply(number & 0x7f));
        }
    }

    fn drop_one(&mut self) -> Heard {
        self.count_dropped();
        Heard::Nothing
    }
}

impl Watch {
    fn restart(&mut self, now: Time) {
        self.since = now;
        self.told = Told::NotYet;
    }

    fn is_over(&self, now: Time, heard: Time) -> bool {
        let silence = now - heard.max(self.since);
        self.told == Told::NotYet && self.limit.is_some_and(|limit| silence >= limit)
    }
}

/// An address that packets can be sent to: a peer on hold may announce `0.0.0.0`.
fn reachable(address: SocketAddr) -> Option<SocketAddr> {
    (!address.ip().is_unspecified() && address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests {
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
        let heard = leg.rtp(Time::ZERO, Some(address(source)), datagram, &mut events);
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
        leg.set_outgoing(PayloadMap::of(&[(101, 96)]));
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
                leg.rtp(
                    now,
                    Some(address(ANNOUNCED)),
                    &mut rtp(8, 1, b"x"),
                    &mut events,
                );
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
}
