//! Opening connections: settings, the lock, and what a person reads when it does not work.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags};

use crate::batch::Durability;
use crate::counts;
use crate::error::StoreError;

/// Memory for pages of one connection, in KiB.
const CACHE_KIB: u32 = 2_048;
/// Prepared statements kept by one connection.
const STATEMENTS: usize = 64;
/// Pages of log before they are copied into the database file (16 MiB): hot pages are copied once.
const CHECKPOINT_PAGES: u32 = 4_096;
/// How long a connection waits for one that is in the way; only a recovering reader ever is.
const BUSY_MS: u32 = 5_000;

/// Takes the lock on the data folder: a file beside the database, locked while it is open.
pub(super) fn lock(database: &Path) -> Result<File, StoreError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let cannot_open = |source| StoreError::Open {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| cannot_open(Box::new(error)))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path }),
        Err(TryLockError::Error(error)) => Err(cannot_open(Box::new(error))),
    }
}

/// The connection that writes.
pub(super) fn writing(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open(path, flags)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};"
    ))?;
    set_durability(&connection, Durability::Power)?;
    add_count_function(&connection)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reading(path: &Path) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// How far the next commits reach.
pub(super) fn set_durability(
    connection: &Connection,
    durability: Durability,
) -> Result<(), StoreError> {
    let level = match durability {
        Durability::Process => "PRAGMA synchronous = NORMAL",
        Durability::Power => "PRAGMA synchronous = FULL",
    };
    Ok(connection.execute_batch(level)?)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| StoreError::Open {
            path: path.into(),
            source: Box::new(error),
        })?;
    connection.execute_batch(&format!(
        "PRAGMA cache_size = -{CACHE_KIB}; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;
         PRAGMA busy_timeout = {BUSY_MS};"
    ))?;
    // Plans do not hang on the values bound: else each new value prepares the statement again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// `count_add(counts, index, delta)`: packed counts with one of them changed.
fn add_count_function(connection: &Connection) -> Result<(), StoreError> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("count_add", 3, flags, |arguments| {
        let packed = arguments.get_raw(0).as_blob().map_err(user_error)?;
        let index: u16 = arguments.get(1)?;
        counts::add(packed, usize::from(index), arguments.get(2)?)
            .ok_or_else(|| user_error("a counter would fall below zero or is damaged"))
    })?;
    Ok(())
}

fn user_error(
    error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}
