//! `kill -9` in the middle of commits, again and again: what is found afterwards is a run of whole
//! batches that holds every acknowledged one.
//!
//! The child is this test program again, told by an environment variable where to write. Every batch
//! is a function of its number, so the parent knows what must be there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use clock::Time;
use pbx::{CallId, GroupKind, Trigger};
use store::{
    AttemptResult, Batch, CallQuery, DeliveryId, Fate, NewDelivery, Order, Part, Reader, Tells,
    Writer,
};

use crate::suite::model::{self, Dice};
use crate::suite::{ACME, MIDNIGHT_MS, arrived, call, ended, event, ringing, row, stay};

const FOLDER: &str = "STORE_CRASH_FOLDER";
/// How often the child is killed; more in a soak.
const KILLS: &str = "STORE_CRASH_KILLS";
const DEFAULT_KILLS: u64 = 25;
/// The child stops by itself after so many batches.
const MAX_BATCHES: u64 = 5_000;

/// Batch `number`: a call arrives, the one before it ends, its rows are written, a webhook is owed and an
/// older one delivered.
fn batch(number: u64) -> Batch {
    let at_ms = MIDNIGHT_MS + number * 60_000;
    let mut events = vec![
        event(call(number), at_ms, arrived()),
        event(call(number), at_ms, ringing("1010")),
    ];
    let mut rows = Vec::new();
    let mut group_rows = Vec::new();
    let mut attempts = Vec::new();
    if let Some(before) = number.checked_sub(1) {
        events.push(event(call(before), at_ms, ended()));
        rows.push(row(call(before), "1010", at_ms - 60_000));
        rows.push(row(
            call(before),
            &format!("2{}", before % 7),
            at_ms - 59_999,
        ));
        group_rows.push(stay(call(before), 1, at_ms - 59_999));
        attempts.push(AttemptResult {
            delivery: DeliveryId(number),
            at: Time::from_millis(at_ms),
            fate: Fate::Delivered,
            status: Some(200),
            error: None,
        });
    }
    let delivery = NewDelivery {
        account: ACME,
        endpoint: "crm".into(),
        call: call(number),
        tells: Tells::Trigger(Trigger::UserInbound),
        body: number.to_string().into_bytes().into(),
        at: Time::from_millis(at_ms),
    };
    let heartbeat = Some(beat(number));
    Batch {
        events,
        rows,
        group_rows,
        recordings: Vec::new(),
        deliveries: vec![delivery],
        attempts,
        heartbeat,
    }
}

fn beat(number: u64) -> Time {
    Time::from_secs(1 + number)
}

/// The number of the first batch that is not in the store.
fn next_batch(writer: &Writer) -> u64 {
    writer.last_heartbeat().unwrap().map_or(0, Time::as_secs)
}

/// The part of the child: commits batches and says so, until it is killed.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let mut writer = Writer::open(&Path::new(&folder).join("switchhook.db")).unwrap();
    let next = next_batch(&writer);
    let mut stdout = std::io::stdout();
    for number in next..MAX_BATCHES {
        writer.commit(&batch(number)).unwrap();
        writeln!(stdout, "committed {number}").unwrap();
        stdout.flush().unwrap();
    }
}

#[test]
fn a_killed_process_leaves_whole_batches_and_every_acknowledged_one() {
    let folder = tempfile::tempdir().unwrap();
    let kills = std::env::var(KILLS).ok().and_then(|text| text.parse().ok());
    let mut dice = Dice(9);
    let mut next = 0;
    for _ in 0..kills.unwrap_or(DEFAULT_KILLS) {
        let acknowledged = run_and_kill(folder.path(), &mut dice);
        let found = check(folder.path(), &mut dice);
        assert!(
            found >= acknowledged.unwrap_or(next),
            "{acknowledged:?} were acknowledged"
        );
        next = found;
    }
    assert!(next > 0, "no child came as far as a commit");
}

/// Runs a child until it has acknowledged a random number of batches and a little further; returns the
/// number behind the last acknowledged one.
fn run_and_kill(folder: &Path, dice: &mut Dice) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let enough = dice.roll(60);
    for _ in 0..enough {
        std::hint::black_box(lines.next());
    }
    for _ in 0..dice.roll(2_000_000) {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before it died is still in the pipe.
    lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok())
        .last()
        .map(|number| number + 1)
}

/// Compares the store with what the batches hold and returns how many there are.
fn check(folder: &Path, dice: &mut Dice) -> u64 {
    let path = folder.join("switchhook.db");
    let writer = Writer::open(&path).unwrap();
    let reader = Reader::open(&path, 1).unwrap();
    let next = next_batch(&writer);
    let batches: Vec<Batch> = (0..next).map(batch).collect();
    check_events(&writer, &batches);
    check_outbox(&reader, &batches);
    check_rows(&reader, &batches, dice);
    next
}

fn check_events(writer: &Writer, batches: &[Batch]) {
    let last = batches
        .len()
        .checked_sub(1)
        .map(|index| call(u64::try_from(index).unwrap()));
    assert_eq!(writer.last_call_id().unwrap(), last);
    let of_last = |event: &pbx::Event| Some(event.call) == last;
    let open: Vec<_> = batches
        .iter()
        .flat_map(|batch| batch.events.iter().cloned())
        .filter(of_last)
        .collect();
    assert_eq!(writer.open_call_events().unwrap(), open);
}

fn check_outbox(reader: &Reader, batches: &[Batch]) {
    let pending = reader
        .pending(ACME, "crm", Part::After(DeliveryId(0)), 100)
        .unwrap();
    let pending: Vec<(CallId, &[u8])> = pending
        .deliveries
        .iter()
        .map(|one| (one.call, &*one.body))
        .collect();
    let last: Vec<(CallId, &[u8])> = batches
        .last()
        .iter()
        .flat_map(|batch| batch.deliveries.iter().map(|one| (one.call, &*one.body)))
        .collect();
    assert_eq!(pending, last);
}

fn check_rows(reader: &Reader, batches: &[Batch], dice: &mut Dice) {
    let rows: Vec<_> = batches
        .iter()
        .flat_map(|batch| &batch.rows)
        .cloned()
        .collect();
    let users = [
        None,
        Some(vec!["1010".into()]),
        Some(vec!["21".into(), "25".into()]),
    ];
    for users in users {
        let query = CallQuery {
            users,
            from: Some(Time::from_millis(MIDNIGHT_MS + dice.roll(3_600_000))),
            order: Order::OldestFirst,
            offset: dice.roll(20),
            limit: 50,
            ..CallQuery::all(ACME)
        };
        assert_eq!(
            reader.user_calls(&query).unwrap(),
            model::page(&rows, &query),
            "{query:?}"
        );
    }
    let stays: Vec<_> = batches
        .iter()
        .flat_map(|batch| batch.group_rows.iter().cloned())
        .collect();
    let all = CallQuery::all(ACME);
    let found = reader.group_calls(GroupKind::Queue, &all).unwrap();
    assert_eq!(found, model::page(&stays, &all));
}
