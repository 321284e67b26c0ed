//! Writes MP3 with LAME: recordings that people download, and voicemail in e-mails.

use mp3lame_encoder::{
    Bitrate, Builder, Encoder, FlushGap, InterleavedPcm, Mode, MonoPcm, Quality,
};

use crate::pcm::{Channels, Pcm, mixed, side_by_side};

/// A file that is written as its audio comes.
pub struct Writer {
    encoder: Encoder,
    channels: Channels,
}

/// The end of a file.
pub struct End {
    /// What comes after everything that was appended.
    pub tail: Vec<u8>,
    /// What is written over the file's first bytes: players learn from it how long the file is, and
    /// where its audio really begins and ends.
    pub head: Vec<u8>,
}

/// The encoder said no: the rate is none of MP3, or there is no memory.
#[derive(Debug, thiserror::Error)]
#[error("MP3 of {rate_hz} Hz cannot be written: {what}")]
pub struct Mp3Error {
    rate_hz: u32,
    what: String,
}

impl Writer {
    /// A file of this rate: 8, 11.025, 12, 16, 22.05, 24, 32, 44.1 or 48 kHz. Some players do not know
    /// the rates below 16 kHz, so recordings of 8 kHz are better written with 16.
    pub fn new(rate_hz: u32, channels: Channels) -> Result<Self, Mp3Error> {
        let error = |what: String| Mp3Error { rate_hz, what };
        let builder = Builder::new().ok_or_else(|| error("no memory".to_owned()))?;
        let mode = match channels {
            Channels::Mono => Mode::Mono,
            Channels::Stereo => Mode::Stereo,
        };
        let encoder = builder
            .with_num_channels(channels.count())
            .and_then(|builder| builder.with_sample_rate(rate_hz))
            .and_then(|builder| builder.with_output_sample_rate(rate_hz.try_into().ok()))
            .and_then(|builder| builder.with_mode(mode))
            .and_then(|builder| builder.with_brate(bitrate(rate_hz, channels)))
            .and_then(|builder| builder.with_quality(Quality::Good))
            .and_then(|builder| builder.with_to_write_vbr_tag(true))
            .and_then(Builder::build)
            .map_err(|what| error(what.to_string()))?;
        Ok(Self { encoder, channels })
    }

