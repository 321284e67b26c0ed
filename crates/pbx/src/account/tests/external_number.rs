//! Calls to a number outside from within a flow.

use serde_json::{Value, json};

use super::*;

fn desk(settings: &Value) -> Desk {
    let mut desk = Desk::with(|draft| {
        let objects = json!([
            {"id": "in", "kind": "inbound_number",
             "settings": {"numbers": ["+61298765431", "+61298765432"]},
             "exits": {"next": "out"}},
            {"id": "out", "kind": "external_number", "settings": settings,
             "exits": {"no_answer": "john", "busy": "busy", "unavailable": "mary"}},
            {"id": "john", "kind": "user", "settings": {"user": "1010"}},
            {"id": "mary", "kind": "user", "settings": {"user": "1011"}},
            {"id": "busy", "kind": "hangup", "settings": {"cause": "busy"}}
        ]);
        draft.flows[0].objects = serde_json::from_value(objects).unwrap();
    });
    desk.comes_in(NUMBER);
    assert_eq!(
        desk.ladder.remove(0),
        "[inbound 61300000000 to 61298765432]"
    );
    desk
}

fn by_key() -> Desk {
    let mut desk = desk(&json!({"number": "0412345678", "accept": "by_key", "ring_seconds": 20}));
    desk.check(&["dial 61412345678 by carrier as 61300000000"]);
    desk
}

const QUESTION: &str = "play [Prompt(\"call-press-one-to-accept\")] to carrier Forever";

#[test]
fn it_shows_what_it_is_told_to_show() {
    for (setting, shown) in [
        (json!({}), "61300000000"),
        (json!({"caller_id": "caller"}), "61300000000"),
        (json!({"caller_id": "account"}), "61298765432"),
        (json!({"caller_number": "+61298765431"}), "61298765431"),
    ] {
        let mut settings = json!({"number": "+61412345678"});
        settings
            .as_object_mut()
            .unwrap()
            .extend(setting.as_object().unwrap().clone());
        let mut desk = desk(&settings);
        desk.check(&[&format!("dial 61412345678 by carrier as {shown}")]);
    }
}

#[test]
fn an_answer_connects_and_a_failure_leads_on() {
    let settings = json!({"number": "+61412345678", "ring_seconds": 20});
    let mut answered = desk(&settings);
    answered.rings("carrier");
    answered.answers("carrier");
    answered.hangs_up("carrier", HangupCause::Normal);
    answered.check(&[
        "dial 61412345678 by carrier as 61300000000",
        "ring caller",
        "connect caller with carrier",
        "hang up caller: normal",
        "[over: normal]",
    ]);
    answered.is_over();

    let mut silent = desk(&settings);
    silent.ladder.clear();
    silent.passes(20);
    assert_eq!(
        silent.ladder[..2],
        ["hang up carrier: no_answer", "[1010 rings]"]
    );

    let mut busy = desk(&settings);
    busy.ladder.clear();
    busy.fails("carrier", Failure::Busy);
    busy.check(&["hang up caller: busy", "[over: busy]"]);

    let mut congested = desk(&settings);
    congested.fails("carrier", Failure::Unavailable);
    congested.fails("backup", Failure::Timeout);
    congested.check(&[
        "dial 61412345678 by carrier as 61300000000",
        "dial 0412345678 by backup as 0300000000",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
}

#[test]
fn who_answers_takes_the_call_with_a_key() {
    let mut desk = by_key();
    desk.rings("carrier");
    desk.answers("carrier");
    desk.check(&["ring caller", QUESTION]);
    let leg = desk.leg("carrier");
    desk.give(Input::Digit { leg, digit: '5' });
    desk.presses('1');
    desk.check(&[]);
    desk.give(Input::Digit { leg, digit: '1' });
    desk.check(&["stop playing to carrier", "connect caller with carrier"]);
    desk.give(Input::Digit { leg, digit: '2' });
    desk.passes(30);
    desk.check(&[]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&["hang up carrier: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn who_does_not_take_the_call_does_not_get_it() {
    let mut declined = by_key();
    declined.answers("carrier");
    let leg = declined.leg("carrier");
    declined.give(Input::Digit { leg, digit: '2' });
    declined.check(&[
        QUESTION,
        "ring caller",
        "stop playing to carrier",
        "hang up carrier: normal",
        "hang up caller: busy",
        "[over: busy]",
    ]);
    declined.is_over();

    // A mailbox talks to itself until the ring time is over.
    let mut mailbox = by_key();
    mailbox.passes(5);
    mailbox.answers("carrier");
    mailbox.passes(15);
    assert_eq!(
        mailbox.ladder[..5],
        [
            QUESTION,
            "ring caller",
            "stop playing to carrier",
            "hang up carrier: no_answer",
            "[1010 rings]"
        ]
    );

    let mut gone = by_key();
    gone.answers("carrier");
    gone.hangs_up("carrier", HangupCause::Normal);
    gone.check(&[
        QUESTION,
        "ring caller",
        "hang up caller: busy",
        "[over: busy]",
    ]);
    gone.is_over();

    let mut given_up = by_key();
    given_up.answers("carrier");
    given_up.hangs_up("caller", HangupCause::GaveUp);
    given_up.check(&[
        QUESTION,
        "ring caller",
        "stop playing to carrier",
        "hang up carrier: gave_up",
        "[over: gave_up]",
    ]);
    given_up.is_over();
}

#[test]
fn the_caller_hears_that_it_rings_while_the_question_is_asked() {
    // What the network of who is called has said so far is over for the caller.
    let mut announced = by_key();
    announced.progresses("carrier");
    announced.answers("carrier");
    announced.check(&["caller hears carrier", QUESTION, "ring caller"]);
    let leg = announced.leg("carrier");
    announced.give(Input::Digit { leg, digit: '1' });
    announced.check(&["stop playing to carrier", "connect caller with carrier"]);
    announced.hangs_up("caller", HangupCause::Normal);
    announced.is_over();
}

#[test]
fn who_was_picked_up_is_played_the_tone_while_the_question_is_asked() {
    const TONE: &str = "play [Tone(Ringback)] to caller Forever";
    for early_media in [None, Some("caller hears carrier")] {
        let mut desk = Desk::with(|draft| {
            let objects = json!([
                {"id": "in", "kind": "inbound_number",
                 "settings": {"numbers": ["+61298765431", "+61298765432"]},
                 "exits": {"next": "hello"}},
                {"id": "hello", "kind": "play_audio", "settings": {"sound": "please-wait"},
                 "exits": {"next": "out"}},
                {"id": "out", "kind": "external_number",
                 "settings": {"number": "0412345678", "accept": "by_key"}}
            ]);
            draft.flows[0].objects = serde_json::from_value(objects).unwrap();
        });
        desk.comes_in(NUMBER);
        desk.has_heard_it();
        desk.ladder.clear();
        if early_media.is_some() {
            desk.progresses("carrier");
        }
        desk.answers("carrier");
        let expected: Vec<&str> = early_media.into_iter().chain([QUESTION, TONE]).collect();
        desk.check(&expected);
    }
}
