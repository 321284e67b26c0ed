//! How loud audio is, and how it is brought to one loudness: prompts, uploads and music sound alike.
//!
//! Loudness is that of EBU R 128 (ITU-R BS.1770), which follows the ear; peaks are true peaks.

use ebur128::{EbuR128, Mode};

use crate::pcm::Pcm;

/// The loudness of speech for a phone, in LUFS: about what a person speaks at, measured as mono.
pub const SPEECH_LUFS: f64 = -19.0;
/// The loudness of music on hold. A little below speech: nobody listens to it for its own sake.
pub const MUSIC_LUFS: f64 = -23.0;
/// The highest true peak that is left, in dBTP.
pub const PEAK_DBTP: f64 = -1.0;

/// The loudness in LUFS. `None` when there is nothing to hear.
pub fn loudness(pcm: &Pcm) -> Option<f64> {
    loudness_of(&pcm.floats(), pcm.rate_hz())
}

/// The highest peak between the samples too, in dBTP; silence has −200.
pub fn true_peak_db(pcm: &Pcm) -> f64 {
    peak_of(&pcm.floats(), pcm.rate_hz())
}

/// The same audio with the loudness `lufs`. Peaks over [`PEAK_DBTP`] are turned down for the moment
/// that they last. Silence stays what it is, and very soft audio is raised by 30 dB at most: it
/// would be mostly noise.
#[must_use]
pub fn with_loudness(pcm: &Pcm, lufs: f64) -> Pcm {
    let mut samples = pcm.floats();
    level(&mut samples, pcm.rate_hz(), lufs);
    Pcm::from_floats(pcm.rate_hz(), &samples)
}

/// The same audio without the silence before and after it. Empty when it is all silence.
#[must_use]
pub fn trimmed(pcm: &Pcm) -> Pcm {
    let samples = trim(&pcm.floats(), pcm.rate_hz()).to_vec();
    Pcm::from_floats(pcm.rate_hz(), &samples)
}

/// The most that audio is raised.
const MAX_GAIN_DB: f64 = 30.0;
/// How often the gain is corrected for what the limiter took away.
const ROUNDS: u32 = 3;
/// Near enough to the wanted loudness.
const TOLERANCE_DB: f64 = 0.2;
/// What is measured must be this long, in seconds: the gate of R 128 sees blocks of 0.4 s.
const MEASURED_SECONDS: usize = 3;
/// Room that the limiter leaves for peaks between samples, in dB.
const BETWEEN_SAMPLES_DB: f64 = 1.0;
/// How long before and after a peak the limiter turns down, in milliseconds.
const LIMITER_MS: u32 = 4;

/// Below this relative to the loudest moment is silence, in dB.
const SILENCE_BELOW_LOUDEST_DB: f64 = -45.0;
/// Below this is silence in any case, in dBFS.
const SILENCE_DB: f64 = -60.0;
/// How much silence is kept before and after, in milliseconds: speech fades in and out.
const KEPT_BEFORE_MS: u32 = 40;
const KEPT_AFTER_MS: u32 = 120;

pub(crate) fn level(samples: &mut [f32], rate_hz: u32, lufs: f64) {
    let mut left_db = MAX_GAIN_DB;
    for _ in 0..ROUNDS {
        let Some(measured) = loudness_of(samples, rate_hz) else {
            return;
        };
        let gain_db = (lufs - measured).min(left_db);
        left_db -= gain_db.max(0.0);
        amplify(samples, gain_db);
        limit(samples, rate_hz);
        if gain_db.abs() < TOLERANCE_DB {
            break;
        }
    }
    let over_db = peak_of(samples, rate_hz) - PEAK_DBTP;
    if over_db > 0.0 {
        amplify(samples, -over_db);
    }
}

/// The part between the first and the last sound.
pub(crate) fn trim(samples: &[f32], rate_hz: u32) -> &[f32] {
    let block = samples_in(10, rate_hz).max(1);
    let powers: Vec<f64> = samples.chunks(block).map(mean_power).collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    let floor = (loudest * power(SILENCE_BELOW_LOUDEST_DB)).max(power(SILENCE_DB));
    let is_sound = |power: &f64| *power > floor;
    let first = powers.iter().position(is_sound);
    let last = powers.iter().rposition(is_sound);
    let (Some(first), Some(last)) = (first, last) else {
        return &[];
    };
    let start = (first * block).saturating_sub(samples_in(KEPT_BEFORE_MS, rate_hz));
    let end = ((last + 1) * block + samples_in(KEPT_AFTER_MS, rate_hz)).min(samples.len());
    samples.get(start..end).unwrap_or_default()
}

