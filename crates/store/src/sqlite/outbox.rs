//! Deliveries: appended with the events they tell of, changed after each attempt.

use std::sync::Arc;

use clock::Time;
use pbx::{AccountId, Trigger};
use rusqlite::{Connection, Row, Rows, params};

use super::value::{account, call, int, micros, optional_time, time, unsigned};
use crate::batch::{AttemptResult, NewDelivery};
use crate::delivery::{
    Backlog, Delivery, DeliveryId, DeliveryQuery, DeliveryRecord, DeliveryState, Fate, Part,
    Pending, Place, Tells,
};
use crate::error::StoreError;

/// Deliveries in one answer at most.
const MAX_LISTED: u32 = 10_000;
/// Endpoints with a backlog at most.
const MAX_BACKLOGS: u32 = 100_000;

const PENDING: i64 = 0;
const DELIVERED: i64 = 1;
const FAILED: i64 = 2;

/// What stands for the trigger when a webhook object is told: its type on the wire (contract §2.2).
const COMPONENT: &str = "webhook_component_event";

/// The number given last. Retention never takes the newest delivery away, so that no number returns.
pub(super) fn last_delivery(connection: &Connection) -> Result<DeliveryId, StoreError> {
    let last: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) FROM deliveries", [], |row| {
            row.get(0)
        })?;
    super::value::checked(last).map(DeliveryId)
}

/// Appends deliveries behind `last` and returns their numbers.
pub(super) fn insert(
    connection: &Connection,
    deliveries: &[NewDelivery],
    last: DeliveryId,
) -> Result<Vec<DeliveryId>, StoreError> {
    let mut given = Vec::with_capacity(deliveries.len());
    for (delivery, number) in deliveries.iter().zip(last.0 + 1..) {
        let (trigger, destination) = match &delivery.tells {
            Tells::Trigger(trigger) => (trigger.name(), None),
            Tells::Component { destination } => (COMPONENT, Some(&destination[..])),
        };
        connection
            .prepare_cached(
                "INSERT INTO deliveries (id, account, endpoint, call, trigger, state, late,
                     attempts, due_us, created_us, body, destination)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, ?6, ?6, ?7, ?8)",
            )?
            .execute(params![
                int(number),
                delivery.account.0,
                delivery.endpoint,
                int(delivery.call.0),
                trigger,
                micros(delivery.at),
                &delivery.body[..],
                destination,
            ])?;
        given.push(DeliveryId(number));
    }
    Ok(given)
}

/// Writes down how attempts went. One of a delivery that retention took away changes nothing.
pub(super) fn record(
    connection: &Connection,
    attempts: &[AttemptResult],
) -> Result<(), StoreError> {
    for attempt in attempts {
        let (state, due, place) = match attempt.fate {
            Fate::Delivered => (DELIVERED, attempt.at, Place::InLane),
            Fate::Failed => (FAILED, attempt.at, Place::InLane),
            Fate::Again { due, place } => (PENDING, due, place),
        };
        connection
            .prepare_cached(
                "UPDATE deliveries SET state = ?2, late = ?3, attempts = attempts + 1, due_us = ?4,
                     tried_us = ?5, status = ?6, error = ?7
                 WHERE id = ?1",
            )?
            .execute(params![
                int(attempt.delivery.0),
                state,
                late_number(place),
                micros(due),
                micros(attempt.at),
                attempt.status,
                attempt.error,
            ])?;
    }
    Ok(())
}

/// Endpoints that have deliveries to be made.
pub(super) fn backlogs(connection: &Connection) -> Result<Vec<Backlog>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT account, endpoint, min(CASE late WHEN 1 THEN due_us END) FROM deliveries
         WHERE state = 0 GROUP BY account, endpoint ORDER BY account, endpoint LIMIT ?1",
    )?;
    let mut rows = statement.query([MAX_BACKLOGS])?;
    let mut backlogs = Vec::new();
    while let Some(row) = rows.next()? {
        backlogs.push(Backlog {
            account: account(row, 0)?,
            endpoint: row.get(1)?,
            next_late: optional_time(row, 2, Time::from_micros)?,
        });
    }
    Ok(backlogs)
}

