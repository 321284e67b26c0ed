//! For tests of this crate and for the simulator: example accounts, random ones, the laws that
//! every run must keep, and a driver that tries to break them.

mod document;
mod lamps;
mod laws;
mod passes;
mod queues;
mod random;
mod standings;
mod walk;

pub use document::{example, random_draft, random_draft_of};
pub use laws::Laws;
pub use passes::compare_with_webhooks;
pub use queues::Queues;
pub use random::Random;
pub use standings::Standings;
pub use walk::{Walked, walk};
