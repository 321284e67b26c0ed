//! The owner of one account's calls: finds the call an input is about, lets it take its step,
//! and keeps the indexes true.

mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clock::Time;

pub use self::view::{CallView, Stage};
use crate::arrival::{Admission, Arrival};
use crate::call::{Call, LegReport, Life};
use crate::effect::{Effect, Progress};
use crate::event::{Fact, HangupCause};
use crate::floor::{AgentChange, Fetched, Floor};
use crate::ids::{CallId, Ids, LegId};
use crate::input::{Input, TransferTo};
use crate::origination::{Origination, Unplaced};
use crate::pickup::TakesOver;
use crate::plan::{Plan, UserIndex};
use crate::recordings::Recorded;
use crate::standing::Standing;
use crate::turn::Turn;
use crate::watch::Watched;

/// Calls at once of one account without a limit of its own.
pub(crate) const MAX_CALLS_PER_ACCOUNT: usize = 100_000;

/// Calls that are told what others have changed for them after one input. Callers in lines are
/// offered an agent or leave, members of a room at most leave it, so that it ends by itself far below.
const MAX_WORDS_PER_INPUT: usize = 100_000;

/// One account: its current plan and its calls. Single-threaded, so nothing in it needs a lock.
#[derive(Debug)]
pub struct Account {
    plan: Arc<Plan>,
    calls: BTreeMap<CallId, Entry>,
    legs: BTreeMap<LegId, CallId>,
    deadlines: BTreeSet<(Time, CallId)>,
    floor: Floor,
    watched: Watched,
    /// What was decided so far in this step. A field, so that a step that panics leaves it for
    /// the next one, which is `Input::EndAll`.
    pub(crate) effects: Vec<Effect>,
}

/// A call and the deadline that is noted for it, which is not the call's own any more while it
/// takes a step.
#[derive(Debug)]
struct Entry {
    call: Box<Call>,
    noted: Time,
}

