//! Sound files that people hand in: greetings, announcements, music on hold. Any usual kind is read,
//! brought to mono and one loudness; a file that cannot be taken is explained to its owner.

mod error;
mod kind;
mod source;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use error::UploadError;
pub use kind::Kind;

use crate::level;
use crate::pcm::Pcm;
use crate::resample::Resampler;
use source::Source;

/// What is taken at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// The file's size.
    pub bytes: usize,
    /// The length of what it holds.
    pub seconds: u32,
}

impl UploadLimits {
    /// A greeting or an announcement.
    pub const PROMPT: Self = Self {
        bytes: 64 << 20,
        seconds: 10 * 60,
    };
    /// Music on hold. As long as a sound may be that is played.
    pub const MUSIC: Self = Self {
        bytes: 128 << 20,
        seconds: 30 * 60,
    };
}

/// An upload as it is kept and played: mono, 16 kHz, without the silence around it, at the loudness
/// `lufs` (see [`level::SPEECH_LUFS`] and [`level::MUSIC_LUFS`]).
pub fn import(file: &[u8], lufs: f64, limits: &UploadLimits) -> Result<Pcm, UploadError> {
    let rate_hz = Pcm::WIDE_HZ;
    let mut samples = floats(file, rate_hz, limits)?;
    if level::trim(&samples, rate_hz).is_empty() {
        return Err(UploadError::Silent);
    }
    // Soft audio is first made loud, so that its own noise and not ours tells where it begins.
    level::level(&mut samples, rate_hz, lufs);
    let sound = level::trim(&samples, rate_hz);
    let milliseconds = sound.len() as u64 * 1_000 / u64::from(rate_hz);
    if milliseconds < MIN_MS {
        return Err(UploadError::TooShort { milliseconds });
    }
    Ok(Pcm::from_floats(rate_hz, sound))
}

/// All that a file holds, mixed to mono, at a rate, and otherwise as it is.
pub fn decode(file: &[u8], rate_hz: u32, limits: &UploadLimits) -> Result<Pcm, UploadError> {
    Ok(Pcm::from_floats(rate_hz, &floats(file, rate_hz, limits)?))
}

/// The channels of a file, each at the file's own rate.
pub fn channels(file: &[u8], limits: &UploadLimits) -> Result<Vec<Pcm>, UploadError> {
    let mut channels: Vec<Vec<f32>> = Vec::new();
    let rate_hz = each_block(file, limits, |block| {
        channels.resize(block.channels.max(channels.len()), Vec::new());
        for frame in block.samples.chunks(block.channels) {
            for (channel, sample) in channels.iter_mut().zip(frame) {
                channel.push(*sample);
            }
        }
    })?;
    let pcm = |samples: &Vec<f32>| Pcm::from_floats(rate_hz, samples);
    Ok(channels.iter().map(pcm).collect())
}

/// Frames as they were decoded, their channels side by side.
struct Block<'a> {
    samples: &'a [f32],
    /// At least 1.
    channels: usize,
    rate_hz: u32,
}

/// What is shorter than this cannot be meant.
const MIN_MS: u64 = 100;
/// Packets that are read for each second that is allowed: Opus has 400 at most, and a file may not keep
/// us busy with empty ones.
const PACKETS_PER_SECOND: u64 = 500;

fn floats(file: &[u8], rate_hz: u32, limits: &UploadLimits) -> Result<Vec<f32>, UploadError> {
    let mut output = Vec::new();
    let mut mono = Vec::new();
    let mut resampler: Option<Resampler> = None;
    each_block(file, limits, |block| {
        mono.clear();
        let share = 1.0 / block.channels as f32;
        let mixed = |frame: &[f32]| frame.iter().sum::<f32>() * share;
        mono.extend(block.samples.chunks(block.channels).map(mixed));
        resampler
            .get_or_insert_with(|| Resampler::new(block.rate_hz, rate_hz))
            .push(&mono, &mut output);
    })?;
    if let Some(resampler) = resampler {
        resampler.finish(&mut output);
    }
    Ok(output)
}

/// Shows every block of the file to `see`, and says at which rate it was. A decoder that stumbles over
/// a hostile file and panics is taken for a damaged file.
fn each_block(
    file: &[u8],
    limits: &UploadLimits,
    mut see: impl FnMut(&Block<'_>),
) -> Result<u32, UploadError> {
    let kind = admit(file, limits)?;
    let walk = || walk(Source::open(file, kind)?, limits, &mut see);
    catch_unwind(AssertUnwindSafe(walk)).unwrap_or(Err(UploadError::Damaged { kind }))
}

/// Looks at size and first bytes only.
fn admit(file: &[u8], limits: &UploadLimits) -> Result<Kind, UploadError> {
    if file.is_empty() {
        return Err(UploadError::Empty);
    }
    if file.len() > limits.bytes {
        let (bytes, limit) = (file.len(), limits.bytes);
        return Err(UploadError::TooLarge { bytes, limit });
    }
    let kind = Kind::of(file);
    if kind.is_read() {
        Ok(kind)
    } else {
        Err(UploadError::OtherKind { kind })
    }
}

fn walk(
    mut source: Source<'_>,
    limits: &UploadLimits,
    see: &mut impl FnMut(&Block<'_>),
) -> Result<u32, UploadError> {
    let mut rate_hz = None;
    let mut frames = 0_u64;
    let mut bad = 0_u64;
    let mut good = 0_u64;
    for _ in 0..u64::from(limits.seconds) * PACKETS_PER_SECOND + PACKETS_PER_SECOND {
        match source.next() {
            source::Next::End => break,
            source::Next::Bad => bad += 1,
            source::Next::Other => {}
            source::Next::Block => {
                let block = source.block()?;
                // A stream that changes its rate half way is another stream: the first one counts.
                if *rate_hz.get_or_insert(block.rate_hz) != block.rate_hz {
                    break;
                }
                good += 1;
                frames += (block.samples.len() / block.channels) as u64;
                if frames > u64::from(limits.seconds) * u64::from(block.rate_hz) {
                    return Err(UploadError::TooLong {
                        limit_seconds: limits.seconds,
                    });
                }
                see(&block);
            }
        }
    }
    let kind = source.kind();
    let rate_hz = rate_hz.ok_or(UploadError::Damaged { kind })?;
    if bad > good {
        return Err(UploadError::Damaged { kind });
    }
    source.check_length(frames, rate_hz)?;
    Ok(rate_hz)
}
