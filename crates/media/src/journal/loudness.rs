//! Whether somebody speaks: by energy, above the noise of the line.

/// Follows one leg's audio.
#[derive(Clone, Copy, Debug)]
pub struct Loudness {
    /// The quietest that it was lately, as an amplitude (root of the mean square).
    floor: f64,
}

/// What is quieter is silence on any line: −42 dB.
const QUIET: f64 = 260.0;
/// Speech is so much louder than the noise that it is spoken into: 10 dB.
const ABOVE_NOISE: f64 = 3.2;
/// No noise is louder; a steady sound that is counts as somebody's.
const LOUDEST_NOISE: f64 = 900.0;
/// How fast the floor rises with each portion: 20 ms make it double in 3 s.
const RISE: f64 = 1.005;

impl Default for Loudness {
    fn default() -> Self {
        Self {
            floor: LOUDEST_NOISE,
        }
    }
}

impl Loudness {
    /// Takes some 20 ms of audio and says whether somebody speaks in them.
    pub fn is_speech(&mut self, samples: &[i16]) -> bool {
        let Ok(count) = u32::try_from(samples.len()) else {
            return false;
        };
        let energy: f64 = samples
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum();
        let amplitude = (energy / f64::from(count.max(1))).sqrt();
        self.floor = (self.floor * RISE)
            .min(amplitude.max(1.0))
            .min(LOUDEST_NOISE);
        amplitude > QUIET.max(self.floor * ABOVE_NOISE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, sine, speech};

    /// How many of the 20 ms are speech.
    fn share(samples: &[i16]) -> f64 {
        let mut loudness = Loudness::default();
        let frames = samples.chunks(160);
        let (all, loud) = frames.fold((0, 0), |(all, loud), frame| {
            (all + 1, loud + u32::from(loudness.is_speech(frame)))
        });
        f64::from(loud) / f64::from(all)
    }

    #[test]
    fn speech_and_tones_are_heard_and_silence_and_noise_are_not() {
        assert!(
            share(&speech(3, 8_000, 20)) > 0.4,
            "{}",
            share(&speech(3, 8_000, 20))
        );
        assert!(share(&sine(1_000.0, 8_000, 8_000, 5_000)) > 0.99);
        assert!(share(&vec![0; 16_000]) < 0.01);
        let mut noise = Noise::new(4);
        let line: Vec<i16> = (0..80_000).map(|_| noise.sample(1_200)).collect();
        assert!(share(&line) < 0.05, "{}", share(&line));
    }

    #[test]
    fn speech_in_noise_is_heard() {
        let mut noise = Noise::new(4);
        let noisy: Vec<i16> = speech(3, 8_000, 20)
            .iter()
            .map(|s| s.saturating_add(noise.sample(500)))
            .collect();
        assert!(share(&noisy) > 0.3, "{}", share(&noisy));
    }
}
