//! What waits for the ledger, and when it is worth a wake-up.
//!
//! Under load the ledger sleeps until its next commit is due, so a sender wakes it only when what it
//! brings cannot wait for that: a wake-up per event would cost more than the event.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use clock::Time;
use pbx::{AccountId, Event, Fact, RecordingId, Trigger};
use store::{AccountDocument, AttemptResult, Erase, MailboxRow, Part, SoundWrite, StoreError};
use tokio::sync::oneshot;

use crate::hooks::lanes::EndpointKey;

/// Events that make a batch worth committing at once.
const LARGE_BATCH_EVENTS: usize = 2_048;

/// Something the ledger is asked to do besides keeping events.
pub(super) enum Order {
    Fetch {
        endpoint: EndpointKey,
        part: Part,
        limit: usize,
    },
    Save {
        name: String,
        document: Vec<u8>,
        at: Time,
        reply: oneshot::Sender<Result<AccountDocument, StoreError>>,
    },
    RenewLink {
        recording: RecordingId,
        token: Arc<str>,
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
    WriteSound {
        write: SoundWrite,
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
    SaveMailbox {
        row: MailboxRow,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    Settle {
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    Erase {
        what: Erase,
        limit: u32,
        reply: oneshot::Sender<Result<u64, StoreError>>,
    },
}

/// Something that changes the record, in its place among the others.
pub(super) enum Item {
    /// It happened.
    Event(Event),
    /// The calls of an account were lost by a fault: whatever is still open ends.
    CloseCalls { account: AccountId, at: Time },
}

/// What is taken out at once.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) items: Vec<Item>,
    pub(super) attempts: Vec<AttemptResult>,
    pub(super) orders: Vec<Order>,
    pub(super) stop: Stop,
}

/// Whether the ledger is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stop {
    #[default]
    No,
    Yes,
}

/// What the sleeping ledger wants to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WakeFor {
    /// Orders, a large batch, the stop.
    Urgent,
    /// Those and events that a webhook endpoint waits for.
    Hooks,
    /// Those and any event.
    Events,
    /// Anything at all.
    Anything,
}

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    capacity: usize,
    /// Events that wait; also readable without the lock.
    events: AtomicUsize,
    /// One bit for each trigger that any endpoint ticks.
    ticked: AtomicU16,
}

struct Waiting {
    taken: Taken,
    reader: Reader,
    wake_for: WakeFor,
    /// The most urgent thing among the events.
    brought: WakeFor,
}

