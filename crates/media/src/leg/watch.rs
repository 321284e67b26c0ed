//! The watch for silence: told once, and again only after the peer was heard in between.

use std::time::Duration;

use clock::Time;

/// How long a peer may be silent, and what was told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    limit: Option<Duration>,
    /// Silence before this does not count.
    since: Time,
    /// When the silence began that was told. A packet thus need not touch the watch.
    told: Option<Time>,
}

/// Whether something was told that is to be told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    NotYet,
    Already,
}

impl Watch {
    /// No watch.
    pub(super) fn off(now: Time) -> Self {
        Self {
            limit: None,
            since: now,
            told: None,
        }
    }

    /// Watches from now on.
    pub(super) fn set(&mut self, now: Time, limit: Option<Duration>) {
        self.limit = limit;
        self.restart(now);
    }

    /// The silence so far does not count.
    pub(super) fn restart(&mut self, now: Time) {
        self.since = now;
        self.told = None;
    }

    /// Whether the silence since `heard` is too long and not told yet; then it is.
    pub(super) fn is_over(&mut self, now: Time, heard: Time) -> bool {
        let begun = heard.max(self.since);
        let is_long = self.limit.is_some_and(|limit| now - begun >= limit);
        if !is_long || self.told == Some(begun) {
            return false;
        }
        self.told = Some(begun);
        true
    }
}
