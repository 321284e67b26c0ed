//! Calls that a program asks for.

use serde_json::json;

use super::*;
use crate::origination::{Origination, Unplaced};

impl Desk {
    fn asked(&mut self, user: &str, number: &str, caller_id: Option<&str>) {
        self.give(Input::Originate(Origination {
            user: user.to_owned(),
            number: number.to_owned(),
            caller_id: caller_id.map(ToOwned::to_owned),
        }));
    }
}

const OUTSIDE: &str = "61412345678";

/// The user's phones ring.
fn asked() -> Desk {
    let mut desk = Desk::new();
    desk.asked("1010", OUTSIDE, None);
    desk.check(&[
        "begun",
        "[outbound 61298765432 to 61412345678]",
        "[1010 calls]",
        "dial 1010-desk as +61412345678",
        "dial 1010-mobile as +61412345678",
    ]);
    desk
}

#[test]
fn the_first_phone_to_answer_has_dialled_the_number() {
    let mut desk = asked();
    desk.rings("1010-desk");
    desk.progresses("1010-mobile");
    desk.check(&[]);
    desk.answers("1010-desk");
    desk.check(&[
        "hang up 1010-mobile: answered_elsewhere",
        "dial 61412345678 by carrier as 61298765432",
    ]);
    desk.rings("carrier");
    desk.check(&["play [Tone(Ringback)] to 1010-desk Forever"]);
    desk.answers("carrier");
    desk.check(&[
        "stop playing to 1010-desk",
        "connect 1010-desk with carrier",
        "[1010's call answered]",
    ]);
    desk.hangs_up("carrier", HangupCause::Normal);
    desk.check(&[
        "hang up 1010-desk: normal",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn what_the_carrier_sends_before_the_answer_is_heard_instead_of_the_tone() {
    let mut desk = asked();
    desk.answers("1010-mobile");
    desk.rings("carrier");
    desk.ladder.clear();
    desk.progresses("carrier");
    desk.rings("carrier");
    desk.check(&["stop playing to 1010-mobile", "1010-mobile hears carrier"]);
    desk.answers("carrier");
    desk.check(&["connect 1010-mobile with carrier", "[1010's call answered]"]);
}

#[test]
fn nobody_picks_up_and_nobody_is_dialled() {
    let mut desk = asked();
    desk.passes(25);
    desk.check(&[
        "hang up 1010-desk: no_answer",
        "hang up 1010-mobile: no_answer",
        "[1010's call ended]",
        "[over: no_answer]",
    ]);
    desk.is_over();
}

#[test]
fn phones_that_all_refuse_end_the_call() {
    for (failure, cause) in [
        (Failure::Busy, "busy"),
        (Failure::Declined, "declined"),
        (Failure::Unreachable, "unavailable"),
    ] {
        let mut desk = asked();
        desk.fails("1010-desk", Failure::Unreachable);
        desk.check(&[]);
        desk.fails("1010-mobile", failure);
        desk.check(&["[1010's call ended]", &format!("[over: {cause}]")]);
        desk.is_over();
    }
}

#[test]
fn who_hangs_up_again_stops_the_call_to_the_number() {
    let mut desk = asked();
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.hangs_up("1010-desk", HangupCause::Normal);
    desk.check(&[
        "hang up carrier: normal",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_colleague_is_called_under_the_internal_number_and_has_a_story_too() {
    let mut desk = Desk::new();
    desk.asked("1011", "1010", Some("+61298765432"));
    desk.check(&[
        "begun",
        "[internal 1011 to 1010]",
        "[1011 calls]",
        "dial 1011-desk as 1010",
    ]);
    desk.answers("1011-desk");
    desk.check(&[
        "[1010 rings]",
        "dial 1010-desk as 1011",
        "dial 1010-mobile as 1011",
    ]);
    desk.answers("1010-desk");
    desk.check(&[
        "hang up 1010-mobile: answered_elsewhere",
        "connect 1011-desk with 1010-desk",
        "[1010 answered]",
        "[1011's call answered]",
    ]);
    desk.hangs_up("1011-desk", HangupCause::Normal);
    desk.check(&[
        "hang up 1010-desk: normal",
        "[1010 ended]",
        "[1011's call ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_menu_answers_when_it_speaks() {
    let mut desk = Desk::with(|draft| {
        let objects = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "bye"}},
            {"id": "bye", "kind": "play_audio", "settings": {"sound": "goodbye"}}
        ]);
        for flow in &mut draft.flows {
            flow.objects = serde_json::from_value(objects.clone()).unwrap();
        }
    });
    desk.asked("1011", NUMBER, None);
    desk.answers("1011-desk");
    desk.check(&[
        "begun",
        "[internal 1011 to 61298765432]",
        "[1011 calls]",
        "dial 1011-desk as +61298765432",
        "[1011's call answered]",
        "play [Prompt(\"goodbye\")] to 1011-desk Once",
    ]);
}

#[test]
fn another_number_of_the_account_may_be_shown() {
    let mut desk = Desk::with(|draft| {
        for object in draft.flows.iter_mut().flat_map(|flow| &mut flow.objects) {
            if object.kind == "inbound_number" {
                object.settings = serde_json::from_value(json!({
                    "numbers": ["+61298765432", "+61298765433"]
                }))
                .unwrap();
            }
        }
    });
    desk.asked("1010", OUTSIDE, Some("61298765433"));
    desk.answers("1010-desk");
    let ladder = desk.ladder.join("\n");
    assert!(ladder.contains("[outbound 61298765433 to"), "{ladder}");
    assert!(ladder.contains("by carrier as 61298765433"), "{ladder}");
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    use Unplaced::{LimitReached, NotDiallable, NotPresentable, UnknownUser};
    for (user, number, caller_id, why) in [
        ("1099", OUTSIDE, None, UnknownUser),
        ("", OUTSIDE, None, UnknownUser),
        ("1010", "1099", None, NotDiallable),
        ("1010", "alice", None, NotDiallable),
        ("1010", "", None, NotDiallable),
        ("1010", OUTSIDE, Some("+61299999999"), NotPresentable),
        ("1010", OUTSIDE, Some("boss"), NotPresentable),
    ] {
        let mut desk = Desk::new();
        desk.asked(user, number, caller_id);
        desk.check(&[&format!("not begun: {why:?}")]);
        desk.is_over();
    }
    let mut desk = Desk::with(|draft| draft.limits.calls_per_user = Some(1));
    desk.asked("1010", OUTSIDE, None);
    desk.ladder.clear();
    desk.asked("1010", OUTSIDE, None);
    desk.check(&[&format!("not begun: {LimitReached:?}")]);
}

#[test]
fn numbers_are_read_as_programs_write_them() {
    let plan = plan(|_| {});
    for (number, expect) in [
        ("+61412345678", Some("61412345678")),
        ("61412345678", Some("61412345678")),
        ("442071838750", Some("442071838750")),
        (" +44 20 7183 8750 ", Some("442071838750")),
        ("0412345678", Some("61412345678")),
        ("1011", Some("1011")),
        ("000", None),
        ("*97", None),
    ] {
        let asked = Origination {
            user: "1010".to_owned(),
            number: number.to_owned(),
            caller_id: None,
        };
        let read = plan.placeable(&asked).ok();
        let read = read.map(|placeable| placeable.route.destination.digits());
        assert_eq!(read.as_deref(), expect, "{number}");
    }
}
