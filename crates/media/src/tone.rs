//! Tones that a telephone system makes itself (ITU-T E.180), and short signals.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::codec::{Codec, Rate};
use crate::sound::Sound;

/// One or two frequencies that are switched on and off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// In Hz; 0 for none.
    pub hertz: [f64; 2],
    /// One cycle: on, off, on, off … in steps of 20 ms.
    pub cadence: &'static [Duration],
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl Tone {
    /// It rings at the other end, as most of Europe hears it.
    pub const RINGING_EUROPE: Self = Self {
        hertz: [425.0, 0.0],
        cadence: &[ms(1_000), ms(4_000)],
    };
    /// It rings at the other end, as North America hears it.
    pub const RINGING_AMERICA: Self = Self {
        hertz: [440.0, 480.0],
        cadence: &[ms(2_000), ms(4_000)],
    };
    /// It rings at the other end, as Britain hears it.
    pub const RINGING_BRITAIN: Self = Self {
        hertz: [400.0, 450.0],
        cadence: &[ms(400), ms(200), ms(400), ms(2_000)],
    };
    /// The other end is busy.
    pub const BUSY: Self = Self {
        hertz: [425.0, 0.0],
        cadence: &[ms(500), ms(500)],
    };
    /// The call cannot be completed.
    pub const CONGESTION: Self = Self {
        hertz: [425.0, 0.0],
        cadence: &[ms(240), ms(240)],
    };
    /// Speak now.
    pub const BEEP: Self = Self {
        hertz: [1_000.0, 0.0],
        cadence: &[ms(400), ms(100)],
    };

    /// One cycle of it, to be played once or for ever.
    pub fn sound(&self, codecs: &[Codec]) -> Sound {
        let rate = Rate::Narrow;
        let mut samples = Vec::new();
        for (place, span) in self.cadence.iter().enumerate() {
            let count = span.as_millis() * u128::from(rate.hertz()) / 1_000;
            let count = u32::try_from(count).unwrap_or(0);
            let is_on = place.is_multiple_of(2);
            samples.extend((0..count).map(|n| {
                if is_on {
                    self.sample(n, count, rate)
                } else {
                    0
                }
            }));
        }
        Sound::encode(&samples, rate, codecs)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "two amplitudes of 16 bits are not reached"
    )]
    fn sample(&self, n: u32, count: u32, rate: Rate) -> i16 {
        let time = f64::from(n) / f64::from(rate.hertz());
        let wave: f64 = self
            .hertz
            .iter()
            .map(|hertz| (TAU * hertz * time).sin())
            .sum();
        // A tone that is switched hard clicks.
        let edge = f64::from(n.min(count - 1 - n).min(EDGE_SAMPLES)) / f64::from(EDGE_SAMPLES);
        (wave * edge * AMPLITUDE) as i16
    }
}

/// Each frequency, about −16 dBm0.
const AMPLITUDE: f64 = 5_000.0;
const EDGE_SAMPLES: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decoder;
    use crate::testing::level_at;

    #[test]
    fn tones_have_their_frequencies_and_their_cadence() {
        let codecs = [Codec::Pcma, Codec::G722];
        for tone in [
            Tone::RINGING_EUROPE,
            Tone::RINGING_AMERICA,
            Tone::RINGING_BRITAIN,
            Tone::BUSY,
            Tone::CONGESTION,
            Tone::BEEP,
        ] {
            let sound = tone.sound(&codecs);
            assert_eq!(sound.duration(), tone.cadence.iter().sum());
            let mut decoder = Decoder::new(Codec::Pcma, Rate::Narrow).unwrap();
            let mut samples = Vec::new();
            for frame in 0..sound.frames() {
                decoder.decode(sound.frame(Codec::Pcma, frame).unwrap(), &mut samples);
            }
            let on = usize::try_from(tone.cadence[0].as_millis()).unwrap() * 8;
            for hertz in tone.hertz.into_iter().filter(|hertz| *hertz > 0.0) {
                let level = level_at(hertz, &samples[..on], 8_000);
                assert!(
                    (level - AMPLITUDE).abs() < 700.0,
                    "{tone:?} {hertz}: {level}"
                );
            }
            let off = &samples[on..on + 400];
            assert!(off.iter().all(|sample| sample.abs() <= 8), "{tone:?}");
        }
    }
}
