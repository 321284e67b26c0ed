//! What the calls of one account share: who is busy, how full each trunk is, who waits in a queue
//! and who would take the call. Kept by name, so that it stays true when a newer plan is applied
//! under calls that keep theirs.

mod agents;
mod lines;
mod parks;
mod rooms;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clock::Time;

use crate::ids::CallId;
use crate::mailbox::{MailboxCounts, Mailboxes};
use crate::standing::{Standing, Standings};
use agents::Agents;
pub use agents::{AgentChange, Presence};
pub(crate) use lines::{Comer, Offer, Place, Roster, Strategy};
use lines::{Crew, Lines};
pub(crate) use parks::{Fetched, Parked, Parks};
pub use rooms::RoomView;
pub(crate) use rooms::{Beginning, Door, MAX_ROOM_MEMBERS, News, Refusal, Role, Rooms, Voices};
pub use view::{AgentState, AgentView, CallerView, QueueView};

/// Shared state of an account's calls. Counts exist only while they are above zero.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    users: Tally,
    trunks: Tally,
    agents: Agents,
    standings: Standings,
    lines: Lines,
    rooms: Rooms,
    parks: Parks,
    mailboxes: Mailboxes,
    /// Something has changed since nobody could be offered anything.
    is_stirred: bool,
}

/// Who is busy.
impl Floor {
    /// Calls each user takes part in, ringing ones too.
    pub(crate) fn users(&mut self) -> &mut Tally {
        self.is_stirred = true;
        &mut self.users
    }

    /// Calls that a user takes part in, for tests.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn parts_of(&self, user: &str) -> usize {
        let count = self.users.counts.get(user).copied().unwrap_or_default();
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Calls on each trunk, in and out.
    pub(crate) fn trunks(&mut self) -> &mut Tally {
        &mut self.trunks
    }

    /// How many messages the user's mailbox holds.
    pub(crate) fn mailbox(&self, user: &str) -> MailboxCounts {
        self.mailboxes.counts(user)
    }

    /// The user's mailbox holds so many messages from now on.
    pub(crate) fn set_mailbox(&mut self, user: Arc<str>, counts: MailboxCounts) {
        self.mailboxes.set(user, counts);
    }

    /// What is so whatever becomes of the calls.
    pub(crate) fn without_calls(&self) -> Self {
        Self {
            mailboxes: self.mailboxes.clone(),
            agents: self.agents.clone(),
            standings: self.standings.clone(),
            ..Self::default()
        }
    }

    /// Conference rooms.
    pub(crate) fn rooms(&mut self) -> &mut Rooms {
        &mut self.rooms
    }

    /// Parked calls.
    pub(crate) fn parks(&mut self) -> &mut Parks {
        &mut self.parks
    }

    /// The calls that are parked, by slot.
    pub(crate) fn parked(&self) -> impl Iterator<Item = (&Arc<str>, CallId)> {
        self.parks.parked()
    }

    /// Conference rooms, to be looked at.
    pub(crate) fn room_views(&self) -> impl Iterator<Item = RoomView> + '_ {
        self.rooms.views()
    }

    /// Whether nothing is going on.
    pub(crate) fn is_idle(&self) -> bool {
        self.users.counts.is_empty()
            && self.trunks.counts.is_empty()
            && self.lines.is_empty()
            && self.rooms.is_empty()
            && self.parks.is_empty()
    }
}

/// Queues. Nobody has to look for an agent: whoever waits is told by [`Floor::next_offer`], which
/// the account asks after every input.
impl Floor {
    /// The next caller in a line who can be told something, and what. Until there is none, each
    /// answer is another one.
    pub(crate) fn next_offer(&mut self) -> Option<(CallId, Offer)> {
        if !std::mem::take(&mut self.is_stirred) {
            return None;
        }
        let crew = Crew {
            agents: &self.agents,
            users: &self.users,
            standings: &self.standings,
        };
        let offer = self.lines.next_offer(crew);
        self.is_stirred = offer.is_some();
        offer
    }

