//! The mailbox by phone: who is let in, what keys do, and what is told of it.

use serde_json::json;

use super::*;
use crate::mailbox::{MailboxCounts, MailboxTold, Message, MessageState};
use crate::question::Told;
use crate::recording::{RecordEnd, RecordingId};

const NEW: RecordingId = RecordingId(1_569_943_000_000_001_001);
const SAVED: RecordingId = RecordingId(1_569_943_000_000_001_002);

fn messages() -> Vec<Message> {
    let message = |recording, state, caller_id: Option<&str>| Message {
        recording,
        state,
        at: START,
        caller_id: caller_id.map(str::to_owned),
        seconds: 5,
    };
    vec![
        message(NEW, MessageState::New, Some("61400000001")),
        message(SAVED, MessageState::Saved, None),
    ]
}

impl Desk {
    fn mailbox_says(&mut self, told: MailboxTold) {
        let (call, question) = self.question.expect("a mailbox was asked");
        self.give(Input::Told {
            call,
            question,
            told: Told::Mailbox(told),
        });
    }

    fn presses_all(&mut self, keys: &str) {
        for key in keys.chars() {
            self.presses(key);
        }
    }

    fn spoke(&mut self, recording: RecordingId) {
        self.give(Input::Recorded {
            recording,
            seconds: 5,
            end: RecordEnd::Stopped,
        });
    }

    /// What was played and told since the last look, without what else happened.
    fn heard(&mut self) -> Vec<String> {
        let ladder = std::mem::take(&mut self.ladder).into_iter();
        let words = ladder.filter_map(|line| match line.strip_prefix("play ") {
            Some(played) => {
                let (sounds, _) = played.split_once(" to caller")?;
                Some(sounds.replace("Prompt(", "").replace([')', '"'], ""))
            }
            None => line.starts_with('[').then_some(line),
        });
        words.collect()
    }
}

/// John, who is 1010, has dialled the code of his mailbox, and it has let him in.
fn inside() -> Desk {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "*97");
    desk.mailbox_says(MailboxTold::Opened(messages()));
    desk.ladder.clear();
    desk
}

#[test]
fn a_user_is_let_in_by_the_pin_and_hears_what_there_is() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "*97");
    desk.check(&[
        "[internal 1010 to *97]",
        "[1010 calls]",
        "ask mailbox 1010 for Own, no PIN",
    ]);
    desk.mailbox_says(MailboxTold::PinNeeded);
    desk.check(&[
        "pick up caller",
        "[1010's call answered]",
        "play [Prompt(\"vm-enter-pin\")] to caller Once",
    ]);
    desk.presses_all("1234#");
    desk.check(&["ask mailbox 1010 for Own, 1234"]);
    desk.mailbox_says(MailboxTold::PinWrong);
    assert_eq!(desk.heard(), ["[vm-pin-wrong, vm-enter-pin]"]);
    desk.presses_all("4711");
    desk.passes(10);
    desk.check(&["ask mailbox 1010 for Own, 4711"]);
    desk.mailbox_says(MailboxTold::Opened(messages()));
    let counts = MailboxCounts { new: 1, saved: 1 };
    let expect = format!("[Mailbox({counts:?}, vm-menu-main]");
    assert_eq!(desk.heard(), [expect]);
    desk.presses_all("*");
    desk.has_heard_it();
    assert_eq!(
        desk.heard(),
        ["[goodbye]", "[1010's call ended]", "[over: normal]"]
    );
    desk.is_over();
}

#[test]
fn whoever_is_not_let_in_hears_why() {
    let locked = Told::Mailbox(MailboxTold::Locked);
    let cases = [
        (locked, "[vm-pin-locked]"),
        (Told::Nothing, "[error-problem]"),
    ];
    for (told, words) in cases {
        let mut desk = Desk::new();
        desk.dials("1010-desk", "*97");
        desk.ladder.clear();
        let (call, question) = desk.question.unwrap();
        desk.give(Input::Told {
            call,
            question,
            told,
        });
        assert!(desk.heard().contains(&words.to_owned()), "{words}");
        desk.has_heard_it();
        desk.is_over();
    }
    let mut desk = Desk::new();
    desk.dials("1010-desk", "*97");
    desk.passes(5);
    assert!(
        desk.heard().contains(&"[error-problem]".to_owned()),
        "nobody answers"
    );
    desk.has_heard_it();
    desk.is_over();
}

