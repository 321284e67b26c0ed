//! One leg's media as a pure state machine: which packets count, what they tell, what is reported.
//! It sees datagrams and their sources and decides; sockets and the other leg belong to the caller.

mod watch;

use std::net::SocketAddr;
use std::time::Duration;

use clock::Time;

use crate::codec::Codec;
use crate::latch::{Latching, Verdict};
use crate::path::{Carries, LegReport, MediaEvent, PathId, Remote};
use crate::payload::{Payload, PayloadMap};
use crate::rtp::{
    Arrival, KeyPress, Kind, Numbers, Outgoing, Packet, Press, Reception, TelephoneEvents, kind,
    rtcp_packets, set_payload,
};
use crate::sdp::Direction;
use watch::{Told, Watch};

/// After so long without a packet the peer may have moved: its source is learned anew.
pub const RELEARN_AFTER: Duration = Duration::from_secs(5);

/// A sequence number, a length and what follows it (ITU-T T.38 §9.1.1).
const MIN_UDPTL_BYTES: usize = 4;

/// What is to be done with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Pass it on as RTP, or as a fax if the leg carries one.
    Rtp,
    /// The same; from now on only this source is heard.
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

/// Whom a datagram on the RTP port comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From this address.
    Address(SocketAddr),
    /// From the latched source: the socket hears nobody else.
    Latched,
}

/// One leg's media. The order is kept, so that what every packet touches lies together: with hundreds
/// of legs a packet finds none of it in the nearest cache.
#[derive(Debug)]
#[repr(C)]
pub struct Leg {
    totals: LegReport,
    heard: Time,
    carries: Carries,
    /// The payload of the last packet, so that the usual packet needs no search.
    recent: Option<Payload>,
    onward: PayloadMap,
    outgoing: Outgoing,
    reception: Reception,
    events: TelephoneEvents,
    watch: Watch,
    latching: Option<Latching>,
    rtcp: Reports,
    payloads: Vec<Payload>,
    direction: Direction,
    rejection: Told,
    path: PathId,
}

/// Where the peer's RTCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reports {
    /// Wherever RTP goes.
    Multiplexed,
    /// To an address of its own: the announced one, or the one its reports come from.
    To {
        announced: SocketAddr,
        seen: Option<SocketAddr>,
    },
}

impl Reports {
    fn of(remote: &Remote) -> Self {
        match remote.rtcp {
            rtcp if rtcp == remote.rtp => Self::Multiplexed,
            announced => Self::To {
                announced,
                seen: None,
            },
        }
    }

    /// Whether this is still what the peer announces.
    fn is_for(self, remote: &Remote) -> bool {
        match self {
            Self::Multiplexed => remote.rtcp == remote.rtp,
            Self::To { announced, .. } => announced == remote.rtcp && remote.rtcp != remote.rtp,
        }
    }
}

impl Leg {
    /// A leg whose peer is not known yet.
    pub fn new(path: PathId, now: Time) -> Self {
        Self {
            totals: LegReport::default(),
            heard: now,
            carries: Carries::Audio,
            recent: None,
            onward: PayloadMap::IDENTITY,
            outgoing: Outgoing::new(seed(path, now)),
            reception: Reception::default(),
            events: TelephoneEvents::default(),
            watch: Watch::off(now),
            latching: None,
            rtcp: Reports::Multiplexed,
            payloads: Vec::new(),
            direction: Direction::SendRecv,
            rejection: Told::NotYet,
            path,
        }
    }

    /// Takes a new description of the peer.
    pub fn set_remote(&mut self, now: Time, remote: Remote) -> Listening {
        if (self.direction, self.carries) != (remote.direction, remote.carries) {
            self.watch.restart(now);
        }
        self.direction = remote.direction;
        self.carries = remote.carries;
        self.recent = None;
        let is_same = |latching: &Latching| latching.is_for(remote.rtp, remote.latch);
        let moved = !self.latching.as_ref().is_some_and(is_same);
        if moved || !self.rtcp.is_for(&remote) {
            self.rtcp = Reports::of(&remote);
        }
        self.payloads = remote.payloads;
        if !moved {
            return Listening::AsBefore;
        }
        self.latching = Some(Latching::new(remote.rtp, remote.latch));
        self.rejection = Told::NotYet;
        Listening::ToAnybody
    }

    /// How this peer's payload numbers change on the way to the other leg.
    pub fn set_onward(&mut self, map: PayloadMap) {
        self.onward = map;
    }

