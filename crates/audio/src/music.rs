//! Music on hold: one track that comes with the program. It runs into itself without a seam, and
//! `music/make.py` plays it.

use media::codec::Codec;
use media::sound::Sound;

use crate::pcm::Pcm;
use crate::upload::{self, UploadLimits};

/// The track for phones that speak this encoding, to be repeated for ever. Decoded and encoded each time, up
/// to half a second: it does not belong where calls wait.
pub fn on_hold(codec: Codec) -> Sound {
    on_hold_pcm().sound(&[codec])
}

/// The track as linear audio of 16 kHz.
pub fn on_hold_pcm() -> Pcm {
    let decoded = upload::decode(ON_HOLD, Pcm::WIDE_HZ, &UploadLimits::MUSIC);
    // The tests decode it; were it damaged, there would be silence.
    decoded.unwrap_or_else(|_| Pcm::new(Pcm::WIDE_HZ, Vec::new()))
}

const ON_HOLD: &[u8] = include_bytes!("../music/on-hold.flac");

#[cfg(test)]
mod tests {
    use media::sound::FRAME_MS;

    use super::*;
    use crate::level::{MUSIC_LUFS, loudness, true_peak_db};
    use crate::spectrum::total_db;

    #[test]
    fn it_is_long_enough_and_as_loud_as_music_should_be() {
        let pcm = on_hold_pcm();
        let seconds = pcm.duration().as_secs();
        assert!((60..=90).contains(&seconds), "{seconds} s");
        let lufs = loudness(&pcm).unwrap();
        assert!((lufs - MUSIC_LUFS).abs() <= 1.0, "{lufs} LUFS");
        assert!(true_peak_db(&pcm) < -3.0);
    }

    #[test]
    fn its_end_runs_into_its_beginning() {
        let pcm = on_hold_pcm();
        let samples = pcm.samples();
        let frame = usize::from(FRAME_MS) * 16;
        assert!(samples.len().is_multiple_of(frame), "whole frames only");
        // Around the seam the wave bends no more sharply than a tone of 3.4 kHz as loud as the music would,
        // and much less than a jump.
        let around: Vec<f64> = samples[samples.len() - 3..]
            .iter()
            .chain(&samples[..3])
            .map(|sample| f64::from(*sample))
            .collect();
        let bends = |wave: &[f64]| {
            let bend = |w: &[f64]| (w[0] - 2.0 * w[1] + w[2]).abs();
            wave.windows(3).map(bend).fold(0.0, f64::max)
        };
        let all: Vec<f64> = samples.iter().map(|sample| f64::from(*sample)).collect();
        let usual = all.chunks(16_000).map(bends).fold(f64::MAX, f64::min);
        assert!(bends(&around) <= usual, "{} of {usual}", bends(&around));
        let edge = |piece: &[i16]| total_db(piece);
        let (end, start) = (
            edge(&samples[samples.len() - 1_600..]),
            edge(&samples[..1_600]),
        );
        assert!(
            (end - start).abs() < 12.0,
            "{end:.1} dB, then {start:.1} dB"
        );
    }

    #[test]
    fn nothing_in_it_is_sudden_nor_so_soft_that_a_phone_takes_it_for_silence() {
        let pcm = on_hold_pcm();
        let levels: Vec<f64> = pcm.samples().chunks(800).map(total_db).collect();
        for (place, pair) in levels.windows(2).enumerate() {
            let seconds = place as f64 * 0.05;
            assert!(pair[1] - pair[0] < 10.0, "{seconds} s: {pair:?}");
            assert!(pair[0] > -40.0, "{seconds} s: {pair:?}");
        }
    }

    #[test]
    fn a_telephone_passes_nearly_all_of_it() {
        let pcm = on_hold_pcm();
        let narrow = pcm.at_rate(Pcm::NARROW_HZ);
        let lost = total_db(pcm.samples()) - total_db(narrow.samples());
        assert!(lost < 0.1, "{lost} dB");
    }

    #[test]
    fn the_sound_is_made_once() {
        let sound = on_hold(Codec::Pcma);
        assert_eq!(sound.frames(), 4_200);
    }
}
