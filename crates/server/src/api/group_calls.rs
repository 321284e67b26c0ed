//! `GET /get-queue-calls` and `GET /get-ringgroup-calls`: one row per stay in a queue or a ring group
//! (contract §1.4).

use pbx::GroupKind;
use pbx::cdr::GroupCall;
use serde::Serialize;
use store::{CallQuery, Page, Position, Reader, StoreError};

use super::listing::Listing;
use crate::hooks::payload::{Group, Status};
use crate::stamp::Stamp;

/// Names that the filter of queues is known by.
pub(super) const QUEUE_NAMES: [&str; 2] = ["queues_names", "queue_name"];

/// Stays in queues.
pub(super) struct QueueCalls;

/// Stays in ring groups.
pub(super) struct RingGroupCalls;

impl Listing for QueueCalls {
    const PATH: &'static str = "/get-queue-calls";
    const GROUPS: &'static [&'static str] = &QUEUE_NAMES;
    type Row = GroupCall;

    fn read(reader: &Reader, asked: &CallQuery) -> Result<Page<GroupCall>, StoreError> {
        reader.group_calls(GroupKind::Queue, asked)
    }

    fn wire(row: &GroupCall) -> impl Serialize {
        GroupCallRow::from(row)
    }

    fn position(row: &GroupCall) -> Position {
        Position::from(row)
    }
}

impl Listing for RingGroupCalls {
    const PATH: &'static str = "/get-ringgroup-calls";
    const GROUPS: &'static [&'static str] = &["ringgroups_names", "ring_group_name"];
    type Row = GroupCall;

    fn read(reader: &Reader, asked: &CallQuery) -> Result<Page<GroupCall>, StoreError> {
        reader.group_calls(GroupKind::RingGroup, asked)
    }

    fn wire(row: &GroupCall) -> impl Serialize {
        GroupCallRow::from(row)
    }

    fn position(row: &GroupCall) -> Position {
        Position::from(row)
    }
}

/// One row on the wire. Known clients read the caller under one or the other of two names.
#[derive(Serialize)]
struct GroupCallRow<'a> {
    unique_call_id: String,
    #[serde(flatten)]
    group: Group<'a>,
    callerid: Option<&'a str>,
    caller_id: Option<&'a str>,
    caller_name: Option<&'a str>,
    dest_number: &'a str,
    user_name: Option<&'a str>,
    user_number: Option<&'a str>,
    call_start_at: Stamp,
    connected_at: Option<Stamp>,
    call_duration: u32,
    conversation_duration: u32,
    status: Status,
}

impl<'a> From<&'a GroupCall> for GroupCallRow<'a> {
    fn from(row: &'a GroupCall) -> Self {
        let caller_id = row.caller_id.as_deref();
        let user = row.user.as_ref();
        Self {
            unique_call_id: row.call.to_string(),
            group: match row.kind {
                GroupKind::Queue => Group::Queue(&row.name),
                GroupKind::RingGroup => Group::RingGroup(&row.name),
            },
            callerid: caller_id,
            caller_id,
            caller_name: row.caller_name.as_deref(),
            dest_number: &row.dest_number,
            user_name: user.map(|user| &*user.name),
            user_number: user.map(|user| &*user.number),
            call_start_at: Stamp(row.call_start_at),
            connected_at: row.connected_at.map(Stamp),
            call_duration: row.call_duration_seconds,
            conversation_duration: row.conversation_duration_seconds,
            status: Status::of(row.connected_at),
        }
    }
}
