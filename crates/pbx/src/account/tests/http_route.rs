//! Calls whose way an address outside decides.

use serde_json::json;

use super::*;
use crate::question::{QuestionId, Told};

fn desk() -> Desk {
    let mut desk = Desk::with(|draft| {
        let objects = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "asks"}},
            {"id": "asks", "kind": "http_route", "settings": {
                "url": "https://crm.example.com/route", "secret_token": "5up3r",
                "timeout_seconds": 4, "exits": ["vip", "usual"]},
             "exits": {"vip": "mary", "usual": "bye", "time_out": "bye", "error": "busy"}},
            {"id": "mary", "kind": "user", "settings": {"user": "1011"}},
            {"id": "bye", "kind": "hangup", "settings": {"cause": "declined"}},
            {"id": "busy", "kind": "hangup", "settings": {"cause": "busy"}}
        ]);
        draft.flows[0].objects = serde_json::from_value(objects).unwrap();
    });
    desk.comes_in(NUMBER);
    desk.check(&[
        "[inbound 61300000000 to 61298765432]",
        "ask https://crm.example.com/route",
    ]);
    desk
}

impl Desk {
    fn told(&mut self, question: u32, told: Told) {
        let call = self.account.calls().next().map(|view| view.call);
        self.give(Input::Told {
            call: call.unwrap(),
            question: QuestionId(question),
            told,
        });
    }
}

fn way(exit: &str, name: Option<&str>) -> Told {
    Told::Way {
        exit: exit.to_owned(),
        caller_name: name.map(str::to_owned),
    }
}

#[test]
fn the_answer_names_the_exit_and_may_name_the_caller() {
    let mut plain = desk();
    plain.told(1, way("vip", None));
    plain.check(&["[1011 rings]", "dial 1011-desk as +61300000000"]);

    let mut named = desk();
    named.told(1, way("vip", Some(" Ann\r\nLee ")));
    named.check(&[
        "[shown as 61300000000, AnnLee]",
        "[1011 rings]",
        "dial 1011-desk as +61300000000",
    ]);
}

#[test]
fn without_a_good_answer_the_call_goes_on_all_the_same() {
    let refused = ["hang up caller: busy", "[over: busy]"];
    for told in [Told::Nothing, way("vp", None), way("time_out", None)] {
        let mut desk = desk();
        desk.told(1, told);
        desk.check(&refused);
        desk.is_over();
    }
    let mut timed_out = desk();
    timed_out.told(1, Told::TimedOut);
    timed_out.check(&["hang up caller: declined", "[over: declined]"]);

    let mut late = desk();
    late.told(2, way("vip", None));
    late.passes(4);
    late.check(&["hang up caller: declined", "[over: declined]"]);
    late.is_over();
}

#[test]
fn an_answer_that_comes_when_nobody_waits_is_nobodys() {
    let mut desk = desk();
    desk.told(1, way("vip", None));
    desk.ladder.clear();
    desk.told(1, way("usual", None));
    desk.check(&[]);
    desk.hangs_up("caller", HangupCause::GaveUp);
    desk.ladder.clear();
    desk.is_over();
}
