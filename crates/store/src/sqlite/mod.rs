//! The SQLite engine: one writing connection, any number of reading ones.
//!
//! WAL, so that readers never wait for the writer. The writer holds a lock on the data folder for as
//! long as it lives.

mod accounts;
mod calls;
mod connect;
mod counters;
mod erase;
mod events;
mod groups;
mod mailboxes;
mod migrate;
mod outbox;
mod page;
mod reader;
mod recordings;
mod sounds;
mod standings;
mod subjects;
mod table;
mod value;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
