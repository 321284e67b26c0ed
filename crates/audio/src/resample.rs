//! Changes the rate of audio by any ratio, with a windowed sinc (polyphase) filter.
//!
//! Flat within 0.1 dB up to 0.84 of the lower of the two bands, down by 80 dB above that band. It
//! is for whole sounds; the media threads have their own, without look-ahead.

use std::f64::consts::PI;

/// All of `input` at another rate.
pub(crate) fn resample(input: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    let mut output = Vec::new();
    let mut resampler = Resampler::new(from_hz, to_hz);
    resampler.push(input, &mut output);
    resampler.finish(&mut output);
    output
}

/// Audio of any length, piece by piece, without being longer or shorter at the end.
pub(crate) struct Resampler {
    filter: Filter,
    from_hz: u64,
    to_hz: u64,
    /// The input that is still needed. It begins with silence, half a filter long.
    window: Vec<f32>,
    /// How much input came before the window, and in all.
    dropped: u64,
    received: u64,
    /// How many samples were put out.
    sent: u64,
}

impl Resampler {
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Self {
        let filter = Filter::new(from_hz, to_hz);
        Self {
            window: vec![0.0; filter.half],
            filter,
            from_hz: u64::from(from_hz),
            to_hz: u64::from(to_hz),
            dropped: 0,
            received: 0,
            sent: 0,
        }
    }

    /// Takes more input, and appends what can be said already to `output`.
    pub(crate) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        for piece in input.chunks(PIECE_SAMPLES) {
            self.window.extend_from_slice(piece);
            self.received += piece.len() as u64;
            self.drain(u64::MAX, output);
        }
    }

    /// There is no more input: appends the rest to `output`.
    pub(crate) fn finish(mut self, output: &mut Vec<f32>) {
        let length = (self.received * self.to_hz).div_ceil(self.from_hz);
        self.window.extend(vec![0.0; self.filter.half + 1]);
        self.drain(length, output);
    }

    /// Appends the samples below number `end` whose input is all there.
    fn drain(&mut self, end: u64, output: &mut Vec<f32>) {
        while self.sent < end {
            let position = self.sent * self.from_hz;
            let first = usize::try_from(position / self.to_hz - self.dropped).unwrap_or(usize::MAX);
            let weights = self.filter.weights(position % self.to_hz, self.to_hz);
            let Some(input) = self
                .window
                .get(first..)
                .and_then(|w| w.get(..weights.len()))
            else {
                break;
            };
            output.push(dot(input, weights));
            self.sent += 1;
        }
        let needed_from = self.sent * self.from_hz / self.to_hz;
        let unneeded = usize::try_from(needed_from - self.dropped).unwrap_or(usize::MAX);
        let unneeded = unneeded.min(self.window.len());
        self.window.drain(..unneeded);
        self.dropped += unneeded as u64;
    }
}

/// How much input is taken at a time; bounds the window.
const PIECE_SAMPLES: usize = 16_384;
/// How many periods of the sinc are kept on either side.
const ZERO_CROSSINGS: f64 = 32.0;
/// The edge of the filter within the lower band: halfway down here, 80 dB at the band's end.
const EDGE: f64 = 0.93;
/// The shape of the Kaiser window, for 80 dB.
const KAISER_BETA: f64 = 8.0;
/// The most positions between two samples that have weights of their own. Usual pairs of rates need
/// at most 640; unusual ones are rounded to the nearest, which makes noise 70 dB below the audio. It also
/// bounds the weights, to some 300,000.
const MAX_PHASES: u64 = 4_096;

/// The weights of the input around an output sample, for each position that it can have.
struct Filter {
    half: usize,
    phases: u64,
    weights: Vec<f32>,
}

