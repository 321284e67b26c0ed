//! Linear audio to payloads of 20 ms.

use audio_codec::Encoder as _;
use audio_codec::g722::G722Encoder;
use opus_rs::{Application, OpusEncoder};

use super::pcm::{Rate, Resampler};
use super::{Codec, g711};

/// One stream's encoder.
pub struct Encoder {
    coding: Coding,
    resampler: Resampler,
    native: Rate,
    work: Vec<i16>,
}

enum Coding {
    Pcmu,
    Pcma,
    G722(Box<G722Encoder>),
    /// At the rate that its input has.
    Opus(Box<OpusEncoder>),
}

/// What a narrow-band and a wide-band voice need in Opus, in bits a second (RFC 7587 §3.1.1).
const OPUS_NARROW_BITRATE: i32 = 16_000;
const OPUS_WIDE_BITRATE: i32 = 28_000;
/// Half of what the best would cost, and nobody hears it on a telephone.
const OPUS_COMPLEXITY: i32 = 5;
/// The longest payload of 20 ms: Opus at 160 kbit/s would not fill it.
const MAX_PAYLOAD_BYTES: usize = 400;

impl Encoder {
    /// An encoder for audio at `rate`; `None` for what carries no voice.
    pub fn new(codec: Codec, rate: Rate) -> Option<Self> {
        let (coding, native) = match codec {
            Codec::Pcmu => (Coding::Pcmu, Rate::Narrow),
            Codec::Pcma => (Coding::Pcma, Rate::Narrow),
            Codec::G722 => (Coding::G722(Box::default()), Rate::Wide),
            Codec::Opus => (Coding::Opus(opus(rate)?), rate),
            Codec::TelephoneEvent => return None,
        };
        Some(Self {
            coding,
            resampler: Resampler::new(rate, native),
            native,
            work: Vec::new(),
        })
    }

    /// Adds the payload of 20 ms of audio to `out`: shorter audio is filled up with silence, longer
    /// is cut off.
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        self.work.clear();
        self.resampler.push(samples, &mut self.work);
        self.work.resize(self.native.frame_samples(), 0);
        match &mut self.coding {
            Coding::Pcmu => out.extend(self.work.iter().copied().map(g711::linear_to_ulaw)),
            Coding::Pcma => out.extend(self.work.iter().copied().map(g711::linear_to_alaw)),
            Coding::G722(encoder) => {
                append(out, |payload| encoder.encode_into(&self.work, payload).ok());
            }
            Coding::Opus(encoder) => {
                let samples = self.work.len();
                append(out, |payload| {
                    encoder.encode_i16(&self.work, samples, payload).ok()
                });
            }
        }
    }
}

/// Lets `write` fill what follows in `out`.
fn append(out: &mut Vec<u8>, write: impl FnOnce(&mut [u8]) -> Option<usize>) {
    let start = out.len();
    out.resize(start + MAX_PAYLOAD_BYTES, 0);
    let written = out.get_mut(start..).and_then(write).unwrap_or(0);
    out.truncate(start + written);
}

fn opus(rate: Rate) -> Option<Box<OpusEncoder>> {
    let hertz = i32::try_from(rate.hertz()).ok()?;
    let mut encoder = OpusEncoder::new(hertz, 1, Application::Voip).ok()?;
    encoder.bitrate_bps = match rate {
        Rate::Narrow => OPUS_NARROW_BITRATE,
        Rate::Wide => OPUS_WIDE_BITRATE,
    };
    encoder.complexity = OPUS_COMPLEXITY;
    Some(Box::new(encoder))
}
