//! What is counted, and its Prometheus text. Every counter of beginnings has one of ends.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts so many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts one more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// The count.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Time spent, summed up.
#[derive(Debug, Default)]
pub struct TimeSum(AtomicU64);

impl TimeSum {
    /// Adds so much.
    pub fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

/// The kinds of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A value of another part of the server, read when metrics are asked for.
struct Source {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// The counters of the server's shells. The engine's come in through [`Metrics::source`].
#[derive(Default)]
pub struct Metrics {
    /// Events that the ledger took.
    pub events_taken: Counter,
    /// Events that are committed.
    pub events_committed: Counter,
    /// Events that found no room in the ledger.
    pub events_lost: Counter,
    /// Transactions committed.
    pub commits: Counter,
    /// Transactions that failed and were tried again.
    pub commits_failed: Counter,
    /// Time spent in commits.
    pub commit_time: TimeSum,
    /// Deliveries put into the outbox.
    pub deliveries_created: Counter,
    /// Attempts begun.
    pub attempts_started: Counter,
    /// Attempts that a receiver took.
    pub attempts_delivered: Counter,
    /// Attempts that will be made again.
    pub attempts_retried: Counter,
    /// Deliveries given up.
    pub attempts_failed: Counter,
    /// Recordings that were over and taken in.
    pub recordings_taken: Counter,
    /// Recordings whose audio is kept.
    pub recordings_kept: Counter,
    /// Recordings of which nothing is left.
    pub recordings_discarded: Counter,
    /// Mails begun.
    pub mails_started: Counter,
    /// Mails that a mail server took.
    pub mails_sent: Counter,
    /// Mails given up.
    pub mails_failed: Counter,
    /// HTTP requests begun.
    pub requests_started: Counter,
    /// HTTP requests answered.
    pub requests_answered: Counter,
    sources: Mutex<Vec<Source>>,
}

impl Metrics {
    /// Adds a value that is read whenever metrics are asked for.
    pub fn source(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let read = Box::new(read);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.push(Source {
            name,
            help,
            kind,
            read,
        });
    }

    /// All values in Prometheus's text form.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(4096);
        let groups = [
            &self.ledger()[..],
            &self.hooks()[..],
            &self.recordings()[..],
            &self.edges()[..],
        ];
        for (name, help, counter) in groups.into_iter().flatten() {
            let name = format!("switchhook_{name}_total");
            family(&mut text, (&name, help, Kind::Counter), counter.value());
        }
        let seconds = Duration::from_micros(self.commit_time.0.load(Ordering::Relaxed));
        let name = "switchhook_commit_seconds_total";
        family(
            &mut text,
            (name, "Time spent in commits.", Kind::Counter),
            seconds.as_secs_f64(),
        );
        for source in self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            family(
                &mut text,
                (source.name, source.help, source.kind),
                (source.read)(),
            );
        }
        text
    }

    fn ledger(&self) -> [Named<'_>; 6] {
        [
            (
                "events_taken",
                "Events that the ledger took.",
                &self.events_taken,
            ),
            (
                "events_committed",
                "Events committed.",
                &self.events_committed,
            ),
            (
                "events_lost",
                "Events that found no room.",
                &self.events_lost,
            ),
            ("commits", "Transactions committed.", &self.commits),
            (
                "commits_failed",
                "Transactions that failed.",
                &self.commits_failed,
            ),
            (
                "deliveries_created",
                "Webhooks to be sent.",
                &self.deliveries_created,
            ),
        ]
    }

    fn hooks(&self) -> [Named<'_>; 4] {
        [
            (
                "attempts_started",
                "Webhook attempts begun.",
                &self.attempts_started,
            ),
            (
                "attempts_delivered",
                "Attempts that were taken.",
                &self.attempts_delivered,
            ),
            (
                "attempts_retried",
                "Attempts to be made again.",
                &self.attempts_retried,
            ),
            (
                "attempts_failed",
                "Webhooks given up.",
                &self.attempts_failed,
            ),
        ]
    }

    fn recordings(&self) -> [Named<'_>; 6] {
        [
            (
                "recordings_taken",
                "Recordings that were over and taken in.",
                &self.recordings_taken,
            ),
            (
                "recordings_kept",
                "Recordings whose audio is kept.",
                &self.recordings_kept,
            ),
            (
                "recordings_discarded",
                "Recordings of which nothing is left: too short, silent or lost.",
                &self.recordings_discarded,
            ),
            ("mails_started", "Mails begun.", &self.mails_started),
            (
                "mails_sent",
                "Mails that a mail server took.",
                &self.mails_sent,
            ),
            ("mails_failed", "Mails given up.", &self.mails_failed),
        ]
    }

    fn edges(&self) -> [Named<'_>; 2] {
        [
            (
                "requests_started",
                "HTTP requests begun.",
                &self.requests_started,
            ),
            (
                "requests_answered",
                "HTTP requests answered.",
                &self.requests_answered,
            ),
        ]
    }
}

/// Name, help and value of a counter.
type Named<'a> = (&'static str, &'static str, &'a Counter);

fn family(
    text: &mut String,
    (name, help, kind): (&str, &str, Kind),
    value: impl std::fmt::Display,
) {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    // Writing to a String cannot fail.
    write!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
    )
    .ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_names_explains_and_tells() {
        let metrics = Metrics::default();
        metrics.commits.add(2);
        metrics.commit_time.add(Duration::from_millis(1_500));
        metrics.source("switchhook_calls", "Calls now.", Kind::Gauge, || 7);
        let text = metrics.render();
        for expect in [
            "# HELP switchhook_commits_total Transactions committed.\n# TYPE switchhook_commits_total counter\nswitchhook_commits_total 2\n",
            "switchhook_commit_seconds_total 1.5\n",
            "# TYPE switchhook_calls gauge\nswitchhook_calls 7\n",
        ] {
            assert!(text.contains(expect), "{text}");
        }
    }
}
