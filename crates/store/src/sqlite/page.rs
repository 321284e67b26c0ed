//! Pages of call rows, at any offset, with exact totals.
//!
//! Rows of the order are thought of as numbered from the oldest. Counters turn an instant into such a
//! number and a number into an hour; only inside one hour is an index stepped through. So every
//! filter and both orders come down to one run of numbers.

use std::ops::Range;

use pbx::AccountId;
use rusqlite::{Connection, ToSql, params};

use super::counters::Tally;
use super::subjects;
use super::table::Table;
use super::value::{int, millis, millis_up, unsigned};
use crate::counts::{HOUR_MS, Slot};
use crate::error::StoreError;
use crate::query::{CallQuery, MAX_PAGE_ROWS, Order, Page, Position};

/// Cuts the page that the query asks for.
pub(super) fn cut<R>(
    connection: &Connection,
    table: &'static Table<R>,
    query: &CallQuery,
) -> Result<Page<R>, StoreError> {
    if query.call.is_some() {
        return of_call(connection, table, query);
    }
    let Some(scope) = Scope::find(connection, table, query)? else {
        return Ok(Page::EMPTY);
    };
    let matching = scope.matching(query)?;
    let total = matching.end - matching.start;
    let wanted = wanted(scope.behind(matching, query)?, query);
    let mut rows = scope.rows(wanted)?;
    if query.order == Order::NewestFirst {
        rows.reverse();
    }
    Ok(Page { rows, total })
}

/// The numbers of a page among the numbers that are left.
fn wanted(left: Range<u64>, query: &CallQuery) -> Range<u64> {
    let limit = u64::from(query.limit.min(MAX_PAGE_ROWS));
    match query.order {
        Order::OldestFirst => {
            let start = left.start.saturating_add(query.offset).min(left.end);
            start..start.saturating_add(limit).min(left.end)
        }
        Order::NewestFirst => {
            let end = left.end.saturating_sub(query.offset).max(left.start);
            end.saturating_sub(limit).max(left.start)..end
        }
    }
}

/// Whose rows are numbered.
enum Whom {
    Everyone(AccountId),
    /// By subject.
    Named(Vec<i64>),
}

struct Scope<'a, R: 'static> {
    connection: &'a Connection,
    table: &'static Table<R>,
    whom: Whom,
    tally: Tally<'a>,
}

/// Whether the row at a position is counted with those before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Before,
    Through,
}

impl<'a, R> Scope<'a, R> {
    /// `None` when nobody with a call is meant.
    fn find(
        connection: &'a Connection,
        table: &'static Table<R>,
        query: &CallQuery,
    ) -> Result<Option<Self>, StoreError> {
        let (whom, subjects) = match subjects::find_named(connection, table.family, query)? {
            None => {
                let everyone = subjects::find_everyone(connection, query.account, table.family)?;
                (
                    Whom::Everyone(query.account),
                    everyone.into_iter().collect(),
                )
            }
            Some(named) => (Whom::Named(named.clone()), named),
        };
        let tally = Tally::load(connection, subjects)?;
        Ok((tally.total() > 0).then_some(Self {
            connection,
            table,
            whom,
            tally,
        }))
    }

    /// The numbers of the rows that the filters let through.
    fn matching(&self, query: &CallQuery) -> Result<Range<u64>, StoreError> {
        let start = match query.from {
            Some(from) => self.before_instant(millis_up(from))?,
            None => 0,
        };
        let end = match query.to_exclusive {
            Some(to) => self.before_instant(millis_up(to))?,
            None => self.tally.total(),
        };
        Ok(start..end.max(start))
    }

    /// Of these numbers, those behind the query's position.
    fn behind(&self, matching: Range<u64>, query: &CallQuery) -> Result<Range<u64>, StoreError> {
        let Range { start, end } = matching;
        let Some(position) = &query.after else {
            return Ok(start..end);
        };
        Ok(match query.order {
            Order::OldestFirst => {
                self.before_position(position, Bound::Through)?
                    .clamp(start, end)..end
            }
            Order::NewestFirst => {
                start
                    ..self
                        .before_position(position, Bound::Before)?
                        .clamp(start, end)
            }
        })
    }

