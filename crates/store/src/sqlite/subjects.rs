//! Numbers of those whom rows and counters are kept for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pbx::AccountId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::query::CallQuery;

/// Subjects the writer remembers, so that it need not ask for each row; over it, it starts afresh.
const MAX_REMEMBERED: usize = 4_096;

/// Kinds of row that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Users,
    Queues,
    RingGroups,
}

/// One whom rows are counted for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) account: AccountId,
    kind: i64,
    group: Arc<str>,
    number: Arc<str>,
    name: Arc<str>,
}

impl Family {
    /// Kind of the subject that stands for all rows of an account.
    const fn everyone(self) -> i64 {
        match self {
            Self::Users => 0,
            Self::Queues => 2,
            Self::RingGroups => 4,
        }
    }

    /// Kind of its members.
    const fn one(self) -> i64 {
        self.everyone() + 1
    }
}

impl Subject {
    /// All rows of an account together.
    pub(super) fn everyone(account: AccountId, family: Family) -> Self {
        Self {
            account,
            kind: family.everyone(),
            group: Arc::default(),
            number: Arc::default(),
            name: Arc::default(),
        }
    }

    /// One user under one name.
    pub(super) fn user(account: AccountId, number: &Arc<str>, name: &Arc<str>) -> Self {
        Self::member(account, Family::Users, Arc::default(), (number, name))
    }

    /// One user's part in a queue or ring group; nobody's when number and name are empty.
    pub(super) fn member(
        account: AccountId,
        family: Family,
        group: Arc<str>,
        (number, name): (&Arc<str>, &Arc<str>),
    ) -> Self {
        Self {
            account,
            kind: family.one(),
            group,
            number: Arc::clone(number),
            name: Arc::clone(name),
        }
    }
}

/// The writer's memory of subjects.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    numbers: BTreeMap<Subject, i64>,
}

impl Subjects {
    /// Forgets what a transaction that failed may have added.
    pub(super) fn forget(&mut self) {
        self.numbers.clear();
    }

    /// The number of a subject, which is given to it when it has none.
    pub(super) fn number(
        &mut self,
        connection: &Connection,
        subject: Subject,
    ) -> Result<i64, StoreError> {
        if let Some(number) = self.numbers.get(&subject) {
            return Ok(*number);
        }
        let number = find_or_make(connection, &subject)?;
        if self.numbers.len() >= MAX_REMEMBERED {
            self.forget();
        }
        self.numbers.insert(subject, number);
        Ok(number)
    }
}

fn find_or_make(connection: &Connection, subject: &Subject) -> Result<i64, StoreError> {
    if let Some(number) = find_one(connection, subject)? {
        return Ok(number);
    }
    Ok(connection
        .prepare_cached(
            "INSERT INTO subjects (account, kind, group_name, number, name)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![
            subject.account.0,
            subject.kind,
            subject.group,
            subject.number,
            subject.name
        ])?)
}

fn find_one(connection: &Connection, subject: &Subject) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT id FROM subjects
             WHERE account = ?1 AND kind = ?2 AND group_name = ?3 AND number = ?4 AND name = ?5",
        )?
        .query_row(
            params![
                subject.account.0,
                subject.kind,
                subject.group,
                subject.number,
                subject.name
            ],
            |row| row.get(0),
        )
        .optional()?)
}

/// All rows of an account together, when it has had one.
pub(super) fn find_everyone(
    connection: &Connection,
    account: AccountId,
    family: Family,
) -> Result<Option<i64>, StoreError> {
    find_one(connection, &Subject::everyone(account, family))
}

/// Those that the query's users and groups name; `None` when it names neither, and all are meant.
pub(super) fn find_named(
    connection: &Connection,
    family: Family,
    query: &CallQuery,
) -> Result<Option<Vec<i64>>, StoreError> {
    let scope = (query.account, family.one());
    let find = |sql, texts: &Option<Vec<String>>| {
        let found = texts
            .as_ref()
            .map(|texts| find_each(connection, sql, scope, texts));
        found.transpose()
    };
    let found = match (find(BY_USER, &query.users)?, find(BY_GROUP, &query.groups)?) {
        (None, None) => return Ok(None),
        (Some(found), None) | (None, Some(found)) => found,
        (Some(of_users), Some(of_groups)) => &of_users & &of_groups,
    };
    Ok(Some(found.into_iter().collect()))
}

const BY_USER: &str = "
    SELECT id FROM subjects WHERE account = ?1 AND kind = ?2 AND number = ?3
    UNION ALL SELECT id FROM subjects WHERE account = ?1 AND kind = ?2 AND name = ?3";
const BY_GROUP: &str =
    "SELECT id FROM subjects WHERE account = ?1 AND kind = ?2 AND group_name = ?3";

fn find_each(
    connection: &Connection,
    sql: &str,
    (account, kind): (AccountId, i64),
    texts: &[String],
) -> Result<BTreeSet<i64>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = BTreeSet::new();
    // An empty text stands for what a subject has not.
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let mut rows = statement.query(params![account.0, kind, text])?;
        while let Some(row) = rows.next()? {
            found.insert(row.get(0)?);
        }
    }
    Ok(found)
}
