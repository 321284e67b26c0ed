//! Queues as they are seen from outside at one instant.

use std::sync::Arc;

use clock::Time;

use super::Floor;
use super::agents::Presence;
use crate::event::UserRef;
use crate::ids::CallId;

/// Callers of one queue that are shown; all are counted.
pub(crate) const MAX_CALLERS_SHOWN: usize = 1_000;

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: Arc<str>,
    /// Callers in line, those too for whom somebody rings.
    pub waiting: usize,
    /// Since when the one waits who has waited longest.
    pub waiting_since: Option<Time>,
    /// Who waits, in the order of their places.
    pub callers: Vec<CallerView>,
    /// Its agents, in their order.
    pub agents: Vec<AgentView>,
}

/// A caller in line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerView {
    /// The call.
    pub call: CallId,
    /// Who calls, as in rows.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What was dialled, as in rows.
    pub dest_number: String,
    /// Since when.
    pub since: Time,
}

/// An agent of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// Who it is.
    pub who: UserRef,
    /// Whether the agent takes calls from queues.
    pub presence: Presence,
    /// What the agent is about.
    pub state: AgentState,
    /// Since when the agent has had no call from a queue; `None`: never had one since the server
    /// started.
    pub idle_since: Option<Time>,
    /// Calls taken from queues since the server started.
    pub calls: u32,
}

/// What an agent is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// Nothing: whoever is logged in would take a call.
    Idle,
    /// Takes part in a call, from a queue or not, ringing or not.
    Busy,
    /// Is not to be disturbed, by any call.
    DoNotDisturb,
    /// Has just talked, or not answered, and is left alone for a while.
    Resting,
}

impl Floor {
    /// Who waits in that queue, in the order of their places.
    pub(crate) fn waiting(&self, queue: &str) -> impl Iterator<Item = (CallId, Time)> {
        self.lines.waiting(queue).take(MAX_CALLERS_SHOWN)
    }

    /// Since when the one waits who has waited longest.
    pub(crate) fn waiting_since(&self, queue: &str) -> Option<Time> {
        self.lines.waiting_since(queue)
    }

    /// How that agent is now.
    pub(crate) fn agent(&self, who: &UserRef, now: Time) -> AgentView {
        let number = &*who.number;
        AgentView {
            who: who.clone(),
            presence: self.agents.presence(number),
            state: self.state_of(number, now),
            idle_since: self.agents.idle_since(number),
            calls: self.agents.calls(number),
        }
    }

    fn state_of(&self, agent: &str, now: Time) -> AgentState {
        if !self.users.is_idle(agent) {
            AgentState::Busy
        } else if self.standings.is_undisturbed(agent) {
            AgentState::DoNotDisturb
        } else if self.agents.rests_at(agent, now) {
            AgentState::Resting
        } else {
            AgentState::Idle
        }
    }
}
