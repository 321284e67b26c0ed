//! Sound files in and out: uploads, prompts, tones, music on hold, recordings.
//!
//! Bytes go in and bytes come out; no file is opened here. What a phone hears is made ready ahead, as
//! linear audio that [`media`] encodes; nothing in this crate runs in a media thread.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "samples and their counts are far from where a cast between numbers loses anything"
)]

pub mod level;
#[cfg(feature = "mp3")]
pub mod mp3;
pub mod music;
mod pcm;
pub mod prompts;
mod resample;
pub mod say;
pub mod spectrum;
pub mod tones;
pub mod upload;
pub mod wav;

pub use pcm::{Channels, Pcm};
pub use prompts::{Language, Prompt};
pub use say::{Noun, Part};
pub use tones::Tones;
pub use upload::{UploadError, UploadLimits};
