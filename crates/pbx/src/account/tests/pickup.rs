//! Calls that are taken over by a phone that was not called.

use serde_json::json;

use super::*;

impl Desk {
    /// A device wants the place of a leg.
    fn takes_over(&mut self, device: &str, of: &str) {
        let (leg, of) = (self.ids.leg(), self.leg(of));
        self.legs.insert("taker".to_owned(), leg);
        self.give(Input::TakeOver {
            leg,
            username: device.into(),
            of,
        });
    }
}

#[test]
fn a_colleague_takes_a_call_that_rings() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.rings("1010-mobile");
    desk.ladder.clear();
    desk.takes_over("1011-desk", "1010-mobile");
    desk.check(&[
        "[1011 rings]",
        "pick up taker",
        "connect caller with taker",
        "[1011 answered]",
        "hang up 1010-desk: answered_elsewhere",
        "hang up 1010-mobile: answered_elsewhere",
        "[1010 ended]",
    ]);
    desk.hangs_up("taker", HangupCause::Normal);
    desk.check(&["[1011 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_user_takes_the_own_call_by_another_phone() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.takes_over("1010-mobile", "1010-desk");
    desk.check(&[
        "pick up taker",
        "hang up 1010-desk: answered_elsewhere",
        "hang up 1010-mobile: answered_elsewhere",
        "connect caller with taker",
        "[1010 answered]",
    ]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn a_call_that_goes_on_is_taken_over_by_who_knows_its_name() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.takes_over("1011-desk", "1010-desk");
    desk.check(&[
        "pick up taker",
        "part caller",
        "[1010 ended]",
        "hang up 1010-desk: normal",
        "[1011 rings]",
        "connect caller with taker",
        "[1011 answered]",
    ]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn the_calling_side_is_taken_over_too() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "0412345678");
    desk.answers("carrier");
    desk.ladder.clear();
    desk.takes_over("1011-desk", "caller");
    desk.check(&[
        "pick up taker",
        "part caller",
        "[1010's call ended]",
        "hang up caller: normal",
        "[1011 rings]",
        "connect carrier with taker",
        "[1011 answered]",
    ]);
    desk.hangs_up("carrier", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn what_cannot_be_taken_over_is_refused_and_goes_on() {
    // Nobody takes the place of a carrier, of the caller who waits, or of whom he calls himself.
    let mut desk = Desk::new();
    desk.dials("1010-desk", "1011");
    desk.ladder.clear();
    for (device, of) in [
        ("1011-desk", "caller"),
        ("1010-mobile", "1011-desk"),
        ("nobody", "1011-desk"),
    ] {
        desk.takes_over(device, of);
        desk.check(&["hang up taker: forbidden"]);
    }
    desk.answers("1011-desk");
    desk.ladder.clear();
    for (device, of) in [("1010-mobile", "1011-desk"), ("1011-desk", "caller")] {
        desk.takes_over(device, of);
        desk.check(&["hang up taker: forbidden"]);
    }
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();

    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.takes_over("1011-desk", "caller");
    desk.check(&["hang up taker: forbidden"]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn a_user_with_as_many_calls_as_may_be_takes_none_over() {
    let mut desk = Desk::with(|draft| draft.limits.calls_per_user = Some(1));
    desk.comes_in(NUMBER);
    desk.rings("1010-desk");
    let ringing = desk.leg("1010-desk");
    desk.dials("1011-desk", "0412345678");
    desk.legs.insert("ringing".to_owned(), ringing);
    desk.ladder.clear();
    desk.takes_over("1011-desk", "ringing");
    desk.check(&["hang up taker: forbidden"]);
}

/// 1010 and 1011 share a ring group, 1012 is in none.
fn with_a_group(draft: &mut Draft) {
    let group = json!({"id": "sales", "kind": "ring_group", "name": "Sales",
        "settings": {"members": [{"user": "1010"}, {"user": "1011"}]}});
    let flow = &mut draft.flows[0];
    flow.objects.push(serde_json::from_value(group).unwrap());
    let first = flow.objects[0].exits.values_mut().next().unwrap();
    *first = "sales".to_owned();
    let device = json!({"name": "desk", "username": "1012-desk", "password": "tall-giraffe"});
    draft.users[2]
        .devices
        .push(serde_json::from_value(device).unwrap());
}

#[test]
fn a_code_takes_the_call_of_a_colleague_and_makes_none() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    let caller = desk.leg("caller");
    desk.ladder.clear();
    desk.dials("1011-desk", "*8");
    desk.legs.insert("taker".to_owned(), desk.leg("caller"));
    desk.legs.insert("caller".to_owned(), caller);
    let told = std::mem::take(&mut desk.ladder).join("\n");
    assert_eq!(
        told,
        "[1011 rings]\npick up caller\nconnect somebody with caller\n[1011 answered]\n\
         hang up 1010-desk: answered_elsewhere\nhang up 1010-mobile: answered_elsewhere\n\
         [1010 ended]"
    );
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&["hang up taker: normal", "[1011 ended]", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_code_with_a_number_takes_the_call_of_that_colleague_only() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    for (device, code) in [("1011-desk", "*81011"), ("1011-desk", "*81099")] {
        desk.dials(device, code);
        desk.check(&[
            &format!("[internal 1011 to {code}]"),
            "[1011 calls]",
            "hang up caller: not_found",
            "[1011's call ended]",
            "[over: not_found]",
        ]);
    }
    desk.dials("1011-desk", "*81010");
    assert!(
        desk.ladder.contains(&"[1011 answered]".to_owned()),
        "{:?}",
        desk.ladder
    );
}

#[test]
fn without_a_number_a_code_takes_calls_of_the_own_groups_only() {
    for (device, takes) in [
        ("1010-mobile", true),
        ("1011-desk", true),
        ("1012-desk", false),
    ] {
        let mut desk = Desk::with(|draft| {
            with_a_group(draft);
            let third = json!({"id": "help", "kind": "ring_group", "name": "Help",
                "settings": {"members": [{"user": "1012"}]}});
            draft.flows[0]
                .objects
                .push(serde_json::from_value(third).unwrap());
        });
        desk.comes_in(NUMBER);
        desk.ladder.clear();
        desk.dials(device, "*8");
        let answered = desk.ladder.iter().any(|line| line.ends_with(" answered]"));
        assert_eq!(answered, takes, "{device}: {:?}", desk.ladder);
    }
}

#[test]
fn the_group_says_who_took_the_call() {
    let mut desk = Desk::with(with_a_group);
    desk.comes_in(NUMBER);
    desk.ladder.clear();
    desk.dials("1012-desk", "*8");
    let told: Vec<&str> = desk.ladder.iter().map(String::as_str).collect();
    let facts: Vec<&&str> = told.iter().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        facts,
        [
            &"[1012 rings]",
            &"[1012 answered]",
            &"[1011 ended]",
            &"[1010 ended]",
            &"[Sales answered by 1012]"
        ]
    );
}

#[test]
fn the_call_that_rings_longest_is_taken_first() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.passes(3);
    desk.dials("1010-desk", "1011");
    desk.ladder.clear();
    // 1011 itself, whose own phone rings last.
    desk.dials("1011-desk", "*8");
    assert_eq!(desk.ladder.last().unwrap(), "[1010 ended]");
}
