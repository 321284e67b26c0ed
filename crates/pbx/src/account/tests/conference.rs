//! Conference rooms: who is let in, and who hears whom.

use serde_json::json;

use super::*;
use crate::effect::Speech;

/// Calls to the account's number come into the room `weekly`.
fn desk(settings: &serde_json::Value) -> Desk {
    Desk::with(|draft| {
        let mut room = json!({"room": "weekly"});
        for (key, value) in settings.as_object().into_iter().flatten() {
            room[key] = value.clone();
        }
        draft.flows[0].objects = serde_json::from_value(json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "room"}},
            {"id": "room", "kind": "conference", "settings": room,
             "exits": {"wrong_pin": "bye", "full": "bye"}},
            {"id": "bye", "kind": "hangup", "settings": {"cause": "busy"}}
        ]))
        .unwrap();
    })
}

impl Desk {
    /// Somebody else calls, under a name of its own.
    fn calls_as(&mut self, name: &str, origin: Origin) {
        self.arrives(name, origin, NUMBER);
        self.ladder.clear();
    }

    fn guest(&mut self, name: &str) {
        let name_of_trunk = "carrier".into();
        self.calls_as(
            name,
            Origin::Trunk {
                name: name_of_trunk,
            },
        );
    }

    fn user(&mut self, name: &str, device: &str) {
        let username = device.into();
        self.calls_as(name, Origin::Device { username });
    }

    fn keys(&mut self, name: &str, keys: &str) {
        let leg = self.leg(name);
        for digit in keys.chars() {
            self.give(Input::Digit { leg, digit });
        }
    }

    /// All that is played to that leg comes to its end.
    fn hears_all(&mut self, name: &str) {
        let leg = self.leg(name);
        let play = self.laws.plays().find(|(known, _)| *known == leg);
        let (_, play) = play.unwrap_or_else(|| panic!("{name} hears nothing"));
        self.give(Input::Played { leg, play });
    }
}

