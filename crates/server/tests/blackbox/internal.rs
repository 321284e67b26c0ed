//! A user calls a user, and what can happen in a call that is up.

use std::time::Duration;

use crate::common::account::{ANN, JOHN, PASSWORD};
use crate::common::stage::Stage;
use crate::common::trace::Message;

#[test]
fn a_call_between_users_is_told_for_both_with_one_id() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let called = john.play("answers").pause_ms(400).start();
    stage
        .phone_plays(&ann, "phone-calls", JOHN)
        .pause_ms(1_200)
        .start()
        .finish();
    let called = called.finish();
    let shown = Message::user_in(called.received("INVITE", "INVITE").header("From")).to_owned();
    assert_eq!(shown, ANN);

    let hooks = stage.follows("internal::a_call_between_users_is_told_for_both_with_one_id");
    assert!(
        hooks.iter().all(|hook| hook.call() == hooks[0].call()),
        "one id"
    );
    for hook in &hooks {
        assert_eq!(hook.body["caller_id"], ANN);
        assert_eq!(hook.body["dest_number"], JOHN);
    }
}

#[test]
fn a_call_can_be_held_and_resumed() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let called = john.play("answers-holds").pause_ms(100).start();
    // The scenario itself demands answers that mirror the direction.
    stage
        .phone_plays(&ann, "phone-holds", JOHN)
        .pause_ms(500)
        .variable("hold", 1_000)
        .start()
        .finish();
    called.finish();
    stage.follows("internal::a_call_can_be_held_and_resumed");
}

#[test]
fn a_number_that_is_nobodys_is_told_as_an_unanswered_call() {
    let stage = Stage::with(&[], |account| account.trunks.clear());
    let ann = stage.phone("1020-desk");
    let call = stage
        .phone_plays(&ann, "phone-calls-refused", "1999")
        .start();
    assert_eq!(call.finish().final_code(), 404);
    stage.follows("internal::a_number_that_is_nobodys_is_told_as_an_unanswered_call");
    assert_eq!(stage.rows(1)[0]["dest_number"], "1999");
}

#[test]
fn a_caller_that_vanishes_does_not_leave_the_call_up() {
    let stage = Stage::with(&[("SWITCHHOOK_RTP__SILENCE_SECONDS", "2")], |_| {});
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let called = john.play("answers").pause_ms(100).start();
    let calling = stage
        .phone_plays(&ann, "phone-calls", JOHN)
        .pause_ms(60_000)
        .start();
    let answered = ["user_inbound", "user_outbound_answered"].len() * 2;
    stage
        .receiver
        .wait_for("/crm", answered, Duration::from_secs(5));
    calling.vanish();
    // The phone that is left gets its BYE: that ends its scenario.
    called.finish();
    stage.follows("internal::a_caller_that_vanishes_does_not_leave_the_call_up");
}

#[test]
fn a_call_over_tcp_is_like_any_other() {
    use crate::common::sipp::Wire;
    let stage = Stage::new();
    let john = stage.phone("1010-desk");
    let ann = stage.phone_over("1020-desk", Wire::Tcp);
    let called = john.play("answers").pause_ms(100).start();
    let call = stage
        .phone_plays(&ann, "phone-calls", JOHN)
        .credentials("1020-desk", PASSWORD);
    call.pause_ms(300).start().finish();
    called.finish();
    stage.hooks(6);
}
