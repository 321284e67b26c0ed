//! What the node tells of its calls: in the right order, at the right time, for the right reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use media::PathId;
use pbx::draft::Draft;
use pbx::testing::{Laws, Queues};
use pbx::{
    AccountId, CallId, Effect, Event, Fact, ForwardTo, LegId, Origination, Plan, Standing, When,
};
use serde_json::Value;

use super::Cause;
use crate::Broken;
use crate::party::PartyId;

/// How long a user rings when nobody says otherwise (docs of the account document).
const USUAL_RING_SECONDS: u32 = 25;

/// All that was told.
#[derive(Default)]
pub(crate) struct Story {
    laws: BTreeMap<AccountId, Laws>,
    queues: BTreeMap<AccountId, Queues>,
    calls: BTreeMap<CallId, Told>,
    /// The longest that each user may ring.
    ring_limits: BTreeMap<(AccountId, String), Duration>,
    /// INVITEs that have become a call.
    arrived: BTreeSet<(PartyId, String)>,
    /// Call-IDs of which the node has heard any answer, and when first.
    answered: BTreeMap<String, Time>,
    /// Parties that could not be reached for a while.
    troubled: BTreeSet<PartyId>,
    /// Users who have ever said that calls go to a number outside.
    forwarded: BTreeSet<String>,
    /// Users all of whose calls go elsewhere now.
    away: BTreeSet<(AccountId, String)>,
    /// When a call ended last, of each account.
    last_end: BTreeMap<AccountId, Time>,
    ended: u64,
    /// Whether the step that is being told plays something, so that it may pick its caller up.
    may_pick_up: bool,
}

/// What was told of one call.
pub(crate) struct Told {
    /// The plan the call began under.
    pub(crate) plan: Option<Arc<Plan>>,
    /// What a program asked for, if one did.
    pub(crate) asked: Option<Origination>,
    /// Whose INVITE it was.
    pub(crate) caller: Option<(PartyId, String)>,
    pub(crate) events: Vec<Event>,
    pub(crate) legs: Vec<LegTold>,
    /// Somebody in it has handed it on: parts begin and end without an end of the call.
    pub(crate) is_handed_on: bool,
    /// Users in whose place it rang somewhere else, all of whose calls do.
    pub(crate) away: BTreeSet<String>,
    ringing: BTreeMap<String, Time>,
}

/// A leg of the call, as told when its media were closed.
#[derive(Clone, Debug)]
pub(crate) struct LegTold {
    pub(crate) leg: LegId,
    pub(crate) role: String,
    pub(crate) path: PathId,
}

impl Story {
    /// Whether a user has ever said that calls go to a number outside.
    pub(super) fn has_forwarded(&self, user: &str) -> bool {
        self.forwarded.contains(user)
    }

    /// A draft is in force: how long may its users ring, and what do its queues promise?
    pub(crate) fn knows(&mut self, account: AccountId, draft: &Draft) {
        self.queues.entry(account).or_default().plan(draft);
        for user in &draft.users {
            let own = user.ring_seconds.unwrap_or(USUAL_RING_SECONDS);
            let objects = draft.flows.iter().flat_map(|flow| &flow.objects);
            let in_flows = objects.filter_map(|object| {
                let mut settings = object.settings.values();
                let usual = match object.kind.as_str() {
                    "user" => own,
                    _ => USUAL_RING_SECONDS,
                };
                let seconds = object.settings.get("ring_seconds").and_then(Value::as_u64);
                let rings = settings.any(|setting| names(setting, &user.number));
                rings.then(|| seconds.unwrap_or(usual.into()))
            });
            let longest = in_flows.chain([own.into()]).max().unwrap_or_default();
            let limit = self
                .ring_limits
                .entry((account, user.number.clone()))
                .or_default();
            *limit = Duration::from_secs(longest).max(*limit);
        }
    }

    /// An account is gone, with all that its agents have said.
    pub(crate) fn forgets(&mut self, account: AccountId) {
        self.queues.remove(&account);
        self.away.retain(|(of, _)| *of != account);
    }

    /// When a call ended last, of each account.
    pub(crate) fn last_ends(&self) -> impl Iterator<Item = (AccountId, Time)> {
        self.last_end.iter().map(|(account, at)| (*account, *at))
    }

    /// The node has done what there was to do, and is woken then.
    pub(crate) fn settled(&mut self, now: Time, deadline: Option<Time>) -> Result<(), Broken> {
        let mut queues = self.queues.values_mut();
        queues
            .try_for_each(|queues| queues.settled(now, deadline))
            .map_err(Broken::new)
    }

