//! What is told of a recording. Its end mostly follows that of its call, so the facts carry all there
//! is to tell and nothing is remembered here.

use clock::Time;

use super::OpenCall;
use crate::event::{Event, Fact};
use crate::ids::AccountId;
use crate::mailbox::MessageState;
use crate::recording::{Discarded, Finished, Purpose, RecordingId};

/// What an event changes about a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingChange {
    /// Whose call it is of.
    pub account: AccountId,
    /// Which; it names its call.
    pub recording: RecordingId,
    /// When it happened.
    pub at: Time,
    /// What.
    pub news: RecordingNews,
}

/// What happened to a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordingNews {
    /// It began.
    Started {
        /// Of what, for whom.
        purpose: Purpose,
        /// E.164 digits without `+`, or an internal number.
        caller_id: Option<String>,
        /// The caller's name.
        caller_name: Option<String>,
        /// What the caller dialled; never empty.
        dest_number: String,
    },
    /// It is over, and its audio can be made.
    Closed,
    /// Its audio is kept; to be told to every endpoint that ticked its trigger.
    Finished(Box<Finished>),
    /// Nothing of it is left.
    Discarded(Discarded),
    /// It is kept, and stands elsewhere now.
    Moved(MessageState),
}

/// What is told at the end of a recording and later, when its call may be over.
pub(super) fn ended(event: &Event) -> Option<RecordingChange> {
    let (recording, news) = match &event.fact {
        Fact::RecordingFinished { finished } => {
            let news = RecordingNews::Finished(finished.clone());
            (finished.recording, news)
        }
        Fact::RecordingClosed { recording, .. } => (*recording, RecordingNews::Closed),
        Fact::RecordingDiscarded { recording, why } => (*recording, RecordingNews::Discarded(*why)),
        Fact::MessageMoved { recording, to, .. } => (*recording, RecordingNews::Moved(*to)),
        Fact::Arrived { .. }
        | Fact::CallerShown { .. }
        | Fact::UserRinging { .. }
        | Fact::UserAnswered { .. }
        | Fact::UserEnded { .. }
        | Fact::OutboundStarted { .. }
        | Fact::OutboundAnswered { .. }
        | Fact::OutboundEnded { .. }
        | Fact::GroupEntered { .. }
        | Fact::GroupAnswered { .. }
        | Fact::GroupLeft { .. }
        | Fact::ComponentPassed { .. }
        | Fact::RecordingStarted { .. }
        | Fact::LegClosed { .. }
        | Fact::Stands { .. }
        | Fact::Ended { .. } => return None,
    };
    Some(RecordingChange {
        account: event.account,
        recording,
        at: event.at,
        news,
    })
}

impl OpenCall {
    pub(super) fn recording_started(
        &self,
        recording: RecordingId,
        purpose: &Purpose,
        event: &Event,
    ) -> RecordingChange {
        RecordingChange {
            account: self.account,
            recording,
            at: event.at,
            news: RecordingNews::Started {
                purpose: purpose.clone(),
                caller_id: self.caller.id.clone(),
                caller_name: self.caller.name.clone(),
                dest_number: self.dest_number.clone(),
            },
        }
    }
}
