//! The account document as text: YAML (or JSON, which is YAML) to a [`pbx::draft::Draft`] and back,
//! errors with lines, and the seal that keeps it at rest. What a document *means* is `pbx`'s.

mod lines;
mod load;
mod seal;
mod write;

pub use lines::explain;
pub use load::{DocumentError, MAX_DOCUMENT_BYTES, load};
pub use seal::{Purpose, Seal, SealError};
pub use write::write;
