//! `GET /get-user-calls`: the calls of users, one row per user and call (contract §1.3).

use pbx::cdr::UserCall;
use serde::Serialize;
use store::{CallQuery, Page, Position, Reader, StoreError};

use super::listing::Listing;
use crate::stamp::Stamp;

/// Calls of users.
pub(super) struct UserCalls;

impl Listing for UserCalls {
    const PATH: &'static str = "/get-user-calls";
    const GROUPS: &'static [&'static str] = &[];
    type Row = UserCall;

    fn read(reader: &Reader, asked: &CallQuery) -> Result<Page<UserCall>, StoreError> {
        reader.user_calls(asked)
    }

    fn wire(row: &UserCall) -> impl Serialize {
        UserCallRow {
            unique_call_id: row.call.to_string(),
            r#type: row.kind.name(),
            caller_id: row.caller_id.as_deref(),
            caller_name: row.caller_name.as_deref(),
            dest_number: &row.dest_number,
            user_name: &row.user_name,
            user_number: &row.user_number,
            call_start_at: Stamp(row.call_start_at),
            connected_at: row.connected_at.map(Stamp),
            call_duration: row.call_duration_seconds,
            conversation_duration: row.conversation_duration_seconds,
        }
    }

    fn position(row: &UserCall) -> Position {
        Position::from(row)
    }
}

/// One row on the wire.
#[derive(Serialize)]
struct UserCallRow<'a> {
    unique_call_id: String,
    r#type: &'static str,
    caller_id: Option<&'a str>,
    caller_name: Option<&'a str>,
    dest_number: &'a str,
    user_name: &'a str,
    user_number: &'a str,
    call_start_at: Stamp,
    connected_at: Option<Stamp>,
    call_duration: u32,
    conversation_duration: u32,
}
