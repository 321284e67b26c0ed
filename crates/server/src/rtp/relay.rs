//! From one leg's sockets to the other's: what is done for each datagram.

use std::collections::BTreeMap;

use clock::Time;
use media::leg::{Heard, Listening};
use media::mix::Room;
use media::{Carries, MediaEvent, RoomId};

use super::counters::RtpCounts;
use super::pair::{Buffer, MAX_DATAGRAM_BYTES, Sent};
use super::paths::{Path, Paths, Stage};
use super::recordings::Recordings;
use super::wheel::Wheel;

/// The paths and what passing packets between them needs.
pub(super) struct Relay {
    pub(super) paths: Paths,
    pub(super) events: Vec<MediaEvent>,
    pub(super) counts: RtpCounts,
    pub(super) wheel: Wheel,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    pub(super) recordings: Recordings,
    /// The datagram that was read last.
    pub(super) buffer: Box<Buffer>,
    /// The packet that is made.
    pub(super) packet: Vec<u8>,
}

/// Which socket of a path can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Rtp,
    Rtcp,
}

impl Relay {
    pub(super) fn new(paths: Paths, recordings: Recordings) -> Self {
        Self {
            paths,
            events: Vec::new(),
            counts: RtpCounts::default(),
            wheel: Wheel::new(),
            rooms: BTreeMap::new(),
            recordings,
            buffer: Box::new([0; MAX_DATAGRAM_BYTES + 1]),
            packet: Vec::new(),
        }
    }

    /// Reads one datagram and passes it on. Only one: whoever has more waits until everybody else had
    /// a turn, so a flood on one leg starves nobody.
    pub(super) fn ready(&mut self, now: Time, slot: u32, port: Port) {
        let Some(path) = self.paths.at(slot) else {
            return;
        };
        let told = self.events.len();
        let heard = match port {
            Port::Rtp => hear_rtp(now, path, &mut self.buffer, &mut self.events),
            Port::Rtcp => hear_rtcp(now, path, &mut self.buffer),
        };
        let Some((bytes, heard)) = heard else {
            return;
        };
        if let Heard::LatchedRtp(remote) = heard {
            path.pair.lock(remote);
        }
        let is_plain = path.studio.is_none();
        let passed = match heard {
            Heard::Nothing => Passed::Nowhere,
            Heard::Rtp | Heard::LatchedRtp(_) if is_plain => self.pass(now, slot, bytes),
            Heard::Rtp | Heard::LatchedRtp(_) => self.work_on(now, slot, bytes, told),
            Heard::Rtcp => self.pass_report(slot, bytes),
        };
        self.count(slot, heard, passed);
    }

    /// Sends the buffer to the peer at the other end of the bridge.
    pub(super) fn pass(&mut self, now: Time, slot: u32, bytes: usize) -> Passed {
        let Some(path) = self.paths.at(slot) else {
            return Passed::Nowhere;
        };
        let payload = path.leg.heard_payload();
        let carries = path.leg.carries();
        let Some(peer) = path.peer.and_then(|peer| self.paths.at(peer)) else {
            return Passed::Nowhere;
        };
        // Between two offers one leg may have come further than the other.
        if peer.leg.carries() != carries || peer.is_spoken_to() {
            return Passed::Nowhere;
        }
        let datagram = &mut self.buffer[..bytes];
        if carries == Carries::Audio {
            let clock = payload.map_or(USUAL_CLOCK, |payload| payload.clock);
            peer.leg.number_relayed(now, clock, datagram);
        }
        send_rtp(peer, datagram)
    }

    /// Sends the report in the buffer to the peer at the other end of the bridge, if it is about
    /// packets as the peer knows them.
    fn pass_report(&mut self, slot: u32, bytes: usize) -> Passed {
        let peer = self.paths.at(slot).and_then(|path| path.peer);
        let Some(peer) = peer.and_then(|peer| self.paths.at(peer)) else {
            return Passed::Nowhere;
        };
        if peer.leg.hears_directly() {
            send_rtcp(peer, &self.buffer[..bytes])
        } else {
            Passed::Here
        }
    }

    fn count(&mut self, slot: u32, heard: Heard, passed: Passed) {
        match passed {
            Passed::On(Port::Rtp) => self.counts.relayed += 1,
            Passed::On(Port::Rtcp) => self.counts.reports += 1,
            Passed::Here => {}
            Passed::Refused => self.counts.unsent += 1,
            Passed::Nowhere => {
                self.counts.dropped += 1;
                // What the leg itself refused it has counted.
                if let Some(path) = self.paths.at(slot).filter(|_| heard != Heard::Nothing) {
                    path.leg.count_dropped();
                }
            }
        }
    }

    /// Looks after every path: silence, lost key ends, peers that have moved.
    pub(super) fn tick(&mut self, now: Time) {
        let told = self.events.len();
        for path in self
            .paths
            .iter_mut()
            .filter(|path| path.stage == Stage::Listening)
        {
            if path.leg.tick(now, &mut self.events) == Listening::ToAnybody {
                path.pair.unlock();
            }
        }
        self.press_onward(now, told);
        self.tick_recordings(now);
    }
}

impl RtpCounts {
    /// Counts a packet of ours.
    pub(super) fn count_spoken(&mut self, passed: Passed) {
        match passed {
            Passed::On(_) => self.spoken += 1,
            Passed::Refused => self.unsent += 1,
            Passed::Here | Passed::Nowhere => {}
        }
    }
}

/// The clock of what was not negotiated, if it is anything.
const USUAL_CLOCK: u32 = 8_000;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    On(Port),
    /// It was meant for us: it is mixed, translated, or about packets that do not pass.
    Here,
    /// The kernel did not take it.
    Refused,
    /// There is no bridge, or the other peer has no address or hears us just now.
    Nowhere,
}

fn hear_rtp(
    now: Time,
    path: &mut Path,
    buffer: &mut Buffer,
    events: &mut Vec<MediaEvent>,
) -> Option<(usize, Heard)> {
    let (bytes, from) = path.pair.receive_rtp(buffer)?;
    Some((bytes, path.leg.rtp(now, from, &mut buffer[..bytes], events)))
}

fn hear_rtcp(now: Time, path: &mut Path, buffer: &mut Buffer) -> Option<(usize, Heard)> {
    let (bytes, source) = path.pair.receive_rtcp(buffer)?;
    Some((bytes, path.leg.rtcp(now, source, &buffer[..bytes])))
}

pub(super) fn send_rtp(peer: &mut Path, datagram: &[u8]) -> Passed {
    let sent = if peer.pair.is_locked() {
        peer.pair.send_to_source(datagram)
    } else {
        match peer.leg.rtp_destination() {
            Some(to) => peer.pair.send_rtp(datagram, to),
            None => return Passed::Nowhere,
        }
    };
    match sent {
        Sent::Yes => {
            peer.leg.count_sent(datagram.len());
            Passed::On(Port::Rtp)
        }
        Sent::No => Passed::Refused,
    }
}

fn send_rtcp(peer: &mut Path, datagram: &[u8]) -> Passed {
    let sent = if peer.leg.is_multiplexed() {
        peer.leg
            .rtp_destination()
            .map(|to| peer.pair.send_rtp(datagram, to))
    } else {
        peer.leg
            .rtcp_destination()
            .map(|to| peer.pair.send_rtcp(datagram, to))
    };
    match sent {
        Some(Sent::Yes) => Passed::On(Port::Rtcp),
        Some(Sent::No) => Passed::Refused,
        None => Passed::Nowhere,
    }
}
