//! What users set by feature codes: do not disturb, forwards, day and night, log-outs. It is so from
//! the confirmation on, also when the server is killed just then.

use crate::common::account::{ANN, JOHN, JOHNS_NUMBER};
use crate::common::receiver::Delivery;
use crate::common::sipp::Sipp;
use crate::common::stage::{Phone, Stage};
use crate::common::trace::Message;

const CALLER: &str = "61400000001";
const OFFICE_NUMBER: &str = "61298765460";
/// As dialled in Australia, and as the carrier wants it.
const MOBILE: &str = "0400000002";
const MOBILE_CALLED: &str = "61400000002";

/// Always open by the clock: John's phones ring. With the switch at night the line is busy.
const OFFICE: &str = r#"  - id: office
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765460"]}, exits: {next: hours}}
      - {id: hours, kind: time_conditions, settings: {groups: [{exit: open, hours: ["00:00-24:00"]}], switch: "7"}, exits: {open: declined, no_match: busy}}
      - {id: declined, kind: hangup, settings: {cause: declined}}
      - {id: busy, kind: hangup, settings: {cause: busy}}
"#;

/// The user dials a code and hears its confirmation to the end. Gives all that has been told so far.
fn dials(stage: &Stage, phone: &Phone, code: &str, before: usize) -> Vec<Delivery> {
    let call = stage.phone_plays(phone, "phone-calls-until-bye", code);
    call.start().finish();
    stage.hooks(before + 3)
}

/// The server is killed and starts again.
fn dies(stage: &mut Stage) {
    stage.server.kill();
    stage.server.launch();
}

fn calls_in_vain(stage: &Stage, called: &str) -> u16 {
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, called);
    call.start().finish().final_code()
}

#[test]
fn who_is_not_to_be_disturbed_is_busy_also_after_a_crash() {
    let mut stage = Stage::new();
    let john = stage.phone("1010-desk");
    let before = dials(&stage, &john, "*78", 0);
    dies(&mut stage);
    let john = stage.phone("1010-desk");
    // The phone would answer.
    let silent = john.play("answers").start();
    assert_eq!(calls_in_vain(&stage, JOHNS_NUMBER), 486);
    let path = "standing::who_is_not_to_be_disturbed_is_busy_also_after_a_crash";
    stage.follows_after(&before, path);
    silent.vanish();
    // And then he is to be disturbed again.
    dials(&stage, &john, "*79", 5);
    let busy = john.play("busy").start();
    assert_eq!(calls_in_vain(&stage, JOHNS_NUMBER), 486);
    busy.finish();
}

#[test]
fn a_number_outside_is_as_good_as_a_phone() {
    let mut stage = Stage::new();
    let john = stage.phone("1010-desk");
    let before = dials(&stage, &john, &format!("*72{MOBILE}"), 0);
    dies(&mut stage);
    let ann = stage.phone("1020-desk");
    let carrier = Sipp::play("answers", stage.carrier).pause_ms(400).start();
    let call = stage.phone_plays(&ann, "phone-calls", JOHN);
    call.pause_ms(1_200).start().finish();
    let carrier = carrier.finish();
    let invite = carrier.received("INVITE", "INVITE");
    assert_eq!(Message::user_in(&invite.text), MOBILE_CALLED);
    // A colleague is shown by a number of the account.
    assert_eq!(Message::user_in(invite.header("From")), JOHNS_NUMBER);
    stage.follows_after(&before, "standing::a_number_outside_is_as_good_as_a_phone");
}

#[test]
fn a_colleague_is_called_when_the_user_is_busy() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let before = dials(&stage, &john, &format!("*90{ANN}"), 0);
    let john = john.play("busy").start();
    let ann = ann.play("answers").pause_ms(300).start();
    let call = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    call.pause_ms(1_200).start().finish();
    john.finish();
    ann.finish();
    let path = "standing::a_colleague_is_called_when_the_user_is_busy";
    stage.follows_after(&before, path);
}

#[test]
fn a_forward_that_the_account_may_not_make_is_refused() {
    let stage = Stage::new();
    let john = stage.phone("1010-desk");
    // To himself, and to a call for help.
    let before = dials(&stage, &john, &format!("*72{JOHN}"), 0);
    dials(&stage, &john, "*72000", before.len());
    let busy = john.play("busy").start();
    assert_eq!(calls_in_vain(&stage, JOHNS_NUMBER), 486);
    busy.finish();
}

#[test]
fn night_is_switched_by_phone_also_after_a_crash() {
    let mut stage = Stage::with(&[], |account| OFFICE.clone_into(&mut account.more_flows));
    let ann = stage.phone("1020-desk");
    assert_eq!(calls_in_vain(&stage, OFFICE_NUMBER), 603);
    dials(&stage, &ann, "*277", 0);
    dies(&mut stage);
    assert_eq!(calls_in_vain(&stage, OFFICE_NUMBER), 486);
    let ann = stage.phone("1020-desk");
    dials(&stage, &ann, "*287", 3);
    assert_eq!(calls_in_vain(&stage, OFFICE_NUMBER), 603);
}
