//! The numbers that decide what happens in a world, and how durations are drawn from them.

use std::time::Duration;

pub(crate) use pbx::testing::Random;

/// A duration between two numbers of milliseconds.
pub(crate) fn millis(random: &mut Random, least: u32, most: u32) -> Duration {
    Duration::from_millis(random.between(least, most).into())
}

/// A whole number of seconds: coarse, so that two people often do something at the same instant.
pub(crate) fn seconds(random: &mut Random, least: u32, most: u32) -> Duration {
    Duration::from_secs(random.between(least, most).into())
}

/// Another sequence, so that one more draw here does not change everything there.
pub(crate) fn fork(random: &mut Random) -> Random {
    Random::new(random.bits())
}
