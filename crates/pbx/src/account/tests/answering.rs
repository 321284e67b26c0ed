//! Calls to a user: who rings, who wins, and every way not to be answered.

use super::*;

#[test]
fn all_devices_ring_and_the_first_answer_wins() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
    ]);
    desk.rings("1010-desk");
    desk.rings("1010-mobile");
    desk.check(&["ring caller"]);
    desk.answers("1010-mobile");
    desk.check(&[
        "hang up 1010-desk: answered_elsewhere",
        "connect caller with 1010-mobile",
        "[1010 answered]",
    ]);
    desk.passes(3_600);
    desk.check(&[]);
    desk.hangs_up("1010-mobile", HangupCause::Normal);
    desk.check(&["[1010 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_loser_that_answers_late_is_hung_up() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.answers("1010-mobile");
    desk.check(&["hang up 1010-mobile: answered_elsewhere"]);
    desk.answers("1010-desk");
    desk.check(&[]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&[
        "hang up 1010-desk: normal",
        "[1010 ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn the_caller_gives_up() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.hangs_up("caller", HangupCause::GaveUp);
    desk.check(&[
        "hang up 1010-desk: gave_up",
        "hang up 1010-mobile: gave_up",
        "[1010 ended]",
        "[over: gave_up]",
    ]);
    desk.is_over();
}

#[test]
fn both_hang_up_at_once() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.hangs_up("1010-desk", HangupCause::Normal);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&["[1010 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn ring_time_leads_to_the_no_answer_exit() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.passes(24);
    desk.check(&[]);
    desk.passes(1);
    desk.check(&[
        "hang up 1010-desk: no_answer",
        "hang up 1010-mobile: no_answer",
        "[1010 ended]",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
    // Mary's object leads nowhere: its exit's cause ends the call.
    desk.passes(10);
    desk.check(&[
        "hang up 1011-desk: no_answer",
        "[1011 ended]",
        "hang up caller: no_answer",
        "[over: no_answer]",
    ]);
    desk.is_over();
}

/// All devices of the first user fail so: what ends the call.
#[track_caller]
fn check_failures(desk: Failure, mobile: Failure, expected: &[&str]) {
    let mut office = Desk::new();
    office.comes_in(NUMBER);
    office.ladder.clear();
    office.fails("1010-desk", desk);
    office.check(&[]);
    office.fails("1010-mobile", mobile);
    office.check(expected);
}

#[test]
fn a_user_is_busy_when_anybody_says_so() {
    let busy = ["[1010 ended]", "hang up caller: busy", "[over: busy]"];
    check_failures(Failure::Busy, Failure::Busy, &busy);
    check_failures(Failure::Declined, Failure::Unreachable, &busy);
    check_failures(Failure::Timeout, Failure::Busy, &busy);
}

#[test]
fn a_user_is_unavailable_when_no_device_can_be_reached() {
    // The exit `unavailable` leads to the same object as `busy`, which hangs up with busy.
    let mut desk = Desk::with(|draft| {
        draft.flows[0].objects[1].exits.remove("unavailable");
    });
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.fails("1010-desk", Failure::Unreachable);
    desk.fails("1010-mobile", Failure::Timeout);
    desk.check(&[
        "[1010 ended]",
        "hang up caller: unavailable",
        "[over: unavailable]",
    ]);
    desk.is_over();
}

#[test]
fn phones_that_give_up_by_themselves_have_not_answered() {
    check_failures(
        Failure::NoAnswer,
        Failure::Unreachable,
        &[
            "[1010 ended]",
            "[1011 rings]",
            "dial 1011-desk as +61300000000",
        ],
    );
}

#[test]
fn a_user_without_devices_is_told_of_the_missed_call() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "1012");
    desk.check(&[
        "[internal 1010 to 1012]",
        "[1010 calls]",
        "[1012 rings]",
        "[1012 ended]",
        "hang up caller: unavailable",
        "[1010's call ended]",
        "[over: unavailable]",
    ]);
    desk.is_over();
}

#[test]
fn early_media_of_one_leg_only_and_of_the_next_when_it_is_gone() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.progresses("1010-desk");
    desk.progresses("1010-mobile");
    desk.progresses("1010-desk");
    desk.check(&["caller hears 1010-desk"]);
    desk.fails("1010-desk", Failure::Declined);
    desk.progresses("1010-mobile");
    desk.check(&["caller hears 1010-mobile"]);
}
