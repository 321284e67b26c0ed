//! A carrier calls a ring group: who rings, who wins, and what is told of the stay.

use serde_json::Value;

use crate::common::account::SALES_NUMBER;
use crate::common::receiver::Delivery;
use crate::common::stage::{CRM, SOON, Stage};

const CALLER: &str = "61400000001";

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

    let path = "ring_group::all_members_ring_one_answers_and_the_summary_comes_last";
    let hooks = stage.follows(path);
    let summary = summary(&hooks);
    assert_eq!(summary["connected_at"], hooks[2].body["connected_at"]);
    let list = |query: &str| stage.server.group_calls("get-ringgroup-calls", query).len();
    assert_eq!(list("ringgroups_names=Sales&users_numbers=1020"), 1);
    assert_eq!(list("users_numbers=1010"), 0, "he did not answer");
    assert_eq!(list("ringgroups_names=Support"), 0);
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

    let path = "ring_group::when_nobody_answers_in_time_the_group_was_abandoned";
    summary(&stage.follows(path));
}

#[test]
fn a_caller_who_gives_up_has_abandoned_the_group() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (john, ann) = (john.play("rings").start(), ann.play("rings").start());
    let call = stage.carrier_plays("carrier-cancels", CALLER, SALES_NUMBER);
    call.pause_ms(800).start().finish();
    john.finish();
    ann.finish();
    summary(&stage.follows("ring_group::a_caller_who_gives_up_has_abandoned_the_group"));
}

#[test]
fn a_crash_while_it_rings_abandons_the_group() {
    let mut stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (john, ann) = (john.play("rings").start(), ann.play("rings").start());
    let call = stage.carrier_plays("carrier-calls-until-bye", CALLER, SALES_NUMBER);
    let call = call.start();
    stage.receiver.wait_for(CRM, 2, SOON);
    stage.server.kill();
    for party in [call, john, ann] {
        party.vanish();
    }
    stage.server.launch();
    summary(&stage.follows("ring_group::a_crash_while_it_rings_abandons_the_group"));
}

#[test]
fn a_crash_while_a_member_talks_ends_an_answered_stay() {
    let mut stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let john = john.play("rings").start();
    let ann = ann.play("answers").pause_ms(300).start();
    let call = stage.carrier_plays("carrier-calls-until-bye", CALLER, SALES_NUMBER);
    let call = call.start();
    // Both ring, Ann answers, John's attempt is over.
    stage.receiver.wait_for(CRM, 4, SOON);
    john.finish();
    stage.server.kill();
    for party in [call, ann] {
        party.vanish();
    }
    stage.server.launch();
    summary(&stage.follows("ring_group::a_crash_while_a_member_talks_ends_an_answered_stay"));
}
