//! Users whose calls go elsewhere: to a number outside, which is as good as a phone of theirs, or to
//! somebody else.

use std::sync::Arc;

use super::{Accept, AttemptId, Goal};
use crate::core::{Core, Destination};
use crate::event::Fact;
use crate::input::Failure;
use crate::number::E164;
use crate::plan::{CallerIds, Trunk, UserIndex};
use crate::turn::Turn;

impl Core {
    /// Rings a number outside as if it were a phone of the user: the attempt is the user's.
    pub(super) fn ring_forwarded(
        &mut self,
        index: UserIndex,
        number: E164,
        turn: &mut Turn<'_>,
    ) -> Result<AttemptId, Failure> {
        let plan = Arc::clone(&self.plan);
        let user = plan.user(index).ok_or(Failure::NotFound)?;
        // Who calls with a story of being called cannot be called too.
        if self.caller.was_called == Some(index) {
            return Err(Failure::Busy);
        }
        self.tell_user_ringing(index, turn);
        let present = self.presented_number();
        let goal = Goal::Outside {
            number: Destination::Number(number),
            present: present.or_else(|| plan.presented_number(index)),
            accept: Accept::AtOnce,
            next_trunk: 0,
            trunk: None,
            for_user: Some(index),
        };
        let limit = plan.limits.calls_per_user;
        let is_full = turn.floor.users().is_full(&user.who.number, limit);
        // Counted before, so that what ends the attempt finds it so.
        turn.floor.users().add(&user.who.number);
        let rung = if is_full {
            Err(Failure::Busy)
        } else {
            self.ring_outside(goal, turn)
        };
        if rung.is_err() {
            self.tell_user_ended(index, turn);
        }
        rung
    }

    /// The user was called, but the call goes elsewhere at once.
    pub(super) fn pass_over(&mut self, index: UserIndex, turn: &mut Turn<'_>) -> Failure {
        if self.caller.was_called != Some(index)
            && let Some(user) = self.plan.user(index)
        {
            turn.floor.users().add(&user.who.number);
            self.tell_user_ringing(index, turn);
            self.tell_user_ended(index, turn);
        }
        Failure::NoAnswer
    }

    /// The part of a user who is called begins, for no object with a summary.
    pub(super) fn tell_user_ringing(&self, index: UserIndex, turn: &mut Turn<'_>) {
        if let Some(user) = self.plan.user(index) {
            let ringing = Fact::UserRinging {
                user: user.who.clone(),
                queue: None,
                ring_group: None,
            };
            self.emit(ringing, turn);
        }
    }

    /// The number that this trunk may show.
    pub(super) fn presentable_by(&self, trunk: &Trunk, number: Option<E164>) -> Option<E164> {
        match (trunk.caller_ids, number) {
            (CallerIds::Own, Some(number)) if !self.plan.has_number(number) => self.own_number(),
            (CallerIds::Own | CallerIds::Any, number) => number,
        }
    }
}
