//! The one that writes.

use std::fs::File;
use std::path::Path;

use clock::Time;
use pbx::{CallId, Event};
use rusqlite::Connection;

use super::subjects::Subjects;
use super::{accounts, calls, connect, erase, events, migrate, outbox};
use crate::account::AccountDocument;
use crate::batch::{Batch, Durability, Erase};
use crate::delivery::DeliveryId;
use crate::error::StoreError;

/// The one that writes: a single thread owns it. Blocking.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    durability: Durability,
    subjects: Subjects,
    last_delivery: DeliveryId,
    /// Dropped last, when the connection is closed.
    _lock: File,
}

impl Writer {
    /// Opens the database and makes or migrates it where needed. One writer at a time: a second one
    /// gets [`StoreError::Locked`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = connect::lock(path)?;
        let connection = connect::writing(path)?;
        migrate::migrate(&connection, path)?;
        let last_delivery = outbox::last_delivery(&connection)?;
        Ok(Self {
            connection,
            durability: Durability::Power,
            subjects: Subjects::default(),
            last_delivery,
            _lock: lock,
        })
    }

    /// Writes the batch in one transaction and returns the numbers of its deliveries, in order.
    /// After an error nothing of it is in the store, and the same batch may be committed again.
    pub fn commit(&mut self, batch: &Batch) -> Result<Vec<DeliveryId>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.reach(batch.durability())?;
        let last = self.last_delivery;
        let given = self.transaction(|connection, subjects| {
            events::insert(connection, &batch.events)?;
            calls::write(connection, subjects, &batch.rows)?;
            outbox::record(connection, &batch.attempts)?;
            if let Some(at) = batch.heartbeat {
                events::beat(connection, at)?;
            }
            outbox::insert(connection, &batch.deliveries, last)
        })?;
        self.last_delivery = given.last().copied().unwrap_or(last);
        Ok(given)
    }

    /// Events of the calls that have not ended, each call's in order: after a crash, what is to be
    /// folded and closed.
    pub fn open_call_events(&self) -> Result<Vec<Event>, StoreError> {
        events::of_open_calls(&self.connection)
    }

    /// When the node was last known to be alive.
    pub fn last_heartbeat(&self) -> Result<Option<Time>, StoreError> {
        events::last_beat(&self.connection)
    }

    /// The highest call id stored: new ones must lie behind it.
    pub fn last_call_id(&self) -> Result<Option<CallId>, StoreError> {
        events::last_call(&self.connection)
    }

    /// Keeps the next version of an account's document; a new name makes a new account.
    pub fn save_account(
        &mut self,
        name: &str,
        document: &[u8],
        at: Time,
    ) -> Result<AccountDocument, StoreError> {
        self.reach(Durability::Power)?;
        self.transaction(|connection, _| accounts::save(connection, name, document, at))
    }

    /// Forgets at most `limit` things and returns how many they were: called again until it is fewer
    /// than the limit, between commits, so that calls do not wait.
    pub fn erase(&mut self, what: Erase, limit: u32) -> Result<u64, StoreError> {
        self.reach(Durability::Process)?;
        self.transaction(|connection, _| erase::erase(connection, what, limit))
    }

    fn reach(&mut self, durability: Durability) -> Result<(), StoreError> {
        if self.durability != durability {
            connect::set_durability(&self.connection, durability)?;
            self.durability = durability;
        }
        Ok(())
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Subjects) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = &self.connection;
        let run = |sql| connection.prepare_cached(sql)?.execute([]);
        run("BEGIN IMMEDIATE")?;
        let done = work(connection, &mut self.subjects)
            .and_then(|value| run("COMMIT").map(|_| value).map_err(StoreError::from));
        if done.is_err() {
            self.subjects.forget();
            // SQLite has rolled back by itself after a full disk or a failed write.
            if !connection.is_autocommit() {
                run("ROLLBACK")?;
            }
        }
        done
    }
}
