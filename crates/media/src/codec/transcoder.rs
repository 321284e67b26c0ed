//! From one encoding to another, packet by packet: no packet waits for a later one, so that the
//! phone's own buffer goes on dealing with jitter.

use super::pcm::Rate;
use super::{Codec, Decoder, Encoder};

/// One direction of a call whose legs share no encoding.
pub struct Transcoder {
    to: Codec,
    /// Made when the first packet says what it is, and anew when that changes.
    coders: Option<Coders>,
    last_sequence: Option<u16>,
    /// Decoded and not yet a full frame.
    samples: Vec<i16>,
}

struct Coders {
    from: Codec,
    rate: Rate,
    decoder: Decoder,
    encoder: Encoder,
}

/// So many lost packets in a row are concealed; what is longer is a pause of the sender.
const MAX_CONCEALED: u16 = 3;
/// A packet is so much behind at most; else its sender has begun anew.
const MAX_BEHIND: u16 = 100;

impl Transcoder {
    /// To that encoding.
    pub fn new(to: Codec) -> Self {
        Self {
            to,
            coders: None,
            last_sequence: None,
            samples: Vec::new(),
        }
    }

    /// What it encodes to.
    pub fn target(&self) -> Codec {
        self.to
    }

    /// Takes a packet and calls `send` with each payload of 20 ms that is full. What comes too late
    /// is left out.
    pub fn push(
        &mut self,
        from: Codec,
        sequence: u16,
        payload: &[u8],
        mut send: impl FnMut(&[u8]),
    ) {
        let Some(lost) = self.lost_before(sequence) else {
            return;
        };
        let Some(coders) = coders(&mut self.coders, from, self.to) else {
            return;
        };
        for _ in 0..lost {
            coders.decoder.conceal(&mut self.samples);
        }
        coders.decoder.decode(payload, &mut self.samples);
        let frame = coders.rate.frame_samples();
        let mut encoded = Vec::new();
        let mut frames = self.samples.chunks_exact(frame);
        for samples in frames.by_ref() {
            encoded.clear();
            coders.encoder.encode(samples, &mut encoded);
            send(&encoded);
        }
        let rest = frames.remainder().len();
        self.samples.drain(..self.samples.len() - rest);
    }

    /// How many packets are missing before this one; `None` if it comes too late itself.
    fn lost_before(&mut self, sequence: u16) -> Option<u16> {
        let Some(last) = self.last_sequence else {
            self.last_sequence = Some(sequence);
            return Some(0);
        };
        let ahead = sequence.wrapping_sub(last);
        if ahead == 0 || ahead > u16::MAX - MAX_BEHIND {
            return None;
        }
        self.last_sequence = Some(sequence);
        Some(ahead - 1).map(|lost| if lost <= MAX_CONCEALED { lost } else { 0 })
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
