//! Rows of users' calls and, in the same transaction, their counters.

use clock::Time;
use pbx::cdr::{UserCall, UserCallKind};
use rusqlite::{Connection, Row, params};

use super::counters::Changes;
use super::subjects::{Family, Subject, Subjects};
use super::table::Table;
use super::value::{account, call, int, millis, optional_time, shared, time, unsigned};
use crate::error::StoreError;
use crate::query::{Position, side_number};

/// Calls of users.
pub(super) const USER_CALLS: Table<UserCall> = Table {
    family: Family::Users,
    name: "user_calls",
    by_account: "user_calls_by_account",
    by_call: "user_calls_by_call",
    condition: "TRUE",
    columns: "account, call, side, answered, caller_id, caller_name, dest_number, user_name, \
         user_number, call_start_ms, connected_ms, ended_ms, call_seconds, conversation_seconds",
    part: "side",
    ties: "user_number, side",
    place: "user_number, side",
    read,
    position: |row| Position::from(row),
};

const INSERT: &str = "
    INSERT OR IGNORE INTO user_calls (
        subject, call_start_ms, call, side, account, user_number, user_name, answered,
        caller_id, caller_name, dest_number, connected_ms, ended_ms, call_seconds,
        conversation_seconds)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// Writes rows and counts them. One that is there already stays as it is and counts once.
pub(super) fn write(
    connection: &Connection,
    subjects: &mut Subjects,
    rows: &[UserCall],
) -> Result<(), StoreError> {
    let mut changes = Changes::default();
    for row in rows {
        let user = Subject::user(row.account, &row.user_number, &row.user_name);
        let subject = subjects.number(connection, user)?;
        if insert(connection, subject, row)? {
            let start = millis(row.call_start_at);
            let everyone = Subject::everyone(row.account, Family::Users);
            changes.add(subject, start, 1);
            changes.add(subjects.number(connection, everyone)?, start, 1);
        }
    }
    changes.apply(connection)
}

/// Whether the row was not there yet.
fn insert(connection: &Connection, subject: i64, row: &UserCall) -> Result<bool, StoreError> {
    let changed = connection.prepare_cached(INSERT)?.execute(params![
        subject,
        millis(row.call_start_at),
        int(row.call.0),
        side_number(row.kind.side()),
        row.account.0,
        row.user_number,
        row.user_name,
        is_answered(row.kind),
        row.caller_id,
        row.caller_name,
        row.dest_number,
        row.connected_at.map(millis),
        row.ended_at.map(millis),
        row.call_duration_seconds,
        row.conversation_duration_seconds,
    ])?;
    Ok(changed > 0)
}

fn read(row: &Row<'_>) -> Result<UserCall, StoreError> {
    Ok(UserCall {
        account: account(row, 0)?,
        call: call(row, 1)?,
        kind: kind(row.get(2)?, row.get(3)?),
        caller_id: row.get(4)?,
        caller_name: row.get(5)?,
        dest_number: row.get(6)?,
        user_name: shared(row, 7)?,
        user_number: shared(row, 8)?,
        call_start_at: time(row, 9, Time::from_millis)?,
        connected_at: optional_time(row, 10, Time::from_millis)?,
        ended_at: optional_time(row, 11, Time::from_millis)?,
        call_duration_seconds: unsigned(row, 12)?,
        conversation_duration_seconds: unsigned(row, 13)?,
    })
}

fn is_answered(kind: UserCallKind) -> bool {
    match kind {
        UserCallKind::UserInboundAnswered | UserCallKind::UserOutboundAnswered => true,
        UserCallKind::UserInboundMissed | UserCallKind::UserOutboundUnanswered => false,
    }
}

fn kind(side: i64, answered: bool) -> UserCallKind {
    match (side, answered) {
        (0, true) => UserCallKind::UserInboundAnswered,
        (0, false) => UserCallKind::UserInboundMissed,
        (_, true) => UserCallKind::UserOutboundAnswered,
        (_, false) => UserCallKind::UserOutboundUnanswered,
    }
}
