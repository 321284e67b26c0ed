//! What every queue promises, held against what is told of it and nothing else: a free agent is
//! offered the first in line at once, nobody overtakes, nobody waits longer than allowed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::Time;
use serde_json::Value;

use super::laws::{Verdict, law};
use crate::draft::{Draft, Object};
use crate::effect::Effect;
use crate::event::{Event, Fact, GroupKind};
use crate::floor::Presence;
use crate::ids::CallId;
use crate::standing::{Standing, Switch};

/// How long an agent rests at most whose phone could not be reached, whatever the queue says.
const UNREACHABLE_REST: Duration = Duration::from_secs(30);

/// As soon as an account can be woken.
const SOON: Duration = Duration::from_millis(10);

/// Watches the queues of an account.
#[derive(Debug, Default)]
pub struct Queues {
    /// Of every plan so far, the last one in force.
    plans: Vec<BTreeMap<String, Rules>>,
    users: BTreeSet<String>,
    calls: BTreeMap<CallId, usize>,
    callers: BTreeMap<CallId, Caller>,
    arrivals: u64,
    presence: BTreeMap<String, Presence>,
    undisturbed: BTreeSet<String>,
    /// Calls each user takes part in.
    busy: BTreeMap<String, u32>,
    rests: BTreeMap<String, Rest>,
    /// Somebody rings who should not, unless by taking the call over.
    odd: Option<(String, String)>,
}

/// A queue as the document has it.
#[derive(Clone, Debug)]
struct Rules {
    /// Those who have a phone.
    agents: Vec<String>,
    rings_all: bool,
    retry: Duration,
    wrap_up: Duration,
    max_wait: Duration,
    priority: u64,
}

/// Somebody in a queue.
#[derive(Debug)]
struct Caller {
    queue: String,
    rules: Rules,
    plan: usize,
    since: Time,
    arrival: u64,
    ringing: BTreeSet<String>,
    /// Who stopped to ring in this step: rests, if the caller is still in line at its end.
    missed: BTreeSet<String>,
    answered_by: Option<String>,
}

/// An agent is left alone until the first instant at least, and the second at most.
#[derive(Clone, Copy, Debug)]
struct Rest {
    least: Time,
    most: Time,
}

impl Queues {
    /// A draft is in force.
    pub fn plan(&mut self, draft: &Draft) {
        self.users = draft.users.iter().map(|user| user.number.clone()).collect();
        let mut queues = BTreeMap::new();
        for flow in &draft.flows {
            for object in flow.objects.iter().filter(|object| object.kind == "queue") {
                let name = if object.name.is_empty() {
                    format!("{}/{}", flow.id, object.id)
                } else {
                    object.name.clone()
                };
                queues.insert(name, Rules::of(object, draft));
            }
        }
        self.plans.push(queues);
        self.presence.retain(|user, _| self.users.contains(user));
        self.undisturbed.retain(|user| self.users.contains(user));
        self.rests.retain(|user, _| self.users.contains(user));
    }

    /// What the account answered with, and when it wants to be woken.
    pub fn effects(&mut self, now: Time, effects: &[Effect], deadline: Option<Time>) -> Verdict {
        for effect in effects {
            if let Effect::Emit(event) = effect {
                self.event(event)?;
            }
        }
        self.settled(now, deadline)
    }