    /// When an agent may become free by time alone, and somebody waits for it.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let rest_ends_at = self.agents.next_rest_ends_at()?;
        (!self.lines.is_empty()).then_some(rest_ends_at)
    }

    /// Rests that are over end.
    pub(crate) fn wake(&mut self, now: Time) {
        self.is_stirred |= self.agents.wake(now);
    }

    /// Somebody joins a line.
    pub(crate) fn enter_line(&mut self, comer: Comer<'_>, now: Time) -> Place {
        self.is_stirred = true;
        self.lines.enter(comer, now)
    }

    /// A caller leaves the line without an answer.
    pub(crate) fn leave_line(&mut self, queue: &str, place: Place) {
        self.is_stirred = true;
        self.lines.leave(queue, place);
    }

    /// An agent who was offered a caller did not answer, and rests.
    pub(crate) fn missed(&mut self, spot: Spot<'_>, rest: Duration, now: Time) {
        self.is_stirred = true;
        self.lines.withdraw(spot.queue, spot.place, spot.agent);
        if let Some(agent) = spot.roster.agents.get(spot.agent) {
            self.agents.rest(agent, now + rest, now);
        }
    }

    /// A caller in line was answered, by that agent or by somebody else, and is out of it.
    pub(crate) fn answered(
        &mut self,
        queue: &str,
        place: Place,
        agent: Option<&Arc<str>>,
        now: Time,
    ) {
        self.is_stirred = true;
        self.lines.answered(queue, place, now);
        if let Some(agent) = agent {
            self.agents.took(agent);
        }
    }

    /// An agent has finished a call from a queue, and does not take another for so long.
    pub(crate) fn wrap_up(&mut self, agent: &Arc<str>, rest: Duration, now: Time) {
        self.agents.is_done(agent, now);
        if !rest.is_zero() {
            self.agents.rest(agent, now + rest, now);
        }
    }

    /// Callers in line.
    pub(crate) fn line_length(&self, queue: &str) -> usize {
        self.lines.length(queue)
    }

    /// The place of a caller in its line, from 1.
    pub(crate) fn position(&self, queue: &str, place: Place) -> usize {
        self.lines.position(queue, place)
    }

    /// How long a caller is going to wait, if anything is known about it.
    pub(crate) fn wait_ahead(&self, queue: &str, place: Place) -> Option<Duration> {
        self.lines.wait_ahead(queue, place)
    }

    /// Whether any of them is logged in.
    pub(crate) fn is_anybody_in(&self, roster: &Roster) -> bool {
        let mut agents = roster.agents.iter();
        agents.any(|agent| self.agents.presence(agent) != Presence::Out)
    }

    /// Whether an agent takes calls from queues.
    pub(crate) fn presence(&self, agent: &str) -> Presence {
        self.agents.presence(agent)
    }

    /// A newer plan: who is no user any more is no agent either.
    pub(crate) fn keep(&mut self, is_user: impl Fn(&str) -> bool, is_queue: impl Fn(&str) -> bool) {
        self.agents.keep(is_user);
        self.lines.keep(is_queue);
        self.is_stirred = true;
    }
}

/// What stands.
impl Floor {
    /// Something stands from now on. Only what is told to stand comes here, see `Turn::emit`.
    pub(crate) fn stand(&mut self, standing: &Standing, now: Time) {
        if let Standing::Agent { user, presence } = standing {
            self.agents.set_presence(user, *presence, now);
        }
        self.standings.stand(standing);
        self.is_stirred = true;
    }

    /// What stands, agents apart.
    pub(crate) fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Everything that stands.
    pub(crate) fn all_standing(&self) -> impl Iterator<Item = Standing> + '_ {
        let agents = self.agents.unusual();
        let agents = agents.map(|(user, presence)| Standing::Agent {
            user: Arc::clone(user),
            presence,
        });
        agents.chain(self.standings.all())
    }
}

/// An agent who was offered a caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot<'a> {
    pub(crate) queue: &'a str,
    pub(crate) place: Place,
    pub(crate) roster: &'a Roster,
    /// By position in the roster.
    pub(crate) agent: usize,
}

/// Counts by name.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<Arc<str>, u32>,
}

impl Tally {
    /// One more.
    pub(crate) fn add(&mut self, name: &Arc<str>) {
        *self.counts.entry(Arc::clone(name)).or_default() += 1;
    }

    /// One less.
    pub(crate) fn remove(&mut self, name: &Arc<str>) {
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(name);
            }
        }
    }

    /// Whether one more would be over the limit.
    pub(crate) fn is_full(&self, name: &str, limit: Option<u32>) -> bool {
        limit.is_some_and(|limit| self.counts.get(name).copied().unwrap_or_default() >= limit)
    }

    /// Whether there is none.
    fn is_idle(&self, name: &str) -> bool {
        !self.counts.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_nothing_behind() {
        let mut floor = Floor::default();
        let name: Arc<str> = "1010".into();
        floor.users().add(&name);
        assert!(floor.users().is_full("1010", Some(1)));
        assert!(!floor.users().is_full("1010", Some(2)));
        assert!(!floor.users().is_full("1010", None));
        floor.users().remove(&name);
        floor.users().remove(&name);
        assert!(floor.is_idle());
        assert!(
            floor.users().is_full("1010", Some(0)),
            "a limit of none lets nothing through"
        );
    }
}
