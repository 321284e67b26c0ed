//! What is recorded: messages, and conversations through whatever happens to them.

use serde_json::json;

use super::*;
use crate::recording::{RecordEnd, RecordingId};

/// The main line leads to these objects, the first of which is called `first`.
fn desk(objects: &serde_json::Value) -> Desk {
    Desk::with(|draft| {
        let mut all = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "first"}}
        ]);
        all.as_array_mut()
            .unwrap()
            .extend(objects.as_array().unwrap().clone());
        draft.flows[0].objects = serde_json::from_value(all).unwrap();
        draft.users[0].email = Some("john@acme.example.com".to_owned());
    })
}

fn mailbox() -> Desk {
    desk(&json!([
        {"id": "first", "kind": "voicemail",
         "settings": {"mailbox": "1010", "max_seconds": 60, "silence_seconds": 5},
         "exits": {"next": "bye", "key_0": "mary"}},
        {"id": "mary", "kind": "user", "settings": {"user": "1011"}},
        {"id": "bye", "kind": "hangup", "settings": {"cause": "busy"}}
    ]))
}

const GREETING: &str = "play [Greeting { mailbox: \"1010\", greeting: Unavailable }, Tone(Beep)] to \
                        caller Once";
const BEEP: &str = "play [Tone(Beep)] to caller Once";
const SAVED: &str = "play [Prompt(\"vm-message-saved\")] to caller Once";
const TOLD: &str = "[message for 1010 to [\"john@acme.example.com\"]]";
const RECORD: &str = "record caller as caller";

fn first() -> RecordingId {
    RecordingId::new(CallIds::new(0, START).next(START), 1)
}

fn nth(number: u16) -> RecordingId {
    RecordingId::new(first().call(), number)
}

impl Desk {
    fn recorded(&mut self, recording: RecordingId, seconds: u32, end: RecordEnd) {
        self.give(Input::Recorded {
            recording,
            seconds,
            end,
        });
    }
}

fn greeted() -> Desk {
    let mut desk = mailbox();
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up caller",
        GREETING,
    ]);
    desk
}

fn speaking() -> Desk {
    let mut desk = greeted();
    desk.has_heard_it();
    desk.check(&[TOLD, RECORD]);
    desk
}

#[test]
fn a_message_is_recorded_after_the_tone_and_the_key_ends_it() {
    let mut desk = speaking();
    desk.presses('5');
    desk.check(&[]);
    desk.presses('#');
    let stop = format!("stop recording {}", first());
    desk.check(&[&stop]);
    desk.recorded(first(), 7, RecordEnd::Stopped);
    desk.check(&[SAVED]);
    desk.has_heard_it();
    desk.check(&["hang up caller: busy", "[over: busy]"]);
    desk.is_over();
}

#[test]
fn silence_ends_a_message_and_another_recording_is_not_taken_for_it() {
    let mut desk = speaking();
    desk.recorded(nth(2), 7, RecordEnd::Stopped);
    desk.check(&[]);
    desk.recorded(first(), 12, RecordEnd::Silence);
    desk.check(&[SAVED]);
}

#[test]
fn who_hangs_up_leaves_the_message_and_its_end_comes_later() {
    let mut desk = speaking();
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&["[over: normal]"]);
    desk.is_over();
    desk.recorded(first(), 7, RecordEnd::HungUp);
    desk.check(&[]);
}

