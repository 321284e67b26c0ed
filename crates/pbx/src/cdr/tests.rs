//! Tables: what is told of a call, and the rows and hooks that come of it.

use super::*;
use crate::event::{Direction, GroupKind, GroupRef};
use crate::trigger::Trigger::{
    self, UserInbound, UserInboundAnswered, UserInboundCompleted, UserOutbound,
    UserOutboundAnswered, UserOutboundCompleted,
};

const CALL: CallId = CallId(1_569_943_875_070_000);
const ACCOUNT: AccountId = AccountId(3);
const START_MS: u64 = 1_569_943_875_000;

fn user(number: &str) -> UserRef {
    UserRef {
        number: number.into(),
        name: format!("User {number}").into(),
    }
}

fn arrived() -> Fact {
    Fact::Arrived {
        direction: Direction::Inbound,
        caller_id: Some("61300000000".to_owned()),
        caller_name: Some("Caller".to_owned()),
        dest_number: "61298765432".to_owned(),
    }
}

fn ringing(number: &str) -> Fact {
    Fact::UserRinging {
        user: user(number),
        queue: None,
        ring_group: None,
    }
}

fn answered(number: &str) -> Fact {
    Fact::UserAnswered { user: user(number) }
}

fn ended(number: &str) -> Fact {
    Fact::UserEnded { user: user(number) }
}

fn over() -> Fact {
    Fact::Ended {
        cause: HangupCause::Normal,
    }
}

fn at(offset_ms: u64) -> Time {
    Time::from_millis(START_MS + offset_ms)
}

fn event(offset_ms: u64, fact: Fact) -> Event {
    Event {
        at: at(offset_ms),
        account: ACCOUNT,
        call: CALL,
        fact,
    }
}

/// Folds `(milliseconds, fact)` and gives the rows and the hooks.
fn fold(facts: &[(u64, Fact)]) -> (Vec<UserCall>, Vec<HookFacts>) {
    let mut fold = Fold::new();
    let (mut rows, mut hooks) = (Vec::new(), Vec::new());
    for (offset_ms, fact) in facts {
        for change in fold.apply(&event(*offset_ms, fact.clone())) {
            match change {
                Change::Row(row) => rows.push(row),
                Change::GroupRow(_) | Change::Recording(_) | Change::Component(_) => {}
                Change::Hook(hook) => hooks.push(hook),
            }
        }
    }
    assert_eq!(fold.open_calls().count(), 0, "memory is free at the end");
    (rows, hooks)
}

/// What a row must say: kind, user, first ring, answer, call and talk.
type Row<'a> = (UserCallKind, &'a str, u64, Option<u64>, u32, u32);

#[track_caller]
fn check(facts: &[(u64, Fact)], expected_rows: &[Row<'_>], expected_hooks: &[(Trigger, &str)]) {
    let (rows, hooks) = fold(facts);
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            assert_eq!(row.dest_number, "61298765432");
            assert_eq!(row.caller_id.as_deref(), Some("61300000000"));
            (
                row.kind,
                &*row.user_number,
                row.call_start_at,
                row.connected_at,
                row.call_duration_seconds,
                row.conversation_duration_seconds,
            )
        })
        .collect();
    let expected_rows: Vec<_> = expected_rows
        .iter()
        .map(|(kind, user, start, connected, call, talk)| {
            (*kind, *user, at(*start), connected.map(at), *call, *talk)
        })
        .collect();
    assert_eq!(rows, expected_rows);
    let hooks: Vec<_> = hooks
        .iter()
        .map(|hook| (hook.trigger, &*hook.user.as_ref().unwrap().number))
        .collect();
    assert_eq!(hooks, expected_hooks);
}

#[test]
fn an_answered_call_has_ring_and_talk_in_whole_seconds() {
    check(
        &[
            (0, arrived()),
            (100, ringing("1010")),
            (4_200, answered("1010")),
            (65_099, ended("1010")),
            (65_099, over()),
        ],
        // 64.999 s and 60.899 s: never rounded up.
        &[(
            UserCallKind::UserInboundAnswered,
            "1010",
            100,
            Some(4_200),
            64,
            60,
        )],
        &[
            (UserInbound, "1010"),
            (UserInboundAnswered, "1010"),
            (UserInboundCompleted, "1010"),
        ],
    );
}

#[test]
fn an_unanswered_call_is_missed_and_never_connected() {
    check(
        &[
            (0, arrived()),
            (0, ringing("1010")),
            (25_000, ended("1010")),
            (25_000, over()),
        ],
        &[(UserCallKind::UserInboundMissed, "1010", 0, None, 25, 0)],
        &[(UserInbound, "1010"), (UserInboundCompleted, "1010")],
    );
}

#[test]
fn a_call_that_reached_nobody_has_no_row() {
    check(&[(0, arrived()), (10, over())], &[], &[]);
}

#[test]
fn attempts_of_one_user_share_one_row_and_add_up() {
    check(
        &[
            (0, arrived()),
            (1_000, ringing("1010")),
            (11_500, ended("1010")),
            (20_000, ringing("1010")),
            (25_500, answered("1010")),
            (40_000, ended("1010")),
            (40_000, over()),
        ],
        &[(
            UserCallKind::UserInboundAnswered,
            "1010",
            1_000,
            Some(25_500),
            30,
            14,
        )],
        &[
            (UserInbound, "1010"),
            (UserInboundCompleted, "1010"),
            (UserInbound, "1010"),
            (UserInboundAnswered, "1010"),
            (UserInboundCompleted, "1010"),
        ],
    );
}

