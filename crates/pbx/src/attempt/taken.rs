//! Calls that are taken over: one that rings for somebody else, or one that goes on, by a phone that
//! was not called (RFC 3891, and pickup by code).

use clock::Time;

use super::{Attempt, AttemptId, Goal, Guest, State, hang_up};
use crate::core::{Core, Hears};
use crate::cx::Moment;
use crate::effect::Effect;
use crate::event::{Fact, HangupCause, UserRef};
use crate::ids::LegId;
use crate::plan::UserIndex;
use crate::turn::Turn;

/// A user who takes a call over, and the phone that does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taker {
    pub(crate) user: UserIndex,
    pub(crate) leg: LegId,
}

/// What is taken over by taking the place of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A call that rings there.
    Rings(AttemptId),
    /// The part of the user who talks there.
    Talks,
}

impl Core {
    /// What somebody takes over who takes the place of that leg.
    pub(crate) fn place_of(&self, leg: LegId) -> Option<Place> {
        let rings = |attempt: &&Attempt| attempt.is_for_a_user() && attempt.legs.contains(&leg);
        match self.attempts.iter().find(rings) {
            Some(attempt) if self.can_be_taken() => Some(Place::Rings(attempt.id)),
            Some(_) => None,
            None => self.talking_user(leg).map(|_| Place::Talks),
        }
    }

    /// Since when a call rings for a user, and which one it is, if that one is wanted.
    pub(crate) fn rings_for(&self, wanted: impl Fn(&UserRef) -> bool) -> Option<(Time, AttemptId)> {
        if !self.can_be_taken() {
            return None;
        }
        let for_user = self.attempts.iter().filter_map(|attempt| {
            let Goal::User(user) = attempt.goal else {
                return None;
            };
            let user = self.plan.user(user)?;
            (attempt.state == State::Trying && wanted(&user.who))
                .then_some((attempt.since, attempt.id))
        });
        for_user.min()
    }

    /// Whether the user has a part in the call, but for that leg, and cannot have another.
    pub(crate) fn has_part(&self, user: UserIndex, but: Option<LegId>) -> bool {
        let calls = self.caller.user.as_ref().map(|caller| caller.user);
        let caller = calls.or(self.caller.was_called);
        if but != Some(self.caller.leg) && caller == Some(user) {
            return true;
        }
        let connected = self.connected();
        connected.is_some_and(|(leg, called)| but != Some(leg) && called == Some(user))
    }

    /// Whether a call rings for that very user.
    pub(crate) fn rings_for_user(&self, user: UserIndex) -> bool {
        self.own_attempt(user).is_some()
    }

    /// The taker answers a call that rings for somebody, whose part ends once the object has
    /// connected the taker.
    pub(crate) fn take_ringing(
        &mut self,
        id: AttemptId,
        Taker { user, leg }: Taker,
        turn: &mut Turn<'_>,
    ) -> Option<Moment> {
        let id = match self.own_attempt(user) {
            Some(own) => own,
            None => self.pass_on(id, user, turn)?,
        };
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.id == id)?;
        attempt.state = State::Answered(leg);
        attempt.rung.clear();
        let losers = std::mem::replace(&mut attempt.legs, vec![leg]);
        self.enter_taker(leg, turn);
        for loser in losers {
            hang_up(loser, HangupCause::AnsweredElsewhere, turn);
            self.early_media_over(loser);
        }
        Some(Moment::Answered { attempt: id })
    }

    /// The taker as somebody who takes the place of who talks.
    pub(crate) fn taker_comes(&self, Taker { user, leg }: Taker, turn: &mut Turn<'_>) -> Guest {
        self.enter_taker(leg, turn);
        Guest::user(leg, user)
    }

    fn can_be_taken(&self) -> bool {
        match self.caller.hears {
            Hears::Absent | Hears::Gone => false,
            Hears::Nothing | Hears::Ringing | Hears::EarlyMedia(_) | Hears::Answered => {
                !self.is_connected()
            }
        }
    }

    fn own_attempt(&self, user: UserIndex) -> Option<AttemptId> {
        let is_own = |one: &&Attempt| one.goal == Goal::User(user) && one.state == State::Trying;
        self.attempts.iter().find(is_own).map(|own| own.id)
    }

    /// The attempt is the taker's from now on. What it was before is another one, which loses.
    fn pass_on(
        &mut self,
        id: AttemptId,
        user: UserIndex,
        turn: &mut Turn<'_>,
    ) -> Option<AttemptId> {
        let who = self.plan.user(user)?.who.clone();
        let loser = AttemptId(self.last_attempt.0.wrapping_add(1));
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.id == id)?;
        let via = attempt.via.clone();
        let taken = Attempt {
            id,
            goal: Goal::User(user),
            via: via.clone(),
            since: turn.now,
            legs: Vec::new(),
            rung: Vec::new(),
            state: State::Trying,
            failure: None,
        };
        let before = std::mem::replace(attempt, taken);
        self.attempts.push(Attempt {
            id: loser,
            ..before
        });
        self.last_attempt = loser;
        turn.floor.users().add(&who.number);
        let ringing = Fact::UserRinging {
            user: who,
            queue: via.queue,
            ring_group: via.ring_group,
        };
        self.emit(ringing, turn);
        Some(id)
    }

    fn enter_taker(&self, leg: LegId, turn: &mut Turn<'_>) {
        turn.legs.insert(leg, self.id);
        turn.push(Effect::PickUp { call: self.id, leg });
    }
}

impl Attempt {
    /// Whether it rings phones of a user.
    pub(super) fn is_for_a_user(&self) -> bool {
        matches!(self.goal, Goal::User(_)) && self.state == State::Trying
    }
}
