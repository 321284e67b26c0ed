//! How long a page of 100 calls takes at 10,000,000 rows: of one user, of ten, of everyone; at any
//! offset, with and without dates, behind a cursor. And of 100 stays in one queue, or in all, at a tenth
//! of as many.
//!
//! `cargo run --release -p store --example paging [ROWS] [FOLDER]`
//!
//! The rows are committed user by user while the indexes are away; they are made afterwards. The
//! folder is removed at the end.
#![expect(
    clippy::print_stdout,
    reason = "a program that measures tells what it found"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clock::Time;
use pbx::cdr::{GroupCall, UserCall, UserCallKind};
use pbx::{AccountId, CallId, GroupKind, UserRef};
use rusqlite::Connection;
use store::{Batch, CallQuery, Order, Position, Reader, StoreError, Writer};

const ACCOUNT: AccountId = AccountId(1);
const ROWS: u64 = 10_000_000;
const USERS: u64 = 200;
const ROWS_PER_USER_AND_DAY: u64 = 50;
/// Users who answer the calls of one queue.
const AGENTS: u64 = 20;
/// Users' calls for each stay.
const ROWS_PER_STAY: u64 = 10;
/// 2024-01-01T00:00:00Z.
const FIRST_SECOND: u64 = 1_704_067_200;
const DAY_SECONDS: u64 = 86_400;
const ROWS_PER_BATCH: u64 = 20_000;
const PAGE: u32 = 100;
const QUERIES: usize = 3_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args()
        .nth(1)
        .map_or(Ok(ROWS), |text| text.parse())?;
    let parent = std::env::args()
        .nth(2)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent)?;
    let path = folder.path().join("switchhook.db");
    let begun = Instant::now();
    let writer = build(&path, rows / USERS)?;
    let size = std::fs::metadata(&path)?.len() / 1_000_000;
    println!("{rows} rows, {size} MB, built in {:.0?}", begun.elapsed());
    let reader = Reader::open(&path, 1)?;
    let mut dice = Dice(1);
    let calls = |query: &CallQuery| Ok(reader.user_calls(query)?.rows.len());
    for (name, users) in [("one user", 1), ("ten users", 10), ("everyone", 0)] {
        measure(calls, name, &mut dice, |dice| query(dice, users, rows))?;
        measure(calls, &format!("{name}, one month"), &mut dice, |dice| {
            let query = query(dice, users, rows);
            in_a_month(dice, query, rows)
        })?;
        let name = format!("{name}, behind a cursor");
        measure(calls, &name, &mut dice, |dice| {
            let query = query(dice, users, rows);
            behind(dice, query, rows)
        })?;
    }
    let stays = |query: &CallQuery| Ok(reader.group_calls(GroupKind::Queue, query)?.rows.len());
    for (name, queues) in [("one queue of twenty agents", 1), ("all queues", 0)] {
        measure(stays, name, &mut dice, |dice| {
            query_of_stays(dice, queues, rows)
        })?;
    }
    drop(writer);
    Ok(())
}

/// Fills the database. The writer is returned, since readers need the log it holds open.
fn build(path: &Path, rows_per_user: u64) -> Result<Writer, Box<dyn Error>> {
    let mut writer = Writer::open(path)?;
    let connection = Connection::open(path)?;
    let indexes = take_indexes(&connection)?;
    for user in 0..USERS {
        let mut next = 0;
        while next < rows_per_user {
            let end = (next + ROWS_PER_BATCH).min(rows_per_user);
            let with_stays = (next..end).filter(|number| number % ROWS_PER_STAY == 0);
            writer.commit(&Batch {
                rows: (next..end).map(|number| row(user, number)).collect(),
                group_rows: with_stays.map(|number| stay(user, number)).collect(),
                ..Batch::default()
            })?;
            next = end;
        }
    }
    connection.execute_batch("PRAGMA cache_size = -500000")?;
    for index in indexes {
        connection.execute_batch(&index)?;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(writer)
}

/// Drops the secondary indexes of the rows and returns how they were made.
fn take_indexes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let of_rows = "FROM sqlite_schema WHERE type = 'index' AND tbl_name LIKE '%\\_calls' ESCAPE '\\' AND sql > ''";
    let list = |column: &str| -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("SELECT {column} {of_rows}"))?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect()
    };
    let (names, made_by) = (list("name")?, list("sql")?);
    for name in names {
        connection.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    Ok(made_by)
}

