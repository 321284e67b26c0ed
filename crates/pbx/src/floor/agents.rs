//! Agents of queues: who takes calls, who rests, and who has worked how much. Kept by internal
//! number, for all queues together, for as long as the account has the user.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use serde::{Deserialize, Serialize};

/// The shortest rest. Without one an agent who fails at once would be offered again at once.
const MIN_REST: Duration = Duration::from_secs(1);

/// Whether an agent takes calls from queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Logged in, as everybody is who has not said otherwise: a new server has agents.
    #[default]
    In,
    /// Logged in, but away for a while.
    Paused,
    /// Logged out.
    Out,
}

/// What an agent, or somebody for the agent, wants to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentChange {
    /// Take calls from now on.
    LogIn,
    /// Take no calls any more.
    LogOut,
    /// Take none for a while.
    Pause,
    /// The while is over.
    Resume,
}

impl Presence {
    /// What it becomes. Only who is logged in can pause or come back.
    #[must_use]
    pub fn after(self, change: AgentChange) -> Self {
        match (self, change) {
            (_, AgentChange::LogOut) | (Self::Out, AgentChange::Pause | AgentChange::Resume) => {
                Self::Out
            }
            (Self::In | Self::Paused, AgentChange::Pause) => Self::Paused,
            (_, AgentChange::LogIn) | (Self::In | Self::Paused, AgentChange::Resume) => Self::In,
        }
    }
}

/// Agents who differ from one of whom nothing is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agents {
    known: BTreeMap<Arc<str>, Agent>,
    /// When rests end.
    rests: BTreeSet<(Time, Arc<str>)>,
}

/// What is known of an agent.
#[derive(Clone, Copy, Debug, Default)]
struct Agent {
    presence: Presence,
    rests_until: Option<Time>,
    /// When the last call from a queue ended, or the agent logged in.
    idle_since: Option<Time>,
    calls: u32,
}

impl Agents {
    pub(crate) fn presence(&self, agent: &str) -> Presence {
        self.of(agent).presence
    }

    /// Whether the agent takes calls from now on.
    pub(super) fn set_presence(&mut self, agent: &Arc<str>, presence: Presence, now: Time) {
        let known = self.known.entry(Arc::clone(agent)).or_default();
        if known.presence == Presence::Out && presence == Presence::In {
            known.idle_since = Some(now);
        }
        known.presence = presence;
    }

    /// Those who are not logged in as usual.
    pub(super) fn unusual(&self) -> impl Iterator<Item = (&Arc<str>, Presence)> {
        let known = self.known.iter();
        let known = known.map(|(agent, known)| (agent, known.presence));
        known.filter(|(_, presence)| *presence != Presence::default())
    }

    /// Whether the agent would take a call, unless busy.
    pub(super) fn is_ready(&self, agent: &str) -> bool {
        let agent = self.of(agent);
        agent.presence == Presence::In && agent.rests_until.is_none()
    }

    /// Whether the agent is left alone at that instant.
    pub(super) fn rests_at(&self, agent: &str, now: Time) -> bool {
        self.of(agent).rests_until.is_some_and(|until| until > now)
    }

    /// Is left alone for so long.
    pub(super) fn rest(&mut self, agent: &Arc<str>, until: Time, now: Time) {
        let until = until.max(now + MIN_REST);
        let known = self.known.entry(Arc::clone(agent)).or_default();
        if let Some(before) = known.rests_until.replace(until) {
            self.rests.remove(&(before, Arc::clone(agent)));
        }
        self.rests.insert((until, Arc::clone(agent)));
    }

    /// Has taken one call more, and rests no more, if the agent did.
    pub(super) fn took(&mut self, agent: &Arc<str>) {
        let known = self.known.entry(Arc::clone(agent)).or_default();
        known.calls = known.calls.saturating_add(1);
        if let Some(until) = known.rests_until.take() {
            self.rests.remove(&(until, Arc::clone(agent)));
        }
    }

    /// That call has ended.
    pub(super) fn is_done(&mut self, agent: &Arc<str>, now: Time) {
        self.known.entry(Arc::clone(agent)).or_default().idle_since = Some(now);
    }

    /// Since when the agent has had no call; `None` is for ever.
    pub(super) fn idle_since(&self, agent: &str) -> Option<Time> {
        self.of(agent).idle_since
    }

    /// Calls taken from queues.
    pub(super) fn calls(&self, agent: &str) -> u32 {
        self.of(agent).calls
    }

    /// When the first rest ends.
    pub(super) fn next_rest_ends_at(&self) -> Option<Time> {
        self.rests.first().map(|(until, _)| *until)
    }

    /// Ends the rests that are over. Whether there was any.
    pub(super) fn wake(&mut self, now: Time) -> bool {
        let mut woke = false;
        while self.next_rest_ends_at().is_some_and(|until| until <= now)
            && let Some((_, agent)) = self.rests.pop_first()
        {
            if let Some(known) = self.known.get_mut(&agent) {
                known.rests_until = None;
            }
            woke = true;
        }
        woke
    }

    /// Forgets who is no user any more.
    pub(super) fn keep(&mut self, is_user: impl Fn(&str) -> bool) {
        self.known.retain(|agent, _| is_user(agent));
        self.rests.retain(|(_, agent)| is_user(agent));
    }

    fn of(&self, agent: &str) -> Agent {
        self.known.get(agent).copied().unwrap_or_default()
    }
}
