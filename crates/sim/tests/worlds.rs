//! Worlds by their seeds: the usual number of them, those that ever broke, and the same one twice.

use sim::{Level, Outcome, Telling, run};

/// Worlds of each level.
const SEEDS: u64 = 200;

/// Worlds that broke a rule once.
const KEPT: &str = include_str!("../seeds.txt");

#[track_caller]
fn holds(level: Level, seed: u64) -> Outcome {
    let outcome = run(level, seed, None, Telling::Silent);
    if let Some(broken) = &outcome.broken {
        let replay = run(level, seed, None, Telling::Ladder);
        panic!("{}\n{level:?} seed {seed}: {broken}", replay.ladder);
    }
    outcome
}

#[test]
fn worlds_hold_every_rule() {
    for level in [Level::Pbx, Level::Engine] {
        let outcomes = (0..SEEDS).map(|seed| holds(level, seed));
        let (calls, heard) = outcomes.fold((0, 0), |(calls, heard), outcome| {
            (calls + outcome.calls, heard + outcome.heard)
        });
        println!("{level:?}: {SEEDS} worlds, {calls} calls, {heard} times heard");
        assert!(calls > 5 * SEEDS, "worlds without calls prove nothing");
    }
}

#[test]
fn worlds_that_broke_once_hold() {
    let lines = KEPT.lines().filter(|line| !line.starts_with('#'));
    let seeds = lines.filter_map(|line| line.split_whitespace().next());
    for seed in seeds {
        holds(Level::Engine, seed.parse().unwrap());
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    for level in [Level::Pbx, Level::Engine] {
        for seed in 0..10 {
            let [first, second] = [(); 2].map(|()| run(level, seed, None, Telling::Silent));
            assert_eq!(first.digest, second.digest, "{level:?} seed {seed}");
            assert_eq!(first.calls, second.calls);
        }
    }
}
