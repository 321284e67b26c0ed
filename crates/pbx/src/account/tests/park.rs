//! Calls that are parked, and taken from their slots.

use serde_json::json;

use super::transfer::talking;
use super::*;

impl Desk {
    pub(super) fn dials_as(&mut self, name: &str, device: &str, called: &str) {
        let username = device.into();
        self.arrives(name, Origin::Device { username }, called);
    }

    fn has_heard(&mut self, name: &str) {
        let leg = self.leg(name);
        let play = self.laws.plays().find(|(known, _)| *known == leg);
        let (_, play) = play.unwrap_or_else(|| panic!("{name} hears nothing"));
        self.give(Input::Played { leg, play });
    }
}

/// The caller waits in 701.
fn parked() -> Desk {
    let mut desk = talking();
    desk.hands_on("1010-desk", "*68");
    desk.has_heard("1010-desk");
    desk.ladder.clear();
    desk
}

#[test]
fn who_parks_a_call_hears_its_slot_and_whoever_dials_it_talks() {
    let mut desk = talking();
    desk.hands_on("1010-desk", "*68");
    desk.check(&[
        "tell 1010-desk of the transfer: Accepted",
        "part caller",
        "[1010 ended]",
        "play [ParkedAt(\"701\")] to 1010-desk Once",
        "play [Music] to caller Forever",
    ]);
    desk.has_heard("1010-desk");
    desk.check(&[
        "tell 1010-desk of the transfer: Done",
        "hang up 1010-desk: normal",
    ]);
    desk.dials_as("mary", "1011-desk", "701");
    desk.check(&[
        "[internal 1011 to 701]",
        "[1011 calls]",
        "pick up mary",
        "[1011's call answered]",
        "stop playing to caller",
        "[1011 rings]",
        "connect caller with mary",
        "[1011 answered]",
        "[1011's call ended]",
        "[over: normal]",
    ]);
    desk.hangs_up("mary", HangupCause::Normal);
    desk.check(&["[1011 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_call_is_parked_in_a_chosen_slot_unless_that_is_taken() {
    let mut desk = parked();
    desk.arrives(
        "second",
        Origin::Trunk {
            name: "carrier".into(),
        },
        NUMBER,
    );
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.hands_on("1010-desk", "701");
    desk.check(&[
        "tell 1010-desk of the transfer: Accepted",
        "part second",
        "[1010 ended]",
        "tell 1010-desk of the transfer: Failed(Busy)",
        "[1010 rings]",
        "connect second with 1010-desk",
        "[1010 answered]",
    ]);
    desk.hands_on("1010-desk", "703");
    desk.check(&[
        "tell 1010-desk of the transfer: Accepted",
        "part second",
        "[1010 ended]",
        "tell 1010-desk of the transfer: Done",
        "hang up 1010-desk: normal",
        "play [Music] to second Forever",
    ]);
    desk.dials_as("mary", "1011-desk", "703");
    assert!(desk.ladder.contains(&"connect second with mary".to_owned()));
}

#[test]
fn who_asks_first_hears_the_slot_and_the_call_waits_there() {
    let mut desk = talking();
    desk.legs.insert("first".to_owned(), desk.leg("1010-desk"));
    desk.legs.remove("1010-desk");
    desk.dials_as("asking", "1010-desk", "*68");
    desk.check(&[
        "[internal 1010 to *68]",
        "[1010 calls]",
        "pick up asking",
        "[1010's call answered]",
        "play [ParkedAt(\"701\")] to asking Once",
    ]);
    desk.brings_together("first", "asking");
    desk.check(&[
        "tell first of the transfer: Accepted",
        "part caller",
        "[1010 ended]",
        "tell first of the transfer: Done",
        "hang up first: normal",
        "play [Music] to caller Forever",
        "stop playing to asking",
        "hang up asking: normal",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.dials_as("mary", "1011-desk", "701");
    assert!(desk.ladder.contains(&"connect caller with mary".to_owned()));
}

#[test]
fn who_asks_and_hangs_up_keeps_no_slot() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "*68");
    desk.hangs_up("caller", HangupCause::Normal);
    desk.ladder.clear();
    desk.dials("1010-desk", "*68");
    assert!(desk.ladder[4].contains("701"), "{:?}", desk.ladder);
    desk.passes(61);
    assert_eq!(desk.ladder.last().unwrap(), "[over: normal]");
    desk.is_over();
}

#[test]
fn a_call_that_nobody_fetches_comes_back_to_who_parked_it() {
    let mut desk = parked();
    desk.passes(120);
    desk.check(&[
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
    ]);
    desk.answers("1010-mobile");
    desk.check(&[
        "hang up 1010-desk: answered_elsewhere",
        "stop playing to caller",
        "connect caller with 1010-mobile",
        "[1010 answered]",
    ]);
    desk.hangs_up("1010-mobile", HangupCause::Normal);
    desk.check(&["[1010 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_call_that_nobody_wants_ends() {
    let mut desk = parked();
    desk.passes(150);
    desk.check(&[
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
        "hang up 1010-desk: no_answer",
        "hang up 1010-mobile: no_answer",
        "[1010 ended]",
        "stop playing to caller",
        "hang up caller: no_answer",
        "[over: no_answer]",
    ]);
    desk.is_over();
}

#[test]
fn a_caller_who_gives_up_frees_the_slot() {
    let mut desk = parked();
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&["[over: normal]"]);
    desk.is_over();
    desk.dials("1010-desk", "701");
    desk.check(&[
        "[internal 1010 to 701]",
        "[1010 calls]",
        "pick up caller",
        "[1010's call answered]",
        "play [Prompt(\"park-none\")] to caller Once",
    ]);
    desk.has_heard_it();
    assert_eq!(desk.ladder.last().unwrap(), "[over: normal]");
}

#[test]
fn a_flow_parks_too() {
    let mut desk = Desk::with(|draft| {
        draft.park.slots = Some("30-30".to_owned());
        draft.flows[0].objects = serde_json::from_value(json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "park"}},
            {"id": "park", "kind": "park", "settings": {"wait_seconds": 20},
             "exits": {"time_out": "john", "full": "bye"}},
            {"id": "john", "kind": "user", "settings": {"user": "1010"}},
            {"id": "bye", "kind": "hangup", "settings": {"cause": "busy"}}
        ]))
        .unwrap();
    });
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up caller",
        "play [Music] to caller Forever",
    ]);
    desk.arrives(
        "second",
        Origin::Trunk {
            name: "carrier".into(),
        },
        NUMBER,
    );
    assert_eq!(desk.ladder.last().unwrap(), "[over: busy]");
    desk.passes(20);
    assert!(desk.ladder.contains(&"[1010 rings]".to_owned()));
}

