//! Ring groups: who rings when, who wins, and every way out.

use serde_json::{Value, json};

use super::*;

/// The example account with a ring group behind its number, and what follows it.
fn office(settings: &Value) -> Desk {
    Desk::with(|draft| {
        let flow = json!({"id": "main", "objects": [
            {"id": "in", "kind": "inbound_number",
             "settings": {"numbers": ["+61298765432"]}, "exits": {"next": "sales"}},
            {"id": "sales", "kind": "ring_group", "name": "Sales", "settings": settings,
             "exits": {"no_answer": "bye"}},
            {"id": "bye", "kind": "hangup", "settings": {"cause": "congested"}}
        ]});
        draft.flows = vec![serde_json::from_value(flow).unwrap()];
    })
}

fn both() -> Value {
    json!([{"user": "1010"}, {"user": "1011"}])
}

#[test]
fn all_ring_the_first_wins_and_the_summary_follows_the_winners_end() {
    let mut desk = office(&json!({"members": both()}));
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[into Sales]",
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
    desk.answers("1011-desk");
    desk.check(&[
        "connect caller with 1011-desk",
        "[1011 answered]",
        "hang up 1010-desk: answered_elsewhere",
        "hang up 1010-mobile: answered_elsewhere",
        "[1010 ended]",
        "[Sales answered by 1011]",
    ]);
    desk.passes(3_600);
    desk.check(&[]);
    desk.hangs_up("1011-desk", HangupCause::Normal);
    desk.check(&[
        "[1011 ended]",
        "[out of Sales]",
        "hang up caller: normal",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_delay_makes_a_member_ring_later_and_ring_time_ends_all() {
    let members = json!([{"user": "1010"}, {"user": "1011", "delay_seconds": 10}]);
    let mut desk = office(&json!({"members": members, "ring_seconds": 15}));
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.passes(9);
    desk.check(&[]);
    desk.passes(1);
    desk.check(&["[1011 rings]", "dial 1011-desk as +61300000000"]);
    desk.passes(5);
    desk.check(&[
        "hang up 1010-desk: no_answer",
        "hang up 1010-mobile: no_answer",
        "[1010 ended]",
        "hang up 1011-desk: no_answer",
        "[1011 ended]",
        "[out of Sales]",
        "hang up caller: congested",
        "[over: congested]",
    ]);
    desk.is_over();
}

#[test]
fn in_order_each_rings_its_time_and_a_failure_calls_the_next() {
    let settings = json!({"members": [{"user": "1012"}, {"user": "1010"}, {"user": "1011"}],
                          "strategy": "in_order", "ring_seconds": 10});
    let mut desk = office(&settings);
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[into Sales]",
        "[1012 rings]",
        "[1012 ended]",
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
    ]);
    desk.passes(10);
    desk.check(&[
        "hang up 1010-desk: no_answer",
        "hang up 1010-mobile: no_answer",
        "[1010 ended]",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
    desk.fails("1011-desk", Failure::Busy);
    desk.check(&[
        "[1011 ended]",
        "[out of Sales]",
        "hang up caller: congested",
        "[over: congested]",
    ]);
    desk.is_over();
}

#[test]
fn at_random_everybody_rings_once() {
    let mut desk = office(&json!({"members": both(), "strategy": "random", "ring_seconds": 5}));
    desk.comes_in(NUMBER);
    desk.passes(10);
    for user in ["1010", "1011"] {
        let rings = format!("[{user} rings]");
        assert_eq!(desk.ladder.iter().filter(|line| **line == rings).count(), 1);
    }
    desk.is_over();
}

#[test]
fn when_all_are_busy_the_call_leaves_by_that_exit() {
    let mut desk = office(&json!({"members": both()}));
    desk.comes_in(NUMBER);
    desk.fails("1010-desk", Failure::Busy);
    desk.fails("1010-mobile", Failure::Busy);
    desk.ladder.clear();
    desk.fails("1011-desk", Failure::Declined);
    desk.check(&[
        "[1011 ended]",
        "[out of Sales]",
        "hang up caller: busy",
        "[over: busy]",
    ]);
    desk.is_over();
}

#[test]
fn who_is_on_the_phone_is_skipped_without_a_ring() {
    // The caller is a member, and on the phone by calling.
    let mut desk = office(&json!({"members": both(), "busy_members": "skip"}));
    desk.dials("1011-desk", "+61298765432");
    desk.check(&[
        "[internal 1011 to 61298765432]",
        "[1011 calls]",
        "[into Sales]",
        "[1010 rings]",
        "dial 1010-desk as 1011",
        "dial 1010-mobile as 1011",
    ]);
    desk.hangs_up("caller", HangupCause::GaveUp);
    desk.check(&[
        "hang up 1010-desk: gave_up",
        "hang up 1010-mobile: gave_up",
        "[1010 ended]",
        "[out of Sales]",
        "[1011's call ended]",
        "[over: gave_up]",
    ]);
    desk.is_over();
}

#[test]
fn a_member_outside_answers_for_nobody() {
    let mut desk = office(&json!({"members": [{"user": "1011"}, {"number": "+61400000001"}]}));
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.answers("carrier");
    desk.check(&[
        "connect caller with carrier",
        "hang up 1011-desk: answered_elsewhere",
        "[1011 ended]",
        "[Sales answered by outside]",
    ]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&[
        "hang up carrier: normal",
        "[out of Sales]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn what_is_wrong_with_a_group_is_said() {
    let faults = [
        (json!([{"user": "1010"}, {"user": "1010"}]), "twice"),
        (
            json!([{"user": "1010", "number": "+61400000001"}]),
            "either",
        ),
        (json!([{"user": "1099"}]), "no user's internal number"),
        (json!([{"number": "zero"}]), "telephone number"),
        (json!([{"user": "1010", "delay_seconds": 601}]), "0 to 600"),
        (json!([]), "1 to 32"),
    ];
    for (members, expected) in faults {
        check_fault(&members, "Sales", expected);
    }
    check_fault(&both(), "Sales, North", "comma");
}

#[track_caller]
fn check_fault(members: &Value, name: &str, expected: &str) {
    let mut draft = example();
    let group = json!({"id": "group", "kind": "ring_group", "name": name,
                       "settings": {"members": members}});
    draft.flows[0]
        .objects
        .push(serde_json::from_value(group).unwrap());
    let problems = draft.compile(AccountId(1), 1).unwrap_err();
    let found = problems
        .iter()
        .any(|problem| problem.rule.contains(expected));
    assert!(found, "{expected}: {problems:?}");
}

#[test]
fn two_groups_of_one_name_clash() {
    let mut draft = example();
    for id in ["first", "second"] {
        let group = json!({"id": id, "kind": "ring_group", "name": "Sales",
                           "settings": {"members": both()}});
        draft.flows[0]
            .objects
            .push(serde_json::from_value(group).unwrap());
    }
    let problems = draft.compile(AccountId(1), 1).unwrap_err();
    assert!(
        problems
            .iter()
            .any(|problem| problem.rule.contains("rename one"))
    );
}
