//! What is said about recordings between the engine and the media threads. How they are kept and read
//! back is the matter of [`crate::journal`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A recording; chosen by the engine and never used twice, for it names a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordingId(pub u64);

impl fmt::Display for RecordingId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Where a leg is heard in a recording. One whose legs are all left is mono, as voicemail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The caller.
    Left,
    /// Whoever is called.
    Right,
}

/// When a recording ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// How long it may get, at most [`RecordLimits::MAX_LENGTH`].
    pub length: Duration,
    /// How long nothing may be said by anybody; `None` for calls, a few seconds for voicemail.
    pub silence: Option<Duration>,
    /// How large its journal may get, about 19 kB a second for two legs of G.711.
    pub bytes: u64,
}

impl RecordLimits {
    /// The longest recording.
    pub const MAX_LENGTH: Duration = Duration::from_hours(12);

    /// A call: as long as a recording may be.
    pub const CALL: Self = Self {
        length: Self::MAX_LENGTH,
        silence: None,
        bytes: 2 << 30,
    };
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordEnd {
    /// It was stopped.
    Stopped,
    /// Its last leg is over.
    HungUp,
    /// It has its full length.
    Length,
    /// Nobody said anything for too long.
    Silence,
    /// Its journal has its full size.
    Size,
    /// It could not be written: no folder was named, too many recordings, or the disk refused.
    Failed,
}
