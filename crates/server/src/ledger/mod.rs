//! The ledger: events in, one transaction per batch, deliveries out.
//!
//! One OS thread owns the writing connection and the fold from events to rows. What reaches it waits
//! in a bounded queue; what it has committed is acknowledged and will be delivered, whatever happens
//! to the process. When the store fails the batch is tried again and again while the queue fills:
//! above [`CROWDED`] new calls are refused, and only when it is full are events lost, and counted.

mod keeper;
mod outgoing;
mod queue;
mod recovery;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::thread::JoinHandle;

use clock::Time;
use pbx::{AccountId, Event};
use store::{
    AccountDocument, AttemptResult, Erase, MailboxFill, MailboxRow, Part, Reader, SoundWrite,
    StoreError, Writer,
};
use tokio::sync::{mpsc, oneshot};

use crate::account::Seal;
use crate::clock::Clock;
use crate::directory::Live;
use crate::hooks::deliver;
use crate::hooks::lanes::EndpointKey;
use crate::metrics::Metrics;
use crate::ready::{self, Readiness};
use crate::recordings::Work;
use keeper::Keeper;
use queue::{Order, Queue};
pub use recovery::{Recovered, RecoveryError, recover};

/// Events that may wait to be committed.
pub const CAPACITY_EVENTS: usize = 65_536;
/// Share of the capacity above which new calls are to be refused.
pub const CROWDED: f32 = 0.75;

/// The way to the ledger; clones lead to the same.
#[derive(Clone)]
pub struct Ledger {
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
}

/// What the ledger's thread works with.
pub struct Parts {
    /// The writing connection.
    pub writer: Writer,
    /// Reads what waits for delivery.
    pub reader: Reader,
    /// The fold, with the open calls of before.
    pub fold: pbx::cdr::Fold,
    /// The clock.
    pub clock: Clock,
    /// Who is told what.
    pub accounts: Live,
    /// Keeps the secrets of deliveries.
    pub seal: Arc<Seal>,
    /// Who makes the audio of recordings that are over.
    pub studio: mpsc::Sender<Work>,
    /// Told how much lies in a mailbox, whenever that has changed.
    pub mailboxes: Box<dyn Fn(MailboxFill) + Send>,
    /// Whom deliveries are handed to.
    pub deliver: mpsc::Sender<deliver::Message>,
    /// Told when the store fails.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Starts the thread. It ends after [`Ledger::stop`], when everything is committed.
pub fn start(parts: Parts) -> std::io::Result<(Ledger, JoinHandle<()>)> {
    let queue = Arc::new(Queue::new(CAPACITY_EVENTS));
    let metrics = Arc::clone(&parts.metrics);
    let readiness = parts.readiness.clone();
    let keeper = Keeper::new(Arc::clone(&queue), parts);
    let thread = spawn(&queue, readiness, move || keeper.run())?;
    Ok((Ledger { queue, metrics }, thread))
}

fn spawn(
    queue: &Arc<Queue>,
    readiness: Readiness,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let mourner = Mourner {
        queue: Arc::clone(queue),
        readiness,
    };
    let thread = std::thread::Builder::new().name("ledger".to_owned());
    thread.spawn(move || {
        let _told_of_a_fault = mourner;
        work();
    })
}

/// Dropped by the thread's panic, it says so to everybody: no event is kept any more.
struct Mourner {
    queue: Arc<Queue>,
    readiness: Readiness,
}

impl Drop for Mourner {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the ledger's thread broke off");
            let reason = "events cannot be kept: the ledger's thread broke off";
            self.readiness.lost(ready::Part::Store, reason);
            self.queue.abandon();
        }
    }
}

impl Ledger {
    /// Hands over what happened. Never blocks; returns how many events found no room.
    pub fn push(&self, events: impl IntoIterator<Item = Event>) -> usize {
        let lost = self.queue.push_events(events);
        if lost > 0 {
            self.metrics.events_lost.add(lost as u64);
        }
        lost
    }

    /// Closes the open calls of an account whose call control failed, behind all its events so far.
    pub fn close_calls(&self, account: AccountId, at: Time) {
        self.queue.close_calls(account, at);
    }

    /// How full the queue of events is, from 0 to 1.
    pub fn fill(&self) -> f32 {
        self.queue.fill()
    }

    /// Writes down how attempts to deliver went, soon, with whatever else is committed.
    pub fn record(&self, attempts: Vec<AttemptResult>) {
        self.queue.push_attempts(attempts);
    }

    /// Asks for deliveries out of the store. They come behind everything recorded before, in the
    /// same channel as those that are committed, so that none is missed and none comes twice.
    pub fn fetch(&self, endpoint: EndpointKey, part: Part, limit: usize) {
        self.queue.push_order(Order::Fetch {
            endpoint,
            part,
            limit,
        });
    }

    /// Keeps the next version of an account's document.
    pub async fn save_account(
        &self,
        name: String,
        document: Vec<u8>,
        at: Time,
    ) -> Result<AccountDocument, OrderError> {
        let order = |reply| Order::Save {
            name,
            document,
            at,
            reply,
        };
        self.order(order).await
    }

    /// Keeps what a mailbox knows of its PIN.
    pub async fn save_mailbox(&self, row: MailboxRow) -> Result<(), OrderError> {
        self.order(|reply| Order::SaveMailbox { row, reply }).await
    }

    /// Keeps or forgets a sound of an account; `false`: there was none to forget.
    pub async fn write_sound(&self, write: SoundWrite) -> Result<bool, OrderError> {
        self.order(|reply| Order::WriteSound { write, reply }).await
    }

    /// Gives a recording another link; `false`: there is none that is kept.
    pub async fn renew_link(
        &self,
        recording: pbx::RecordingId,
        token: Arc<str>,
    ) -> Result<bool, OrderError> {
        let order = |reply| Order::RenewLink {
            recording,
            token,
            reply,
        };
        self.order(order).await
    }

    /// Waits until what was pushed before is committed, or was tried to be at the stop.
    pub async fn settle(&self) -> Result<(), OrderError> {
        self.order(|reply| Order::Settle { reply }).await
    }

    /// Forgets at most `limit` things, between two commits; how many it were.
    pub async fn erase(&self, what: Erase, limit: u32) -> Result<u64, OrderError> {
        let order = |reply| Order::Erase { what, limit, reply };
        self.order(order).await
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Order,
    ) -> Result<T, OrderError> {
        let (reply, answer) = oneshot::channel();
        self.queue.push_order(order(reply));
        let obeyed = answer.await.map_err(|_| OrderError::Stopped)?;
        obeyed.map_err(OrderError::Store)
    }

    /// Commits what waits and ends the thread.
    pub fn stop(&self) {
        self.queue.stop();
    }
}

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The store refused.
    #[error("the store did not do it")]
    Store(#[source] StoreError),
    /// The server is being stopped.
    #[error("the server is being stopped")]
    Stopped,
}
