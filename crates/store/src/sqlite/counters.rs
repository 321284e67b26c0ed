//! Counters of rows: per subject and span of days, and per subject and day of hours.
//!
//! They change in the transaction of the row, down as well as up, so they are always exact: the sum of
//! a subject's spans is the number of its rows.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::value::unsigned;
use crate::counts::{self, DAYS, HOURS, Slot};
use crate::error::StoreError;

/// Level of a span's row.
const SPAN: i64 = 0;
/// Level of a day's row.
const DAY: i64 = 1;

/// What a transaction adds and takes away, before it is written.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By subject and hour.
    hours: BTreeMap<(i64, Slot), i64>,
}

impl Changes {
    /// `delta` rows of `subject` that start at this millisecond.
    pub(super) fn add(&mut self, subject: i64, start_ms: i64, delta: i64) {
        *self.hours.entry((subject, Slot::of(start_ms))).or_default() += delta;
    }

    /// Writes everything.
    pub(super) fn apply(self, connection: &Connection) -> Result<(), StoreError> {
        let mut days = BTreeMap::<(i64, i64, u8), i64>::new();
        for ((subject, slot), delta) in self.hours {
            change(
                connection,
                (subject, DAY, slot.day_number()),
                slot.hour,
                delta,
            )?;
            *days.entry((subject, slot.span, slot.day)).or_default() += delta;
        }
        for ((subject, span, day), delta) in days {
            change(connection, (subject, SPAN, span), day, delta)?;
        }
        Ok(())
    }
}

fn change(
    connection: &Connection,
    (subject, level, period): (i64, i64, i64),
    index: u8,
    delta: i64,
) -> Result<(), StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE counters SET total = total + ?5, counts = count_add(counts, ?4, ?5)
             WHERE subject = ?1 AND level = ?2 AND period = ?3",
        )?
        .execute(params![subject, level, period, index, delta])?;
    if changed == 0 {
        connection
            .prepare_cached(
                "INSERT INTO counters (subject, level, period, total, counts)
                 VALUES (?1, ?2, ?3, ?5, count_add(x'', ?4, ?5))",
            )?
            .execute(params![subject, level, period, index, delta])?;
    }
    Ok(())
}

/// Takes rows away that count nothing any more.
pub(super) fn sweep(connection: &Connection, subject: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM counters WHERE subject = ?1 AND total = 0")?
        .execute([subject])?;
    Ok(())
}

/// The counters of several subjects, added up.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    connection: &'a Connection,
    subjects: Vec<i64>,
    /// By number of the span; the days are still packed, one string for each subject.
    spans: BTreeMap<i64, Span>,
}

#[derive(Debug, Default)]
struct Span {
    total: u64,
    days: Vec<Vec<u8>>,
}

/// An hour that holds rows, and how many lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: Slot,
    pub(super) rows_before: u64,
}

impl<'a> Tally<'a> {
    pub(super) fn load(connection: &'a Connection, subjects: Vec<i64>) -> Result<Self, StoreError> {
        let mut spans = BTreeMap::<i64, Span>::new();
        let mut statement = connection.prepare_cached(
            "SELECT period, total, counts FROM counters
             WHERE subject = ?1 AND level = ?2 ORDER BY period",
        )?;
        for subject in &subjects {
            let mut rows = statement.query([*subject, SPAN])?;
            while let Some(row) = rows.next()? {
                let span = spans.entry(row.get(0)?).or_default();
                span.total += unsigned::<u64>(row, 1)?;
                span.days.push(row.get(2)?);
            }
        }
        Ok(Self {
            connection,
            subjects,
            spans,
        })
    }

    /// All rows.
    pub(super) fn total(&self) -> u64 {
        self.spans.values().map(|span| span.total).sum()
    }

    /// Rows that start before an hour of the calendar.
    pub(super) fn before(&self, slot: Slot) -> Result<u64, StoreError> {
        let spans: u64 = self
            .spans
            .range(..slot.span)
            .map(|(_, span)| span.total)
            .sum();
        let days = sum_before(&self.days(slot.span)?, slot.day);
        let hours = sum_before(&self.hours(slot.day_number())?, slot.hour);
        Ok(spans + days + hours)
    }

    /// The hour that holds the row at `position`, counted from the oldest.
    pub(super) fn place(&self, position: u64) -> Result<Place, StoreError> {
        let totals = self
            .spans
            .iter()
            .map(|(number, span)| (*number, span.total));
        let (span, before_span) = counts::find(totals, position).ok_or_else(disagree)?;
        let in_span = position - before_span;
        let days = (0..=u8::MAX).zip(self.days(span)?);
        let (day, before_day) = counts::find(days, in_span).ok_or_else(disagree)?;
        let in_day = in_span - before_day;
        let midnight = Slot { span, day, hour: 0 };
        let hours = (0..).zip(self.hours(midnight.day_number())?);
        let (hour, before_hour) = counts::find(hours, in_day).ok_or_else(disagree)?;
        Ok(Place {
            slot: Slot { hour, ..midnight },
            rows_before: before_span + before_day + before_hour,
        })
    }

    fn days(&self, span: i64) -> Result<[u64; DAYS], StoreError> {
        let mut days = [0; DAYS];
        for packed in self
            .spans
            .get(&span)
            .into_iter()
            .flat_map(|span| &span.days)
        {
            counts::add_to(&mut days, packed).ok_or_else(disagree)?;
        }
        Ok(days)
    }

    fn hours(&self, day: i64) -> Result<[u64; HOURS], StoreError> {
        let mut hours = [0; HOURS];
        let mut statement = self.connection.prepare_cached(
            "SELECT counts FROM counters WHERE subject = ?1 AND level = ?2 AND period = ?3",
        )?;
        for subject in &self.subjects {
            let mut rows = statement.query([*subject, DAY, day])?;
            if let Some(row) = rows.next()? {
                let packed = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                counts::add_to(&mut hours, packed).ok_or_else(disagree)?;
            }
        }
        Ok(hours)
    }
}

fn sum_before(counts: &[u64], index: u8) -> u64 {
    counts.iter().take(usize::from(index)).sum()
}

fn disagree() -> StoreError {
    StoreError::Value("counters that disagree with one another".into())
}
