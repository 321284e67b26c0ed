//! Calls that are handed on.

use super::*;
use crate::input::TransferTo;

impl Desk {
    pub(super) fn hands_on(&mut self, name: &str, number: &str) {
        let leg = self.leg(name);
        let to = TransferTo::Number(number.to_owned());
        self.give(Input::Transfer { leg, to });
    }

    pub(super) fn brings_together(&mut self, one: &str, other: &str) {
        let (leg, other) = (self.leg(one), self.leg(other));
        let to = TransferTo::PeerOf(other);
        self.give(Input::Transfer { leg, to });
    }

    /// From now on the leg has another name: its old one is about to be somebody else's.
    fn rename(&mut self, name: &str, new: &str) {
        let leg = self.leg(name);
        self.legs.remove(name);
        self.legs.insert(new.to_owned(), leg);
    }
}

/// A caller from outside talks with 1010.
pub(super) fn talking() -> Desk {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk
}

/// 1010 talks with the number outside that it called.
fn talking_outside() -> Desk {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "0412345678");
    desk.answers("carrier");
    desk.ladder.clear();
    desk
}

#[test]
fn a_called_user_hands_the_caller_on_to_a_colleague() {
    let mut desk = talking();
    desk.hands_on("1010-desk", "1011");
    desk.check(&[
        "tell 1010-desk of the transfer: Accepted",
        "part caller",
        "[1010 ended]",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
        "play [Tone(Ringback)] to caller Forever",
    ]);
    desk.rings("1011-desk");
    desk.check(&["tell 1010-desk of the transfer: Ringing"]);
    desk.rings("1011-desk");
    desk.check(&[]);
    desk.answers("1011-desk");
    desk.check(&[
        "stop playing to caller",
        "tell 1010-desk of the transfer: Done",
        "hang up 1010-desk: normal",
        "connect caller with 1011-desk",
        "[1011 answered]",
    ]);
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&[
        "hang up 1011-desk: normal",
        "[1011 ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_calling_user_hands_on_whom_it_called() {
    let mut desk = talking_outside();
    desk.hands_on("caller", "1011");
    desk.rename("carrier", "outside");
    desk.check(&[
        "tell caller of the transfer: Accepted",
        "part caller",
        "[1010's call ended]",
        "[1011 rings]",
        "dial 1011-desk as +61412345678",
        "play [Tone(Ringback)] to carrier Forever",
    ]);
    // The phone does not wait.
    desk.hangs_up("caller", HangupCause::Normal);
    desk.answers("1011-desk");
    desk.check(&[
        "stop playing to outside",
        "connect outside with 1011-desk",
        "[1011 answered]",
    ]);
    desk.hangs_up("outside", HangupCause::Normal);
    desk.check(&[
        "hang up 1011-desk: normal",
        "[1011 ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn who_stays_keeps_its_own_story() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "1011");
    desk.answers("1011-desk");
    desk.ladder.clear();
    desk.hands_on("caller", "0412345678");
    desk.check(&[
        "tell caller of the transfer: Accepted",
        "part caller",
        "[1010's call ended]",
        "dial 61412345678 by carrier as 61298765432",
        "play [Tone(Ringback)] to 1011-desk Forever",
    ]);
    desk.answers("carrier");
    desk.check(&[
        "stop playing to 1011-desk",
        "tell caller of the transfer: Done",
        "hang up caller: normal",
        "connect 1011-desk with carrier",
    ]);
    desk.hangs_up("carrier", HangupCause::Normal);
    desk.check(&[
        "hang up 1011-desk: normal",
        "[1011 ended]",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn a_call_that_nobody_takes_comes_back_to_who_holds_on() {
    let mut desk = talking();
    desk.hands_on("1010-desk", "1011");
    desk.ladder.clear();
    desk.fails("1011-desk", Failure::Busy);
    desk.check(&[
        "[1011 ended]",
        "tell 1010-desk of the transfer: Failed(Busy)",
        "stop playing to caller",
        "[1010 rings]",
        "connect caller with 1010-desk",
        "[1010 answered]",
    ]);
    desk.hangs_up("1010-desk", HangupCause::Normal);
    desk.check(&["[1010 ended]", "hang up caller: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_call_that_nobody_takes_ends_when_nobody_holds_on() {
    let mut desk = talking();
    desk.hands_on("1010-desk", "1011");
    desk.hangs_up("1010-desk", HangupCause::Normal);
    desk.ladder.clear();
    desk.fails("1011-desk", Failure::Busy);
    desk.check(&[
        "[1011 ended]",
        "stop playing to caller",
        "hang up caller: busy",
        "[over: busy]",
    ]);
    desk.is_over();
}

#[test]
fn a_caller_who_gives_up_ends_the_transfer_too() {
    let mut desk = talking();
    desk.hands_on("1010-desk", "1011");
    desk.ladder.clear();
    desk.hangs_up("caller", HangupCause::Normal);
    desk.check(&[
        "hang up 1011-desk: normal",
        "[1011 ended]",
        "tell 1010-desk of the transfer: Failed(Normal)",
        "hang up 1010-desk: normal",
        "[over: normal]",
    ]);
    desk.is_over();
}

#[test]
fn carriers_and_those_who_talk_with_nobody_hand_nothing_on() {
    let mut desk = talking();
    desk.hands_on("caller", "1011");
    desk.check(&["tell caller of the transfer: Refused(Forbidden)"]);
    desk.hands_on("1010-desk", "1099");
    desk.check(&["tell 1010-desk of the transfer: Refused(NotFound)"]);
    desk.hands_on("1010-desk", "1011");
    desk.ladder.clear();
    desk.hands_on("1010-desk", "1011");
    desk.check(&["tell 1010-desk of the transfer: Refused(Forbidden)"]);
}

#[test]
fn a_code_is_for_who_dials_it() {
    let mut desk = Desk::new();
    desk.dials("1010-desk", "1011");
    desk.answers("1011-desk");
    desk.ladder.clear();
    desk.hands_on("1011-desk", "*46");
    desk.check(&["tell 1011-desk of the transfer: Refused(Forbidden)"]);
}

#[test]
fn two_whom_a_user_talks_with_are_brought_together() {
    let mut desk = talking();
    desk.rename("caller", "outside");
    desk.rename("1010-desk", "first");
    desk.dials("1010-desk", "1011");
    desk.rename("caller", "second");
    desk.answers("1011-desk");
    desk.ladder.clear();
    desk.brings_together("first", "second");
    desk.check(&[
        "[1011 ended]",
        "tell first of the transfer: Accepted",
        "part outside",
        "[1010 ended]",
        "tell first of the transfer: Done",
        "hang up first: normal",
        "[1011 rings]",
        "connect outside with 1011-desk",
        "[1011 answered]",
        "hang up second: normal",
        "[1010's call ended]",
        "[over: normal]",
    ]);
    desk.hangs_up("1011-desk", HangupCause::Normal);
    desk.check(&["[1011 ended]", "hang up outside: normal", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn a_second_caller_is_brought_together_with_the_first() {
    let mut desk = talking();
    desk.rename("caller", "outside");
    desk.rename("1010-desk", "first");
    desk.rename("1010-mobile", "mobile");
    desk.dials("1011-desk", "1010");
    desk.answers("1010-desk");
    desk.ladder.clear();
    desk.brings_together("first", "1010-desk");
    desk.check(&[
        "tell first of the transfer: Accepted",
        "part outside",
        "[1010 ended]",
        "tell first of the transfer: Done",
        "hang up first: normal",
        "[1011 rings]",
        "connect outside with caller",
        "[1011 answered]",
        "hang up 1010-desk: normal",
        "[1010 ended]",
        "[1011's call ended]",
        "[over: normal]",
    ]);
    desk.hangs_up("outside", HangupCause::Normal);
    desk.check(&["hang up caller: normal", "[1011 ended]", "[over: normal]"]);
    desk.is_over();
}

#[test]
fn strangers_are_not_brought_together() {
    let mut desk = talking();
    desk.rename("1010-desk", "first");
    desk.dials("1011-desk", "0412345678");
    desk.answers("carrier");
    desk.ladder.clear();
    desk.brings_together("first", "caller");
    desk.check(&["tell first of the transfer: Refused(Forbidden)"]);
    desk.brings_together("first", "first");
    desk.check(&["tell first of the transfer: Refused(Forbidden)"]);
}
