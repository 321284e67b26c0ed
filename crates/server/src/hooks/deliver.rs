//! The shell around the lane scheduler: makes its attempts, hands its results to the ledger.
//!
//! One task owns the scheduler. It never waits for the ledger nor for a receiver, so whoever hands
//! something to it waits for a moment at most.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::Time;
use hyper::StatusCode;
use pbx::CallId;
use store::{AttemptResult, Backlog, Delivery, DeliveryId, Part, Pending, Tells};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::client::{Answer, Client, IDLE_TIME, PostError};
use super::destination::Destination;
use super::guard::Guard;
use super::lanes::{Effect, EndpointKey, Input, Lanes, Outcome};
use super::request::{Prepared, prepare};
use super::trust::Trust;
use crate::account::Seal;
use crate::clock::Clock;
use crate::directory::Live;
use crate::dns::Dns;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::settings::Hooks;

/// Messages that may wait for the task.
pub const CAPACITY_MESSAGES: usize = 1_024;
/// Messages taken before results are handed on.
const TURN_MESSAGES: usize = 256;
/// Pause before the store is read again after it failed.
const FETCH_PAUSE: Duration = Duration::from_secs(1);
/// How long attempts in progress are waited for at the stop.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// Letters of an error that are kept.
const MAX_ERROR_CHARS: usize = 300;

/// What the ledger tells.
#[derive(Debug)]
pub enum Message {
    /// Deliveries that were committed just now.
    Committed(Vec<Delivery>),
    /// At start: endpoints with deliveries of before.
    Backlogs(Vec<Backlog>),
    /// What was fetched.
    Fetched {
        /// The endpoint.
        endpoint: EndpointKey,
        /// What was asked for.
        part: Part,
        /// What there is.
        pending: Pending,
    },
    /// The store could not be read.
    NotFetched {
        /// The endpoint.
        endpoint: EndpointKey,
        /// What was asked for.
        part: Part,
        /// How many.
        limit: usize,
    },
}

/// What delivery works with.
pub struct Parts {
    /// The clock.
    pub clock: Clock,
    /// Where endpoints lead now.
    pub accounts: Live,
    /// Who keeps results.
    pub ledger: Ledger,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Names to addresses.
    pub dns: Dns,
    /// Whose certificates are believed.
    pub trust: Arc<Trust>,
    /// Opens kept destinations.
    pub seal: Arc<Seal>,
}

/// Delivers until `stop` changes; what is in flight then is tried again after the next start.
pub async fn run(
    parts: Parts,
    settings: Hooks,
    mut messages: mpsc::Receiver<Message>,
    mut stop: watch::Receiver<()>,
) {
    let guard = Guard::new(settings.allow.clone());
    let client = Client::new(guard, parts.dns.clone(), Arc::clone(&parts.trust));
    let attempts = JoinSet::new();
    let client = Arc::new(client);
    let settings = Arc::new(settings);
    let mut task = Task {
        lanes: Lanes::default(),
        results: Vec::new(),
        parts,
        client,
        settings,
        attempts,
        next_sweep: None,
    };
    loop {
        let nap = task.nap();
        tokio::select! {
            _ = stop.changed() => break,
            message = messages.recv() => match message {
                None => break,
                Some(message) => task.told(message),
            },
            Some(done) = task.attempts.join_next() => task.done(done),
            () = tokio::time::sleep(nap.unwrap_or_default()), if nap.is_some() => task.wake(),
        }
        for _ in 0..TURN_MESSAGES {
            let Ok(message) = messages.try_recv() else {
                break;
            };
            task.told(message);
        }
        while let Some(done) = task.attempts.try_join_next() {
            task.done(done);
        }
        task.hand_over();
    }
    task.finish().await;
}

struct Task {
    lanes: Lanes,
    results: Vec<AttemptResult>,
    parts: Parts,
    client: Arc<Client>,
    settings: Arc<Hooks>,
    attempts: JoinSet<Done>,
    /// When kept connections are looked through; none is kept when there is no such time.
    next_sweep: Option<Instant>,
}

/// An attempt that is over.
struct Done {
    endpoint: EndpointKey,
    call: CallId,
    id: DeliveryId,
    outcome: Outcome,
    status: Option<u16>,
    error: Option<String>,
}

impl Task {
    /// How long nothing needs to be done by itself.
    fn nap(&self) -> Option<Duration> {
        let lanes = self.lanes.deadline();
        let lanes = lanes.map(|time| self.parts.clock.until(time));
        let sweep = self.next_sweep;
        let sweep = sweep.map(|at| at.saturating_duration_since(Instant::now()));
        lanes.into_iter().chain(sweep).min()
    }

