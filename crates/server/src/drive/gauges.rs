//! What the loop counts, where `/metrics` and `/readyz` can read it.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::Counts;

/// What the loop counts, for `/metrics` and `/readyz`.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Calls in progress.
    pub calls: AtomicU64,
    /// Legs.
    pub legs: AtomicU64,
    /// Registered contacts.
    pub registrations: AtomicU64,
    /// Server and client transactions.
    pub transactions: AtomicU64,
    /// Dialogs.
    pub dialogs: AtomicU64,
    /// Bound port pairs in stock.
    pub ports_in_stock: AtomicU64,
    /// Digests with a wrong password or unknown user, since the start.
    pub refused_passwords: AtomicU64,
    /// Steps that failed by a fault of ours, since the start.
    pub faults: AtomicU64,
    /// SIP messages received, since the start.
    pub messages_received: AtomicU64,
    /// SIP messages sent, since the start.
    pub messages_sent: AtomicU64,
    /// Datagrams the kernel did not take, since the start.
    pub datagrams_dropped: AtomicU64,
}

impl Gauges {
    /// Shows what the engine counts.
    pub(super) fn set(&self, counts: &Counts, dropped: u64) {
        let set = |gauge: &AtomicU64, value: usize| gauge.store(value as u64, Ordering::Relaxed);
        set(&self.calls, counts.calls);
        set(&self.legs, counts.legs);
        set(&self.registrations, counts.registrations);
        let user_agent = counts.user_agent;
        set(
            &self.transactions,
            user_agent.server_transactions + user_agent.client_transactions,
        );
        set(&self.dialogs, user_agent.dialogs);
        set(&self.ports_in_stock, counts.ports_in_stock);
        self.refused_passwords
            .store(counts.refused_passwords, Ordering::Relaxed);
        self.faults.store(counts.faults, Ordering::Relaxed);
        self.datagrams_dropped.store(dropped, Ordering::Relaxed);
    }
}
