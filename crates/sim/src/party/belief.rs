//! What a party believes about one of its calls: the other half of the truth that the node's
//! events are held against.

use clock::Time;
use media::{Description, PathId};
use sip::DialogId;

use crate::party::habit::Talk;

/// Number of a belief within its party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BeliefId(pub(crate) usize);

/// One call of a party.
#[derive(Debug)]
pub(crate) struct Belief {
    pub(crate) dialog: DialogId,
    /// The Call-ID header, by which the wire is searched.
    pub(crate) call_id: String,
    pub(crate) side: Side,
    pub(crate) began: Time,
    pub(crate) stage: Stage,
    /// Whether it has asked that the other side be handed on.
    pub(crate) hands_on: bool,
    /// What it will do once it talks.
    pub(crate) talk: Talk,
    /// What the node described last.
    pub(crate) told: Option<Description>,
    /// What the party described last, agreed on.
    pub(crate) ours: Option<Description>,
    /// An offer of ours that is not answered.
    pub(crate) offering: Option<Description>,
    /// Version of our descriptions.
    pub(crate) version: u64,
    /// When anything was agreed on last.
    pub(crate) agreed_at: Time,
    /// The media paths of the node that the party was told of.
    pub(crate) paths: Vec<PathId>,
}

/// Which side of the call the party is.
#[derive(Clone, Debug)]
pub(crate) enum Side {
    /// It calls.
    Calling {
        /// As dialled.
        dialled: String,
        /// Who it says it is: its number, when it is a carrier.
        caller: Option<String>,
    },
    /// It is called.
    Called {
        /// The caller's number as shown.
        shown: Option<String>,
    },
}

/// How far it thinks the call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The call was made or has come; it may ring.
    Waiting,
    /// Answered.
    Talking {
        /// When the 200 was sent or came.
        since: Time,
    },
    /// Over.
    Over {
        /// When it was answered, if it was.
        since: Option<Time>,
        /// When it ended.
        at: Time,
        /// How.
        end: End,
    },
}

/// How a call ended, as the party sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The other side hung up after the answer.
    TheyHungUp,
    /// It hung up itself.
    HungUp,
    /// It called and was refused.
    Refused(u16),
    /// It called and gave up.
    GaveUp,
    /// It was called and the caller gave up.
    Cancelled,
    /// It was called and refused.
    Rejected(u16),
    /// The other side is not there any more.
    Lost,
    /// It lost its memory.
    PowerCut,
}

impl Belief {
    /// Whether the party thinks that the call goes on.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Over { .. })
    }

    /// Whether the party talks.
    pub(crate) fn is_talking(&self) -> bool {
        matches!(self.stage, Stage::Talking { .. })
    }

    /// When the call was answered, if it was.
    pub(crate) fn answered_at(&self) -> Option<Time> {
        match self.stage {
            Stage::Waiting => None,
            Stage::Talking { since } => Some(since),
            Stage::Over { since, .. } => since,
        }
    }

    /// When and how the call ended, if it did.
    pub(crate) fn end(&self) -> Option<(Time, End)> {
        match self.stage {
            Stage::Waiting | Stage::Talking { .. } => None,
            Stage::Over { at, end, .. } => Some((at, end)),
        }
    }

    /// The call is answered.
    pub(crate) fn answer(&mut self, now: Time) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Talking { since: now };
            self.agreed_at = now;
        }
    }

    /// The call is over, unless it was before.
    pub(crate) fn finish(&mut self, now: Time, end: End) {
        let since = self.answered_at();
        if self.is_live() {
            self.stage = Stage::Over {
                since,
                at: now,
                end,
            };
        }
    }
}