/// A part of what an endpoint must still be told.
pub(super) fn pending(
    connection: &Connection,
    endpoint: (AccountId, &str),
    part: Part,
    limit: u32,
) -> Result<Pending, StoreError> {
    let (late, after, until) = match part {
        Part::After(after) => (0, int(after.0), i64::MAX),
        Part::LateUntil(until) => (1, 0, micros(until)),
    };
    let (account, name) = endpoint;
    let mut statement = connection.prepare_cached(
        "SELECT id, account, endpoint, call, trigger, body, attempts, due_us, late, destination
         FROM deliveries WHERE state = 0 AND account = ?1 AND endpoint = ?2 AND late = ?3
             AND id > ?4 AND due_us <= ?5
         ORDER BY id LIMIT ?6",
    )?;
    let limit = limit.min(MAX_LISTED);
    let rows = statement.query(params![account.0, name, late, after, until, limit])?;
    let deliveries = collect(rows, delivery)?;
    let last = deliveries.last().map_or(0, |delivery| int(delivery.id.0));
    let next_late = match part {
        Part::After(_) => next_late(connection, endpoint, (i64::MIN, last))?,
        Part::LateUntil(_) => next_late(connection, endpoint, (until, last))?,
    };
    Ok(Pending {
        deliveries,
        next_late,
    })
}

/// When the first late delivery is due that is due after `until` or numbered behind `last`.
fn next_late(
    connection: &Connection,
    (account, endpoint): (AccountId, &str),
    (until, last): (i64, i64),
) -> Result<Option<Time>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT min(due_us) FROM deliveries
         WHERE state = 0 AND account = ?1 AND endpoint = ?2 AND late = 1
             AND (due_us > ?3 OR id > ?4)",
    )?;
    let mut rows = statement.query(params![account.0, endpoint, until, last])?;
    match rows.next()? {
        Some(row) => optional_time(row, 0, Time::from_micros),
        None => Ok(None),
    }
}

/// Deliveries of an account in one state, newest first.
pub(super) fn list(
    connection: &Connection,
    query: &DeliveryQuery,
) -> Result<Vec<DeliveryRecord>, StoreError> {
    // The state stands in the text, so that the index of that state is used.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, account, endpoint, call, trigger, body, attempts, due_us, late, destination,
             created_us, tried_us, status, error
         FROM deliveries WHERE state = {} AND account = ?1 AND id < ?2
         ORDER BY id DESC LIMIT ?3",
        state_number(query.state)
    ))?;
    let before = query.before.map_or(i64::MAX, |id| int(id.0));
    let rows = statement.query(params![
        query.account.0,
        before,
        query.limit.min(MAX_LISTED)
    ])?;
    collect(rows, |row| {
        Ok(DeliveryRecord {
            delivery: delivery(row)?,
            state: query.state,
            created_at: time(row, 10, Time::from_micros)?,
            tried_at: optional_time(row, 11, Time::from_micros)?,
            status: row.get(12)?,
            error: row.get(13)?,
        })
    })
}

fn collect<T>(
    mut rows: Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut collected = Vec::new();
    while let Some(row) = rows.next()? {
        collected.push(read(row)?);
    }
    Ok(collected)
}

fn delivery(row: &Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(unsigned(row, 0)?),
        account: account(row, 1)?,
        endpoint: row.get(2)?,
        call: call(row, 3)?,
        tells: tells(row)?,
        body: Arc::from(row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?),
        attempts: unsigned(row, 6)?,
        due: time(row, 7, Time::from_micros)?,
        place: if row.get(8)? {
            Place::Late
        } else {
            Place::InLane
        },
    })
}

fn tells(row: &Row<'_>) -> Result<Tells, StoreError> {
    let name = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
    if name == COMPONENT {
        let destination = row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?;
        return Ok(Tells::Component {
            destination: destination.into(),
        });
    }
    let trigger = Trigger::parse(name);
    trigger
        .map(Tells::Trigger)
        .ok_or_else(|| StoreError::Value(format!("an unknown trigger: {name}")))
}

fn late_number(place: Place) -> i64 {
    match place {
        Place::InLane => 0,
        Place::Late => 1,
    }
}

fn state_number(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Pending => PENDING,
        DeliveryState::Delivered => DELIVERED,
        DeliveryState::Failed => FAILED,
    }
}