    /// The account has told something.
    pub fn event(&mut self, event: &Event) -> Verdict {
        match &event.fact {
            Fact::Arrived { .. } => {
                let plan = self.plans.len().saturating_sub(1);
                self.calls.insert(event.call, plan);
            }
            Fact::GroupEntered { group } if group.kind == GroupKind::Queue => {
                self.enters(event, &group.name);
            }
            Fact::GroupLeft { group } if group.kind == GroupKind::Queue => self.leaves(event),
            Fact::GroupAnswered { group, user } if group.kind == GroupKind::Queue => {
                if let Some(caller) = self.callers.get_mut(&event.call) {
                    caller.answered_by = user.as_ref().map(|user| user.number.to_string());
                    caller.missed.clear();
                }
            }
            Fact::UserRinging { user, queue, .. } => {
                *self.busy.entry(user.number.to_string()).or_default() += 1;
                if queue.is_some()
                    && let Err(broken) = self.rings(event, &user.number)
                {
                    self.odd = Some((user.number.to_string(), broken));
                }
            }
            Fact::UserEnded { user } => {
                self.is_free_of_one(&user.number);
                let caller = self.callers.get_mut(&event.call);
                if let Some(caller) = caller.filter(|caller| caller.answered_by.is_none())
                    && caller.ringing.remove(&*user.number)
                {
                    caller.missed.insert(user.number.to_string());
                }
            }
            Fact::Stands { standing } => self.stands(standing),
            // Who has taken the call over rang for nobody.
            Fact::UserAnswered { user } => {
                self.odd.take_if(|(odd, _)| *odd == *user.number);
                let caller = self.callers.get(&event.call);
                if caller.is_some_and(|caller| caller.has_agent(&user.number)) {
                    self.rests.remove(&*user.number);
                }
            }
            Fact::OutboundStarted { user } => {
                *self.busy.entry(user.number.to_string()).or_default() += 1;
            }
            Fact::OutboundEnded { user } => self.is_free_of_one(&user.number),
            Fact::Ended { .. } => {
                self.calls.remove(&event.call);
            }
            Fact::GroupEntered { .. }
            | Fact::GroupLeft { .. }
            | Fact::GroupAnswered { .. }
            | Fact::CallerShown { .. }
            | Fact::OutboundAnswered { .. }
            | Fact::ComponentPassed { .. }
            | Fact::RecordingStarted { .. }
            | Fact::RecordingClosed { .. }
            | Fact::RecordingFinished { .. }
            | Fact::RecordingDiscarded { .. }
            | Fact::MessageMoved { .. }
            | Fact::LegClosed { .. } => {}
        }
        Ok(())
    }

    fn stands(&mut self, standing: &Standing) {
        match standing {
            Standing::Agent { user, presence } => {
                self.presence.insert(user.to_string(), *presence);
            }
            Standing::DoNotDisturb { user, switch } => match switch {
                Switch::On => drop(self.undisturbed.insert(user.to_string())),
                Switch::Off => drop(self.undisturbed.remove(&**user)),
            },
            Standing::Forward { .. } | Standing::Time { .. } => {}
        }
    }

    /// After a step: nobody waits in vain, neither now nor until the account wakes.
    pub fn settled(&mut self, now: Time, deadline: Option<Time>) -> Verdict {
        if let Some((_, broken)) = self.odd.take() {
            return Err(broken);
        }
        self.rests_begin(now);
        let wakes_by = |at: Time| deadline.is_some_and(|deadline| deadline <= at);
        for caller in self.callers.values().filter(|caller| caller.waits()) {
            // Who was not woken in time is woken soon.
            let ends_at = caller.since + caller.rules.max_wait;
            law(wakes_by(ends_at.max(now + SOON)), || {
                format!("nobody waits longer than allowed: {caller:?}, woken {deadline:?}")
            })?;
        }
        for caller in self.heads() {
            let mut agents = caller.rules.agents.iter();
            let is_anybody_in = agents.any(|agent| self.presence_of(agent) != Presence::Out);
            law(is_anybody_in, || {
                format!("nobody waits when nobody is logged in: {caller:?}")
            })?;
            for agent in &caller.rules.agents {
                if !self.is_available(agent) || caller.ringing.contains(agent) {
                    continue;
                }
                let free_at = self.rests.get(agent).map_or(now, |rest| rest.most);
                law(free_at > now && wakes_by(free_at), || {
                    format!("a free agent rings for the first in line: {agent}, {caller:?}")
                })?;
            }
        }
        Ok(())
    }

