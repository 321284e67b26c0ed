//! The fold from events to call rows and webhook facts. It has no other state than the events,
//! so that a crash loses nothing: the stored events are folded again.

use std::sync::Arc;

use clock::Time;
use serde::{Deserialize, Serialize};

use crate::event::{Event, UserRef};
use crate::ids::{AccountId, CallId};
use crate::trigger::Trigger;

/// What an event changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write this row over the one with the same `(call, user_number, side)`.
    Row(UserCall),
    /// Tell this to every endpoint that ticked the trigger.
    Hook(HookFacts),
}

/// Which story of a user a row tells: a user who calls himself has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The user was called.
    Inbound,
    /// The user called.
    Outbound,
}

/// The contract's four types of user call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserCallKind {
    /// The user was called and answered.
    UserInboundAnswered,
    /// The user was called and did not answer.
    UserInboundMissed,
    /// The user called and was answered.
    UserOutboundAnswered,
    /// The user called and was not answered.
    UserOutboundUnanswered,
}

/// One row: one user's part in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCall {
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// Its type.
    pub kind: UserCallKind,
    /// E.164 digits without `+`, or an internal number.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What the caller dialled; never empty.
    pub dest_number: String,
    /// The user's name.
    pub user_name: Arc<str>,
    /// The user's internal number.
    pub user_number: Arc<str>,
    /// First ring of the user, or the start of the user's call.
    pub call_start_at: Time,
    /// First answer.
    pub connected_at: Option<Time>,
    /// End of the last attempt.
    pub ended_at: Option<Time>,
    /// Ring and talk of all attempts, whole seconds.
    pub call_duration_seconds: u32,
    /// Talk of all attempts, whole seconds.
    pub conversation_duration_seconds: u32,
    /// True only once the call has ended: then the row never changes again.
    pub listed: bool,
}

/// What a webhook body is made of; `server` renders exactly the keys the trigger has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFacts {
    /// Which trigger fires.
    pub trigger: Trigger,
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// When it happened.
    pub at: Time,
    /// E.164 digits without `+`, or an internal number.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What the caller dialled; never empty.
    pub dest_number: String,
    /// Whose story it is; none in a summary that no user answered.
    pub user: Option<UserRef>,
    /// The queue of the attempt.
    pub queue_name: Option<Arc<str>>,
    /// The ring group of the attempt.
    pub ring_group_name: Option<Arc<str>>,
    /// As in the row.
    pub call_start_at: Time,
    /// As in the row.
    pub connected_at: Option<Time>,
    /// As in the row.
    pub call_duration_seconds: u32,
    /// As in the row.
    pub conversation_duration_seconds: u32,
}

/// The fold. Holds only calls that have not ended.
#[derive(Debug, Default)]
pub struct Fold {}

impl Fold {
    /// A fold that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event in.
    pub fn apply(&mut self, _event: &Event) -> Vec<Change> {
        Vec::new()
    }

    /// Calls that have not ended.
    pub fn open_calls(&self) -> Vec<CallId> {
        Vec::new()
    }

    /// The events that close every open call when the node died at `at`. Apply them as well.
    pub fn close_lost(&self, _at: Time) -> Vec<Event> {
        Vec::new()
    }
}
