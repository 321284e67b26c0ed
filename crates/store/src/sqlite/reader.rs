//! Those that read: a small pool of connections, opened when first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use clock::Time;
use pbx::cdr::{GroupCall, UserCall};
use pbx::{AccountId, GroupKind, MailboxCounts, Message, RecordingId, Standing};
use rusqlite::Connection;

use super::calls::USER_CALLS;
use super::{accounts, connect, groups, mailboxes, outbox, page, recordings, sounds, standings};
use crate::account::AccountDocument;
use crate::delivery::{Backlog, DeliveryQuery, DeliveryRecord, Part, Pending};
use crate::error::StoreError;
use crate::mailbox::{MailboxFill, MailboxRow};
use crate::query::{CallQuery, Page};
use crate::recording::Recording;
use crate::sound::SoundRow;

/// Reads what is committed. Clones share their connections; a call blocks while all are in use.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Pool {
    path: PathBuf,
    idle: Mutex<Idle>,
    returned: Condvar,
}

#[derive(Debug)]
struct Idle {
    connections: Vec<Connection>,
    /// How many more may be opened.
    unopened: usize,
}

impl Reader {
    /// Readers of a database that a [`Writer`](crate::Writer) has opened, at most so many at once.
    pub fn open(path: &Path, connections: usize) -> Result<Self, StoreError> {
        let first = connect::reading(path)?;
        let idle = Idle {
            connections: vec![first],
            unopened: connections.saturating_sub(1),
        };
        let pool = Pool {
            path: path.into(),
            idle: Mutex::new(idle),
            returned: Condvar::new(),
        };
        Ok(Self {
            pool: Arc::new(pool),
        })
    }

    /// A page of users' calls and how many there are.
    pub fn user_calls(&self, query: &CallQuery) -> Result<Page<UserCall>, StoreError> {
        self.read(|connection| page::cut(connection, &USER_CALLS, query))
    }

    /// A page of stays in queues, or in ring groups, and how many there are.
    pub fn group_calls(
        &self,
        kind: GroupKind,
        query: &CallQuery,
    ) -> Result<Page<GroupCall>, StoreError> {
        self.read(|connection| page::cut(connection, groups::table(kind), query))
    }

    /// The recordings whose audio is to be made, and those that go on, oldest first.
    pub fn unfinished_recordings(&self) -> Result<Vec<Recording>, StoreError> {
        self.read(recordings::unfinished)
    }

    /// One recording.
    pub fn recording(&self, recording: RecordingId) -> Result<Option<Recording>, StoreError> {
        self.read(|connection| recordings::one(connection, recording))
    }

    /// The recording that a link ends in, if its audio is kept.
    pub fn recording_of_token(&self, token: &str) -> Result<Option<RecordingId>, StoreError> {
        self.read(|connection| recordings::of_token(connection, token))
    }

    /// What a mailbox knows of its PIN.
    pub fn mailbox(
        &self,
        account: AccountId,
        number: &str,
    ) -> Result<Option<MailboxRow>, StoreError> {
        self.read(|connection| mailboxes::one(connection, account, number))
    }

    /// The messages of a mailbox, new ones first, of each kind the oldest first.
    pub fn messages(
        &self,
        account: AccountId,
        number: &str,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        self.read(|connection| mailboxes::messages(connection, (account, number), limit))
    }

    /// How much lies in a mailbox.
    pub fn mailbox_counts(
        &self,
        account: AccountId,
        number: &str,
    ) -> Result<MailboxCounts, StoreError> {
        self.read(|connection| mailboxes::counts(connection, account, number))
    }

    /// How much lies in each mailbox that is not empty.
    pub fn mailboxes(&self) -> Result<Vec<MailboxFill>, StoreError> {
        self.read(mailboxes::fill)
    }

    /// Messages of an account whose calls began before, the oldest first, each with its mailbox.
    pub fn old_messages(
        &self,
        account: AccountId,
        before: Time,
        limit: u32,
    ) -> Result<Vec<(RecordingId, String)>, StoreError> {
        self.read(|connection| mailboxes::old(connection, (account, before), limit))
    }

    /// The sounds of an account, by name.
    pub fn sounds(&self, account: AccountId) -> Result<Vec<SoundRow>, StoreError> {
        self.read(|connection| sounds::of_account(connection, account))
    }

    /// Endpoints that have deliveries to be made, for the start.
    pub fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        self.read(outbox::backlogs)
    }

    /// A part of what an endpoint must still be told, by rising number.
    pub fn pending(
        &self,
        account: AccountId,
        endpoint: &str,
        part: Part,
        limit: u32,
    ) -> Result<Pending, StoreError> {
        self.read(|connection| outbox::pending(connection, (account, endpoint), part, limit))
    }

    /// Deliveries of an account in one state, newest first.
    pub fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.read(|connection| outbox::list(connection, query))
    }

    /// The newest document of every account.
    pub fn accounts(&self) -> Result<Vec<AccountDocument>, StoreError> {
        self.read(accounts::latest)
    }

    /// What stands in every account, by account.
    pub fn standings(&self) -> Result<Vec<(AccountId, Standing)>, StoreError> {
        self.read(standings::all)
    }

    /// All documents of one account, newest first.
    pub fn account_history(&self, account: AccountId) -> Result<Vec<AccountDocument>, StoreError> {
        self.read(|connection| accounts::history(connection, account))
    }

    /// Runs `work` on one connection and one state of the database.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lease = self.pool.take()?;
        let run = |sql| lease.connection().prepare_cached(sql)?.execute([]);
        run("BEGIN")?;
        let value = work(lease.connection())?;
        run("COMMIT")?;
        Ok(value)
    }
}

impl Pool {
    fn take(&self) -> Result<Lease<'_>, StoreError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = idle.connections.pop() {
                return Ok(Lease {
                    pool: self,
                    connection: Some(connection),
                });
            }
            if idle.unopened > 0 {
                let connection = connect::reading(&self.path)?;
                idle.unopened -= 1;
                return Ok(Lease {
                    pool: self,
                    connection: Some(connection),
                });
            }
            idle = self
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A connection in use. It goes back to the pool whatever happens, and never inside a transaction.
struct Lease<'a> {
    pool: &'a Pool,
    /// Empty only while dropped.
    connection: Option<Connection>,
}

impl Lease<'_> {
    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a lease holds its connection until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match self.connection.take() {
            Some(connection) if is_usable(&connection) => idle.connections.push(connection),
            Some(_) | None => idle.unopened += 1,
        }
        self.pool.returned.notify_one();
    }
}

fn is_usable(connection: &Connection) -> bool {
    connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok()
}
