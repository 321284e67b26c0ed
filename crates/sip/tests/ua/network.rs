//! Many seeds of bad weather: whatever is lost, doubled or overtaken, and whoever does what when,
//! every call ends exactly once on both sides and nothing is left.

use std::collections::BTreeSet;
use std::time::Duration;

use sip::{Answer, DialogId, Event};

use crate::world::{Fate, START, Weather, World, open};

/// Seeds of one run.
const SEEDS: u64 = 400;
/// Seeds that once broke a rule.
const KEPT: [u64; 2] = [
    3_238, // News of a call that its owner had given up.
    7_992, // A Contact that makes no Request-URI.
];
/// Calls of one seed.
const CALLS: u64 = 4;
/// When everybody who still talks hangs up; some seeds leave time for refreshes.
const CLOSING: [Duration; 2] = [Duration::from_mins(6), Duration::from_mins(50)];
/// Longer than a session can live without a refresh, and everything after it.
const AFTERWARDS: Duration = Duration::from_mins(40);

/// One run of a seed.
fn run(seed: u64) -> World {
    let mut world = World::new(seed, 3);
    world.weather = Weather {
        loss_percent: world.dice.below(35),
        duplicate_percent: world.dice.below(20),
        mangle_percent: if seed.is_multiple_of(4) { 8 } else { 0 },
        delay_ms: (1, 2 + world.dice.below(700)),
    };
    if world.dice.percent(30) {
        black_out(&mut world);
    }
    for _ in 0..CALLS {
        let after = world.dice.millis(0..20_000);
        world.later(after, |world| {
            let from = usize::try_from(world.dice.below(3)).unwrap();
            let dialog = world.call(from, (from + 1) % 3);
            live(world, from, dialog);
        });
    }
    let closing = CLOSING[usize::from(world.dice.percent(30))];
    world.later(closing, |world| {
        for (agent, dialog) in world.begun.clone() {
            world.with(agent, |ua, now| ua.hang_up(now, dialog, None));
        }
    });
    world.run(closing + AFTERWARDS, react);
    world
}

/// Nothing arrives for a while, or ever again.
fn black_out(world: &mut World) {
    let from = START + world.dice.millis(0..60_000);
    let length = if world.dice.percent(50) {
        3_600_000
    } else {
        40_000
    };
    let until = from + world.dice.millis(1_000..length);
    world.fault(move |now, _| {
        let is_out = from <= now && now < until;
        if is_out { Fate::Lost } else { Fate::Arrives }
    });
}

/// What an agent does with a call at times of its own choice.
fn live(world: &mut World, agent: usize, dialog: DialogId) {
    for _ in 0..world.dice.below(4) {
        let after = world.dice.millis(0..90_000);
        world.later(after, move |world| {
            let choice = world.dice.below(10);
            world.with(agent, |ua, now| match choice {
                0..4 => ua.offer(now, dialog, format!("offer {choice}").into_bytes()),
                4..7 => ua.hang_up(now, dialog, None),
                _ => ua.info(now, dialog, "application/dtmf-relay", b"Signal=1".to_vec()),
            });
        });
    }
}

fn react(world: &mut World, agent: usize, event: Event) {
    match event {
        Event::Request(incoming) => {
            if let Some(dialog) = open(world, agent, &incoming) {
                live(world, agent, dialog);
                be_called(world, agent, dialog);
            }
        }
        Event::Offered { dialog, .. } | Event::OfferWanted { dialog } => {
            let after = world.dice.millis(0..3_000);
            let accepts = world.dice.percent(80);
            world.later(after, move |world| {
                world.with(agent, |ua, now| {
                    if accepts {
                        ua.answer(now, dialog, b"answer".to_vec())
                    } else {
                        ua.refuse(now, dialog, 488)
                    }
                });
            });
        }
        _ => {}
    }
}

fn be_called(world: &mut World, agent: usize, dialog: DialogId) {
    if world.dice.percent(60) {
        let sdp = world.dice.percent(50).then(|| b"early".to_vec());
        world.with(agent, |ua, now| ua.progress(now, dialog, 180, sdp));
    }
    let after = world.dice.millis(0..8_000);
    let choice = world.dice.below(10);
    world.later(after, move |world| {
        world.with(agent, |ua, now| match choice {
            0 => Vec::new(), // Nobody hears it ring.
            1..3 => ua.reject(now, dialog, Answer::code(486)),
            _ => ua.accept(now, dialog, b"answer".to_vec()),
        });
    });
}

fn begins(event: &Event) -> bool {
    matches!(event, Event::Accepted { .. } | Event::Established { .. })
}

/// The name of what happened, without its particulars.
fn kind(event: &Event) -> String {
    let text = match event {
        Event::Ended { cause, .. } => format!("{cause:?}"),
        other => format!("{other:?}"),
    };
    let end = text.find([' ', '(', '{']).unwrap_or(text.len());
    text[..end].to_owned()
}

#[test]
fn every_call_ends_once_in_any_weather() {
    let mut seen = BTreeSet::new();
    for seed in (0..SEEDS).chain(KEPT) {
        let world = run(seed);
        world.assert_ended_once();
        for (agent, dialog) in &world.begun {
            let told = world.told(*agent, *dialog);
            let beginnings = told.iter().filter(|event| begins(event)).count();
            assert!(beginnings <= 1, "seed {seed}: {told:#?}");
            seen.extend(told.into_iter().map(kind));
        }
    }
    // The weather was bad enough for everything that can happen.
    let all = [
        "Accepted",
        "Bye",
        "Cancelled",
        "DialogLost",
        "Established",
        "HungUp",
        "Info",
        "NoAck",
        "OfferAnswered",
        "OfferRefused",
        "Offered",
        "Provisional",
        "Refused",
        "SessionExpired",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn a_seed_decides_everything() {
    for seed in [1, 2, 3] {
        assert_eq!(run(seed).ladder, run(seed).ladder);
    }
}
