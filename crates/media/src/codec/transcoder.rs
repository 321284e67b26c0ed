//! From one encoding to another, packet by packet: no packet waits for a later one, so that the
//! phone's own buffer goes on dealing with jitter.

use std::time::Duration;

use super::pcm::Rate;
use super::{Codec, Decoder, Encoder};
use crate::payload::Payload;
use crate::rtp::Packet;

/// One direction of a call whose legs share no encoding.
pub struct Transcoder {
    to: Codec,
    /// Made when the first packet says what it is, and anew when that changes.
    coders: Option<Coders>,
    before: Option<Before>,
    /// Decoded and not yet a full frame.
    samples: Vec<i16>,
    encoded: Vec<u8>,
}

struct Coders {
    from: Codec,
    rate: Rate,
    decoder: Decoder,
    encoder: Encoder,
}

/// The packet before.
#[derive(Clone, Copy)]
struct Before {
    ssrc: u32,
    sequence: u16,
    /// The timestamp after its last sample.
    ends_at: u32,
}

/// So many lost packets in a row are concealed; what is longer is a pause of the sender.
const MAX_CONCEALED: u16 = 3;
/// A packet is so much behind at most; else its sender has begun anew.
const MAX_BEHIND: u16 = 100;
/// The longest pause that the timestamps are believed about.
const MAX_PAUSE: Duration = Duration::from_mins(1);
const FRAME_MS: u64 = 20;

impl Transcoder {
    /// To that encoding.
    pub fn new(to: Codec) -> Self {
        Self {
            to,
            coders: None,
            before: None,
            samples: Vec::new(),
            encoded: Vec::new(),
        }
    }

    /// What it encodes to.
    pub fn target(&self) -> Codec {
        self.to
    }

    /// Takes a packet and calls `send` with each payload of 20 ms that is full, and how long the sender
    /// was silent before it. What comes too late is left out.
    pub fn push(
        &mut self,
        payload: Payload,
        packet: &Packet<'_>,
        mut send: impl FnMut(&[u8], Duration),
    ) {
        let before = self.before.filter(|before| before.ssrc == packet.ssrc);
        let Some(lost) = lost_between(before, packet) else {
            return;
        };
        let silent = before.map_or(Duration::ZERO, |before| {
            silence(before, packet, payload.clock)
        });
        let concealed = Duration::from_millis(u64::from(lost) * FRAME_MS).min(silent);
        let Some(coders) = coders(&mut self.coders, payload.codec, self.to) else {
            return;
        };
        for _ in 0..concealed.as_millis() / u128::from(FRAME_MS) {
            coders.decoder.conceal(&mut self.samples);
        }
        let already = self.samples.len();
        coders.decoder.decode(packet.body, &mut self.samples);
        let decoded = (self.samples.len() - already) as u64;
        let ticks = decoded * u64::from(payload.clock) / u64::from(coders.rate.hertz());
        self.before = Some(Before {
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            ends_at: packet
                .timestamp
                .wrapping_add(u32::try_from(ticks).unwrap_or(0)),
        });
        let mut skipped = silent.saturating_sub(concealed);
        self.encode(|frame| send(frame, std::mem::take(&mut skipped)));
    }

    /// Takes the next piece of a stream that loses nothing.
    pub fn recode(&mut self, from: Codec, body: &[u8], send: impl FnMut(&[u8])) {
        if let Some(coders) = coders(&mut self.coders, from, self.to) {
            coders.decoder.decode(body, &mut self.samples);
            self.encode(send);
        }
    }

    fn encode(&mut self, mut send: impl FnMut(&[u8])) {
        let Some(coders) = &mut self.coders else {
            return;
        };
        let mut frames = self.samples.chunks_exact(coders.rate.frame_samples());
        for samples in frames.by_ref() {
            self.encoded.clear();
            coders.encoder.encode(samples, &mut self.encoded);
            send(&self.encoded);
        }
        let rest = frames.remainder().len();
        self.samples.drain(..self.samples.len() - rest);
    }
}

/// How many packets are missing between two; `None` if the second comes too late.
fn lost_between(before: Option<Before>, packet: &Packet<'_>) -> Option<u16> {
    let Some(before) = before else { return Some(0) };
    let ahead = packet.sequence.wrapping_sub(before.sequence);
    if ahead == 0 || ahead > u16::MAX - MAX_BEHIND {
        return None;
    }
    Some(ahead - 1).map(|lost| if lost <= MAX_CONCEALED { lost } else { 0 })
}

/// What the timestamps leave out between two packets.
fn silence(before: Before, packet: &Packet<'_>, clock: u32) -> Duration {
    let ticks = packet.timestamp.wrapping_sub(before.ends_at).cast_signed();
    let ticks = u64::try_from(ticks).unwrap_or(0);
    let pause = Duration::from_micros(ticks * 1_000_000 / u64::from(clock.max(1)));
    if pause <= MAX_PAUSE {
        pause
    } else {
        Duration::ZERO
    }
}

fn coders(coders: &mut Option<Coders>, from: Codec, to: Codec) -> Option<&mut Coders> {
    if coders.as_ref().is_none_or(|coders| coders.from != from) {
        // Wide-band audio is worth its cost only if both can carry it.
        let rate = if from.is_wide() && to.is_wide() {
            Rate::Wide
        } else {
            Rate::Narrow
        };
        *coders = Some(Coders {
            from,
            rate,
            decoder: Decoder::new(from, rate)?,
            encoder: Encoder::new(to, rate)?,
        });
    }
    coders.as_mut()
}
