//! Rings a user, or whomever the user's calls are forwarded to, and whomever that one's are. Each of
//! them is tried once, so that a circle ends.

use std::time::Duration;

use super::user::exit_for;
use crate::attempt::{AttemptId, Party, Via};
use crate::cx::{Cx, Forward, Moment, Step};
use crate::event::HangupCause;
use crate::input::Failure;
use crate::plan::UserIndex;
use crate::standing::When;

/// How often one call is forwarded.
const MAX_FORWARDS: usize = 5;

/// What a call does in an object that rings a user.
#[derive(Debug, Default)]
pub(crate) enum Forwarding {
    /// It has not come yet.
    #[default]
    Outside,
    /// Somebody is rung.
    Ringing(Round),
    /// Somebody talks with the caller.
    Talking,
}

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Round {
    attempt: AttemptId,
    rung: Rung,
    tried: Tried,
}

/// Which of a user's phones ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    /// All devices.
    Devices,
    /// The number that calls are forwarded to.
    Number,
}

/// Who has been tried, in order, the last one now; and why the first who was rung did not answer.
#[derive(Debug, Default)]
struct Tried {
    users: Vec<(UserIndex, Duration)>,
    failure: Option<Failure>,
}

impl Forwarding {
    /// Takes a moment in. The user of the object rings first, for so long.
    pub(super) fn handle(
        &mut self,
        first: (UserIndex, Duration),
        moment: Moment,
        cx: &mut Cx<'_, '_>,
    ) -> Step {
        match (&mut *self, moment) {
            (Self::Outside, Moment::Entered) => self.reach(first, Tried::default(), cx),
            (Self::Ringing(round), Moment::Woken) => {
                cx.stop(round.attempt, HangupCause::NoAnswer);
                let (rung, tried) = (round.rung, std::mem::take(&mut round.tried));
                self.failed(Failure::NoAnswer, rung, tried, cx)
            }
            (Self::Ringing(round), Moment::Failed { failure, .. }) => {
                let (rung, tried) = (round.rung, std::mem::take(&mut round.tried));
                self.failed(failure, rung, tried, cx)
            }
            (Self::Ringing(_), Moment::Answered { attempt }) => {
                cx.let_sleep();
                cx.connect(attempt);
                *self = Self::Talking;
                Step::Stay
            }
            (_, Moment::Left { cause, .. }) => Step::HangUp(cause),
            (
                Self::Outside | Self::Ringing(_) | Self::Talking,
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Step::Stay,
        }
    }

    /// Rings a user who has not been tried, unless all calls of this one go elsewhere.
    fn reach(
        &mut self,
        next: (UserIndex, Duration),
        mut tried: Tried,
        cx: &mut Cx<'_, '_>,
    ) -> Step {
        let (user, _) = next;
        tried.users.push(next);
        match cx.forward(user, When::Always) {
            None => {
                let via = Via::default();
                self.ring((Party::User { user, via }, Rung::Devices), tried, cx)
            }
            Some(Forward::Number(number)) => {
                let party = Party::Forwarded { user, number };
                self.ring((party, Rung::Number), tried, cx)
            }
            Some(to @ (Forward::User(_) | Forward::Voicemail)) => {
                // Fails always: it is told that the user was called.
                match cx.ring(Party::PassedOver(user)) {
                    Ok(_) | Err(_) => self.follow(to, tried, cx),
                }
            }
        }
    }

    fn ring(&mut self, (party, rung): (Party, Rung), tried: Tried, cx: &mut Cx<'_, '_>) -> Step {
        match cx.ring(party) {
            Err(failure) => self.failed(failure, rung, tried, cx),
            Ok(attempt) => {
                if let Some((_, ring_time)) = tried.users.last() {
                    cx.wake_in(*ring_time);
                }
                *self = Self::Ringing(Round {
                    attempt,
                    rung,
                    tried,
                });
                Step::Stay
            }
        }
    }

    /// Nobody took the call there. A number outside is the end of the way.
    fn failed(
        &mut self,
        failure: Failure,
        rung: Rung,
        mut tried: Tried,
        cx: &mut Cx<'_, '_>,
    ) -> Step {
        tried.failure.get_or_insert(failure);
        let user = tried.users.last().map(|(user, _)| *user);
        let forward = user.and_then(|user| cx.forward(user, case_of(failure)));
        match (rung, forward) {
            (Rung::Number, _) | (Rung::Devices, None) => tried.exit(),
            (Rung::Devices, Some(to)) => self.follow(to, tried, cx),
        }
    }

    fn follow(&mut self, to: Forward, tried: Tried, cx: &mut Cx<'_, '_>) -> Step {
        let Some((user, _)) = tried.users.last().copied() else {
            return tried.exit();
        };
        match to {
            Forward::Voicemail => Step::Mailbox(user),
            Forward::Number(number) => {
                let party = Party::Forwarded { user, number };
                self.ring((party, Rung::Number), tried, cx)
            }
            Forward::User(other) => match cx.ring_time_of(other) {
                Some(ring_time) if tried.may_try(other) => {
                    self.reach((other, ring_time), tried, cx)
                }
                Some(_) | None => tried.exit(),
            },
        }
    }
}

impl Tried {
    fn may_try(&self, other: UserIndex) -> bool {
        let is_new = self.users.iter().all(|(user, _)| *user != other);
        is_new && self.users.len() <= MAX_FORWARDS
    }

    /// The flow goes on as it would without forwards.
    fn exit(&self) -> Step {
        exit_for(self.failure.unwrap_or(Failure::Unreachable))
    }
}

/// Which calls of a user those are that end so.
fn case_of(failure: Failure) -> When {
    match failure {
        Failure::Busy | Failure::Declined => When::Busy,
        Failure::NoAnswer
        | Failure::NotFound
        | Failure::Incompatible
        | Failure::Rejected
        | Failure::Unavailable
        | Failure::Timeout
        | Failure::Unreachable => When::NoAnswer,
    }
}
