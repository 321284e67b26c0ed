//! What an object of the call flow can see and do. An object never touches a call, a leg or an
//! effect itself: it is told moments and answers with a step, using these verbs on the way.
//!
//! Verbs: `ring`, `stop`, `connect`, `wake_in`, `let_sleep`; and as its step: stay, exit, hang
//! up. At most twelve: what an object needs beyond them is a change to the design.

use std::borrow::Cow;
use std::time::Duration;

use crate::attempt::{AttemptId, Party};
use crate::core::{Core, Destination};
use crate::event::HangupCause;
use crate::input::Failure;
use crate::number::E164;
use crate::turn::Turn;

/// An object that asks to be woken at once must not keep the node from everything else.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// What an object is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The call comes in.
    Entered,
    /// The time it asked for has come.
    Woken,
    /// A device answered; nobody is connected yet.
    Answered {
        /// Of this attempt.
        attempt: AttemptId,
    },
    /// Nobody will answer this attempt any more.
    Failed {
        /// The attempt; it is over.
        attempt: AttemptId,
        /// The failure that says most about the party.
        failure: Failure,
    },
    /// The device that had answered is gone.
    Left {
        /// The attempt; it is over.
        attempt: AttemptId,
        /// Why.
        cause: HangupCause,
    },
}

/// What an object decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The call stays here.
    Stay,
    /// The call goes on by the exit of this name.
    Exit(Cow<'static, str>),
    /// The call ends.
    HangUp(HangupCause),
}

impl Step {
    /// The call goes on by the exit of this name.
    pub(crate) const fn exit(name: &'static str) -> Self {
        Self::Exit(Cow::Borrowed(name))
    }
}

/// An object's hands for the length of one moment.
pub(crate) struct Cx<'a, 'turn> {
    core: &'a mut Core,
    turn: &'a mut Turn<'turn>,
}

impl<'a, 'turn> Cx<'a, 'turn> {
    pub(crate) fn new(core: &'a mut Core, turn: &'a mut Turn<'turn>) -> Self {
        Self { core, turn }
    }

    /// Starts to reach a party, or says why that is hopeless from the start.
    pub(crate) fn ring(&mut self, party: Party) -> Result<AttemptId, Failure> {
        self.core.ring(party, self.turn)
    }

    /// Gives an attempt up.
    pub(crate) fn stop(&mut self, attempt: AttemptId, cause: HangupCause) {
        self.core.stop(attempt, cause, self.turn);
    }

    /// Connects the caller with the device that answered; every other attempt is over.
    pub(crate) fn connect(&mut self, attempt: AttemptId) {
        self.core.connect(attempt, self.turn);
    }

    /// Asks for `Moment::Woken`, instead of what was asked for before.
    pub(crate) fn wake_in(&mut self, wait: Duration) {
        self.core.wake_at = Some(self.turn.now + wait.max(SHORTEST_WAIT));
    }

    /// Takes back what was asked of `wake_in`.
    pub(crate) fn let_sleep(&mut self) {
        self.core.wake_at = None;
    }

    /// What the caller dialled.
    pub(crate) fn dialled(&self) -> &Destination {
        &self.core.destination
    }

    /// The number a call to the outside shows.
    pub(crate) fn presented_number(&self) -> Option<E164> {
        self.core.presented_number()
    }
}
