//! Which tones a piece of audio holds, for tests of what a phone hears: Goertzel's filter at chosen
//! frequencies.

use std::f64::consts::PI;

/// A frequency and how loud it is, in dB below a full-scale sine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The frequency in hertz.
    pub hz: f64,
    /// Its level in dBFS.
    pub db: f64,
}

/// How loud `hz` is in all of `samples`, in dBFS; a full-scale sine has 0. The longer the audio, the
/// narrower: a second tells 3 Hz apart.
pub fn level_db<S: Sample>(samples: &[S], rate_hz: u32, hz: f64) -> f64 {
    let step = 2.0 * PI * hz / f64::from(rate_hz);
    let window_step = 2.0 * PI / samples.len().max(1) as f64;
    let (mut before, mut last, mut weight) = (0.0, 0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        // Hann's window, so that a loud tone does not hide a soft one beside it.
        let window = 0.5 - 0.5 * (window_step * (index as f64 + 0.5)).cos();
        weight += window;
        (before, last) = (
            last,
            sample.value() * window + 2.0 * step.cos() * last - before,
        );
    }
    let power = last * last + before * before - 2.0 * step.cos() * last * before;
    to_db(2.0 * power.max(0.0).sqrt() / weight.max(1.0))
}

/// How loud all of it is, in dBFS; a full-scale sine has 0, silence −200.
pub fn total_db<S: Sample>(samples: &[S]) -> f64 {
    let power: f64 = samples.iter().map(|sample| sample.value().powi(2)).sum();
    to_db((2.0 * power / samples.len().max(1) as f64).sqrt())
}

/// Is this audio these tones and next to nothing else? Each must be within 20 dB of the loudest, and
/// together they must make up nine tenths of the power.
pub fn is_tones<S: Sample>(samples: &[S], rate_hz: u32, tones_hz: &[f64]) -> bool {
    let levels: Vec<f64> = tones_hz
        .iter()
        .map(|hz| level_db(samples, rate_hz, *hz))
        .collect();
    let loudest = levels.iter().copied().fold(SILENCE_DB, f64::max);
    let power: f64 = levels.iter().map(|db| 10_f64.powf(db / 10.0)).sum();
    let total = 10_f64.powf(total_db(samples) / 10.0);
    let is_heard = |db: &f64| *db > loudest - 20.0 && *db > SILENCE_DB / 2.0;
    !levels.is_empty() && levels.iter().all(is_heard) && power > 0.9 * total
}

/// The loudest tones between 100 Hz and 3,600 Hz, loudest first, at most `count`, each at least 30 Hz
/// from the others.
pub fn peaks<S: Sample>(samples: &[S], rate_hz: u32, count: usize) -> Vec<Peak> {
    let bank = (0..=700).map(|index| 100.0 + 5.0 * f64::from(index));
    let mut all: Vec<Peak> = bank
        .map(|hz| Peak {
            hz,
            db: level_db(samples, rate_hz, hz),
        })
        .collect();
    all.sort_by(|a, b| b.db.total_cmp(&a.db));
    let mut found: Vec<Peak> = Vec::new();
    for peak in all {
        if found.len() < count && found.iter().all(|other| (other.hz - peak.hz).abs() >= 30.0) {
            found.push(peak);
        }
    }
    found
}

/// A number that says how far the membrane is out, full scale at 1.
pub trait Sample: Copy {
    /// Its value between −1 and 1.
    fn value(self) -> f64;
}

impl Sample for i16 {
    fn value(self) -> f64 {
        f64::from(self) / 32_768.0
    }
}

impl Sample for f32 {
    fn value(self) -> f64 {
        f64::from(self)
    }
}

/// What silence is said to have.
const SILENCE_DB: f64 = -200.0;

fn to_db(amplitude: f64) -> f64 {
    (20.0 * amplitude.log10()).max(SILENCE_DB)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a second of tones, each with its amplitude.
    fn tones(parts: &[(f64, f64)]) -> Vec<f32> {
        let at = |n: u32| {
            let value = |(hz, amplitude): &(f64, f64)| {
                amplitude * (2.0 * PI * hz * f64::from(n) / 8_000.0).sin()
            };
            parts.iter().map(value).sum::<f64>() as f32
        };
        (0..4_000).map(at).collect()
    }

    #[test]
    fn a_tone_has_its_level_and_others_have_none() {
        let audio = tones(&[(1_000.0, 0.1)]);
        assert!((level_db(&audio, 8_000, 1_000.0) + 20.0).abs() < 0.05);
        assert!((total_db(&audio) + 20.0).abs() < 0.05);
        assert!(level_db(&audio, 8_000, 1_100.0) < -80.0);
    }

    #[test]
    fn tones_are_told_from_one_another() {
        let table = [
            (vec![(440.0, 0.2), (480.0, 0.2)], vec![440.0, 480.0], true),
            (vec![(440.0, 0.2), (480.0, 0.2)], vec![440.0], false),
            (vec![(440.0, 0.2)], vec![440.0, 480.0], false),
            (vec![(425.0, 0.2)], vec![425.0], true),
            (vec![(425.0, 0.2)], vec![440.0], false),
            (vec![], vec![425.0], false),
        ];
        for (parts, wanted, expected) in table {
            assert_eq!(
                is_tones(&tones(&parts), 8_000, &wanted),
                expected,
                "{parts:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn the_loudest_come_first() {
        let found = peaks(&tones(&[(700.0, 0.1), (1_900.0, 0.3)]), 8_000, 2);
        let hz: Vec<f64> = found.iter().map(|peak| peak.hz).collect();
        assert_eq!(hz, [1_900.0, 700.0]);
    }

    #[test]
    fn silence_and_nothing_are_silent() {
        assert!(total_db(&[0_i16; 100]) <= -200.0);
        assert!(level_db::<f32>(&[], 8_000, 440.0) <= -200.0);
    }
}
