//! Numbers of those whom rows and counters are kept for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pbx::AccountId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;

/// Subjects the writer remembers, so that it need not ask for each row; over it, it starts afresh.
const MAX_REMEMBERED: usize = 4_096;
/// Kind of the subject that stands for all users of an account.
const EVERYONE: i64 = 0;
/// Kind of one user.
const USER: i64 = 1;

/// The writer's memory of subjects.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    everyone: BTreeMap<AccountId, i64>,
    users: BTreeMap<(AccountId, Arc<str>, Arc<str>), i64>,
}

impl Subjects {
    /// Forgets what a transaction that failed may have added.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// All users of an account together.
    pub(super) fn everyone(
        &mut self,
        connection: &Connection,
        account: AccountId,
    ) -> Result<i64, StoreError> {
        if let Some(subject) = self.everyone.get(&account) {
            return Ok(*subject);
        }
        let subject = find_or_make(connection, account, (EVERYONE, "", ""))?;
        self.make_room();
        self.everyone.insert(account, subject);
        Ok(subject)
    }

    /// One user.
    pub(super) fn user(
        &mut self,
        connection: &Connection,
        account: AccountId,
        number: &Arc<str>,
        name: &Arc<str>,
    ) -> Result<i64, StoreError> {
        let key = (account, number.clone(), name.clone());
        if let Some(subject) = self.users.get(&key) {
            return Ok(*subject);
        }
        let subject = find_or_make(connection, account, (USER, number, name))?;
        self.make_room();
        self.users.insert(key, subject);
        Ok(subject)
    }

    fn make_room(&mut self) {
        if self.everyone.len() + self.users.len() >= MAX_REMEMBERED {
            self.forget();
        }
    }
}

fn find_or_make(
    connection: &Connection,
    account: AccountId,
    (kind, number, name): (i64, &str, &str),
) -> Result<i64, StoreError> {
    let key = params![account.0, kind, number, name];
    let found = connection
        .prepare_cached(
            "SELECT id FROM subjects WHERE account = ?1 AND kind = ?2 AND number = ?3 AND name = ?4",
        )?
        .query_row(key, |row| row.get(0))
        .optional()?;
    if let Some(subject) = found {
        return Ok(subject);
    }
    let subject = connection
        .prepare_cached(
            "INSERT INTO subjects (account, kind, number, name) VALUES (?1, ?2, ?3, ?4)",
        )?
        .insert(key)?;
    Ok(subject)
}

/// All users of an account together, when it has had a call.
pub(super) fn find_everyone(
    connection: &Connection,
    account: AccountId,
) -> Result<Option<i64>, StoreError> {
    let subject = connection
        .prepare_cached("SELECT id FROM subjects WHERE account = ?1 AND kind = ?2")?
        .query_row(params![account.0, EVERYONE], |row| row.get(0))
        .optional()?;
    Ok(subject)
}

/// The users of an account that have, or had, one of these numbers or names.
pub(super) fn find_users(
    connection: &Connection,
    account: AccountId,
    numbers_or_names: &[String],
) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM subjects WHERE account = ?1 AND kind = ?2 AND number = ?3
         UNION ALL SELECT id FROM subjects WHERE account = ?1 AND kind = ?2 AND name = ?3",
    )?;
    let mut users = BTreeSet::new();
    for text in numbers_or_names {
        let mut rows = statement.query(params![account.0, USER, text])?;
        while let Some(row) = rows.next()? {
            users.insert(row.get(0)?);
        }
    }
    Ok(users.into_iter().collect())
}
