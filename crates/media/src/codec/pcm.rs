//! Linear audio: its rate, and getting from one rate to the other.

/// So many samples a second. Telephony needs two rates; Opus and G.722 speak the wide one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz.
    Narrow,
    /// 16 kHz.
    Wide,
}

impl Rate {
    /// In Hz.
    pub const fn hertz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
        }
    }

    /// The samples of 20 ms.
    pub const fn frame_samples(self) -> usize {
        match self {
            Self::Narrow => 160,
            Self::Wide => 320,
        }
    }
}

/// Doubles or halves the rate of a stream, or leaves it. What it heard last is kept, so that frames
/// join without a click.
#[derive(Clone, Debug)]
pub struct Resampler {
    change: Change,
    /// The samples before those that come next: of one phase when halving.
    history: [i16; TAPS - 1],
    /// When halving, the samples of the other phase that are still to be passed on.
    delayed: [i16; HALF],
    work: Vec<i16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Double,
    Halve,
}

/// A half-band low-pass (Kaiser window, β = 6) without its zeros and its middle, in 1/32768: flat to
/// 3.4 kHz, 6 dB down at 4 kHz, more than 50 dB from 4.6 kHz on.
const FILTER: [i32; TAPS] = [
    -13, 33, -69, 127, -213, 338, -518, 779, -1_175, 1_851, -3_332, 10_384, 10_384, -3_332, 1_851,
    -1_175, 779, -518, 338, -213, 127, -69, 33, -13,
];
const TAPS: usize = 24;
const HALF: usize = TAPS / 2;

impl Resampler {
    /// From one rate to another.
    pub fn new(from: Rate, to: Rate) -> Self {
        let change = match (from, to) {
            (Rate::Narrow, Rate::Wide) => Change::Double,
            (Rate::Wide, Rate::Narrow) => Change::Halve,
            (Rate::Narrow, Rate::Narrow) | (Rate::Wide, Rate::Wide) => Change::None,
        };
        Self {
            change,
            history: [0; TAPS - 1],
            delayed: [0; HALF],
            work: Vec::new(),
        }
    }

    /// Adds `samples` to `out` at the other rate. When halving, a last odd sample is left out.
    pub fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        match self.change {
            Change::None => out.extend_from_slice(samples),
            Change::Double => self.double(samples, out),
            Change::Halve => self.halve(samples, out),
        }
    }

    fn double(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.take(samples.iter().copied());
        for window in self.work.windows(TAPS) {
            // The original samples stay, delayed to the middle of the filter.
            out.extend(window.get(HALF - 1));
            out.push(filtered(window, 14));
        }
        self.keep();
    }

    fn halve(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        let pairs = samples.as_chunks::<2>().0;
        self.take(pairs.iter().map(|[first, _]| *first));
        let middle = self
            .delayed
            .iter()
            .copied()
            .chain(pairs.iter().map(|[_, second]| *second));
        for (window, middle) in self.work.windows(TAPS).zip(middle) {
            let sides = i32::from(filtered(window, 15));
            out.push(clamped(sides + i32::from(middle) / 2));
        }
        for [_, second] in pairs.iter().skip(pairs.len().saturating_sub(HALF)) {
            self.delayed.rotate_left(1);
            if let Some(last) = self.delayed.last_mut() {
                *last = *second;
            }
        }
        self.keep();
    }

    fn take(&mut self, samples: impl Iterator<Item = i16>) {
        self.work.clear();
        self.work.extend_from_slice(&self.history);
        self.work.extend(samples);
    }

    fn keep(&mut self) {
        if let Some(last) = self.work.last_chunk() {
            self.history = *last;
        }
    }
}

/// The filter's answer to a window; the sum stays below 2^31 whatever the samples are.
fn filtered(window: &[i16], shift: u32) -> i16 {
    let products = window
        .iter()
        .zip(FILTER)
        .map(|(sample, tap)| i32::from(*sample) * tap);
    clamped(products.sum::<i32>() >> shift)
}

/// A sample, cut off where 16 bits end.
#[expect(clippy::cast_possible_truncation, reason = "it was clamped")]
pub fn clamped(sample: i32) -> i16 {
    sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{level_at, sine};

    /// A tone through the resampler in odd portions.
    fn resampled(from: Rate, to: Rate, hertz: f64) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let mut out = Vec::new();
        for portion in sine(hertz, 8_000, from.hertz(), 1_000).chunks(34) {
            resampler.push(portion, &mut out);
        }
        out
    }

    #[test]
    fn speech_passes_and_what_the_lower_rate_cannot_carry_does_not() {
        for (from, to) in [(Rate::Narrow, Rate::Wide), (Rate::Wide, Rate::Narrow)] {
            for hertz in [300.0, 1_000.0, 3_300.0] {
                let out = resampled(from, to, hertz);
                assert_eq!(out.len(), to.hertz() as usize);
                let level = level_at(hertz, &out[1_000..], to.hertz());
                assert!((level - 8_000.0).abs() < 100.0, "{hertz} Hz: {level}");
            }
        }
        let alias = level_at(
            3_000.0,
            &resampled(Rate::Wide, Rate::Narrow, 5_000.0),
            8_000,
        );
        assert!(alias < 20.0, "{alias}");
        let image = level_at(
            7_000.0,
            &resampled(Rate::Narrow, Rate::Wide, 1_000.0),
            16_000,
        );
        assert!(image < 20.0, "{image}");
    }

    #[test]
    fn portions_join_without_a_click() {
        let mut whole = Vec::new();
        let tone = sine(1_000.0, 8_000, 16_000, 1_000);
        Resampler::new(Rate::Wide, Rate::Narrow).push(&tone, &mut whole);
        assert_eq!(whole, resampled(Rate::Wide, Rate::Narrow, 1_000.0));
    }

    #[test]
    fn the_loudest_input_does_not_overflow() {
        for (from, to) in [(Rate::Narrow, Rate::Wide), (Rate::Wide, Rate::Narrow)] {
            let mut out = Vec::new();
            let loud: Vec<i16> = (0..4_000)
                .map(|n: i32| if (n * n) % 3 == 0 { i16::MAX } else { i16::MIN })
                .collect();
            Resampler::new(from, to).push(&loud, &mut out);
            assert!(!out.is_empty());
        }
    }
}
