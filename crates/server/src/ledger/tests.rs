//! The ledger over a real store: what is committed, who is told, and what a crash leaves.

use std::time::{Duration, Instant};

use pbx::draft::Draft;
use pbx::{AccountId, CallId, Direction, Fact, GroupKind, GroupRef, HangupCause, Trigger, UserRef};
use serde_json::json;
use store::{CallQuery, Tells, Writer};

use super::*;
use crate::directory::Directory;

pub(crate) const ACCOUNT: AccountId = AccountId(1);
const START: Time = Time::from_secs(1_569_943_875);

/// An account with one user and these endpoints.
pub(crate) fn directory(webhooks: &serde_json::Value) -> Directory {
    let draft: Draft = serde_json::from_value(json!({
        "account": "acme", "country": "AU", "domain": "acme.example",
        "users": [{"number": "1010", "name": "John Smith"}],
        "webhooks": webhooks,
    }))
    .unwrap();
    Directory::new([Arc::new(draft.compile(ACCOUNT, 1).unwrap())])
}

fn crm() -> Directory {
    directory(&json!([{
        "name": "crm", "url": "https://crm.example/", "secret_token": "s",
        "triggers": ["user_inbound", "user_inbound_completed"],
    }]))
}

/// The seal of a folder.
pub(crate) fn seal(folder: &tempfile::TempDir) -> Arc<Seal> {
    Arc::new(Seal::open_or_create(&folder.path().join("secret.key")).unwrap())
}

fn user() -> UserRef {
    UserRef {
        number: "1010".into(),
        name: "John Smith".into(),
    }
}

fn event(call: CallId, after_ms: u64, fact: Fact) -> Event {
    Event {
        at: START + Duration::from_millis(after_ms),
        account: ACCOUNT,
        call,
        fact,
    }
}

/// A call that rings, is answered and ends: five events, three of them told to those who tick them.
pub(crate) fn call_events(call: CallId) -> Vec<Event> {
    let facts = [
        Fact::Arrived {
            direction: Direction::Inbound,
            caller_id: Some("61300000000".to_owned()),
            caller_name: None,
            dest_number: "61298765432".to_owned(),
        },
        Fact::UserRinging {
            user: user(),
            queue: None,
            ring_group: None,
        },
        Fact::UserAnswered { user: user() },
        Fact::UserEnded { user: user() },
        Fact::Ended {
            cause: HangupCause::Normal,
        },
    ];
    (0..)
        .zip(facts)
        .map(|(second, fact)| event(call, second * 1_000, fact))
        .collect()
}

struct World {
    folder: tempfile::TempDir,
    ledger: Ledger,
    thread: JoinHandle<()>,
    told: mpsc::Receiver<deliver::Message>,
    metrics: Arc<Metrics>,
}

fn open(folder: &tempfile::TempDir) -> (Writer, Reader) {
    let path = folder.path().join("db");
    let writer = Writer::open(&path).unwrap();
    (writer, Reader::open(&path, 2).unwrap())
}

fn world(directory: Directory) -> World {
    let folder = tempfile::tempdir().unwrap();
    let (writer, reader) = open(&folder);
    let (deliver, told) = mpsc::channel(64);
    let metrics = Arc::<Metrics>::default();
    let (ledger, thread) = start(Parts {
        writer,
        reader,
        fold: pbx::cdr::Fold::new(),
        clock: Clock::start(),
        accounts: Live::new(directory),
        seal: seal(&folder),
        deliver,
        studio: mpsc::channel(1).0,
        mailboxes: Box::new(|_| {}),
        readiness: Readiness::default(),
        metrics: Arc::clone(&metrics),
    })
    .unwrap();
    World {
        folder,
        ledger,
        thread,
        told,
        metrics,
    }
}

impl World {
    fn deliveries(&mut self) -> Vec<store::Delivery> {
        match self.told.blocking_recv() {
            Some(deliver::Message::Committed(deliveries)) => deliveries,
            other => panic!("{other:?}"),
        }
    }

    /// Commits what waits, ends the thread and gives the folder back.
    fn end(self) -> tempfile::TempDir {
        self.ledger.stop();
        self.thread.join().unwrap();
        self.folder
    }
}

fn trigger(delivery: &store::Delivery) -> Trigger {
    match &delivery.tells {
        Tells::Trigger(trigger) => *trigger,
        Tells::Component { .. } => panic!("nobody passed a webhook object"),
    }
}