#[test]
fn a_third_wrong_pin_ends_the_call() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "*97");
    desk.mailbox_says(MailboxTold::PinNeeded);
    for _ in 0..3 {
        desk.presses_all("1#");
        desk.mailbox_says(MailboxTold::PinWrong);
    }
    desk.has_heard_it();
    desk.is_over();
}

#[test]
fn another_phone_says_whose_mailbox_it_wants() {
    for called in ["*98", "*981010"] {
        another_phone(called);
    }
}

fn another_phone(called: &str) {
    let mut desk = Desk::new();
    desk.dials("1011-desk", called);
    if called == "*98" {
        desk.presses_all("1010#");
    }
    assert_eq!(
        desk.ladder.last().unwrap(),
        "ask mailbox 1010 for Other, no PIN"
    );
    desk.mailbox_says(MailboxTold::PinNeeded);
    desk.presses_all("4711#");
    assert_eq!(
        desk.ladder.last().unwrap(),
        "ask mailbox 1010 for Other, 4711"
    );
    desk.mailbox_says(MailboxTold::Locked);
    desk.has_heard_it();
    desk.is_over();
}

#[test]
fn messages_are_heard_saved_and_deleted_and_their_end_is_said() {
    let mut desk = inside();
    desk.presses_all("1");
    let first = desk.heard();
    assert!(
        first[0].contains("Number(1, vm-received, Moment("),
        "{first:?}"
    );
    assert!(
        first[0].contains("vm-from, Digits(61400000001, Recording("),
        "{first:?}"
    );
    desk.has_heard_it();
    let saved = format!("[{NEW} is Saved]");
    assert_eq!(desk.heard(), [saved.as_str(), "[vm-menu-message]"]);
    desk.presses_all("2");
    let second = desk.heard();
    assert!(
        second[0].starts_with("[vm-saved, vm-message-number, Number(2"),
        "{second:?}"
    );
    assert!(second[0].contains("vm-unknown-caller"), "{second:?}");
    // Before it was heard to its end.
    desk.presses_all("3");
    let erased = format!("[{SAVED} is Erased]");
    assert_eq!(
        desk.heard(),
        [
            erased.as_str(),
            "[vm-deleted, vm-no-more-messages, vm-menu-main]"
        ]
    );
    desk.presses_all("1");
    desk.heard();
    desk.presses_all("3");
    let erased = format!("[{NEW} is Erased]");
    assert_eq!(
        desk.heard(),
        [
            erased.as_str(),
            "[vm-deleted, vm-no-messages, vm-menu-main]"
        ]
    );
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn a_message_is_forwarded_to_a_mailbox_that_has_room() {
    let mut desk = inside();
    desk.presses_all("14");
    assert_eq!(desk.heard().last().unwrap(), "[vm-forward-to]");
    desk.presses_all("1099#");
    assert_eq!(desk.heard(), ["[error-not-in-service, vm-menu-message]"]);
    desk.give(Input::Mailbox {
        user: "1011".into(),
        counts: MailboxCounts { new: 60, saved: 40 },
    });
    desk.presses_all("41011#");
    assert_eq!(
        desk.heard().last().unwrap(),
        "[vm-mailbox-full, vm-menu-message]"
    );
    desk.give(Input::Mailbox {
        user: "1011".into(),
        counts: MailboxCounts { new: 60, saved: 39 },
    });
    desk.presses_all("41011#");
    let copy = RecordingId::new(desk.events[0].call, 1);
    let expect = [
        "[vm-forward-to]".to_owned(),
        format!("[{NEW} for 1011 too]"),
        format!("[{copy} is closed]"),
        "[vm-forwarded, vm-menu-message]".to_owned(),
    ];
    assert_eq!(desk.heard(), expect);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn a_greeting_is_spoken_heard_kept_or_spoken_again() {
    let mut desk = inside();
    let first = RecordingId::new(desk.events[0].call, 1);
    let second = RecordingId::new(desk.events[0].call, 2);
    desk.presses_all("22");
    assert_eq!(
        desk.heard(),
        ["[vm-menu-greetings]", "[vm-record-greeting, Tone(Beep]"]
    );
    desk.has_heard_it();
    assert_eq!(desk.heard(), ["[greeting of 1010]"]);
    desk.presses_all("#");
    desk.spoke(first);
    assert_eq!(desk.heard(), ["[vm-menu-greeting]"]);
    desk.presses_all("1");
    let heard = desk.heard();
    assert!(heard[0].starts_with("[Recording("), "{heard:?}");
    desk.presses_all("3");
    desk.has_heard_it();
    desk.presses_all("#");
    desk.spoke(second);
    let again = format!("[{first} is Erased]");
    assert_eq!(desk.heard()[0], again);
    desk.presses_all("2");
    assert_eq!(
        desk.ladder.last().unwrap(),
        &format!("keep {second} as Busy")
    );
    desk.mailbox_says(MailboxTold::Done);
    let kept = format!("[{second} is Erased]");
    assert_eq!(
        desk.heard(),
        [kept.as_str(), "[vm-greeting-saved, vm-menu-main]"]
    );
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn what_was_not_kept_is_erased_whenever_the_caller_leaves() {
    let mut desk = inside();
    let recording = RecordingId::new(desk.events[0].call, 1);
    desk.presses_all("23");
    assert_eq!(desk.heard()[1], "[vm-record-name, Tone(Beep]");
    desk.has_heard_it();
    desk.hangs_up("caller", HangupCause::Normal);
    assert!(desk.heard().contains(&format!("[{recording} is Erased]")));
    desk.is_over();
}

#[test]
fn a_pin_is_changed_when_it_was_keyed_in_twice_alike() {
    let mut desk = inside();
    for (keys, expect) in [
        ("3123#", "[vm-pin-not-changed, vm-menu-main]"),
        ("34711#4712#", "[vm-pin-not-changed, vm-menu-main]"),
        ("3*", "[vm-menu-main]"),
    ] {
        desk.presses_all(keys);
        assert_eq!(desk.heard().last().unwrap(), expect, "{keys}");
    }
    desk.presses_all("34711#4711#");
    assert_eq!(desk.ladder.last().unwrap(), "change the PIN to 4711");
    desk.mailbox_says(MailboxTold::Done);
    assert_eq!(
        desk.heard().last().unwrap(),
        "[vm-pin-changed, vm-menu-main]"
    );
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn who_presses_nothing_is_asked_again_and_then_hung_up() {
    let mut desk = inside();
    desk.passes(60 * 60);
    desk.is_over();
}

fn voicemail(exits: &serde_json::Value) -> Desk {
    let objects = json!([
        {"id": "in", "kind": "inbound_number",
         "settings": {"numbers": ["+61298765432"]}, "exits": {"next": "box"}},
        {"id": "box", "kind": "voicemail", "settings": {"mailbox": "1010"}, "exits": exits},
        {"id": "bye", "kind": "hangup", "settings": {"cause": "busy"}}
    ]);
    Desk::with(|draft| draft.flows[0].objects = serde_json::from_value(objects).unwrap())
}

#[test]
fn the_star_key_during_the_greeting_lets_the_user_in_from_outside() {
    let mut desk = voicemail(&json!({}));
    desk.comes_in(NUMBER);
    desk.presses_all("*");
    assert_eq!(
        desk.ladder.last().unwrap(),
        "ask mailbox 1010 for Other, no PIN"
    );
    desk.mailbox_says(MailboxTold::PinNeeded);
    desk.presses_all("4711#");
    desk.mailbox_says(MailboxTold::Opened(messages()));
    desk.presses_all("1");
    assert!(desk.heard().last().unwrap().contains("vm-message-number"));
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn a_full_mailbox_takes_nothing_and_says_so_or_the_flow_goes_on() {
    let full = MailboxCounts { new: 100, saved: 0 };
    let mut desk = voicemail(&json!({}));
    desk.give(Input::Mailbox {
        user: "1010".into(),
        counts: full,
    });
    desk.comes_in(NUMBER);
    assert_eq!(desk.heard().last().unwrap(), "[vm-mailbox-full]");
    desk.has_heard_it();
    desk.is_over();
    let mut desk = voicemail(&json!({"mailbox_full": "bye"}));
    desk.give(Input::Mailbox {
        user: "1010".into(),
        counts: full,
    });
    desk.comes_in(NUMBER);
    assert!(desk.heard().contains(&"[over: busy]".to_owned()));
    desk.is_over();
}
