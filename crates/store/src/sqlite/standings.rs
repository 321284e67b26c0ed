//! What stands: the last that was told of each subject.

use pbx::{AccountId, Event, Fact, Standing};
use rusqlite::{Connection, params};

use super::value::{account, micros};
use crate::error::StoreError;

/// Standings read at most: far more than any server has users.
const MAX_STANDINGS: u32 = 10_000_000;

/// Keeps what events say to stand.
pub(super) fn write(connection: &Connection, events: &[Event]) -> Result<(), StoreError> {
    for event in events {
        if let Fact::Stands { standing } = &event.fact {
            put(connection, event, standing)?;
        }
    }
    Ok(())
}

fn put(connection: &Connection, event: &Event, standing: &Standing) -> Result<(), StoreError> {
    let (account, subject) = (event.account.0, standing.subject());
    if standing.is_usual() {
        connection
            .prepare_cached("DELETE FROM standings WHERE account = ?1 AND subject = ?2")?
            .execute(params![account, subject])?;
        return Ok(());
    }
    let json = serde_json::to_string(standing)
        .map_err(|error| StoreError::Value(format!("no room for what stands: {error}")))?;
    connection
        .prepare_cached(
            "INSERT INTO standings (account, subject, standing, since_us) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account, subject)
             DO UPDATE SET standing = excluded.standing, since_us = excluded.since_us",
        )?
        .execute(params![account, subject, json, micros(event.at)])?;
    Ok(())
}

/// Everything that stands, by account and subject.
pub(super) fn all(connection: &Connection) -> Result<Vec<(AccountId, Standing)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT account, subject, standing FROM standings ORDER BY account, subject LIMIT ?1",
    )?;
    let mut rows = statement.query([MAX_STANDINGS])?;
    let mut standings = Vec::new();
    while let Some(row) = rows.next()? {
        let subject: String = row.get(1)?;
        let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let standing = serde_json::from_str(json).map_err(|error| {
            StoreError::Value(format!(
                "{subject} stands in a way that cannot be read: {error}"
            ))
        })?;
        standings.push((account(row, 0)?, standing));
    }
    Ok(standings)
}
