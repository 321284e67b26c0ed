//! Tones in WAV files: one to send, and a measure of what was heard.

use std::f64::consts::TAU;
use std::path::Path;

/// Samples per second of telephone audio.
pub(crate) const RATE: u32 = 8_000;

/// How loud the tone is, of 32,767.
const AMPLITUDE: f64 = 8_000.0;

/// Writes so many seconds of a tone: 16 bits, one channel.
pub(crate) fn write_tone(path: &Path, hertz: f64, seconds: u32) {
    let data: Vec<u8> = (0..RATE * seconds)
        .map(|index| (TAU * hertz * f64::from(index) / f64::from(RATE)).sin() * AMPLITUDE)
        .flat_map(|sample| to_sample(sample).to_le_bytes())
        .collect();
    let size = u32::try_from(data.len()).expect("a few seconds are a few bytes");
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes()); // PCM
    file.extend(1_u16.to_le_bytes()); // channels
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    std::fs::write(path, file).expect("the test's own folder can be written");
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a sine times AMPLITUDE fits 16 bits"
)]
fn to_sample(value: f64) -> i16 {
    value as i16
}

/// How loud a tone is in a recording, by correlation with that frequency; a tone of
/// [`write_tone`] that arrives whole measures 1.
pub(crate) fn loudness(samples: &[i16], hertz: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (index, sample) in (0_u32..).zip(samples) {
        let angle = TAU * hertz * f64::from(index) / f64::from(RATE);
        real += f64::from(*sample) * angle.cos();
        imaginary += f64::from(*sample) * angle.sin();
    }
    let count = u32::try_from(samples.len().max(1)).expect("a recording of a test is short");
    2.0 * real.hypot(imaginary) / f64::from(count) / AMPLITUDE
}

/// How much of a sound is in a recording, from 0 to 1: the best correlation of the two with the
/// beginning of the sound anywhere in the recording.
pub(crate) fn likeness(recording: &[i16], sound: &[i16]) -> f64 {
    let energy = |samples: &[i16]| -> f64 {
        let squares = samples.iter().map(|sample| f64::from(*sample).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let whole = energy(sound);
    let places = recording.windows(sound.len());
    let likeness = places.map(|place| {
        let both = place.iter().zip(sound);
        let product: f64 = both.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        product / (energy(place) * whole).max(1.0)
    });
    likeness.fold(0.0, f64::max)
}

/// The samples of a WAV file of 16 bits and one channel, none if it has only been begun.
pub(crate) fn read(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).expect("a recording can be read");
    let at = bytes.windows(4).position(|window| window == b"data");
    let data = at.and_then(|at| bytes.get(at + 8..)).unwrap_or_default();
    data.chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

#[test]
fn a_tone_is_told_from_another() {
    let folder = super::process::Folder::fresh("tone");
    let path = folder.join("tone.wav");
    write_tone(&path, 440.0, 1);
    let samples = read(&path);
    assert_eq!(samples.len(), 8_000);
    assert!((loudness(&samples, 440.0) - 1.0).abs() < 0.01);
    assert!(loudness(&samples, 660.0) < 0.01);
}
