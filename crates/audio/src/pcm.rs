//! Mono linear audio, the form in which everything meets.

use std::time::Duration;

use media::codec::{Codec, Rate};
use media::sound::Sound;

use crate::resample;

/// Mono linear audio of 16 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Pcm {
    rate_hz: u32,
    samples: Vec<i16>,
}

impl Pcm {
    /// What G.711 speaks.
    pub const NARROW_HZ: u32 = 8_000;
    /// What G.722 speaks, and what everything of ours is kept in.
    pub const WIDE_HZ: u32 = 16_000;

    /// Audio of `rate_hz` samples a second; a rate of 0 is taken for 1.
    pub fn new(rate_hz: u32, samples: Vec<i16>) -> Self {
        Self {
            rate_hz: rate_hz.max(1),
            samples,
        }
    }

    /// Audio from samples that are meant to lie within −1 and 1; what is over is clipped.
    pub fn from_floats(rate_hz: u32, samples: &[f32]) -> Self {
        Self::new(
            rate_hz,
            samples.iter().map(|sample| to_i16(*sample)).collect(),
        )
    }

    /// The samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The samples between −1 and 1.
    pub fn floats(&self) -> Vec<f32> {
        let scaled = |sample: &i16| f32::from(*sample) / FULL_SCALE;
        self.samples.iter().map(scaled).collect()
    }

    /// The samples, without the rate.
    pub fn into_samples(self) -> Vec<i16> {
        self.samples
    }

    /// Samples a second.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples.len() as u64 * 1_000_000 / u64::from(self.rate_hz))
    }

    /// The same audio at another rate; what the new rate cannot carry is filtered out.
    #[must_use]
    pub fn at_rate(&self, rate_hz: u32) -> Self {
        if rate_hz == self.rate_hz {
            return self.clone();
        }
        let floats = resample::resample(&self.floats(), self.rate_hz, rate_hz);
        Self::from_floats(rate_hz, &floats)
    }

    /// The audio as phones hear it: frames of 20 ms in these encodings. A second of G.711 takes some 10 µs
    /// to encode, of G.722 0.5 ms, of Opus 5 ms.
    pub fn sound(&self, codecs: &[Codec]) -> Sound {
        let (rate, pcm) = match self.rate_hz {
            Self::NARROW_HZ => (Rate::Narrow, self.clone()),
            _ => (Rate::Wide, self.at_rate(Self::WIDE_HZ)),
        };
        Sound::encode(&pcm.samples, rate, codecs)
    }

    /// Appends other audio, brought to this rate.
    pub fn append(&mut self, other: &Self) {
        self.samples.extend(other.at_rate(self.rate_hz).samples);
    }
}

/// What a recording is written as. Its audio comes as frames of two sides, the caller left and the called
/// side right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Both sides mixed, or the only one that there is.
    Mono,
    /// The sides strictly apart.
    Stereo,
}

impl Channels {
    /// How many there are.
    pub fn count(self) -> u8 {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

/// Both sides of a frame together.
pub(crate) fn mixed([left, right]: [i16; 2]) -> i16 {
    left.saturating_add(right)
}

/// Two sounds as frames, at the rate of the left one; the shorter side is filled up with silence.
pub(crate) fn side_by_side(left: &Pcm, right: &Pcm) -> Vec<[i16; 2]> {
    let right = right.at_rate(left.rate_hz);
    let length = left.samples.len().max(right.samples.len());
    let at = |side: &Pcm, index| side.samples.get(index).copied().unwrap_or(0);
    (0..length)
        .map(|index| [at(left, index), at(&right, index)])
        .collect()
}

impl std::fmt::Debug for Pcm {
    /// Its length only: the audio is nobody's business in a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Pcm({:?} at {} Hz)", self.duration(), self.rate_hz)
    }
}

/// The loudest sample, where floating point has 1.
const FULL_SCALE: f32 = 32_768.0;

/// A cast from a float clips.
fn to_i16(sample: f32) -> i16 {
    (sample * FULL_SCALE).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_loud_is_clipped_and_the_rest_unchanged() {
        let pcm = Pcm::from_floats(8_000, &[2.0, -2.0, 0.5, -0.5, f32::NAN]);
        assert_eq!(pcm.samples(), [32_767, -32_768, 16_384, -16_384, 0]);
    }

    #[test]
    fn samples_survive_the_way_through_floats() {
        let pcm = Pcm::new(8_000, vec![i16::MIN, -1, 0, 1, 12_345, i16::MAX]);
        assert_eq!(Pcm::from_floats(8_000, &pcm.floats()), pcm);
    }

    #[test]
    fn the_duration_is_exact() {
        assert_eq!(
            Pcm::new(8_000, vec![0; 160]).duration(),
            Duration::from_millis(20)
        );
    }

    #[test]
    fn what_is_appended_takes_the_rate_of_the_first() {
        let mut pcm = Pcm::new(16_000, vec![0; 320]);
        pcm.append(&Pcm::new(8_000, vec![0; 160]));
        assert_eq!(pcm.samples().len(), 640);
    }
}
