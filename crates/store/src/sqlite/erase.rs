//! Forgetting what is old, a bounded number of rows at a time.

use clock::Time;
use pbx::{AccountId, RecordingId};
use rusqlite::{Connection, OptionalExtension, params};

use super::calls::USER_CALLS;
use super::counters::{self, Changes};
use super::groups::{QUEUE_CALLS, RING_GROUP_CALLS};
use super::subjects;
use super::table::Table;
use super::value::{int, micros, millis_up};
use crate::batch::Erase;
use crate::error::StoreError;

/// Call ids of one second: node and counter are their last six digits.
const IDS_PER_SECOND: u64 = 1_000_000;

/// Forgets at most `limit` things.
pub(super) fn erase(connection: &Connection, what: Erase, limit: u32) -> Result<u64, StoreError> {
    match what {
        Erase::Deliveries { before } => deliveries(connection, before, limit),
        Erase::Calls { account, before } => calls(connection, account, before, limit),
        Erase::Events { before } => events(connection, before, limit),
        Erase::Recordings { before } => recordings(connection, before, limit),
    }
}

fn recordings(connection: &Connection, before: Time, limit: u32) -> Result<u64, StoreError> {
    let first_kept = RecordingId::first_of(before);
    let erased = connection
        .prepare_cached(
            "DELETE FROM recordings WHERE id IN (
                 SELECT id FROM recordings WHERE id < ?1 AND state >= 2 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![int(first_kept.0), limit])?;
    Ok(u64::try_from(erased).unwrap_or(u64::MAX))
}

/// The newest delivery stays: the next number is counted from it.
fn deliveries(connection: &Connection, before: Time, limit: u32) -> Result<u64, StoreError> {
    let end = first_delivery_since(connection, micros(before))?;
    let erased = connection
        .prepare_cached(
            "DELETE FROM deliveries WHERE id IN (
                 SELECT id FROM deliveries WHERE id < ?1 AND state <> 0 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![end, limit])?;
    Ok(u64::try_from(erased).unwrap_or(u64::MAX))
}

/// Numbers rise with time, so the border is found by bisection and needs no index: the lowest number
/// that is not older than `since_us`, or the newest delivery's.
fn first_delivery_since(connection: &Connection, since_us: i64) -> Result<i64, StoreError> {
    let (mut low, mut high): (i64, i64) = connection
        .prepare_cached("SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM deliveries")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut next = connection.prepare_cached(
        "SELECT id, created_us FROM deliveries WHERE id >= ?1 ORDER BY id LIMIT 1",
    )?;
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, i64)> = next
            .query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            Some((id, created)) if created < since_us => low = high.min(id + 1),
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

struct Row {
    subject: i64,
    start_ms: i64,
    call: i64,
    part: i64,
}

/// Users' calls first, then stays.
fn calls(
    connection: &Connection,
    account: AccountId,
    before: Time,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut left = limit;
    left -= rows_of(connection, &USER_CALLS, (account, before), left)?;
    left -= rows_of(connection, &QUEUE_CALLS, (account, before), left)?;
    left -= rows_of(connection, &RING_GROUP_CALLS, (account, before), left)?;
    Ok(u64::from(limit - left))
}

fn rows_of<R>(
    connection: &Connection,
    table: &Table<R>,
    (account, before): (AccountId, Time),
    limit: u32,
) -> Result<u32, StoreError> {
    let Some(everyone) = subjects::find_everyone(connection, account, table.family)? else {
        return Ok(0);
    };
    let rows = oldest(connection, table, (account, before), limit)?;
    let mut changes = Changes::default();
    for row in &rows {
        erase_row(connection, table, row)?;
        changes.add(row.subject, row.start_ms, -1);
        changes.add(everyone, row.start_ms, -1);
    }
    changes.apply(connection)?;
    for subject in rows.iter().map(|row| row.subject).chain([everyone]) {
        counters::sweep(connection, subject)?;
    }
    // The limit is one.
    Ok(u32::try_from(rows.len()).unwrap_or(limit))
}

fn oldest<R>(
    connection: &Connection,
    table: &Table<R>,
    (account, before): (AccountId, Time),
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT subject, call_start_ms, call, {} FROM {} AND call_start_ms < ?2
         ORDER BY call_start_ms, call, {} LIMIT ?3",
        table.part,
        table.of_account(),
        table.ties
    ))?;
    let rows = statement.query_map(params![account.0, millis_up(before), limit], |row| {
        Ok(Row {
            subject: row.get(0)?,
            start_ms: row.get(1)?,
            call: row.get(2)?,
            part: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn erase_row<R>(connection: &Connection, table: &Table<R>, row: &Row) -> Result<(), StoreError> {
    connection
        .prepare_cached(&format!(
            "DELETE FROM {} WHERE subject = ?1 AND call_start_ms = ?2 AND call = ?3 AND {} = ?4",
            table.name, table.part
        ))?
        .execute(params![row.subject, row.start_ms, row.call, row.part])?;
    connection
        .prepare_cached("DELETE FROM events WHERE call = ?1")?
        .execute([row.call])?;
    Ok(())
}

fn events(connection: &Connection, before: Time, limit: u32) -> Result<u64, StoreError> {
    let first_kept = int(before.as_secs().saturating_mul(IDS_PER_SECOND));
    let erased = connection
        .prepare_cached(
            "DELETE FROM events WHERE (call, part) IN (
                 SELECT call, part FROM events
                 WHERE call < ?1 AND call NOT IN (SELECT call FROM open_calls)
                 ORDER BY call, part LIMIT ?2)",
        )?
        .execute(params![first_kept, limit])?;
    Ok(int_to_u64(erased))
}

fn int_to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