    /// The node is about to hear something.
    pub(crate) fn hears(&mut self, now: Time, cause: &Cause) {
        if let Cause::Message {
            code: Some(_),
            call_id,
            ..
        } = cause
        {
            self.answered.entry(call_id.clone()).or_insert(now);
        }
    }

    /// The step that is told next plays something to somebody, or does not.
    pub(crate) fn may_pick_up(&mut self, plays: bool) {
        self.may_pick_up = plays;
    }

    /// Whether the node heard from a party by then: before, it may not send a CANCEL (RFC 3261 §9.1).
    pub(crate) fn has_heard_of(&self, call_id: &str, by: Time) -> bool {
        self.answered.get(call_id).is_some_and(|at| *at <= by)
    }

    /// A party cannot be reached for a while.
    pub(crate) fn trouble(&mut self, party: PartyId) {
        self.troubled.insert(party);
    }

    /// Whether a party was always reachable.
    pub(crate) fn was_steady(&self, party: PartyId) -> bool {
        !self.troubled.contains(&party)
    }

    /// Whether everybody was always reachable.
    pub(crate) fn were_all_steady(&self) -> bool {
        self.troubled.is_empty()
    }

    /// Every call, oldest first.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (CallId, &Told)> {
        self.calls.iter().map(|(id, told)| (*id, told))
    }

    /// How many calls there were.
    pub(crate) fn count(&self) -> u64 {
        self.ended
    }

    /// Whether an INVITE has become a call.
    pub(crate) fn has_arrived(&self, party: PartyId, call_id: &str) -> bool {
        self.arrived.contains(&(party, call_id.to_owned()))
    }

    /// The node tells something.
    pub(crate) fn event(
        &mut self,
        now: Time,
        event: &Event,
        plan: Option<Arc<Plan>>,
        cause: &Cause,
    ) -> Result<(), Broken> {
        let told = |broken: String| Broken::new(format!("call {}: {broken}", event.call));
        if event.at != now {
            return Err(told(format!("an event of {} is told at {now}", event.at)));
        }
        if let Fact::LegClosed { leg, role, .. } = &event.fact {
            return self.leg_closed(event.call, *leg, role, cause).map_err(told);
        }
        let effects = [Effect::Emit(event.clone())];
        let laws = self.laws.entry(event.account).or_default();
        laws.effects(&effects).map_err(told)?;
        if let Some(queues) = self.queues.get_mut(&event.account) {
            queues.event(event).map_err(told)?;
        }
        if let Fact::Stands { standing } = &event.fact {
            self.stands(event.account, standing);
        }
        if matches!(
            event.fact,
            Fact::RecordingClosed { .. } | Fact::Stands { .. }
        ) {
            // It may follow the end of its call, or have none, and tells nothing of it.
            return Ok(());
        }
        if matches!(event.fact, Fact::Arrived { .. }) {
            self.arrives(event, plan, cause).map_err(told)?;
        }
        if matches!(event.fact, Fact::Ended { .. }) {
            self.ended += 1;
            self.last_end.insert(event.account, event.at);
        }
        let known = self.calls.get_mut(&event.call);
        let call = known.ok_or_else(|| told("it never arrived".to_owned()))?;
        call.events.push(event.clone());
        call.is_handed_on |= cause.is_transfer();
        if let Fact::UserRinging { user, .. } = &event.fact
            && self
                .away
                .contains(&(event.account, user.number.to_string()))
        {
            call.away.insert(user.number.to_string());
        }
        let limits = &self.ring_limits;
        // Who is picked up is answered by us.
        let is_pick_up = self.may_pick_up && matches!(event.fact, Fact::OutboundAnswered { .. });
        if is_pick_up {
            return Ok(());
        }
        call.takes_in(event, cause, limits).map_err(told)
    }

    /// A user's calls go elsewhere, or do not any more.
    fn stands(&mut self, account: AccountId, standing: &Standing) {
        let Standing::Forward { user, when, to } = standing else {
            return;
        };
        let user = user.to_string();
        if let Some(ForwardTo::Number(_)) = to {
            self.forwarded.insert(user.clone());
        }
        match (when, to) {
            (When::Always, Some(_)) => {
                self.away.insert((account, user));
            }
            (When::Always, None) => {
                self.away.remove(&(account, user));
            }
            (When::Busy | When::NoAnswer, _) => {}
        }
    }

    fn arrives(
        &mut self,
        event: &Event,
        plan: Option<Arc<Plan>>,
        cause: &Cause,
    ) -> Result<(), String> {
        let (asked, caller) = match cause {
            Cause::Asked(asked) => (Some(asked.clone()), None),
            Cause::Message { .. } | Cause::Closed(_) | Cause::Other => {
                let (party, call_id) = cause.caller().ok_or("it comes from no INVITE")?;
                (None, Some((party, call_id.to_owned())))
            }
        };
        if let Some(caller) = &caller
            && !self.arrived.insert(caller.clone())
        {
            return Err("one INVITE makes two calls".to_owned());
        }
        let told = Told {
            plan,
            asked,
            caller,
            events: Vec::new(),
            legs: Vec::new(),
            is_handed_on: false,
            away: BTreeSet::new(),
            ringing: BTreeMap::new(),
        };
        self.calls.insert(event.call, told);
        Ok(())
    }

    fn leg_closed(
        &mut self,
        call: CallId,
        leg: LegId,
        role: &str,
        cause: &Cause,
    ) -> Result<(), String> {
        let Cause::Closed(path) = cause else {
            return Err(format!("leg {leg} closes without its path"));
        };
        let told = self.calls.get_mut(&call).ok_or("it never arrived")?;
        if told.legs.iter().any(|known| known.leg == leg) {
            return Err(format!("leg {leg} closes twice"));
        }
        told.legs.push(LegTold {
            leg,
            role: role.to_owned(),
            path: *path,
        });
        Ok(())
    }
}