    fn enters(&mut self, event: &Event, queue: &str) {
        self.arrivals += 1;
        let plan = self.calls.get(&event.call).copied().unwrap_or_default();
        let rules = self.plans.get(plan).and_then(|plan| plan.get(queue));
        if let Some(rules) = rules.cloned() {
            let caller = Caller {
                queue: queue.to_owned(),
                rules,
                plan,
                since: event.at,
                arrival: self.arrivals,
                ringing: BTreeSet::new(),
                missed: BTreeSet::new(),
                answered_by: None,
            };
            self.callers.insert(event.call, caller);
        }
    }

    /// Who has talked wraps up; who rang is free at once.
    fn leaves(&mut self, event: &Event) {
        let Some(caller) = self.callers.remove(&event.call) else {
            return;
        };
        let wraps_up = caller.rules.wrap_up;
        let agents = caller.rules.agents;
        let is_agent = |user: &String| agents.contains(user) && !wraps_up.is_zero();
        if let Some(agent) = caller.answered_by.filter(is_agent) {
            let until = event.at + wraps_up;
            self.rest(agent, until, until);
        }
    }

    fn rings(&mut self, event: &Event, user: &str) -> Verdict {
        let rest = self.rests.get(user);
        law(rest.is_none_or(|rest| rest.least <= event.at), || {
            format!("who rests is left alone: {user} until {rest:?}")
        })?;
        law(self.presence_of(user) == Presence::In, || {
            format!("only who is logged in rings: {user}")
        })?;
        law(self.busy.get(user) == Some(&1), || {
            format!("only who is not busy rings: {user}")
        })?;
        let Some(own) = self.callers.get(&event.call) else {
            return Err(format!("{user} rings for a queue in which nobody is"));
        };
        let (turn, mut others) = (own.turn(), self.callers.values());
        let overtaken = others.find(|other| {
            let is_first = other.turn() < turn && other.wants();
            is_first && other.rules.agents.iter().any(|agent| agent == user)
        });
        law(overtaken.is_none(), || {
            format!("nobody overtakes: {own:?} is offered {user}, not {overtaken:?}")
        })?;
        if let Some(own) = self.callers.get_mut(&event.call) {
            own.ringing.insert(user.to_owned());
            if own.has_agent(user) {
                self.rests.remove(user);
            }
        }
        Ok(())
    }

    /// Those who did not answer, and whose caller is still there.
    fn rests_begin(&mut self, now: Time) {
        let callers = self.callers.values_mut();
        let missed: Vec<(String, Duration)> = callers
            .flat_map(|caller| {
                let retry = caller.rules.retry;
                let missed = std::mem::take(&mut caller.missed);
                missed.into_iter().map(move |agent| (agent, retry))
            })
            .collect();
        for (agent, retry) in missed {
            self.rest(agent, now + retry, now + retry.max(UNREACHABLE_REST));
        }
    }

    fn rest(&mut self, agent: String, least: Time, most: Time) {
        self.rests.insert(agent, Rest { least, most });
    }

    /// Of each line the first who wants an agent.
    fn heads(&self) -> impl Iterator<Item = &Caller> {
        let mut wanting: Vec<&Caller> = self.callers.values().collect();
        wanting.retain(|caller| caller.wants());
        wanting.sort_by_key(|caller| caller.turn());
        let mut seen = BTreeSet::new();
        wanting
            .into_iter()
            .filter(move |caller| seen.insert((&caller.queue, caller.plan)))
    }

    fn is_available(&self, agent: &str) -> bool {
        self.presence_of(agent) == Presence::In
            && !self.busy.contains_key(agent)
            && !self.undisturbed.contains(agent)
    }

    fn presence_of(&self, agent: &str) -> Presence {
        self.presence.get(agent).copied().unwrap_or_default()
    }

    fn is_free_of_one(&mut self, user: &str) {
        if let Some(count) = self.busy.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(user);
            }
        }
    }
}