fn loudness_of(samples: &[f32], rate_hz: u32) -> Option<f64> {
    if samples.is_empty() {
        return None;
    }
    let mut meter = EbuR128::new(1, rate_hz, Mode::I).ok()?;
    // A word is shorter than the gate's block, so it is measured as if it were said again and again.
    let repeats = (MEASURED_SECONDS * rate_hz as usize).div_ceil(samples.len());
    for _ in 0..repeats {
        meter.add_frames_f32(samples).ok()?;
    }
    let lufs = meter.loudness_global().ok()?;
    lufs.is_finite().then_some(lufs)
}

fn peak_of(samples: &[f32], rate_hz: u32) -> f64 {
    let peak = || {
        let mut meter = EbuR128::new(1, rate_hz, Mode::TRUE_PEAK).ok()?;
        meter.add_frames_f32(samples).ok()?;
        meter.true_peak(0).ok()
    };
    (20.0 * peak().unwrap_or(0.0).log10()).max(-200.0)
}

fn amplify(samples: &mut [f32], db: f64) {
    let factor = 10_f64.powf(db / 20.0) as f32;
    for sample in samples {
        *sample *= factor;
    }
}

/// Turns down what is above the ceiling, smoothly and beginning before it comes.
fn limit(samples: &mut [f32], rate_hz: u32) {
    let ceiling = 10_f64.powf((PEAK_DBTP - BETWEEN_SAMPLES_DB) / 20.0) as f32;
    if samples.iter().all(|sample| sample.abs() <= ceiling) {
        return;
    }
    let gains: Vec<f32> = samples
        .iter()
        .map(|sample| ceiling / sample.abs().max(ceiling))
        .collect();
    let reach = samples_in(LIMITER_MS, rate_hz).max(1);
    // The lowest gain within reach, and then its average over the same reach, is never above what any
    // sample needs.
    let lowest = lowest_within(&gains, reach);
    let mut sum: f32 = 0.0;
    let width = (2 * reach + 1) as f32;
    let padded = |index: usize| lowest.get(index).copied().unwrap_or(1.0);
    for index in 0..reach {
        sum += padded(index);
    }
    sum += (reach + 1) as f32;
    for (index, sample) in samples.iter_mut().enumerate() {
        sum += padded(index + reach) - index.checked_sub(reach + 1).map_or(1.0, padded);
        *sample *= (sum / width).min(1.0);
    }
}

/// For each place the lowest value up to `reach` before or after it.
fn lowest_within(values: &[f32], reach: usize) -> Vec<f32> {
    // Places whose values may still be the lowest of a later window, lowest first.
    let mut candidates: std::collections::VecDeque<(usize, f32)> =
        std::collections::VecDeque::new();
    let mut lowest = Vec::with_capacity(values.len());
    for index in 0..values.len() + reach {
        if let Some(value) = values.get(index) {
            while candidates.back().is_some_and(|(_, last)| last >= value) {
                candidates.pop_back();
            }
            candidates.push_back((index, *value));
        }
        let Some(place) = index.checked_sub(reach) else {
            continue;
        };
        while candidates
            .front()
            .is_some_and(|(first, _)| first + reach < place)
        {
            candidates.pop_front();
        }
        lowest.push(candidates.front().map_or(1.0, |(_, value)| *value));
    }
    lowest
}

fn samples_in(milliseconds: u32, rate_hz: u32) -> usize {
    (u64::from(milliseconds) * u64::from(rate_hz) / 1_000) as usize
}

fn mean_power(samples: &[f32]) -> f64 {
    let sum: f64 = samples
        .iter()
        .map(|sample| f64::from(sample * sample))
        .sum();
    sum / samples.len().max(1) as f64
}

