//! The journal of a recording: what arrived when, written down while the call goes on, and made into
//! audio when it is over.
//!
//! A journal is a row of blocks, each with its length and checksum; a block holds whole entries. Whatever
//! byte a crash cuts it off at, all blocks before are read. The media thread writes entries, because that
//! is a copy and no more; jitter, loss and codecs are the finaliser's matter.

mod entry;
mod finalise;
mod loudness;
mod read;
#[cfg(test)]
mod tests;
mod track;

pub use entry::{Entry, MAX_BLOCK_BYTES, seal};
pub use finalise::{Finalised, Finaliser, finalise};
pub use loudness::Loudness;
pub use read::{Channels, JournalError, Reader, Survey, survey};
