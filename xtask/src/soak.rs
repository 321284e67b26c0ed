//! `cargo xtask soak`: the runs that are too long for every change.

use std::num::NonZeroU64;

use anyhow::Result;

use crate::command::{cargo, check_tests};
use crate::steps::Steps;
use crate::{fuzz, test};

/// Minutes of fuzzing for each target unless told otherwise.
pub(crate) const DEFAULT_FUZZ_MINUTES: NonZeroU64 = NonZeroU64::MIN;

/// Worlds of the simulator.
const SEEDS: &str = "10000";

/// Kills of a loaded server.
const KILLS: &str = "200";

/// Fuzzes, simulates and kills; closes with the counts.
pub(crate) fn run(fuzz_minutes: NonZeroU64) -> Result<()> {
    let mut steps = Steps::begin();
    steps.step("fuzz targets build", fuzz::build);
    for target in fuzz::targets()? {
        steps.step(&format!("fuzz {target}"), || {
            fuzz::run(&target, fuzz_minutes)
        });
    }
    steps.step("simulation", || test::simulate(&["--seeds", SEEDS]));
    steps.tests("kills under load", kills);
    steps.finish()
}

fn kills() -> (crate::counts::Counts, Result<()>) {
    let mut run = cargo(&["test", "--locked", "-p", "switchhook", "--test", "blackbox"]);
    run.args(["--", "--nocapture", "kill"])
        .env("SWITCHHOOK_TEST_KILLS", KILLS);
    check_tests(run)
}
