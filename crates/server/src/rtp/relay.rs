//! From one leg's sockets to the other's: what is done for each datagram.

use clock::Time;
use media::MediaEvent;
use media::leg::{Heard, Listening};

use super::counters::RtpCounts;
use super::pair::{Buffer, MAX_DATAGRAM_BYTES, Sent};
use super::paths::{Path, Paths, Stage};

/// The paths and what passing packets between them needs.
pub(super) struct Relay {
    pub(super) paths: Paths,
    pub(super) events: Vec<MediaEvent>,
    pub(super) counts: RtpCounts,
    buffer: Box<Buffer>,
}

/// Which socket of a path can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Rtp,
    Rtcp,
}

impl Relay {
    pub(super) fn new(paths: Paths) -> Self {
        Self {
            paths,
            events: Vec::new(),
            counts: RtpCounts::default(),
            buffer: Box::new([0; MAX_DATAGRAM_BYTES + 1]),
        }
    }

    /// Reads one datagram and passes it on. Only one: whoever has more waits until everybody else had
    /// a turn, so a flood on one leg starves nobody.
    pub(super) fn ready(&mut self, now: Time, slot: u32, port: Port) {
        let Some(path) = self.paths.at(slot) else {
            return;
        };
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
        let passed = match heard {
            Heard::Nothing => Passed::Nowhere,
            Heard::Rtp | Heard::LatchedRtp(_) => self.pass(slot, bytes, Port::Rtp),
            Heard::Rtcp => self.pass(slot, bytes, Port::Rtcp),
        };
        self.count(slot, heard, passed);
    }

    /// Sends the buffer to the peer at the other end of the bridge.
    fn pass(&mut self, slot: u32, bytes: usize, port: Port) -> Passed {
        let peer = self.paths.at(slot).and_then(|path| path.peer);
        let Some(peer) = peer.and_then(|peer| self.paths.at(peer)) else {
            return Passed::Nowhere;
        };
        let datagram = &self.buffer[..bytes];
        match port {
            Port::Rtp => send_rtp(peer, datagram),
            Port::Rtcp => send_rtcp(peer, datagram),
        }
    }

    fn count(&mut self, slot: u32, heard: Heard, passed: Passed) {
        match passed {
            Passed::On(Port::Rtp) => self.counts.relayed += 1,
            Passed::On(Port::Rtcp) => self.counts.reports += 1,
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
        for path in self
            .paths
            .iter_mut()
            .filter(|path| path.stage == Stage::Listening)
        {
            if path.leg.tick(now, &mut self.events) == Listening::ToAnybody {
                path.pair.unlock();
            }
        }
    }
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    On(Port),
    /// The kernel did not take it.
    Refused,
    /// There is no bridge, or the other peer has no address.
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

fn send_rtp(peer: &mut Path, datagram: &[u8]) -> Passed {
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
