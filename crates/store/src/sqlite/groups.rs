//! Rows of stays in queues and ring groups and, in the same transaction, their counters.

use std::sync::Arc;

use clock::Time;
use pbx::cdr::GroupCall;
use pbx::{GroupKind, UserRef};
use rusqlite::{Connection, Row, params};

use super::counters::Changes;
use super::subjects::{Family, Subject, Subjects};
use super::table::Table;
use super::value::{
    account, call, int, millis, optional_shared, optional_time, shared, time, unsigned,
};
use crate::error::StoreError;
use crate::query::Position;

/// Stays in queues.
pub(super) const QUEUE_CALLS: Table<GroupCall> = Table {
    family: Family::Queues,
    condition: "kind = 0",
    ..GROUP_CALLS
};

/// Stays in ring groups.
pub(super) const RING_GROUP_CALLS: Table<GroupCall> = Table {
    family: Family::RingGroups,
    condition: "kind = 1",
    ..GROUP_CALLS
};

const GROUP_CALLS: Table<GroupCall> = Table {
    family: Family::Queues,
    name: "group_calls",
    by_account: "group_calls_by_account",
    by_call: "group_calls_by_call",
    condition: "TRUE",
    columns: "account, call, stay, kind, group_name, user_number, user_name, caller_id, \
         caller_name, dest_number, call_start_ms, connected_ms, ended_ms, call_seconds, \
         conversation_seconds",
    part: "stay",
    ties: "stay",
    place: "'', stay",
    read,
    position: |row| Position::from(row),
};

/// The table that holds rows of this kind.
pub(super) const fn table(kind: GroupKind) -> &'static Table<GroupCall> {
    match kind {
        GroupKind::Queue => &QUEUE_CALLS,
        GroupKind::RingGroup => &RING_GROUP_CALLS,
    }
}

const INSERT: &str = "
    INSERT OR IGNORE INTO group_calls (
        subject, call_start_ms, call, stay, account, kind, group_name, user_number, user_name,
        caller_id, caller_name, dest_number, connected_ms, ended_ms, call_seconds,
        conversation_seconds)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// Writes rows and counts them. One that is there already stays as it is and counts once.
pub(super) fn write(
    connection: &Connection,
    subjects: &mut Subjects,
    rows: &[GroupCall],
) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    for row in rows {
        let subject = subjects.number(connection, subject(row))?;
        if insert(connection, subject, row)? {
            let start = millis(row.call_start_at);
            let everyone = Subject::everyone(row.account, table(row.kind).family);
            changes.add(subject, start, 1);
            changes.add(subjects.number(connection, everyone)?, start, 1);
        }
    }
    changes.apply(connection)
}

fn subject(row: &GroupCall) -> Subject {
    let nobody = UserRef {
        number: Arc::default(),
        name: Arc::default(),
    };
    let user = row.user.as_ref().unwrap_or(&nobody);
    let family = table(row.kind).family;
    Subject::member(
        row.account,
        family,
        Arc::clone(&row.name),
        (&user.number, &user.name),
    )
}

/// Whether the row was not there yet.
fn insert(connection: &Connection, subject: i64, row: &GroupCall) -> Result<bool, StoreError> {
    let user = row.user.as_ref();
    let changed = connection.prepare_cached(INSERT)?.execute(params![
        subject,
        millis(row.call_start_at),
        int(row.call.0),
        row.stay,
        row.account.0,
        kind_number(row.kind),
        row.name,
        user.map(|user| &user.number),
        user.map(|user| &user.name),
        row.caller_id,
        row.caller_name,
        row.dest_number,
        row.connected_at.map(millis),
        millis(row.ended_at),
        row.call_duration_seconds,
        row.conversation_duration_seconds,
    ])?;
    Ok(changed > 0)
}

fn read(row: &Row<'_>) -> Result<GroupCall, StoreError> {
    let user = optional_shared(row, 5)?.zip(optional_shared(row, 6)?);
    Ok(GroupCall {
        account: account(row, 0)?,
        call: call(row, 1)?,
        stay: unsigned(row, 2)?,
        kind: kind(row.get(3)?)?,
        name: shared(row, 4)?,
        user: user.map(|(number, name)| UserRef { number, name }),
        caller_id: row.get(7)?,
        caller_name: row.get(8)?,
        dest_number: row.get(9)?,
        call_start_at: time(row, 10, Time::from_millis)?,
        connected_at: optional_time(row, 11, Time::from_millis)?,
        ended_at: time(row, 12, Time::from_millis)?,
        call_duration_seconds: unsigned(row, 13)?,
        conversation_duration_seconds: unsigned(row, 14)?,
    })
}

const fn kind_number(kind: GroupKind) -> i64 {
    match kind {
        GroupKind::Queue => 0,
        GroupKind::RingGroup => 1,
    }
}

fn kind(number: i64) -> Result<GroupKind, StoreError> {
    match number {
        0 => Ok(GroupKind::Queue),
        1 => Ok(GroupKind::RingGroup),
        _ => Err(StoreError::Value(format!(
            "an unknown kind of group: {number}"
        ))),
    }
}