#[test]
fn the_key_cuts_the_greeting_short_and_zero_leads_out() {
    let mut desk = greeted();
    desk.presses('#');
    desk.check(&[BEEP]);
    desk.has_heard_it();
    desk.check(&[TOLD, RECORD]);

    let mut desk = greeted();
    desk.presses('0');
    desk.check(&[
        "stop playing to caller",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
}

#[test]
fn a_message_that_is_too_short_may_be_left_again() {
    let mut desk = speaking();
    for number in 1..=2 {
        desk.presses('#');
        desk.ladder.clear();
        desk.recorded(nth(number), 1, RecordEnd::Stopped);
        desk.check(&["play [Prompt(\"vm-message-short\"), Tone(Beep)] to caller Once"]);
        desk.has_heard_it();
        desk.check(&[TOLD, RECORD]);
    }
    desk.presses('#');
    desk.ladder.clear();
    desk.recorded(nth(3), 1, RecordEnd::Stopped);
    desk.check(&[SAVED]);
}

#[test]
fn when_nothing_can_be_recorded_the_caller_is_told_and_goes_on() {
    let mut desk = speaking();
    desk.recorded(first(), 0, RecordEnd::Failed);
    desk.check(&["play [Prompt(\"error-problem\")] to caller Once"]);
    desk.has_heard_it();
    desk.check(&["hang up caller: busy", "[over: busy]"]);
}

#[test]
fn a_message_whose_end_is_never_told_ends_all_the_same() {
    let mut desk = speaking();
    desk.passes(69);
    desk.check(&[]);
    desk.passes(1);
    let stop = format!("stop recording {}", first());
    desk.check(&[&stop, "hang up caller: busy", "[over: busy]"]);
    desk.is_over();
}

/// Recording on, John, recording off, Mary.
fn recorded_line() -> Desk {
    desk(&json!([
        {"id": "first", "kind": "call_recording",
         "settings": {"recording": "on", "emails": ["boss@acme.example.com"]},
         "exits": {"next": "john"}},
        {"id": "john", "kind": "user", "settings": {"user": "1010"}, "exits": {"busy": "off"}},
        {"id": "off", "kind": "call_recording", "settings": {"recording": "off"},
         "exits": {"next": "mary"}},
        {"id": "mary", "kind": "user", "settings": {"user": "1011"}, "exits": {}}
    ]))
}

#[test]
fn a_conversation_is_recorded_from_the_answer_on_both_sides() {
    let mut desk = recorded_line();
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.answers("1010-desk");
    desk.check(&[
        "hang up 1010-mobile: answered_elsewhere",
        "connect caller with 1010-desk",
        "[recording to [\"boss@acme.example.com\"]]",
        RECORD,
        "record 1010-desk as called",
        "[1010 answered]",
    ]);
    desk.hangs_up("1010-desk", HangupCause::Normal);
    desk.check(&["[1010 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn what_was_switched_off_before_the_answer_is_not_recorded() {
    let mut desk = recorded_line();
    desk.comes_in(NUMBER);
    desk.fails("1010-desk", Failure::Busy);
    desk.fails("1010-mobile", Failure::Busy);
    desk.ladder.clear();
    desk.answers("1011-desk");
    desk.check(&["connect caller with 1011-desk", "[1011 answered]"]);
}

#[test]
fn an_announcement_comes_before_the_call_goes_on() {
    let mut desk = desk(&json!([
        {"id": "first", "kind": "call_recording",
         "settings": {"recording": "on", "announcement": "is_recorded"},
         "exits": {"next": "mary"}},
        {"id": "mary", "kind": "user", "settings": {"user": "1011"}, "exits": {}}
    ]));
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up caller",
        "play [Prompt(\"call-recorded\")] to caller Once",
    ]);
    desk.has_heard_it();
    desk.check(&["[1011 rings]", "dial 1011-desk as +61300000000"]);
    desk.answers("1011-desk");
    desk.check(&[
        "connect caller with 1011-desk",
        "[recording to []]",
        RECORD,
        "record 1011-desk as called",
        "[1011 answered]",
    ]);
}

#[test]
fn users_whose_calls_are_recorded_are_told_from_those_whose_are_not() {
    let recorded = |number: usize, inbound, outbound| {
        Desk::with(|draft| {
            draft.users[number].record = crate::plan::Record {
                inbound,
                outbound,
                on_demand: false,
            }
        })
    };
    let both = ["record caller as caller", "record 1011-desk as called"];
    for (mut desk, told) in [
        (recorded(1, true, false), Some("[recording to []]")),
        (recorded(0, false, true), Some("[recording of 1010 to []]")),
        (recorded(0, true, false), None),
        (recorded(1, false, true), None),
    ] {
        desk.dials("1010-desk", "1011");
        desk.ladder.clear();
        desk.answers("1011-desk");
        let recording = told
            .iter()
            .copied()
            .chain(both.into_iter().filter(|_| told.is_some()));
        let expected: Vec<&str> = ["connect caller with 1011-desk"]
            .into_iter()
            .chain(recording)
            .chain(["[1011 answered]", "[1010's call answered]"])
            .collect();
        desk.check(&expected);
    }
}

fn talking(number: usize) -> Desk {
    let mut desk = Desk::with(|draft| draft.users[number].record.on_demand = true);
    desk.dials("1010-desk", "1011");
    desk.answers("1011-desk");
    desk.ladder.clear();
    desk
}

const NOTICE: [&str; 2] = [
    "play [Tone(Recorded)] to caller Once",
    "play [Tone(Recorded)] to 1011-desk Once",
];

#[test]
fn who_may_switches_the_recording_on_and_off_and_both_hear_it() {
    let mut desk = talking(0);
    desk.presses('*');
    desk.presses('1');
    desk.check(&[
        "[recording of 1010 to []]",
        RECORD,
        "record 1011-desk as called",
        NOTICE[0],
        NOTICE[1],
    ]);
    desk.presses('*');
    desk.presses('1');
    desk.check(&[
        "pause the recording",
        "play [Tone(Recorded), Tone(Recorded)] to caller Once",
        "play [Tone(Recorded), Tone(Recorded)] to 1011-desk Once",
    ]);
    desk.presses('*');
    desk.presses('1');
    desk.check(&["resume the recording", NOTICE[0], NOTICE[1]]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&[
        "hang up 1011-desk: normal",
        "[1011 ended]",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn the_called_user_may_as_well() {
    let mut desk = talking(1);
    let leg = desk.leg("1011-desk");
    for digit in ['*', '1'] {
        desk.give(Input::Digit { leg, digit });
    }
    desk.check(&[
        "[recording of 1010 to []]",
        RECORD,
        "record 1011-desk as called",
        NOTICE[0],
        NOTICE[1],
    ]);
}

#[test]
fn other_keys_other_people_and_slow_fingers_switch_nothing() {
    let mut desk = talking(0);
    for key in ['1', '*', '2', '1', '*', '*', '#', '1'] {
        desk.presses(key);
    }
    desk.presses('*');
    desk.passes(4);
    desk.presses('1');
    let leg = desk.leg("1011-desk");
    for digit in ['*', '1'] {
        desk.give(Input::Digit { leg, digit });
    }
    desk.presses('*');
    desk.give(Input::Digit { leg, digit: '1' });
    desk.check(&[]);
}

/// Hands whom that leg talks with on to 1011, who answers; what was done then.
fn handed_on(desk: &mut Desk, name: &str) -> Vec<String> {
    let leg = desk.leg(name);
    let to = crate::input::TransferTo::Number("1011".to_owned());
    desk.give(Input::Transfer { leg, to });
    desk.ladder.clear();
    desk.answers("1011-desk");
    std::mem::take(&mut desk.ladder)
}

#[test]
fn who_a_call_is_handed_on_to_joins_its_recording() {
    let mut desk = Desk::with(|draft| draft.users[0].record.inbound = true);
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    let done = handed_on(&mut desk, "1010-desk");
    assert!(
        done.contains(&"record 1011-desk as called".to_owned()),
        "{done:?}"
    );
    assert!(
        !done.iter().any(|line| line.starts_with("[recording")),
        "{done:?}"
    );
}

#[test]
fn a_leg_keeps_its_side_when_it_becomes_the_caller() {
    let mut desk = Desk::with(|draft| draft.users[0].record.outbound = true);
    desk.dials("1010-desk", "0412345678");
    desk.answers("carrier");
    assert!(desk.ladder.contains(&"record carrier as called".to_owned()));
    let done = handed_on(&mut desk, "caller");
    assert!(
        done.contains(&"record 1011-desk as caller".to_owned()),
        "{done:?}"
    );
}
