//! Recordings as the store knows them. Their audio lies in files; whose it is and where it stands, here.

use std::sync::Arc;

use clock::Time;
use pbx::{AccountId, Discarded, MailOutcome, MessageState, Purpose, RecordingId};

/// What a batch writes about a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingWrite {
    /// It begins. One that is known already stays as it is.
    Begin(Recording),
    /// It is over.
    Close(RecordingId),
    /// Its audio is kept.
    Keep {
        /// Which.
        recording: RecordingId,
        /// How long it is.
        seconds: u32,
        /// What became of its mail.
        mail: MailOutcome,
    },
    /// It is kept, and stands elsewhere now.
    Move {
        /// Which.
        recording: RecordingId,
        /// Where it stands.
        to: MessageState,
    },
    /// Nothing of it is left.
    Discard {
        /// Which.
        recording: RecordingId,
        /// Why.
        why: Discarded,
    },
}

impl RecordingWrite {
    /// Whether nothing is written about the recording after it.
    pub(crate) fn is_the_last(&self) -> bool {
        match self {
            Self::Begin(_) | Self::Close(_) => false,
            Self::Keep { .. } | Self::Discard { .. } | Self::Move { .. } => true,
        }
    }
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Which; it names its call.
    pub recording: RecordingId,
    /// Whose.
    pub account: AccountId,
    /// Where it stands.
    pub state: RecordingState,
    /// Of what, for whom.
    pub purpose: Purpose,
    /// E.164 digits without `+`, or an internal number.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What the caller dialled; never empty.
    pub dest_number: String,
    /// When it began.
    pub began_at: Time,
    /// What its link ends in. Unguessable, and unique on the server.
    pub token: Arc<str>,
}

/// Where a recording stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordingState {
    /// It goes on, or went on when the process ended.
    Open,
    /// It is over, and its audio is to be made.
    Closed,
    /// Its audio is kept.
    Kept,
    /// Nothing of it is left.
    Gone,
}
