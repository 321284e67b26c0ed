//! Keys as tones (ITU-T Q.23, Q.24): what they sound like, and hearing them in speech.
//!
//! The detector compares the energy of the eight frequencies (Goertzel) with that of everything else in
//! the same 20 ms. Speech hardly ever puts nearly all of its energy into one low and one high of them,
//! and never steadily for 60 ms.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::codec::Rate;
use crate::rtp::KeyPress;

const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// The code of a key as an event (RFC 4733 §3.2).
pub fn event_code(digit: char) -> Option<u8> {
    let digit = u8::try_from(digit).ok()?;
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'*' => Some(10),
        b'#' => Some(11),
        b'A'..=b'D' => Some(digit - b'A' + 12),
        _ => None,
    }
}

/// The samples of a key that is held for ever.
pub struct KeyTone {
    row: f64,
    column: f64,
    step: f64,
    sample: u32,
}

/// Each of the two tones: −9 dBm0 and −7 dBm0 or so.
const ROW_AMPLITUDE: f64 = 8_000.0;
const COLUMN_AMPLITUDE: f64 = 10_000.0;

impl KeyTone {
    /// The tone of a key, if it is one.
    pub fn new(digit: char, rate: Rate) -> Option<Self> {
        let mut rows = ROWS.iter().zip(KEYS);
        let (row, column) = rows.find_map(|(row, keys)| {
            let mut columns = COLUMNS.iter().zip(keys);
            let (column, _) = columns.find(|(_, key)| *key == digit)?;
            Some((*row, *column))
        })?;
        Some(Self {
            row,
            column,
            step: TAU / f64::from(rate.hertz()),
            sample: 0,
        })
    }
}

impl Iterator for KeyTone {
    type Item = i16;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the amplitudes sum up to 18,000"
    )]
    fn next(&mut self) -> Option<i16> {
        let time = f64::from(self.sample) * self.step;
        self.sample = self.sample.wrapping_add(1);
        let wave = |hertz: f64, amplitude| (time * hertz).sin() * amplitude;
        let sample = wave(self.row, ROW_AMPLITUDE) + wave(self.column, COLUMN_AMPLITUDE);
        Some(sample as i16)
    }
}

/// Hears keys in audio of 8 kHz.
#[derive(Default)]
pub struct Detector {
    samples: Vec<i16>,
    heard: Option<Heard>,
}

/// What the last blocks had in common.
#[derive(Clone, Copy, Debug)]
struct Heard {
    tones: Tones,
    blocks: u32,
    /// Blocks since it was heard last.
    missing: u32,
}

/// The two tones that stand out of a block.
#[derive(Clone, Copy, Debug)]
struct Tones {
    digit: char,
    row_power: f64,
    column_power: f64,
}

/// 20 ms: the eight frequencies are far enough apart for it.
const BLOCK: usize = 160;
/// Blocks overlap by half, so that a short tone fills some of them.
const HOP: usize = 80;
const HOP_MS: u64 = 10;
/// So many blocks make a key, which takes 60 ms: Q.24 allows 40, but no phone is that quick, and talkers are.
const BLOCKS_OF_A_KEY: u32 = 4;
/// It is up after so many blocks without it; shorter gaps are noise (Q.24).
const BLOCKS_OF_AN_END: u32 = 3;
/// How much of the energy must be in the two tones; tones off by 1 % have as much.
const SHARE: f64 = 0.8;
/// A key's tones are steady within 3 dB, the voice is not.
const STEADY: f64 = 2.0;
/// How much stronger one of them may be: 9 dB.
const TWIST: f64 = 8.0;
/// The quietest tone, as the mean square of its samples: −40 dBm0 or so.
const QUIETEST: f64 = 10_000.0;

impl Detector {
    /// Takes audio and calls `tell` with each key when it is up again.
    pub fn push(&mut self, samples: &[i16], mut tell: impl FnMut(KeyPress)) {
        self.samples.extend_from_slice(samples);
        let mut done = 0;
        while let Some(block) = self.samples.get(done..done + BLOCK) {
            let tones = tones_in(block);
            done += HOP;
            if let Some(key) = self.block(tones) {
                tell(key);
            }
        }
        self.samples.drain(..done);
    }

    fn block(&mut self, tones: Option<Tones>) -> Option<KeyPress> {
        match (&mut self.heard, tones) {
            (Some(heard), Some(tones)) if heard.tones.go_on_in(tones) => {
                heard.blocks += heard.missing + 1;
                heard.missing = 0;
                None
            }
            // A gap, the last part of a key, or another one that is quieter.
            (Some(heard), tones)
                if heard.missing + 1 < BLOCKS_OF_AN_END
                    && tones.is_none_or(|tones| tones.fade_from(heard.tones)) =>
            {
                heard.missing += 1;
                None
            }
            (None, None) => None,
            (_, tones) => {
                let next = tones.map(|tones| Heard {
                    tones,
                    blocks: 1,
                    missing: 0,
                });
                let before = std::mem::replace(&mut self.heard, next);
                before.and_then(Heard::key)
            }
        }
    }
}

impl Heard {
    fn key(self) -> Option<KeyPress> {
        let held = Duration::from_millis(HOP_MS * (u64::from(self.blocks) + 1));
        (self.blocks >= BLOCKS_OF_A_KEY).then_some(KeyPress {
            digit: self.tones.digit,
            held,
        })
    }
}

