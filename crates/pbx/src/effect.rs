//! What must be done. A step returns effects; it does nothing itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{Event, HangupCause};
use crate::ids::{CallId, LegId};
use crate::mailbox::MailboxQuestion;
use crate::origination::Unplaced;
use crate::question::Question;
use crate::recording::{RecordLimits, RecordingId, Voice};
use crate::sound::{PlayId, Sound, Times};
use crate::watch::Line;

/// One thing to be done, in the order given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// Call somebody. Ends in exactly one `Answered`, `Failed` or our own `HangUp`.
    Dial {
        /// The call it belongs to.
        call: CallId,
        /// The new leg.
        leg: LegId,
        /// The leg whose media offer is passed on; `None`: the offer is ours, because the caller
        /// is still to come.
        for_leg: Option<LegId>,
        /// Whom to call.
        target: Target,
        /// Whom to show as the caller.
        caller: CallerId,
    },
    /// Tell the caller that the called party rings.
    Ring {
        /// The caller's leg.
        leg: LegId,
    },
    /// Let the caller, answered or not, hear `from`, which sends audio before its answer.
    EarlyMedia {
        /// The caller's leg.
        leg: LegId,
        /// The outgoing leg that is heard.
        from: LegId,
    },
    /// Answer the caller on our own media: nobody else is heard yet.
    PickUp {
        /// The call it belongs to.
        call: CallId,
        /// The caller's leg.
        leg: LegId,
    },
    /// Connect the media of both legs. A caller who was not picked up is answered by it.
    Connect {
        /// The caller's leg.
        leg: LegId,
        /// The outgoing leg that answered.
        with: LegId,
    },
    /// Let an answered leg hear these sounds instead of whatever it heard. Ends in `Played`,
    /// unless they are played for ever, stopped, or replaced by others.
    Play {
        /// The leg.
        leg: LegId,
        /// What `Played` will name.
        play: PlayId,
        /// What is heard, one after the other.
        sounds: Vec<Sound>,
        /// How often.
        times: Times,
    },
    /// Nothing is played to the leg any more.
    StopPlaying {
        /// The leg.
        leg: LegId,
    },
    /// Record what an answered leg says. The first leg of a recording begins it; a further one joins.
    /// Ends in one `Recorded`, also after all its legs are over.
    Record {
        /// The leg.
        leg: LegId,
        /// The recording.
        recording: RecordingId,
        /// Whose voice it is.
        voice: Voice,
        /// When it ends by itself; those of the first leg count.
        limits: RecordLimits,
    },
    /// What is said meanwhile is left out of the recording.
    PauseRecording {
        /// A leg of the recording.
        leg: LegId,
        /// The recording.
        recording: RecordingId,
    },
    /// It records again.
    ResumeRecording {
        /// A leg of the recording.
        leg: LegId,
        /// The recording.
        recording: RecordingId,
    },
    /// The recording is over.
    StopRecording {
        /// A leg of the recording.
        leg: LegId,
        /// The recording.
        recording: RecordingId,
    },
    /// Let an answered leg hear everybody else in a room of the account, unless something is played
    /// to it. It is heard by them, if it may be: a leg that is there already has that changed.
    JoinRoom {
        /// The leg.
        leg: LegId,
        /// The room's name.
        room: Arc<str>,
        /// Whether it is heard.
        speech: Speech,
    },
    /// A leg is in its room no more.
    LeaveRoom {
        /// The leg.
        leg: LegId,
    },
    /// The two who talk by this leg and another do so no more; both are still there.
    Part {
        /// One of the two.
        leg: LegId,
    },
    /// Tell a leg's peer what becomes of the transfer it asked for. The last is `Refused`, `Done`
    /// or `Failed`.
    Referral {
        /// The leg.
        leg: LegId,
        /// What.
        progress: Progress,
    },
    /// End a leg, whatever its state. Nothing more is heard of it here.
    HangUp {
        /// The leg.
        leg: LegId,
        /// Why; before its answer the caller is given the cause's status.
        cause: HangupCause,
    },
    /// Ask an address; ends in one `Input::Told`.
    Ask(Box<Question>),
    /// Ask a mailbox; ends in one `Input::Told`.
    AskMailbox(Box<MailboxQuestion>),
    /// Remember this.
    Emit(Event),
    /// How a watched name is from now on: all its parts in calls, none when it is idle.
    Watched {
        /// The name.
        name: Arc<str>,
        /// Its parts.
        lines: Vec<Line>,
    },
    /// The answer to `Input::Originate`: the call that was begun, or why none was.
    Originated {
        /// Which call.
        outcome: Result<CallId, Unplaced>,
    },
}

/// Whether somebody in a room is heard by the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speech {
    /// It is.
    Heard,
    /// It only hears them.
    Muted,
}

/// What becomes of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It may not be.
    Refused(HangupCause),
    /// It may be: somebody is called.
    Accepted,
    /// It rings there.
    Ringing,
    /// Somebody has taken the call.
    Done,
    /// Nobody has.
    Failed(HangupCause),
}

/// Whom to call. Names, because a call keeps its plan while the account may have a newer one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A device of a user.
    Device {
        /// Its username, unique in the account.
        username: Arc<str>,
    },
    /// A number behind a trunk.
    Trunk {
        /// The trunk's name.
        name: Arc<str>,
        /// The number as this trunk wants it.
        number: String,
    },
}

/// The caller as the called party is shown it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerId {
    /// As the called party wants it written; `None` is anonymous.
    pub number: Option<String>,
    /// The name.
    pub name: Option<String>,
}
