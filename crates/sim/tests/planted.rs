//! Each planted bug is caught within the worlds of one test run: the rules bite.

use sim::{Level, Planted, Telling, run};

/// Worlds within which a bug must be caught: as many as `cargo xtask test` visits.
const WORLDS: u64 = 200;

#[track_caller]
fn check_caught(level: Level, bug: Planted) {
    let is_caught = (0..WORLDS).any(|seed| {
        let outcome = run(level, seed, Some(bug), Telling::Silent);
        outcome.broken.is_some()
    });
    assert!(is_caught, "{level:?}: no rule notices {bug:?}");
}

#[test]
fn bugs_of_the_engine_are_caught() {
    for bug in Planted::ALL {
        check_caught(Level::Engine, bug);
    }
}

#[test]
fn bugs_of_an_account_are_caught() {
    for bug in [
        Planted::AttemptNeverEnds,
        Planted::CallEndsTwice,
        Planted::CallNeverEnds,
        Planted::NoCancel,
    ] {
        check_caught(Level::Pbx, bug);
    }
}