fn power(db: f64) -> f64 {
    10_f64.powf(db / 10.0)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    const RATE_HZ: u32 = 16_000;

    /// A tone that swells and fades eight times a second, as syllables do.
    fn babble(seconds: f64, amplitude: f64) -> Pcm {
        let at = |n: u32| {
            let time = f64::from(n) / f64::from(RATE_HZ);
            let swell = (PI * 8.0 * time).sin().powi(8);
            (amplitude * swell * (2.0 * PI * 600.0 * time).sin()) as f32
        };
        let samples: Vec<f32> = (0..(seconds * f64::from(RATE_HZ)) as u32).map(at).collect();
        Pcm::from_floats(RATE_HZ, &samples)
    }

    #[test]
    fn a_tone_has_the_loudness_that_the_standard_says() {
        // EBU Tech 3341, case 1, for one channel: 1 kHz at −23 dBFS has −26 LUFS, and 3.01 dB more
        // of a sine's peak over its mean are counted in.
        let sine = |n: u32| (0.1 * (2.0 * PI * f64::from(n) / 16.0).sin()) as f32;
        let samples: Vec<f32> = (0..5 * RATE_HZ).map(sine).collect();
        let measured = loudness(&Pcm::from_floats(RATE_HZ, &samples)).unwrap();
        assert!((measured + 23.0).abs() < 0.1, "{measured}");
    }

    #[test]
    fn soft_and_loud_come_out_alike() {
        for amplitude in [0.03, 0.1, 0.9] {
            let pcm = with_loudness(&babble(3.0, amplitude), SPEECH_LUFS);
            let measured = loudness(&pcm).unwrap();
            assert!(
                (measured - SPEECH_LUFS).abs() < 0.5,
                "{amplitude}: {measured}"
            );
            assert!(true_peak_db(&pcm) <= PEAK_DBTP + 0.05, "{amplitude}");
        }
    }

    #[test]
    fn a_word_is_measured_though_it_is_shorter_than_a_block() {
        let measured = loudness(&with_loudness(&babble(0.25, 0.1), SPEECH_LUFS)).unwrap();
        assert!((measured - SPEECH_LUFS).abs() < 0.5, "{measured}");
    }

    #[test]
    fn single_peaks_are_turned_down_and_the_rest_is_not() {
        let mut samples = babble(3.0, 0.2).floats();
        for peak in [10_000, 20_000, 30_000] {
            samples[peak] = 1.0;
        }
        let pcm = with_loudness(&Pcm::from_floats(RATE_HZ, &samples), SPEECH_LUFS);
        assert!(true_peak_db(&pcm) <= PEAK_DBTP + 0.05);
        assert!((loudness(&pcm).unwrap() - SPEECH_LUFS).abs() < 0.5);
    }

    #[test]
    fn noise_is_not_raised_without_end_and_silence_not_at_all() {
        let soft = babble(2.0, 0.003);
        let raised = loudness(&with_loudness(&soft, SPEECH_LUFS)).unwrap();
        let gain_db = raised - loudness(&soft).unwrap();
        assert!((gain_db - MAX_GAIN_DB).abs() < 0.5, "{gain_db}");
        let silence = Pcm::new(RATE_HZ, vec![0; 16_000]);
        assert_eq!(with_loudness(&silence, SPEECH_LUFS), silence);
        assert_eq!(loudness(&silence), None);
        assert_eq!(loudness(&Pcm::new(RATE_HZ, vec![])), None);
    }

    #[test]
    fn silence_at_the_ends_goes_and_pauses_stay() {
        let mut pcm = Pcm::new(RATE_HZ, vec![0; 16_000]);
        for _ in 0..2 {
            pcm.append(&babble(1.0, 0.3));
            pcm.append(&Pcm::new(RATE_HZ, vec![3; 8_000]));
        }
        let seconds = trimmed(&pcm).duration().as_secs_f64();
        assert!((2.4..2.8).contains(&seconds), "{seconds}");
        assert!(
            trimmed(&Pcm::new(RATE_HZ, vec![3; 8_000]))
                .samples()
                .is_empty()
        );
    }

    #[test]
    fn the_lowest_within_reach_is_the_lowest() {
        let values = [5.0, 1.0, 4.0, 4.0, 3.0, 9.0, 2.0];
        assert_eq!(
            lowest_within(&values, 1),
            [1.0, 1.0, 1.0, 3.0, 3.0, 2.0, 2.0]
        );
        assert!(lowest_within(&[], 3).is_empty());
    }
}