impl Account {
    /// An account without calls.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            floor: Floor::default(),
            watched: Watched::default(),
            effects: Vec::new(),
        }
    }

    /// The same account without its calls, which were lost by a fault.
    #[must_use]
    pub fn without_calls(&self) -> Self {
        Self {
            floor: self.floor.without_calls(),
            ..Self::new(Arc::clone(&self.plan))
        }
    }

    /// Takes a newer plan for calls to come; calls in progress keep theirs. What stands of those who
    /// are still there stays, what stood of others is told to stand no more.
    pub fn apply(&mut self, plan: Arc<Plan>, now: Time, ids: &mut Ids) -> Vec<Effect> {
        self.plan = plan;
        let plan = Arc::clone(&self.plan);
        let forgotten: Vec<Standing> = self
            .floor
            .all_standing()
            .filter(|standing| !plan.has_subject_of(standing))
            .collect();
        for standing in forgotten {
            self.tell_standing(standing.usual(), now, ids);
        }
        self.floor.keep(
            |number| plan.user_by_number(number).is_some(),
            |name| plan.queues().any(|queue| **queue.name() == *name),
        );
        std::mem::take(&mut self.effects)
    }

    /// What stood before the process began: nothing is told of it again.
    pub fn restore(&mut self, standings: &[Standing], now: Time) {
        let plan = Arc::clone(&self.plan);
        let known = standings.iter().filter(|one| plan.has_subject_of(one));
        for standing in known {
            self.floor.stand(standing, now);
        }
    }

    /// The plan in force.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Takes one input in and says what must be done.
    pub fn handle(&mut self, now: Time, input: Input, ids: &mut Ids) -> Vec<Effect> {
        match input {
            Input::Incoming {
                leg,
                origin,
                called,
                caller_number,
                caller_name,
            } => {
                let arrival = Arrival {
                    leg,
                    origin,
                    called,
                    caller_number,
                    caller_name,
                };
                self.incoming(arrival, now, ids);
            }
            Input::TakeOver { leg, username, of } if !self.legs.contains_key(&leg) => {
                let username = &*username;
                self.replace(of, TakesOver { leg, username }, now, ids);
            }
            // A leg we have is not new: the edge has said the same thing twice.
            Input::TakeOver { .. } => {}
            Input::Originate(asked) => self.originate(&asked, now, ids),
            Input::Ringing { leg } => self.leg(leg, LegReport::Ringing, now, ids),
            Input::Progress { leg } => self.leg(leg, LegReport::Progress, now, ids),
            Input::Answered { leg } => self.leg(leg, LegReport::Answered, now, ids),
            Input::Failed { leg, failure } => self.leg(leg, LegReport::Failed(failure), now, ids),
            Input::HungUp { leg, cause } => self.leg(leg, LegReport::HungUp(cause), now, ids),
            Input::Transfer { leg, to } => self.transfer(leg, to, now, ids),
            Input::Digit { leg, digit } => self.leg(leg, LegReport::Digit(digit), now, ids),
            Input::Played { leg, play } => self.leg(leg, LegReport::Played(play), now, ids),
            Input::Recorded {
                recording,
                seconds,
                end,
            } => {
                let recorded = Recorded {
                    recording,
                    seconds,
                    end,
                };
                self.step(recording.call(), now, ids, |call, turn| {
                    call.recorded(recorded, turn)
                });
            }
            Input::Agent { user, change } => self.agent(&user, change, now, ids),
            Input::Told {
                call,
                question,
                told,
            } => self.step(call, now, ids, |call, turn| call.told(question, told, turn)),
            Input::Mailbox { user, counts } => self.floor.set_mailbox(user, counts),
            Input::Watch { name } => self.watch(name),
            Input::Unwatch { name } => self.watched.end(&name),
            Input::Wake => self.wake(now, ids),
            Input::EndAll { cause } => self.end_all(cause, now, ids),
        }
        self.settle(now, ids);
        while let Some((name, lines)) = self.watched.next_change() {
            self.effects.push(Effect::Watched { name, lines });
        }
        std::mem::take(&mut self.effects)
    }

    /// When `Input::Wake` is due.
    pub fn deadline(&self) -> Option<Time> {
        let calls = self.deadlines.first().map(|(at, _)| *at);
        [calls, self.floor.deadline()].into_iter().flatten().min()
    }

    fn incoming(&mut self, arrival: Arrival, now: Time, ids: &mut Ids) {
        // A leg we have is not new: the edge has said the same thing twice.
        if self.legs.contains_key(&arrival.leg) {
            return;
        }
        let leg = arrival.leg;
        let plan = Arc::clone(&self.plan);
        if self.picked_up(&arrival, now, ids) {
            return;
        }
        let calls = self.calls.len();
        let mut turn = Turn {
            now,
            account: plan.account,
            ids,
            floor: &mut self.floor,
            legs: &mut self.legs,
            effects: &mut self.effects,
        };
        let Some(Admission { call, refusal }) = arrival.admit(&plan, calls, &mut turn) else {
            turn.push(Effect::HangUp {
                leg,
                cause: HangupCause::Forbidden,
            });
            return;
        };
        let id = self.take_in(call);
        self.step(id, now, ids, |call, turn| call.start(refusal, turn));
    }

    /// Begins a program's call, or says why not. Nothing is told of one that was not begun.
    fn originate(&mut self, asked: &Origination, now: Time, ids: &mut Ids) {
        let plan = Arc::clone(&self.plan);
        let calls = self.calls.len();
        let mut turn = Turn {
            now,
            account: plan.account,
            ids,
            floor: &mut self.floor,
            legs: &mut self.legs,
            effects: &mut self.effects,
        };
        let admitted = plan.placeable(asked).and_then(|placeable| {
            let admitted = placeable.admit(&plan, calls, &mut turn);
            admitted.ok_or(Unplaced::LimitReached)
        });
        let outcome = admitted.as_ref().map(|(call, _)| call.core.id);
        turn.push(Effect::Originated {
            outcome: outcome.map_err(|unplaced| *unplaced),
        });
        if let Ok((call, user)) = admitted {
            let id = self.take_in(call);
            self.step(id, now, ids, |call, turn| call.summon(user, turn));
        }
    }

    /// Hands a call on, or says why not.
    fn transfer(&mut self, leg: LegId, to: TransferTo, now: Time, ids: &mut Ids) {
        let call = self.legs.get(&leg).copied();
        match (call, to) {
            (Some(call), TransferTo::Number(number)) => {
                self.step(call, now, ids, |call, turn| {
                    call.transfer(leg, &number, turn)
                });
            }
            (Some(call), TransferTo::PeerOf(other)) if self.are_of_one_user(leg, other) => {
                self.bring_together((call, leg), other, now, ids);
            }
            (Some(call), TransferTo::PeerOf(other)) => self.put_into((call, leg), other, now, ids),
            (None, TransferTo::PeerOf(_) | TransferTo::Number(_)) => {
                let progress = Progress::Refused(HangupCause::Forbidden);
                self.effects.push(Effect::Referral { leg, progress });
            }
        }
    }

    /// Whom a user talks with goes where the user stands by another leg, alone: in a room or at the
    /// park code, for two. The call by which the user asked ends.
    fn put_into(&mut self, (call, leg): (CallId, LegId), other: LegId, now: Time, ids: &mut Ids) {
        let Some((second, number)) = self.asked_by_same_user(call, leg, other) else {
            let progress = Progress::Refused(HangupCause::Forbidden);
            self.effects.push(Effect::Referral { leg, progress });
            return;
        };
        let mut is_gone = false;
        self.step(call, now, ids, |call, turn| {
            let life = call.transfer(leg, &number, turn);
            is_gone = call.core.talking_user(leg).is_none();
            life
        });
        if !is_gone {
            return;
        }
        self.step(second, now, ids, |call, turn| {
            call.finish(HangupCause::Normal, turn)
        });
    }

    /// The other call of the user who talks by `leg`, and what it was made to.
    fn asked_by_same_user(
        &self,
        call: CallId,
        leg: LegId,
        other: LegId,
    ) -> Option<(CallId, String)> {
        let second = *self.legs.get(&other)?;
        let (one, two) = (&self.calls.get(&call)?.call, &self.calls.get(&second)?.call);
        let number = |call: &Call, user: UserIndex| {
            let user = call.core.plan.user(user)?;
            Some(Arc::clone(&user.who.number))
        };
        let (asking, dialled) = two.asked_by(other)?;
        let is_same = number(one, one.may_transfer(leg)?)? == number(two, asking)?;
        (is_same && call != second).then_some((second, dialled))
    }

    /// Whether one user talks by both legs, in two calls.
    fn are_of_one_user(&self, leg: LegId, other: LegId) -> bool {
        let user = |leg: LegId| {
            let call = self.legs.get(&leg)?;
            let user = self.calls.get(call)?.call.may_transfer(leg)?;
            Some((*call, user))
        };
        match (user(leg), user(other)) {
            (Some((call, user)), Some((other_call, other_user))) => {
                call != other_call && user == other_user
            }
            (Some(_) | None, _) => false,
        }
    }

    /// Whom a user talks with in two calls talk with one another, in the first of the two.
    fn bring_together(
        &mut self,
        (call, leg): (CallId, LegId),
        other: LegId,
        now: Time,
        ids: &mut Ids,
    ) {
        let Some(second) = self.legs.get(&other).copied() else {
            return;
        };
        let mut guest = None;
        self.step(second, now, ids, |call, turn| {
            guest = call.give_peer_of(other, turn);
            Life::Goes
        });
        self.step(call, now, ids, |call, turn| match guest {
            Some(guest) => call.take_over(leg, guest, turn),
            None => Life::Goes,
        });
        self.step(second, now, ids, |call, turn| {
            call.finish(HangupCause::Normal, turn)
        });
    }

    /// Whoever has come for a parked call talks with who waits there, in that call.
    fn fetch(&mut self, Fetched { parked, by }: Fetched, now: Time, ids: &mut Ids) {
        let plan = |call: CallId| {
            let entry = self.calls.get(&call)?;
            Some(Arc::clone(&entry.call.core.plan))
        };
        let (Some(to), Some(from)) = (plan(parked), plan(by)) else {
            return;
        };
        let mut guest = None;
        self.step(by, now, ids, |call, turn| {
            guest = call.give_caller(turn);
            Life::Goes
        });
        self.step(parked, now, ids, |call, turn| match guest {
            Some(guest) => call.is_fetched(guest.under(&from, &to), turn),
            None => Life::Goes,
        });
        self.step(by, now, ids, |call, turn| {
            call.finish(HangupCause::Normal, turn)
        });
    }

    fn take_in(&mut self, call: Call) -> CallId {
        let id = call.core.id;
        let noted = call.deadline();
        self.deadlines.insert((noted, id));
        let call = Box::new(call);
        self.calls.insert(id, Entry { call, noted });
        id
    }

    /// A leg nobody has any more is let go again if it answers; what else it says is noise.
    fn leg(&mut self, leg: LegId, report: LegReport, now: Time, ids: &mut Ids) {
        match (self.legs.get(&leg), report) {
            (Some(call), _) => {
                self.step(*call, now, ids, |call, turn| call.leg(leg, report, turn));
            }
            (None, LegReport::Answered) => {
                let cause = HangupCause::AnsweredElsewhere;
                self.effects.push(Effect::HangUp { leg, cause });
            }
            (
                None,
                LegReport::Ringing
                | LegReport::Progress
                | LegReport::Failed(_)
                | LegReport::HungUp(_)
                | LegReport::Digit(_)
                | LegReport::Played(_),
            ) => {}
        }
    }

    /// Wakes what is due. A call that is woken sets its next deadline after `now`, so that this
    /// ends; a call that wants to be woken at once is woken by the next `Input::Wake`.
    fn wake(&mut self, now: Time, ids: &mut Ids) {
        let due: Vec<CallId> = self
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, call)| *call)
            .collect();
        for call in due {
            self.step(call, now, ids, Call::wake);
        }
    }

    fn agent(&mut self, number: &str, change: AgentChange, now: Time, ids: &mut Ids) {
        if let Some((_, user)) = self.plan.user_by_number(number) {
            let user = Arc::clone(&user.who.number);
            let presence = self.floor.presence(&user).after(change);
            self.tell_standing(Standing::Agent { user, presence }, now, ids);
        }
    }

    /// Has something stand from now on that nobody has called for. It gets an id of its own.
    fn tell_standing(&mut self, standing: Standing, now: Time, ids: &mut Ids) {
        let id = ids.calls.next(now);
        let mut turn = Turn {
            now,
            account: self.plan.account,
            ids,
            floor: &mut self.floor,
            legs: &mut self.legs,
            effects: &mut self.effects,
        };
        turn.emit(id, Fact::Stands { standing });
    }

    /// Tells calls what others have changed for them: members of rooms who comes and goes, callers in
    /// lines whose turn it is, whatever the reason (an agent is free, rested or back, or another
    /// caller has gone).
    fn settle(&mut self, now: Time, ids: &mut Ids) {
        self.floor.wake(now);
        for _ in 0..MAX_WORDS_PER_INPUT {
            if let Some((call, news)) = self.floor.rooms().next_news() {
                self.step(call, now, ids, |call, turn| call.in_room(news, turn));
            } else if let Some(fetched) = self.floor.parks().next_fetched() {
                self.fetch(fetched, now, ids);
            } else if let Some((call, offer)) = self.floor.next_offer() {
                self.step(call, now, ids, |call, turn| call.in_line(offer, turn));
            } else {
                return;
            }
        }
    }

    /// Watches a name from now on, in the calls that are there and in those to come.
    fn watch(&mut self, name: Arc<str>) {
        self.watched.begin(name);
        for (id, Entry { call, .. }) in &self.calls {
            self.watched.look(*id, call.core.lines());
        }
    }

    fn end_all(&mut self, cause: HangupCause, now: Time, ids: &mut Ids) {
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for call in calls {
            self.step(call, now, ids, |call, turn| call.finish(cause, turn));
        }
    }

    /// What the calls share.
    pub(crate) fn floor_mut(&mut self) -> &mut Floor {
        &mut self.floor
    }

    /// Lets one call take one step, then puts its deadline right or takes it away.
    pub(crate) fn step(
        &mut self,
        id: CallId,
        now: Time,
        ids: &mut Ids,
        step: impl FnOnce(&mut Call, &mut Turn<'_>) -> Life,
    ) {
        let Some(entry) = self.calls.get_mut(&id) else {
            return;
        };
        let mut turn = Turn {
            now,
            account: self.plan.account,
            ids,
            floor: &mut self.floor,
            legs: &mut self.legs,
            effects: &mut self.effects,
        };
        let life = step(&mut entry.call, &mut turn);
        let deadline = entry.call.deadline();
        if !self.watched.is_empty() {
            let lines = match life {
                Life::Goes => entry.call.core.lines(),
                Life::Over => Vec::new(),
            };
            self.watched.look(id, lines);
        }
        match life {
            Life::Over => {
                self.deadlines.remove(&(entry.noted, id));
                self.calls.remove(&id);
            }
            Life::Goes if deadline != entry.noted => {
                self.deadlines.remove(&(entry.noted, id));
                self.deadlines.insert((deadline, id));
                entry.noted = deadline;
            }
            Life::Goes => {}
        }
    }
}

#[cfg(test)]
mod tests;
