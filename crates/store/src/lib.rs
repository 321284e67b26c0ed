//! What is kept: events, call rows with their counters, the webhook outbox, account documents.
//!
//! The only place with SQL. Synchronous: the caller decides the thread. It reads no clock and starts
//! nothing. SQLite stands behind [`Writer`] and [`Reader`] today; PostgreSQL comes behind the same
//! types and is held to the same suite (`tests/suite`).
//!
//! **Invariant:** a [`Batch`] is in the store as a whole or not at all, after any crash.

#![forbid(unsafe_code)]

mod account;
mod batch;
mod counts;
mod delivery;
mod error;
mod mailbox;
mod query;
mod recording;
mod sound;
mod sqlite;

pub use account::AccountDocument;
pub use batch::{AttemptResult, Batch, Erase, NewDelivery};
pub use delivery::{
    Backlog, Delivery, DeliveryId, DeliveryQuery, DeliveryRecord, DeliveryState, Fate, Part,
    Pending, Place, Tells,
};
pub use error::StoreError;
pub use mailbox::{MailboxFill, MailboxRow, PhonePin};
pub use query::{CallQuery, MAX_PAGE_ROWS, Order, Page, Position};
pub use recording::{Recording, RecordingState, RecordingWrite};
pub use sound::{SoundRow, SoundWrite};
pub use sqlite::{Reader, Writer};