    /// The leg's path.
    pub fn path(&self) -> PathId {
        self.path
    }

    /// What passes between the peer and us.
    pub fn carries(&self) -> Carries {
        self.carries
    }

    /// The voice format in which we speak to the peer, once it is known.
    pub fn voice(&self) -> Option<Payload> {
        self.payloads
            .iter()
            .find(|payload| payload.codec.is_voice())
            .copied()
    }

    /// The peer's named events on the clock of that voice, if it knows them.
    pub fn events_beside(&self, voice: Payload) -> Option<Payload> {
        let is_event =
            |payload: &&Payload| !payload.codec.is_voice() && payload.clock == voice.clock;
        self.payloads.iter().find(is_event).copied()
    }

    /// Whether the peer can be sent that encoding.
    pub fn understands(&self, codec: Codec, clock: u32) -> bool {
        let mut payloads = self.payloads.iter();
        payloads.any(|payload| payload.codec == codec && payload.clock == clock)
    }

    /// The peer's negotiated payload numbers.
    pub fn payloads(&self) -> &[Payload] {
        &self.payloads
    }

    /// Whether the peer presses keys as named events, so that tones need not be listened for.
    pub fn knows_events(&self) -> bool {
        self.payloads
            .iter()
            .any(|payload| !payload.codec.is_voice())
    }

    /// What the last packet from the peer was negotiated to be.
    pub fn heard_payload(&self) -> Option<Payload> {
        self.recent
    }

    /// Somebody else speaks to the peer from now on.
    pub fn switch_speaker(&mut self) {
        self.outgoing.switch();
    }

    /// Whether the peer is passed packets as they came, so that it understands reports about them.
    pub fn hears_directly(&self) -> bool {
        self.outgoing.is_direct()
    }

    /// Numbers another leg's packet, whose clock is `clock`, for the peer.
    pub fn number_relayed(&mut self, now: Time, clock: u32, datagram: &mut [u8]) {
        self.outgoing.relay(now, clock, datagram);
    }

    /// Writes the header of 20 ms of our voice into the first 12 bytes of `packet`.
    pub fn number_voice(&mut self, now: Time, voice: Payload, packet: &mut [u8]) {
        let numbers = self.outgoing.voice(now, voice.clock);
        write_header(numbers, voice, packet);
    }

    /// The same for 20 ms that were translated, after the sender was silent for so long.
    pub fn number_translated(
        &mut self,
        now: Time,
        voice: Payload,
        silent: Duration,
        packet: &mut [u8],
    ) {
        let numbers = self.outgoing.translated(now, voice.clock, silent);
        write_header(numbers, voice, packet);
    }

    /// Writes the header of a packet about a key that we press.
    pub fn number_event(&mut self, now: Time, events: Payload, press: Press, packet: &mut [u8]) {
        let numbers = self.outgoing.event(now, events.clock, press);
        write_header(numbers, events, packet);
    }

    /// Begins, changes or ends the watch for silence.
    pub fn watch(&mut self, now: Time, limit: Option<Duration>) {
        self.watch.set(now, limit);
    }

    /// Takes what arrived on the RTP port. Of RTP the payload number is rewritten for the other leg; a
    /// fax passes as it came.
    pub fn rtp(
        &mut self,
        now: Time,
        from: Source,
        datagram: &mut [u8],
        events: &mut Vec<MediaEvent>,
    ) -> Heard {
        if self.carries == Carries::Fax {
            return self.fax(now, from, datagram, events);
        }
        match kind(datagram) {
            Kind::Rtp => {}
            Kind::Rtcp => return self.report(now, from, datagram),
            Kind::Other => return self.drop_one(),
        }
        let Some(packet) = Packet::parse(datagram) else {
            return self.drop_one();
        };
        let payload = self.payload(packet.payload);
        let verdict = self.judge(from, payload, packet.ssrc);
        let heard = self.hear(now, (from, verdict), datagram.len(), events);
        if heard != Heard::Nothing {
            self.count(now, &packet, payload, events);
            self.renumber(datagram);
        }
        heard
    }

    /// A piece of a fax does not say who sends it: three in a row from one address are one sender's.
    fn fax(
        &mut self,
        now: Time,
        from: Source,
        datagram: &[u8],
        events: &mut Vec<MediaEvent>,
    ) -> Heard {
        if datagram.len() < MIN_UDPTL_BYTES {
            return self.drop_one();
        }
        let verdict = match (from, &mut self.latching) {
            (Source::Latched, _) => Verdict::Accept,
            (Source::Address(_), None) => Verdict::Wait,
            (Source::Address(source), Some(latching)) => latching.packet(source, 0),
        };
        self.hear(now, (from, verdict), datagram.len(), events)
    }

