//! What users have set by phone: who rings instead, what is told of it, and what stays.

use serde_json::json;

use super::*;
use crate::standing::Standing;

/// Mary's mobile phone, as she dials it.
const MOBILE: &str = "0412345678";

impl Desk {
    /// Dials a code and hears its confirmation. Gives the words.
    fn code(&mut self, device: &str, code: &str) -> String {
        self.ladder.clear();
        self.dials(device, code);
        self.has_heard_it();
        let ladder = std::mem::take(&mut self.ladder);
        let said = ladder.iter().find_map(|line| line.strip_prefix("play "));
        said.unwrap_or_default().to_owned()
    }
}

#[test]
fn who_is_not_to_be_disturbed_is_busy_and_may_call() {
    let mut desk = Desk::new();
    assert!(desk.code("1010-desk", "*78").contains("feature-dnd-on"));
    desk.comes_in(NUMBER);
    // The busy exit leads to the end.
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[1010 rings]",
        "[1010 ended]",
        "hang up caller: busy",
        "[over: busy]",
    ]);
    let asked = Origination {
        user: "1010".to_owned(),
        number: "1011".to_owned(),
        caller_id: None,
    };
    desk.give(Input::Originate(asked));
    assert!(desk.ladder.contains(&"dial 1010-desk as 1011".to_owned()));
    desk.hangs_up("1010-desk", HangupCause::Normal);
    desk.fails("1010-mobile", Failure::Busy);
    assert!(desk.code("1010-desk", "*79").contains("feature-dnd-off"));
    desk.comes_in(NUMBER);
    assert!(
        desk.ladder
            .contains(&"dial 1010-desk as +61300000000".to_owned())
    );
    desk.hangs_up("caller", HangupCause::GaveUp);
    desk.is_over();
}

#[test]
fn a_number_outside_is_rung_as_a_phone_of_the_user() {
    let mut desk = Desk::new();
    let said = desk.code("1010-desk", &format!("*72{MOBILE}"));
    assert!(said.contains("feature-forward-to"), "{said}");
    assert!(said.contains("61412345678"), "{said}");
    desk.comes_in(NUMBER);
    desk.answers("carrier");
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[1010 rings]",
        "dial 61412345678 by carrier as 61300000000",
        "connect caller with carrier",
        "[1010 answered]",
    ]);
    desk.hangs_up("carrier", HangupCause::Normal);
    desk.check(&["[1010 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_carrier_that_shows_own_numbers_only_is_given_one() {
    let mut desk = Desk::with(|draft| draft.trunks[0].caller_ids = crate::CallerIds::Own);
    desk.code("1010-desk", &format!("*72{MOBILE}"));
    desk.comes_in(NUMBER);
    let dialled = "dial 61412345678 by carrier as 61298765432".to_owned();
    assert!(desk.ladder.contains(&dialled), "{:?}", desk.ladder);
    desk.hangs_up("caller", HangupCause::GaveUp);
    desk.is_over();
}

#[test]
fn another_user_has_an_attempt_of_its_own_and_the_exit_stays_the_same() {
    let mut desk = Desk::new();
    desk.code("1010-desk", "*901011");
    desk.comes_in(NUMBER);
    desk.fails("1010-mobile", Failure::Unreachable);
    desk.fails("1010-desk", Failure::Busy);
    desk.fails("1011-desk", Failure::Unreachable);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[1010 rings]",
        "dial 1010-desk as +61300000000",
        "dial 1010-mobile as +61300000000",
        "[1010 ended]",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
        "[1011 ended]",
        // The busy exit, as without a forward.
        "hang up caller: busy",
        "[over: busy]",
    ]);
    desk.is_over();
}

#[test]
fn a_circle_of_forwards_ends() {
    let mut desk = Desk::new();
    desk.code("1010-desk", "*721011");
    desk.code("1011-desk", "*721010");
    desk.dials("1010-desk", "1011");
    desk.check(&[
        "[internal 1010 to 1011]",
        "[1010 calls]",
        "[1011 rings]",
        "[1011 ended]",
        "[1010 rings]",
        "[1010 ended]",
        "hang up caller: unavailable",
        "[1010's call ended]",
        "[over: unavailable]",
    ]);
    desk.is_over();
}

#[test]
fn what_nobody_answers_goes_to_the_mailbox() {
    let mut desk = Desk::new();
    assert!(
        desk.code("1010-desk", "*92*")
            .contains("feature-your-voicemail")
    );
    desk.dials("1011-desk", "1010");
    desk.passes(26);
    assert!(
        desk.ladder.iter().any(|line| line.contains("Greeting {")),
        "{:?}",
        desk.ladder
    );
    desk.hangs_up("caller", HangupCause::Normal);
    desk.is_over();
}

#[test]
fn what_may_not_be_called_is_no_target() {
    let mut desk = Desk::with(|draft| {
        draft.dialling.countries = Some(vec!["NZ".to_owned()]);
    });
    // To oneself, to nobody, to a call for help, to a forbidden country, to a code, to nothing.
    for number in ["1010", "1099", "000", "0011442079460000", "*78", ""] {
        let said = desk.code("1010-desk", &format!("*72{number}"));
        assert!(said.contains("error-not-allowed"), "{number}: {said}");
    }
    assert_eq!(desk.account.floor.all_standing().count(), 0);
    desk.is_over();
}

#[test]
fn groups_pass_over_who_is_not_to_be_disturbed_and_follow_no_forward() {
    let mut desk = Desk::with(|draft| {
        let flow = json!({"id": "main", "objects": [
            {"id": "in", "kind": "inbound_number",
             "settings": {"numbers": ["+61298765432"]}, "exits": {"next": "sales"}},
            {"id": "sales", "kind": "ring_group", "name": "Sales",
             "settings": {"members": [{"user": "1010"}, {"user": "1011"}]}}
        ]});
        draft.flows = vec![serde_json::from_value(flow).unwrap()];
    });
    desk.code("1010-desk", "*78");
    desk.code("1011-desk", &format!("*72{MOBILE}"));
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "[into Sales]",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
    desk.hangs_up("caller", HangupCause::GaveUp);
    desk.is_over();
}

#[test]
fn what_stands_stays_until_its_subject_is_gone() {
    let mut desk = Desk::new();
    desk.code("1010-desk", "*78");
    desk.code("1011-desk", "*46");
    let stood: Vec<Standing> = desk.account.floor.all_standing().collect();
    assert_eq!(stood.len(), 2);

    // A fault takes calls, and nothing else.
    let account = desk.account.without_calls();
    assert_eq!(account.floor.all_standing().collect::<Vec<_>>(), stood);

    // A restart: what was kept is taken in, without a word.
    let mut after = Account::new(Arc::clone(desk.account.plan()));
    after.restore(&stood, desk.now);
    assert_eq!(after.floor.all_standing().collect::<Vec<_>>(), stood);

    // A newer plan keeps what it still knows, and says what is over.
    desk.apply(plan(|draft| {
        draft.users.remove(1);
        draft.flows.clear();
        draft.users[0].caller_id = None;
    }));
    desk.check(&["[agent/1011 stands as usual]"]);
    assert_eq!(desk.account.floor.all_standing().count(), 1);
}
