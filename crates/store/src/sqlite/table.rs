//! A kind of row that is paged, counted and forgotten: how its table is read and ordered.

use rusqlite::Row;

use super::subjects::Family;
use crate::error::StoreError;
use crate::query::Position;

/// A kind of row. The columns `subject`, `account`, `call_start_ms` and `call` are in every table.
#[derive(Debug)]
pub(super) struct Table<R: 'static> {
    /// Whom its rows are counted for.
    pub(super) family: Family,
    /// The table.
    pub(super) name: &'static str,
    /// The index that holds an account's rows in order.
    pub(super) by_account: &'static str,
    /// The index that finds a call's rows.
    pub(super) by_call: &'static str,
    /// What all its rows fulfil, where several kinds share the table.
    pub(super) condition: &'static str,
    /// The columns that [`Self::read`] takes.
    pub(super) columns: &'static str,
    /// The last column of the primary key, behind subject, start and call.
    pub(super) part: &'static str,
    /// What orders an account's rows of one start and call, as the index has it.
    pub(super) ties: &'static str,
    /// The same as the two values of a [`Position`] behind start and call.
    pub(super) place: &'static str,
    /// A row as the columns give it.
    pub(super) read: fn(&Row<'_>) -> Result<R, StoreError>,
    /// Where a row stands.
    pub(super) position: fn(&R) -> Position,
}

impl<R> Table<R> {
    /// Rows of account `?1`, in the index that holds them in order.
    pub(super) fn of_account(&self) -> String {
        let Self {
            name,
            by_account,
            condition,
            ..
        } = self;
        format!("{name} INDEXED BY {by_account} WHERE {condition} AND account = ?1")
    }

    /// Rows of subject `?1`, which the table itself holds in order.
    pub(super) fn of_subject(&self) -> String {
        format!("{} WHERE subject = ?1", self.name)
    }

    /// Rows of call `?1` in account `?2`.
    pub(super) fn of_call(&self) -> String {
        let Self {
            name,
            by_call,
            condition,
            ..
        } = self;
        format!("{name} INDEXED BY {by_call} WHERE {condition} AND call = ?1 AND account = ?2")
    }
}
