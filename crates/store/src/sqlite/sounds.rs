//! Sounds of accounts: which there are.

use clock::Time;
use pbx::AccountId;
use rusqlite::{Connection, params};

use super::value::{account as account_at, micros, time, unsigned};
use crate::error::StoreError;
use crate::sound::{SoundRow, SoundWrite};

/// Sounds in one answer at most: more than an account may have.
const MAX_LISTED: u32 = 10_000;

/// Writes one change; `false` when there was nothing to change.
pub(super) fn write(connection: &Connection, write: &SoundWrite) -> Result<bool, StoreError> {
    let changed = match write {
        SoundWrite::Save(row) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO sounds (account, name, seconds, saved_us)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                row.account.0,
                row.name,
                row.seconds,
                micros(row.saved_at)
            ])?,
        SoundWrite::Remove { account, name } => connection
            .prepare_cached("DELETE FROM sounds WHERE account = ?1 AND name = ?2")?
            .execute(params![account.0, name])?,
    };
    Ok(changed > 0)
}

/// The sounds of an account, by name.
pub(super) fn of_account(
    connection: &Connection,
    account: AccountId,
) -> Result<Vec<SoundRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT account, name, seconds, saved_us FROM sounds WHERE account = ?1
         ORDER BY name LIMIT ?2",
    )?;
    let mut rows = statement.query(params![account.0, MAX_LISTED])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(SoundRow {
            account: account_at(row, 0)?,
            name: row.get(1)?,
            seconds: unsigned(row, 2)?,
            saved_at: time(row, 3, Time::from_micros)?,
        });
    }
    Ok(found)
}
