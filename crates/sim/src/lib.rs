//! A virtual world around the engine: time, a network, phones with habits, carriers, and checks
//! that hold after every step and when everything has come to rest.
//!
//! A seed is a world, and the same seed is the same world. Nothing here ships; no other crate
//! depends on it outside tests.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a check names the facts it looks at; all others, new ones too, are none of its business"
)]

mod agenda;
mod check;
mod ladder;
mod network;
mod party;
mod planted;
mod random;
mod recordings;
mod run;
pub mod scenario;
mod shell;
mod world;

use std::fmt;

pub use network::Weather;
pub use party::{Call, Reception, Talk, Target, Temper, Then};
pub use planted::Planted;
pub use run::{Level, Outcome, Telling, run};
pub use world::{Recorded, RecordedInput};

/// A rule that does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(String);

impl Broken {
    pub(crate) fn new(rule: impl Into<String>) -> Self {
        Self(rule.into())
    }

    /// Whether the rule holds.
    pub(crate) fn unless(holds: bool, rule: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self(rule())) }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
