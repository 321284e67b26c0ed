//! One leg of a recording: its packets put in order, decoded, and given their place in time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::codec::{Codec, Decoder, Rate};
use crate::record::Channel;
use crate::rtp::Packet;

/// One leg's packets on their way to audio.
pub(super) struct Track {
    channel: Channel,
    rate: Rate,
    ssrc: Option<u32>,
    /// Packets that may have been overtaken, in order of their numbers.
    waiting: VecDeque<Waiting>,
    decoder: Option<(Codec, Decoder)>,
    before: Option<Before>,
    /// The first sample that nothing is known of.
    end: u64,
    work: Vec<i16>,
}

struct Waiting {
    arrived: Duration,
    codec: Codec,
    sequence: u16,
    timestamp: u32,
    body: Vec<u8>,
}

/// The packet before, which the next one is placed by.
#[derive(Clone, Copy)]
struct Before {
    sequence: u16,
    timestamp: u32,
    position: u64,
    codec: Codec,
}

/// How long a packet waits for those that it overtook.
pub(super) const REORDERING: Duration = Duration::from_millis(200);
/// How far RTP time may lie from that of arrival: more is a new timeline (hold, transfer), or clocks
/// that have drifted apart.
pub(super) const MAX_DRIFT: Duration = Duration::from_millis(500);
/// The most packets that wait: 200 ms of packets of 3 ms.
const MAX_WAITING: usize = 64;
/// The most frames that are made up for lost ones; what is longer stays silent.
const MAX_CONCEALED: u64 = 4;

/// A piece of decoded audio and its place.
pub(super) struct Piece<'a> {
    pub(super) channel: Channel,
    pub(super) position: u64,
    pub(super) samples: &'a [i16],
}

impl Track {
    pub(super) fn new(channel: Channel, rate: Rate) -> Self {
        Self {
            channel,
            rate,
            ssrc: None,
            waiting: VecDeque::new(),
            decoder: None,
            before: None,
            end: 0,
            work: Vec::new(),
        }
    }

    /// Takes a packet that came at that time of the recording.
    pub(super) fn push(
        &mut self,
        arrived: Duration,
        codec: Codec,
        packet: &Packet<'_>,
        write: &mut impl FnMut(Piece<'_>),
    ) {
        if self.ssrc != Some(packet.ssrc) {
            self.flush(write);
            self.break_off();
            self.ssrc = Some(packet.ssrc);
        }
        let ahead_of =
            |waiting: &Waiting| packet.sequence.wrapping_sub(waiting.sequence).cast_signed();
        let place = self
            .waiting
            .partition_point(|waiting| ahead_of(waiting) > 0);
        if self
            .waiting
            .get(place)
            .is_some_and(|same| same.sequence == packet.sequence)
        {
            return;
        }
        let waiting = Waiting {
            arrived,
            codec,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            body: packet.body.to_vec(),
        };
        self.waiting.insert(place, waiting);
        if self.waiting.len() > MAX_WAITING {
            self.decode_first(write);
        }
    }

    /// Decodes what can no longer be overtaken.
    pub(super) fn settle(&mut self, now: Duration, write: &mut impl FnMut(Piece<'_>)) {
        while self
            .waiting
            .front()
            .is_some_and(|first| first.arrived + REORDERING <= now)
        {
            self.decode_first(write);
        }
    }

    /// Decodes everything.
    pub(super) fn flush(&mut self, write: &mut impl FnMut(Piece<'_>)) {
        while !self.waiting.is_empty() {
            self.decode_first(write);
        }
    }

    /// What follows has a place of its own.
    pub(super) fn break_off(&mut self) {
        self.before = None;
        self.decoder = None;
    }

    fn decode_first(&mut self, write: &mut impl FnMut(Piece<'_>)) {
        let Some(first) = self.waiting.pop_front() else {
            return;
        };
        let is_late = self.before.is_some_and(|before| {
            let ahead = first.sequence.wrapping_sub(before.sequence).cast_signed();
            (-i16::from(i8::MAX)..=0).contains(&ahead)
        });
        if is_late {
            return;
        }
        let position = self.position(&first);
        self.conceal(&first, position, write);
        if self
            .decoder
            .as_ref()
            .is_none_or(|(known, _)| *known != first.codec)
        {
            self.decoder =
                Decoder::new(first.codec, self.rate).map(|decoder| (first.codec, decoder));
        }
        let Some((_, decoder)) = &mut self.decoder else {
            return;
        };
        self.work.clear();
        decoder.decode(&first.body, &mut self.work);
        self.write(position, write);
        self.before = Some(Before {
            sequence: first.sequence,
            timestamp: first.timestamp,
            position,
            codec: first.codec,
        });
    }

    /// Where a packet belongs: by its timestamp, unless that is far from when it came.
    fn position(&self, packet: &Waiting) -> u64 {
        let arrived = samples(packet.arrived, self.rate);
        let Some(before) = self.before.filter(|before| before.codec == packet.codec) else {
            return arrived;
        };
        let ticks = i64::from(
            packet
                .timestamp
                .wrapping_sub(before.timestamp)
                .cast_signed(),
        );
        let step = ticks * i64::from(self.rate.hertz()) / clock(packet.codec);
        let position = before.position.saturating_add_signed(step);
        let is_near = position.abs_diff(arrived) <= samples(MAX_DRIFT, self.rate);
        if is_near { position } else { arrived }
    }

    /// Fills the place of a few lost packets.
    fn conceal(&mut self, next: &Waiting, position: u64, write: &mut impl FnMut(Piece<'_>)) {
        let Some(before) = self.before else { return };
        let lost = next.sequence.wrapping_sub(before.sequence).wrapping_sub(1);
        let frame = self.rate.frame_samples() as u64;
        let frames = position.saturating_sub(self.end) / frame;
        if lost == 0 || !(1..=MAX_CONCEALED).contains(&frames) {
            return;
        }
        let Some((_, decoder)) = &mut self.decoder else {
            return;
        };
        self.work.clear();
        for _ in 0..frames {
            decoder.conceal(&mut self.work);
        }
        self.write(self.end, write);
    }

    /// Hands on what was decoded, without what overlaps the piece before.
    fn write(&mut self, position: u64, write: &mut impl FnMut(Piece<'_>)) {
        let overlap = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
        let Some(fresh) = self.work.get(overlap..).filter(|fresh| !fresh.is_empty()) else {
            return;
        };
        let position = position.max(self.end);
        self.end = position + fresh.len() as u64;
        write(Piece {
            channel: self.channel,
            position,
            samples: fresh,
        });
    }
}

/// The RTP clock of an encoding: each has one (RFC 3551 §6, RFC 7587 §4.1).
fn clock(codec: Codec) -> i64 {
    match codec {
        Codec::Opus => 48_000,
        Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::TelephoneEvent => 8_000,
    }
}

pub(super) fn samples(time: Duration, rate: Rate) -> u64 {
    let samples = time.as_micros() * u128::from(rate.hertz()) / 1_000_000;
    u64::try_from(samples).unwrap_or(u64::MAX)
}
