//! The outbox: what webhook endpoints must be told.
//!
//! A lane is one (account, endpoint, call); inside it deliveries go out by rising number. Which one
//! is tried when is decided in `server`; the store keeps what was decided.

use std::sync::Arc;

use clock::Time;
use pbx::{AccountId, CallId, Trigger};

/// Number of a delivery: rises in the order of commits, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// What a delivery tells, which decides where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tells {
    /// What its endpoint ticked. It goes where the endpoint leads when it is made.
    Trigger(Trigger),
    /// That a call passed a webhook object.
    Component {
        /// Where the object led then: it may be another when this is made, or gone. The bytes are
        /// the owner's, sealed: the store does not look into them.
        destination: Arc<[u8]>,
    },
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Taken.
    Delivered,
    /// Tried again; also sends a failed or delivered one again.
    Again {
        /// Not before this instant.
        due: Time,
        /// In its place or alone.
        place: Place,
    },
    /// Given up.
    Failed,
}

/// Whether a delivery still stands in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Those behind it wait.
    InLane,
    /// It retries alone.
    Late,
}

/// A delivery that is still to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// Whose endpoint.
    pub account: AccountId,
    /// The endpoint's name in the account, or what the webhook object is known by.
    pub endpoint: Arc<str>,
    /// The call it tells of.
    pub call: CallId,
    /// What it tells.
    pub tells: Tells,
    /// The body.
    pub body: Arc<[u8]>,
    /// Attempts made so far.
    pub attempts: u32,
    /// The earliest instant of the next attempt.
    pub due: Time,
    /// In its lane or alone.
    pub place: Place,
}

/// An endpoint that has deliveries to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Whose endpoint.
    pub account: AccountId,
    /// Its name.
    pub endpoint: Arc<str>,
    /// When its first late delivery is due.
    pub next_late: Option<Time>,
}

/// A part of an endpoint's deliveries that are to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// In their lanes, numbered behind this one.
    After(DeliveryId),
    /// Late, and due by then.
    LateUntil(Time),
}

/// What was asked for with a [`Part`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// By rising number.
    pub deliveries: Vec<Delivery>,
    /// When the first late one that is not among them is due.
    pub next_late: Option<Time>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryState {
    /// To be made.
    Pending,
    /// Taken by the receiver.
    Delivered,
    /// Given up.
    Failed,
}

/// Which deliveries of an account are listed, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// Whose.
    pub account: AccountId,
    /// Only these.
    pub state: DeliveryState,
    /// Only those numbered below this one.
    pub before: Option<DeliveryId>,
    /// At most so many.
    pub limit: u32,
}

/// A delivery and its history, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The delivery.
    pub delivery: Delivery,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it happened.
    pub created_at: Time,
    /// When the last attempt was over.
    pub tried_at: Option<Time>,
    /// What the receiver answered then.
    pub status: Option<u16>,
    /// Why there was no good answer.
    pub error: Option<String>,
}