#[test]
fn the_lamp_of_a_slot_is_on_while_a_call_waits_there() {
    let mut desk = talking();
    desk.give(Input::Watch { name: "701".into() });
    desk.check(&["701: []"]);
    desk.hands_on("1010-desk", "701");
    assert_eq!(desk.ladder.last().unwrap(), "701: [iscalled talking]");
    desk.dials_as("mary", "1011-desk", "701");
    assert_eq!(desk.ladder.last().unwrap(), "701: []");
    desk.hands_on("mary", "702");
    desk.ladder.clear();
    desk.give(Input::Watch { name: "702".into() });
    desk.check(&["702: [iscalled talking]"]);
    desk.passes(120);
    assert!(desk.ladder.contains(&"702: []".to_owned()));
}

#[test]
fn who_cannot_hand_a_call_on_keeps_both() {
    let mut desk = talking();
    desk.legs.insert("first".to_owned(), desk.leg("1010-desk"));
    desk.legs.remove("1010-desk");
    desk.dials_as("asking", "1010-desk", "*45");
    desk.ladder.clear();
    desk.brings_together("first", "asking");
    desk.check(&["tell first of the transfer: Refused(Forbidden)"]);
}

#[test]
fn who_waits_in_a_slot_for_who_asked_is_nobody_elses() {
    let mut desk = talking();
    desk.dials_as("asking", "1011-desk", "*68");
    desk.ladder.clear();
    // Mary asked for it, and the call is John's.
    desk.brings_together("1010-desk", "asking");
    desk.check(&["tell 1010-desk of the transfer: Refused(Forbidden)"]);
    desk.hands_on("1010-desk", "*68");
    assert!(
        desk.ladder
            .contains(&"play [ParkedAt(\"702\")] to 1010-desk Once".to_owned())
    );
}

#[test]
fn a_program_fetches_a_call_that_a_flow_has_parked() {
    let mut desk = Desk::with(|draft| {
        draft.flows[0].objects = serde_json::from_value(json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "park"}},
            {"id": "park", "kind": "park"}
        ]))
        .unwrap();
    });
    desk.comes_in(NUMBER);
    desk.give(Input::Originate(crate::origination::Origination {
        user: "1011".to_owned(),
        number: "701".to_owned(),
        caller_id: None,
    }));
    desk.ladder.clear();
    desk.answers("1011-desk");
    desk.check(&[
        "[1011's call answered]",
        "stop playing to caller",
        "[1011 rings]",
        "connect caller with 1011-desk",
        "[1011 answered]",
        "[1011's call ended]",
        "[over: normal]",
    ]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&[
        "hang up 1011-desk: normal",
        "[1011 ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}
