//! A caller's stay in a queue or a ring group: one row and one summary, both told when it ends.

use std::sync::Arc;

use clock::Time;
use serde::{Deserialize, Serialize};

use super::{HookFacts, OpenCall, Shown, whole_seconds};
use crate::event::{Event, Fact, GroupKind, GroupRef, UserRef};
use crate::ids::{AccountId, CallId};

/// One row: one stay of a caller in a queue or a ring group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCall {
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// Which stay of the call, from 1: a call may pass one group twice.
    pub stay: u32,
    /// Queue or ring group.
    pub kind: GroupKind,
    /// Its name.
    pub name: Arc<str>,
    /// E.164 digits without `+`, or an internal number.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What the caller dialled; never empty.
    pub dest_number: String,
    /// Who answered; none when nobody did, or a member outside.
    pub user: Option<UserRef>,
    /// Entry into the group.
    pub call_start_at: Time,
    /// When a member answered. With it the status is `answered`, without it `abandoned`.
    pub connected_at: Option<Time>,
    /// When the caller left.
    pub ended_at: Time,
    /// Wait and talk, whole seconds.
    pub call_duration_seconds: u32,
    /// Talk, whole seconds.
    pub conversation_duration_seconds: u32,
}

/// A stay that is not over.
#[derive(Debug)]
pub(super) struct Stay {
    number: u32,
    group: GroupRef,
    /// As shown at the entry.
    caller: Shown,
    entered_at: Time,
    answer: Option<(Time, Option<UserRef>)>,
}

impl Stay {
    pub(super) fn new(number: u32, group: GroupRef, caller: Shown, at: Time) -> Self {
        Self {
            number,
            group,
            caller,
            entered_at: at,
            answer: None,
        }
    }

    pub(super) fn is_in(&self, group: &GroupRef) -> bool {
        self.group == *group
    }

    /// A member took the call; who comes second did not.
    pub(super) fn answer(&mut self, user: Option<&UserRef>, at: Time) {
        self.answer.get_or_insert_with(|| (at, user.cloned()));
    }

    /// The fact that ends it.
    pub(super) fn left(&self) -> Fact {
        Fact::GroupLeft {
            group: self.group.clone(),
        }
    }
}

impl OpenCall {
    pub(super) fn group_row(&self, stay: Stay, event: &Event) -> GroupCall {
        let (connected_at, user) = match stay.answer {
            Some((at, user)) => (Some(at), user),
            None => (None, None),
        };
        let talk = connected_at.map_or_else(Default::default, |at| event.at - at);
        GroupCall {
            account: self.account,
            call: event.call,
            stay: stay.number,
            kind: stay.group.kind,
            name: stay.group.name,
            caller_id: stay.caller.id,
            caller_name: stay.caller.name,
            dest_number: self.dest_number.clone(),
            user,
            call_start_at: stay.entered_at,
            connected_at,
            ended_at: event.at,
            call_duration_seconds: whole_seconds(event.at - stay.entered_at),
            conversation_duration_seconds: whole_seconds(talk),
        }
    }

    /// The summary says what the row says.
    pub(super) fn summary(row: &GroupCall, at: Time) -> HookFacts {
        let named = |kind| (row.kind == kind).then(|| Arc::clone(&row.name));
        HookFacts {
            trigger: row.kind.trigger(),
            account: row.account,
            call: row.call,
            at,
            caller_id: row.caller_id.clone(),
            caller_name: row.caller_name.clone(),
            dest_number: row.dest_number.clone(),
            user: row.user.clone(),
            queue_name: named(GroupKind::Queue),
            ring_group_name: named(GroupKind::RingGroup),
            call_start_at: row.call_start_at,
            connected_at: row.connected_at,
            call_duration_seconds: row.call_duration_seconds,
            conversation_duration_seconds: row.conversation_duration_seconds,
        }
    }
}