impl Caller {
    fn has_agent(&self, user: &str) -> bool {
        self.rules.agents.iter().any(|agent| agent == user)
    }

    fn waits(&self) -> bool {
        self.answered_by.is_none()
    }

    fn wants(&self) -> bool {
        self.waits() && (self.rules.rings_all || self.ringing.is_empty())
    }

    /// For whom nobody rings comes first, and then by priority and arrival.
    fn turn(&self) -> (bool, Reverse<u64>, u64) {
        let is_offered = !self.ringing.is_empty();
        (is_offered, Reverse(self.rules.priority), self.arrival)
    }
}

impl Rules {
    fn of(object: &Object, draft: &Draft) -> Self {
        let number = |name: &str, usual: u64| {
            let value = object.settings.get(name).and_then(Value::as_u64);
            value.unwrap_or(usual)
        };
        let seconds = |name: &str, usual: u64| Duration::from_secs(number(name, usual));
        let listed = object.settings.get("agents").and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_str);
        let has_phone = |number: &&str| {
            let mut users = draft.users.iter();
            users.any(|user| user.number == **number && !user.devices.is_empty())
        };
        let strategy = object.settings.get("strategy").and_then(Value::as_str);
        Self {
            agents: listed.filter(has_phone).map(ToOwned::to_owned).collect(),
            rings_all: strategy.is_none_or(|strategy| strategy == "ring_all"),
            retry: seconds("retry_seconds", 5),
            wrap_up: seconds("wrap_up_seconds", 0),
            max_wait: seconds("max_wait_seconds", 1_800),
            priority: number("priority", 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, json};

    use super::super::walk::{Course, Taped, walk_on_tape};
    use super::*;
    use crate::account::Account;
    use crate::event::{Direction, GroupRef, UserRef};
    use crate::ids::AccountId;
    use crate::testing::example;

    const START: Time = Time::from_secs(1_569_943_875);

    fn user() -> UserRef {
        UserRef {
            number: "1010".into(),
            name: "John".into(),
        }
    }

    fn queue(name: &str) -> GroupRef {
        GroupRef {
            kind: GroupKind::Queue,
            name: name.into(),
        }
    }

    fn enters(call: u64, name: &str) -> Vec<(u64, Fact)> {
        let arrived = Fact::Arrived {
            direction: Direction::Inbound,
            caller_id: None,
            caller_name: None,
            dest_number: "61298765432".to_owned(),
        };
        let group = queue(name);
        vec![(call, arrived), (call, Fact::GroupEntered { group })]
    }

    fn rings(call: u64, name: &str) -> Vec<(u64, Fact)> {
        let queue: Option<Arc<str>> = Some(name.into());
        let ringing = Fact::UserRinging {
            user: user(),
            queue,
            ring_group: None,
        };
        vec![(call, ringing)]
    }

    /// Two queues of one agent, of which the second comes first.
    fn watch() -> Queues {
        let mut draft = example();
        for (name, priority) in [("Sales", 0), ("Important", 5)] {
            let object = json!({"id": name, "kind": "queue", "name": name, "settings":
                {"agents": ["1010"], "priority": priority, "max_wait_seconds": 60}});
            let objects = &mut draft.flows[0].objects;
            objects.push(serde_json::from_value(object).unwrap());
        }
        let mut queues = Queues::default();
        queues.plan(&draft);
        queues
    }

    /// Tells the facts, one second after another, and expects what becomes of them.
    #[track_caller]
    fn check(facts: &[Vec<(u64, Fact)>], broken: Option<&str>) {
        let mut queues = watch();
        let facts = facts.concat();
        let told = (1..).zip(&facts).try_for_each(|(second, (call, fact))| {
            queues.event(&Event {
                at: START + Duration::from_secs(second),
                account: AccountId(1),
                call: CallId(*call),
                fact: fact.clone(),
            })
        });
        let end = START + Duration::from_secs(10);
        let told = told.and_then(|()| queues.settled(end, Some(end)));
        match broken {
            None => assert_eq!(told, Ok(())),
            Some(broken) => assert!(
                told.as_ref().is_err_and(|why| why.contains(broken)),
                "{told:?}"
            ),
        }
    }

    #[test]
    fn a_line_in_order_is_left_alone() {
        check(
            &[enters(1, "Sales"), rings(1, "Sales"), enters(2, "Sales")],
            None,
        );
        check(
            &[
                enters(1, "Sales"),
                enters(2, "Important"),
                rings(2, "Important"),
            ],
            None,
        );
    }

    #[test]
    fn who_overtakes_is_noticed() {
        let broken = Some("nobody overtakes");
        check(
            &[enters(1, "Sales"), enters(2, "Sales"), rings(2, "Sales")],
            broken,
        );
        check(
            &[
                enters(1, "Sales"),
                enters(2, "Important"),
                rings(1, "Sales"),
            ],
            broken,
        );
    }

    #[test]
    fn who_waits_in_vain_is_noticed() {
        check(&[enters(1, "Sales")], Some("a free agent rings"));
        let calls = Fact::OutboundStarted { user: user() };
        check(
            &[enters(1, "Sales"), vec![(3, calls)], rings(1, "Sales")],
            Some("only who is not busy rings"),
        );
    }

    /// A walk whose queues are held against what `belief` makes of each draft.
    fn watch_walk(seed: u64, belief: &dyn Fn(&mut Draft)) -> Verdict {
        let mut tape = Vec::new();
        let course = Course {
            seed,
            steps: 400,
            kinds: |kind| matches!(kind.name, "queue" | "user"),
        };
        walk_on_tape(course, &mut |effects| effects, &mut tape)?;
        let mut account: Option<Account> = None;
        let mut queues = Queues::default();
        for told in tape {
            match (told, &mut account) {
                (Taped::Draft(mut draft, version, now, mut ids), account) => {
                    let plan = Arc::new(draft.compile(AccountId(1), version).unwrap());
                    match account {
                        Some(account) => drop(account.apply(plan, now, &mut ids)),
                        None => *account = Some(Account::new(plan)),
                    }
                    belief(&mut draft);
                    queues.plan(&draft);
                }
                (Taped::Input(now, input, mut ids), Some(account)) => {
                    let effects = account.handle(now, input, &mut ids);
                    queues.effects(now, &effects, account.deadline())?;
                }
                (Taped::Input(..), None) => unreachable!("a walk begins with a draft"),
            }
        }
        Ok(())
    }

    /// As if the account had read its queues wrongly.
    #[track_caller]
    fn check_notices(broken: &str, believed: fn(&mut Map<String, Value>)) {
        let belief = |draft: &mut Draft| {
            let objects = draft.flows.iter_mut().flat_map(|flow| &mut flow.objects);
            let queues = objects.filter(|object| object.kind == "queue");
            queues.for_each(|queue| believed(&mut queue.settings));
        };
        let notices = |seed| watch_walk(seed, &belief).is_err_and(|why| why.contains(broken));
        assert!((0..100).any(notices), "never noticed: {broken}");
    }

    fn set(settings: &mut Map<String, Value>, name: &str, value: u64) {
        settings.insert(name.to_owned(), value.into());
    }

    #[test]
    fn queues_that_are_not_as_drafted_are_noticed() {
        check_notices("a free agent rings for the first in line", |settings| {
            set(settings, "wrap_up_seconds", 0);
        });
        check_notices("a free agent rings for the first in line", |settings| {
            settings.insert("strategy".to_owned(), "ring_all".into());
        });
        check_notices("who rests is left alone", |settings| {
            set(settings, "retry_seconds", 600);
        });
        check_notices("nobody waits longer than allowed", |settings| {
            set(settings, "max_wait_seconds", 4);
        });
    }
}
