//! The ledger's thread: when to commit, and what follows from a commit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::Time;
use pbx::cdr::Fold;
use pbx::{AccountId, Event, Fact, HangupCause, MessageState, Purpose};
use store::{
    Batch, Delivery, Erase, MailboxFill, NewDelivery, Place, Reader, RecordingWrite, StoreError,
    Writer,
};
use tokio::sync::mpsc;

use super::Parts;
use super::outgoing::Outgoing;
use super::queue::{Item, Order, Queue, Stop, Taken, WakeFor};
use crate::account::Seal;
use crate::clock::Clock;
use crate::directory::{Directory, Live};
use crate::hooks::deliver;
use crate::metrics::Metrics;
use crate::ready::{self, Readiness};
use crate::recordings::Work;

/// A webhook waits at most so long for others to be committed with it.
const HOOK_WINDOW: Duration = Duration::from_millis(4);
/// An event that tells nobody anything yet waits at most so long: mostly it is committed with the
/// webhook of another call before.
const EVENT_WINDOW: Duration = Duration::from_millis(50);
/// The result of an attempt waits so long: losing it only means that the attempt is made again.
const ATTEMPT_WINDOW: Duration = Duration::from_millis(100);
/// How often the store is told that the node is alive, while calls are open.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Pauses between tries of a commit that fails: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Tries of a commit at the stop. After them what is not in the store is lost, and said so.
const TRIES_AT_STOP: u32 = 10;

pub(super) struct Keeper {
    queue: Arc<Queue>,
    writer: Writer,
    reader: Reader,
    fold: Fold,
    clock: Clock,
    accounts: Live,
    directory: Arc<Directory>,
    seal: Arc<Seal>,
    deliver: mpsc::Sender<deliver::Message>,
    studio: mpsc::Sender<Work>,
    mailboxes: Box<dyn Fn(MailboxFill) + Send>,
    /// Mailboxes in which something changes with the batch.
    touched: BTreeSet<(AccountId, Arc<str>)>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    batch: Batch,
    /// When the batch is to be committed.
    due: Option<Instant>,
    committed_at: Instant,
    beaten_at: Instant,
    stop: Stop,
}

impl Keeper {
    pub(super) fn new(queue: Arc<Queue>, parts: Parts) -> Self {
        let now = Instant::now();
        Self {
            queue,
            writer: parts.writer,
            reader: parts.reader,
            fold: parts.fold,
            clock: parts.clock,
            accounts: parts.accounts,
            directory: Arc::default(),
            seal: parts.seal,
            deliver: parts.deliver,
            studio: parts.studio,
            mailboxes: parts.mailboxes,
            touched: BTreeSet::new(),
            readiness: parts.readiness,
            metrics: parts.metrics,
            batch: Batch::default(),
            due: None,
            committed_at: now,
            beaten_at: now,
            stop: Stop::No,
        }
    }

    pub(super) fn run(mut self) {
        self.refresh_directory();
        loop {
            let taken = self.take();
            self.stop = taken.stop;
            let orders = self.gather(taken);
            let now = Instant::now();
            self.beat(now);
            let is_due = self.due.is_some_and(|due| due <= now);
            if is_due || !orders.is_empty() || self.stop == Stop::Yes {
                self.commit();
            }
            for order in orders {
                self.obey(order);
            }
            if self.stop == Stop::Yes {
                return;
            }
        }
    }

    fn take(&self) -> Taken {
        let beat = self
            .is_alive_worth_telling()
            .then(|| self.beaten_at + HEARTBEAT);
        // What comes soon after a commit is worth no wake-up: mostly a webhook follows it.
        let quiet = self.committed_at + EVENT_WINDOW;
        let quiet = (self.due.is_none() && Instant::now() < quiet).then_some(quiet);
        let until = self.due.into_iter().chain(beat).chain(quiet).min();
        let wake_for = match self.due {
            None if quiet.is_none() => WakeFor::Anything,
            None => WakeFor::Hooks,
            Some(_) if self.batch.deliveries.is_empty() => WakeFor::Hooks,
            Some(_) => WakeFor::Urgent,
        };
        self.queue.take(wake_for, until)
    }

    /// Only open calls need a time of death.
    fn is_alive_worth_telling(&self) -> bool {
        self.fold.open_calls().next().is_some()
    }

    fn beat(&mut self, now: Instant) {
        if self.is_alive_worth_telling() && self.beaten_at + HEARTBEAT <= now {
            self.batch.heartbeat = Some(self.clock.now());
            self.beaten_at = now;
            self.due_by(now);
        }
    }

