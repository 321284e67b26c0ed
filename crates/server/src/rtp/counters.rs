//! What the media threads count. Each thread writes its own, once per turn; anybody may read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtpCounts {
    /// RTP packets passed on.
    pub relayed: u64,
    /// RTCP datagrams passed on.
    pub reports: u64,
    /// RTP packets of our own: played, pressed, mixed or translated.
    pub spoken: u64,
    /// Datagrams that were not passed on.
    pub dropped: u64,
    /// Datagrams that the kernel did not take.
    pub unsent: u64,
    /// Paths claimed so far.
    pub opened: u64,
    /// Paths released so far.
    pub closed: u64,
    /// Commands for paths that were gone.
    pub strays: u64,
    /// Times that a port could not be bound.
    pub bind_failures: u64,
    /// Events that found no room.
    pub events_dropped: u64,
}

impl RtpCounts {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            relayed: self.relayed + other.relayed,
            reports: self.reports + other.reports,
            spoken: self.spoken + other.spoken,
            dropped: self.dropped + other.dropped,
            unsent: self.unsent + other.unsent,
            opened: self.opened + other.opened,
            closed: self.closed + other.closed,
            strays: self.strays + other.strays,
            bind_failures: self.bind_failures + other.bind_failures,
            events_dropped: self.events_dropped + other.events_dropped,
        }
    }
}

/// One thread's counters as others see them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    relayed: AtomicU64,
    reports: AtomicU64,
    spoken: AtomicU64,
    dropped: AtomicU64,
    unsent: AtomicU64,
    opened: AtomicU64,
    closed: AtomicU64,
    strays: AtomicU64,
    bind_failures: AtomicU64,
}

impl Counters {
    /// Shows the thread's present counts.
    pub(super) fn write(&self, counts: &RtpCounts) {
        self.relayed.store(counts.relayed, Ordering::Relaxed);
        self.reports.store(counts.reports, Ordering::Relaxed);
        self.spoken.store(counts.spoken, Ordering::Relaxed);
        self.dropped.store(counts.dropped, Ordering::Relaxed);
        self.unsent.store(counts.unsent, Ordering::Relaxed);
        self.opened.store(counts.opened, Ordering::Relaxed);
        self.closed.store(counts.closed, Ordering::Relaxed);
        self.strays.store(counts.strays, Ordering::Relaxed);
        self.bind_failures
            .store(counts.bind_failures, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> RtpCounts {
        RtpCounts {
            relayed: self.relayed.load(Ordering::Relaxed),
            reports: self.reports.load(Ordering::Relaxed),
            spoken: self.spoken.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            unsent: self.unsent.load(Ordering::Relaxed),
            opened: self.opened.load(Ordering::Relaxed),
            closed: self.closed.load(Ordering::Relaxed),
            strays: self.strays.load(Ordering::Relaxed),
            bind_failures: self.bind_failures.load(Ordering::Relaxed),
            events_dropped: 0,
        }
    }
}
