//! Ladders: what happens to a call, and every effect it has, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::draft::Draft;
use crate::effect::Target;
use crate::event::Fact;
use crate::ids::{AccountId, CallIds};
use crate::input::{Failure, Origin};
use crate::testing::{Laws, example};

const START: Time = Time::from_secs(1_569_943_875);

/// An account with names for its legs: `caller`, a device's username, a trunk's name.
struct Desk {
    account: Account,
    ids: Ids,
    now: Time,
    laws: Laws,
    legs: BTreeMap<String, LegId>,
    ladder: Vec<String>,
}

impl Desk {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Draft)) -> Self {
        Self {
            account: Account::new(plan(change)),
            ids: Ids::new(CallIds::new(0, START), LegId(1)),
            now: START,
            laws: Laws::new(),
            legs: BTreeMap::new(),
            ladder: Vec::new(),
        }
    }

    fn comes_in(&mut self, called: &str) {
        self.arrives(
            "caller",
            Origin::Trunk {
                name: "carrier".into(),
            },
            called,
        );
    }

    fn dials(&mut self, device: &str, called: &str) {
        self.arrives(
            "caller",
            Origin::Device {
                username: device.into(),
            },
            called,
        );
    }

    fn arrives(&mut self, name: &str, origin: Origin, called: &str) {
        let leg = self.ids.leg();
        self.legs.insert(name.to_owned(), leg);
        self.give(Input::Incoming {
            leg,
            origin,
            called: called.to_owned(),
            caller_number: Some("61300000000".to_owned()),
            caller_name: None,
        });
    }

    fn leg(&self, name: &str) -> LegId {
        *self
            .legs
            .get(name)
            .unwrap_or_else(|| panic!("no leg {name}"))
    }

    fn rings(&mut self, name: &str) {
        let leg = self.leg(name);
        self.give(Input::Ringing { leg });
    }

    fn progresses(&mut self, name: &str) {
        let leg = self.leg(name);
        self.give(Input::Progress { leg });
    }

    fn answers(&mut self, name: &str) {
        let leg = self.leg(name);
        self.give(Input::Answered { leg });
    }

    fn fails(&mut self, name: &str, failure: Failure) {
        let leg = self.leg(name);
        self.give(Input::Failed { leg, failure });
    }

    fn hangs_up(&mut self, name: &str, cause: HangupCause) {
        let leg = self.leg(name);
        self.give(Input::HungUp { leg, cause });
    }

    /// Time goes on, and every deadline on the way is met.
    fn passes(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(deadline) = self
            .account
            .deadline()
            .filter(|deadline| *deadline <= until)
        {
            self.now = deadline;
            self.give(Input::Wake);
        }
        self.now = until;
    }

    fn give(&mut self, input: Input) {
        self.laws.input(&input);
        let effects = self.account.handle(self.now, input, &mut self.ids);
        for effect in &effects {
            self.note(effect);
        }
        self.laws.effects(&effects).unwrap();
    }

    fn note(&mut self, effect: &Effect) {
        let line = match effect {
            Effect::Dial {
                leg,
                target,
                caller,
                ..
            } => {
                let (name, whom) = match target {
                    Target::Device { username } => (username, username.to_string()),
                    Target::Trunk { name, number } => (name, format!("{number} by {name}")),
                };
                self.legs.insert(name.to_string(), *leg);
                format!(
                    "dial {whom} as {}",
                    caller.number.as_deref().unwrap_or("nobody")
                )
            }
            Effect::Ring { leg } => format!("ring {}", self.name(*leg)),
            Effect::EarlyMedia { leg, from } => {
                format!("{} hears {}", self.name(*leg), self.name(*from))
            }
            Effect::Answer { leg, with } => {
                format!("answer {} with {}", self.name(*leg), self.name(*with))
            }
            Effect::HangUp { leg, cause } => {
                format!("hang up {}: {}", self.name(*leg), cause.name())
            }
            Effect::Emit(event) => said(&event.fact),
        };
        self.ladder.push(line);
    }

    fn name(&self, leg: LegId) -> &str {
        let found = self.legs.iter().find(|(_, known)| **known == leg);
        found.map_or("somebody", |(name, _)| name)
    }

    /// What happened since the last look.
    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.ladder), expected);
    }

    #[track_caller]
    fn is_over(&self) {
        self.laws.silence().unwrap();
        assert!(self.account.is_idle(), "{:?}", self.account);
    }
}

fn plan(change: impl FnOnce(&mut Draft)) -> Arc<Plan> {
    let mut draft = example();
    change(&mut draft);
    Arc::new(draft.compile(AccountId(1), 1).unwrap())
}

fn said(fact: &Fact) -> String {
    match fact {
        Fact::Arrived {
            direction,
            caller_id,
            dest_number,
            ..
        } => {
            let caller = caller_id.as_deref().unwrap_or("nobody");
            format!("[{direction:?} {caller} to {dest_number}]").to_lowercase()
        }
        Fact::UserRinging { user, .. } => format!("[{} rings]", user.number),
        Fact::UserAnswered { user } => format!("[{} answered]", user.number),
        Fact::UserEnded { user } => format!("[{} ended]", user.number),
        Fact::OutboundStarted { user } => format!("[{} calls]", user.number),
        Fact::OutboundAnswered { user } => format!("[{}'s call answered]", user.number),
        Fact::OutboundEnded { user } => format!("[{}'s call ended]", user.number),
        Fact::LegClosed { .. } => "[leg closed]".to_owned(),
        Fact::Ended { cause } => format!("[over: {}]", cause.name()),
    }
}

const NUMBER: &str = "61298765432";

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
        "answer caller with 1010-mobile",
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
        "answer caller with 1011-desk",
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
    desk.check(&["answer caller with carrier", "[1010's call answered]"]);
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

#[test]
fn a_newer_plan_is_for_newer_calls() {
    let mut desk = Desk::new();
    desk.comes_in(NUMBER);
    desk.account.apply(plan(|draft| {
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
