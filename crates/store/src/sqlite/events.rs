//! Events, the calls they leave open, and the node's sign of life.

use std::collections::BTreeMap;

use clock::Time;
use pbx::{AccountId, CallId, Event, Fact};
use rusqlite::{Connection, OptionalExtension, params};

use super::value::{account, call, int, micros};
use crate::error::StoreError;

const HEARTBEAT: &str = "heartbeat_us";

/// Appends events, one row for each call of the batch.
pub(super) fn insert(connection: &Connection, events: &[Event]) -> Result<(), StoreError> {
    let mut calls = BTreeMap::<CallId, Vec<&Event>>::new();
    for event in events {
        calls.entry(event.call).or_default().push(event);
    }
    let mut facts = Vec::new();
    for (call, events) in calls {
        encode(&mut facts, &events)?;
        insert_part(connection, call, events[0].account, &facts)?;
        mark_open_or_ended(connection, call, &events)?;
    }
    Ok(())
}

fn encode(facts: &mut Vec<u8>, events: &[&Event]) -> Result<(), StoreError> {
    facts.clear();
    let pairs: Vec<(Time, &Fact)> = events.iter().map(|event| (event.at, &event.fact)).collect();
    serde_json::to_writer(facts, &pairs)
        .map_err(|error| StoreError::Value(format!("no room for an event: {error}")))
}

fn insert_part(
    connection: &Connection,
    call: CallId,
    account: AccountId,
    facts: &[u8],
) -> Result<(), StoreError> {
    let facts = std::str::from_utf8(facts)
        .map_err(|error| StoreError::Value(format!("an event that is no text: {error}")))?;
    connection
        .prepare_cached(
            // A sub-select as a value: INSERT … SELECT from the same table goes through a copy.
            "INSERT INTO events (call, part, account, facts) VALUES (
                 ?1, (SELECT coalesce(max(part), 0) + 1 FROM events WHERE call = ?1), ?2, ?3)",
        )?
        .execute(params![int(call.0), account.0, facts])?;
    Ok(())
}

fn mark_open_or_ended(
    connection: &Connection,
    call: CallId,
    events: &[&Event],
) -> Result<(), StoreError> {
    let arrived = events
        .iter()
        .any(|event| matches!(event.fact, Fact::Arrived { .. }));
    let ended = events
        .iter()
        .any(|event| matches!(event.fact, Fact::Ended { .. }));
    let sql = match (arrived, ended) {
        (true, false) => "INSERT OR IGNORE INTO open_calls (call) VALUES (?1)",
        (false, true) => "DELETE FROM open_calls WHERE call = ?1",
        (true, true) | (false, false) => return Ok(()),
    };
    connection.prepare_cached(sql)?.execute([int(call.0)])?;
    Ok(())
}

/// Events of calls that have not ended, each call's in order.
pub(super) fn of_open_calls(connection: &Connection) -> Result<Vec<Event>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT events.call, events.account, events.facts
         FROM open_calls CROSS JOIN events ON events.call = open_calls.call
         ORDER BY events.call, events.part",
    )?;
    let mut rows = statement.query([])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let (call, account) = (call(row, 0)?, account(row, 1)?);
        let facts = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        events.extend(decode(call, account, facts)?);
    }
    Ok(events)
}

fn decode(
    call: CallId,
    account: AccountId,
    facts: &str,
) -> Result<impl Iterator<Item = Event>, StoreError> {
    let pairs: Vec<(Time, Fact)> = serde_json::from_str(facts).map_err(|error| {
        StoreError::Value(format!(
            "events of call {call} that cannot be read: {error}"
        ))
    })?;
    Ok(pairs.into_iter().map(move |(at, fact)| Event {
        at,
        account,
        call,
        fact,
    }))
}

/// Writes down that the node is alive.
pub(super) fn beat(connection: &Connection, at: Time) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![HEARTBEAT, micros(at)])?;
    Ok(())
}

/// The last sign of life.
pub(super) fn last_beat(connection: &Connection) -> Result<Option<Time>, StoreError> {
    let beat: Option<i64> = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([HEARTBEAT], |row| row.get(0))
        .optional()?;
    Ok(beat
        .and_then(|micros| u64::try_from(micros).ok())
        .map(Time::from_micros))
}

/// The highest call id in any table that holds calls.
pub(super) fn last_call(connection: &Connection) -> Result<Option<CallId>, StoreError> {
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max(call) FROM (
                 SELECT max(call) AS call FROM events
                 UNION ALL SELECT max(call) FROM user_calls
                 UNION ALL SELECT max(call) FROM group_calls)",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(last.and_then(|call| u64::try_from(call).ok()).map(CallId))
}
