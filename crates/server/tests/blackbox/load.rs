//! Many calls at once, and a network that loses messages.

use std::time::Duration;

use crate::common::account::JOHNS_NUMBER;
use crate::common::sipp::Counts;
use crate::common::stage::{CRM, Stage, check_hooks};

const CALLER: &str = "61400000001";

/// Webhooks of answered calls: ringing, answered, completed.
const HOOKS_PER_CALL: usize = 3;

#[test]
fn a_thousand_calls_at_fifty_a_second_fail_not_once() {
    const CALLS: u32 = 1_000;
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").calls(CALLS, 50).pause_ms(100).start();
    let call = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let calling = call.calls(CALLS, 50).pause_ms(300).start().finish_counted();
    let expected = Counts {
        successful: CALLS.into(),
        failed: 0,
        retransmissions: 0,
    };
    assert_eq!(calling, expected, "the carrier");
    assert_eq!(called.finish_counted(), expected, "the phone");
    check_all_told(&stage, CALLS);
}

#[test]
fn five_percent_loss_fails_no_call() {
    const CALLS: u32 = 300;
    const LOST_PERCENT: u32 = 5;
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone
        .play("answers-and-lingers")
        .calls(CALLS, 50)
        .pause_ms(2_000);
    let called = called.loses_percent(LOST_PERCENT).start();
    let call = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let calling = call
        .calls(CALLS, 30)
        .pause_ms(2_000)
        .loses_percent(LOST_PERCENT);
    let calling = calling.start().finish_counted();
    assert_eq!((calling.successful, calling.failed), (CALLS.into(), 0));
    let called = called.finish_counted();
    assert_eq!((called.successful, called.failed), (CALLS.into(), 0));
    check_all_told(&stage, CALLS);
}

/// Every call has its webhooks, in order, and its one row.
fn check_all_told(stage: &Stage, calls: u32) {
    let calls = usize::try_from(calls).expect("a test's calls are few");
    let deadline = Duration::from_mins(1);
    let hooks = stage
        .receiver
        .wait_for(CRM, calls * HOOKS_PER_CALL, deadline);
    assert_eq!(hooks.len(), calls * HOOKS_PER_CALL);
    check_hooks(&hooks);
    let rows = stage.rows(calls);
    assert!(
        rows.iter()
            .all(|row| row["type"] == "user_inbound_answered")
    );
}
