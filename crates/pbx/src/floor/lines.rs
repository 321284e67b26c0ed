//! Who waits in which queue, and who is offered to whom next. One line for each queue name, so that
//! callers keep their places when a newer plan is applied under them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use serde::Deserialize;

use super::Tally;
use super::agents::{Agents, Presence};
use crate::hash::mix;
use crate::ids::CallId;
use crate::standing::Standings;

/// Whose phone rings for the next caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Strategy {
    /// Everybody's who is free.
    #[default]
    RingAll,
    /// That of who has had no call for the longest time.
    LongestIdle,
    /// That of who has taken the fewest calls.
    FewestCalls,
    /// Each in turn.
    RoundRobin,
    /// Anybody's.
    Random,
}

/// The agents of a queue, by internal number, and whose turn it is.
#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) agents: Vec<Arc<str>>,
    pub(crate) strategy: Strategy,
}

/// A caller's place: higher priority first, then the order of arrival. Lower is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    priority: Reverse<u32>,
    arrival: u64,
}

/// What a caller in line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// An agent is free, by position in the roster.
    Agent(usize),
    /// Nobody is logged in.
    NobodyIn,
}

/// The lines of an account.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    by_queue: BTreeMap<Arc<str>, Line>,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<Place, Waiter>,
    /// Who was offered a call last.
    last_offered: Option<Arc<str>>,
    /// How long a caller stays for each place, smoothed.
    pace: Option<Duration>,
}

#[derive(Debug)]
struct Waiter {
    call: CallId,
    roster: Arc<Roster>,
    /// Where the caller began, from 1.
    began_at: usize,
    since: Time,
    /// Whose phones ring for this caller now.
    offered: BTreeSet<usize>,
    /// How often each agent was offered this caller.
    tries: BTreeMap<usize, u32>,
}

/// Whom calls may be offered to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crew<'a> {
    pub(super) agents: &'a Agents,
    pub(super) users: &'a Tally,
    pub(super) standings: &'a Standings,
}

impl Crew<'_> {
    fn is_free(&self, agent: &str) -> bool {
        self.agents.is_ready(agent)
            && self.users.is_idle(agent)
            && !self.standings.is_undisturbed(agent)
    }
}

/// Somebody who comes into a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comer<'a> {
    pub(crate) call: CallId,
    pub(crate) queue: &'a Arc<str>,
    pub(crate) roster: &'a Arc<Roster>,
    pub(crate) priority: u32,
}

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.by_queue.values().all(|line| line.waiting.is_empty())
    }

    pub(super) fn enter(&mut self, comer: Comer<'_>, now: Time) -> Place {
        self.arrivals += 1;
        let place = Place {
            priority: Reverse(comer.priority),
            arrival: self.arrivals,
        };
        let line = self.by_queue.entry(Arc::clone(comer.queue)).or_default();
        let waiter = Waiter {
            call: comer.call,
            roster: Arc::clone(comer.roster),
            began_at: line.position(place),
            since: now,
            offered: BTreeSet::new(),
            tries: BTreeMap::new(),
        };
        line.waiting.insert(place, waiter);
        place
    }

    pub(super) fn leave(&mut self, queue: &str, place: Place) {
        if let Some(line) = self.by_queue.get_mut(queue) {
            line.waiting.remove(&place);
        }
    }

    /// The agent's phone has stopped ringing for that caller.
    pub(super) fn withdraw(&mut self, queue: &str, place: Place, agent: usize) {
        let line = self.by_queue.get_mut(queue);
        if let Some(waiter) = line.and_then(|line| line.waiting.get_mut(&place)) {
            waiter.offered.remove(&agent);
        }
    }

    /// An agent has taken the caller, who leaves the line.
    pub(super) fn answered(&mut self, queue: &str, place: Place, now: Time) {
        let Some(line) = self.by_queue.get_mut(queue) else {
            return;
        };
        if let Some(waiter) = line.waiting.remove(&place) {
            let places = u32::try_from(waiter.began_at).unwrap_or(u32::MAX).max(1);
            let pace = now.since(waiter.since) / places;
            line.pace = Some(line.pace.map_or(pace, |before| (before * 3 + pace) / 4));
        }
    }

    /// Callers in line.
    pub(super) fn length(&self, queue: &str) -> usize {
        self.by_queue
            .get(queue)
            .map_or(0, |line| line.waiting.len())
    }

    /// Who waits, in the order of their places, and since when.
    pub(super) fn waiting(&self, queue: &str) -> impl Iterator<Item = (CallId, Time)> {
        let line = self.by_queue.get(queue).into_iter();
        line.flat_map(|line| {
            line.waiting
                .values()
                .map(|waiter| (waiter.call, waiter.since))
        })
    }

    /// Since when the one waits who has waited longest.
    pub(super) fn waiting_since(&self, queue: &str) -> Option<Time> {
        let waiting = &self.by_queue.get(queue)?.waiting;
        waiting.values().map(|waiter| waiter.since).min()
    }

    /// The place of a caller, from 1.
    pub(super) fn position(&self, queue: &str, place: Place) -> usize {
        self.by_queue
            .get(queue)
            .map_or(1, |line| line.position(place))
    }

    /// How long a caller is going to wait; `None` before anybody was answered.
    pub(super) fn wait_ahead(&self, queue: &str, place: Place) -> Option<Duration> {
        let line = self.by_queue.get(queue)?;
        let places = u32::try_from(line.position(place)).unwrap_or(u32::MAX);
        Some(line.pace?.saturating_mul(places))
    }

    /// The next caller who can be offered somebody, over all lines in the order of their places.
    /// It counts as offered from now on.
    pub(super) fn next_offer(&mut self, crew: Crew<'_>) -> Option<(CallId, Offer)> {
        let mut heads: Vec<_> = self.heads().collect();
        heads.sort_by_key(|(_, place, waiter)| (waiter.turn(), *place));
        let found = heads.into_iter().find_map(|(queue, place, waiter)| {
            let last = self.by_queue.get(queue)?.last_offered.as_deref();
            let offer = waiter.offer(last, crew)?;
            Some((Arc::clone(queue), place, offer))
        });
        let (queue, place, offer) = found?;
        let line = self.by_queue.get_mut(&queue)?;
        let waiter = line.waiting.get_mut(&place)?;
        if let Offer::Agent(agent) = offer {
            waiter.offered.insert(agent);
            *waiter.tries.entry(agent).or_default() += 1;
            line.last_offered = waiter.roster.agents.get(agent).cloned();
        }
        Some((waiter.call, offer))
    }

    /// Of each line the first caller who wants an agent: for whom nobody rings yet, before those for
    /// whom somebody does and more may, so that as many are offered as agents are free. Callers of an older plan may have other
    /// agents, and must not be in the way of those of the newer one.
    fn heads(&self) -> impl Iterator<Item = (&Arc<str>, Place, &Waiter)> {
        self.by_queue.iter().flat_map(|(queue, line)| {
            let mut seen: Vec<&Arc<Roster>> = Vec::new();
            let wanting = |turn| {
                let wanting = line.waiting.iter().filter(|(_, waiter)| waiter.wants());
                wanting.filter(move |(_, waiter)| waiter.turn() == turn)
            };
            let wanting = wanting(Turn::First).chain(wanting(Turn::Later));
            wanting.filter_map(move |(place, waiter)| {
                if seen
                    .iter()
                    .any(|roster| Arc::ptr_eq(roster, &waiter.roster))
                {
                    return None;
                }
                seen.push(&waiter.roster);
                Some((queue, *place, waiter))
            })
        })
    }

    /// Forgets what was learnt of queues that are no more.
    pub(super) fn keep(&mut self, is_queue: impl Fn(&str) -> bool) {
        self.by_queue
            .retain(|queue, line| !line.waiting.is_empty() || is_queue(queue));
    }
}