/// Row `number` of a user: so many a day, between eight and six.
fn row(user: u64, number: u64) -> UserCall {
    let (day, in_day) = (
        number / ROWS_PER_USER_AND_DAY,
        number % ROWS_PER_USER_AND_DAY,
    );
    let second = FIRST_SECOND + day * DAY_SECONDS + 28_800 + in_day * 720 + user % 720;
    let start = Time::from_millis(second * 1_000 + number % 1_000);
    let number = 1_000 + user;
    UserCall {
        account: ACCOUNT,
        call: CallId(second * 1_000_000 + user),
        kind: UserCallKind::UserInboundAnswered,
        caller_id: Some(format!("613{:08}", second % 100_000_000)),
        caller_name: None,
        dest_number: "61298765432".into(),
        user_name: format!("User {number}").into(),
        user_number: number.to_string().into(),
        call_start_at: start,
        connected_at: Some(start),
        ended_at: Some(start),
        call_duration_seconds: 65,
        conversation_duration_seconds: 60,
    }
}

/// The stay of a call: every other one was answered, by this user.
fn stay(user: u64, number: u64) -> GroupCall {
    let row = row(user, number);
    let is_answered = (number / ROWS_PER_STAY).is_multiple_of(2);
    let agent = UserRef {
        number: row.user_number,
        name: row.user_name,
    };
    GroupCall {
        account: row.account,
        call: row.call,
        stay: 1,
        kind: GroupKind::Queue,
        name: queue(user / AGENTS).into(),
        caller_id: row.caller_id,
        caller_name: row.caller_name,
        dest_number: row.dest_number,
        user: is_answered.then_some(agent),
        call_start_at: row.call_start_at,
        connected_at: is_answered.then_some(row.call_start_at),
        ended_at: row.call_start_at,
        call_duration_seconds: row.call_duration_seconds,
        conversation_duration_seconds: row.conversation_duration_seconds,
    }
}

fn queue(number: u64) -> String {
    format!("Queue {number}")
}

/// A page at a random offset of so many queues, or of all.
fn query_of_stays(dice: &mut Dice, queues: u64, rows: u64) -> CallQuery {
    let all = USERS / AGENTS;
    let of = if queues == 0 { all } else { queues };
    let first = dice.roll(all);
    let names = (first..first + queues).map(|number| queue(number % all));
    CallQuery {
        groups: (queues > 0).then(|| names.collect()),
        users: None,
        offset: dice.roll(rows / ROWS_PER_STAY / all * of),
        ..query(dice, 0, rows)
    }
}

/// A page at a random offset of so many users, or of everyone.
fn query(dice: &mut Dice, users: u64, rows: u64) -> CallQuery {
    let of = if users == 0 { USERS } else { users };
    let first = dice.roll(USERS);
    let name = |user: u64| (1_000 + (first + user * 19) % USERS).to_string();
    CallQuery {
        users: (users > 0).then(|| (0..users).map(name).collect()),
        order: if dice.roll(2) == 0 {
            Order::NewestFirst
        } else {
            Order::OldestFirst
        },
        offset: dice.roll(rows / USERS * of),
        limit: PAGE,
        ..CallQuery::all(ACCOUNT)
    }
}

fn in_a_month(dice: &mut Dice, query: CallQuery, rows: u64) -> CallQuery {
    let days = rows / USERS / ROWS_PER_USER_AND_DAY;
    let first = FIRST_SECOND + dice.roll(days) * DAY_SECONDS;
    CallQuery {
        from: Some(Time::from_secs(first)),
        to_exclusive: Some(Time::from_secs(first + 30 * DAY_SECONDS)),
        offset: query.offset / (1 + days / 30),
        ..query
    }
}

fn behind(dice: &mut Dice, query: CallQuery, rows: u64) -> CallQuery {
    let place = row(dice.roll(USERS), dice.roll(rows / USERS));
    CallQuery {
        after: Some(Position::from(&place)),
        offset: 0,
        ..query
    }
}

fn measure(
    read: impl Fn(&CallQuery) -> Result<usize, StoreError>,
    name: &str,
    dice: &mut Dice,
    query: impl Fn(&mut Dice) -> CallQuery,
) -> Result<(), Box<dyn Error>> {
    let mut micros = Vec::with_capacity(QUERIES);
    let mut rows = 0;
    for _ in 0..QUERIES {
        let query = query(dice);
        let begun = Instant::now();
        rows += read(&query)?;
        micros.push(begun.elapsed().as_micros());
    }
    micros.sort_unstable();
    let at = |percent| {
        micros
            .get(QUERIES * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{name}: p50 {} µs, p99 {} µs, {} rows a page",
        at(50),
        at(99),
        rows / QUERIES
    );
    Ok(())
}

/// Numbers that look random and are the same each time (an LCG of Knuth's).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
