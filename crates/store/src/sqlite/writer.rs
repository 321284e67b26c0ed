//! The one that writes.

use std::fs::File;
use std::path::Path;

use clock::Time;
use pbx::{CallId, Event, RecordingId};
use rusqlite::Connection;

use super::subjects::Subjects;
use super::{
    accounts, calls, connect, erase, events, groups, mailboxes, migrate, outbox, recordings,
    sounds, standings,
};
use crate::account::AccountDocument;
use crate::batch::{Batch, Durability, Erase};
use crate::delivery::DeliveryId;
use crate::error::StoreError;
use crate::mailbox::MailboxRow;
use crate::sound::SoundWrite;

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
            standings::write(connection, &batch.events)?;
            calls::write(connection, subjects, &batch.rows)?;
            groups::write(connection, subjects, &batch.group_rows)?;
            recordings::write(connection, &batch.recordings)?;
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

    /// Keeps what a mailbox knows of its PIN.
    pub fn save_mailbox(&mut self, row: &MailboxRow) -> Result<(), StoreError> {
        self.reach(Durability::Power)?;
        self.transaction(|connection, _| mailboxes::save(connection, row))
    }

    /// Keeps or forgets a sound of an account. `false`: there was none to forget.
    pub fn write_sound(&mut self, write: &SoundWrite) -> Result<bool, StoreError> {
        self.reach(Durability::Power)?;
        self.transaction(|connection, _| sounds::write(connection, write))
    }

    /// Gives a recording another link, so that the one of before leads nowhere. `false`: there is none
    /// that is kept.
    pub fn renew_link(&mut self, recording: RecordingId, token: &str) -> Result<bool, StoreError> {
        self.reach(Durability::Power)?;
        self.transaction(|connection, _| recordings::renew_link(connection, recording, token))
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

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{Seek, SeekFrom, Write};
    use std::path::PathBuf;
    use std::sync::Arc;

    use pbx::{AccountId, Trigger};
    use tempfile::TempDir;

    use super::*;
    use crate::batch::NewDelivery;
    use crate::delivery::{DeliveryQuery, DeliveryState, Tells};
    use crate::sqlite::Reader;

    fn folder() -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("switchhook.db");
        (folder, path)
    }

    fn large_batch() -> Batch {
        let delivery = NewDelivery {
            account: AccountId(1),
            endpoint: "crm".into(),
            call: CallId(1),
            tells: Tells::Trigger(Trigger::UserInbound),
            body: Arc::from([7; 3_000]),
            at: Time::from_secs(1),
        };
        Batch {
            deliveries: vec![delivery; 50],
            ..Batch::default()
        }
    }

    fn open_error(path: &Path) -> StoreError {
        Writer::open(path).map(|_| ()).unwrap_err()
    }

    fn execute(path: &Path, sql: &str) {
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }

    fn deliveries(path: &Path) -> usize {
        let state = DeliveryState::Pending;
        let query = DeliveryQuery {
            account: AccountId(1),
            state,
            before: None,
            limit: 1_000,
        };
        Reader::open(path, 1)
            .unwrap()
            .deliveries(&query)
            .unwrap()
            .len()
    }

    #[test]
    fn a_second_writer_is_told_who_is_in_the_way() {
        let (_folder, path) = folder();
        let first = Writer::open(&path).unwrap();
        let error = open_error(&path);
        assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with("another switchhook runs on this data folder")
        );
        drop(first);
        Writer::open(&path).unwrap();
    }

    #[test]
    fn a_newer_schema_is_left_alone() {
        let (_folder, path) = folder();
        drop(Writer::open(&path).unwrap());
        execute(&path, "PRAGMA user_version = 99");
        let error = open_error(&path);
        assert!(
            matches!(
                error,
                StoreError::Newer {
                    found: 99,
                    known: 8,
                    ..
                }
            ),
            "{error:?}"
        );
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let (_folder, path) = folder();
        execute(&path, "CREATE TABLE theirs (id INTEGER)");
        let error = open_error(&path);
        assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    }

    #[test]
    fn a_file_that_is_no_database_is_called_damaged() {
        let (_folder, path) = folder();
        fs::write(&path, [b'x'; 8_192]).unwrap();
        let error = open_error(&path);
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    }

    #[test]
    fn damaged_pages_are_reported_and_do_not_panic() {
        let (_folder, path) = folder();
        let mut writer = Writer::open(&path).unwrap();
        writer.commit(&large_batch()).unwrap();
        drop(writer);
        let mut file = File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(4_096)).unwrap();
        file.write_all(&vec![0x5a; 64 * 4_096]).unwrap();
        let error = Writer::open(&path)
            .and_then(|mut writer| writer.commit(&large_batch()).map(|_| ()))
            .unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    }

    #[test]
    fn a_full_disk_takes_nothing_and_the_batch_can_be_tried_again() {
        let (_folder, path) = folder();
        let mut writer = Writer::open(&path).unwrap();
        writer.commit(&large_batch()).unwrap();
        let limit = |writer: &Writer, pages: u32| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            writer.connection.execute_batch(&sql).unwrap();
        };
        limit(&writer, 60);
        let error = writer.commit(&large_batch()).unwrap_err();
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        assert_eq!(deliveries(&path), 50, "nothing of the second batch");
        limit(&writer, 10_000);
        assert_eq!(writer.commit(&large_batch()).unwrap()[0], DeliveryId(51));
        assert_eq!(deliveries(&path), 100);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let error = open_error(Path::new("/nonexistent/switchhook.db"));
        assert_eq!(
            error.to_string(),
            "cannot open /nonexistent/switchhook.db.lock"
        );
    }
}