    /// What a verdict means for a datagram of so many bytes.
    fn hear(
        &mut self,
        now: Time,
        (from, verdict): (Source, Verdict),
        bytes: usize,
        events: &mut Vec<MediaEvent>,
    ) -> Heard {
        let latched = match verdict {
            Verdict::Accept => None,
            Verdict::Latch => self.rtp_destination(),
            Verdict::Wait => return self.drop_one(),
            Verdict::Reject => {
                self.reject(from, events);
                return self.drop_one();
            }
        };
        self.tell_beginning(latched, events);
        self.heard = now;
        self.totals.packets_received += 1;
        self.totals.bytes_received += bytes as u64;
        latched.map_or(Heard::Rtp, Heard::LatchedRtp)
    }

    /// Takes what arrived on the RTCP port. Its source is where RTCP for the peer goes from then on:
    /// behind a NAT that is another port than announced, and not the one after RTP's.
    pub fn rtcp(&mut self, now: Time, source: SocketAddr, datagram: &[u8]) -> Heard {
        if self.carries == Carries::Fax {
            return self.drop_one();
        }
        let heard = self.report(now, Source::Address(source), datagram);
        if let (Heard::Rtcp, Reports::To { seen, .. }) = (heard, &mut self.rtcp) {
            *seen = Some(source);
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
            Reports::To { announced, seen } => reachable(seen.unwrap_or(announced)),
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
        // A fax machine may say nothing while it receives a page, and does not move meanwhile.
        if self.carries == Carries::Fax {
            return Listening::AsBefore;
        }
        if self.direction == Direction::SendRecv && self.watch.is_over(now, self.heard) {
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

    fn report(&mut self, now: Time, from: Source, datagram: &[u8]) -> Heard {
        let is_permitted = match (from, &self.latching) {
            (Source::Latched, _) => true,
            (Source::Address(source), Some(latching)) => latching.permits_report(source),
            (Source::Address(_), None) => false,
        };
        if !is_permitted || rtcp_packets(datagram).is_none() {
            return self.drop_one();
        }
        self.heard = now;
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

    fn judge(&mut self, from: Source, payload: Option<Payload>, ssrc: u32) -> Verdict {
        match (from, &mut self.latching) {
            (Source::Latched, _) => Verdict::Accept,
            (Source::Address(_), None) => Verdict::Wait,
            // A number that was not negotiated does not say who the peer is, a stranger stays one.
            (Source::Address(_), Some(latching))
                if payload.is_none() && latching.source().is_none() =>
            {
                Verdict::Wait
            }
            (Source::Address(source), Some(latching)) => latching.packet(source, ssrc),
        }
    }

    fn reject(&mut self, from: Source, events: &mut Vec<MediaEvent>) {
        if let (Source::Address(source), Told::NotYet) = (from, self.rejection) {
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
            Some(Payload { codec, .. }) => self.totals.codec = Some(codec),
            None => {}
        }
    }

    /// A key was pressed: told and kept.
    pub fn press(&mut self, key: KeyPress, events: &mut Vec<MediaEvent>) {
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
        if self.onward.is_identity() {
            return;
        }
        if let Some(number) = datagram.get(1) {
            set_payload(datagram, self.onward.apply(number & 0x7f));
        }
    }

    fn drop_one(&mut self) -> Heard {
        self.count_dropped();
        Heard::Nothing
    }
}

fn write_header(numbers: Numbers, payload: Payload, packet: &mut [u8]) {
    if let Some(header) = packet.first_chunk_mut() {
        *header = numbers.header(payload.number);
    }
}

/// What a stranger cannot know: when the path was opened, to the microsecond, well mixed.
fn seed(path: PathId, now: Time) -> u64 {
    let mut seed = path.to_bits() ^ now.as_micros().rotate_left(32);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        seed = (seed ^ (seed >> 31)).wrapping_mul(factor);
    }
    seed ^ (seed >> 31)
}

/// An address that packets can be sent to: a peer on hold may announce `0.0.0.0`.
fn reachable(address: SocketAddr) -> Option<SocketAddr> {
    (!address.ip().is_unspecified() && address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests;