    /// Folds what was taken into the batch and returns the orders.
    fn gather(&mut self, taken: Taken) -> Vec<Order> {
        let now = Instant::now();
        self.metrics.events_taken.add(taken.items.len() as u64);
        if !taken.items.is_empty() {
            self.refresh_directory();
            for item in taken.items {
                self.fold_item(item);
            }
            // They go at once after a quiet time, else when the window since the last commit is over.
            let stands = |event: &Event| matches!(event.fact, Fact::Stands { .. });
            let tells = !self.batch.deliveries.is_empty() || self.batch.events.iter().any(stands);
            let window = if tells { HOOK_WINDOW } else { EVENT_WINDOW };
            self.due_by((self.committed_at + window).max(now));
        }
        if !taken.attempts.is_empty() {
            self.batch.attempts.extend(taken.attempts);
            self.due_by(now + ATTEMPT_WINDOW);
        }
        taken.orders
    }

    fn fold_item(&mut self, item: Item) {
        let events = match item {
            Item::Event(event) => vec![event],
            Item::CloseCalls { account, at } => lost_by_fault(&self.fold, account, at),
        };
        let outgoing = Outgoing {
            directory: &self.directory,
            seal: &self.seal,
        };
        for event in events {
            let mailbox = mailbox_of(&event.fact).cloned();
            self.touched
                .extend(mailbox.map(|mailbox| (event.account, mailbox)));
            outgoing.fold_in(&mut self.fold, &mut self.batch, event);
        }
    }

    fn refresh_directory(&mut self) {
        let current = self.accounts.current();
        if !Arc::ptr_eq(&current, &self.directory) {
            let hooks = current.plans().flat_map(|plan| &plan.webhooks);
            self.queue
                .set_ticked(hooks.flat_map(|hook| hook.triggers.iter().copied()));
            self.directory = current;
        }
    }

    fn due_by(&mut self, instant: Instant) {
        self.due = Some(self.due.map_or(instant, |due| due.min(instant)));
    }

    fn commit(&mut self) {
        self.due = None;
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let begun = Instant::now();
        let Some(ids) = self.commit_at_last(&batch) else {
            return;
        };
        self.committed_at = Instant::now();
        self.metrics.commits.increment();
        self.metrics.commit_time.add(self.committed_at - begun);
        self.metrics.events_committed.add(batch.events.len() as u64);
        self.metrics.deliveries_created.add(ids.len() as u64);
        self.tell_studio(&batch.recordings);
        for (account, number) in std::mem::take(&mut self.touched) {
            self.recount(account, &number);
        }
        let deliveries = batch.deliveries.into_iter().zip(ids);
        let deliveries: Vec<Delivery> =
            deliveries.map(|(new, id)| first_attempt(new, id)).collect();
        if !deliveries.is_empty() {
            self.tell(deliver::Message::Committed(deliveries));
        }
    }

