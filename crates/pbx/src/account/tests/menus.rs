//! Callers who are picked up: announcements, the choice by a key, and what follows them.

use serde_json::json;

use super::*;

/// The main line asks for a key: 1 rings John, 2 is a busy line with words; then the goodbye.
fn desk() -> Desk {
    Desk::with(|draft| {
        let objects = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "menu"}},
            {"id": "menu", "kind": "ivr",
             "settings": {"prompt": "please-wait", "wait_seconds": 5, "repeats": 1},
             "exits": {"key_1": "john", "key_2": "sorry", "no_input": "bye"}},
            {"id": "john", "kind": "user", "settings": {"user": "1010"},
             "exits": {"no_answer": "bye"}},
            {"id": "sorry", "kind": "play_audio", "settings": {"sound": "error-busy"},
             "exits": {"next": "bye"}},
            {"id": "bye", "kind": "play_audio", "settings": {"sound": "goodbye", "keys": "skip"}}
        ]);
        for flow in &mut draft.flows {
            flow.objects = serde_json::from_value(objects.clone()).unwrap();
        }
    })
}

const MENU: &str = "play [Prompt(\"please-wait\")] to caller Once";
const BYE: &str = "play [Prompt(\"goodbye\")] to caller Once";

fn asked() -> Desk {
    let mut desk = desk();
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up caller",
        MENU,
    ]);
    desk
}

