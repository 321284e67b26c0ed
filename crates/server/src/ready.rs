//! Whether the server can do its work, as `/readyz` tells it: some part may have a reason against it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A part of the server that can be unable to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The server is still starting.
    Start,
    /// Events cannot be kept.
    Store,
    /// The server is being stopped.
    Stop,
}

/// The reasons against; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<Part, String>>>);

impl Readiness {
    /// From now on `part` keeps the server from working.
    pub fn lost(&self, part: Part, reason: impl Into<String>) {
        self.lock().insert(part, reason.into());
    }

    /// `part` works again.
    pub fn found(&self, part: Part) {
        self.lock().remove(&part);
    }

    /// The first reason why the server is not ready.
    pub fn reason(&self) -> Option<String> {
        self.lock().values().next().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
