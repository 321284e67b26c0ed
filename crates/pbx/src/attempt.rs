//! An attempt to reach one party: all devices of a user together, or a number behind the trunks
//! in their order. The first device to answer wins. A user's attempt is told as one
//! `UserRinging`, at most one `UserAnswered` and exactly one `UserEnded`.

mod asked;
mod connected;
mod forwarded;
mod guest;
mod lines;
mod taken;

use std::sync::Arc;

use clock::Time;

pub(crate) use guest::{Guest, Story};
pub(crate) use taken::{Place, Taker};

use crate::core::{Core, Destination, Hears, Playing};
use crate::cx::Moment;
use crate::effect::{CallerId, Effect, Target};
use crate::event::{Fact, HangupCause};
use crate::ids::LegId;
use crate::input::Failure;
use crate::number::E164;
use crate::plan::{NumberFormat, Plan, User, UserIndex};
use crate::sound::PlayId;
use crate::turn::Turn;

/// Legs one call may have open at once, the caller's own not counted.
pub(crate) const MAX_LEGS_PER_CALL: usize = 64;

/// Number of an attempt within its call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttemptId(u32);

/// Whom to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// A user of the account.
    User {
        /// Who.
        user: UserIndex,
        /// What it rings for.
        via: Via,
    },
    /// A user whose calls go to a number outside, as if that were a phone of the user.
    Forwarded {
        /// Who.
        user: UserIndex,
        /// Where.
        number: E164,
    },
    /// A user whose calls go elsewhere at once. Fails at once, and is told like any attempt.
    PassedOver(UserIndex),
    /// A number behind the trunks.
    Outside {
        /// What is dialled.
        number: Destination,
        /// The number presented.
        present: Option<E164>,
        /// Whether an answer takes the call.
        accept: Accept,
    },
}

/// What takes a call to the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    /// The answer.
    AtOnce,
    /// A key that who answered is asked for: a voice mailbox cannot take the call.
    ByKey,
}

/// The object a user rings for, when it is one with a summary of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Via {
    pub(crate) queue: Option<Arc<str>>,
    pub(crate) ring_group: Option<Arc<str>>,
}

/// One attempt in progress.
#[derive(Debug)]
pub(crate) struct Attempt {
    id: AttemptId,
    goal: Goal,
    /// What a user rings for.
    via: Via,
    /// Since when.
    since: Time,
    legs: Vec<LegId>,
    /// Those of them that have said that they ring.
    rung: Vec<LegId>,
    state: State,
    /// Of the legs that failed so far, the failure that says most about the party.
    failure: Option<Failure>,
}

/// What an attempt is after, and what it holds on the floor meanwhile.
#[derive(Debug, PartialEq, Eq)]
enum Goal {
    User(UserIndex),
    /// Who calls, by their own phones.
    Caller,
    Outside {
        number: Destination,
        present: Option<E164>,
        accept: Accept,
        /// Position of the trunk to be tried next.
        next_trunk: usize,
        /// The trunk in use.
        trunk: Option<Arc<str>>,
        /// The user whose calls go there.
        for_user: Option<UserIndex>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    /// Who answered is asked whether to take the call, and hears this.
    Asked(LegId, Option<PlayId>),
    Answered(LegId),
    Connected(LegId),
}

impl Attempt {
    fn answered_by(&self) -> Option<LegId> {
        match self.state {
            State::Trying | State::Asked(..) => None,
            State::Answered(leg) | State::Connected(leg) => Some(leg),
        }
    }
}

impl Goal {
    /// The user whose attempt it is.
    fn user(&self) -> Option<UserIndex> {
        match self {
            Self::User(user) => Some(*user),
            Self::Outside { for_user, .. } => *for_user,
            Self::Caller => None,
        }
    }

    fn is_accepted_by_key(&self) -> bool {
        match self {
            Self::User(_) | Self::Caller => false,
            Self::Outside { accept, .. } => *accept == Accept::ByKey,
        }
    }
}

impl Failure {
    /// Whether another trunk may do better: this one did not get to the called party.
    fn is_the_trunks_own(self) -> bool {
        match self {
            Self::Unavailable | Self::Timeout | Self::Unreachable => true,
            Self::Busy
            | Self::Declined
            | Self::NoAnswer
            | Self::NotFound
            | Self::Incompatible
            | Self::Rejected => false,
        }
    }
}

/// What an object does with attempts.
impl Core {
    /// Starts to reach `party`, or says why that is hopeless from the start.
    pub(crate) fn ring(&mut self, party: Party, turn: &mut Turn<'_>) -> Result<AttemptId, Failure> {
        match party {
            Party::User { user, via } => self.ring_user(user, via, turn),
            Party::Forwarded { user, number } => self.ring_forwarded(user, number, turn),
            Party::PassedOver(user) => Err(self.pass_over(user, turn)),
            Party::Outside {
                number,
                present,
                accept,
            } => {
                let goal = Goal::Outside {
                    number,
                    present,
                    accept,
                    next_trunk: 0,
                    trunk: None,
                    for_user: None,
                };
                self.ring_outside(goal, turn)
            }
        }
    }

