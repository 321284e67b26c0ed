//! Webhook objects: a pass is a fact, and the call goes on in the same moment.

use serde_json::json;

use super::*;
use crate::cdr::{Change, Fold};

/// A webhook object before John, and one where nobody answers.
fn desk() -> Desk {
    Desk::with(|draft| {
        let objects = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "told"}},
            {"id": "told", "kind": "webhook", "name": "Somebody calls", "settings": {
                "url": "https://crm.example.com/in", "secret_token": "5up3r",
                "headers": {"X-Source": "pbx"}},
             "exits": {"next": "john"}},
            {"id": "john", "kind": "user", "settings": {"user": "1010"},
             "exits": {"no_answer": "missed"}},
            {"id": "missed", "kind": "webhook", "settings": {
                "url": "https://crm.example.com/missed", "secret_token": "5up3r"}}
        ]);
        draft.flows[0].objects = serde_json::from_value(objects).unwrap();
    })
}

#[test]
fn a_pass_is_told_and_nobody_waits() {
    let mut desk = desk();
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[passes Somebody calls]",
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
    ]);
    desk.passes(25);
    desk.check(&[
        "hang up 1010-desk: no_answer",
        "hang up 1010-mobile: no_answer",
        "[1010 ended]",
        "[passes main/missed]",
        "hang up caller: unavailable",
        "[over: unavailable]",
    ]);
    desk.is_over();
}

#[test]
fn the_receiver_is_told_who_calls_whom_since_when() {
    let plan = desk().account.plan().clone();
    let (mut account, mut ids) = (
        Account::new(plan),
        Ids::new(CallIds::new(0, START), LegId(9)),
    );
    let input = Input::Incoming {
        leg: LegId(1),
        origin: Origin::Trunk {
            name: "carrier".into(),
        },
        called: NUMBER.to_owned(),
        caller_number: Some("61300000000".to_owned()),
        caller_name: Some("Ann".to_owned()),
    };
    let mut fold = Fold::new();
    let effects = account.handle(START, input, &mut ids);
    let events = effects.iter().filter_map(|effect| {
        if let Effect::Emit(event) = effect {
            Some(event)
        } else {
            None
        }
    });
    let mut changes = events.flat_map(|event| fold.apply(event));
    let told = changes.next().unwrap();
    let Change::Component(told) = told else {
        panic!("{told:?}");
    };
    assert_eq!(told.caller_id.as_deref(), Some("61300000000"));
    assert_eq!(told.caller_name.as_deref(), Some("Ann"));
    assert_eq!(told.dest_number, NUMBER);
    assert_eq!(told.arrived_at, START);
    assert_eq!(&*told.component.place, "main/told");
    assert_eq!(&*told.component.url, "https://crm.example.com/in");
    assert_eq!(&*told.component.secret_token, "5up3r");
    let headers: Vec<(&str, &str)> = told
        .component
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(headers, [("X-Source", "pbx")]);
}