    /// How many rows start before this millisecond.
    fn before_instant(&self, ms: i64) -> Result<u64, StoreError> {
        let slot = Slot::of(ms);
        let before_hour = self.tally.before(slot)?;
        if slot.start_ms() == ms {
            return Ok(before_hour);
        }
        let inside = "call_start_ms >= ?2 AND call_start_ms < ?3";
        Ok(before_hour + self.count(inside, &[&slot.start_ms(), &ms])?)
    }

    /// How many rows stand before, or before and at, a position.
    fn before_position(&self, position: &Position, bound: Bound) -> Result<u64, StoreError> {
        let ms = millis(position.call_start_at);
        let slot = Slot::of(ms);
        let operator = match bound {
            Bound::Before => "<",
            Bound::Through => "<=",
        };
        let inside = format!(
            "call_start_ms >= ?2 AND call_start_ms <= ?3
             AND (call_start_ms, call, {}) {operator} (?3, ?4, ?5, ?6)",
            self.table.place
        );
        let Position {
            user_number, part, ..
        } = position;
        let call = int(position.call.0);
        let values: [&dyn ToSql; 5] = [&slot.start_ms(), &ms, &call, user_number, part];
        Ok(self.tally.before(slot)? + self.count(&inside, &values)?)
    }

    fn count(&self, condition: &str, values: &[&dyn ToSql]) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {} AND {condition}", self.source());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut sum = 0;
        for key in self.keys() {
            let values: Vec<&dyn ToSql> = std::iter::once(&key as &dyn ToSql)
                .chain(values.iter().copied())
                .collect();
            sum += statement.query_row(&values[..], |row| Ok(unsigned::<u64>(row, 0)))??;
        }
        Ok(sum)
    }

    /// The rows with these numbers, oldest first.
    fn rows(&self, numbers: Range<u64>) -> Result<Vec<R>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.tally.place(numbers.start)?;
        let skip = numbers.start - first.rows_before;
        let wanted = numbers.end - numbers.start;
        if self.keys().len() == 1 {
            return self.run(first.slot.start_ms(), skip, wanted);
        }
        let last = self.tally.place(numbers.end - 1)?;
        let mut rows = self.merge(first.slot.start_ms()..last.slot.start_ms() + HOUR_MS)?;
        Ok(rows
            .drain(index(skip, &rows)..index(skip + wanted, &rows))
            .collect())
    }

    /// Rows of the one key, from an hour on: the index is in their order.
    fn run(&self, from_ms: i64, skip: u64, wanted: u64) -> Result<Vec<R>, StoreError> {
        let mut statement = self.connection.prepare_cached(&self.run_sql())?;
        let mut collected = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
        for key in self.keys() {
            let mut rows = statement.query(params![key, from_ms, int(wanted), int(skip)])?;
            while let Some(row) = rows.next()? {
                collected.push((self.table.read)(row)?);
            }
        }
        Ok(collected)
    }

    fn run_sql(&self) -> String {
        format!(
            "SELECT {} FROM {} AND call_start_ms >= ?2
             ORDER BY call_start_ms, call, {} LIMIT ?3 OFFSET ?4",
            self.table.columns,
            self.source(),
            self.ties()
        )
    }

    /// Rows of several subjects within hours that hold little more than the page.
    fn merge(&self, hours: Range<i64>) -> Result<Vec<R>, StoreError> {
        let sql = format!(
            "SELECT {} FROM {} AND call_start_ms >= ?2 AND call_start_ms < ?3",
            self.table.columns,
            self.source()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut collected = Vec::new();
        for key in self.keys() {
            let mut rows = statement.query(params![key, hours.start, hours.end])?;
            while let Some(row) = rows.next()? {
                collected.push((self.table.read)(row)?);
            }
        }
        collected.sort_by_cached_key(self.table.position);
        Ok(collected)
    }

    /// What is read for each of [`Self::keys`] as `?1`.
    fn source(&self) -> String {
        match self.whom {
            Whom::Everyone(_) => self.table.of_account(),
            Whom::Named(_) => self.table.of_subject(),
        }
    }

    /// What orders one key's rows of one start and call, in the words of what holds them.
    fn ties(&self) -> &'static str {
        match self.whom {
            Whom::Everyone(_) => self.table.ties,
            Whom::Named(_) => self.table.part,
        }
    }

    fn keys(&self) -> Vec<i64> {
        match &self.whom {
            Whom::Everyone(account) => vec![i64::from(account.0)],
            Whom::Named(subjects) => subjects.clone(),
        }
    }
}

