//! Calls as ladders: what is said between phones, node and carriers, and what is remembered of it.
//! They are documentation; review a changed one like code.

mod common;

use std::time::Duration;

use sim::scenario::Scenario;
use sim::{Call, Reception, Talk, Then};

use crate::common::{answers, call, from_outside, millis, secs};

/// Runs the story, holds it against every rule, and gives its ladder.
#[track_caller]
fn tell(mut scenario: Scenario, length: Duration, columns: &[&str]) -> String {
    scenario.run(length).expect("no rule is broken");
    let ladder = scenario.ladder(columns);
    scenario.finish().expect("no rule is broken");
    ladder
}

#[test]
fn inbound_call_answered_by_one_of_two_devices() {
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("mobile", answers(secs(2)))
        .calls(millis(0), "carrier", from_outside());
    let ladder = tell(scenario, secs(8), &["carrier", "pbx", "desk", "mobile"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn both_devices_answer_at_once() {
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("desk", answers(millis(2_005)))
        .takes_calls("mobile", answers(secs(2)))
        .calls(millis(0), "carrier", from_outside());
    let ladder = tell(scenario, secs(8), &["carrier", "pbx", "desk", "mobile"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn busy() {
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("desk", Reception::refuses(486))
        .takes_calls("mobile", Reception::rings(Then::Reject(secs(1), 486)))
        .calls(millis(0), "carrier", from_outside());
    let ladder = tell(scenario, secs(8), &["carrier", "pbx", "desk", "mobile"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn no_answer_goes_on_to_mary() {
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("mary", answers(secs(1)))
        .calls(millis(0), "carrier", from_outside());
    let ladder = tell(
        scenario,
        secs(32),
        &["carrier", "pbx", "desk", "mobile", "mary"],
    );
    insta::assert_snapshot!(ladder);
}

#[test]
fn caller_gives_up() {
    let impatient = Call {
        patience: secs(4),
        ..from_outside()
    };
    let scenario = Scenario::new()
        .unwrap()
        .calls(millis(0), "carrier", impatient);
    let ladder = tell(scenario, secs(8), &["carrier", "pbx", "desk", "mobile"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn internal_call_ended_by_the_called_user() {
    let hangs_up = Talk {
        hangs_up_after: Some(secs(2)),
        ..Talk::default()
    };
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("mary", Reception::answers(secs(1), hangs_up))
        .calls(millis(0), "desk", call("1011"));
    let ladder = tell(scenario, secs(8), &["desk", "pbx", "mary"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn outbound_call_takes_the_second_trunk() {
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("carrier", Reception::refuses(503))
        .takes_calls("backup", answers(secs(1)))
        .calls(millis(0), "desk", call("0412345678"));
    let ladder = tell(scenario, secs(8), &["desk", "pbx", "carrier", "backup"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn hold_and_resume() {
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("mary", answers(secs(1)))
        .calls(
            millis(0),
            "desk",
            Call {
                talk: Talk {
                    hangs_up_after: Some(secs(6)),
                    holds: Some((secs(2), secs(2))),
                    ..Talk::default()
                },
                ..call("1011")
            },
        );
    let ladder = tell(scenario, secs(10), &["desk", "pbx", "mary"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn early_media_from_the_outside() {
    let announces = Reception {
        early_after: Some(millis(300)),
        ..answers(secs(2))
    };
    let scenario = Scenario::new()
        .unwrap()
        .takes_calls("carrier", announces)
        .calls(millis(0), "desk", call("0412345678"));
    let ladder = tell(scenario, secs(8), &["desk", "pbx", "carrier"]);
    insta::assert_snapshot!(ladder);
}
