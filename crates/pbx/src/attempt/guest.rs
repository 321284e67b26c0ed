//! Whoever talks in a call and is handed on: taken out of an attempt or a call without being hung up,
//! and taken in by another.

use super::{Accept, Attempt, Goal, State};
use crate::core::{Caller, CallingUser, Core, Destination, Hears, Identity};
use crate::event::Fact;
use crate::ids::LegId;
use crate::plan::{Plan, UserIndex};
use crate::turn::Turn;

/// Somebody who talks, on the way from one to another.
#[derive(Debug)]
pub(crate) struct Guest {
    leg: LegId,
    goal: Goal,
}

/// Whether the story of a user who stays in a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    GoesOn,
    EndsHere,
}

impl Core {
    /// The user who talks by that leg, if one does.
    pub(crate) fn talking_user(&self, leg: LegId) -> Option<UserIndex> {
        if !self.is_connected() {
            return None;
        }
        if leg == self.caller.leg {
            // By a number outside, to which the calls of a user go, nobody may hand calls on.
            if self.caller.trunk.is_some() {
                return None;
            }
            let calling = self.caller.user.as_ref().map(|user| user.user);
            return calling.or(self.caller.was_called);
        }
        let connected = self
            .attempts
            .iter()
            .find_map(|attempt| match attempt.state {
                State::Connected(connected) if connected == leg => Some(&attempt.goal),
                State::Trying | State::Asked(..) | State::Answered(_) | State::Connected(_) => None,
            });
        match connected? {
            Goal::User(user) => Some(*user),
            Goal::Caller | Goal::Outside { .. } => None,
        }
    }

    /// The called user's part is over, but the leg goes on by itself.
    pub(crate) fn called_steps_out(&mut self, turn: &mut Turn<'_>) {
        if let Some(Guest { goal, .. }) = self.take_connected() {
            self.end_story(&goal, turn);
        }
    }

    /// The calling user's part is over, but the leg goes on by itself. Whom it talked with is the
    /// caller from now on.
    pub(crate) fn caller_steps_out(&mut self, story: Story, turn: &mut Turn<'_>) {
        let Some(guest) = self.take_connected() else {
            return;
        };
        self.close_caller_story(turn);
        if story == Story::EndsHere {
            self.end_story(&guest.goal, turn);
        }
        self.recordings.sides_change();
        let last_play = self.caller.last_play;
        self.caller = Caller {
            last_play,
            ..guest.into_caller(&self.plan, story)
        };
    }

    /// Gives away whom the user of `leg` talks with, without an end of that one's leg.
    pub(crate) fn give_peer_of(&mut self, leg: LegId, turn: &mut Turn<'_>) -> Option<Guest> {
        if leg == self.caller.leg {
            let guest = self.take_connected()?;
            self.end_story(&guest.goal, turn);
            return Some(guest);
        }
        let guest = self.give_caller()?;
        if let Some(trunk) = self.caller.trunk.take() {
            turn.floor.trunks().remove(&trunk);
        }
        Some(guest)
    }

    /// Gives away who calls, without an end of the leg.
    pub(crate) fn give_caller(&mut self) -> Option<Guest> {
        if self.caller.hears == Hears::Gone {
            return None;
        }
        let guest = Guest {
            leg: self.caller.leg,
            goal: self.goal_of_caller(),
        };
        self.caller.hears = Hears::Gone;
        Some(guest)
    }

