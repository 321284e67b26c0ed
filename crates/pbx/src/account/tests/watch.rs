//! Lamps: what is told of whoever is watched.

use super::*;

impl Desk {
    fn watches(&mut self, name: &str) {
        self.give(Input::Watch { name: name.into() });
    }

    /// What lamps were told since the last look.
    #[track_caller]
    fn lamps(&mut self, expected: &[&str]) {
        let ladder = std::mem::take(&mut self.ladder);
        let lamps = ladder.iter().filter(|line| line.contains(": ["));
        assert_eq!(lamps.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_lamp_follows_a_call_to_its_end() {
    let mut desk = Desk::new();
    desk.watches("1010");
    desk.lamps(&["1010: []"]);
    desk.comes_in(NUMBER);
    desk.lamps(&["1010: [iscalled trying]"]);
    desk.rings("1010-desk");
    desk.lamps(&["1010: [iscalled ringing]"]);
    desk.rings("1010-mobile");
    desk.lamps(&[]);
    desk.answers("1010-mobile");
    desk.lamps(&["1010: [iscalled talking]"]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.lamps(&["1010: []"]);
    desk.is_over();
}

#[test]
fn a_lamp_that_is_looked_at_late_shows_what_goes_on() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "1011");
    desk.rings("1011-desk");
    desk.watches("1010");
    desk.watches("1011");
    desk.lamps(&["1010: [calls ringing]", "1011: [iscalled ringing]"]);
    desk.answers("1011-desk");
    desk.lamps(&["1010: [calls talking]", "1011: [iscalled talking]"]);
    desk.give(Input::Unwatch {
        name: "1010".into(),
    });
    desk.hangs_up("caller", HangupCause::Normal);
    desk.lamps(&["1011: []"]);
}

#[test]
fn who_hands_a_call_on_is_idle_and_who_takes_it_is_not() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    desk.watches("1010");
    desk.watches("1011");
    desk.lamps(&["1010: [iscalled talking]", "1011: []"]);
    let leg = desk.leg("1010-desk");
    let to = TransferTo::Number("1011".to_owned());
    desk.give(Input::Transfer { leg, to });
    desk.lamps(&["1010: []", "1011: [iscalled trying]"]);
    desk.answers("1011-desk");
    desk.lamps(&["1011: [iscalled talking]"]);
}

#[test]
fn others_are_shown_only_if_the_account_says_so() {
    let mut desk = Desk::with(|draft| draft.lamps.show_callers = true);
    desk.watches("1010");
    desk.watches("1011");
    desk.ladder.clear();
    desk.dials("1010-desk", "1011");
    desk.lamps(&["1010: [calls trying 1011]", "1011: [iscalled trying 1010]"]);
}
