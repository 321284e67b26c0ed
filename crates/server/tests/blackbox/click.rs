//! Click to call: a program asks, the user's phones ring, and the number is dialled for whoever picks
//! up.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::account::{ANN, JOHN, JOHNS_NUMBER, PASSWORD};
use crate::common::baresip::Baresip;
use crate::common::receiver::Delivery;
use crate::common::sipp::{DOMAIN, Sipp};
use crate::common::stage::Stage;
use crate::common::trace::Message;
use crate::common::wave;

const CALLED: &str = "61400000002";
const CALL: &str = "/api/integration/v2/call-to-number";
/// How long the phone rings before it answers.
const RING_MS: u32 = 1_500;
/// The contract's limit of the answer.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Content type, body and the message of the answer.
struct Dialect {
    content_type: &'static str,
    body: String,
    message: Value,
}

fn in_json() -> Dialect {
    Dialect {
        content_type: "application/json",
        body: json!({"user_number": JOHN, "number_to_call": CALLED, "caller_id": null}).to_string(),
        message: json!("Success"),
    }
}

fn in_a_form() -> Dialect {
    Dialect {
        content_type: "application/x-www-form-urlencoded",
        body: format!("user_number={JOHN}&number_to_call=%2B{CALLED}&caller_id={JOHNS_NUMBER}"),
        message: json!({"status": "success"}),
    }
}

fn in_parts() -> Dialect {
    let part = |name: &str, value: &str| {
        format!(
            "------WebKitFormBoundaryq7\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n\
             {value}\r\n"
        )
    };
    let parts = [("user", JOHN), ("number_to_call", CALLED)];
    let parts: String = parts
        .iter()
        .map(|(name, value)| part(name, value))
        .collect();
    Dialect {
        content_type: "multipart/form-data; boundary=----WebKitFormBoundaryq7",
        body: parts + "------WebKitFormBoundaryq7--\r\n",
        message: json!({"status": "success"}),
    }
}

/// Asks for the call and gives its id.
fn asked(stage: &Stage, dialect: &Dialect) -> String {
    // The first request of all pays for what is made once.
    stage.server.get("/healthz");
    let begun = Instant::now();
    let answer = stage.server.post(CALL, dialect.content_type, &dialect.body);
    let took = begun.elapsed();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(took < AT_ONCE, "the answer took {took:?}");
    let body = answer.json();
    assert_eq!(body["message"], dialect.message);
    assert_eq!(body["data"]["user_number"], JOHN);
    assert_eq!(body["data"]["dest_number"], CALLED);
    assert_eq!(body["data"]["caller_id"], JOHNS_NUMBER);
    let call = body["call_id"].as_str().expect("an id is text").to_owned();
    assert_eq!(body["data"]["unique_call_id"], *call);
    call
}

fn kinds(hooks: &[Delivery]) -> Vec<&str> {
    hooks.iter().map(Delivery::kind).collect()
}

fn clicked(dialect: &Dialect) -> Stage {
    let stage = Stage::new();
    let (desk, mobile) = (stage.phone("1010-desk"), stage.phone("1010-mobile"));
    let desk = desk.play("answers").pause_ms(RING_MS).start();
    let mobile = mobile.play("rings").start();
    let carrier = Sipp::play("answers-and-hangs-up", stage.carrier);
    let carrier = carrier.pause_ms(300).variable("talk", 700).start();
    let call = asked(&stage, dialect);
    let (desk, mobile, carrier) = (desk.finish(), mobile.finish(), carrier.finish());

    for phone in [&desk, &mobile] {
        let invite = phone.received("INVITE", "INVITE");
        let shown = Message::user_in(invite.header("From"));
        assert_eq!(shown, format!("+{CALLED}"));
    }
    let cancelled = mobile.received("CANCEL", "CANCEL");
    assert!(cancelled.at_ms >= desk.sent("SIP/2.0 200", "INVITE").at_ms);
    let invite = carrier.received("INVITE", "INVITE");
    assert!(invite.at_ms >= desk.sent("SIP/2.0 200", "INVITE").at_ms);
    assert_eq!(Message::user_in(&invite.text), CALLED);
    assert_eq!(Message::user_in(invite.header("From")), JOHNS_NUMBER);

    let hooks = stage.hooks(3);
    assert_eq!(
        kinds(&hooks),
        [
            "user_outbound",
            "user_outbound_answered",
            "user_outbound_completed"
        ]
    );
    for hook in &hooks {
        assert_eq!(hook.call(), call);
        assert_eq!(hook.body["user_number"], JOHN);
        assert_eq!(hook.body["dest_number"], CALLED);
        assert_eq!(hook.body["caller_id"], JOHNS_NUMBER);
    }
    let row = &stage.rows(1)[0];
    assert_eq!(row["type"], "user_outbound_answered");
    assert_eq!(row["unique_call_id"], *call);
    assert_eq!(row["connected_at"], hooks[2].body["connected_at"]);
    stage
}

