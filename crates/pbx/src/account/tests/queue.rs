//! Queues: who rings for whom, what callers hear in line, and every way out.

mod codes;

use serde_json::{Value, json};

use super::*;
use crate::cdr::{Change, Fold};
use crate::floor::{AgentChange, AgentState, Presence};
use crate::trigger::Trigger;

/// Three users, each with one phone, and two queues behind two numbers: of the first the settings
/// are given, with what they lack; the second is a line for the same agents that comes first.
fn office(settings: &Value) -> Desk {
    Desk::with(|draft| set_up(draft, settings))
}

fn set_up(draft: &mut Draft, settings: &Value) {
    let mut support = json!({"agents": ["1010", "1011", "1012"]});
    for (key, value) in settings.as_object().unwrap() {
        support[key] = value.clone();
    }
    let flow = json!({"id": "main", "objects": [
        {"id": "in", "kind": "inbound_number",
         "settings": {"numbers": ["+61298765432"]}, "exits": {"next": "support"}},
        {"id": "support", "kind": "queue", "name": "Support", "settings": support,
         "exits": {"key": "bye", "full": "bye", "nobody": "bye"}},
        {"id": "bye", "kind": "hangup", "settings": {"cause": "congested"}},
        {"id": "vips", "kind": "inbound_number",
         "settings": {"numbers": ["+61298765433"]}, "exits": {"next": "vip"}},
        {"id": "vip", "kind": "queue", "name": "Important",
         "settings": {"agents": ["1010"], "priority": 5}}
    ]});
    draft.flows = vec![serde_json::from_value(flow).unwrap()];
    for (user, number) in draft.users.iter_mut().zip(["1010", "1011", "1012"]) {
        let device = json!({"name": "phone", "username": number, "password": "correct-horse"});
        user.devices = vec![serde_json::from_value(device).unwrap()];
    }
}

const VIP_NUMBER: &str = "61298765433";
const MUSIC: &str = "play [Music] to";

impl Desk {
    /// Somebody calls the line; what that does is looked at later.
    fn joins(&mut self, name: &str, number: &str) {
        let trunk = Origin::Trunk {
            name: "carrier".into(),
        };
        self.arrives(name, trunk, number);
    }

    fn agent(&mut self, user: &str, change: AgentChange) {
        let user = user.into();
        self.give(Input::Agent { user, change });
    }

    /// Who has begun to ring since the last look.
    fn rung(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.ladder);
        let ringing = lines
            .iter()
            .filter_map(|line| line.strip_suffix(" rings]")?.strip_prefix('['));
        ringing.map(ToOwned::to_owned).collect()
    }

    /// The phone rings out by itself.
    fn refuses(&mut self, name: &str) {
        self.fails(name, Failure::Declined);
    }

    fn say_bye(&mut self, names: &[&str]) {
        for name in names {
            self.hangs_up(name, HangupCause::Normal);
        }
        self.is_over();
    }
}

