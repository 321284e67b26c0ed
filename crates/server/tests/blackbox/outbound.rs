//! A user calls outside, through one trunk or the next.

use std::net::SocketAddr;

use crate::common::account::{JOHNS_NUMBER, Registration, Trunk};
use crate::common::address::fresh_address;
use crate::common::receiver::Delivery;
use crate::common::sipp::Sipp;
use crate::common::stage::Stage;
use crate::common::trace::Message;

/// As dialled in Australia, and as the carrier wants it.
const DIALLED: &str = "0400000002";
const CALLED: &str = "61400000002";

fn check_answered(hooks: &[Delivery]) {
    for hook in hooks {
        assert_eq!(hook.body["caller_id"], JOHNS_NUMBER);
        assert_eq!(hook.body["dest_number"], CALLED);
    }
}

/// A stage whose account has another trunk behind the first, and where that is.
fn with_two_trunks() -> (Stage, SocketAddr) {
    let second = fresh_address();
    let stage = Stage::with(&[], |account| {
        account.trunks.push(Trunk {
            name: "second",
            address: second,
            registration: Registration::None,
        });
    });
    (stage, second)
}

/// Ann calls the number outside, talks and hangs up.
fn ann_calls(stage: &Stage, talk_ms: u32) {
    let ann = stage.phone("1020-desk");
    let call = stage.phone_plays(&ann, "phone-calls", DIALLED);
    call.pause_ms(talk_ms).start().finish();
}

#[test]
fn a_user_calls_outside_with_the_number_it_may_show() {
    let stage = Stage::new();
    let carrier = Sipp::play("answers", stage.carrier).pause_ms(400).start();
    ann_calls(&stage, 1_200);
    let carrier = carrier.finish();
    let invite = carrier.received("INVITE", "INVITE");
    assert_eq!(Message::user_in(&invite.text), CALLED);
    assert_eq!(Message::user_in(invite.header("From")), JOHNS_NUMBER);
    check_answered(&stage.follows("outbound::a_user_calls_outside_with_the_number_it_may_show"));
}

#[test]
fn the_next_trunk_is_tried_when_one_cannot() {
    let (stage, second) = with_two_trunks();
    let first = Sipp::play("unavailable", stage.carrier).start();
    let carrier = Sipp::play("answers", second).pause_ms(200).start();
    ann_calls(&stage, 500);
    first.finish();
    carrier.finish();
    check_answered(&stage.follows("outbound::the_next_trunk_is_tried_when_one_cannot"));
}

#[test]
fn a_busy_number_is_busy_on_every_trunk() {
    let (stage, second) = with_two_trunks();
    let ann = stage.phone("1020-desk");
    let first = Sipp::play("busy", stage.carrier).start();
    let other = Sipp::play("answers", second).start();
    let call = stage
        .phone_plays(&ann, "phone-calls-refused", DIALLED)
        .start();
    assert_eq!(call.finish().final_code(), 486);
    first.finish();
    assert_eq!(other.vanish().count_received("INVITE", "INVITE"), 0);
    stage.follows("outbound::a_busy_number_is_busy_on_every_trunk");
}

#[test]
fn a_trunk_that_wants_it_is_registered_at_and_then_called_through() {
    let registrar = fresh_address();
    let carrier = Sipp::play("registrar", registrar);
    let registering = carrier
        .key("username", "acme")
        .key("password", "s3cret")
        .start();
    let stage = Stage::with(&[], |account| {
        let registration = Registration::AsAcme;
        account.trunks = vec![Trunk {
            name: "carrier",
            address: registrar,
            registration,
        }];
    });
    registering.finish();
    let carrier = Sipp::play("answers", registrar).pause_ms(200).start();
    ann_calls(&stage, 500);
    carrier.finish();
    check_answered(&stage.hooks(3));
}

#[test]
fn the_called_party_hangs_up() {
    let stage = Stage::new();
    let ann = stage.phone("1020-desk");
    let carrier = Sipp::play("answers-and-hangs-up", stage.carrier);
    let carrier = carrier.pause_ms(100).variable("talk", 500).start();
    stage
        .phone_plays(&ann, "phone-calls-until-bye", DIALLED)
        .start()
        .finish();
    carrier.finish();
    check_answered(&stage.follows("outbound::the_called_party_hangs_up"));
}
