//! What one transaction writes.

use std::sync::Arc;

use clock::Time;
use pbx::cdr::{GroupCall, UserCall};
use pbx::{AccountId, CallId, Event, Fact};

use crate::delivery::{DeliveryId, Fate, Tells};
use crate::recording::RecordingWrite;

/// Everything that is committed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Rows of calls that have ended. One that is there already stays as it is.
    pub rows: Vec<UserCall>,
    /// Rows of stays that are over, alike.
    pub group_rows: Vec<GroupCall>,
    /// What has changed about recordings, in order.
    pub recordings: Vec<RecordingWrite>,
    /// What webhook endpoints must be told, in order.
    pub deliveries: Vec<NewDelivery>,
    /// How attempts to tell them went.
    pub attempts: Vec<AttemptResult>,
    /// The node was alive at this instant.
    pub heartbeat: Option<Time>,
}

/// A delivery before it has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Whose endpoint.
    pub account: AccountId,
    /// The endpoint's name in the account, or what the webhook object is known by.
    pub endpoint: Arc<str>,
    /// The call it tells of.
    pub call: CallId,
    /// What it tells.
    pub tells: Tells,
    /// The body, rendered once.
    pub body: Arc<[u8]>,
    /// When it happened.
    pub at: Time,
}

/// How one attempt to deliver went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptResult {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// When the attempt was over.
    pub at: Time,
    /// What becomes of the delivery.
    pub fate: Fate,
    /// The status the receiver answered with.
    pub status: Option<u16>,
    /// Why there was no good answer, in words.
    pub error: Option<String>,
}

/// What may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erase {
    /// Deliveries that are delivered or failed, and older than this.
    Deliveries {
        /// Younger ones stay.
        before: Time,
    },
    /// Rows of one account, with their calls' events. The counters go down with them.
    Calls {
        /// Whose.
        account: AccountId,
        /// Calls that started later stay.
        before: Time,
    },
    /// Recordings that are finished. Their audio is the server's to delete, afterwards.
    Recordings {
        /// Of calls that began later they stay.
        before: Time,
    },
    /// Events of ended calls.
    Events {
        /// Calls that began later stay.
        before: Time,
    },
}

/// How far a commit reaches before it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Survives the end of the process.
    Process,
    /// Survives the loss of power as well.
    Power,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.rows.is_empty()
            && self.group_rows.is_empty()
            && self.recordings.is_empty()
            && self.deliveries.is_empty()
            && self.attempts.is_empty()
            && self.heartbeat.is_none()
    }

    /// A commit waits for the disk only if somebody outside may act on it: a webhook is sent, a
    /// row is shown, a user has been told that it is so from now on. Anything else is on the disk with the next one that waits, in the same order,
    /// so power loss leaves a prefix; an attempt that it forgets is made again, which is allowed.
    pub(crate) fn durability(&self) -> Durability {
        // Who has heard that something stands relies on it.
        let stands = |event: &Event| matches!(event.fact, Fact::Stands { .. });
        let lets_stand = self.events.iter().any(stands);
        let shows_nothing = self.rows.is_empty() && self.group_rows.is_empty();
        // What a recording was made from is deleted after its end is written.
        let ends_no_recording = self.recordings.iter().all(|write| !write.is_the_last());
        if self.deliveries.is_empty() && shows_nothing && ends_no_recording && !lets_stand {
            Durability::Process
        } else {
            Durability::Power
        }
    }
}