impl Tones {
    fn go_on_in(self, next: Self) -> bool {
        let is_steady = |a: f64, b: f64| a < b * STEADY && b < a * STEADY;
        self.digit == next.digit
            && is_steady(self.row_power, next.row_power)
            && is_steady(self.column_power, next.column_power)
    }

    fn fade_from(self, before: Self) -> bool {
        self.digit == before.digit
            && self.row_power < before.row_power
            && self.column_power < before.column_power
    }
}

/// The two tones of a key, if they are nearly all there is in the block.
fn tones_in(block: &[i16]) -> Option<Tones> {
    let energy: f64 = block.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    if energy < QUIETEST * BLOCK_SAMPLES {
        return None;
    }
    let (row, row_power) = strongest(&ROWS, block)?;
    let (column, column_power) = strongest(&COLUMNS, block)?;
    // The power of a tone of all the energy is `energy · BLOCK / 2`.
    let share = (row_power + column_power) / (energy * BLOCK_SAMPLES / 2.0);
    let is_even = row_power < column_power * TWIST && column_power < row_power * TWIST;
    if share < SHARE || !is_even {
        return None;
    }
    Some(Tones {
        digit: *KEYS.get(row)?.get(column)?,
        row_power,
        column_power,
    })
}

const BLOCK_SAMPLES: f64 = 160.0;

/// The place of the strongest frequency, and its power.
fn strongest(frequencies: &[f64], block: &[i16]) -> Option<(usize, f64)> {
    let powers = frequencies.iter().map(|hertz| power(*hertz, block));
    powers.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Goertzel's algorithm: the squared magnitude of one frequency.
fn power(hertz: f64, block: &[i16]) -> f64 {
    let coefficient = 2.0 * (TAU * hertz / f64::from(Rate::Narrow.hertz())).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in block {
        let next = f64::from(*sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    last * last + before * before - coefficient * last * before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, speech};

    fn keys(samples: &[i16]) -> Vec<(char, u128)> {
        let (mut detector, mut keys) = (Detector::default(), Vec::new());
        let silence = [0; 800];
        for portion in samples.chunks(133).chain([&silence[..]]) {
            detector.push(portion, |key| keys.push((key.digit, key.held.as_millis())));
        }
        keys
    }

    fn tone(digit: char, milliseconds: usize) -> Vec<i16> {
        KeyTone::new(digit, Rate::Narrow)
            .unwrap()
            .take(milliseconds * 8)
            .collect()
    }

    #[test]
    fn keys_are_heard_with_their_length() {
        for digit in "0123456789*#ABCD".chars() {
            for milliseconds in [65, 80, 300] {
                for offset in 0..10 {
                    let audio = [vec![0; offset * 17], tone(digit, milliseconds)].concat();
                    let heard = keys(&audio);
                    assert_eq!(heard.len(), 1, "{digit} for {milliseconds} ms: {heard:?}");
                    let (key, held) = heard[0];
                    assert_eq!(key, digit);
                    assert!(held.abs_diff(milliseconds as u128) <= 20, "{held}");
                }
            }
        }
    }

    #[test]
    fn two_keys_are_told_apart_by_a_pause_and_a_drop_out_is_none() {
        let pause = |ms: usize| vec![0_i16; ms * 8];
        let twice = [tone('5', 80), pause(60), tone('5', 80)].concat();
        assert_eq!(keys(&twice).len(), 2);
        let once = [tone('5', 80), pause(8), tone('5', 80)].concat();
        assert_eq!(keys(&once).len(), 1);
        let other = [tone('5', 80), tone('6', 80)].concat();
        assert_eq!(
            keys(&other).iter().map(|key| key.0).collect::<String>(),
            "56"
        );
    }

    #[test]
    fn keys_are_heard_in_noise_and_when_quiet() {
        let mut noise = Noise::new(1);
        let noisy: Vec<i16> = tone('8', 100)
            .iter()
            .map(|s| s / 2 + noise.sample(1_500))
            .collect();
        assert_eq!(keys(&noisy).len(), 1);
        let quiet: Vec<i16> = tone('8', 100).iter().map(|s| s / 40).collect();
        assert_eq!(keys(&quiet).len(), 1);
    }

    #[test]
    fn short_or_single_tones_are_no_keys() {
        assert_eq!(keys(&tone('1', 20)), []);
        for hertz in ROWS
            .iter()
            .chain(&COLUMNS)
            .chain(&[350.0, 425.0, 440.0, 480.0, 1_000.0])
        {
            assert_eq!(
                keys(&crate::testing::sine(*hertz, 8_000, 8_000, 500)),
                [],
                "{hertz}"
            );
        }
    }

    /// Talk-off: ten minutes of what sounds like talking, and some noise, press no key.
    #[test]
    fn speech_presses_no_key() {
        for seed in 0..4 {
            assert_eq!(keys(&speech(seed, 8_000, 150)), [], "speech {seed}");
        }
        let mut noise = Noise::new(9);
        let audio: Vec<i16> = (0..8_000 * 60).map(|_| noise.sample(12_000)).collect();
        assert_eq!(keys(&audio), []);
    }
}