/// Whether somebody takes out what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Reads,
    Gone,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let waiting = Waiting {
            taken: Taken::default(),
            reader: Reader::Reads,
            wake_for: WakeFor::Anything,
            brought: WakeFor::Anything,
        };
        Self {
            waiting: Mutex::new(waiting),
            wake: Condvar::new(),
            capacity,
            events: AtomicUsize::new(0),
            ticked: AtomicU16::new(0),
        }
    }

    /// Returns how many found no room.
    pub(super) fn push_events(&self, events: impl IntoIterator<Item = Event>) -> usize {
        let mut waiting = self.lock();
        if waiting.reader == Reader::Gone {
            return events.into_iter().count();
        }
        let ticked = self.ticked.load(Ordering::Relaxed);
        let mut brings = WakeFor::Events;
        let mut events = events.into_iter().inspect(|event| {
            if is_told(&event.fact, ticked) {
                brings = WakeFor::Hooks;
            }
        });
        let room = self.capacity.saturating_sub(waiting.taken.items.len());
        waiting
            .taken
            .items
            .extend(events.by_ref().take(room).map(Item::Event));
        let count = waiting.taken.items.len();
        self.events.store(count, Ordering::Relaxed);
        let lost = events.count();
        waiting.brought = waiting.brought.min(brings);
        let is_large = count >= LARGE_BATCH_EVENTS;
        self.wake(&waiting, if is_large { WakeFor::Urgent } else { brings });
        lost
    }

    /// Finds room always: there is at most one for each fault.
    pub(super) fn close_calls(&self, account: AccountId, at: Time) {
        let mut waiting = self.lock();
        if waiting.reader == Reader::Reads {
            waiting.taken.items.push(Item::CloseCalls { account, at });
            waiting.brought = WakeFor::Urgent;
            self.wake(&waiting, WakeFor::Urgent);
        }
    }

    pub(super) fn push_attempts(&self, attempts: Vec<AttemptResult>) {
        let mut waiting = self.lock();
        if waiting.reader == Reader::Reads {
            waiting.taken.attempts.extend(attempts);
            self.wake(&waiting, WakeFor::Anything);
        }
    }

    pub(super) fn push_order(&self, order: Order) {
        let mut waiting = self.lock();
        if waiting.reader == Reader::Reads {
            waiting.taken.orders.push(order);
            self.wake(&waiting, WakeFor::Urgent);
        }
    }

    pub(super) fn stop(&self) {
        let mut waiting = self.lock();
        waiting.taken.stop = Stop::Yes;
        self.wake(&waiting, WakeFor::Urgent);
    }

    pub(super) fn fill(&self) -> f32 {
        let count = u16::try_from(self.events.load(Ordering::Relaxed) * 1_000 / self.capacity);
        f32::from(count.unwrap_or(u16::MAX)) / 1_000.0
    }

    /// Nobody will take anything out any more. What waits is lost, orders are answered so, and the
    /// queue counts as full.
    pub(super) fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.reader = Reader::Gone;
        waiting.taken = Taken::default();
        self.events.store(self.capacity, Ordering::Relaxed);
    }

    /// Remembers which triggers somebody waits for.
    pub(super) fn set_ticked(&self, triggers: impl Iterator<Item = Trigger>) {
        let mask = triggers.fold(0, |mask, trigger| mask | bit(trigger));
        self.ticked.store(mask, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().taken.stop == Stop::Yes
    }

    /// Takes everything out, at once if there is something to be woken for, at the latest at `until`.
    pub(super) fn take(&self, wake_for: WakeFor, until: Option<Instant>) -> Taken {
        let mut waiting = self.lock();
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if waiting.is_worth(wake_for) || left.is_some_and(|left| left.is_zero()) {
                waiting.wake_for = WakeFor::Urgent;
                waiting.brought = WakeFor::Anything;
                self.events.store(0, Ordering::Relaxed);
                let stop = waiting.taken.stop;
                return std::mem::replace(
                    &mut waiting.taken,
                    Taken {
                        stop,
                        ..Taken::default()
                    },
                );
            }
            waiting.wake_for = wake_for;
            waiting = match left {
                None => self
                    .wake
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let slept = self.wake.wait_timeout(waiting, left);
                    slept.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn wake(&self, waiting: &Waiting, brings: WakeFor) {
        if waiting.wake_for >= brings {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_worth(&self, wake_for: WakeFor) -> bool {
        let taken = &self.taken;
        let urgent = !taken.orders.is_empty()
            || taken.stop == Stop::Yes
            || taken.items.len() >= LARGE_BATCH_EVENTS;
        urgent
            || (wake_for >= self.brought && !taken.items.is_empty())
            || (wake_for >= WakeFor::Anything && !taken.attempts.is_empty())
    }
}

/// Whether somebody waits for it: an endpoint that ticked it, a webhook object, or a user who is
/// told just now that it is so from now on.
fn is_told(fact: &Fact, ticked: u16) -> bool {
    let is_ticked = |trigger| ticked & bit(trigger) != 0;
    matches!(fact, Fact::ComponentPassed { .. } | Fact::Stands { .. })
        || fact.trigger().is_some_and(is_ticked)
}

fn bit(trigger: Trigger) -> u16 {
    // Eleven triggers, sixteen bits.
    1 << (trigger as u16)
}