#[test]
fn everybody_rings_the_first_answers_and_the_summary_follows_the_winners_end() {
    let mut desk = office(&json!({"agents": ["1010", "1011"]}));
    desk.joins("caller", NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[into Support]",
        "pick up caller",
        "play [Music] to caller Forever",
        "[1010 rings]",
        "dial 1010 as +61300000000",
        "[1011 rings]",
        "dial 1011 as +61300000000",
    ]);
    desk.rings("1010");
    desk.check(&[]);
    desk.answers("1011");
    desk.check(&[
        "stop playing to caller",
        "connect caller with 1011",
        "[1011 answered]",
        "hang up 1010: answered_elsewhere",
        "[1010 ended]",
        "[Support answered by 1011]",
    ]);
    desk.passes(3_600);
    desk.check(&[]);
    desk.hangs_up("1011", HangupCause::Normal);
    desk.check(&[
        "[1011 ended]",
        "[out of Support]",
        "hang up caller: normal",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn five_agents_three_times_are_one_queue_call_and_fifteen_attempts() {
    let agents = ["1010", "1011", "1012", "1013", "1014"];
    let mut desk = Desk::with(|draft| {
        for number in ["1013", "1014"] {
            let mut user = draft.users[1].clone();
            user.number = number.to_owned();
            user.name = format!("User {number}");
            draft.users.push(user);
        }
        let settings = json!({"agents": agents, "ring_seconds": 10, "retry_seconds": 5,
                              "max_wait_seconds": 40});
        set_up(draft, &settings);
        for number in ["1013", "1014"] {
            let user = draft.users.iter_mut().find(|user| user.number == number);
            let device = json!({"name": "phone", "username": number, "password": "correct-horse"});
            user.unwrap().devices = vec![serde_json::from_value(device).unwrap()];
        }
    });
    desk.joins("caller", NUMBER);
    desk.passes(60);
    desk.is_over();
    let mut fold = Fold::new();
    let changes: Vec<Change> = desk
        .events
        .iter()
        .flat_map(|event| fold.apply(event))
        .collect();
    let hooks = |wanted: Trigger| {
        let is_it =
            |change: &&Change| matches!(change, Change::Hook(hook) if hook.trigger == wanted);
        changes.iter().filter(is_it).count()
    };
    assert_eq!(hooks(Trigger::UserInbound), 15);
    assert_eq!(hooks(Trigger::UserInboundCompleted), 15);
    assert_eq!(hooks(Trigger::UserInboundAnswered), 0);
    assert_eq!(hooks(Trigger::QueueCall), 1);
    let rows = |is_it: fn(&Change) -> bool| changes.iter().filter(|change| is_it(change)).count();
    assert_eq!(rows(|change| matches!(change, Change::GroupRow(_))), 1);
    assert_eq!(rows(|change| matches!(change, Change::Row(_))), 5);
}

#[test]
fn whoever_is_next_rings_the_agent_the_moment_the_wrap_up_is_over() {
    let mut desk = office(&json!({"agents": ["1011"], "wrap_up_seconds": 30}));
    desk.joins("first", NUMBER);
    desk.answers("1011");
    desk.joins("second", NUMBER);
    desk.passes(100);
    desk.ladder.clear();
    desk.hangs_up("1011", HangupCause::Normal);
    assert!(desk.rung().is_empty(), "the agent wraps up");
    desk.passes(29);
    assert!(desk.rung().is_empty());
    desk.passes(1);
    assert_eq!(desk.rung(), ["1011"]);
    desk.answers("1011");
    desk.ladder.truncate(2);
    desk.check(&["stop playing to second", "connect second with 1011"]);
    desk.say_bye(&["second"]);
}

#[test]
fn an_agent_is_busy_with_any_call_and_offered_when_it_ends() {
    let mut desk = office(&json!({"agents": ["1011"]}));
    desk.dials("1011", "1010");
    desk.joins("waiting", NUMBER);
    desk.passes(10);
    assert_eq!(desk.rung(), ["1010"], "who was called");
    desk.hangs_up("caller", HangupCause::GaveUp);
    assert_eq!(desk.rung(), ["1011"]);
    desk.say_bye(&["waiting"]);
}

#[test]
fn as_many_callers_ring_as_agents_are_free_in_the_order_they_came() {
    let mut desk = office(&json!({"strategy": "round_robin"}));
    for name in ["first", "second", "third", "fourth"] {
        desk.joins(name, NUMBER);
    }
    assert_eq!(desk.rung(), ["1010", "1011", "1012"]);
    for (agent, caller) in [("1012", "third"), ("1010", "first"), ("1011", "second")] {
        desk.answers(agent);
        let connects = format!("connect {caller} with {agent}");
        assert!(desk.ladder.contains(&connects), "{:?}", desk.ladder);
    }
    desk.ladder.clear();
    desk.hangs_up("second", HangupCause::Normal);
    assert_eq!(desk.rung(), ["1011"]);
    desk.answers("1011");
    assert!(desk.ladder.contains(&"connect fourth with 1011".to_owned()));
    desk.say_bye(&["first", "third", "fourth"]);
}

#[test]
fn when_all_ring_each_caller_is_offered_one_before_the_first_is_offered_more() {
    let mut desk = office(&json!({"ring_seconds": 10, "retry_seconds": 5}));
    desk.joins("first", NUMBER);
    assert_eq!(desk.rung(), ["1010", "1011", "1012"]);
    desk.joins("second", NUMBER);
    assert!(desk.rung().is_empty(), "nobody is free");
    desk.passes(10);
    desk.passes(5);
    assert_eq!(desk.rung(), ["1010", "1011", "1012"]);
    for (agent, caller) in [("1011", "second"), ("1012", "first")] {
        desk.answers(agent);
        let connects = format!("connect {caller} with {agent}");
        assert!(desk.ladder.contains(&connects), "{:?}", desk.ladder);
    }
    desk.say_bye(&["first", "second"]);
}

#[test]
fn who_is_refused_keeps_the_place_and_rings_somebody_else() {
    let mut desk = office(&json!({"strategy": "round_robin", "retry_seconds": 20}));
    desk.agent("1012", AgentChange::LogOut);
    desk.joins("first", NUMBER);
    desk.joins("second", NUMBER);
    assert_eq!(desk.rung(), ["1010", "1011"]);
    desk.refuses("1010");
    desk.refuses("1011");
    assert!(desk.rung().is_empty(), "both rest");
    desk.passes(20);
    // The first caller has the choice, and has asked 1010 already.
    assert_eq!(desk.rung(), ["1011", "1010"]);
    desk.answers("1011");
    assert!(
        desk.ladder.contains(&"connect first with 1011".to_owned()),
        "{:?}",
        desk.ladder
    );
    desk.say_bye(&["first", "second"]);
}

#[test]
fn a_line_of_higher_priority_comes_first() {
    let mut desk = office(&json!({"agents": ["1010"]}));
    desk.dials("1010", "1011");
    desk.joins("first", NUMBER);
    desk.joins("important", VIP_NUMBER);
    desk.hangs_up("caller", HangupCause::GaveUp);
    desk.answers("1010");
    assert!(
        desk.ladder
            .contains(&"connect important with 1010".to_owned()),
        "{:?}",
        desk.ladder
    );
    desk.say_bye(&["first", "important"]);
}

/// Callers who are each refused by whoever rings, and the agents in the order they rang.
#[track_caller]
fn check_order(strategy: &str, expected: &[&str]) {
    let mut desk = office(&json!({"strategy": strategy, "retry_seconds": 1}));
    // 1010 has taken two calls, 1011 one, but later.
    for agent in ["1010", "1010", "1011"] {
        let others = ["1010", "1011", "1012"]
            .into_iter()
            .filter(|other| *other != agent);
        others
            .clone()
            .for_each(|other| desk.agent(other, AgentChange::Pause));
        desk.joins("before", NUMBER);
        desk.answers(agent);
        desk.passes(10);
        desk.hangs_up("before", HangupCause::Normal);
        others.for_each(|other| desk.agent(other, AgentChange::Resume));
    }
    desk.ladder.clear();
    desk.joins("caller", NUMBER);
    let mut order = desk.rung();
    for _ in 0..3 {
        let last = order.last().unwrap().clone();
        desk.refuses(&last);
        order.extend(desk.rung());
    }
    assert_eq!(order, expected, "{strategy}");
    desk.say_bye(&["caller"]);
}

#[test]
fn each_strategy_has_its_order() {
    check_order("longest_idle", &["1012", "1010", "1011"]);
    check_order("fewest_calls", &["1012", "1011", "1010"]);
    check_order("round_robin", &["1012", "1010", "1011"]);
}

#[test]
fn at_random_everybody_is_first_now_and_then() {
    let mut desk = office(&json!({"strategy": "random"}));
    let mut first = std::collections::BTreeSet::new();
    for _ in 0..50 {
        desk.joins("caller", NUMBER);
        first.extend(desk.rung());
        desk.hangs_up("caller", HangupCause::Normal);
        desk.ladder.clear();
        desk.passes(1);
    }
    assert_eq!(first.len(), 3);
    desk.is_over();
}

#[test]
fn nobody_waits_longer_than_allowed_ringing_or_not() {
    let mut desk = office(&json!({"agents": ["1011"], "max_wait_seconds": 60}));
    desk.joins("caller", NUMBER);
    desk.passes(59);
    desk.ladder.clear();
    desk.passes(1);
    desk.check(&[
        "stop playing to caller",
        "hang up 1011: no_answer",
        "[1011 ended]",
        "[out of Support]",
        "hang up caller: no_answer",
        "[over: no_answer]",
    ]);
    desk.is_over();
}

#[test]
fn a_full_line_takes_nobody_in() {
    let mut desk = office(&json!({"agents": ["1011"], "max_callers": 1}));
    desk.joins("first", NUMBER);
    desk.ladder.clear();
    desk.joins("second", NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[into Support]",
        "[out of Support]",
        "hang up second: congested",
        "[over: congested]",
    ]);
    desk.answers("1011");
    desk.ladder.clear();
    desk.joins("third", NUMBER);
    assert!(desk.ladder.iter().any(|line| line.starts_with(MUSIC)));
    desk.say_bye(&["first", "third"]);
}

#[test]
fn without_anybody_logged_in_callers_leave_also_from_the_line() {
    let mut desk = office(&json!({"agents": ["1010", "1011"], "strategy": "longest_idle"}));
    desk.agent("1010", AgentChange::LogOut);
    desk.agent("1011", AgentChange::Pause);
    desk.joins("first", NUMBER);
    desk.joins("second", NUMBER);
    assert!(desk.rung().is_empty());
    desk.agent("1011", AgentChange::LogOut);
    let out = desk
        .ladder
        .iter()
        .filter(|line| *line == "[out of Support]");
    assert_eq!(out.count(), 2, "{:?}", desk.ladder);
    desk.is_over();
    desk.ladder.clear();
    desk.joins("third", NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[into Support]",
        "[out of Support]",
        "hang up third: congested",
        "[over: congested]",
    ]);
    desk.agent("1010", AgentChange::LogIn);
    desk.joins("fourth", NUMBER);
    assert_eq!(desk.rung(), ["1010"]);
    desk.say_bye(&["fourth"]);
}