/// Rows of one call: few, so they are filtered and ordered here.
fn of_call<R>(
    connection: &Connection,
    table: &'static Table<R>,
    query: &CallQuery,
) -> Result<Page<R>, StoreError> {
    let mut rows = matching_of_call(connection, table, query)?;
    rows.sort_by_cached_key(table.position);
    let total = rows.len();
    if let Some(position) = &query.after {
        rows.retain(|row| match query.order {
            Order::OldestFirst => (table.position)(row) > *position,
            Order::NewestFirst => (table.position)(row) < *position,
        });
    }
    let wanted = wanted(0..count(rows.len()), query);
    let mut rows: Vec<_> = rows
        .drain(index(wanted.start, &rows)..index(wanted.end, &rows))
        .collect();
    if query.order == Order::NewestFirst {
        rows.reverse();
    }
    Ok(Page {
        rows,
        total: count(total),
    })
}

fn matching_of_call<R>(
    connection: &Connection,
    table: &'static Table<R>,
    query: &CallQuery,
) -> Result<Vec<R>, StoreError> {
    let named = subjects::find_named(connection, table.family, query)?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {}, subject FROM {} LIMIT {MAX_PAGE_ROWS}",
        table.columns,
        table.of_call()
    ))?;
    let subject = statement.column_count() - 1;
    let call = query.call.map(|call| int(call.0));
    let mut found = statement.query(params![call, query.account.0])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let subject = row.get(subject)?;
        let is_named = named.as_ref().is_none_or(|named| named.contains(&subject));
        let row = (table.read)(row)?;
        let start = (table.position)(&row).call_start_at;
        let is_in_time = query.from.is_none_or(|from| start >= from)
            && query.to_exclusive.is_none_or(|to| start < to);
        rows.extend(Some(row).filter(|_| is_named && is_in_time));
    }
    Ok(rows)
}

fn index<R>(number: u64, rows: &[R]) -> usize {
    usize::try_from(number)
        .unwrap_or(usize::MAX)
        .min(rows.len())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::Writer;
    use crate::sqlite::calls::USER_CALLS;
    use crate::sqlite::connect;
    use crate::sqlite::groups::RING_GROUP_CALLS;

    /// How SQLite would go about it.
    fn plan<R>(table: &'static Table<R>, whom: Whom) -> String {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("switchhook.db");
        let writer = Writer::open(&path).unwrap();
        let connection = connect::reading(&path).unwrap();
        let tally = Tally::load(&connection, Vec::new()).unwrap();
        let scope = Scope {
            connection: &connection,
            table,
            whom,
            tally,
        };
        let sql = format!("EXPLAIN QUERY PLAN {}", scope.run_sql());
        let mut statement = connection.prepare(&sql).unwrap();
        let steps = statement
            .query_map(params![1, 1, 1, 1], |row| row.get::<_, String>(3))
            .unwrap();
        let plan = steps.map(Result::unwrap).collect::<Vec<_>>().join("; ");
        drop(writer);
        plan
    }

    #[test]
    fn a_run_of_rows_is_read_as_the_index_has_them() {
        let everyone = || Whom::Everyone(AccountId(1));
        let named = || Whom::Named(vec![1]);
        let table = [
            (
                plan(&USER_CALLS, everyone()),
                "SEARCH user_calls USING COVERING INDEX user_calls_by_account \
                 (account=? AND call_start_ms>?)",
            ),
            (
                plan(&USER_CALLS, named()),
                "SEARCH user_calls USING PRIMARY KEY (subject=? AND call_start_ms>?)",
            ),
            (
                plan(&RING_GROUP_CALLS, everyone()),
                "SEARCH group_calls USING COVERING INDEX group_calls_by_account \
                 (account=? AND kind=? AND call_start_ms>?)",
            ),
            (
                plan(&RING_GROUP_CALLS, named()),
                "SEARCH group_calls USING PRIMARY KEY (subject=? AND call_start_ms>?)",
            ),
        ];
        for (plan, expect) in table {
            assert_eq!(plan, expect);
        }
    }
}