    /// Tries until the store takes the batch. Only the stop makes it give up.
    fn commit_at_last(&mut self, batch: &Batch) -> Option<Vec<store::DeliveryId>> {
        let mut pause = FIRST_PAUSE;
        for tried in 1_u32.. {
            let error = match self.writer.commit(batch) {
                Ok(ids) => {
                    if tried > 1 {
                        self.readiness.found(ready::Part::Store);
                        tracing::info!(tried, "the store took the batch");
                    }
                    return Some(ids);
                }
                Err(error) => error,
            };
            self.metrics.commits_failed.increment();
            tracing::error!(%error, tried, "a commit failed");
            self.readiness.lost(
                ready::Part::Store,
                format!("events cannot be kept: {error}"),
            );
            if self.queue.is_stopped() && tried >= TRIES_AT_STOP {
                tracing::error!(events = batch.events.len(), "stopped with events not kept");
                return None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        None
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Fetch {
                endpoint,
                part,
                limit,
            } => {
                let most = u32::try_from(limit).unwrap_or(u32::MAX);
                let found = self
                    .reader
                    .pending(endpoint.account, &endpoint.name, part, most);
                match found {
                    Ok(pending) => self.tell(deliver::Message::Fetched {
                        endpoint,
                        part,
                        pending,
                    }),
                    Err(error) => {
                        tracing::error!(%error, "deliveries could not be read");
                        self.tell(deliver::Message::NotFetched {
                            endpoint,
                            part,
                            limit,
                        });
                    }
                }
            }
            Order::Save {
                name,
                document,
                at,
                reply,
            } => {
                let saved = self.writer.save_account(&name, &document, at);
                // Who asked may have gone; the account is saved all the same.
                reply.send(saved).ok();
            }
            Order::RenewLink {
                recording,
                token,
                reply,
            } => drop(reply.send(self.writer.renew_link(recording, &token))),
            Order::WriteSound { write, reply } => {
                drop(reply.send(self.writer.write_sound(&write)));
            }
            // Who asked knows that what it pushed before is committed.
            Order::Settle { reply } => drop(reply.send(Ok(()))),
            Order::SaveMailbox { row, reply } => drop(reply.send(self.writer.save_mailbox(&row))),
            Order::Erase { what, limit, reply } => {
                let erased = self.erase(what, limit);
                // Who asked may have been stopped; the rest is forgotten after the next start.
                reply.send(erased).ok();
            }
        }
    }

    /// Has the audio made of recordings that are over, and that of others deleted. Calls do not wait
    /// for it: what finds no room is done after the next start.
    fn tell_studio(&self, recordings: &[RecordingWrite]) {
        let work = recordings.iter().filter_map(|write| match write {
            RecordingWrite::Close(recording) => Some(Work::Finish(*recording)),
            RecordingWrite::Move {
                recording,
                to: MessageState::Erased,
            } => Some(Work::Erase(*recording)),
            RecordingWrite::Move { .. }
            | RecordingWrite::Begin(_)
            | RecordingWrite::Keep { .. }
            | RecordingWrite::Discard { .. } => None,
        });
        for work in work {
            if let Err(error) = self.studio.try_send(work) {
                tracing::error!(%error, ?work, "too many recordings wait");
            }
        }
    }

    /// Says how much lies in a mailbox now.
    fn recount(&self, account: AccountId, number: &str) {
        match self.reader.mailbox_counts(account, number) {
            Ok(counts) => (self.mailboxes)(MailboxFill {
                account,
                number: number.to_owned(),
                counts,
            }),
            Err(error) => tracing::error!(%error, "a mailbox could not be counted"),
        }
    }

    /// Mailboxes are counted again when recordings are forgotten.
    fn erase(&mut self, what: Erase, limit: u32) -> Result<u64, StoreError> {
        let filled = match what {
            Erase::Recordings { .. } => self.reader.mailboxes()?,
            Erase::Calls { .. } | Erase::Deliveries { .. } | Erase::Events { .. } => Vec::new(),
        };
        let erased = self.writer.erase(what, limit)?;
        if erased > 0 {
            for MailboxFill {
                account, number, ..
            } in filled
            {
                self.recount(account, &number);
            }
        }
        Ok(erased)
    }

    /// Hands over to delivery. It never waits for the ledger, so waiting for it here ends soon; when
    /// it is gone at the stop, the outbox keeps what it was not told.
    fn tell(&self, message: deliver::Message) {
        self.deliver.blocking_send(message).ok();
    }
}

/// The mailbox in which a fact changes something.
fn mailbox_of(fact: &Fact) -> Option<&Arc<str>> {
    match fact {
        Fact::MessageMoved { mailbox, .. } => Some(mailbox),
        Fact::RecordingFinished { finished } => match &finished.purpose {
            Purpose::Voicemail { mailbox, .. } => Some(&mailbox.number),
            Purpose::Inbound { .. } | Purpose::Outbound { .. } | Purpose::Greeting { .. } => None,
        },
        Fact::Arrived { .. }
        | Fact::CallerShown { .. }
        | Fact::UserRinging { .. }
        | Fact::UserAnswered { .. }
        | Fact::UserEnded { .. }
        | Fact::OutboundStarted { .. }
        | Fact::OutboundAnswered { .. }
        | Fact::OutboundEnded { .. }
        | Fact::GroupEntered { .. }
        | Fact::GroupAnswered { .. }
        | Fact::GroupLeft { .. }
        | Fact::ComponentPassed { .. }
        | Fact::RecordingStarted { .. }
        | Fact::RecordingClosed { .. }
        | Fact::RecordingDiscarded { .. }
        | Fact::LegClosed { .. }
        | Fact::Stands { .. }
        | Fact::Ended { .. } => None,
    }
}

/// What closes the open calls of one account after a fault of ours.
pub(super) fn lost_by_fault(fold: &Fold, account: AccountId, at: Time) -> Vec<Event> {
    let mut events = fold.close_lost(at);
    events.retain(|event| event.account == account);
    for event in &mut events {
        if let Fact::Ended { cause } = &mut event.fact {
            *cause = HangupCause::AccountFault;
        }
    }
    events
}

fn first_attempt(new: NewDelivery, id: store::DeliveryId) -> Delivery {
    Delivery {
        id,
        account: new.account,
        endpoint: new.endpoint,
        call: new.call,
        tells: new.tells,
        body: new.body,
        attempts: 0,
        // Due at once, whatever the clock of the event says.
        due: Time::ZERO,
        place: Place::InLane,
    }
}
