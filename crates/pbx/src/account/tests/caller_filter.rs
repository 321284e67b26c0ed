//! The caller filter: who is let through.

use serde_json::{Value, json};

use super::*;

/// Who a filter with those settings lets through, of two numbers and a caller without one.
#[track_caller]
fn check(settings: &Value, expected: [&str; 3]) {
    let callers = [Some("61300000000"), Some("61300000001"), None];
    let ways = callers.map(|caller| way_of(settings, caller));
    assert_eq!(ways, expected, "{settings}");
}

/// `allowed` rings Mary, `blocked` is not wired and ends the call by its cause.
fn way_of(settings: &Value, caller: Option<&str>) -> String {
    let mut desk = Desk::with(|draft| {
        let flow = json!({"id": "main", "objects": [
            {"id": "in", "kind": "inbound_number",
             "settings": {"numbers": ["+61298765432"]}, "exits": {"next": "filter"}},
            {"id": "filter", "kind": "caller_filter", "settings": settings,
             "exits": {"allowed": "mary"}},
            {"id": "mary", "kind": "user", "settings": {"user": "1011"}}
        ]});
        draft.flows = vec![serde_json::from_value(flow).unwrap()];
    });
    let leg = desk.ids.leg();
    desk.legs.insert("caller".to_owned(), leg);
    let name = "carrier".into();
    desk.give(Input::Incoming {
        leg,
        origin: Origin::Trunk { name },
        called: NUMBER.to_owned(),
        caller_number: caller.map(str::to_owned),
        caller_name: None,
    });
    desk.ladder.remove(1)
}

#[test]
fn lists_part_callers_by_their_number() {
    let (allowed, blocked) = ("[1011 rings]", "hang up caller: declined");
    let first = "+61300000000";
    check(&json!({}), [allowed, allowed, allowed]);
    check(&json!({"block": [first]}), [blocked, allowed, allowed]);
    check(&json!({"allow": [first]}), [allowed, blocked, allowed]);
    check(
        &json!({"allow": [first], "block": ["+61300000001"]}),
        [allowed, blocked, allowed],
    );
    check(
        &json!({"allow": [first], "block": [first]}),
        [allowed, allowed, allowed],
    );
    check(&json!({"anonymous": "block"}), [allowed, allowed, blocked]);
}