#[test]
fn the_key_leaves_the_line_if_it_leads_anywhere() {
    let mut desk = office(&json!({"agents": ["1011"], "exit_key": "1"}));
    desk.joins("caller", NUMBER);
    desk.ladder.clear();
    desk.presses('2');
    desk.check(&[]);
    desk.presses('1');
    desk.check(&[
        "stop playing to caller",
        "hang up 1011: normal",
        "[1011 ended]",
        "[out of Support]",
        "hang up caller: congested",
        "[over: congested]",
    ]);
    desk.is_over();
}

#[test]
fn callers_are_told_their_place_and_how_to_leave() {
    let settings = json!({"agents": ["1011"], "announce": "place_and_wait", "announce_seconds": 30,
                          "reminder": "queue-thank-you", "reminder_seconds": 45, "exit_key": "#",
                          "ring_seconds": 300});
    let mut desk = office(&settings);
    desk.joins("first", NUMBER);
    desk.joins("caller", NUMBER);
    let place = "play [QueuePlace(2)] to caller Once";
    assert!(desk.ladder.contains(&place.to_owned()), "{:?}", desk.ladder);
    desk.ladder.clear();
    desk.has_heard_it();
    desk.check(&["play [Music] to caller Forever"]);
    desk.passes(30);
    desk.ladder.retain(|line| line.contains("caller"));
    desk.check(&[place]);
    desk.has_heard_it();
    desk.answers("1011");
    desk.ladder.clear();
    desk.passes(15);
    desk.check(&[
        "play [Prompt(\"queue-thank-you\"), Prompt(\"queue-leave-by-key\"), Digits(\"#\")] to \
         caller Once",
    ]);
    desk.passes(15);
    // The first one waited for half a minute.
    desk.check(&["play [QueuePlace(1), QueueWait { seconds: 30 }] to caller Once"]);
    desk.hangs_up("1011", HangupCause::Normal);
    desk.say_bye(&["caller"]);
}