/// What the endpoint must still be told.
fn still_to_tell(reader: &Reader) -> Vec<Trigger> {
    let part = Part::After(store::DeliveryId(0));
    let told = reader.pending(ACCOUNT, "crm", part, 10).unwrap().deliveries;
    told.iter().map(trigger).collect()
}

#[test]
fn a_call_becomes_a_row_and_the_deliveries_that_are_ticked() {
    let mut world = world(crm());
    let call = CallId(1_569_943_875_010_000);
    assert_eq!(world.ledger.push(call_events(call)), 0);
    let deliveries = world.deliveries();
    let triggers: Vec<Trigger> = deliveries.iter().map(trigger).collect();
    assert_eq!(
        triggers,
        [Trigger::UserInbound, Trigger::UserInboundCompleted]
    );
    assert!(deliveries[0].id < deliveries[1].id);
    assert!(
        deliveries
            .iter()
            .all(|delivery| &*delivery.endpoint == "crm")
    );
    assert_eq!(world.metrics.events_committed.value(), 5);
    let folder = world.end();
    let (_writer, reader) = open(&folder);
    let page = reader.user_calls(&CallQuery::all(ACCOUNT)).unwrap();
    assert_eq!(page.total, 1);
    assert_eq!(page.rows[0].conversation_duration_seconds, 1);
    assert_eq!(
        reader.backlogs().unwrap().len(),
        1,
        "the outbox keeps them until they are made"
    );
}

#[test]
fn what_nobody_waits_for_is_committed_within_the_window() {
    let world = world(directory(&json!([])));
    let begun = Instant::now();
    world.ledger.push(call_events(CallId(1)));
    while world.metrics.events_committed.value() < 5 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(world.metrics.commits.value(), 1);
    world.end();
}

#[test]
fn a_fetch_sees_every_result_recorded_before_it() {
    let mut world = world(crm());
    world.ledger.push(call_events(CallId(7)));
    let deliveries = world.deliveries();
    let result = |id| AttemptResult {
        delivery: id,
        at: START,
        fate: store::Fate::Delivered,
        status: Some(200),
        error: None,
    };
    let endpoint = EndpointKey {
        account: ACCOUNT,
        name: "crm".into(),
    };
    world.ledger.record(vec![result(deliveries[0].id)]);
    world
        .ledger
        .fetch(endpoint, Part::After(store::DeliveryId(0)), 10);
    let Some(deliver::Message::Fetched { pending, .. }) = world.told.blocking_recv() else {
        panic!();
    };
    let left: Vec<_> = pending
        .deliveries
        .iter()
        .map(|delivery| delivery.id)
        .collect();
    assert_eq!(left, [deliveries[1].id]);
    world.end();
}

#[test]
fn the_calls_of_an_account_that_failed_end_once() {
    let world = world(crm());
    let (mine, others) = (CallId(7), CallId(8));
    let mut events = call_events(mine);
    let late = events.split_off(3);
    world.ledger.push(events);
    let of_others = call_events(others).into_iter().take(2);
    world.ledger.push(of_others.map(|event| Event {
        account: AccountId(2),
        ..event
    }));
    // Call control fails twice, and what it had told before the first time comes late.
    let failed_at = START + Duration::from_secs(10);
    world.ledger.close_calls(ACCOUNT, failed_at);
    world
        .ledger
        .close_calls(ACCOUNT, failed_at + Duration::from_secs(1));
    world.ledger.push(late);
    let folder = world.end();
    let (writer, reader) = open(&folder);
    let open = writer.open_call_events().unwrap();
    assert!(!open.is_empty() && open.iter().all(|event| event.call == others));
    let page = reader.user_calls(&CallQuery::all(ACCOUNT)).unwrap();
    assert_eq!(page.total, 1);
    assert_eq!(page.rows[0].ended_at, Some(failed_at));
    assert_eq!(
        still_to_tell(&reader),
        [Trigger::UserInbound, Trigger::UserInboundCompleted]
    );
}

