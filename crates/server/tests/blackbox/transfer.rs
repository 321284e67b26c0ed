//! Calls that a phone hands on: to a number, to whom it talks with in another call, or in vain.

use crate::common::account::{ANN, JOHN, JOHNS_NUMBER};
use crate::common::address::fresh_address;
use crate::common::receiver::Delivery;
use crate::common::sipp::{DOMAIN, Playing, Sipp, Wire};
use crate::common::stage::{Phone, Stage};
use crate::common::trace::Message;

const CALLER: &str = "61300000000";

fn told(hooks: &[Delivery]) -> Vec<(&str, &str)> {
    let told = hooks.iter().map(|hook| {
        let user = hook.body["user_number"].as_str().unwrap_or_default();
        (hook.kind(), user)
    });
    told.collect()
}

/// John's phone answers and hands on.
fn john_plays(stage: &Stage, scenario: &str, target: &str) -> Sipp {
    let desk = stage.phone("1010-desk");
    let plays = desk.play(scenario).pause_ms(200).variable("talk", 600);
    plays.key("target", target)
}

/// The address that means whoever a phone reached by another call, to that number, which has been answered.
pub(crate) fn replacing(asking: &Playing, called: &str) -> String {
    asking.wait_for_received("SIP/2.0 200");
    let trace = asking.trace();
    let answer = trace.received("SIP/2.0 200", "INVITE");
    let tag = |header: &str| {
        let tag = answer.header(header).split_once(";tag=");
        tag.map(|(_, tag)| tag.to_owned()).unwrap_or_default()
    };
    let call_id = answer.header("Call-ID").replace('@', "%40");
    let (theirs, ours) = (tag("To"), tag("From"));
    let replaces = format!("{call_id}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{ours}");
    format!("<sip:{called}@{DOMAIN}?Replaces={replaces}>")
}

#[test]
fn a_call_is_handed_on_to_a_colleague() {
    let stage = Stage::new();
    let target = format!("<sip:{ANN}@{DOMAIN}>");
    let john = john_plays(&stage, "answers-and-hands-on", &target).start();
    let ann = stage.phone("1020-desk");
    let ann = ann.play("answers").pause_ms(500).start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(3_000).start();
    john.finish();
    carrier.finish();
    let shown = ann.finish();
    let invite = shown.received("INVITE", "INVITE");
    assert_eq!(
        Message::user_in(invite.header("From")),
        format!("+{CALLER}")
    );
    let hooks = stage.follows("transfer::a_call_is_handed_on_to_a_colleague");
    assert!(hooks.iter().all(|hook| hook.call() == hooks[0].call()));
    for row in stage.rows(2) {
        assert_eq!(row["type"], "user_inbound_answered");
        assert_eq!(row["dest_number"], JOHNS_NUMBER);
        assert_eq!(row["unique_call_id"], hooks[0].call());
    }
}

#[test]
fn a_call_that_nobody_takes_comes_back() {
    let stage = Stage::new();
    let target = format!("<sip:{ANN}@{DOMAIN}>");
    let john = john_plays(&stage, "answers-and-hands-on-in-vain", &target).start();
    let ann = stage.phone("1020-desk");
    let ann = ann.play("busy").start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(3_000).start();
    ann.finish();
    carrier.finish();
    john.finish();
    stage.follows("transfer::a_call_that_nobody_takes_comes_back");
}

#[test]
fn two_whom_john_talks_with_are_brought_together() {
    let stage = Stage::new();
    let ann = stage.phone("1020-desk");
    let ann = ann.play("answers").pause_ms(200).start();
    // John's phone asks Ann first, from a socket of its own: sipp plays one call at each.
    let asking = Phone {
        device: "1010-desk".to_owned(),
        address: fresh_address(),
        wire: Wire::Udp,
    };
    let asking = stage.phone_plays(&asking, "phone-calls-until-bye", ANN);
    let asking = asking.start();
    let target = replacing(&asking, ANN);
    let john = john_plays(&stage, "answers-and-brings-together", &target).start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(2_500).start();
    john.finish();
    asking.finish();
    carrier.finish();
    ann.finish();
    let hooks = stage.hooks(12);
    let first = hooks.iter().filter(|hook| hook.body["caller_id"] == CALLER);
    let first: Vec<Delivery> = first.cloned().collect();
    assert_eq!(
        told(&first),
        [
            ("user_inbound", JOHN),
            ("user_inbound_answered", JOHN),
            ("user_inbound_completed", JOHN),
            ("user_inbound", ANN),
            ("user_inbound_answered", ANN),
            ("user_inbound_completed", ANN),
        ]
    );
    let second = hooks.iter().filter(|hook| hook.body["caller_id"] == JOHN);
    assert_eq!(second.count(), 6);
    let rows = stage.rows(4);
    let answered = |row: &&serde_json::Value| {
        let kind = row["type"].as_str().unwrap_or_default();
        kind.ends_with("_answered")
    };
    assert_eq!(rows.iter().filter(answered).count(), 4, "{rows:?}");
}
