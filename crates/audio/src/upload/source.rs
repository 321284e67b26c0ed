//! One file being decoded: symphonia reads containers and most encodings, `media` decodes Opus.

use std::io::Cursor;

use media::codec::{Decoder, Rate};
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::{Block, Kind, UploadError};
use crate::pcm::Pcm;

/// A file whose first audio track is decoded.
pub(super) struct Source<'a> {
    kind: Kind,
    format: Box<dyn FormatReader + 'a>,
    track: u32,
    announced_seconds: Option<f64>,
    decoding: Decoding,
    /// What the last packet held.
    samples: Vec<f32>,
    channels: usize,
    rate_hz: u32,
}

/// What came of a packet.
pub(super) enum Next {
    /// Something to hear: see [`Source::block`].
    Block,
    /// Something that cannot be decoded; what follows may be.
    Bad,
    /// A picture, or another track.
    Other,
    /// The file is over.
    End,
}

enum Decoding {
    Symphonia(Box<dyn AudioDecoder>),
    Opus(Box<Decoder>),
}

/// The rates that are read.
const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// How much of what a file announces must be there.
const MIN_THERE: f64 = 0.9;
/// Louder than this is no audio but a damaged file.
const LOUDEST: f32 = 8.0;

impl<'a> Source<'a> {
    pub(super) fn open(file: &'a [u8], kind: Kind) -> Result<Self, UploadError> {
        let stream = MediaSourceStream::new(
            Box::new(Cursor::new(file)),
            MediaSourceStreamOptions::default(),
        );
        let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, format, metadata)
            .map_err(|error| cannot_open(kind, &error))?;
        let track = format
            .default_track(TrackType::Audio)
            .or_else(|| format.first_track(TrackType::Audio))
            .ok_or(UploadError::NoAudio { kind })?;
        let parameters = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio());
        let parameters = parameters.ok_or(UploadError::OtherEncoding { kind })?;
        let decoding = Decoding::of(parameters).ok_or(UploadError::OtherEncoding { kind })?;
        Ok(Self {
            kind,
            track: track.id,
            announced_seconds: announced(track, parameters),
            decoding,
            format,
            samples: Vec::new(),
            channels: 1,
            rate_hz: Pcm::WIDE_HZ,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Decodes the next packet.
    pub(super) fn next(&mut self) -> Next {
        match self.format.next_packet() {
            Ok(Some(packet)) if packet.track_id != self.track => Next::Other,
            Ok(Some(packet)) => self.decode(&packet),
            // A file that stops in the middle is told by its length; another stream after the first is
            // not ours.
            Ok(None) | Err(Error::IoError(_) | Error::ResetRequired) => Next::End,
            Err(_) => Next::Bad,
        }
    }

    /// What the last packet held.
    pub(super) fn block(&self) -> Result<Block<'_>, UploadError> {
        let kind = self.kind;
        if !RATES_HZ.contains(&self.rate_hz) || self.channels == 0 {
            return Err(UploadError::OtherEncoding { kind });
        }
        Ok(Block {
            samples: &self.samples,
            channels: self.channels,
            rate_hz: self.rate_hz,
        })
    }

    /// Is about as much there as the file's beginning announced?
    pub(super) fn check_length(&self, frames: u64, rate_hz: u32) -> Result<(), UploadError> {
        let seconds = frames as f64 / f64::from(rate_hz);
        match self.announced_seconds {
            Some(announced) if seconds < announced * MIN_THERE - 0.1 => Err(UploadError::CutOff {
                seconds: seconds as u32,
                announced_seconds: announced as u32,
            }),
            _ => Ok(()),
        }
    }

    fn decode(&mut self, packet: &Packet) -> Next {
        self.samples.clear();
        match &mut self.decoding {
            Decoding::Symphonia(decoder) => {
                let Ok(audio) = decoder.decode(packet) else {
                    return Next::Bad;
                };
                audio.copy_to_vec_interleaved(&mut self.samples);
                self.channels = audio.spec().channels().count();
                self.rate_hz = audio.spec().rate();
            }
            Decoding::Opus(decoder) => {
                let mut samples = Vec::new();
                decoder.decode(&packet.data, &mut samples);
                if samples.is_empty() {
                    return Next::Bad;
                }
                let [start, end] = [packet.trim_start, packet.trim_end]
                    .map(|trim| (trim.get() * u64::from(Pcm::WIDE_HZ) / OPUS_CLOCK_HZ) as usize);
                let end = samples.len().saturating_sub(end);
                let kept = samples.get(start..end).unwrap_or_default().to_vec();
                self.samples = Pcm::new(Pcm::WIDE_HZ, kept).floats();
            }
        }
        for sample in &mut self.samples {
            *sample = if sample.is_finite() {
                sample.clamp(-LOUDEST, LOUDEST)
            } else {
                0.0
            };
        }
        Next::Block
    }
}

/// The clock of Opus in files (RFC 7845 §4).
const OPUS_CLOCK_HZ: u64 = 48_000;

impl Decoding {
    fn of(parameters: &AudioCodecParameters) -> Option<Self> {
        if parameters.codec == CODEC_ID_OPUS {
            let decoder = Decoder::new(media::Codec::Opus, Rate::Wide)?;
            return Some(Self::Opus(Box::new(decoder)));
        }
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default());
        decoder.ok().map(Self::Symphonia)
    }
}

fn cannot_open(kind: Kind, error: &Error) -> UploadError {
    match (kind, error) {
        (Kind::Unknown, _) => UploadError::OtherKind { kind },
        (_, Error::Unsupported(_)) => UploadError::OtherEncoding { kind },
        _ => UploadError::Damaged { kind },
    }
}

/// How long the file says that it is.
fn announced(track: &Track, parameters: &AudioCodecParameters) -> Option<f64> {
    let frames = track.num_frames? as f64;
    Some(frames / f64::from(parameters.sample_rate?))
}
