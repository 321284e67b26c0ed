//! Agents log in and out, pause and come back by codes on their phones.

use super::*;

/// Dials a code and hears what has become of it.
fn dials_code(desk: &mut Desk, user: &str, code: &str) -> Vec<String> {
    desk.ladder.clear();
    desk.dials(user, code);
    desk.has_heard_it();
    std::mem::take(&mut desk.ladder)
}

#[test]
fn agents_change_by_codes_what_they_do_and_hear_that_it_is_so() {
    let mut desk = office(&json!({"agents": ["1011"]}));
    let told = dials_code(&mut desk, "1011", "*47");
    let expected = [
        "[internal 1011 to *47]",
        "[1011 calls]",
        "[agent/1011 stands]",
        "pick up caller",
        "[1011's call answered]",
        "play [Prompt(\"queue-agent-paused\")] to caller Once",
        "hang up caller: normal",
        "[1011's call ended]",
        "[over: normal]",
    ];
    assert_eq!(told, expected);
    desk.joins("waiting", NUMBER);
    assert!(desk.rung().is_empty(), "the only agent pauses");
    let said = |desk: &mut Desk, code: &str| {
        let told = dials_code(desk, "1011", code);
        let words = told.iter().find_map(|line| {
            let (_, rest) = line.split_once("queue-agent-")?;
            rest.split_once('"').map(|(words, _)| words.to_owned())
        });
        words.unwrap()
    };
    assert_eq!(said(&mut desk, "*48"), "back");
    // The agent was on the phone until then.
    desk.answers("1011");
    desk.hangs_up("1011", HangupCause::Normal);
    desk.is_over();
    assert_eq!(said(&mut desk, "*46"), "out");
    assert_eq!(said(&mut desk, "*47"), "out", "who is out cannot pause");
    assert_eq!(said(&mut desk, "*48"), "out", "and cannot come back");
    assert_eq!(said(&mut desk, "*45"), "in");
    desk.is_over();
}

#[test]
fn the_outside_has_no_codes() {
    let mut desk = office(&json!({"agents": ["1011"]}));
    desk.joins("caller", "*46");
    desk.joins("waiting", NUMBER);
    assert_eq!(desk.rung(), ["1011"]);
    desk.say_bye(&["waiting"]);
}