#[test]
fn the_loser_of_an_answer_is_missed() {
    check(
        &[
            (0, arrived()),
            (0, ringing("1010")),
            (0, ringing("1011")),
            (3_000, answered("1011")),
            (3_000, ended("1010")),
            (9_000, ended("1011")),
            (9_000, over()),
        ],
        &[
            (UserCallKind::UserInboundMissed, "1010", 0, None, 3, 0),
            (
                UserCallKind::UserInboundAnswered,
                "1011",
                0,
                Some(3_000),
                9,
                6,
            ),
        ],
        &[
            (UserInbound, "1010"),
            (UserInbound, "1011"),
            (UserInboundAnswered, "1011"),
            (UserInboundCompleted, "1010"),
            (UserInboundCompleted, "1011"),
        ],
    );
}

#[test]
fn user_to_user_tells_both_stories_under_one_id() {
    check(
        &[
            (0, arrived()),
            (0, Fact::OutboundStarted { user: user("1010") }),
            (50, ringing("1011")),
            (2_050, answered("1011")),
            (2_050, Fact::OutboundAnswered { user: user("1010") }),
            (5_050, ended("1011")),
            (5_050, Fact::OutboundEnded { user: user("1010") }),
            (5_050, over()),
        ],
        &[
            (
                UserCallKind::UserInboundAnswered,
                "1011",
                50,
                Some(2_050),
                5,
                3,
            ),
            (
                UserCallKind::UserOutboundAnswered,
                "1010",
                0,
                Some(2_050),
                5,
                3,
            ),
        ],
        &[
            (UserOutbound, "1010"),
            (UserInbound, "1011"),
            (UserInboundAnswered, "1011"),
            (UserOutboundAnswered, "1010"),
            (UserInboundCompleted, "1011"),
            (UserOutboundCompleted, "1010"),
        ],
    );
}

#[test]
fn an_unanswered_outbound_call_is_unanswered() {
    check(
        &[
            (0, arrived()),
            (0, Fact::OutboundStarted { user: user("1010") }),
            (999, Fact::OutboundEnded { user: user("1010") }),
            (999, over()),
        ],
        &[(UserCallKind::UserOutboundUnanswered, "1010", 0, None, 0, 0)],
        &[(UserOutbound, "1010"), (UserOutboundCompleted, "1010")],
    );
}

#[test]
fn the_completed_hook_says_what_the_row_will_say() {
    let (rows, hooks) = fold(&[
        (0, arrived()),
        (
            0,
            Fact::UserRinging {
                user: user("1010"),
                queue: Some("Sales".into()),
                ring_group: None,
            },
        ),
        (1_000, answered("1010")),
        (61_000, ended("1010")),
        (61_000, over()),
    ]);
    let (row, completed) = (rows.first().unwrap(), hooks.last().unwrap());
    assert_eq!(completed.trigger, UserInboundCompleted);
    assert_eq!(completed.connected_at, row.connected_at);
    assert_eq!(completed.call_duration_seconds, 61);
    assert_eq!(completed.conversation_duration_seconds, 60);
    assert_eq!(completed.call_start_at, row.call_start_at);
    assert!(
        hooks
            .iter()
            .all(|hook| hook.queue_name.as_deref() == Some("Sales"))
    );
}

#[test]
fn a_row_is_told_once_when_the_call_has_ended() {
    let mut fold = Fold::new();
    let rows = [
        (0, arrived()),
        (0, ringing("1010")),
        (5, ended("1010")),
        (9, over()),
    ]
    .map(|(offset_ms, fact)| {
        let changes = fold.apply(&event(offset_ms, fact));
        let rows = changes
            .iter()
            .filter(|change| matches!(change, Change::Row(_)));
        rows.count()
    });
    assert_eq!(rows, [0, 0, 0, 1]);
}

#[test]
fn what_cannot_follow_changes_nothing() {
    let mut fold = Fold::new();
    for fact in [ringing("1010"), answered("1010"), ended("1010"), over()] {
        assert_eq!(fold.apply(&event(0, fact)), [], "the call never arrived");
    }
    fold.apply(&event(0, arrived()));
    for fact in [answered("1010"), ended("1010"), arrived()] {
        assert_eq!(fold.apply(&event(0, fact)), [], "the user never rang");
    }
    fold.apply(&event(1, over()));
    let report = Fact::LegClosed {
        leg: crate::LegId(1),
        role: "caller".to_owned(),
        report: crate::LegReport::default(),
    };
    assert_eq!(fold.apply(&event(2, report)), []);
    assert_eq!(
        fold.open_calls().count(),
        0,
        "media that close late open nothing"
    );
}

#[test]
fn a_crash_closes_open_users_and_calls_not_before_their_last_event() {
    let mut fold = Fold::new();
    for (offset_ms, fact) in [
        (0, arrived()),
        (0, Fact::OutboundStarted { user: user("1012") }),
        (0, ringing("1010")),
        (1_000, ended("1010")),
        (1_000, ringing("1011")),
        (5_000, answered("1011")),
    ] {
        fold.apply(&event(offset_ms, fact));
    }
    let closing = fold.close_lost(at(4_000));
    let expected = [
        ended("1011"),
        Fact::OutboundEnded { user: user("1012") },
        Fact::Ended {
            cause: HangupCause::NodeLost,
        },
    ];
    assert_eq!(closing, expected.map(|fact| event(5_000, fact)));
    let changes: Vec<_> = closing.iter().flat_map(|event| fold.apply(event)).collect();
    assert_eq!(fold.open_calls().count(), 0);
    let rows = changes
        .iter()
        .filter(|change| matches!(change, Change::Row(_)));
    assert_eq!(rows.count(), 3, "every user has its row");
}

mod stays;
