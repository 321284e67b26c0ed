//! A carrier calls a user: every way it can go, as the phones, the webhooks and the API tell it.

use serde_json::Value;

use crate::common::account::{BUSY_NUMBER, JOHN, JOHNS_NUMBER};
use crate::common::address::fresh_address;
use crate::common::contract::instant_ms;
use crate::common::sipp::Sipp;
use crate::common::stage::Stage;
use crate::common::trace::Message;

const CALLER: &str = "61400000001";

/// How far our instants may be from those that sipp noted.
const INSTANT_TOLERANCE_MS: i64 = 50;

#[test]
fn an_answered_call_is_told_with_the_numbers_and_times_that_the_phones_saw() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(1_200).start();
    let call = stage
        .carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER)
        .pause_ms(2_100);
    let calling = call.start().finish();
    let called = called.finish();

    let hooks = stage.follows(
        "inbound::an_answered_call_is_told_with_the_numbers_and_times_that_the_phones_saw",
    );
    let rang_at = called.received("INVITE", "INVITE").at_ms;
    let answered_at = called.sent("SIP/2.0 200", "INVITE").at_ms;
    let ended_at = calling.sent("BYE", "BYE").at_ms;
    for hook in &hooks {
        assert_eq!(hook.body["caller_id"], CALLER);
        assert_eq!(hook.body["dest_number"], JOHNS_NUMBER);
        assert_eq!(hook.body["user_name"], "John Smith");
        assert_eq!(hook.body["user_number"], JOHN);
        near(instant_ms(&hook.body, "call_start_at"), rang_at);
    }
    near(instant_ms(&hooks[1].body, "connected_at"), answered_at);
    for told in [&hooks[2].body, &stage.rows(1)[0]] {
        near(instant_ms(told, "connected_at"), answered_at);
        within_a_second(&told["call_duration"], ended_at - rang_at);
        within_a_second(&told["conversation_duration"], ended_at - answered_at);
    }
}

#[track_caller]
fn near(ours_ms: i64, theirs_ms: i64) {
    let apart = (ours_ms - theirs_ms).abs();
    assert!(apart <= INSTANT_TOLERANCE_MS, "{apart} ms apart");
}

#[track_caller]
fn within_a_second(seconds: &Value, millis: i64) {
    let ours = seconds.as_i64().expect("a duration is an integer") * 1_000;
    assert!((ours - millis).abs() <= 1_000, "{ours} ms for {millis} ms");
}

#[test]
fn the_called_phone_is_shown_the_caller() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(100).start();
    stage
        .carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER)
        .pause_ms(300)
        .start()
        .finish();
    let called = called.finish();
    let invite = called.received("INVITE", "INVITE");
    // A phone shows and dials back what it is given: the number as E.164, with or without `+`.
    let shown = Message::user_in(invite.header("From"));
    assert_eq!(shown.trim_start_matches('+'), CALLER);
}

#[test]
fn the_called_user_hangs_up() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone
        .play("answers-and-hangs-up")
        .pause_ms(100)
        .variable("talk", 1_500)
        .start();
    let call = stage.carrier_plays("carrier-calls-until-bye", CALLER, JOHNS_NUMBER);
    call.start().finish();
    called.finish();
    stage.follows("inbound::the_called_user_hangs_up");
}

#[test]
fn a_busy_phone_sends_the_call_out_of_the_busy_exit() {
    let stage = refused_by_the_phone("busy", 486);
    stage.follows("inbound::a_busy_phone_sends_the_call_out_of_the_busy_exit");
}

#[test]
fn a_declined_call_sends_the_call_out_of_the_busy_exit() {
    let stage = refused_by_the_phone("declines", 486);
    stage.follows("inbound::a_declined_call_sends_the_call_out_of_the_busy_exit");
}

#[test]
fn a_phone_that_cannot_sends_the_call_out_of_the_unavailable_exit() {
    let stage = refused_by_the_phone("unavailable", 480);
    stage.follows("inbound::a_phone_that_cannot_sends_the_call_out_of_the_unavailable_exit");
}

fn refused_by_the_phone(habit: &str, told: u16) -> Stage {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play(habit).start();
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, JOHNS_NUMBER);
    assert_eq!(call.start().finish().final_code(), told);
    called.finish();
    stage
}