impl Told {
    fn takes_in(
        &mut self,
        event: &Event,
        cause: &Cause,
        limits: &BTreeMap<(AccountId, String), Duration>,
    ) -> Result<(), String> {
        match &event.fact {
            Fact::UserRinging { user, .. } => {
                self.ringing.insert(user.number.to_string(), event.at);
                Ok(())
            }
            Fact::UserAnswered { user } => {
                self.stops_ringing(event, &user.number, limits)?;
                // Who took part before takes it back, or is brought together with somebody.
                if self.is_handed_on {
                    return Ok(());
                }
                accepted(cause)
            }
            Fact::UserEnded { user } => self.stops_ringing(event, &user.number, limits),
            // Who is asked whether to take the call does so with a key.
            Fact::OutboundAnswered { .. } if cause.is_key() => Ok(()),
            Fact::OutboundAnswered { .. } => accepted(cause),
            Fact::Arrived { .. }
            | Fact::OutboundStarted { .. }
            | Fact::OutboundEnded { .. }
            | Fact::GroupEntered { .. }
            | Fact::GroupAnswered { .. }
            | Fact::GroupLeft { .. }
            | Fact::CallerShown { .. }
            | Fact::ComponentPassed { .. }
            | Fact::RecordingStarted { .. }
            | Fact::RecordingClosed { .. }
            | Fact::RecordingFinished { .. }
            | Fact::RecordingDiscarded { .. }
            | Fact::Stands { .. }
            | Fact::MessageMoved { .. }
            | Fact::LegClosed { .. }
            | Fact::Ended { .. } => Ok(()),
        }
    }

    fn stops_ringing(
        &mut self,
        event: &Event,
        user: &str,
        limits: &BTreeMap<(AccountId, String), Duration>,
    ) -> Result<(), String> {
        let Some(since) = self.ringing.remove(user) else {
            return Ok(());
        };
        let limit = limits.get(&(event.account, user.to_owned()));
        let rang = event.at - since;
        match limit {
            Some(limit) if rang > *limit => Err(format!(
                "user {user} rings for {rang:?}, longer than {limit:?}"
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// When somebody answered, if somebody did. Being picked up is no answer of anybody.
    pub(crate) fn answered_at(&self, picked_up_at: Option<Time>) -> Option<Time> {
        let is_answer = |event: &&Event| match event.fact {
            Fact::UserAnswered { .. } | Fact::GroupAnswered { .. } => true,
            Fact::OutboundAnswered { .. } => picked_up_at.is_none_or(|at| event.at < at),
            _ => false,
        };
        self.events.iter().find(is_answer).map(|event| event.at)
    }
}

/// Whether a setting, or a part of it, is this user.
fn names(setting: &Value, user: &str) -> bool {
    match setting {
        Value::String(text) => text == user,
        Value::Array(list) => list.iter().any(|one| names(one, user)),
        Value::Object(map) => map.values().any(|one| names(one, user)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn accepted(cause: &Cause) -> Result<(), String> {
    if cause.is_acceptance() {
        Ok(())
    } else {
        Err(format!("it is answered by {cause:?}"))
    }
}
