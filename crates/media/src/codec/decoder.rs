//! Payloads to linear audio.

use audio_codec::Decoder as _;
use audio_codec::g722::G722Decoder;
use opus_rs::OpusDecoder;

use super::pcm::{Rate, Resampler, clamped};
use super::{Codec, g711};

/// One stream's decoder.
pub struct Decoder {
    coding: Coding,
    resampler: Resampler,
    /// The last decoded frame, repeated more and more quietly in place of lost ones.
    last: Vec<i16>,
    lost: u32,
    work: Vec<i16>,
    float: Vec<f32>,
    rate: Rate,
}

enum Coding {
    Pcmu,
    Pcma,
    G722(Box<G722Decoder>),
    /// Decodes to the wanted rate by itself.
    Opus(Box<OpusDecoder>),
}

/// The longest payload that is decoded, in milliseconds: an Opus packet holds 120.
const MAX_PAYLOAD_MS: usize = 120;
/// After so many lost frames there is silence.
const FADE_FRAMES: u32 = 4;

impl Decoder {
    /// A decoder to `rate`; `None` for what carries no voice.
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
            resampler: Resampler::new(native, rate),
            last: Vec::new(),
            lost: 0,
            work: Vec::new(),
            float: Vec::new(),
            rate,
        })
    }

    /// Adds a payload's samples to `out`. A payload that makes no sense adds nothing.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        let start = out.len();
        self.work.clear();
        match &mut self.coding {
            Coding::Pcmu => self.work.extend(narrow(payload).map(g711::ulaw_to_linear)),
            Coding::Pcma => self.work.extend(narrow(payload).map(g711::alaw_to_linear)),
            Coding::G722(decoder) => {
                let payload = narrow_bytes(payload);
                self.work
                    .resize(decoder.max_decode_samples(payload.len()), 0);
                let samples = decoder.decode_into(payload, &mut self.work).unwrap_or(0);
                self.work.truncate(samples);
            }
            Coding::Opus(decoder) => {
                let room = MAX_PAYLOAD_MS * self.rate.frame_samples() / 20;
                self.float.resize(room, 0.0);
                // An empty payload would be concealed: `conceal` knows for how long.
                let samples = match payload {
                    [] => 0,
                    _ => decoder.decode(payload, room, &mut self.float).unwrap_or(0),
                };
                self.work.extend(
                    self.float
                        .iter()
                        .take(samples)
                        .map(|sample| linear(*sample)),
                );
            }
        }
        self.resampler.push(&self.work, out);
        self.remember(out.get(start..).unwrap_or_default());
    }

    /// Adds 20 ms in place of a lost frame: what came before, fading out within 80 ms.
    pub fn conceal(&mut self, out: &mut Vec<i16>) {
        let samples = self.rate.frame_samples();
        self.lost = self.lost.saturating_add(1);
        if let Coding::Opus(decoder) = &mut self.coding
            && self.lost <= FADE_FRAMES
        {
            self.float.resize(samples, 0.0);
            if decoder.decode(&[], samples, &mut self.float) == Ok(samples) {
                out.extend(self.float.iter().map(|sample| linear(*sample)));
                return;
            }
        }
        let gain = i32::try_from(FADE_FRAMES.saturating_sub(self.lost)).unwrap_or(0);
        let quieter = |sample: &i16| clamped(i32::from(*sample) * gain / FADE_GAIN);
        let repeated = self.last.iter().map(quieter).chain(std::iter::repeat(0));
        out.extend(repeated.take(samples));
    }

    fn remember(&mut self, decoded: &[i16]) {
        if decoded.is_empty() {
            return;
        }
        self.lost = 0;
        let frame = self.rate.frame_samples();
        let begin = decoded.len().saturating_sub(frame);
        self.last.clear();
        self.last.extend(decoded.iter().skip(begin));
    }
}

/// The gain of a frame that was not lost; see `FADE_FRAMES`.
const FADE_GAIN: i32 = 4;

fn opus(rate: Rate) -> Option<Box<OpusDecoder>> {
    let hertz = i32::try_from(rate.hertz()).ok()?;
    OpusDecoder::new(hertz, 1).ok().map(Box::new)
}

/// No payload is longer than [`MAX_PAYLOAD_MS`]; at one byte per eighth of a millisecond.
fn narrow_bytes(payload: &[u8]) -> &[u8] {
    payload.get(..MAX_PAYLOAD_MS * 8).unwrap_or(payload)
}

fn narrow(payload: &[u8]) -> impl Iterator<Item = u8> {
    narrow_bytes(payload).iter().copied()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float turns into the nearest integer"
)]
fn linear(sample: f32) -> i16 {
    (sample * 32_768.0) as i16
}