impl Line {
    fn position(&self, place: Place) -> usize {
        self.waiting.range(..place).count() + 1
    }
}

/// Whether a caller comes before others when an agent is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Nobody rings for it.
    First,
    /// Somebody does.
    Later,
}

impl Waiter {
    fn turn(&self) -> Turn {
        if self.offered.is_empty() {
            Turn::First
        } else {
            Turn::Later
        }
    }

    /// Whether one agent more should ring.
    fn wants(&self) -> bool {
        self.roster.strategy == Strategy::RingAll || self.offered.is_empty()
    }

    fn offer(&self, last: Option<&str>, crew: Crew<'_>) -> Option<Offer> {
        let agents = crew.agents;
        let roster = &self.roster.agents;
        if roster
            .iter()
            .all(|agent| agents.presence(agent) == Presence::Out)
        {
            return Some(Offer::NobodyIn);
        }
        let is_free = |(position, agent): &(usize, &Arc<str>)| {
            crew.is_free(agent) && !self.offered.contains(position)
        };
        let free = roster.iter().enumerate().filter(is_free);
        // Who did not answer this caller comes after those who have not been asked.
        let next = free.min_by_key(|(position, agent)| {
            let tries = self.tries.get(position).copied().unwrap_or_default();
            (tries, self.turn_of(*position, agent, last, agents))
        });
        next.map(|(position, _)| Offer::Agent(position))
    }

    /// The agent with the least goes first.
    fn turn_of(&self, position: usize, agent: &str, last: Option<&str>, agents: &Agents) -> u64 {
        let number = |position: usize| u64::try_from(position).unwrap_or(u64::MAX);
        match self.roster.strategy {
            Strategy::RingAll => number(position),
            Strategy::LongestIdle => agents.idle_since(agent).map_or(0, Time::as_micros),
            Strategy::FewestCalls => agents.calls(agent).into(),
            Strategy::RoundRobin => {
                let all = self.roster.agents.len();
                let before = self
                    .roster
                    .agents
                    .iter()
                    .position(|one| Some(&**one) == last);
                let first = before.map_or(0, |before| before + 1);
                number((position + all - first % all.max(1)) % all.max(1))
            }
            Strategy::Random => {
                let tries: u32 = self.tries.values().sum();
                mix(mix(self.call.0.wrapping_add(tries.into())).wrapping_add(number(position)))
            }
        }
    }
}
