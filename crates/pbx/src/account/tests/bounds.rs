//! Limits, loops, plans that change, and what comes from outside.

use super::*;

#[test]
fn over_the_accounts_limit_the_outside_is_busy_and_users_are_told() {
    let mut desk = Desk::with(|draft| draft.limits.calls = Some(1));
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "hang up caller: busy",
        "[over: limit_reached]",
    ]);
    desk.dials("1011-desk", "1010");
    desk.ladder.drain(..2);
    desk.check(&[
        "hang up caller: limit_reached",
        "[1011's call ended]",
        "[over: limit_reached]",
    ]);
}

#[test]
fn a_user_at_the_limit_is_busy_and_cannot_call() {
    let mut desk = Desk::with(|draft| draft.limits.calls_per_user = Some(1));
    desk.dials("1010-desk", "1011");
    desk.ladder.clear();
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[1010 rings]",
        "[1010 ended]",
        "hang up caller: busy",
        "[over: busy]",
    ]);
    desk.dials("1010-mobile", "1011");
    desk.ladder.drain(..2);
    desk.check(&[
        "hang up caller: limit_reached",
        "[1010's call ended]",
        "[over: limit_reached]",
    ]);
}

#[test]
fn a_trunk_at_its_limit_takes_no_more_calls_in() {
    let mut desk = Desk::with(|draft| draft.trunks[0].calls = Some(1));
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.comes_in(NUMBER);
    desk.ladder.drain(..1);
    desk.check(&["hang up caller: busy", "[over: limit_reached]"]);
}

#[test]
fn a_call_is_as_long_as_the_account_allows() {
    let mut desk = Desk::with(|draft| draft.limits.call_minutes = Some(5));
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.passes(299);
    desk.check(&[]);
    desk.passes(1);
    desk.check(&[
        "hang up 1010-desk: too_long",
        "[1010 ended]",
        "hang up caller: too_long",
        "[over: too_long]",
    ]);
    desk.is_over();
}

#[test]
fn a_circle_of_failures_without_a_wait_is_cut() {
    // The compiler knows that `no_answer` comes after a wait. A phone that gives up at once
    // does not.
    let mut desk = Desk::with(|draft| {
        draft.flows[0].objects[2]
            .exits
            .insert("no_answer".to_owned(), "mary".to_owned());
    });
    desk.comes_in(NUMBER);
    desk.fails("1010-desk", Failure::NoAnswer);
    desk.fails("1010-mobile", Failure::NoAnswer);
    let mut rounds = 0;
    while desk.account.call_count() > 0 {
        rounds += 1;
        assert!(rounds < 100, "the call goes round for ever");
        desk.fails("1011-desk", Failure::NoAnswer);
    }
    assert_eq!(desk.ladder.last().unwrap(), "[over: too_many_hops]");
    desk.is_over();
}

#[test]
fn a_newer_plan_is_for_newer_calls() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.apply(plan(|draft| {
        draft.users.remove(0);
        draft.flows.clear();
    }));
    desk.ladder.clear();
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&[
        "hang up 1010-desk: normal",
        "[1010 ended]",
        "[over: normal]",
    ]);
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "hang up caller: not_found",
        "[over: not_found]",
    ]);
    desk.dials("1010-desk", "1011");
    desk.check(&["hang up caller: forbidden"]);
    assert!(desk.account.is_idle());
}

#[test]
fn all_calls_end_when_they_must() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.arrives(
        "other",
        Origin::Device {
            username: "1011-desk".into(),
        },
        "0412345678",
    );
    desk.ladder.clear();
    desk.give(Input::EndAll {
        cause: HangupCause::Shutdown,
    });
    desk.check(&[
        "hang up 1010-desk: shutdown",
        "hang up 1010-mobile: shutdown",
        "[1010 ended]",
        "hang up caller: shutdown",
        "[over: shutdown]",
        "hang up carrier: shutdown",
        "hang up other: shutdown",
        "[1011's call ended]",
        "[over: shutdown]",
    ]);
    desk.is_over();
}

#[test]
fn what_carriers_send_as_a_caller_becomes_digits_or_nothing() {
    let table = [
        (Some("61300000000"), "61300000000"),
        (Some("+61 3 0000 0000"), "61300000000"),
        (Some("0300000000"), "61300000000"),
        (Some("anonymous"), "nobody"),
        (Some("131234"), "131234"),
        (None, "nobody"),
    ];
    for (number, expected) in table {
        let mut desk = Desk::new();
        let leg = desk.ids.leg();
        desk.give(Input::Incoming {
            leg,
            origin: Origin::Trunk {
                name: "carrier".into(),
            },
            called: NUMBER.to_owned(),
            caller_number: number.map(str::to_owned),
            caller_name: None,
        });
        let first = desk.ladder.first().unwrap();
        assert_eq!(*first, format!("[inbound {expected} to 61298765432]"));
    }
}

#[test]
fn calls_in_progress_can_be_seen() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    let view = desk.account.calls().next().unwrap();
    assert_eq!(
        (view.stage, view.dest_number.as_str()),
        (Stage::Ringing, NUMBER)
    );
    desk.answers("1010-desk");
    assert_eq!(desk.account.calls().next().unwrap().stage, Stage::Talking);
    assert_eq!(
        (desk.account.call_count(), desk.account.leg_count()),
        (1, 2)
    );
}

#[test]
fn what_a_panicked_step_had_decided_is_not_lost() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    // As a step leaves it that panics after an effect.
    let leg = desk.leg("1010-desk");
    desk.account.effects.push(Effect::Ring {
        leg: desk.leg("caller"),
    });
    desk.account.effects.push(Effect::HangUp {
        leg,
        cause: HangupCause::Normal,
    });
    desk.give(Input::EndAll {
        cause: HangupCause::AccountFault,
    });
    desk.ladder.truncate(2);
    desk.check(&["ring caller", "hang up 1010-desk: normal"]);
    assert!(desk.account.is_idle());
}
