//! What can go wrong, in the words an operator needs.

use std::error::Error;
use std::path::PathBuf;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder is in use.
    #[error("another switchhook runs on this data folder: {} is locked", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The schema is newer than this program.
    #[error(
        "{} was written by a newer switchhook: its schema is {found}, this program knows {known}",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Version of its schema.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The file belongs to somebody else.
    #[error("{} is a database, but not one of switchhook", path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// The file cannot be opened at all.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nothing more can be written. The batch is not in the store; it can be committed again.
    #[error("the disk is full")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// The file is damaged.
    #[error("the database file is damaged")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
    /// A stored value is none that this program writes.
    #[error("the database holds {0}")]
    Value(String),
    /// Anything else the engine says.
    #[error("the database refused")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(Box::new(error)),
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Corrupt(Box::new(error))
            }
            _ => Self::Engine(Box::new(error)),
        }
    }
}