    /// Appends what the encoder makes of these frames.
    pub fn push(&mut self, frames: &[[i16; 2]], file: &mut Vec<u8>) -> Result<(), Mp3Error> {
        for piece in frames.chunks(PIECE_FRAMES) {
            file.reserve(mp3lame_encoder::max_required_buffer_size(PIECE_FRAMES));
            let written = match self.channels {
                Channels::Mono => {
                    let piece: Vec<i16> = piece.iter().copied().map(mixed).collect();
                    self.encoder.encode_to_vec(MonoPcm(&piece), file)
                }
                Channels::Stereo => {
                    let piece = InterleavedPcm(piece.as_flattened());
                    self.encoder.encode_to_vec(piece, file)
                }
            };
            written.map_err(|what| self.error(what))?;
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<End, Mp3Error> {
        let mut tail = Vec::with_capacity(mp3lame_encoder::max_required_buffer_size(PIECE_FRAMES));
        let flushed = self.encoder.flush_to_vec::<FlushGap>(&mut tail);
        flushed.map_err(|what| self.error(what))?;
        let mut head = Vec::with_capacity(self.encoder.lame_tag_size());
        self.encoder.lame_tag_encode_to_vec(&mut head);
        Ok(End { tail, head })
    }

    fn error(&self, what: impl std::fmt::Display) -> Mp3Error {
        let rate_hz = self.encoder.sample_rate();
        Mp3Error {
            rate_hz,
            what: what.to_string(),
        }
    }
}

/// A whole file with one channel.
pub fn mono(pcm: &Pcm) -> Result<Vec<u8>, Mp3Error> {
    let frames: Vec<[i16; 2]> = pcm.samples().iter().map(|sample| [*sample, 0]).collect();
    whole(Writer::new(pcm.rate_hz(), Channels::Mono)?, &frames)
}

/// A whole file with two channels, which have the rate of the left one.
pub fn stereo(left: &Pcm, right: &Pcm) -> Result<Vec<u8>, Mp3Error> {
    let writer = Writer::new(left.rate_hz(), Channels::Stereo)?;
    whole(writer, &side_by_side(left, right))
}

fn whole(mut writer: Writer, frames: &[[i16; 2]]) -> Result<Vec<u8>, Mp3Error> {
    let mut file = Vec::new();
    writer.push(frames, &mut file)?;
    let End { tail, head } = writer.finish()?;
    file.extend(tail);
    for (place, byte) in file.iter_mut().zip(head) {
        *place = byte;
    }
    Ok(file)
}

/// Enough for speech, and for a first frame that has room for the note on where the audio begins and
/// ends: without it some 100 ms of silence are heard before it.
fn bitrate(rate_hz: u32, channels: Channels) -> Bitrate {
    match (rate_hz, channels) {
        (..=12_000, Channels::Mono) => Bitrate::Kbps32,
        (..=16_000, Channels::Mono) => Bitrate::Kbps48,
        (_, Channels::Mono) | (..=12_000, Channels::Stereo) => Bitrate::Kbps64,
        (..=16_000, Channels::Stereo) => Bitrate::Kbps96,
        (_, Channels::Stereo) => Bitrate::Kbps128,
    }
}

/// How much is handed to the encoder at a time: a second of 16 kHz.
const PIECE_FRAMES: usize = 16_000;

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::spectrum::{is_tones, level_db};
    use crate::upload::{self, UploadLimits};

    fn tone(hz: f64, rate_hz: u32, seconds: u32) -> Pcm {
        let step = 2.0 * PI * hz / f64::from(rate_hz);
        let at = |n: u32| (0.3 * (step * f64::from(n)).sin()) as f32;
        let samples: Vec<f32> = (0..seconds * rate_hz).map(at).collect();
        Pcm::from_floats(rate_hz, &samples)
    }

    #[test]
    fn what_is_written_is_heard_and_has_its_length() {
        for rate_hz in [
            8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
        ] {
            let pcm = tone(440.0, rate_hz, 2);
            let file = mono(&pcm).unwrap();
            assert!(file.len() < 18_000, "{} bytes", file.len());
            let heard = upload::decode(&file, rate_hz, &UploadLimits::PROMPT).unwrap();
            assert_eq!(heard.samples().len(), pcm.samples().len(), "{rate_hz} Hz");
            assert!(is_tones(heard.samples(), rate_hz, &[440.0]), "{rate_hz} Hz");
        }
    }

    #[test]
    fn left_stays_left_and_right_right() {
        let file = stereo(&tone(440.0, 16_000, 2), &tone(1_000.0, 16_000, 1)).unwrap();
        let channels = upload::channels(&file, &UploadLimits::PROMPT).unwrap();
        let [left, right] = channels.as_slice() else {
            panic!("{} channels", channels.len());
        };
        assert!(level_db(left.samples(), 16_000, 440.0) > -12.0);
        assert!(level_db(left.samples(), 16_000, 1_000.0) < -60.0);
        assert!(level_db(&right.samples()[1_000..15_000], 16_000, 1_000.0) > -12.0);
        assert!(level_db(right.samples(), 16_000, 440.0) < -60.0);
    }

    #[test]
    fn pieces_make_what_the_whole_makes() {
        let pcm = tone(700.0, 16_000, 1);
        let mut writer = Writer::new(16_000, Channels::Mono).unwrap();
        let mut file = Vec::new();
        for piece in pcm.samples().chunks(160) {
            let frames: Vec<[i16; 2]> = piece.iter().map(|sample| [*sample, 0]).collect();
            writer.push(&frames, &mut file).unwrap();
        }
        let End { tail, head } = writer.finish().unwrap();
        file.extend(tail);
        file[..head.len()].copy_from_slice(&head);
        assert!(file == mono(&pcm).unwrap());
    }

    #[test]
    fn a_rate_that_mp3_does_not_know_is_an_error() {
        assert!(mono(&Pcm::new(7_919, vec![0; 100])).is_err());
    }
}
