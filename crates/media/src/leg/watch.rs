//! The watch for silence: told once, and again only after the peer was heard in between.

use std::time::Duration;

use clock::Time;

/// How long a peer may be silent, and whether that was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    limit: Option<Duration>,
    /// Silence before this does not count.
    since: Time,
    told: Told,
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
            told: Told::NotYet,
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
        self.told = Told::NotYet;
    }

    /// The peer was heard.
    pub(super) fn hear(&mut self) {
        self.told = Told::NotYet;
    }

    /// Whether the silence since `heard` is too long and not told yet; then it is.
    pub(super) fn is_over(&mut self, now: Time, heard: Time) -> bool {
        let silence = now - heard.max(self.since);
        let is_over = self.told == Told::NotYet && self.limit.is_some_and(|limit| silence >= limit);
        if is_over {
            self.told = Told::Already;
        }
        is_over
    }
}