    fn ring_user(
        &mut self,
        index: UserIndex,
        via: Via,
        turn: &mut Turn<'_>,
    ) -> Result<AttemptId, Failure> {
        let plan = Arc::clone(&self.plan);
        let user = plan.user(index).ok_or(Failure::NotFound)?;
        // Who calls with a story of being called cannot be called too.
        if self.caller.was_called == Some(index) {
            return Err(Failure::Busy);
        }
        let Via { queue, ring_group } = via.clone();
        self.emit(
            Fact::UserRinging {
                user: user.who.clone(),
                queue,
                ring_group,
            },
            turn,
        );
        let room = self.room_for_legs();
        let is_undisturbed = turn.floor.standings().is_undisturbed(&user.who.number);
        let mut is_full = |limit| turn.floor.users().is_full(&user.who.number, limit);
        let hopeless = if is_undisturbed || is_full(plan.limits.calls_per_user) {
            Some(Failure::Busy)
        } else if user.devices.is_empty() || room == 0 {
            Some(Failure::Unreachable)
        } else {
            None
        };
        if let Some(failure) = hopeless {
            self.emit(
                Fact::UserEnded {
                    user: user.who.clone(),
                },
                turn,
            );
            return Err(failure);
        }
        turn.floor.users().add(&user.who.number);
        let legs = self.dial_devices(user, &self.caller_id(), turn);
        let id = self.add_attempt(Goal::User(index), legs, turn.now);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.via = via;
        }
        Ok(id)
    }

    /// Rings the phones of the user who is to be the caller, who is no called user by that.
    pub(crate) fn ring_own_phones(
        &mut self,
        user: &User,
        shown: &CallerId,
        turn: &mut Turn<'_>,
    ) -> Result<AttemptId, Failure> {
        let legs = self.dial_devices(user, shown, turn);
        if legs.is_empty() {
            return Err(Failure::Unreachable);
        }
        Ok(self.add_attempt(Goal::Caller, legs, turn.now))
    }

    /// The leg that answered an attempt, which is over without an end of the leg.
    pub(crate) fn take_answered(&mut self, id: AttemptId) -> Option<LegId> {
        let index = self.attempts.iter().position(|attempt| attempt.id == id)?;
        let leg = self.attempts.get(index)?.answered_by()?;
        self.attempts.remove(index);
        Some(leg)
    }

    fn ring_outside(&mut self, mut goal: Goal, turn: &mut Turn<'_>) -> Result<AttemptId, Failure> {
        if let Goal::Outside { number, .. } = &goal
            && !self.plan.dialling.allows(number)
        {
            return Err(Failure::Rejected);
        }
        if self.room_for_legs() == 0 {
            return Err(Failure::Unavailable);
        }
        let leg = self
            .dial_next_trunk(&mut goal, turn)
            .ok_or(Failure::Unavailable)?;
        Ok(self.add_attempt(goal, vec![leg], turn.now))
    }

    /// Connects the caller with the device that answered. Every other attempt is over.
    pub(crate) fn connect(&mut self, id: AttemptId, turn: &mut Turn<'_>) {
        let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.id == id) else {
            return;
        };
        let State::Answered(leg) = attempt.state else {
            return;
        };
        attempt.state = State::Connected(leg);
        let user = attempt.goal.user().and_then(|user| self.plan.user(user));
        let user = user.map(|user| user.who.clone());
        self.record_as_users_want(user.as_ref());
        self.connect_caller(leg, turn);
        if let Some(user) = user {
            self.emit(Fact::UserAnswered { user }, turn);
        }
        self.tell_answered(turn);
        while let Some(index) = self.attempts.iter().position(|other| other.id != id) {
            let loser = self.attempts.remove(index);
            self.end_attempt(loser, HangupCause::AnsweredElsewhere, turn);
        }
    }

    /// Gives one attempt up.
    pub(crate) fn stop(&mut self, id: AttemptId, cause: HangupCause, turn: &mut Turn<'_>) {
        if let Some(index) = self.attempts.iter().position(|attempt| attempt.id == id) {
            let attempt = self.attempts.remove(index);
            self.end_attempt(attempt, cause, turn);
        }
    }

    /// Gives every attempt up, the connected one first: its story ends before the others'.
    pub(crate) fn stop_all(&mut self, cause: HangupCause, turn: &mut Turn<'_>) {
        let mut attempts = std::mem::take(&mut self.attempts);
        attempts.sort_by_key(|attempt| !matches!(attempt.state, State::Connected(_)));
        for attempt in attempts {
            self.end_attempt(attempt, cause, turn);
        }
    }
}

