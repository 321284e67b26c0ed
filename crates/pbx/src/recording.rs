//! Recordings as call control knows them: which, of what, for whom. It never holds audio: who records
//! is told to begin, and tells the end.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::UserRef;
use crate::ids::CallId;
use crate::trigger::Trigger;

/// A recording: its call's 16 digits and three more, so that whoever finds it knows the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordingId(pub u64);

/// Recordings one call may have.
pub(crate) const MAX_PER_CALL: u16 = 999;
const NUMBERS_PER_CALL: u64 = 1_000;

impl RecordingId {
    /// Which recording of the call it is, from 1; only the last three digits count.
    pub const fn new(call: CallId, number: u16) -> Self {
        Self(call.0 * NUMBERS_PER_CALL + number as u64 % NUMBERS_PER_CALL)
    }

    /// No recording of a call that began before has this id or a higher one.
    pub const fn first_of(time: clock::Time) -> Self {
        Self(CallId::first_of(time).0.saturating_mul(NUMBERS_PER_CALL))
    }

    /// The call it belongs to.
    pub const fn call(self) -> CallId {
        CallId(self.0 / NUMBERS_PER_CALL)
    }
}

impl std::fmt::Display for RecordingId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:019}", self.0)
    }
}

/// Whose voice a leg adds to a recording. One with both is stereo: the caller is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// The caller.
    #[default]
    Caller,
    /// Whoever is called.
    Called,
}

impl Voice {
    /// The other side's.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Called,
            Self::Called => Self::Caller,
        }
    }
}

/// How long the end of a recording may take to be told.
const GRACE: Duration = Duration::from_secs(10);

/// When a recording ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLimits {
    /// How long it may get; `None`: as long as any recording may be.
    pub length_seconds: Option<u32>,
    /// How long nothing may be said; `None`: for ever.
    pub silence_seconds: Option<u32>,
}

impl RecordLimits {
    /// A conversation is recorded as long as it goes on.
    pub const CALL: Self = Self {
        length_seconds: None,
        silence_seconds: None,
    };

    /// One whose end is not told by then has none.
    pub(crate) fn longest(self) -> Duration {
        Duration::from_secs(self.length_seconds.unwrap_or(u32::MAX).into()) + GRACE
    }
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordEnd {
    /// It was stopped.
    Stopped,
    /// Nobody is left who could be heard.
    HungUp,
    /// It has its full length.
    Length,
    /// Nobody said anything for too long.
    Silence,
    /// It has its full size.
    Size,
    /// It could not be made.
    Failed,
}

/// What is recorded, and who is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Purpose {
    /// A message for a user.
    Voicemail {
        /// In whose mailbox it lies.
        mailbox: UserRef,
        /// Where it is mailed to.
        emails: Vec<Arc<str>>,
        /// The message that was forwarded, whose audio is this one's too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copy_of: Option<RecordingId>,
    },
    /// What a user says to callers of the mailbox. Nobody is told of it.
    Greeting {
        /// Whose mailbox it is.
        mailbox: UserRef,
    },
    /// The conversation of a call that came in.
    Inbound {
        /// Where it is mailed to.
        emails: Vec<Arc<str>>,
    },
    /// The conversation of a user's call.
    Outbound {
        /// The calling user.
        user: UserRef,
        /// Where it is mailed to.
        emails: Vec<Arc<str>>,
    },
}

impl Purpose {
    /// The webhook trigger of the finished recording.
    pub const fn trigger(&self) -> Option<Trigger> {
        match self {
            Self::Voicemail { .. } => Some(Trigger::Voicemail),
            Self::Inbound { .. } => Some(Trigger::RecordingInbound),
            Self::Outbound { .. } => Some(Trigger::RecordingOutbound),
            Self::Greeting { .. } => None,
        }
    }

    /// Whether one person speaks, and nothing is worth keeping when nobody does.
    pub const fn is_message(&self) -> bool {
        match self {
            Self::Voicemail { .. } | Self::Greeting { .. } => true,
            Self::Inbound { .. } | Self::Outbound { .. } => false,
        }
    }

    /// Where the audio is mailed to.
    pub fn emails(&self) -> &[Arc<str>] {
        match self {
            Self::Voicemail { emails, .. }
            | Self::Inbound { emails }
            | Self::Outbound { emails, .. } => emails,
            Self::Greeting { .. } => &[],
        }
    }
}

/// A recording whose audio is kept: everything that is told of it, so that the call, long over, need
/// not be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Which.
    pub recording: RecordingId,
    /// Of what.
    pub purpose: Purpose,
    /// The caller's number, as in rows.
    pub caller_id: Option<String>,
    /// What the caller dialled, as in rows.
    pub dest_number: String,
    /// When it began.
    pub recorded_at: clock::Time,
    /// How long it is.
    pub seconds: u32,
    /// Where its audio is found, without a login.
    pub link: String,
    /// The subject of its mail, sent or not.
    pub email_subject: String,
    /// The text of its mail.
    pub email_message: String,
    /// What became of the mail.
    pub mail: MailOutcome,
}

/// What became of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailOutcome {
    /// Nobody was to get one.
    None,
    /// A mail server has taken it.
    Sent,
    /// No mail server took it, in words.
    Failed(String),
}

/// Why nothing is left of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discarded {
    /// A message of which nothing can be heard.
    TooShort,
    /// There is no journal: nothing came before the end, or the disk refused.
    NoAudio,
    /// The journal cannot be read.
    Unreadable,
}

/// A message shorter than this was not meant to be one.
pub const LEAST_MESSAGE_SECONDS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_names_its_call() {
        let call = CallId(1_569_943_875_070_001);
        let recording = RecordingId::new(call, 12);
        assert_eq!(recording.to_string(), "1569943875070001012");
        assert_eq!(recording.call(), call);
        let last = RecordingId::new(CallId((1 << 53) - 1), MAX_PER_CALL);
        assert!(i64::try_from(last.0).is_ok(), "any store can hold it");
    }
}
