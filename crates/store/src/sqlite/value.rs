//! Between our types and SQLite's integers.

use std::sync::Arc;

use clock::Time;
use pbx::{AccountId, CallId};
use rusqlite::Row;

use crate::error::StoreError;

/// Any count as SQLite holds it. No count comes near the limit.
pub(super) fn int(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

pub(super) fn micros(time: Time) -> i64 {
    int(time.as_micros())
}

pub(super) fn millis(time: Time) -> i64 {
    int(time.as_millis())
}

/// The first millisecond that is not before `time`.
pub(super) fn millis_up(time: Time) -> i64 {
    int(time.as_micros().div_ceil(1_000))
}

/// A number that must fit an unsigned or smaller type.
pub(super) fn checked<T: TryFrom<i64>>(value: i64) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| StoreError::Value(format!("{value} where it cannot be")))
}

/// A column that holds such a number.
pub(super) fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    checked(row.get(column)?)
}

/// A column that holds an instant in the unit of `convert`.
pub(super) fn time(
    row: &Row<'_>,
    column: usize,
    convert: fn(u64) -> Time,
) -> Result<Time, StoreError> {
    unsigned(row, column).map(convert)
}

/// The same for a column that may be empty.
pub(super) fn optional_time(
    row: &Row<'_>,
    column: usize,
    convert: fn(u64) -> Time,
) -> Result<Option<Time>, StoreError> {
    let value: Option<i64> = row.get(column)?;
    value.map(|value| checked(value).map(convert)).transpose()
}

/// A column that holds text which many share.
pub(super) fn shared(row: &Row<'_>, column: usize) -> Result<Arc<str>, StoreError> {
    let text = row.get_ref(column)?.as_str();
    Ok(text.map_err(rusqlite::Error::from)?.into())
}

/// The same for a column that may be empty.
pub(super) fn optional_shared(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<Arc<str>>, StoreError> {
    let text = row.get_ref(column)?.as_str_or_null();
    Ok(text.map_err(rusqlite::Error::from)?.map(Arc::from))
}

pub(super) fn call(row: &Row<'_>, column: usize) -> Result<CallId, StoreError> {
    unsigned(row, column).map(CallId)
}

pub(super) fn account(row: &Row<'_>, column: usize) -> Result<AccountId, StoreError> {
    unsigned(row, column).map(AccountId)
}