#[test]
fn a_fault_of_ours_is_the_cause_that_is_kept() {
    let mut fold = pbx::cdr::Fold::new();
    for event in call_events(CallId(7)).into_iter().take(3) {
        fold.apply(&event);
    }
    let events = keeper::lost_by_fault(&fold, ACCOUNT, START);
    let ended = Fact::Ended {
        cause: HangupCause::AccountFault,
    };
    assert_eq!(events.last().map(|event| &event.fact), Some(&ended));
    let ends = events.iter().filter(|event| event.fact == ended);
    assert_eq!(ends.count(), 1);
    for event in &events {
        fold.apply(event);
    }
    assert!(keeper::lost_by_fault(&fold, ACCOUNT, START).is_empty());
    assert!(keeper::lost_by_fault(&fold, AccountId(2), START).is_empty());
}

#[test]
fn a_crash_ends_open_calls_at_the_last_sign_of_life() {
    for (heartbeat, died_at) in [(None, 2_000), (Some(500), 2_000), (Some(9_000), 9_000)] {
        let folder = tempfile::tempdir().unwrap();
        let call = CallId(1_569_943_875_010_000);
        let (mut writer, reader) = open(&folder);
        let events: Vec<Event> = call_events(call).into_iter().take(3).collect();
        let mut fold = pbx::cdr::Fold::new();
        let mut batch = store::Batch::default();
        for event in events {
            fold_in(&folder, &mut fold, &mut batch, event);
        }
        batch.heartbeat = heartbeat.map(|ms| START + Duration::from_millis(ms));
        writer.commit(&batch).unwrap();

        let recovered = recover(&mut writer, &crm(), &seal(&folder)).unwrap();
        let died_at = START + Duration::from_millis(died_at);
        assert_eq!(recovered.lost_calls, 1);
        assert_eq!(recovered.fold.open_calls().count(), 0);
        assert!(recovered.not_before.as_secs() > call.second());
        let page = reader.user_calls(&CallQuery::all(ACCOUNT)).unwrap();
        assert_eq!(page.total, 1);
        assert_eq!(page.rows[0].ended_at, Some(died_at));
        assert_eq!(
            still_to_tell(&reader),
            [Trigger::UserInbound, Trigger::UserInboundCompleted]
        );
        assert_eq!(
            recover(&mut writer, &crm(), &seal(&folder))
                .unwrap()
                .lost_calls,
            0,
            "only once"
        );
    }
}

fn fold_in(
    folder: &tempfile::TempDir,
    fold: &mut pbx::cdr::Fold,
    batch: &mut store::Batch,
    event: Event,
) {
    let outgoing = outgoing::Outgoing {
        directory: &crm(),
        seal: &seal(folder),
    };
    outgoing.fold_in(fold, batch, event);
}

#[test]
fn a_passed_webhook_object_leaves_its_secrets_sealed_only() {
    let folder = tempfile::tempdir().unwrap();
    let component = pbx::Component {
        name: "CRM".into(),
        place: "main/crm".into(),
        url: "https://crm.example/geheim".into(),
        secret_token: "geheim".into(),
        headers: vec![("x-key".into(), "geheim".into())],
    };
    let passed = Fact::ComponentPassed { component };
    let mut fold = pbx::cdr::Fold::new();
    let mut batch = store::Batch::default();
    let call = CallId(7);
    for event in [call_events(call).remove(0), event(call, 10, passed)] {
        fold_in(&folder, &mut fold, &mut batch, event);
    }
    let (mut writer, _reader) = open(&folder);
    writer.commit(&batch).unwrap();
    drop(writer);
    for file in ["db", "db-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
        let found = bytes.windows(6).any(|window| window == b"geheim");
        assert!(!found, "a secret lies open in {file}");
    }
    let [delivery] = batch.deliveries.as_slice() else {
        panic!("one event per pass");
    };
    assert_eq!(&*delivery.endpoint, "object:main/crm");
    let Tells::Component { destination } = &delivery.tells else {
        panic!("{delivery:?}");
    };
    let to = crate::hooks::destination::Destination::open(destination, &seal(&folder)).unwrap();
    assert_eq!(
        (&*to.url, &*to.secret_token),
        ("https://crm.example/geheim", "geheim")
    );
}

