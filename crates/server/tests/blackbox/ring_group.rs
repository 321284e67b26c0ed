//! A carrier calls a ring group: who rings, who wins, and the summary that is told of it.

use serde_json::Value;

use crate::common::account::{ANN, JOHN, SALES_NUMBER};
use crate::common::receiver::Delivery;
use crate::common::stage::Stage;

const CALLER: &str = "61400000001";

/// What was told of whom, in the order it came.
fn story(hooks: &[Delivery]) -> Vec<(&str, Option<&str>)> {
    let told = hooks.iter();
    told.map(|hook| (hook.kind(), hook.body["user_number"].as_str()))
        .collect()
}

/// Demands that every webhook names the group, and gives the summary, which is the last.
fn summary(hooks: &[Delivery]) -> &Value {
    for hook in hooks {
        assert_eq!(hook.body["ring_group_name"], "Sales", "{}", hook.kind());
    }
    &hooks.last().expect("there are webhooks").body
}

#[test]
fn all_members_ring_one_answers_and_the_summary_comes_last() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let john = john.play("rings").start();
    let ann = ann.play("answers").pause_ms(400).start();
    let call = stage
        .carrier_plays("carrier-calls", CALLER, SALES_NUMBER)
        .pause_ms(1_200);
    call.start().finish();
    john.finish();
    ann.finish();

    let hooks = stage.hooks(6);
    let expected = [
        ("user_inbound", Some(JOHN)),
        ("user_inbound", Some(ANN)),
        ("user_inbound_answered", Some(ANN)),
        ("user_inbound_completed", Some(JOHN)),
        ("user_inbound_completed", Some(ANN)),
        ("ring_group_call", Some(ANN)),
    ];
    assert_eq!(story(&hooks), expected);
    let summary = summary(&hooks);
    assert_eq!(summary["status"], "answered");
    assert_eq!(summary["connected_at"], hooks[2].body["connected_at"]);
    let types: Vec<Value> = stage
        .rows(2)
        .iter()
        .map(|row| row["type"].clone())
        .collect();
    assert!(types.contains(&"user_inbound_answered".into()), "{types:?}");
    assert!(types.contains(&"user_inbound_missed".into()), "{types:?}");
}

#[test]
fn when_nobody_answers_in_time_the_group_was_abandoned() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (john, ann) = (john.play("rings").start(), ann.play("rings").start());
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, SALES_NUMBER);
    assert_eq!(call.start().finish().final_code(), 486, "out of no_answer");
    john.finish();
    ann.finish();

    let hooks = stage.hooks(5);
    let summary = summary(&hooks);
    assert_eq!(summary["type"], "ring_group_call");
    assert_eq!(
        (&summary["status"], &summary["user_number"]),
        (&"abandoned".into(), &Value::Null)
    );
    assert_eq!(summary["conversation_duration"], 0);
    assert_eq!(stage.rows(2).len(), 2);
}
