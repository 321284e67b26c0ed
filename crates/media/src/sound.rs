//! What can be played: sounds encoded ahead, so that a listener costs one send per frame, and the
//! order in which they are played.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::codec::{Codec, Encoder, Rate};

/// The length of every frame we send, in milliseconds (RFC 3551 §4.2).
pub const FRAME_MS: u16 = 20;
/// The longest sound, in frames: half an hour.
pub const MAX_SOUND_FRAMES: usize = 90_000;
/// The most sounds of one playlist.
pub const MAX_PLAYLIST_SOUNDS: usize = 64;

/// One play of a path, chosen by the engine, so that the end of an earlier one is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u32);

/// A prompt, a tone or a piece of music as frames of 20 ms in one or several encodings. A leg that
/// speaks another one has it encoded while it is played. A sound may still be in the making while it is
/// played already: reading and decoding a file belong in no thread that a call waits for.
#[derive(Clone, PartialEq, Eq)]
pub struct Sound(OnceLock<Made>);

/// What a sound is made of.
#[derive(Clone, PartialEq, Eq)]
struct Made {
    frames: usize,
    encodings: BTreeMap<Codec, Frames>,
}

/// The frames of one encoding, end to end.
#[derive(Clone, PartialEq, Eq)]
struct Frames {
    bytes: Vec<u8>,
    /// Where each frame ends.
    ends: Vec<u32>,
}

impl Sound {
    /// Encodes audio of that rate, up to [`MAX_SOUND_FRAMES`]; the last frame is filled up with silence.
    /// What of `codecs` carries no voice is left out.
    pub fn encode(samples: &[i16], rate: Rate, codecs: &[Codec]) -> Self {
        let samples = samples
            .get(..MAX_SOUND_FRAMES * rate.frame_samples())
            .unwrap_or(samples);
        let encode = |codec: &Codec| Some((*codec, Frames::encode(samples, rate, *codec)?));
        let made = Made {
            frames: samples.len().div_ceil(rate.frame_samples()),
            encodings: codecs.iter().filter_map(encode).collect(),
        };
        Self(made.into())
    }

    /// A sound that somebody makes meanwhile. Whoever plays it waits for it in silence.
    pub const fn promised() -> Self {
        Self(OnceLock::new())
    }

    /// Keeps a promise: it is this sound from now on. One that was made before stays as it is.
    pub fn keep(&self, sound: Self) {
        if let Some(made) = sound.0.into_inner() {
            self.0.get_or_init(|| made);
        }
    }

    /// Whether it is there; see [`Sound::promised`].
    pub fn is_made(&self) -> bool {
        self.0.get().is_some()
    }

    /// How many frames it has; none while it is only promised.
    pub fn frames(&self) -> usize {
        self.0.get().map_or(0, |made| made.frames)
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.frames() as u64 * u64::from(FRAME_MS))
    }

    /// The encodings that are there.
    pub fn codecs(&self) -> impl Iterator<Item = Codec> {
        let made = self.0.get().into_iter();
        made.flat_map(|made| made.encodings.keys().copied())
    }

    /// A frame in an encoding that is there.
    pub fn frame(&self, codec: Codec, index: usize) -> Option<&[u8]> {
        let frames = self.0.get()?.encodings.get(&codec)?;
        let end = *frames.ends.get(index)? as usize;
        let before = index.checked_sub(1);
        let start = before.map_or(Some(0), |before| frames.ends.get(before).copied())?;
        frames.bytes.get(start as usize..end)
    }
}

impl Frames {
    fn encode(samples: &[i16], rate: Rate, codec: Codec) -> Option<Self> {
        let mut encoder = Encoder::new(codec, rate)?;
        let mut frames = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        for frame in samples.chunks(rate.frame_samples()) {
            encoder.encode(frame, &mut frames.bytes);
            frames.ends.push(u32::try_from(frames.bytes.len()).ok()?);
        }
        Some(frames)
    }
}

impl fmt::Debug for Sound {
    /// Its length only: the audio is nobody's business in a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Sound({:?})", self.duration())
    }
}

/// How often a playlist is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once.
    Once,
    /// Until it is stopped.
    Forever,
}

/// Sounds that are played one after the other without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist {
    /// At most [`MAX_PLAYLIST_SOUNDS`]; what is over is left out.
    pub sounds: Vec<Arc<Sound>>,
    /// How often.
    pub repeat: Repeat,
}

impl Playlist {
    /// From the beginning, once.
    pub fn once(sounds: Vec<Arc<Sound>>) -> Self {
        Self {
            sounds,
            repeat: Repeat::Once,
        }
    }

    /// One sound over and over: a tone or music.
    pub fn forever(sound: Arc<Sound>) -> Self {
        Self {
            sounds: vec![sound],
            repeat: Repeat::Forever,
        }
    }
}