#[test]
fn a_newer_plan_keeps_agents_and_places() {
    let mut desk = office(&json!({"agents": ["1010", "1011"], "strategy": "longest_idle"}));
    desk.agent("1010", AgentChange::LogOut);
    desk.agent("1011", AgentChange::Pause);
    desk.joins("first", NUMBER);
    desk.apply(plan(|draft| {
        set_up(
            draft,
            &json!({"agents": ["1010", "1012"], "strategy": "longest_idle"}),
        );
    }));
    desk.joins("second", NUMBER);
    // 1010 is still out. The first caller waits for 1011, and is not in the way of the second.
    assert_eq!(desk.rung(), ["1012"]);
    desk.agent("1010", AgentChange::LogIn);
    assert_eq!(desk.rung(), ["1010"]);
    desk.answers("1010");
    assert!(
        desk.ladder.contains(&"connect first with 1010".to_owned()),
        "{:?}",
        desk.ladder
    );
    desk.say_bye(&["first", "second"]);
}

#[test]
fn who_has_left_the_account_starts_anew() {
    let mut desk = office(&json!({"agents": ["1011"]}));
    desk.agent("1011", AgentChange::LogOut);
    let without = plan(|draft| drop(draft.users.remove(2)));
    let with = Arc::clone(desk.account.plan());
    for applied in [without, with] {
        desk.apply(applied);
    }
    desk.joins("caller", NUMBER);
    assert!(desk.rung().is_empty(), "a user who stayed is still out");
    desk.agent("1099", AgentChange::LogOut);
    desk.is_over();
}

