//! Queues as they are seen from outside at one instant.

use std::sync::Arc;

use clock::Time;

use super::Floor;
use super::agents::Presence;
use super::lines::Roster;

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: Arc<str>,
    /// Callers in line, those too for whom somebody rings.
    pub waiting: usize,
    /// Since when the one waits who has waited longest.
    pub waiting_since: Option<Time>,
    /// Its agents, in their order.
    pub agents: Vec<AgentView>,
}

/// An agent of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// The internal number.
    pub number: Arc<str>,
    /// What the agent is about.
    pub state: AgentState,
}

/// What an agent is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// Would take a call.
    Free,
    /// Takes part in a call, from a queue or not, ringing or not.
    Busy,
    /// Has just talked, or not answered, and is left alone for a while.
    Resting,
    /// Is not to be disturbed, by any call.
    DoNotDisturb,
    /// Is away for a while.
    Paused,
    /// Is logged out.
    Out,
}

impl Floor {
    /// How that queue is now.
    pub(crate) fn view(&self, name: &Arc<str>, roster: &Roster, now: Time) -> QueueView {
        let agents = roster.agents.iter().map(|number| AgentView {
            number: Arc::clone(number),
            state: self.state_of(number, now),
        });
        QueueView {
            name: Arc::clone(name),
            waiting: self.lines.length(name),
            waiting_since: self.lines.waiting_since(name),
            agents: agents.collect(),
        }
    }

    fn state_of(&self, agent: &str, now: Time) -> AgentState {
        match self.agents.presence(agent) {
            Presence::Out => AgentState::Out,
            Presence::Paused => AgentState::Paused,
            Presence::In if !self.users.is_idle(agent) => AgentState::Busy,
            Presence::In if self.standings.is_undisturbed(agent) => AgentState::DoNotDisturb,
            Presence::In if self.agents.rests_at(agent, now) => AgentState::Resting,
            Presence::In => AgentState::Free,
        }
    }
}
