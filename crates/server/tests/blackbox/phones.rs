//! What phones do besides calling: they watch colleagues and mailboxes, and take calls that were
//! not for them.

use std::net::SocketAddr;

use crate::common::account::{
    JOHN, JOHNS_NUMBER, Registration, SALES_NUMBER, Trunk, VOICEMAIL_NUMBER,
};
use crate::common::address::fresh_address;
use crate::common::baresip::Baresip;
use crate::common::sipp::{DOMAIN, Playing, Sipp, Wire};
use crate::common::stage::{Phone, Stage};
use crate::common::trace::{Message, Trace, Way};
use crate::common::wait_for;

const CALLER: &str = "61300000000";

/// A phone of that device at a socket of its own: sipp plays one call at each.
fn another(device: &str) -> Phone {
    Phone {
        device: device.to_owned(),
        address: fresh_address(),
        wire: Wire::Udp,
    }
}

/// Ann's phone watches.
fn ann_watches(stage: &Stage, scenario: &str, event: &str, name: &str) -> Sipp {
    let watching = stage.phone_plays(&another("1020-desk"), scenario, name);
    watching.key("event", event)
}

/// The last document that it was told that says so.
fn told(watching: &Playing, words: &str) -> String {
    wait_for(words, std::time::Duration::from_secs(10), || {
        let trace = watching.trace();
        let mut told = trace
            .messages
            .into_iter()
            .filter(|message| message.way == Way::Received && message.text.starts_with("NOTIFY"));
        told.find(|message| message.text.contains(words))
            .map(|message| message.text)
    })
}

fn attribute<'a>(document: &'a str, name: &str) -> &'a str {
    let value = document.split_once(&format!(" {name}=\""));
    let value = value.and_then(|(_, rest)| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("no {name} in {document}")).0
}

/// How the document of a call that rings names it.
fn name_of_ringing(watching: &Playing) -> String {
    let early = told(watching, "<state>early<");
    let [call, local, remote] =
        ["call-id", "local-tag", "remote-tag"].map(|name| attribute(&early, name));
    format!("{call};to-tag={local};from-tag={remote}")
}

fn takes_over(stage: &Stage, replaces: &str) -> Playing {
    let phone = another("1020-desk");
    let taking = stage.phone_plays(&phone, "phone-takes-over", JOHN);
    taking.key("replaces", replaces).start()
}

#[test]
fn a_lamp_follows_a_call() {
    let stage = Stage::new();
    let john = stage.phone("1010-desk");
    let watching = ann_watches(&stage, "phone-watches", "dialog", JOHN).start();
    told(&watching, "</dialog-info>");
    let john = john.play("answers").pause_ms(600).start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    carrier.pause_ms(800).start().finish();
    john.finish();
    let trace = watching.finish();
    let last_idle = trace
        .messages
        .iter()
        .filter(|message| message.way == Way::Received && message.text.contains("version=\"4\""));
    assert_eq!(last_idle.count(), 1, "each document comes once");
}

#[test]
fn a_mailbox_tells_that_no_message_waits() {
    let stage = Stage::new();
    for own in ["1020-desk", "1020"] {
        let watching = ann_watches(&stage, "phone-watches-mailbox", "message-summary", own);
        watching.start().finish();
    }
}

#[test]
fn a_mailbox_tells_that_a_message_waits() {
    // A trunk for a baresip, which calls from 127.0.0.1: a silent message would not be kept.
    let stage = Stage::with(&[], |account| {
        account.trunks.push(Trunk {
            name: "line",
            address: SocketAddr::from(([127, 0, 0, 1], 9)),
            registration: Registration::None,
        });
    });
    let scenario = "phone-is-told-of-a-message";
    let watching = ann_watches(&stage, scenario, "message-summary", "1020-desk").start();
    told(&watching, "Messages-Waiting: no");
    let proxy = stage.server.listening().udp;
    let account =
        format!("<sip:{CALLER}@{DOMAIN}>;outbound=\"sip:{proxy}\";regint=0;audio_codecs=PCMU");
    let order = format!("/dial sip:{VOICEMAIL_NUMBER}@{DOMAIN}");
    let caller = Baresip {
        account: &account,
        hertz: 440.0,
        order: Some(&order),
        seconds: 6,
    };
    let caller = caller.start();
    caller.wait_for("Call established");
    watching.finish();
}

#[test]
fn what_may_not_be_watched_is_refused() {
    let stage = Stage::new();
    for (event, name, code) in [
        ("dialog", "1099", 404),
        ("message-summary", JOHN, 403),
        ("conference", JOHN, 489),
    ] {
        let refused = ann_watches(&stage, "phone-watches-refused", event, name);
        let trace = refused.start().finish();
        assert_eq!(last_code(&trace), code, "{event} of {name}");
    }
}

fn last_code(trace: &Trace) -> u16 {
    let mut codes = trace.messages.iter().filter_map(Message::code);
    codes.next_back().unwrap_or_default()
}

