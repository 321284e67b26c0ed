//! What is wrong with an upload, in words for the person who uploaded it: what, why, and what helps.

use super::Kind;

/// Why a file is not taken. The text is meant to be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// No bytes at all.
    #[error("The file is empty. Choose the file again, and check that it plays on your computer")]
    Empty,
    /// More bytes than are taken.
    #[error(
        "The file has {} MB, and {} MB are the most. Save it as MP3, or make it shorter",
        megabytes(*bytes), megabytes(*limit)
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest that is taken.
        limit: usize,
    },
    /// More audio than is taken.
    #[error(
        "The recording is longer than {}, which is the most. Make it shorter, and try again",
        minutes(*limit_seconds)
    )]
    TooLong {
        /// The longest that is taken.
        limit_seconds: u32,
    },
    /// Hardly any audio.
    #[error(
        "The recording is only {milliseconds} ms long without the silence around it. Choose one \
         that can be heard"
    )]
    TooShort {
        /// How long it is without the silence around it.
        milliseconds: u64,
    },
    /// Nothing that can be heard.
    #[error("The recording is silent. Check the microphone, and record it again")]
    Silent,
    /// A kind of file that is not read, or none that is known.
    #[error("{kind}, which cannot be played on a phone. Save it as MP3, WAV, M4A, Ogg or FLAC")]
    OtherKind {
        /// What it is.
        kind: Kind,
    },
    /// A known kind of file with audio inside that is not read: protected, or an unusual encoding.
    #[error(
        "{kind}, but the audio in it is encoded in a way that is not known or is copy-protected. \
         Save it as MP3 or WAV"
    )]
    OtherEncoding {
        /// What it is.
        kind: Kind,
    },
    /// A known kind of file without any audio.
    #[error("{kind}, but there is no audio in it. Choose another file")]
    NoAudio {
        /// What it is.
        kind: Kind,
    },
    /// Most of it cannot be read.
    #[error("{kind}, but it is damaged. Save or download it again, and check that it plays")]
    Damaged {
        /// What it is.
        kind: Kind,
    },
    /// The end is missing.
    #[error(
        "The file ends after {} of {}: the rest is missing. Save or download it again",
        minutes(*seconds), minutes(*announced_seconds)
    )]
    CutOff {
        /// What is there.
        seconds: u32,
        /// What its beginning says there is.
        announced_seconds: u32,
    },
}

/// With one decimal.
fn megabytes(bytes: usize) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn minutes(seconds: u32) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} seconds"),
        (1, 0) => "1 minute".to_owned(),
        (minutes, 0) => format!("{minutes} minutes"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