/// What legs report.
impl Core {
    /// A leg rings.
    pub(crate) fn leg_rings(&mut self, leg: LegId, turn: &mut Turn<'_>) {
        if self.note_rings(leg) {
            self.ring_caller(turn);
        }
    }

    /// A leg sends audio before its answer.
    pub(crate) fn leg_progresses(&mut self, leg: LegId, turn: &mut Turn<'_>) {
        if self.note_rings(leg) {
            self.early_media(leg, turn);
        }
    }

    /// A leg answered: the first of its attempt wins, a later one is hung up.
    pub(crate) fn leg_answered(&mut self, leg: LegId, turn: &mut Turn<'_>) -> Option<Moment> {
        let mut attempts = self.attempts.iter();
        let index = attempts.position(|attempt| attempt.legs.contains(&leg))?;
        let attempt = self.attempts.get_mut(index)?;
        if attempt.state != State::Trying {
            return None;
        }
        attempt.state = State::Answered(leg);
        let id = attempt.id;
        let is_asked = attempt.goal.is_accepted_by_key();
        let losers = std::mem::replace(&mut attempt.legs, vec![leg]);
        for loser in losers.into_iter().filter(|loser| *loser != leg) {
            hang_up(loser, HangupCause::AnsweredElsewhere, turn);
        }
        if is_asked {
            self.ask_for_key(index, leg, turn);
            return None;
        }
        Some(Moment::Answered { attempt: id })
    }

    /// A leg is gone without an answer.
    pub(crate) fn leg_failed(
        &mut self,
        leg: LegId,
        failure: Failure,
        turn: &mut Turn<'_>,
    ) -> Option<Moment> {
        if let Some(index) = self.asked(leg) {
            return Some(self.asked_gone(index, leg, turn));
        }
        let index = self
            .attempts
            .iter()
            .position(|attempt| attempt.legs.contains(&leg))?;
        if self.attempts.get(index)?.answered_by() == Some(leg) {
            return self.leg_hung_up(leg, HangupCause::ConnectionLost, turn);
        }
        let mut attempt = self.attempts.remove(index);
        let was_heard = self.caller.playing == Some(Playing::EarlyMedia(leg));
        self.drop_leg(&mut attempt, leg, turn);
        let failure = attempt.failure.map_or(failure, |worse| worse.min(failure));
        attempt.failure = Some(failure);
        if failure.is_the_trunks_own() {
            attempt
                .legs
                .extend(self.dial_next_trunk(&mut attempt.goal, turn));
        }
        if !attempt.legs.is_empty() {
            self.attempts.insert(index, attempt);
            // The others go on ringing, which who was picked up cannot tell from silence.
            if was_heard {
                self.ring_caller(turn);
            }
            return None;
        }
        let attempt_id = attempt.id;
        self.end_attempt(attempt, HangupCause::Normal, turn);
        Some(Moment::Failed {
            attempt: attempt_id,
            failure,
        })
    }

    /// The far side of a leg hung up, or the leg was lost.
    pub(crate) fn leg_hung_up(
        &mut self,
        leg: LegId,
        cause: HangupCause,
        turn: &mut Turn<'_>,
    ) -> Option<Moment> {
        let index = self
            .attempts
            .iter()
            .position(|attempt| attempt.legs.contains(&leg))?;
        if self.attempts.get(index)?.answered_by() != Some(leg) {
            return self.leg_failed(leg, Failure::Unreachable, turn);
        }
        let mut attempt = self.attempts.remove(index);
        let id = attempt.id;
        self.drop_leg(&mut attempt, leg, turn);
        self.end_attempt(attempt, cause, turn);
        Some(Moment::Left { attempt: id, cause })
    }

