//! Tones and their recognition, for tests.

/// A tone of that amplitude.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
pub(crate) fn sine(hertz: f64, amplitude: i16, rate: u32, milliseconds: u32) -> Vec<i16> {
    let step = std::f64::consts::TAU * hertz / f64::from(rate);
    (0..u64::from(rate) * u64::from(milliseconds) / 1_000)
        .map(|n| ((n as f64 * step).sin() * f64::from(amplitude)) as i16)
        .collect()
}

/// The amplitude of a frequency in `samples`.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(crate) fn level_at(hertz: f64, samples: &[i16], rate: u32) -> f64 {
    let step = std::f64::consts::TAU * hertz / f64::from(rate);
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = n as f64 * step;
        real += f64::from(*sample) * angle.cos();
        imaginary += f64::from(*sample) * angle.sin();
    }
    2.0 * f64::hypot(real, imaginary) / samples.len().max(1) as f64
}

/// Noise that is the same for the same seed.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2) + 1)
    }

    /// Between −1 and 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = u32::try_from(self.0 >> 32).unwrap();
        f64::from(high) / f64::from(u32::MAX / 2) - 1.0
    }

    /// A sample up to that amplitude.
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    pub(crate) fn sample(&mut self, amplitude: i16) -> i16 {
        (self.next() * f64::from(amplitude)) as i16
    }
}

/// What sounds like talking: a glottal tone with harmonics through two formants that move, with
/// consonants and pauses.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
pub(crate) fn speech(seed: u64, rate: u32, seconds: u32) -> Vec<i16> {
    let mut noise = Noise::new(seed);
    let mut samples = Vec::new();
    while samples.len() < (rate * seconds) as usize {
        let (pitch, glide) = (140.0 + 60.0 * noise.next(), 20.0 * noise.next());
        let formants = [550.0 + 250.0 * noise.next(), 1_500.0 + 600.0 * noise.next()];
        let (voiced, loudness) = (noise.next() > -0.4, 3_000.0 + 2_500.0 * noise.next());
        let length = f64::from(rate) * (0.12 + 0.08 * noise.next());
        let mut phase = 0.0;
        for n in 0..length as u32 {
            let time = f64::from(n) / length;
            let hertz = pitch + glide * time;
            phase += std::f64::consts::TAU * hertz / f64::from(rate);
            let harmonic = |number: u32| {
                let place = f64::from(number) * hertz;
                let gain: f64 = formants
                    .iter()
                    .map(|f| 1.0 / (1.0 + ((place - f) / 90.0).powi(2)))
                    .sum();
                (phase * f64::from(number)).sin() * gain
            };
            let sound = if voiced {
                (1..20).map(harmonic).sum()
            } else {
                noise.next() * 0.5
            };
            let envelope = (std::f64::consts::PI * time).sin();
            samples.push((sound * envelope * loudness) as i16);
        }
    }
    samples
}