#[test]
fn what_is_wrong_with_a_queue_is_said() {
    let faults = [
        (json!({"agents": ["1010", "1010"]}), "already"),
        (json!({"agents": ["1099"]}), "no user's internal number"),
        (json!({"agents": []}), "1 to 200"),
        (json!({"agents": [1010]}), "in quotes"),
        (json!({"agents": ["1010"], "max_wait_seconds": 1}), "from 5"),
        (json!({"agents": ["1010"], "exit_key": "12"}), "one of"),
        (json!({"agents": ["1010"], "strategy": "all"}), "one of"),
    ];
    for (settings, expected) in faults {
        let problems = problems(&settings);
        let found = problems
            .iter()
            .any(|problem| problem.rule.contains(expected));
        assert!(found, "{expected}: {problems:?}");
    }
}

fn problems(settings: &Value) -> Vec<crate::draft::Problem> {
    let mut draft = example();
    let queue = json!({"id": "queue", "kind": "queue", "name": "Queue", "settings": settings});
    draft.flows[0]
        .objects
        .push(serde_json::from_value(queue).unwrap());
    match draft.compile(AccountId(1), 1) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems,
    }
}

#[test]
fn an_agent_without_a_phone_is_odd_and_never_rings() {
    let problems = problems(&json!({"agents": ["1012"]}));
    let odd = problems
        .iter()
        .find(|problem| problem.rule.contains("no device"));
    assert_eq!(odd.unwrap().path, "flows[0].objects[4].settings.agents[0]");
}

#[test]
fn a_queue_is_seen_as_it_is() {
    let mut desk = office(&json!({"wrap_up_seconds": 30, "strategy": "round_robin"}));
    desk.agent("1012", AgentChange::Pause);
    desk.joins("first", NUMBER);
    desk.answers("1010");
    desk.passes(5);
    let since = desk.now;
    desk.joins("second", NUMBER);
    desk.refuses("1011");
    desk.passes(1);
    let seen = |desk: &Desk| {
        let mut queues = desk.account.queues(desk.now);
        let view = queues.find(|queue| &*queue.name == "Support").unwrap();
        let callers = view.callers.iter();
        let agents = view.agents.iter();
        (
            (view.waiting, view.waiting_since),
            callers.map(|caller| caller.since).collect::<Vec<_>>(),
            agents
                .map(|agent| (agent.presence, agent.state, agent.idle_since, agent.calls))
                .collect::<Vec<_>>(),
        )
    };
    let agents = vec![
        (Presence::In, AgentState::Busy, None, 1),
        (Presence::In, AgentState::Resting, None, 0),
        (Presence::Paused, AgentState::Idle, None, 0),
    ];
    assert_eq!(seen(&desk), ((1, Some(since)), vec![since], agents));
    desk.hangs_up("1010", HangupCause::Normal);
    let ended = Some(desk.now);
    desk.agent("1012", AgentChange::LogOut);
    desk.hangs_up("second", HangupCause::Normal);
    desk.passes(10);
    let agents = vec![
        (Presence::In, AgentState::Resting, ended, 1),
        (Presence::In, AgentState::Idle, None, 0),
        (Presence::Out, AgentState::Idle, None, 0),
    ];
    assert_eq!(seen(&desk), ((0, None), vec![], agents));
    desk.passes(20);
    desk.joins("third", NUMBER);
    // The wrap-up is over, and it is the turn of 1010.
    let states: Vec<_> = seen(&desk).2.iter().map(|agent| agent.1).collect();
    assert_eq!(
        states,
        [AgentState::Busy, AgentState::Idle, AgentState::Idle]
    );
    desk.say_bye(&["third"]);
}

#[test]
fn an_agent_who_hands_the_caller_on_wraps_up_and_takes_the_next() {
    let mut desk = office(&json!({"agents": ["1011"], "wrap_up_seconds": 10}));
    desk.joins("first", NUMBER);
    desk.answers("1011");
    desk.joins("second", NUMBER);
    desk.ladder.clear();
    desk.hands_on("1011", "1012");
    let told = ["[1011 ended]", "[out of Support]", "[1012 rings]"];
    let told_of = |desk: &Desk| -> Vec<String> {
        let facts = desk.ladder.iter().filter(|line| line.starts_with('['));
        facts.cloned().collect()
    };
    assert_eq!(told_of(&desk), told);
    desk.answers("1012");
    desk.ladder.clear();
    desk.passes(9);
    assert!(desk.rung().is_empty(), "the agent wraps up");
    desk.passes(1);
    assert_eq!(desk.rung(), ["1011"]);
    desk.say_bye(&["first", "second"]);
}
