//! What an account is told. Nothing here can be wrong: every input in any state has an answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::HangupCause;
use crate::floor::AgentChange;
use crate::ids::{CallId, LegId};
use crate::mailbox::MailboxCounts;
use crate::origination::Origination;
use crate::question::{QuestionId, Told};
use crate::recording::{RecordEnd, RecordingId};
use crate::sound::PlayId;

/// One thing that happened outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    /// Somebody calls.
    Incoming {
        /// The new leg.
        leg: LegId,
        /// Who it was found to be.
        origin: Origin,
        /// The user part of what was dialled.
        called: String,
        /// The caller's number as it came; the account normalises it.
        caller_number: Option<String>,
        /// The caller's name as it came.
        caller_name: Option<String>,
    },
    /// A phone wants the place of a leg (RFC 3891), and its call. It is picked up or hung up at once.
    TakeOver {
        /// The new leg.
        leg: LegId,
        /// The device, by its username.
        username: Arc<str>,
        /// The leg whose place it wants.
        of: LegId,
    },
    /// A program asks for a call. Ends in exactly one `Effect::Originated`.
    Originate(Origination),
    /// An outgoing leg rings.
    Ringing {
        /// The outgoing leg.
        leg: LegId,
    },
    /// An outgoing leg sends audio before its answer.
    Progress {
        /// The outgoing leg.
        leg: LegId,
    },
    /// An outgoing leg answered.
    Answered {
        /// The outgoing leg.
        leg: LegId,
    },
    /// An outgoing leg ended before its answer.
    Failed {
        /// The outgoing leg; it is gone.
        leg: LegId,
        /// Why.
        failure: Failure,
    },
    /// The peer ended a leg: after the answer, or the caller gave up before it.
    HungUp {
        /// The leg; it is gone.
        leg: LegId,
        /// Why.
        cause: HangupCause,
    },
    /// A leg's peer wants whom it talks with to talk with somebody else. Ends in exactly one last
    /// `Effect::Referral`, unless the leg ends before.
    Transfer {
        /// The leg.
        leg: LegId,
        /// With whom.
        to: TransferTo,
    },
    /// A key was pressed on a leg.
    Digit {
        /// The leg.
        leg: LegId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// All sounds of a play were heard.
    Played {
        /// The leg that heard them.
        leg: LegId,
        /// Which play.
        play: PlayId,
    },
    /// A recording is over, and what there is of it is safe. May come after its call has ended.
    Recorded {
        /// Which.
        recording: RecordingId,
        /// How long it is.
        seconds: u32,
        /// Why it ended.
        end: RecordEnd,
    },
    /// An agent of queues logs in or out, goes away or comes back.
    Agent {
        /// The user's internal number.
        user: Arc<str>,
        /// What changes.
        change: AgentChange,
    },
    /// What a call has asked has an answer.
    Told {
        /// The call.
        call: CallId,
        /// Its question.
        question: QuestionId,
        /// What came back.
        told: Told,
    },
    /// A mailbox holds so many messages: told of each that holds any before the first call, and
    /// whenever it changes.
    Mailbox {
        /// The user's internal number.
        user: Arc<str>,
        /// How many.
        counts: MailboxCounts,
    },
    /// Somebody wants to know how that name is: `Effect::Watched` tells it at once, and whenever it
    /// changes.
    Watch {
        /// The name.
        name: Arc<str>,
    },
    /// Nobody wants to know it any more.
    Unwatch {
        /// The name.
        name: Arc<str>,
    },
    /// The deadline was reached.
    Wake,
    /// Every call must end now.
    EndAll {
        /// Why.
        cause: HangupCause,
    },
}

/// With whom somebody is to talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferTo {
    /// Whoever takes a call to this number, as if the user had dialled it.
    Number(String),
    /// Whoever talks with the user by this other leg.
    PeerOf(LegId),
}

/// Who calls, as the edge has authenticated it. Names, not positions in a plan: a plan may be
/// applied between the question and the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A device of a user.
    Device {
        /// Its username, unique in the account.
        username: Arc<str>,
    },
    /// A trunk.
    Trunk {
        /// Its name, unique in the account.
        name: Arc<str>,
    },
}

/// Why an outgoing leg did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Busy (486, 600).
    Busy,
    /// Refused by a person (603, 403 of a phone).
    Declined,
    /// It gave up ringing by itself (408, 480 or 487 from the far side).
    NoAnswer,
    /// No such number (404, 484, 604).
    NotFound,
    /// The media cannot be agreed on (415, 488, 606).
    Incompatible,
    /// Refused for any other reason (other 4xx and 6xx).
    Rejected,
    /// The far side cannot take calls now (5xx).
    Unavailable,
    /// No response at all.
    Timeout,
    /// Nowhere to send it: no registration, or the connection was refused.
    Unreachable,
}
