//! P11 and P12: webhooks from an event to the receiver, through the committed outbox.
//!
//! Ledger and delivery as the server runs them, with a store on the disk and a receiver on a socket of
//! this machine. First as fast as it goes, then at 50 calls/s for the delay; the processor time is that
//! of the ledger's and the delivery's threads, without the receiver.
//!
//! `cargo run --release -p switchhook --example hooks [FOLDER]`; a folder on tmpfs leaves the disk out.
#![expect(
    clippy::print_stdout,
    reason = "a program that measures tells what it found"
)]

mod receiver;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pbx::{CallId, Direction, Fact, HangupCause, UserRef};

use receiver::Arrival;
use world::{Ticks, World};

/// Calls of the saturated run.
const SATURATED_CALLS: u32 = 10_000;
/// Calls whose webhooks are under way at once in it.
const CALLS_AT_ONCE: u32 = 200;
/// How long it waits when so many are under way.
const SATURATED_PAUSE: Duration = Duration::from_micros(200);
/// Calls of the paced run, one each 20 ms.
const PACED_CALLS: u32 = 1_000;
const PACE: Duration = Duration::from_millis(20);
/// Time between the events of one call in it: they meet those of other calls.
const STEP: Duration = Duration::from_millis(7);

fn main() -> Result<()> {
    let given = std::env::args().nth(1);
    let parent = given.map_or_else(std::env::temp_dir, Into::into);
    for ticks in [Ticks::Completed, Ticks::All] {
        println!("the endpoint ticks {}", ticks.json());
        saturated(&parent, ticks)?;
        paced(&parent, ticks)?;
    }
    Ok(())
}

/// As many events as get through.
fn saturated(parent: &Path, ticks: Ticks) -> Result<()> {
    let world = World::start(parent, ticks)?;
    let begun = Instant::now();
    for call in 0..SATURATED_CALLS {
        while call * ticks.per_call() >= world.received() + CALLS_AT_ONCE * ticks.per_call() {
            std::thread::sleep(SATURATED_PAUSE);
        }
        for fact in facts() {
            world.emit(call.into(), fact);
        }
    }
    let wanted = SATURATED_CALLS * ticks.per_call();
    let arrivals = world.wait_for(wanted)?;
    let last = arrivals.iter().map(|arrival| arrival.at).max();
    let took = last.context("some arrived")? - begun;
    println!(
        "  P11: {:.0} webhooks/s, each committed before it was sent",
        f64::from(wanted) / took.as_secs_f64()
    );
    world.end(SATURATED_CALLS)
}

/// 50 calls/s, each event at its own instant.
fn paced(parent: &Path, ticks: Ticks) -> Result<()> {
    let world = World::start(parent, ticks)?;
    let mut happened: BTreeMap<(String, String), Instant> = BTreeMap::new();
    let begun = Instant::now();
    for (at, call, fact) in timetable() {
        std::thread::sleep(at.saturating_sub(begun.elapsed()));
        if let Some(trigger) = fact.trigger() {
            let key = (CallId(call).to_string(), trigger.name().to_owned());
            happened.insert(key, Instant::now());
        }
        world.emit(call, fact);
    }
    let arrivals = world.wait_for(PACED_CALLS * ticks.per_call())?;
    let delay = |arrival: &Arrival| Some(arrival.at - *happened.get(&key_of(arrival)?)?);
    let mut delays: Vec<Duration> = arrivals.iter().filter_map(delay).collect();
    delays.sort();
    let percentile = |share: usize| delays.get(delays.len() * share / 100).copied();
    println!(
        "  P12: at 50 calls/s, from the event to the POST: p50 {:.1?}, p99 {:.1?} of {}",
        percentile(50).unwrap_or_default(),
        percentile(99).unwrap_or_default(),
        delays.len()
    );
    world.end(PACED_CALLS)
}

/// What happens when in the paced run.
fn timetable() -> Vec<(Duration, u64, Fact)> {
    let mut timetable = Vec::new();
    for call in 0..PACED_CALLS {
        let steps = facts().into_iter().zip(0..);
        timetable.extend(steps.map(|(fact, step)| (PACE * call + STEP * step, call.into(), fact)));
    }
    timetable.sort_by_key(|(at, ..)| *at);
    timetable
}

/// Call and type of a webhook.
fn key_of(arrival: &Arrival) -> Option<(String, String)> {
    let body: serde_json::Value = serde_json::from_slice(&arrival.body).ok()?;
    let text = |key: &str| Some(body.get(key)?.as_str()?.to_owned());
    Some((text("unique_call_id")?, text("type")?))
}

/// A call that rings, is answered and ends.
fn facts() -> [Fact; 5] {
    let user = UserRef {
        number: "1010".into(),
        name: "John Smith".into(),
    };
    [
        Fact::Arrived {
            direction: Direction::Inbound,
            caller_id: Some("61300000000".to_owned()),
            caller_name: None,
            dest_number: "61298765432".to_owned(),
        },
        Fact::UserRinging {
            user: user.clone(),
            queue: None,
            ring_group: None,
        },
        Fact::UserAnswered { user: user.clone() },
        Fact::UserEnded { user },
        Fact::Ended {
            cause: HangupCause::Normal,
        },
    ]
}
