//! Dialling by name.

use serde_json::json;

use super::*;

fn desk() -> Desk {
    let mut desk = Desk::with(|draft| {
        draft.users[2].name = "Adam Smythe".to_owned();
        draft.flows[0].objects = serde_json::from_value(json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "people"}},
            {"id": "people", "kind": "directory", "exits": {"no_match": "bye"}},
            {"id": "bye", "kind": "hangup", "settings": {"cause": "not_found"}}
        ]))
        .unwrap();
    });
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "pick up caller",
        "play [Prompt(\"directory-enter\")] to caller Once",
    ]);
    desk
}

fn offered(letters: &str, number: &str) -> String {
    format!(
        "play [Person {{ number: {number:?}, name: {letters:?} }}, Prompt(\"directory-internal-number\"), Digits({number:?}), \
         Prompt(\"directory-press-one\")] to caller Once"
    )
}

#[test]
fn three_letters_find_a_person_and_1_calls() {
    let mut desk = desk();
    for key in "566".chars() {
        desk.presses(key);
    }
    desk.check(&["stop playing to caller", &offered("Jones", "1011")]);
    desk.presses('7');
    desk.check(&[]);
    desk.presses('1');
    desk.check(&[
        "stop playing to caller",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
}

#[test]
fn people_of_the_same_letters_are_offered_one_after_the_other() {
    let mut desk = desk();
    desk.has_heard_it();
    desk.presses('7');
    desk.presses('6');
    desk.presses('#');
    desk.check(&[&offered("Smith", "1010")]);
    desk.presses('*');
    desk.check(&[&offered("Smythe", "1012")]);
    desk.presses('2');
    desk.check(&["play [Prompt(\"directory-none\"), Prompt(\"directory-enter\")] to caller Once"]);
}

#[test]
fn whom_nobody_finds_and_who_presses_nothing_leaves() {
    let mut desk = desk();
    for _ in 0..3 {
        for key in "999".chars() {
            desk.presses(key);
        }
    }
    assert_eq!(desk.ladder.last().unwrap(), "[over: not_found]");
    let mut desk = self::desk();
    desk.presses('5');
    desk.passes(6);
    desk.has_heard_it();
    desk.passes(6);
    assert_eq!(desk.ladder.last().unwrap(), "[over: normal]");
    desk.is_over();
}
