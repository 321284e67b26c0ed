//! What every engine must do. Each rule is a function that is given the engine's opener.

pub(crate) mod accounts;
pub(crate) mod erasure;
pub(crate) mod events;
pub(crate) mod mailboxes;
pub(crate) mod model;
pub(crate) mod outbox;
pub(crate) mod paging;
pub(crate) mod recordings;
pub(crate) mod sounds;
pub(crate) mod stays;

use std::path::Path;

use clock::Time;
use pbx::cdr::{GroupCall, UserCall, UserCallKind};
use pbx::{AccountId, CallId, Event, Fact, GroupKind, HangupCause, UserRef};
use store::{Batch, Reader, Writer};
use tempfile::TempDir;

pub(crate) const ACME: AccountId = AccountId(1);
pub(crate) const OTHER: AccountId = AccountId(2);
/// 2026-11-24T00:00:00Z.
pub(crate) const MIDNIGHT_MS: u64 = 1_795_478_400_000;
pub(crate) const DAY_MS: u64 = 86_400_000;

/// An open store in a folder of its own.
pub(crate) struct Store {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    folder: TempDir,
}

impl Store {
    pub(crate) fn new(open: fn(&Path) -> (Writer, Reader)) -> Self {
        let folder = TempDir::new().unwrap();
        let (writer, reader) = open(folder.path());
        Self {
            writer,
            reader,
            folder,
        }
    }

    /// The same data, opened again.
    pub(crate) fn restart(self, open: fn(&Path) -> (Writer, Reader)) -> Self {
        let folder = self.folder;
        drop((self.writer, self.reader));
        let (writer, reader) = open(folder.path());
        Self {
            writer,
            reader,
            folder,
        }
    }

    pub(crate) fn list(&mut self, rows: Vec<UserCall>) {
        let batch = Batch {
            rows,
            ..Batch::default()
        };
        self.writer.commit(&batch).unwrap();
    }

    pub(crate) fn list_stays(&mut self, group_rows: Vec<GroupCall>) {
        let batch = Batch {
            group_rows,
            ..Batch::default()
        };
        self.writer.commit(&batch).unwrap();
    }

    pub(crate) fn tell(&mut self, events: Vec<Event>) {
        let batch = Batch {
            events,
            ..Batch::default()
        };
        self.writer.commit(&batch).unwrap();
    }
}

/// A call whose id counts up from the start of the test's day.
pub(crate) fn call(number: u64) -> CallId {
    CallId((MIDNIGHT_MS / 1_000 + number / 10_000) * 1_000_000 + number % 10_000)
}

/// An inbound row.
pub(crate) fn row(call: CallId, user: &str, start_ms: u64) -> UserCall {
    let start = Time::from_millis(start_ms);
    UserCall {
        account: ACME,
        call,
        kind: UserCallKind::UserInboundAnswered,
        caller_id: Some("61300000000".into()),
        caller_name: None,
        dest_number: "61298765432".into(),
        user_name: format!("User {user}").into(),
        user_number: user.into(),
        call_start_at: start,
        connected_at: Some(Time::from_millis(start_ms + 5_000)),
        ended_at: Some(Time::from_millis(start_ms + 65_000)),
        call_duration_seconds: 65,
        conversation_duration_seconds: 60,
    }
}

/// A stay in the queue `Sales` that John answered.
pub(crate) fn stay(call: CallId, number: u32, start_ms: u64) -> GroupCall {
    GroupCall {
        account: ACME,
        call,
        stay: number,
        kind: GroupKind::Queue,
        name: "Sales".into(),
        caller_id: Some("61300000000".into()),
        caller_name: None,
        dest_number: "61298765432".into(),
        user: Some(user_ref("1010")),
        call_start_at: Time::from_millis(start_ms),
        connected_at: Some(Time::from_millis(start_ms + 5_000)),
        ended_at: Time::from_millis(start_ms + 65_000),
        call_duration_seconds: 65,
        conversation_duration_seconds: 60,
    }
}

pub(crate) fn event(call: CallId, at_ms: u64, fact: Fact) -> Event {
    Event {
        at: Time::from_millis(at_ms),
        account: ACME,
        call,
        fact,
    }
}

pub(crate) fn arrived() -> Fact {
    Fact::Arrived {
        direction: pbx::Direction::Inbound,
        caller_id: Some("61300000000".into()),
        caller_name: Some("Zoë \"Z\" 王".into()),
        dest_number: "61298765432".into(),
    }
}

pub(crate) fn ringing(user: &str) -> Fact {
    Fact::UserRinging {
        user: user_ref(user),
        queue: None,
        ring_group: Some("sales".into()),
    }
}

pub(crate) fn user_ref(user: &str) -> UserRef {
    UserRef {
        number: user.into(),
        name: format!("User {user}").into(),
    }
}

pub(crate) fn ended() -> Fact {
    Fact::Ended {
        cause: HangupCause::Normal,
    }
}