#[test]
fn a_lamp_key_takes_the_call_that_rings() {
    let stage = Stage::new();
    let john = stage.phone("1010-desk");
    let watching = ann_watches(&stage, "phone-watches", "dialog", JOHN).start();
    told(&watching, "</dialog-info>");
    let john = john.play("rings").start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(1_000).start();
    let ann = takes_over(&stage, &(name_of_ringing(&watching) + ";early-only"));
    john.finish();
    carrier.finish();
    ann.finish();
    watching.vanish();
    stage.follows("phones::a_lamp_key_takes_the_call_that_rings");
}

#[test]
fn a_phone_takes_the_place_of_one_that_talks() {
    let stage = Stage::new();
    let john = stage.phone("1010-desk");
    let john = john.play("answers").pause_ms(200).start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(3_000).start();
    john.wait_for_received("ACK");
    let trace = john.trace();
    let (invite, answer) = (
        trace.received("INVITE", "INVITE"),
        trace.sent("SIP/2.0 200", "INVITE"),
    );
    let tag = |header: &str| {
        let tag = header.split_once(";tag=").map(|(_, tag)| tag);
        tag.unwrap_or_default().to_owned()
    };
    let (ours, johns) = (tag(invite.header("From")), tag(answer.header("To")));
    let replaces = format!(
        "{};to-tag={ours};from-tag={johns}",
        invite.header("Call-ID")
    );
    let ann = takes_over(&stage, &replaces);
    john.finish();
    carrier.finish();
    ann.finish();
    stage.follows("phones::a_phone_takes_the_place_of_one_that_talks");
}

#[test]
fn a_code_takes_the_call_of_a_colleague() {
    let stage = Stage::new();
    let john = stage.phone("1010-desk").play("rings").start();
    let carrier = stage.carrier_plays("carrier-calls-until-bye", CALLER, JOHNS_NUMBER);
    let carrier = carrier.start();
    john.wait_for_received("INVITE");
    let ann = stage.phone_plays(&another("1020-desk"), "phone-calls", "*81010");
    let ann = ann.pause_ms(800).start();
    john.finish();
    ann.finish();
    carrier.finish();
    stage.follows("phones::a_code_takes_the_call_of_a_colleague");
}

#[test]
fn a_code_takes_the_call_of_the_own_group() {
    let stage = Stage::new();
    let (john, desk) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (john, desk) = (john.play("rings").start(), desk.play("rings").start());
    let carrier = stage.carrier_plays("carrier-calls-until-bye", CALLER, SALES_NUMBER);
    let carrier = carrier.start();
    desk.wait_for_received("INVITE");
    let ann = stage.phone_plays(&another("1020-desk"), "phone-calls", "*8");
    let ann = ann.pause_ms(800).start();
    john.finish();
    desk.finish();
    ann.finish();
    carrier.finish();
    stage.follows("phones::a_code_takes_the_call_of_the_own_group");
}

#[test]
fn a_code_finds_nothing_to_take() {
    let stage = Stage::new();
    let ann = stage.phone_plays(&another("1020-desk"), "phone-calls-refused", "*8");
    assert_eq!(ann.start().finish().final_code(), 404);
    stage.follows("phones::a_code_finds_nothing_to_take");
}

/// John talks with a number outside, by a phone at a socket of its own.
fn john_talks(stage: &Stage, seconds: u32) -> (Playing, Playing) {
    let outside = Sipp::play("answers", stage.carrier).pause_ms(100).start();
    let john = stage.phone_plays(&another("1010-desk"), "phone-calls", "0412345678");
    let john = john.pause_ms(seconds * 1_000).start();
    outside.wait_for_received("ACK");
    (john, outside)
}

/// Another carrier's socket, from which a second call comes in.
fn second_call(stage: &Stage, scenario: &str) -> Sipp {
    let from = SocketAddr::new(stage.carrier.ip(), 0);
    let from = crate::common::address::free_port(from.ip());
    let call = Sipp::play(scenario, from).caller(CALLER);
    call.toward(stage.server.listening().udp, JOHNS_NUMBER)
}

#[test]
fn a_user_who_talks_is_called_all_the_same() {
    let stage = Stage::new();
    let mobile = stage.phone("1010-mobile").play("answers").pause_ms(300);
    let mobile = mobile.start();
    let (john, outside) = john_talks(&stage, 3);
    let call = second_call(&stage, "carrier-calls").pause_ms(500);
    assert_eq!(call.start().finish().final_code(), 200);
    mobile.finish();
    john.finish();
    outside.finish();
    let rows = stage.rows(2);
    let kinds: Vec<_> = rows.iter().map(|row| row["type"].as_str()).collect();
    assert_eq!(
        kinds,
        [
            Some("user_outbound_answered"),
            Some("user_inbound_answered")
        ]
    );
}

#[test]
fn a_user_with_one_call_at_most_is_busy_while_he_talks() {
    let stage = Stage::with(&[], |account| account.limits = "{calls_per_user: 1}");
    let mobile = stage.phone("1010-mobile");
    let (john, outside) = john_talks(&stage, 2);
    let call = second_call(&stage, "carrier-calls-refused");
    assert_eq!(call.start().finish().final_code(), 486);
    john.finish();
    outside.finish();
    drop(mobile);
    let rows = stage.rows(2);
    let missed = rows.iter().any(|row| row["type"] == "user_inbound_missed");
    assert!(missed, "{rows:?}");
}
