//! WAV files of 16 bits: what recordings and voicemail are kept in, and what tests read.
//!
//! Uploads are read by [`crate::upload`], which knows every kind of WAV.

use std::io::Cursor;

use crate::pcm::{Channels, Pcm, mixed, side_by_side};

/// The bytes before the samples. A recording is written as it comes: the header first with no frames,
/// and again over it when their number is known.
pub fn header(rate_hz: u32, channels: Channels, frames: u64) -> [u8; HEADER_BYTES] {
    let frame_bytes = 2 * u16::from(channels.count());
    // The format counts to 4 GiB; what is longer is played to its end by every player that matters.
    let data = frames.saturating_mul(u64::from(frame_bytes));
    let data = u32::try_from(data)
        .unwrap_or(u32::MAX)
        .min(u32::MAX - HEADER_BYTES as u32);
    let rate_bytes = rate_hz.saturating_mul(u32::from(frame_bytes));
    let mut header = [0; HEADER_BYTES];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &(data + HEADER_BYTES as u32 - 8).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &LINEAR.to_le_bytes(),
        &u16::from(channels.count()).to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &rate_bytes.to_le_bytes(),
        &frame_bytes.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    for (place, byte) in header.iter_mut().zip(fields.concat()) {
        *place = byte;
    }
    header
}

/// How long [`header`] is.
pub const HEADER_BYTES: usize = 44;

/// Appends frames as they stand in a file.
pub fn push(frames: &[[i16; 2]], channels: Channels, file: &mut Vec<u8>) {
    match channels {
        Channels::Mono => file.extend(frames.iter().flat_map(|frame| mixed(*frame).to_le_bytes())),
        Channels::Stereo => {
            file.extend(frames.iter().flatten().flat_map(|side| side.to_le_bytes()));
        }
    }
}

/// A whole file with one channel.
pub fn mono(pcm: &Pcm) -> Vec<u8> {
    let mut file = header(pcm.rate_hz(), Channels::Mono, pcm.samples().len() as u64).to_vec();
    file.extend(pcm.samples().iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// A whole file with two channels, which have the rate of the left one.
pub fn stereo(left: &Pcm, right: &Pcm) -> Vec<u8> {
    let frames = side_by_side(left, right);
    let mut file = header(left.rate_hz(), Channels::Stereo, frames.len() as u64).to_vec();
    push(&frames, Channels::Stereo, &mut file);
    file
}

/// The channels of a file of 16 bits.
pub fn read(file: &[u8]) -> Result<Vec<Pcm>, WavError> {
    let reader = hound::WavReader::new(Cursor::new(file))?;
    let hound::WavSpec {
        channels,
        sample_rate,
        ..
    } = reader.spec();
    let mut samples = vec![Vec::new(); usize::from(channels)];
    let interleaved: Vec<i16> = reader.into_samples::<i16>().collect::<Result<_, _>>()?;
    for frame in interleaved.chunks(samples.len().max(1)) {
        for (channel, sample) in samples.iter_mut().zip(frame) {
            channel.push(*sample);
        }
    }
    Ok(samples
        .into_iter()
        .map(|samples| Pcm::new(sample_rate, samples))
        .collect())
}

/// A file that is no WAV file of 16 bits, or not a whole one.
#[derive(Debug, thiserror::Error)]
#[error("no WAV file of 16 bits")]
pub struct WavError(#[from] hound::Error);

/// WAV's number for linear audio.
const LINEAR: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let left = Pcm::new(8_000, vec![1, 2, 3, i16::MIN]);
        let right = Pcm::new(8_000, vec![-1, i16::MAX]);
        assert_eq!(read(&mono(&left)).unwrap(), std::slice::from_ref(&left));
        let filled = Pcm::new(8_000, vec![-1, i16::MAX, 0, 0]);
        assert_eq!(read(&stereo(&left, &right)).unwrap(), [left, filled]);
    }

    #[test]
    fn a_recording_that_is_written_as_it_comes_is_the_same_file() {
        let frames = [[1, -1], [2, i16::MIN], [i16::MAX, 5]];
        for (channels, sides) in [
            (
                Channels::Stereo,
                vec![vec![1, 2, i16::MAX], vec![-1, i16::MIN, 5]],
            ),
            (Channels::Mono, vec![vec![0, i16::MIN + 2, i16::MAX]]),
        ] {
            let mut file = header(8_000, channels, 0).to_vec();
            push(&frames[..1], channels, &mut file);
            push(&frames[1..], channels, &mut file);
            file[..HEADER_BYTES].copy_from_slice(&header(8_000, channels, 3));
            let expected: Vec<Pcm> = sides
                .into_iter()
                .map(|side| Pcm::new(8_000, side))
                .collect();
            assert_eq!(read(&file).unwrap(), expected);
        }
    }

    #[test]
    fn a_file_without_frames_is_a_file() {
        assert_eq!(read(&mono(&Pcm::new(8_000, vec![]))).unwrap().len(), 1);
    }

    #[test]
    fn what_is_cut_off_or_strange_is_an_error() {
        let whole = mono(&Pcm::new(8_000, vec![1; 100]));
        for file in [&whole[..20], &whole[..101], b"no sound at all", b""] {
            assert!(read(file).is_err(), "{} bytes", file.len());
        }
    }

    #[test]
    fn a_day_of_audio_does_not_overflow_the_header() {
        let header = header(16_000, Channels::Stereo, 16_000 * 86_400);
        assert_eq!(&header[..4], b"RIFF");
        assert_eq!(header[40..44], (u32::MAX - 44).to_le_bytes());
    }
}
