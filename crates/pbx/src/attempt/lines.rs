//! The parts that users of the account have in a call, as lamps show them.

use std::sync::Arc;

use super::{Attempt, State};
use crate::core::{Core, Hears};
use crate::effect::CallerId;
use crate::plan::UserIndex;
use crate::watch::{Line, LineDirection, LineState};

/// No attempt has this number.
const PARKED: u32 = u32::MAX;

impl Core {
    /// Each user's part, by internal number: as many as the floor counts. And the slot in which the
    /// call waits.
    pub(crate) fn lines(&self) -> Vec<(Arc<str>, Line)> {
        let caller = self.caller_line();
        let called = self.attempts.iter().filter_map(|one| self.called_line(one));
        let parked = self.parked_line();
        caller.into_iter().chain(called).chain(parked).collect()
    }

    fn caller_line(&self) -> Option<(Arc<str>, Line)> {
        let (user, direction) = match (&self.caller.user, self.caller.was_called) {
            (Some(caller), _) => (caller.user, LineDirection::Calls),
            (None, Some(user)) => (user, LineDirection::IsCalled),
            (None, None) => return None,
        };
        let state = match self.caller.hears {
            Hears::Absent | Hears::Nothing => LineState::Trying,
            Hears::Ringing | Hears::EarlyMedia(_) => LineState::Ringing,
            Hears::Answered | Hears::Gone => LineState::Talking,
        };
        let line = Line {
            call: self.id,
            part: 0,
            direction,
            state,
            rings: None,
            other: self.shows_others().then(|| CallerId {
                number: Some(self.destination.digits()),
                name: None,
            }),
        };
        Some((self.number_of(user)?, line))
    }

    /// The lamp of a slot is on while a call waits there.
    fn parked_line(&self) -> Option<(Arc<str>, Line)> {
        let slot = self.slot.clone()?;
        let line = Line {
            call: self.id,
            part: PARKED,
            direction: LineDirection::IsCalled,
            state: LineState::Talking,
            rings: None,
            other: self.shows_others().then(|| self.caller_id()),
        };
        Some((slot, line))
    }

    fn called_line(&self, attempt: &Attempt) -> Option<(Arc<str>, Line)> {
        let user = attempt.goal.user()?;
        // Only a phone of ours may be named to others.
        let rings = attempt.rung.first().copied();
        let (state, rings) = match attempt.state {
            State::Trying if rings.is_some() => (
                LineState::Ringing,
                rings.filter(|_| attempt.is_for_a_user()),
            ),
            State::Trying => (LineState::Trying, None),
            State::Asked(..) | State::Answered(_) | State::Connected(_) => {
                (LineState::Talking, None)
            }
        };
        let line = Line {
            call: self.id,
            part: attempt.id.0,
            direction: LineDirection::IsCalled,
            state,
            rings,
            other: self.shows_others().then(|| self.caller_id()),
        };
        Some((self.number_of(user)?, line))
    }

    fn number_of(&self, user: UserIndex) -> Option<Arc<str>> {
        self.plan
            .user(user)
            .map(|user| Arc::clone(&user.who.number))
    }

    /// Whether who watches somebody sees with whom that one talks.
    fn shows_others(&self) -> bool {
        self.plan.lamps.show_callers
    }
}