#[test]
fn who_comes_first_hears_music_until_somebody_comes() {
    let mut desk = desk(&json!({}));
    desk.arrives(
        "one",
        Origin::Trunk {
            name: "carrier".into(),
        },
        NUMBER,
    );
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up one",
        "one is in weekly, Heard",
        "play [ConferenceSize(1)] to one Once",
    ]);
    desk.hears_all("one");
    desk.check(&["play [Music] to one Forever"]);
    desk.arrives(
        "two",
        Origin::Trunk {
            name: "carrier".into(),
        },
        NUMBER,
    );
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up two",
        "two is in weekly, Heard",
        "play [ConferenceSize(2)] to two Once",
        "play [Tone(Joined)] to one Once",
    ]);
    desk.hears_all("one");
    desk.hears_all("two");
    desk.check(&[]);
    desk.hangs_up("two", HangupCause::Normal);
    desk.check(&["[over: normal]", "play [Tone(Left)] to one Once"]);
    desk.hears_all("one");
    desk.check(&["play [Music] to one Forever"]);
    desk.hangs_up("one", HangupCause::Normal);
    desk.check(&["[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_users_call_into_a_room_is_told_like_any_call() {
    let mut desk = desk(&json!({"announce": "none"}));
    desk.dials("1010-desk", "0298765432");
    desk.check(&[
        "[internal 1010 to 61298765432]",
        "[1010 calls]",
        "pick up caller",
        "[1010's call answered]",
        "caller is in weekly, Heard",
        "play [ConferenceSize(1)] to caller Once",
    ]);
    desk.keys("caller", "*0");
    desk.check(&[
        "stop playing to caller",
        "caller is in no room",
        "hang up caller: normal",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_room_has_an_internal_number_for_users() {
    let mut desk = Desk::with(|draft| {
        draft.flows[0].objects = serde_json::from_value(json!([
            {"id": "in", "kind": "internal_number", "settings": {"numbers": ["800"]},
             "exits": {"next": "room"}},
            {"id": "room", "kind": "conference", "settings": {"room": "weekly"}}
        ]))
        .unwrap();
        draft.users[0].caller_id = None;
    });
    desk.dials("1010-desk", "800");
    desk.check(&[
        "[internal 1010 to 800]",
        "[1010 calls]",
        "pick up caller",
        "[1010's call answered]",
        "caller is in weekly, Heard",
        "play [ConferenceSize(1)] to caller Once",
    ]);
    // It is nobody's outside.
    desk.comes_in("800");
    assert!(desk.ladder.contains(&"[over: not_found]".to_owned()));
}

#[test]
fn a_wrong_pin_is_asked_for_again_and_the_third_is_the_last() {
    let mut desk = desk(&json!({"pin": "2468"}));
    desk.guest("one");
    desk.keys("one", "1#");
    desk.check(&[
        "stop playing to one",
        "play [Prompt(\"conf-wrong-pin\"), Prompt(\"conf-enter-pin\")] to one Once",
    ]);
    // A right one that is not ended is taken after a while.
    desk.guest("two");
    desk.hears_all("two");
    desk.keys("two", "2468");
    desk.passes(11);
    desk.check(&[
        "two is in weekly, Heard",
        "play [ConferenceSize(1)] to two Once",
    ]);
    desk.keys("one", "24680#");
    desk.ladder.clear();
    desk.keys("one", "2468024680246802468#");
    desk.check(&[
        "stop playing to one",
        "play [Prompt(\"conf-wrong-pin\")] to one Once",
    ]);
    desk.hears_all("one");
    desk.check(&["hang up one: busy", "[over: busy]"]);
}

#[test]
fn guests_wait_with_music_until_an_owner_comes() {
    let mut desk = desk(&json!({"owner_pin": "99", "starts": "with_owner"}));
    desk.guest("one");
    desk.keys("one", "#");
    desk.check(&["play [Prompt(\"conf-wait-owner\")] to one Once"]);
    desk.hears_all("one");
    desk.check(&["play [Music] to one Forever"]);
    desk.guest("two");
    desk.keys("two", "#");
    desk.hears_all("two");
    desk.check(&[
        "play [Prompt(\"conf-wait-owner\")] to two Once",
        "play [Music] to two Forever",
    ]);
    desk.guest("owner");
    desk.keys("owner", "99#");
    desk.check(&[
        "stop playing to owner",
        "owner is in weekly, Heard",
        "play [ConferenceSize(3)] to owner Once",
        "one is in weekly, Heard",
        "play [Tone(Joined)] to one Once",
        "two is in weekly, Heard",
        "play [Tone(Joined)] to two Once",
    ]);
    // They go on without.
    desk.hangs_up("owner", HangupCause::Normal);
    desk.guest("three");
    desk.keys("three", "#");
    assert!(
        desk.ladder
            .contains(&"three is in weekly, Heard".to_owned())
    );
}

#[test]
fn keys_of_owners_are_nothing_for_guests() {
    let mut desk = desk(&json!({"owners": ["1010"], "announce": "none"}));
    desk.user("owner", "1010-desk");
    desk.guest("guest");
    for keys in ["*5", "*7", "*8", "6", "**", "*1"] {
        desk.keys("guest", keys);
        desk.check(&[]);
    }
    desk.keys("owner", "*7");
    desk.check(&["play [Prompt(\"conf-locked\")] to owner Once"]);
    desk.guest("late");
    desk.hears_all("late");
    desk.check(&["hang up late: busy", "[over: busy]"]);
    desk.keys("owner", "*7");
    desk.check(&["play [Prompt(\"conf-unlocked\")] to owner Once"]);
    desk.keys("owner", "*5");
    desk.check(&[
        "play [Prompt(\"conf-guests-muted\")] to owner Once",
        "guest is in weekly, Muted",
        "play [Prompt(\"conf-muted\")] to guest Once",
    ]);
    // Who comes now is muted too, and a guest cannot change it.
    desk.guest("late");
    desk.keys("guest", "*6");
    desk.check(&["play [Prompt(\"conf-muted\")] to guest Once"]);
    desk.keys("owner", "*6");
    desk.check(&[
        "owner is in weekly, Muted",
        "play [Prompt(\"conf-muted\")] to owner Once",
    ]);
    desk.keys("owner", "*8");
    desk.check(&[
        "owner is in no room",
        "play [Prompt(\"conf-ended\")] to owner Once",
        "guest is in no room",
        "play [Prompt(\"conf-ended\")] to guest Once",
        "late is in no room",
        "play [Prompt(\"conf-ended\")] to late Once",
    ]);
    for (name, number) in [("owner", Some("1010")), ("guest", None), ("late", None)] {
        desk.hears_all(name);
        let ended = number.map(|number| format!("[{number}'s call ended]"));
        let lines = [Some(format!("hang up {name}: normal")), ended];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        let lines: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .chain(["[over: normal]"])
            .collect();
        desk.check(&lines);
    }
    desk.is_over();
}

#[test]
fn a_room_has_so_many_places_and_so_much_time() {
    let mut desk = desk(&json!({"max_members": 2, "max_minutes": 1, "announce": "none"}));
    desk.guest("one");
    desk.passes(30);
    desk.guest("two");
    desk.arrives(
        "three",
        Origin::Trunk {
            name: "carrier".into(),
        },
        NUMBER,
    );
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up three",
        "play [Prompt(\"conf-full\")] to three Once",
    ]);
    desk.hears_all("three");
    desk.check(&["hang up three: busy", "[over: busy]"]);
    desk.passes(30);
    desk.check(&[
        "one is in no room",
        "play [Prompt(\"conf-ended\")] to one Once",
        "two is in no room",
        "play [Prompt(\"conf-ended\")] to two Once",
    ]);
    desk.hears_all("one");
    desk.hears_all("two");
    desk.is_over();
}

#[test]
fn a_guest_mutes_itself() {
    let mut desk = desk(&json!({"announce": "words"}));
    desk.guest("one");
    desk.guest("two");
    desk.keys("two", "*6");
    desk.check(&[
        &format!("two is in weekly, {:?}", Speech::Muted),
        "play [Prompt(\"conf-muted\")] to two Once",
    ]);
    desk.keys("two", "*6");
    desk.check(&[
        "two is in weekly, Heard",
        "play [Prompt(\"conf-unmuted\")] to two Once",
    ]);
    desk.hangs_up("two", HangupCause::Normal);
    desk.check(&[
        "[over: normal]",
        "play [Prompt(\"conf-someone-left\")] to one Once",
    ]);
}

#[test]
fn whom_a_user_talks_with_is_handed_on_into_the_room_that_it_called() {
    let mut desk = desk(&json!({"announce": "none"}));
    desk.dials_as("first", "1010-desk", "1011");
    desk.answers("1011-desk");
    desk.user("second", "1010-desk");
    desk.hears_all("second");
    desk.ladder.clear();
    desk.brings_together("first", "second");
    desk.check(&[
        "tell first of the transfer: Accepted",
        "part first",
        "[1010's call ended]",
        "tell first of the transfer: Done",
        "hang up first: normal",
        "1011-desk is in weekly, Heard",
        "play [ConferenceSize(2)] to 1011-desk Once",
        "stop playing to second",
        "second is in no room",
        "hang up second: normal",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.hears_all("1011-desk");
    desk.check(&["play [Music] to 1011-desk Forever"]);
    desk.hangs_up("1011-desk", HangupCause::Normal);
    desk.check(&["[1011 ended]", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_program_calls_a_room_by_its_internal_number() {
    let mut desk = Desk::with(|draft| {
        draft.flows[0].objects = serde_json::from_value(json!([
            {"id": "in", "kind": "internal_number", "settings": {"numbers": ["800"]},
             "exits": {"next": "room"}},
            {"id": "room", "kind": "conference", "settings": {"room": "weekly"}}
        ]))
        .unwrap();
        draft.users[0].caller_id = None;
    });
    desk.give(Input::Originate(crate::origination::Origination {
        user: "1011".to_owned(),
        number: "800".to_owned(),
        caller_id: None,
    }));
    desk.answers("1011-desk");
    desk.check(&[
        "begun",
        "[internal 1011 to 800]",
        "[1011 calls]",
        "dial 1011-desk as 800",
        "[1011's call answered]",
        "1011-desk is in weekly, Heard",
        "play [ConferenceSize(1)] to 1011-desk Once",
    ]);
}
