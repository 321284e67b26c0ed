//! Webhook objects of a call flow: told once a pass, with headers of their own, and waited for by no call.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::contract::{instant_ms, text};
use crate::common::receiver::{Delivery, Habit};
use crate::common::stage::{CRM, SOON, Stage};

const CALLER: &str = "61400000001";
const NUMBER: &str = "61298765451";

/// Where the objects are told.
const EARLY: &str = "/early";
const LATE: &str = "/late";

/// Tells `/early`, rings John, and tells `/late` when he does not answer.
const FLOW: &str = r#"  - id: told
    name: Told
    objects:
      - {id: in, kind: inbound_number, name: Told line, at: [0, 0], settings: {numbers: ["+61298765451"]}, exits: {next: early}}
      - {id: early, kind: webhook, name: Somebody calls, at: [0, 0], settings: {url: "{base}/early", secret_token: ear1y, headers: {X-Source: switchhook, Authorization: "Bearer x"}}, exits: {next: john}}
      - {id: john, kind: user, name: John, at: [0, 0], settings: {user: "1010"}, exits: {no_answer: late, busy: late, unavailable: late}}
      - {id: late, kind: webhook, name: Out of time, at: [0, 0], settings: {url: "{base}/late", secret_token: 1ate}, exits: {next: nobody}}
      - {id: nobody, kind: hangup, name: Nobody there, at: [0, 0], settings: {cause: unavailable}}
"#;

fn stage() -> Stage {
    Stage::with(&[], |account| {
        account.ring_seconds = 3;
        let base = account.endpoints[0].url.replace(CRM, "");
        account.more_flows = FLOW.replace("{base}", &base);
    })
}

/// The one event that came there, with exactly the contract's body.
fn told_once(stage: &Stage, path: &str, name: &str) -> Delivery {
    let told = stage.receiver.wait_for(path, 1, SOON);
    let [event] = told.as_slice() else {
        panic!("one event a pass: {told:?}");
    };
    let expect = json!({
        "type": "webhook_component_event", "unique_call_id": event.call(),
        "user_name": "", "user_number": CALLER, "dest_number": NUMBER,
        "call_start_at": text(&event.body, "call_start_at"), "component_name": name,
    });
    assert_eq!(event.body, expect);
    event.clone()
}

#[test]
fn each_object_that_a_call_passes_is_told_once() {
    let stage = stage();
    let phone = stage.phone("1010-desk");
    let called = phone.play("rings").start();
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, NUMBER);
    let calling = call.start().finish();
    called.finish();
    let hooks = stage.follows("webhook_object::each_object_that_a_call_passes_is_told_once");
    let early = told_once(&stage, EARLY, "Somebody calls");
    let late = told_once(&stage, LATE, "Out of time");
    assert_eq!(
        (early.call(), late.call()),
        (hooks[0].call(), hooks[0].call())
    );
    assert_eq!(early.header("x-pbx-token"), "ear1y");
    assert_eq!(early.header("x-source"), "switchhook");
    assert_eq!(early.header("authorization"), "Bearer x");
    assert_eq!(late.header("x-pbx-token"), "1ate");
    assert_eq!(late.header("x-source"), "", "the other object's");
    // The arrival at the PBX in both, though John rang for seconds in between.
    let arrived_at = instant_ms(&early.body, "call_start_at");
    assert_eq!(instant_ms(&late.body, "call_start_at"), arrived_at);
    let invited_at = calling.sent("INVITE", "INVITE").at_ms;
    assert!(
        (invited_at - arrived_at).abs() < 50,
        "{invited_at} {arrived_at}"
    );
    assert!(
        late.at_ms - early.at_ms > 2_500,
        "each is told when it is passed"
    );
}

#[test]
fn a_call_does_not_wait_for_who_is_told() {
    let stage = stage();
    stage
        .receiver
        .set(EARLY, Habit::Hang(Duration::from_secs(20)));
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(100).start();
    let begun = Instant::now();
    let call = stage.carrier_plays("carrier-calls", CALLER, NUMBER);
    call.pause_ms(500).start().finish();
    called.finish();
    stage.follows("webhook_object::a_call_does_not_wait_for_who_is_told");
    assert!(begun.elapsed() < Duration::from_secs(15), "nobody waited");
    told_once(&stage, EARLY, "Somebody calls");
    assert!(stage.receiver.received(LATE).is_empty(), "not passed");
}
