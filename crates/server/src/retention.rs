//! Forgetting what is older than the operator wants to keep, in small steps between commits, so that
//! calls do not wait for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clock::Time;
use pbx::{AccountId, Event, Fact, MessageState};
use store::{Erase, Reader};

use crate::clock::Clock;
use crate::directory::{Directory, Live};
use crate::ledger::{Ledger, OrderError};
use crate::recordings;
use crate::settings::Retention;

/// How often what has become old is looked for; first at the start.
const EVERY: Duration = Duration::from_hours(1);
/// Things forgotten in one transaction: some milliseconds of the ledger's thread.
const STEP: u32 = 200;
/// Pause between two steps. The ledger has the greater part of the time for events.
const PAUSE: Duration = Duration::from_millis(50);
const DAY: Duration = Duration::from_hours(24);

/// Forgets until it is aborted; it may be at any time.
pub async fn run(
    settings: Retention,
    (clock, accounts): (Clock, Live),
    (ledger, reader): (Ledger, Reader),
    folder: PathBuf,
) {
    loop {
        let now = clock.now();
        for old in old_messages(now, &accounts.current()) {
            let account = old.0;
            if let Err(error) = erase_messages((&ledger, &reader), old, now).await {
                tracing::warn!(%error, account = account.0, "old messages could not be erased");
            }
        }
        let old = old(&settings, clock.now(), &accounts.current());
        if let Err(error) = forget_all(&ledger, &folder, old).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "not everything that is old was forgotten");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Deletes the audio whose rows are forgotten, and what a stop in between has left.
async fn delete_audio(folder: &Path, before: Time) {
    let folder = folder.to_owned();
    let deleted = tokio::task::spawn_blocking(move || recordings::delete_before(&folder, before));
    if let Ok(Err(error)) = deleted.await {
        tracing::warn!(%error, "the audio of old recordings could not be deleted");
    }
}

/// Whose messages are too old now, and which.
fn old_messages(now: Time, directory: &Directory) -> Vec<(AccountId, Time)> {
    let plans = directory.plans();
    plans
        .filter_map(|plan| {
            let kept = DAY * plan.voicemail.keep_days?;
            let before = Time::ZERO + now.since(Time::ZERO).saturating_sub(kept);
            Some((plan.account, before))
        })
        .collect()
}

/// Erases old messages as if their users had: audio, link and count go with them.
async fn erase_messages(
    (ledger, reader): (&Ledger, &Reader),
    (account, before): (AccountId, Time),
    now: Time,
) -> anyhow::Result<()> {
    loop {
        let reader = reader.clone();
        let find = move || reader.old_messages(account, before, STEP);
        let old = tokio::task::spawn_blocking(find).await??;
        if old.is_empty() {
            return Ok(());
        }
        let count = old.len();
        let erased = old.into_iter().map(|(recording, mailbox)| Event {
            at: now,
            account,
            call: recording.call(),
            fact: Fact::MessageMoved {
                recording,
                mailbox: mailbox.into(),
                to: MessageState::Erased,
            },
        });
        anyhow::ensure!(ledger.push(erased) == 0, "the ledger has no room");
        ledger.settle().await?;
        tracing::info!(account = account.0, count, "old messages were erased");
        tokio::time::sleep(PAUSE).await;
    }
}

/// What is to be forgotten now.
fn old(settings: &Retention, now: Time, directory: &Directory) -> Vec<Erase> {
    let before = |days: u32| {
        let kept = DAY * days;
        (days > 0).then(|| Time::ZERO + now.since(Time::ZERO).saturating_sub(kept))
    };
    let calls = before(settings.calls_days);
    let of_accounts = directory.plans().filter_map(|plan| {
        Some(Erase::Calls {
            account: plan.account,
            before: calls?,
        })
    });
    let mut old: Vec<Erase> = of_accounts.collect();
    let recordings = before(settings.recordings_days).max(calls);
    old.extend(recordings.map(|before| Erase::Recordings { before }));
    // Of a call that is forgotten nothing stays, also when it never rang a user and has no row.
    let events = before(settings.events_days).max(calls);
    old.extend(events.map(|before| Erase::Events { before }));
    let deliveries = before(settings.deliveries_days);
    old.extend(deliveries.map(|before| Erase::Deliveries { before }));
    old
}

async fn forget_all(ledger: &Ledger, folder: &Path, old: Vec<Erase>) -> Result<(), OrderError> {
    for what in old {
        let forgotten = forget(ledger, what).await?;
        if let Erase::Recordings { before } = what {
            delete_audio(folder, before).await;
        }
        if forgotten > 0 {
            tracing::info!(?what, forgotten, "what is old was forgotten");
        }
    }
    Ok(())
}

/// Steps until one finds less than it may take.
async fn forget(ledger: &Ledger, what: Erase) -> Result<u64, OrderError> {
    let mut forgotten = 0;
    loop {
        let step = ledger.erase(what, STEP).await?;
        forgotten += step;
        if step < STEP.into() {
            return Ok(forgotten);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{ACCOUNT, directory};

    fn day(number: u64) -> Time {
        Time::from_secs(number * DAY.as_secs())
    }

    #[test]
    fn what_is_older_than_its_days_is_old() {
        let directory = directory(&serde_json::json!([]));
        let calls = |before| Erase::Calls {
            account: ACCOUNT,
            before,
        };
        let events = |before| Erase::Events { before };
        let deliveries = |before| Erase::Deliveries { before };
        let recordings = |before| Erase::Recordings { before };
        let cases = [
            ((0, 0, 0), vec![]),
            ((0, 0, 30), vec![deliveries(day(70))]),
            ((0, 10, 0), vec![events(day(90))]),
            (
                (40, 0, 0),
                vec![calls(day(60)), recordings(day(60)), events(day(60))],
            ),
            (
                (40, 10, 0),
                vec![calls(day(60)), recordings(day(60)), events(day(90))],
            ),
            (
                (10, 40, 0),
                vec![calls(day(90)), recordings(day(90)), events(day(90))],
            ),
            ((0, 0, 1_000), vec![deliveries(day(0))]),
        ];
        for ((calls_days, events_days, deliveries_days), expect) in cases {
            let settings = Retention {
                calls_days,
                recordings_days: 0,
                events_days,
                deliveries_days,
            };
            assert_eq!(old(&settings, day(100), &directory), expect, "{settings:?}");
        }
        let settings = Retention {
            recordings_days: 20,
            deliveries_days: 0,
            ..Retention::default()
        };
        assert_eq!(old(&settings, day(100), &directory), [recordings(day(80))]);
    }
}
