//! Calls by a user: to a colleague, to the account itself, to the outside.

use super::*;

#[test]
fn user_to_user_tells_both_stories() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "1011");
    desk.check(&[
        "[internal 1010 to 1011]",
        "[1010 calls]",
        "[1011 rings]",
        "dial 1011-desk as 1010",
    ]);
    desk.answers("1011-desk");
    desk.check(&[
        "connect caller with 1011-desk",
        "[1011 answered]",
        "[1010's call answered]",
    ]);
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
fn a_number_of_the_account_is_called_inside() {
    let mut desk = Desk::new();
    desk.dials("1011-desk", "98765432");
    desk.check(&[
        "[internal 1011 to 61298765432]",
        "[1011 calls]",
        "[1010 rings]",
        "dial 1010-desk as 1011",
        "dial 1010-mobile as 1011",
    ]);
}

#[test]
fn outbound_goes_by_the_first_trunk_as_it_wants_numbers() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "0412345678");
    desk.check(&[
        "[outbound 61298765432 to 61412345678]",
        "[1010 calls]",
        "dial 61412345678 by carrier as 61298765432",
    ]);
    desk.progresses("carrier");
    desk.rings("carrier");
    desk.check(&["caller hears carrier"]);
    desk.answers("carrier");
    desk.check(&["connect caller with carrier", "[1010's call answered]"]);
    desk.hangs_up("carrier", HangupCause::Normal);
    desk.check(&[
        "hang up caller: normal",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn the_next_trunk_is_tried_when_the_first_cannot() {
    for failure in [Failure::Unavailable, Failure::Timeout, Failure::Unreachable] {
        let mut desk = Desk::new();
        desk.dials("1010-desk", "0412345678");
        desk.progresses("carrier");
        desk.ladder.clear();
        desk.fails("carrier", failure);
        desk.check(&["dial 0412345678 by backup as 0298765432"]);
        desk.rings("backup");
        desk.check(&["ring caller"]);
        desk.fails("backup", failure);
        desk.check(&[
            "hang up caller: congested",
            "[1010's call ended]",
            "[over: congested]",
        ]);
        desk.is_over();
    }
}

#[test]
fn an_answer_of_the_called_party_is_no_reason_for_another_trunk() {
    let table = [
        (Failure::Busy, "busy"),
        (Failure::Declined, "declined"),
        (Failure::NoAnswer, "no_answer"),
        (Failure::NotFound, "not_found"),
        (Failure::Incompatible, "incompatible"),
        (Failure::Rejected, "unavailable"),
    ];
    for (failure, cause) in table {
        let mut desk = Desk::new();
        desk.dials("1010-desk", "0412345678");
        desk.ladder.clear();
        desk.fails("carrier", failure);
        desk.check(&[
            &format!("hang up caller: {cause}"),
            "[1010's call ended]",
            &format!("[over: {cause}]"),
        ]);
    }
}

#[test]
fn a_full_trunk_is_passed_over() {
    let mut desk = Desk::with(|draft| draft.trunks[0].calls = Some(1));
    desk.dials("1010-desk", "0412345678");
    desk.dials("1010-mobile", "0412345679");
    desk.ladder.drain(..5);
    desk.check(&["dial 0412345679 by backup as 0298765432"]);
}

#[test]
fn emergency_and_service_numbers_are_passed_on_as_dialled() {
    for number in ["000", "112", "131234"] {
        let mut desk = Desk::new();
        desk.dials("1010-desk", number);
        desk.ladder.drain(..2);
        desk.check(&[&format!("dial {number} by carrier as 61298765432")]);
    }
}

#[test]
fn what_the_account_does_not_allow_is_forbidden() {
    let only_home = |draft: &mut crate::draft::Draft| {
        draft.dialling.countries = Some(Vec::new());
        draft.dialling.blocked = vec!["+61190".to_owned()];
    };
    for called in ["0011442079460000", "1902345678"] {
        let mut desk = Desk::with(only_home);
        desk.dials("1010-desk", called);
        desk.ladder.drain(..2);
        desk.check(&[
            "hang up caller: forbidden",
            "[1010's call ended]",
            "[over: forbidden]",
        ]);
        desk.is_over();
    }
    let mut desk = Desk::with(only_home);
    desk.dials("1010-desk", "0412345678");
    desk.ladder.drain(..2);
    desk.check(&["dial 61412345678 by carrier as 61298765432"]);
}

#[test]
fn no_limit_keeps_a_call_for_help_back() {
    let mut desk = Desk::with(|draft| {
        draft.limits.calls = Some(1);
        draft.limits.calls_per_user = Some(1);
        draft.trunks[0].calls = Some(1);
        draft.dialling.blocked = vec!["0".to_owned()];
    });
    desk.dials("1010-desk", "0412345678");
    desk.ladder.clear();
    desk.dials("1010-mobile", "000");
    desk.ladder.drain(..2);
    desk.check(&["dial 000 by carrier as 61298765432"]);
    desk.dials("1010-mobile", "0412345679");
    desk.ladder.drain(..2);
    desk.check(&[
        "hang up caller: limit_reached",
        "[1010's call ended]",
        "[over: limit_reached]",
    ]);
}

#[test]
fn what_nobody_has_is_not_found_and_has_a_row() {
    for called in ["1099", "alice", "*5"] {
        let mut desk = Desk::new();
        desk.dials("1010-desk", called);
        desk.check(&[
            &format!("[outbound 61298765432 to {called}]"),
            "[1010 calls]",
            "hang up caller: not_found",
            "[1010's call ended]",
            "[over: not_found]",
        ]);
        assert_eq!(desk.laws.rows(), 1);
        desk.is_over();
    }
}

#[test]
fn without_a_trunk_the_outside_is_congested() {
    let mut desk = Desk::with(|draft| draft.trunks.clear());
    desk.dials("1010-desk", "0412345678");
    desk.ladder.drain(..2);
    desk.check(&[
        "hang up caller: congested",
        "[1010's call ended]",
        "[over: congested]",
    ]);
}
