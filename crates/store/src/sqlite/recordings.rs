//! Recordings: where each stands, and whose a link is.

use clock::Time;
use pbx::{MessageState, Purpose, RecordingId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::value::{account, checked, int, micros, time, unsigned};
use crate::error::StoreError;
use crate::recording::{Recording, RecordingState, RecordingWrite};

/// Recordings in one answer at most: more than can go on at a time.
const MAX_LISTED: u32 = 100_000;

const COLUMNS: &str = "id, account, state, purpose, caller_id, caller_name, dest_number, began_us, \
     token";

/// Writes what has changed. What is said again changes nothing.
pub(super) fn write(connection: &Connection, writes: &[RecordingWrite]) -> Result<(), StoreError> {
    for write in writes {
        match write {
            RecordingWrite::Begin(recording) => begin(connection, recording)?,
            RecordingWrite::Close(recording) => {
                connection
                    .prepare_cached("UPDATE recordings SET state = 1 WHERE id = ?1 AND state = 0")?
                    .execute([int(recording.0)])?;
            }
            RecordingWrite::Keep {
                recording,
                seconds,
                mail,
            } => finish(connection, *recording, (KEPT, Some(*seconds)), mail)?,
            RecordingWrite::Move { recording, to } => mark(connection, *recording, *to)?,
            RecordingWrite::Discard { recording, why } => {
                finish(connection, *recording, (GONE, None), why)?;
            }
        }
    }
    Ok(())
}

/// What is erased has no link any more; one that is erased before its audio is made never gets any.
fn mark(
    connection: &Connection,
    recording: RecordingId,
    to: MessageState,
) -> Result<(), StoreError> {
    let sql = match to {
        MessageState::New => "UPDATE recordings SET heard = 0 WHERE id = ?1 AND state = 2",
        MessageState::Saved => "UPDATE recordings SET heard = 1 WHERE id = ?1 AND state = 2",
        MessageState::Erased => "UPDATE recordings SET state = 3 WHERE id = ?1 AND state < 3",
    };
    connection
        .prepare_cached(sql)?
        .execute([int(recording.0)])?;
    Ok(())
}

fn begin(connection: &Connection, recording: &Recording) -> Result<(), StoreError> {
    let mailbox = match &recording.purpose {
        Purpose::Voicemail { mailbox, .. } => Some(&*mailbox.number),
        Purpose::Inbound { .. } | Purpose::Outbound { .. } | Purpose::Greeting { .. } => None,
    };
    connection
        .prepare_cached(
            "INSERT INTO recordings (id, account, state, purpose, mailbox, caller_id, caller_name,
                 dest_number, began_us, token)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            int(recording.recording.0),
            recording.account.0,
            state_number(recording.state),
            json(&recording.purpose)?,
            mailbox,
            recording.caller_id,
            recording.caller_name,
            recording.dest_number,
            micros(recording.began_at),
            recording.token,
        ])?;
    Ok(())
}

fn finish(
    connection: &Connection,
    recording: RecordingId,
    (state, seconds): (i64, Option<u32>),
    outcome: &impl Serialize,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE recordings SET state = ?2, seconds = ?3, outcome = ?4
             WHERE id = ?1 AND state < 2",
        )?
        .execute(params![int(recording.0), state, seconds, json(outcome)?])?;
    Ok(())
}

/// The recordings whose audio is to be made, or whose calls go on.
pub(super) fn unfinished(connection: &Connection) -> Result<Vec<Recording>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM recordings WHERE state < 2 ORDER BY id LIMIT {MAX_LISTED}"
    ))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// One recording.
pub(super) fn one(
    connection: &Connection,
    recording: RecordingId,
) -> Result<Option<Recording>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM recordings WHERE id = ?1"))?;
    let mut rows = statement.query([int(recording.0)])?;
    rows.next()?.map(read).transpose()
}

/// The kept recording of a link.
pub(super) fn of_token(
    connection: &Connection,
    token: &str,
) -> Result<Option<RecordingId>, StoreError> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT id FROM recordings WHERE token = ?1 AND state = 2")?
        .query_row([token], |row| row.get(0))
        .optional()?;
    found.map(|id| checked(id).map(RecordingId)).transpose()
}

/// Gives a recording another link; `false` when it is not kept. The link of before leads nowhere.
pub(super) fn renew_link(
    connection: &Connection,
    recording: RecordingId,
    token: &str,
) -> Result<bool, StoreError> {
    let changed = connection
        .prepare_cached("UPDATE recordings SET token = ?2 WHERE id = ?1 AND state = 2")?
        .execute(params![int(recording.0), token])?;
    Ok(changed > 0)
}

fn read(row: &Row<'_>) -> Result<Recording, StoreError> {
    let purpose: String = row.get(3)?;
    Ok(Recording {
        recording: RecordingId(unsigned(row, 0)?),
        account: account(row, 1)?,
        state: state(row.get(2)?),
        purpose: serde_json::from_str(&purpose)
            .map_err(|error| StoreError::Value(format!("a recording of nothing known: {error}")))?,
        caller_id: row.get(4)?,
        caller_name: row.get(5)?,
        dest_number: row.get(6)?,
        began_at: time(row, 7, Time::from_micros)?,
        token: row.get(8)?,
    })
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Value(format!("no room for a recording: {error}")))
}

const OPEN: i64 = 0;
const CLOSED: i64 = 1;
const KEPT: i64 = 2;
const GONE: i64 = 3;

fn state_number(state: RecordingState) -> i64 {
    match state {
        RecordingState::Open => OPEN,
        RecordingState::Closed => CLOSED,
        RecordingState::Kept => KEPT,
        RecordingState::Gone => GONE,
    }
}

fn state(number: i64) -> RecordingState {
    match number {
        OPEN => RecordingState::Open,
        CLOSED => RecordingState::Closed,
        KEPT => RecordingState::Kept,
        _ => RecordingState::Gone,
    }
}
