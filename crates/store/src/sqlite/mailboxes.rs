//! Mailboxes: their PINs, what lies in them, and what is too old to.

use clock::Time;
use pbx::{AccountId, MailboxCounts, Message, MessageState, RecordingId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::value::{account as account_at, checked, int, micros, time, unsigned};
use crate::error::StoreError;
use crate::mailbox::{MailboxFill, MailboxRow, PhonePin};

/// Mailboxes in one answer at most: more than a server has users.
const MAX_LISTED: u32 = 1_000_000;

/// Keeps what a mailbox knows.
pub(super) fn save(connection: &Connection, row: &MailboxRow) -> Result<(), StoreError> {
    let pin = row.pin.map(|pin| pin.hash);
    let instead_of = row.pin.and_then(|pin| pin.instead_of);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO mailboxes
                 (account, number, pin, instead_of, wrong, locked_until_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            row.account.0,
            row.number,
            pin,
            instead_of,
            row.wrong,
            micros(row.locked_until),
        ])?;
    Ok(())
}

/// What a mailbox knows.
pub(super) fn one(
    connection: &Connection,
    account: AccountId,
    number: &str,
) -> Result<Option<MailboxRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT account, number, pin, instead_of, wrong, locked_until_us FROM mailboxes
         WHERE account = ?1 AND number = ?2",
    )?;
    let mut rows = statement.query(params![account.0, number])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<MailboxRow, StoreError> {
    let hash: Option<[u8; 32]> = row.get(2)?;
    let instead_of = row.get(3)?;
    Ok(MailboxRow {
        account: account_at(row, 0)?,
        number: row.get(1)?,
        pin: hash.map(|hash| PhonePin { hash, instead_of }),
        wrong: unsigned(row, 4)?,
        locked_until: time(row, 5, Time::from_micros)?,
    })
}

/// The messages of a mailbox, new ones first, of each kind the oldest first.
pub(super) fn messages(
    connection: &Connection,
    (account, number): (AccountId, &str),
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, heard, began_us, caller_id, seconds FROM recordings
         WHERE account = ?1 AND mailbox = ?2 AND state = 2 ORDER BY heard, id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![account.0, number, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Message {
            recording: RecordingId(unsigned(row, 0)?),
            state: if row.get(1)? {
                MessageState::Saved
            } else {
                MessageState::New
            },
            at: time(row, 2, Time::from_micros)?,
            caller_id: row.get(3)?,
            seconds: row.get::<_, Option<u32>>(4)?.unwrap_or_default(),
        });
    }
    Ok(found)
}

/// How much lies in one mailbox.
pub(super) fn counts(
    connection: &Connection,
    account: AccountId,
    number: &str,
) -> Result<MailboxCounts, StoreError> {
    let counted = connection
        .prepare_cached(
            "SELECT count(*) - coalesce(sum(heard), 0), coalesce(sum(heard), 0) FROM recordings
             WHERE account = ?1 AND mailbox = ?2 AND state = 2",
        )?
        .query_row(params![account.0, number], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    let (new, saved) = counted.unwrap_or_default();
    Ok(MailboxCounts {
        new: checked(new)?,
        saved: checked(saved)?,
    })
}

/// How much lies in each mailbox that is not empty.
pub(super) fn fill(connection: &Connection) -> Result<Vec<MailboxFill>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT account, mailbox, count(*) - sum(heard), sum(heard) FROM recordings
         WHERE state = 2 AND mailbox IS NOT NULL GROUP BY account, mailbox
         ORDER BY account, mailbox LIMIT ?1",
    )?;
    let mut rows = statement.query([MAX_LISTED])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(MailboxFill {
            account: account_at(row, 0)?,
            number: row.get(1)?,
            counts: MailboxCounts {
                new: unsigned(row, 2)?,
                saved: unsigned(row, 3)?,
            },
        });
    }
    Ok(found)
}

/// Messages of an account whose calls began before, the oldest first, each with its mailbox.
pub(super) fn old(
    connection: &Connection,
    (account, before): (AccountId, Time),
    limit: u32,
) -> Result<Vec<(RecordingId, String)>, StoreError> {
    let first_kept = RecordingId::first_of(before);
    let mut statement = connection.prepare_cached(
        "SELECT id, mailbox FROM recordings
         WHERE account = ?1 AND mailbox IS NOT NULL AND state = 2 AND id < ?2
         ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![account.0, int(first_kept.0), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((RecordingId(unsigned(row, 0)?), row.get(1)?));
    }
    Ok(found)
}