#[test]
fn nobody_answers_within_the_ring_time() {
    let stage = Stage::with(&[], |account| account.ring_seconds = 3);
    let phone = stage.phone("1010-desk");
    let called = phone.play("rings").start();
    let call = stage
        .carrier_plays("carrier-calls-refused", CALLER, JOHNS_NUMBER)
        .start();
    assert_eq!(call.finish().final_code(), 480);
    let called = called.finish();
    let rang_ms =
        called.received("CANCEL", "CANCEL").at_ms - called.received("INVITE", "INVITE").at_ms;
    assert!((2_900..3_300).contains(&rang_ms), "rang for {rang_ms} ms");
    stage.follows("inbound::nobody_answers_within_the_ring_time");
    within_a_second(&stage.rows(1)[0]["call_duration"], rang_ms);
}

#[test]
fn the_caller_gives_up() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play("rings").start();
    stage
        .carrier_plays("carrier-cancels", CALLER, JOHNS_NUMBER)
        .pause_ms(800)
        .start()
        .finish();
    called.finish();
    stage.follows("inbound::the_caller_gives_up");
}

#[test]
fn a_user_whose_devices_are_not_registered_has_missed_the_call() {
    let stage = Stage::new();
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, JOHNS_NUMBER);
    assert_eq!(call.start().finish().final_code(), 480);
    stage.follows("inbound::a_user_whose_devices_are_not_registered_has_missed_the_call");
    assert_eq!(stage.rows(1)[0]["call_duration"], 0);
}

#[test]
fn a_user_whose_phone_has_lost_its_power_has_missed_the_call() {
    let stage = Stage::with(&[], |account| account.ring_seconds = 3);
    stage.phone("1010-desk"); // Registers, and nobody is there when the call comes.
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, JOHNS_NUMBER);
    assert_eq!(call.start().finish().final_code(), 480);
    stage.follows("inbound::a_user_whose_phone_has_lost_its_power_has_missed_the_call");
}

#[test]
fn all_devices_ring_the_first_answer_wins_and_the_other_is_cancelled() {
    let stage = Stage::new();
    let (desk, mobile) = (stage.phone("1010-desk"), stage.phone("1010-mobile"));
    let desk = desk.play("rings").start();
    let mobile = mobile.play("answers").pause_ms(700).start();
    let call = stage
        .carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER)
        .pause_ms(1_000);
    call.start().finish();
    let (desk, mobile) = (desk.finish(), mobile.finish());
    let answered_at = mobile.sent("SIP/2.0 200", "INVITE").at_ms;
    near(desk.received("CANCEL", "CANCEL").at_ms, answered_at);
    let path = "inbound::all_devices_ring_the_first_answer_wins_and_the_other_is_cancelled";
    stage.follows(path);
}

#[test]
fn one_device_is_busy_and_the_other_answers() {
    let stage = Stage::new();
    let (desk, mobile) = (stage.phone("1010-desk"), stage.phone("1010-mobile"));
    let desk = desk.play("busy").start();
    let mobile = mobile.play("answers").pause_ms(500).start();
    let call = stage
        .carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER)
        .pause_ms(500);
    call.start().finish();
    desk.finish();
    mobile.finish();
    stage.follows("inbound::one_device_is_busy_and_the_other_answers");
}

#[test]
fn a_number_nobody_has_is_not_found() {
    let stage = Stage::new();
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, "61211111111");
    assert_eq!(call.start().finish().final_code(), 404);
    stage.follows("inbound::a_number_nobody_has_is_not_found");
}

#[test]
fn a_flow_without_a_user_has_no_user_call() {
    let stage = Stage::new();
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, BUSY_NUMBER);
    assert_eq!(call.start().finish().final_code(), 486);
    stage.follows("inbound::a_flow_without_a_user_has_no_user_call");
}

#[test]
fn a_stranger_is_challenged_and_rings_nobody() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").start();
    let stranger = Sipp::play("stranger-calls", fresh_address()).caller(CALLER);
    stranger
        .toward(stage.server.listening().udp, JOHNS_NUMBER)
        .start()
        .finish();
    stage.hooks(0);
    assert_eq!(called.vanish().count_received("INVITE", "INVITE"), 0);
}

#[test]
fn a_number_is_found_however_the_carrier_writes_it() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    for (index, written) in ["61298765432", "+61298765432", "0298765432"]
        .iter()
        .enumerate()
    {
        let called = phone.play("answers").pause_ms(50).start();
        let call = stage
            .carrier_plays("carrier-calls", CALLER, written)
            .pause_ms(100);
        call.start().finish();
        called.finish();
        let hooks = stage.hooks(3 * (index + 1));
        assert!(
            hooks
                .iter()
                .all(|hook| hook.body["dest_number"] == JOHNS_NUMBER),
            "{written}"
        );
    }
}
