//! Stays in queues and ring groups: one row and one summary each, and what passes components.

use super::*;
use crate::event::Component;

fn group(kind: GroupKind) -> GroupRef {
    GroupRef {
        kind,
        name: "Sales".into(),
    }
}

fn entered(kind: GroupKind) -> Fact {
    Fact::GroupEntered { group: group(kind) }
}

fn taken(kind: GroupKind, by: Option<&str>) -> Fact {
    Fact::GroupAnswered {
        group: group(kind),
        user: by.map(user),
    }
}

fn left(kind: GroupKind) -> Fact {
    Fact::GroupLeft { group: group(kind) }
}

fn changes(facts: &[(u64, Fact)]) -> Vec<Change> {
    let mut fold = Fold::new();
    let events = facts
        .iter()
        .map(|(offset_ms, fact)| event(*offset_ms, fact.clone()));
    events.flat_map(|event| fold.apply(&event)).collect()
}

/// What a row of a group must say: stay, user, entry, answer, call and talk.
type GroupRow<'a> = (u32, Option<&'a str>, u64, Option<u64>, u32, u32);

/// The rows, and that each has its summary behind it which says the same.
#[track_caller]
fn check_stays(kind: GroupKind, facts: &[(u64, Fact)], expected: &[GroupRow<'_>]) {
    let changes = changes(facts);
    let mut found = Vec::new();
    for (place, change) in changes.iter().enumerate() {
        let Change::GroupRow(row) = change else {
            continue;
        };
        let Some(Change::Hook(hook)) = changes.get(place + 1) else {
            panic!("no summary behind {row:?}");
        };
        assert_eq!(hook.trigger, kind.trigger());
        assert_eq!((row.kind, &*row.name), (kind, "Sales"));
        assert_eq!(row.user, hook.user);
        assert_eq!(row.call_start_at, hook.call_start_at);
        assert_eq!(row.connected_at, hook.connected_at);
        assert_eq!(row.caller_name, hook.caller_name);
        assert_eq!(row.call_duration_seconds, hook.call_duration_seconds);
        let names = (hook.queue_name.is_some(), hook.ring_group_name.is_some());
        assert_eq!(
            names,
            (kind == GroupKind::Queue, kind == GroupKind::RingGroup)
        );
        found.push((
            row.stay,
            row.user.as_ref().map(|user| user.number.to_string()),
            row.call_start_at,
            row.connected_at,
            row.call_duration_seconds,
            row.conversation_duration_seconds,
        ));
    }
    let expected: Vec<_> = expected
        .iter()
        .map(|(stay, user, start, connected, call, talk)| {
            let user = user.map(str::to_owned);
            (*stay, user, at(*start), connected.map(at), *call, *talk)
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn an_answered_stay_has_wait_and_talk() {
    for kind in [GroupKind::Queue, GroupKind::RingGroup] {
        check_stays(
            kind,
            &[
                (0, arrived()),
                (1_000, entered(kind)),
                (11_000, ringing("1010")),
                (15_000, answered("1010")),
                (15_000, taken(kind, Some("1010"))),
                (75_999, ended("1010")),
                (75_999, left(kind)),
                (75_999, over()),
            ],
            &[(1, Some("1010"), 1_000, Some(15_000), 74, 60)],
        );
    }
}

#[test]
fn an_abandoned_stay_is_a_row_with_nobody_in_it() {
    let kind = GroupKind::Queue;
    check_stays(
        kind,
        &[
            (0, arrived()),
            (0, entered(kind)),
            (0, ringing("1010")),
            (9_500, ended("1010")),
            (9_500, left(kind)),
            (9_500, over()),
        ],
        &[(1, None, 0, None, 9, 0)],
    );
}

#[test]
fn five_agents_rung_three_times_are_five_rows_and_one_stay() {
    let kind = GroupKind::Queue;
    let agents = ["1010", "1011", "1012", "1013", "1014"];
    let mut facts = vec![(0, arrived()), (0, entered(kind))];
    for round in 0..3 {
        facts.extend(agents.map(|agent| (round * 20_000, ringing(agent))));
        facts.extend(agents.map(|agent| (round * 20_000 + 15_000, ended(agent))));
    }
    facts.extend([(60_000, left(kind)), (60_000, over())]);
    check_stays(kind, &facts, &[(1, None, 0, None, 60, 0)]);
    let mut counts = BTreeMap::<_, u32>::new();
    for change in changes(&facts) {
        let what = match change {
            Change::Row(row) => {
                assert_eq!(row.call_duration_seconds, 45, "three attempts add up");
                None
            }
            Change::Hook(hook) => Some(hook.trigger),
            Change::GroupRow(_) | Change::Recording(_) | Change::Component(_) => continue,
        };
        *counts.entry(what).or_default() += 1;
    }
    let expect = [
        (None, 5),
        (Some(UserInbound), 15),
        (Some(UserInboundCompleted), 15),
        (Some(Trigger::QueueCall), 1),
    ];
    assert_eq!(counts, BTreeMap::from(expect));
}

#[test]
fn a_member_outside_answers_without_a_user() {
    let kind = GroupKind::RingGroup;
    check_stays(
        kind,
        &[
            (0, arrived()),
            (0, entered(kind)),
            (5_000, taken(kind, None)),
            (8_000, left(kind)),
            (8_000, over()),
        ],
        &[(1, None, 0, Some(5_000), 8, 3)],
    );
}

#[test]
fn a_group_passed_twice_has_two_rows() {
    let kind = GroupKind::Queue;
    check_stays(
        kind,
        &[
            (0, arrived()),
            (0, entered(kind)),
            (2_000, left(kind)),
            (3_000, entered(kind)),
            (7_000, left(kind)),
            (7_000, over()),
        ],
        &[(1, None, 0, None, 2, 0), (2, None, 3_000, None, 4, 0)],
    );
}

#[test]
fn what_cannot_follow_changes_nothing() {
    let (queue, ring_group) = (GroupKind::Queue, GroupKind::RingGroup);
    check_stays(
        queue,
        &[
            (0, arrived()),
            (0, left(queue)),
            (0, taken(queue, Some("1010"))),
            (0, entered(queue)),
            (1_000, left(ring_group)),
            (1_000, taken(ring_group, Some("1010"))),
            (2_000, left(queue)),
            (2_000, left(queue)),
            (2_000, over()),
        ],
        &[(1, None, 0, None, 2, 0)],
    );
}

#[test]
fn a_crash_closes_the_stay_between_the_two_stories() {
    let kind = GroupKind::Queue;
    let started = Fact::OutboundStarted { user: user("1011") };
    let mut fold = Fold::new();
    for fact in [
        arrived(),
        started,
        entered(kind),
        ringing("1010"),
        answered("1010"),
        taken(kind, Some("1010")),
    ] {
        fold.apply(&event(0, fact));
    }
    let closing = fold.close_lost(at(6_000));
    let facts: Vec<Fact> = closing.iter().map(|event| event.fact.clone()).collect();
    assert_eq!(
        facts,
        [
            ended("1010"),
            left(kind),
            Fact::OutboundEnded { user: user("1011") },
            Fact::Ended {
                cause: HangupCause::NodeLost
            },
        ]
    );
    let told: Vec<Trigger> = closing
        .iter()
        .flat_map(|event| fold.apply(event))
        .filter_map(|change| match change {
            Change::Hook(hook) => Some(hook.trigger),
            Change::Row(_) | Change::GroupRow(_) | Change::Recording(_) | Change::Component(_) => {
                None
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            UserInboundCompleted,
            Trigger::QueueCall,
            UserOutboundCompleted
        ]
    );
}

#[test]
fn a_component_is_told_of_the_caller_and_the_arrival() {
    let component = Component {
        name: "CRM".into(),
        place: "main/crm".into(),
        url: "https://crm.example.com/".into(),
        secret_token: "5up3r".into(),
        headers: Vec::new(),
    };
    let passed = Fact::ComponentPassed {
        component: component.clone(),
    };
    let told = changes(&[(0, arrived()), (5_000, passed), (6_000, over())]);
    let [Change::Component(facts)] = told.as_slice() else {
        panic!("one event per pass: {told:?}");
    };
    assert_eq!(facts.component, component);
    assert_eq!((facts.arrived_at, facts.at), (at(0), at(5_000)));
    assert_eq!(facts.caller_id.as_deref(), Some("61300000000"));
    assert_eq!(facts.dest_number, "61298765432");
}
