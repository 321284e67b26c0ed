//! Runs the world of a seed and says what came of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use pbx::testing::walk;
use pbx::{Effect, Fact, HangupCause};

use crate::Broken;
use crate::ladder::Ladder;
use crate::network::Weather;
use crate::planted::Planted;
use crate::random::{Random, seconds};
use crate::world::{Ground, World};

/// How much of the program is in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One account, told anything in any order.
    Pbx,
    /// The engine with its SIP bytes, phones, carriers and a network.
    Engine,
}

/// Whether the ladder is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It is not: faster.
    Silent,
    /// It is.
    Ladder,
}

/// What came of a world.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Calls that came to their end.
    pub calls: u64,
    /// Times that two parties were found to hear each other.
    pub heard: u64,
    /// What the node did, as one number.
    pub digest: u64,
    /// The rule that does not hold.
    pub broken: Option<Broken>,
    /// What happened, if it was kept.
    pub ladder: String,
}

/// Steps of a walk through an account.
const STEPS: u32 = 400;

/// Runs the world of a seed, with a bug in it or without.
pub fn run(level: Level, seed: u64, planted: Option<Planted>, telling: Telling) -> Outcome {
    match level {
        Level::Pbx => run_pbx(seed, planted),
        Level::Engine => run_engine(seed, planted, telling),
    }
}

fn run_pbx(seed: u64, planted: Option<Planted>) -> Outcome {
    let mut digest = 0_u64;
    let mut calls = 0;
    let walked = catch_unwind(AssertUnwindSafe(|| {
        walk(seed, STEPS, &mut |effects| {
            for effect in &effects {
                let ended = matches!(effect, Effect::Emit(event) if is_end(&event.fact));
                calls += u64::from(ended);
                let bytes = format!("{effect:?}");
                digest = bytes.bytes().fold(digest, |sum, byte| {
                    sum.wrapping_mul(31).wrapping_add(byte.into())
                });
            }
            effects
                .into_iter()
                .flat_map(|effect| spoilt(planted, effect))
                .collect()
        })
    }));
    let broken = match walked {
        Ok(Ok(_)) => None,
        Ok(Err(broken)) => Some(Broken::new(broken)),
        Err(panic) => Some(panicked(&*panic)),
    };
    Outcome {
        calls,
        heard: 0,
        digest,
        broken,
        ladder: String::new(),
    }
}

fn is_end(fact: &Fact) -> bool {
    matches!(fact, Fact::Ended { .. })
}

/// A planted bug as far as an account can have it.
fn spoilt(planted: Option<Planted>, effect: Effect) -> Vec<Effect> {
    let copies = match (planted, &effect) {
        (Some(Planted::AttemptNeverEnds), Effect::Emit(event)) => {
            usize::from(!matches!(event.fact, Fact::UserEnded { .. }))
        }
        (Some(Planted::CallNeverEnds), Effect::Emit(event)) => usize::from(!is_end(&event.fact)),
        (Some(Planted::CallEndsTwice), Effect::Emit(event)) => 1 + usize::from(is_end(&event.fact)),
        (Some(Planted::NoCancel), Effect::HangUp { cause, .. }) => {
            usize::from(*cause != HangupCause::AnsweredElsewhere)
        }
        _ => 1,
    };
    std::iter::repeat_n(effect, copies).collect()
}

fn run_engine(seed: u64, planted: Option<Planted>, telling: Telling) -> Outcome {
    let mut random = Random::new(seed);
    let weather = Weather::draw(&mut random);
    let is_short_of_ports = random.percent(15);
    let length = if random.percent(5) {
        seconds(&mut random, 600, 1_200)
    } else {
        seconds(&mut random, 40, 150)
    };
    let mut world = World::new(Ground {
        seed,
        weather,
        port_pairs: if is_short_of_ports { 14 } else { 1_000 },
        planted,
        ladder: match telling {
            Telling::Silent => Ladder::default(),
            Telling::Ladder => Ladder::wanted(),
        },
    });
    let lived = catch_unwind(AssertUnwindSafe(|| live(&mut world, length)));
    let broken = match lived {
        Ok(lived) => lived.err(),
        Err(panic) => Some(panicked(&*panic)),
    };
    let names: Vec<String> = world
        .parties
        .iter()
        .map(|party| party.name.clone())
        .collect();
    Outcome {
        calls: world.story.count(),
        heard: world.audio.heard,
        digest: world.digest(),
        broken,
        ladder: world.ladder.list(&names),
    }
}

fn live(world: &mut World, length: Duration) -> Result<(), Broken> {
    world.populate(length)?;
    world.run_until(world.now + length)?;
    world.come_to_rest()
}

fn panicked(panic: &(dyn Any + Send)) -> Broken {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Broken::new(format!("a panic: {}", text.unwrap_or("without words")))
}