    /// Waits a moment for attempts that are on their way: a receiver that has the body already should
    /// not get it again after the next start, only because nobody waited for its answer.
    async fn finish(&mut self) {
        let all = async {
            while let Some(done) = self.attempts.join_next().await {
                self.done(done);
            }
        };
        if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
            self.attempts.shutdown().await;
        }
        self.hand_over();
    }

    fn wake(&mut self) {
        let now = Instant::now();
        if self.next_sweep.is_some_and(|at| at <= now) {
            let left = self.client.sweep();
            self.next_sweep = (left > 0).then(|| now + IDLE_TIME);
        }
        self.step(Input::Wake);
    }

    fn told(&mut self, message: Message) {
        match message {
            Message::Committed(deliveries) => {
                for delivery in deliveries {
                    self.step(Input::Arrived(delivery));
                }
            }
            Message::Backlogs(backlogs) => {
                for Backlog {
                    account,
                    endpoint: name,
                    next_late,
                } in backlogs
                {
                    let endpoint = EndpointKey { account, name };
                    self.step(Input::Backlog {
                        endpoint,
                        next_late,
                    });
                }
            }
            Message::Fetched {
                endpoint,
                part,
                pending,
            } => {
                let Pending {
                    deliveries,
                    next_late,
                } = pending;
                self.step(Input::Fetched {
                    endpoint,
                    part,
                    deliveries,
                    next_late,
                });
            }
            Message::NotFetched {
                endpoint,
                part,
                limit,
            } => {
                let ledger = self.parts.ledger.clone();
                // Owned by the set: it ends with it.
                self.attempts.spawn(async move {
                    tokio::time::sleep(FETCH_PAUSE).await;
                    ledger.fetch(endpoint.clone(), part, limit);
                    Done::nothing(endpoint)
                });
            }
        }
    }

    fn done(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let done = match done {
            Ok(done) => done,
            // An attempt that panics would hold its lane: it is a fault, told loudly.
            Err(error) => return tracing::error!(%error, "a delivery attempt broke off"),
        };
        self.next_sweep
            .get_or_insert_with(|| Instant::now() + IDLE_TIME);
        let at = self.parts.clock.now();
        let Done {
            endpoint,
            call,
            id,
            outcome,
            status,
            error,
        } = done;
        for effect in self.lanes.handle(
            at,
            Input::Finished {
                endpoint,
                call,
                id,
                outcome,
            },
        ) {
            match effect {
                Effect::Record { id, fate } => {
                    self.count(fate);
                    let (status, error) = (status, error.clone());
                    self.results.push(AttemptResult {
                        delivery: id,
                        at,
                        fate,
                        status,
                        error,
                    });
                }
                Effect::Post(_) | Effect::Fetch { .. } => self.perform(at, effect),
            }
        }
    }

    fn step(&mut self, input: Input) {
        let now = self.parts.clock.now();
        for effect in self.lanes.handle(now, input) {
            self.perform(now, effect);
        }
    }

    fn perform(&mut self, now: Time, effect: Effect) {
        match effect {
            Effect::Post(delivery) => self.post(now, delivery),
            Effect::Fetch {
                endpoint,
                part,
                limit,
            } => {
                // Results come first, so that what is read is as they left it.
                self.hand_over();
                self.parts.ledger.fetch(endpoint, part, limit);
            }
            // Only a finished attempt is recorded, and `done` sees to that.
            Effect::Record { .. } => {}
        }
    }

    fn post(&mut self, now: Time, delivery: Delivery) {
        self.parts.metrics.attempts_started.increment();
        let destination = self.destination(&delivery);
        let prepared = destination.and_then(|to| prepare(&to, &delivery, now, &self.settings));
        let (client, clock) = (Arc::clone(&self.client), self.parts.clock.clone());
        self.attempts.spawn(async move {
            let key = EndpointKey::of(&delivery);
            let (outcome, status, error) = match prepared {
                Err(error) => (Outcome::Rejected, None, Some(error)),
                Ok(Prepared {
                    target,
                    request,
                    patience,
                }) => {
                    let answer = client.post(&key, &target, request, patience).await;
                    judge(answer, clock.now())
                }
            };
            let error = error.map(|text| text.chars().take(MAX_ERROR_CHARS).collect());
            Done {
                endpoint: key,
                call: delivery.call,
                id: delivery.id,
                outcome,
                status,
                error,
            }
        });
    }

    /// Where it goes, or why nowhere.
    fn destination(&self, delivery: &Delivery) -> Result<Destination, String> {
        match &delivery.tells {
            Tells::Trigger(_) => {
                let directory = self.parts.accounts.current();
                let endpoint = directory.endpoint(delivery.account, &delivery.endpoint);
                let endpoint = endpoint.map(Destination::from);
                endpoint.ok_or_else(|| "the endpoint was taken away".to_owned())
            }
            Tells::Component { destination } => Destination::open(destination, &self.parts.seal)
                .map_err(|error| told_with_causes(&error)),
        }
    }

    fn count(&self, fate: store::Fate) {
        let metrics = &self.parts.metrics;
        match fate {
            store::Fate::Delivered => metrics.attempts_delivered.increment(),
            store::Fate::Again { .. } => metrics.attempts_retried.increment(),
            store::Fate::Failed => metrics.attempts_failed.increment(),
        }
    }

    fn hand_over(&mut self) {
        if !self.results.is_empty() {
            self.parts.ledger.record(std::mem::take(&mut self.results));
        }
    }
}

impl Done {
    /// The end of a task that was no attempt: no lane waits for it.
    fn nothing(endpoint: EndpointKey) -> Self {
        Self {
            endpoint,
            call: CallId(0),
            id: DeliveryId(0),
            outcome: Outcome::Rejected,
            status: None,
            error: None,
        }
    }
}

/// What an answer, or none, means for the delivery (contract §2.3).
fn judge(answer: Result<Answer, PostError>, now: Time) -> (Outcome, Option<u16>, Option<String>) {
    match answer {
        Err(error) => (
            Outcome::Retry { after: None },
            None,
            Some(told_with_causes(&error)),
        ),
        Ok(Answer {
            status,
            retry_after,
        }) => {
            let may_pass = status.is_server_error()
                || status == StatusCode::REQUEST_TIMEOUT
                || status == StatusCode::TOO_MANY_REQUESTS;
            let outcome = if status.is_success() {
                Outcome::Delivered
            } else if may_pass {
                let after = retry_after.map(|after| after.from(now));
                Outcome::Retry { after }
            } else {
                Outcome::Rejected
            };
            (outcome, Some(status.as_u16()), None)
        }
    }
}

fn told_with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests;