#[test]
fn a_key_rings_the_user_and_connects_who_was_picked_up() {
    let mut desk = asked();
    desk.presses('1');
    desk.check(&[
        "stop playing to caller",
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
    ]);
    desk.rings("1010-desk");
    desk.check(&["play [Tone(Ringback)] to caller Forever"]);
    desk.rings("1010-mobile");
    desk.check(&[]);
    desk.answers("1010-desk");
    desk.check(&[
        "hang up 1010-mobile: answered_elsewhere",
        "stop playing to caller",
        "connect caller with 1010-desk",
        "[1010 answered]",
    ]);
    desk.hangs_up("1010-desk", HangupCause::Normal);
    desk.check(&["[1010 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn nobody_answers_and_the_ringback_gives_way_to_words() {
    let mut desk = asked();
    desk.presses('1');
    desk.rings("1010-desk");
    desk.ladder.clear();
    desk.passes(25);
    desk.check(&[
        "hang up 1010-desk: no_answer",
        "hang up 1010-mobile: no_answer",
        "[1010 ended]",
        "stop playing to caller",
        BYE,
    ]);
    desk.has_heard_it();
    desk.check(&["hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn it_rings_again_when_the_phone_that_was_heard_is_gone() {
    let mut desk = asked();
    desk.presses('1');
    desk.ladder.clear();
    desk.progresses("1010-desk");
    desk.fails("1010-desk", Failure::Busy);
    desk.check(&[
        "caller hears 1010-desk",
        "play [Tone(Ringback)] to caller Forever",
    ]);
    desk.answers("1010-mobile");
    desk.check(&[
        "stop playing to caller",
        "connect caller with 1010-mobile",
        "[1010 answered]",
    ]);
}

#[test]
fn without_a_key_the_prompt_is_repeated_then_the_call_goes_on() {
    let mut desk = asked();
    desk.has_heard_it();
    desk.passes(4);
    desk.check(&[]);
    desk.passes(1);
    desk.check(&["play [Prompt(\"ivr-no-input\"), Prompt(\"please-wait\")] to caller Once"]);
    desk.has_heard_it();
    desk.passes(5);
    desk.check(&[BYE]);
    desk.presses('5');
    desk.check(&[
        "stop playing to caller",
        "hang up caller: normal",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_key_that_leads_nowhere_is_invalid() {
    let mut desk = asked();
    for key in ['9', 'A'] {
        desk.presses(key);
    }
    desk.check(&[
        "play [Prompt(\"ivr-invalid\"), Prompt(\"please-wait\")] to caller Once",
        "stop playing to caller",
        "hang up caller: normal",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn the_end_of_an_earlier_play_is_no_news() {
    let mut desk = asked();
    let (leg, play) = (desk.leg("caller"), desk.last_play);
    desk.presses('2');
    desk.ladder.clear();
    desk.give(Input::Played { leg, play });
    desk.check(&[]);
    desk.presses('1');
    desk.check(&[]);
    desk.has_heard_it();
    desk.check(&[BYE]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&["[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_play_whose_end_is_never_told_does_not_hold_the_call() {
    let mut desk = asked();
    desk.presses('2');
    desk.ladder.clear();
    desk.passes(1_200);
    desk.check(&[
        "stop playing to caller",
        BYE,
        "stop playing to caller",
        "hang up caller: normal",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_user_who_reaches_the_menu_was_answered_by_it() {
    let mut desk = desk();
    desk.dials("1011-desk", "0298765432");
    desk.check(&[
        "[internal 1011 to 61298765432]",
        "[1011 calls]",
        "pick up caller",
        "[1011's call answered]",
        MENU,
    ]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&["[1011's call ended]", "[over: normal]"]);
    desk.is_over();
}

/// The menu with direct dial, users 10, 1010, 1011 and 1012, and a key 1 and a key 2 that lead on.
fn direct_dial() -> Desk {
    let mut desk = Desk::with(|draft| {
        let mut short = draft.users[1].clone();
        short.number = "10".to_owned();
        short.devices[0].username = "10-desk".to_owned();
        draft.users.push(short);
        let objects = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "menu"}},
            {"id": "menu", "kind": "ivr",
             "settings": {"prompt": "please-wait", "direct_dial": "users", "key_seconds": 3,
                          "repeats": 0},
             "exits": {"key_1": "bye", "key_2": "bye", "key_star": "bye", "invalid": "sorry"}},
            {"id": "bye", "kind": "play_audio", "settings": {"sound": "goodbye"}},
            {"id": "sorry", "kind": "play_audio", "settings": {"sound": "error-busy"}}
        ]);
        draft.flows[0].objects = serde_json::from_value(objects).unwrap();
    });
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk
}

const HUSH: &str = "stop playing to caller";
const SORRY: &str = "play [Prompt(\"error-busy\")] to caller Once";

/// Keys, with a wait of so many seconds after each, and what comes of them after another wait of
/// three.
#[track_caller]
fn check_dialled(keys: &[(char, u64)], expected: &[&str]) {
    let mut desk = direct_dial();
    for (key, seconds) in keys {
        desk.presses(*key);
        desk.passes(*seconds);
    }
    desk.passes(3);
    desk.check(expected);
}

#[test]
fn internal_numbers_are_dialled_and_the_longest_match_is_taken() {
    let john = [
        HUSH,
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
    ];
    let short = [HUSH, "[10 rings]", "dial 10-desk as +61300000000"];
    check_dialled(&[('1', 2), ('0', 2), ('1', 2), ('0', 0)], &john);
    check_dialled(&[('1', 0), ('0', 0)], &short);
    check_dialled(&[('1', 0), ('0', 0), ('#', 0)], &short);
    // Too slow for the longer number.
    check_dialled(&[('1', 0), ('0', 3), ('1', 0)], &short);
}

#[test]
fn single_keys_go_on_working_beside_internal_numbers() {
    check_dialled(&[('2', 0)], &[HUSH, BYE]);
    check_dialled(&[('*', 0)], &[HUSH, BYE]);
    // A key that a number begins with is taken when no other follows.
    check_dialled(&[('1', 0)], &[HUSH, BYE]);
    check_dialled(&[('1', 0), ('#', 0)], &[HUSH, BYE]);
    for wrong in [
        &[('1', 0), ('5', 0)][..],
        &[('1', 0), ('0', 0), ('9', 0)],
        &[('7', 0)],
    ] {
        check_dialled(wrong, &[HUSH, SORRY]);
    }
}

#[test]
fn who_was_dialled_directly_talks_and_the_call_ends_when_nobody_answers() {
    let mut desk = direct_dial();
    for key in "1011".chars() {
        desk.presses(key);
    }
    desk.ladder.clear();
    desk.answers("1011-desk");
    desk.check(&["connect caller with 1011-desk", "[1011 answered]"]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.ladder.clear();
    desk.is_over();

    let mut desk = direct_dial();
    for key in "1012".chars() {
        desk.presses(key);
    }
    desk.check(&[
        HUSH,
        "[1012 rings]",
        "[1012 ended]",
        "hang up caller: unavailable",
        "[over: unavailable]",
    ]);
    desk.is_over();
}

#[test]
fn last_words_are_heard_before_the_end() {
    let mut desk = Desk::with(|draft| {
        draft.flows[0].objects[0]
            .exits
            .insert("next".to_owned(), "bye".to_owned());
        let settings = json!({"cause": "busy", "sound": "error-busy"});
        draft.flows[0].objects[3].settings = settings.as_object().unwrap().clone();
    });
    desk.comes_in(NUMBER);
    desk.presses('1');
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up caller",
        SORRY,
    ]);
    desk.has_heard_it();
    desk.check(&["hang up caller: busy", "[over: busy]"]);
    desk.is_over();
}