    /// Whether an outgoing leg is still the call's.
    pub(crate) fn is_open(&self, leg: LegId) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt.legs.contains(&leg))
    }

    /// Notes that a leg rings. `false`: nobody waits for it to answer any more.
    fn note_rings(&mut self, leg: LegId) -> bool {
        let mut attempts = self.attempts.iter_mut();
        let attempt =
            attempts.find(|attempt| attempt.state == State::Trying && attempt.legs.contains(&leg));
        let Some(attempt) = attempt else {
            return false;
        };
        if !attempt.rung.contains(&leg) {
            attempt.rung.push(leg);
        }
        true
    }
}

/// How it is done.
impl Core {
    fn room_for_legs(&self) -> usize {
        let open = self.attempts.iter().map(|attempt| attempt.legs.len()).sum();
        MAX_LEGS_PER_CALL.saturating_sub(open)
    }

    fn add_attempt(&mut self, goal: Goal, legs: Vec<LegId>, now: Time) -> AttemptId {
        self.last_attempt = AttemptId(self.last_attempt.0.wrapping_add(1));
        let id = self.last_attempt;
        self.attempts.push(Attempt {
            id,
            goal,
            via: Via::default(),
            since: now,
            legs,
            rung: Vec::new(),
            state: State::Trying,
            failure: None,
        });
        id
    }

    fn dial_devices(&self, user: &User, shown: &CallerId, turn: &mut Turn<'_>) -> Vec<LegId> {
        let devices = user.devices.iter().take(self.room_for_legs());
        let targets = devices.map(|device| Target::Device {
            username: Arc::clone(&device.username),
        });
        targets
            .map(|target| self.dial(target, shown.clone(), turn))
            .collect()
    }

    fn dial(&self, target: Target, caller: CallerId, turn: &mut Turn<'_>) -> LegId {
        let leg = turn.open_leg(self.id);
        turn.push(Effect::Dial {
            call: self.id,
            leg,
            for_leg: (self.caller.hears != Hears::Absent).then_some(self.caller.leg),
            target,
            caller,
        });
        leg
    }

    /// Dials the next trunk that has room, if there is one and the goal is outside.
    fn dial_next_trunk(&self, goal: &mut Goal, turn: &mut Turn<'_>) -> Option<LegId> {
        let Goal::Outside {
            number,
            present,
            next_trunk,
            trunk,
            accept: _,
            for_user: _,
        } = goal
        else {
            return None;
        };
        loop {
            let candidate = self.plan.trunks.get(*next_trunk)?;
            *next_trunk += 1;
            let trunks = turn.floor.trunks();
            if trunks.is_full(&candidate.name, candidate.calls) && !number.is_call_for_help() {
                continue;
            }
            turn.floor.trunks().add(&candidate.name);
            *trunk = Some(Arc::clone(&candidate.name));
            let target = Target::Trunk {
                name: Arc::clone(&candidate.name),
                number: written(number, candidate.number_format, &self.plan),
            };
            let present = self.presentable_by(candidate, *present);
            let number =
                present.map(|number| self.plan.numbering.format(number, candidate.number_format));
            // The user's name stays inside the account: carriers look the name up themselves.
            return Some(self.dial(target, CallerId { number, name: None }, turn));
        }
    }

    /// The leg is gone from its attempt, and what it held is free.
    fn drop_leg(&mut self, attempt: &mut Attempt, leg: LegId, turn: &mut Turn<'_>) {
        turn.forget_leg(leg);
        attempt.legs.retain(|other| *other != leg);
        attempt.rung.retain(|other| *other != leg);
        self.early_media_over(leg);
        if let Goal::Outside { trunk, .. } = &mut attempt.goal
            && let Some(trunk) = trunk.take()
        {
            turn.floor.trunks().remove(&trunk);
        }
    }

    fn end_attempt(&mut self, mut attempt: Attempt, cause: HangupCause, turn: &mut Turn<'_>) {
        attempt.stop_asking(turn);
        for leg in std::mem::take(&mut attempt.legs) {
            turn.push(Effect::HangUp { leg, cause });
            self.drop_leg(&mut attempt, leg, turn);
        }
        if let Some(user) = attempt.goal.user() {
            self.tell_user_ended(user, turn);
        }
    }
}

fn hang_up(leg: LegId, cause: HangupCause, turn: &mut Turn<'_>) {
    turn.push(Effect::HangUp { leg, cause });
    turn.forget_leg(leg);
}

fn written(number: &Destination, format: NumberFormat, plan: &Plan) -> String {
    match number {
        Destination::Number(number) => plan.numbering.format(*number, format),
        Destination::Plain(text) => text.clone(),
    }
}