/// A call that a member of a ring group answers.
fn stay_events(call: CallId) -> Vec<Event> {
    let group = || GroupRef {
        kind: GroupKind::RingGroup,
        name: "Sales".into(),
    };
    let mut facts: Vec<Fact> = call_events(call)
        .into_iter()
        .map(|event| event.fact)
        .collect();
    facts.insert(1, Fact::GroupEntered { group: group() });
    let answered = Fact::GroupAnswered {
        group: group(),
        user: Some(user()),
    };
    facts.insert(4, answered);
    facts.insert(6, Fact::GroupLeft { group: group() });
    (0..)
        .zip(facts)
        .map(|(second, fact)| event(call, second * 1_000, fact))
        .collect()
}

#[test]
fn a_stay_has_a_row_also_when_a_crash_ended_it() {
    let answered_at = Some(START + Duration::from_secs(4));
    // How many of its events happened, and what the row says.
    let cases = [(3, None, 0), (5, answered_at, 16), (7, answered_at, 2)];
    for (happened, connected_at, talk) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, reader) = open(&folder);
        let mut fold = pbx::cdr::Fold::new();
        let mut batch = store::Batch::default();
        for event in stay_events(CallId(7)).into_iter().take(happened) {
            fold_in(&folder, &mut fold, &mut batch, event);
        }
        batch.heartbeat = Some(START + Duration::from_secs(20));
        writer.commit(&batch).unwrap();
        for _ in 0..2 {
            recover(&mut writer, &crm(), &seal(&folder)).unwrap();
            let query = CallQuery::all(ACCOUNT);
            let page = reader.group_calls(GroupKind::RingGroup, &query).unwrap();
            let [row] = page.rows.as_slice() else {
                panic!("{happened}: {page:?}");
            };
            assert_eq!(row.connected_at, connected_at, "{happened}");
            assert_eq!(row.user.is_some(), connected_at.is_some(), "{happened}");
            assert_eq!(row.conversation_duration_seconds, talk, "{happened}");
        }
    }
}

#[tokio::test]
async fn a_fault_of_the_thread_shows_at_once_and_nobody_waits_for_it() {
    let (queue, readiness) = (Arc::new(Queue::new(7)), Readiness::default());
    queue.push_events(call_events(CallId(1)));
    let thread = spawn(&queue, readiness.clone(), || panic!("planted")).unwrap();
    assert!(thread.join().is_err());
    let reason = readiness.reason().unwrap();
    assert!(reason.starts_with("events cannot be kept"), "{reason}");
    let ledger = Ledger {
        queue,
        metrics: Arc::default(),
    };
    assert!(ledger.fill() > CROWDED, "new calls are refused");
    assert_eq!(ledger.push(call_events(CallId(2))), 5);
    assert_eq!(ledger.metrics.events_lost.value(), 5);
    let erase = ledger.erase(Erase::Events { before: START }, 1).await;
    assert!(matches!(erase, Err(OrderError::Stopped)));
}

#[test]
fn what_finds_no_room_is_counted_and_the_rest_kept() {
    let queue = Queue::new(7);
    assert_eq!(queue.push_events(call_events(CallId(1))), 0);
    assert!((queue.fill() - 5.0 / 7.0).abs() < 0.01);
    assert_eq!(queue.push_events(call_events(CallId(2))), 3);
    let taken = queue.take(queue::WakeFor::Anything, None);
    assert_eq!(taken.items.len(), 7);
    assert!(queue.fill() < f32::EPSILON);
}

#[test]
fn only_what_is_worth_it_ends_a_nap() {
    use queue::WakeFor;
    let nap = || Some(Instant::now() + Duration::from_millis(5));
    let queue = Queue::new(100);
    queue.set_ticked([Trigger::UserInboundCompleted].into_iter());
    let slept = |wake_for| {
        let until = nap();
        queue.take(wake_for, until);
        until.is_some_and(|until| Instant::now() >= until)
    };
    let events = call_events(CallId(1));
    let cases = [
        (2, WakeFor::Anything, false),
        (2, WakeFor::Events, false),
        (2, WakeFor::Hooks, true),
        (2, WakeFor::Urgent, true),
        (3, WakeFor::Hooks, false),
        (3, WakeFor::Urgent, true),
    ];
    for (index, wake_for, expect) in cases {
        queue.push_events([events[index].clone()]);
        assert_eq!(slept(wake_for), expect, "{index} {wake_for:?}");
    }
    queue.push_attempts(Vec::new());
    assert!(slept(WakeFor::Anything), "nothing is nothing");
    queue.stop();
    assert!(!slept(WakeFor::Urgent));
}
