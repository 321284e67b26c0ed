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
