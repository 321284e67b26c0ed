//! How an account looks from outside: its calls, its queues, its mailboxes.

use std::sync::Arc;

use clock::Time;

use super::{Account, Entry};
use crate::call::Call;
use crate::event::Direction;
use crate::floor::{CallerView, Presence, QueueView, RoomView};
use crate::ids::{CallId, LegId};
use crate::mailbox::MailboxCounts;
use crate::objects::Queue;
#[cfg(any(test, feature = "testing"))]
use crate::watch::Line;
/// A call as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// Which call.
    pub call: CallId,
    /// When it arrived.
    pub started_at: Time,
    /// Where it comes from and goes to.
    pub direction: Direction,
    /// Who calls, as in rows.
    pub caller_id: Option<String>,
    /// What was dialled, as in rows.
    pub dest_number: String,
    /// Whether somebody answered.
    pub stage: Stage,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has answered.
    Ringing,
    /// Somebody has.
    Talking,
}

impl Account {
    /// The calls in progress, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = CallView> + '_ {
        self.calls.values().map(|Entry { call, .. }| CallView {
            call: call.core.id,
            started_at: call.core.started_at,
            direction: call.core.direction,
            caller_id: call.core.caller.identity.digits(),
            dest_number: call.core.destination.digits(),
            stage: if call.is_answered() {
                Stage::Talking
            } else {
                Stage::Ringing
            },
        })
    }

    /// The queues of the plan in force, as they are now.
    pub fn queues(&self, now: Time) -> impl Iterator<Item = QueueView> + '_ {
        self.plan.queues().map(move |queue| self.queue(queue, now))
    }

    fn queue(&self, queue: &Queue, now: Time) -> QueueView {
        let name = queue.name();
        let agents = queue.agents().map(|who| self.floor.agent(who, now));
        let callers = self.floor.waiting(name).filter_map(|(call, since)| {
            let core = &self.call(call)?.core;
            Some(CallerView {
                call,
                caller_id: core.shown_identity().digits(),
                caller_name: core.caller.name.clone(),
                dest_number: core.destination.digits(),
                since,
            })
        });
        QueueView {
            name: Arc::clone(name),
            waiting: self.floor.line_length(name),
            waiting_since: self.floor.waiting_since(name),
            callers: callers.collect(),
            agents: agents.collect(),
        }
    }

    /// Whether the user with that internal number takes calls from queues.
    pub fn presence(&self, user: &str) -> Presence {
        self.floor.presence(user)
    }

    /// How many messages the mailbox of the user with that internal number holds.
    pub fn mailbox(&self, user: &str) -> MailboxCounts {
        self.floor.mailbox(user)
    }

    /// The calls that are parked, by slot, and the legs that wait.
    pub fn parked(&self) -> impl Iterator<Item = (&Arc<str>, CallId, LegId)> {
        self.floor.parked().filter_map(|(slot, call)| {
            let entry = self.calls.get(&call)?;
            Some((slot, call, entry.call.core.caller.leg))
        })
    }

    /// The conference rooms that somebody is in.
    pub fn rooms(&self) -> impl Iterator<Item = RoomView> + '_ {
        self.floor.room_views()
    }

    /// How a name is, and how many parts in calls the floor counts for it: for tests.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn lines_of(&self, name: &str) -> (Vec<Line>, usize) {
        let calls = self.calls.values();
        let lines = calls.flat_map(|Entry { call, .. }| call.core.lines());
        let lines = lines.filter(|(of, _)| **of == *name).map(|(_, line)| line);
        (lines.collect(), self.floor.parts_of(name))
    }

    /// How many calls are in progress.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// How many legs are open.
    pub fn leg_count(&self) -> usize {
        self.legs.len()
    }

    /// Whether nothing at all is held: no call, leg, timer or shared state.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.legs.is_empty()
            && self.deadlines.is_empty()
            && self.floor.is_idle()
    }

    /// A call in progress.
    pub(crate) fn call(&self, id: CallId) -> Option<&Call> {
        self.calls.get(&id).map(|entry| &*entry.call)
    }

    /// The call of a leg.
    pub(crate) fn call_of(&self, leg: LegId) -> Option<&Call> {
        self.call(*self.legs.get(&leg)?)
    }

    /// Every call in progress.
    pub(crate) fn all_calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().map(|entry| &*entry.call)
    }
}
