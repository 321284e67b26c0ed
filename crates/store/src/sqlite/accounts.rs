//! Accounts and the documents applied to them.

use clock::Time;
use pbx::AccountId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::value::{account, micros, time, unsigned};
use crate::account::AccountDocument;
use crate::error::StoreError;

/// Versions of one account listed at most.
const MAX_VERSIONS: u32 = 10_000;

/// Keeps the next version of a document.
pub(super) fn save(
    connection: &Connection,
    name: &str,
    document: &[u8],
    at: Time,
) -> Result<AccountDocument, StoreError> {
    let account = find_or_make(connection, name)?;
    let version: i64 = connection
        .prepare_cached(
            "INSERT INTO account_documents (account, version, applied_us, document)
             SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3
             FROM account_documents WHERE account = ?1 RETURNING version",
        )?
        .query_row(params![account, micros(at), document], |row| row.get(0))?;
    Ok(AccountDocument {
        account: AccountId(super::value::checked(account)?),
        name: name.into(),
        version: super::value::checked(version)?,
        applied_at: at,
        document: document.into(),
    })
}

fn find_or_make(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    let found = connection
        .prepare_cached("SELECT id FROM accounts WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    match found {
        Some(account) => Ok(account),
        None => Ok(connection
            .prepare_cached("INSERT INTO accounts (name) VALUES (?1)")?
            .insert([name])?),
    }
}

/// The newest document of every account, by rising account.
pub(super) fn latest(connection: &Connection) -> Result<Vec<AccountDocument>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT accounts.id, accounts.name, version, applied_us, document
         FROM accounts JOIN account_documents ON account = accounts.id
         WHERE version = (SELECT max(version) FROM account_documents WHERE account = accounts.id)
         ORDER BY accounts.id",
    )?;
    collect(statement.query([])?)
}

/// All documents of one account, newest first.
pub(super) fn history(
    connection: &Connection,
    account: AccountId,
) -> Result<Vec<AccountDocument>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT accounts.id, accounts.name, version, applied_us, document
         FROM accounts JOIN account_documents ON account = accounts.id
         WHERE accounts.id = ?1 ORDER BY version DESC LIMIT ?2",
    )?;
    collect(statement.query(params![account.0, MAX_VERSIONS])?)
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<AccountDocument>, StoreError> {
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        documents.push(read(row)?);
    }
    Ok(documents)
}

fn read(row: &Row<'_>) -> Result<AccountDocument, StoreError> {
    Ok(AccountDocument {
        account: account(row, 0)?,
        name: row.get(1)?,
        version: unsigned(row, 2)?,
        applied_at: time(row, 3, Time::from_micros)?,
        document: row.get(4)?,
    })
}