impl Filter {
    fn new(from_hz: u32, to_hz: u32) -> Self {
        let band = EDGE * (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        let half = ceil(ZERO_CROSSINGS / band);
        let exact = u64::from(to_hz / greatest_common_divisor(from_hz, to_hz));
        // The longer the filter, the finer its input, and the fewer positions are told apart by ear.
        let most = MAX_PHASES * u64::from(to_hz) / u64::from(from_hz.max(to_hz));
        let phases = exact.min(most.max(1));
        let mut weights = Vec::new();
        for phase in 0..phases {
            weights.extend(phase_weights(phase as f64 / phases as f64, band, half));
        }
        Self {
            half,
            phases,
            weights,
        }
    }

    /// The weights for an output sample `fraction`/`whole` after an input sample.
    fn weights(&self, fraction: u64, whole: u64) -> &[f32] {
        let phase = (fraction * self.phases / whole).min(self.phases - 1);
        let taps = 2 * self.half + 1;
        let start = usize::try_from(phase).unwrap_or(0) * taps;
        self.weights.get(start..start + taps).unwrap_or_default()
    }
}

/// Weights of the `half` samples before, the one at, and the `half` after a position, which lies
/// `offset` after the one at it. Their sum is 1, so that no position is louder than another.
fn phase_weights(offset: f64, band: f64, half: usize) -> Vec<f32> {
    let weight = |tap: usize| {
        let distance = tap as f64 - half as f64 - offset;
        band * sinc(band * distance) * kaiser(distance / (half as f64 + 1.0))
    };
    let weights: Vec<f64> = (0..=2 * half).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

fn kaiser(x: f64) -> f64 {
    bessel(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel(KAISER_BETA)
}

/// The modified Bessel function of order 0, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..=32 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// In eight sums, which the compiler can keep in one register.
fn dot(input: &[f32], weights: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (input, weights) in input.chunks(8).zip(weights.chunks(8)) {
        for ((sum, input), weight) in sums.iter_mut().zip(input).zip(weights) {
            *sum += input * weight;
        }
    }
    sums.iter().sum()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a.max(1)
    } else {
        greatest_common_divisor(b, a % b)
    }
}

fn ceil(x: f64) -> usize {
    x.ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::{level_db, total_db};

    fn sine(hz: f64, rate_hz: u32) -> Vec<f32> {
        let step = 2.0 * PI * hz / f64::from(rate_hz);
        (0..rate_hz)
            .map(|n| (0.5 * (step * f64::from(n)).sin()) as f32)
            .collect()
    }

    /// A tone of −6 dB at one rate has this level, in dB, at another one.
    fn check(hz: f64, from_hz: u32, to_hz: u32, at_least: f64, at_most: f64) {
        let output = resample(&sine(hz, from_hz), from_hz, to_hz);
        assert_eq!(output.len(), to_hz as usize, "one second stays one second");
        // A tone that begins suddenly is more than a tone.
        let middle = &output[output.len() / 10..output.len() * 9 / 10];
        let db = total_db(middle);
        assert!(
            (at_least..=at_most).contains(&db),
            "{hz} Hz {from_hz} → {to_hz}: {db:.2} dB"
        );
        if at_least > -60.0 {
            let pure = level_db(middle, to_hz, hz);
            assert!(
                (pure - db).abs() < 0.1,
                "{hz} Hz {from_hz} → {to_hz}: {pure:.2} of {db:.2} dB"
            );
        }
    }

    #[test]
    fn tones_within_both_bands_keep_their_level() {
        for from in [
            8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
        ] {
            for to in [8_000, 16_000, 48_000] {
                check(440.0, from, to, -6.1, -5.9);
                check(3_300.0, from, to, -6.2, -5.9);
            }
        }
    }

    #[test]
    fn tones_that_the_lower_rate_cannot_carry_are_gone() {
        check(4_200.0, 48_000, 8_000, -200.0, -75.0);
        check(8_300.0, 44_100, 16_000, -200.0, -75.0);
        check(7_000.0, 16_000, 8_000, -200.0, -75.0);
    }

    #[test]
    fn a_rate_that_shares_nothing_with_ours_works_too() {
        check(1_000.0, 44_101, 16_000, -6.1, -5.9);
        check(1_000.0, 7_919, 16_000, -6.1, -5.9);
        check(1_000.0, 383_987, 8_000, -6.1, -5.9);
    }

    #[test]
    fn pieces_make_what_the_whole_makes() {
        let input = sine(700.0, 44_100);
        let whole = resample(&input, 44_100, 16_000);
        for size in [1, 7, 1_152, 40_000] {
            let mut output = Vec::new();
            let mut resampler = Resampler::new(44_100, 16_000);
            for piece in input.chunks(size) {
                resampler.push(piece, &mut output);
            }
            resampler.finish(&mut output);
            assert!(output == whole, "pieces of {size}");
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        assert!(resample(&[], 44_100, 8_000).is_empty());
    }
}