#[test]
fn json_rings_the_phones_and_then_the_number() {
    clicked(&in_json()).follows("click::json_rings_the_phones_and_then_the_number");
}

#[test]
fn a_form_rings_the_phones_and_then_the_number() {
    clicked(&in_a_form());
}

#[test]
fn a_browsers_form_rings_the_phones_and_then_the_number() {
    clicked(&in_parts());
}

#[test]
fn nobody_picks_up_and_the_number_is_never_dialled() {
    let stage = Stage::with(&[], |account| account.ring_seconds = 5);
    let (desk, mobile) = (stage.phone("1010-desk"), stage.phone("1010-mobile"));
    let (desk, mobile) = (desk.play("rings").start(), mobile.play("rings").start());
    let carrier = Sipp::play("answers", stage.carrier).start();
    let call = asked(&stage, &in_json());
    for phone in [desk.finish(), mobile.finish()] {
        let rang =
            phone.received("CANCEL", "CANCEL").at_ms - phone.received("INVITE", "INVITE").at_ms;
        assert!((4_000..6_500).contains(&rang), "it rang for {rang} ms");
    }
    let hooks = stage.follows("click::nobody_picks_up_and_the_number_is_never_dialled");
    assert_eq!(hooks[1].call(), call);
    assert_eq!(hooks[1].body["connected_at"], Value::Null);
    assert_eq!(carrier.vanish().count_received("INVITE", "INVITE"), 0);
}

#[test]
fn without_a_phone_there_is_no_call() {
    let stage = Stage::new();
    let ask = |body: Value| {
        let answer = stage
            .server
            .post(CALL, "application/json", &body.to_string());
        (answer.status, answer.json()["message"].to_string())
    };
    let (status, message) = ask(json!({"user_number": JOHN, "number_to_call": CALLED}));
    assert_eq!(status, 409, "{message}");
    assert!(message.contains("no registered device"), "{message}");
    let spoofed =
        json!({"user_number": JOHN, "number_to_call": CALLED, "caller_id": "61299999999"});
    let (status, message) = ask(spoofed);
    assert_eq!(status, 422, "{message}");
    assert!(message.contains("caller_id"), "{message}");
    stage.hooks(0);
    stage.rows(0);
}

#[test]
fn whoever_picked_up_and_whoever_was_called_hear_each_other() {
    let stage = Stage::new();
    let start = |device: &str, hertz: f64, seconds: u32| {
        let proxy = stage.server.listening().udp;
        let account = format!(
            "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
             answermode=auto;audio_codecs=PCMU"
        );
        let phone = Baresip {
            account: &account,
            hertz,
            order: None,
            seconds,
        };
        let phone = phone.start();
        phone.wait_for("200 OK");
        phone
    };
    let (john, ann) = (start("1010-desk", 660.0, 18), start("1020-desk", 440.0, 10));
    let body = json!({"user_number": JOHN, "number_to_call": ANN}).to_string();
    let answer = stage.server.post(CALL, "application/json", &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (by_john, by_ann) = (john.heard(), ann.heard());
    assert!(wave::loudness(&by_john, 440.0) > 0.5);
    assert!(wave::loudness(&by_ann, 660.0) > 0.5);
    let hooks = stage.hooks(6);
    assert!(hooks.iter().all(|hook| hook.call() == hooks[0].call()));
}