    /// Connects the caller with a guest.
    pub(crate) fn take_in(&mut self, guest: Guest, turn: &mut Turn<'_>) {
        let Guest { leg, goal } = guest;
        let goal = match goal {
            // One user's parts of a call do not overlap.
            Goal::User(user) if self.caller.was_called == Some(user) => Goal::Caller,
            Goal::Outside {
                number,
                present,
                accept,
                next_trunk,
                trunk,
                for_user,
            } => Goal::Outside {
                number,
                present,
                accept,
                next_trunk,
                trunk,
                for_user: for_user.filter(|user| self.caller.was_called != Some(*user)),
            },
            Goal::User(_) | Goal::Caller => goal,
        };
        turn.legs.insert(leg, self.id);
        if let Some(index) = goal.user()
            && let Some(user) = self.plan.user(index)
        {
            turn.floor.users().add(&user.who.number);
            self.tell_user_ringing(index, turn);
        }
        if let Goal::Outside {
            trunk: Some(trunk), ..
        } = &goal
        {
            turn.floor.trunks().add(trunk);
        }
        let id = self.add_attempt(goal, vec![leg], turn.now);
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.id == id) {
            attempt.state = State::Answered(leg);
        }
        self.connect(id, turn);
    }

    /// A user of the account who comes back by a leg that is still there.
    pub(crate) fn take_back(&mut self, leg: LegId, user: UserIndex, turn: &mut Turn<'_>) {
        self.take_in(Guest::user(leg, user), turn);
    }

    fn take_connected(&mut self) -> Option<Guest> {
        let is_connected = |attempt: &Attempt| matches!(attempt.state, State::Connected(_));
        let index = self.attempts.iter().position(is_connected)?;
        let leg = self.attempts.get(index)?.answered_by()?;
        let Attempt { goal, .. } = self.attempts.remove(index);
        Some(Guest { leg, goal })
    }

    /// What a party held while it was in this call is free, and a user's part is told to its end.
    fn end_story(&self, goal: &Goal, turn: &mut Turn<'_>) {
        if let Goal::Outside {
            trunk: Some(trunk), ..
        } = goal
        {
            turn.floor.trunks().remove(trunk);
        }
        if let Some(user) = goal.user() {
            self.tell_user_ended(user, turn);
        }
    }

    /// The part of a user who was called is over.
    pub(crate) fn tell_user_ended(&self, user: UserIndex, turn: &mut Turn<'_>) {
        if let Some(user) = self.plan.user(user) {
            turn.floor.users().remove(&user.who.number);
            let user = user.who.clone();
            self.emit(Fact::UserEnded { user }, turn);
        }
    }

    fn goal_of_caller(&self) -> Goal {
        let calling = self.caller.user.as_ref().map(|user| user.user);
        if let Some(user) = calling.or(self.caller.was_called)
            && self.caller.trunk.is_none()
        {
            return Goal::User(user);
        }
        let number = match &self.caller.identity {
            Identity::Withheld => return Goal::Caller,
            Identity::Plain(text) => Destination::Plain(text.clone()),
            Identity::Number(number) => Destination::Number(*number),
        };
        Goal::Outside {
            number,
            present: None,
            accept: Accept::AtOnce,
            next_trunk: usize::MAX,
            trunk: self.caller.trunk.clone(),
            for_user: self.caller.was_called,
        }
    }
}

impl Guest {
    /// A user who comes by that leg.
    pub(crate) fn user(leg: LegId, user: UserIndex) -> Self {
        let goal = Goal::User(user);
        Self { leg, goal }
    }

    /// The guest as a call of another plan knows it: users stand elsewhere there, or nowhere.
    pub(crate) fn under(self, from: &Plan, to: &Plan) -> Self {
        let Self { leg, goal } = self;
        let Goal::User(index) = goal else {
            return Self { leg, goal };
        };
        let number = from.user(index).map(|user| &user.who.number);
        let user = number.and_then(|number| to.user_by_number(number));
        let goal = user.map_or(Goal::Caller, |(user, _)| Goal::User(user));
        Self { leg, goal }
    }

    /// The guest as who calls: shown as itself, and with its own story.
    fn into_caller(self, plan: &Plan, story: Story) -> Caller {
        let (identity, name, trunk, was_called) = match self.goal {
            Goal::User(index) => {
                let who = plan.user(index).map(|user| &user.who);
                let number = who.map(|who| who.number.to_string());
                (
                    number.map_or(Identity::Withheld, Identity::Plain),
                    who.map(|who| who.name.to_string()),
                    None,
                    (story == Story::GoesOn).then_some(index),
                )
            }
            Goal::Caller => (Identity::Withheld, None, None, None),
            Goal::Outside {
                number,
                trunk,
                for_user,
                ..
            } => {
                let identity = match number {
                    Destination::Number(number) => Identity::Number(number),
                    Destination::Plain(text) => Identity::Plain(text),
                };
                let trunk = trunk.filter(|_| story == Story::GoesOn);
                let was_called = for_user.filter(|_| story == Story::GoesOn);
                (identity, None, trunk, was_called)
            }
        };
        Caller {
            hears: Hears::Answered,
            name,
            trunk,
            was_called,
            ..Caller::on(self.leg, identity)
        }
    }
}

impl Core {
    /// The caller's own story comes to its end: that of a user who called, or was called before.
    pub(crate) fn close_caller_story(&mut self, turn: &mut Turn<'_>) {
        if let Some(user) = self.caller.was_called.take() {
            self.tell_user_ended(user, turn);
        }
        if let Some(CallingUser { who, .. }) = self.caller.user.take() {
            turn.floor.users().remove(&who.number);
            self.emit(Fact::OutboundEnded { user: who }, turn);
        }
    }
}
