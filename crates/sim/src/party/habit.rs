//! What people do with their phones, and carriers with their lines: the same thing each time, or
//! whatever comes into their minds.

use std::time::Duration;

use crate::random::{Random, millis, seconds};

/// How a party takes a call.
#[derive(Clone, Debug)]
pub struct Reception {
    /// When it says that it rings.
    pub rings_after: Option<Duration>,
    /// When it sends audio before its answer.
    pub early_after: Option<Duration>,
    /// What comes of it.
    pub then: Then,
}

/// What comes of a call that comes in.
#[derive(Clone, Debug)]
pub enum Then {
    /// It is answered.
    Answer(Duration, Talk),
    /// It is refused with that status.
    Reject(Duration, u16),
    /// It rings until somebody else decides.
    Ignore,
}

/// What a party does while it talks.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// When it hangs up; `None` leaves that to the other side.
    pub hangs_up_after: Option<Duration>,
    /// When it puts the other side on hold, and for how long.
    pub holds: Option<(Duration, Duration)>,
    /// The keys it presses (by INFO), and when.
    pub presses: Vec<(Duration, char)>,
    /// When it hands the other side on, and to whom.
    pub hands_on: Option<(Duration, Target)>,
}

/// To whom a party hands on whom it talks with.
#[derive(Clone, Debug)]
pub enum Target {
    /// A number (a blind transfer).
    Number(String),
    /// Whomever it talks with in another call (an attended transfer); without one, nobody.
    OtherCall,
}

/// How a party decides.
#[derive(Clone, Debug)]
pub enum Temper {
    /// Always so.
    Steady(Reception),
    /// At random. What it knows of ring times lets it answer when it is almost too late.
    Moody {
        /// Ring times that occur, in seconds.
        ring_seconds: Vec<u32>,
    },
}

impl Reception {
    /// Rings after 50 ms and is answered.
    pub fn answers(after: Duration, talk: Talk) -> Self {
        Self::rings(Then::Answer(after, talk))
    }

    /// Rings after 50 ms, and then that comes of it.
    pub fn rings(then: Then) -> Self {
        Self {
            rings_after: Some(Duration::from_millis(50)),
            early_after: None,
            then,
        }
    }

    /// Is refused without ringing.
    pub fn refuses(code: u16) -> Self {
        Self {
            rings_after: None,
            early_after: None,
            then: Then::Reject(Duration::from_millis(20), code),
        }
    }
}

impl Temper {
    /// What it makes of a call that comes in.
    pub(crate) fn reception(&self, random: &mut Random) -> Reception {
        match self {
            Self::Steady(reception) => reception.clone(),
            Self::Moody { ring_seconds } => moody_reception(ring_seconds, random),
        }
    }
}

fn moody_reception(ring_seconds: &[u32], random: &mut Random) -> Reception {
    let then = match random.between(0, 99) {
        0..=49 => Then::Answer(millis(random, 100, 9_000), moody_talk(random)),
        50..=57 => Then::Answer(millis(random, 0, 30), moody_talk(random)),
        58..=65 => Then::Answer(almost_too_late(ring_seconds, random), moody_talk(random)),
        66..=85 => {
            let codes = [486, 486, 600, 603, 480, 404, 500, 503, 488, 302, 408, 401];
            let code = random.pick(&codes).copied().unwrap_or(486);
            Then::Reject(millis(random, 0, 6_000), code)
        }
        _ => Then::Ignore,
    };
    Reception {
        rings_after: random.percent(85).then(|| millis(random, 0, 400)),
        early_after: random.percent(12).then(|| millis(random, 0, 1_500)),
        then,
    }
}

/// About when the ring time ends, so that the answer and the end cross.
fn almost_too_late(ring_seconds: &[u32], random: &mut Random) -> Duration {
    let ring = random.pick(ring_seconds).copied().unwrap_or(25);
    let ring = Duration::from_secs(ring.into());
    ring.saturating_sub(millis(random, 0, 150)) + millis(random, 0, 50)
}

/// What comes into somebody's mind to do while talking.
pub(crate) fn moody_talk(random: &mut Random) -> Talk {
    let hangs_up_after = match random.between(0, 9) {
        0 => Some(millis(random, 0, 30)),
        1..=6 => Some(seconds(random, 1, 15)),
        // Longer than a session lives without a refresh.
        7 => Some(seconds(random, 60, 240)),
        _ => None,
    };
    Talk {
        hangs_up_after,
        holds: random
            .percent(40)
            .then(|| (seconds(random, 1, 4), seconds(random, 1, 5))),
        presses: moody_keys(random),
        hands_on: moody_transfer(random),
    }
}

/// Some talk for a while and hand on, at times to somebody who is not there.
fn moody_transfer(random: &mut Random) -> Option<(Duration, Target)> {
    if !random.percent(15) {
        return None;
    }
    let numbers = ["1000", "1001", "1002", "1003", "0412345678", "1099", "*5"];
    let target = match (random.percent(40), random.pick(&numbers)) {
        (false, Some(number)) => Target::Number((*number).to_owned()),
        (true, _) | (false, None) => Target::OtherCall,
    };
    Some((millis(random, 200, 14_000), target))
}

/// Keys as people press them who were asked for some: one, an internal number, or in despair.
fn moody_keys(random: &mut Random) -> Vec<(Duration, char)> {
    if !random.percent(60) {
        return Vec::new();
    }
    let entries = [
        "1", "2", "0", "#", "7", "1000", "1001", "1002#", "100", "10999", "*5#1",
    ];
    let keys = random.pick(&entries).copied().unwrap_or("1");
    let mut at = millis(random, 300, 12_000);
    let pressed = keys.chars().map(|key| {
        at += millis(random, 150, 1_500);
        (at, key)
    });
    pressed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moods_change_but_not_for_the_same_seed() {
        let temper = Temper::Moody {
            ring_seconds: vec![25],
        };
        let drawn = |seed| {
            let mut random = Random::new(seed);
            let receptions = (0..50).map(|_| format!("{:?}", temper.reception(&mut random)));
            receptions.collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(
            drawn(3)
                .iter()
                .any(|reception| reception.contains("Answer"))
        );
    }
}
