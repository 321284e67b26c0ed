//! Identifiers, and the source that never gives one twice.

use std::fmt;
use std::str::FromStr;

use clock::Time;
use serde::{Deserialize, Serialize};

/// An account of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u32);

/// A leg: one dialogue with a phone or a carrier, as the PBX sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegId(pub u64);

/// A call: 16 digits, Unix seconds (10), node (2), counter (4). The same id in rows, webhooks
/// and mails; below 2^53, so that a JSON number holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

const COUNTERS_PER_SECOND: u64 = 10_000;
const NODES: u64 = 100;

impl CallId {
    /// The least id that a call can have that begins then.
    pub const fn first_of(time: Time) -> Self {
        Self(time.as_secs().saturating_mul(COUNTERS_PER_SECOND * NODES))
    }

    /// The second this id was counted in. Under overload it may lie ahead of the clock.
    pub fn second(self) -> u64 {
        self.0 / (COUNTERS_PER_SECOND * NODES)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016}", self.0)
    }
}

impl FromStr for CallId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Gives call ids in rising order and never one twice, whatever the clock does.
///
/// When the clock steps back, or more than 10,000 calls begin in one second, the ids run ahead
/// of the clock until it has caught up.
#[derive(Clone, Debug)]
pub struct CallIds {
    node: u64,
    second: u64,
    counter: u64,
}

impl CallIds {
    /// A source for `node` (0 to 99, larger ones are taken modulo 100) whose ids lie at or after
    /// `not_before`: after a restart, one second past the last stored call id.
    pub fn new(node: u8, not_before: Time) -> Self {
        Self {
            node: u64::from(node) % NODES,
            second: not_before.as_secs(),
            counter: 0,
        }
    }

    /// The next id.
    pub fn next(&mut self, now: Time) -> CallId {
        if now.as_secs() > self.second {
            self.second = now.as_secs();
            self.counter = 0;
        }
        let id = (self.second * NODES + self.node) * COUNTERS_PER_SECOND + self.counter;
        self.counter += 1;
        if self.counter == COUNTERS_PER_SECOND {
            self.second += 1;
            self.counter = 0;
        }
        CallId(id)
    }
}

/// What a step may number things with. One per node: leg ids are unique over all its accounts.
#[derive(Clone, Debug)]
pub struct Ids {
    /// Ids of calls.
    pub calls: CallIds,
    /// The next leg's id.
    pub next_leg: u64,
}

impl Ids {
    /// Ids that start at leg `first_leg`.
    pub fn new(calls: CallIds, first_leg: LegId) -> Self {
        Self {
            calls,
            next_leg: first_leg.0,
        }
    }

    /// A leg id that was not given before.
    pub fn leg(&mut self) -> LegId {
        let leg = LegId(self.next_leg);
        self.next_leg = self.next_leg.wrapping_add(1);
        leg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_digits_of_second_node_and_counter() {
        let mut ids = CallIds::new(7, Time::ZERO);
        let id = ids.next(Time::from_secs(1_569_943_875));
        assert_eq!(id.to_string(), "1569943875070000");
        assert_eq!(
            ids.next(Time::from_secs(1_569_943_875)).to_string(),
            "1569943875070001"
        );
        assert_eq!(id.second(), 1_569_943_875);
        assert_eq!("1569943875070000".parse(), Ok(id));
        assert!(ids.next(Time::from_secs(9_007_199_254)).0 < 1 << 53);
    }

    #[test]
    fn a_clock_step_back_or_a_full_second_never_repeats_an_id() {
        let mut ids = CallIds::new(0, Time::from_secs(500));
        let mut last = CallId(0);
        for step in 0..40_000_u64 {
            let now = Time::from_secs(if step % 7 == 0 {
                100
            } else {
                500 + step / 20_000
            });
            let id = ids.next(now);
            assert!(id > last, "{id} after {last}");
            last = id;
        }
        assert_eq!(last.second(), 503, "four full seconds were counted");
    }
}
