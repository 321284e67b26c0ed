//! `cargo xtask test`: everything a change must pass, in an order that fails early and cheaply.

use anyhow::Result;

use crate::command::{cargo, check, check_tests, is_installed};
use crate::counts::Counts;
use crate::steps::Steps;
use crate::{fuzz, tidy, tools};

/// Worlds of the simulator in each run; `soak` runs more.
const SEEDS: &str = "200";

/// The tests that use the built program from outside, with sipp and baresip.
const BLACK_BOX: &str = "binary(blackbox)";

/// Runs every step, also after one has failed, and closes with the counts.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::begin();
    steps.step("tools", tools::ensure);
    steps.step("format", || check(cargo(&["fmt", "--all", "--check"])));
    steps.step("tidy", tidy::run);
    steps.step("lints", lints);
    steps.tests("tests", || nextest(&format!("not {BLACK_BOX}")));
    steps.step("simulation", || simulate(&["--seeds", SEEDS]));
    steps.step("fuzz targets build", fuzz::build);
    steps.step("fuzz targets on their seeds", fuzz::run_seeds);
    steps.tests("phones and carriers from outside", || nextest(BLACK_BOX));
    steps.step("documentation", documentation);
    steps.step("demo", || {
        check(cargo(&["run", "--release", "--locked", "--", "demo"]))
    });
    steps.finish()
}

/// Replays one world of the simulator, with its ladder.
pub(crate) fn replay(seed: &str) -> Result<()> {
    simulate(&[seed])
}

/// Runs the simulator, which is too slow without optimisation.
pub(crate) fn simulate(arguments: &[&str]) -> Result<()> {
    let mut simulate = cargo(&["run", "--release", "--quiet", "--locked", "-p", "sim", "--"]);
    simulate.args(arguments);
    check(simulate)
}

/// Runs the tests of the workspace that the nextest expression names.
pub(crate) fn nextest(filter: &str) -> (Counts, Result<()>) {
    if is_installed("cargo-nextest") {
        let mut run = cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--no-tests=pass",
        ]);
        run.args(["--filterset", filter]);
        return check_tests(run);
    }
    // The same tests, one binary at a time and without limits on their time.
    println!("cargo-nextest is missing (cargo install --locked cargo-nextest): using cargo test");
    let server = ["-p", "switchhook"];
    if filter == BLACK_BOX {
        return cargo_test(&[
            &server[..],
            &["--test", "blackbox", "--", "--test-threads=2"],
        ]);
    }
    let (mut counts, others) =
        cargo_test(&[&["--workspace", "--exclude", "switchhook", "--tests"]]);
    let (of_server, server) = cargo_test(&[&server[..], &["--lib", "--bins"]]);
    counts += of_server;
    (counts, others.and(server))
}

fn cargo_test(arguments: &[&[&str]]) -> (Counts, Result<()>) {
    let mut run = cargo(&["test", "--locked"]);
    run.args(arguments.concat());
    check_tests(run)
}

fn lints() -> Result<()> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    check(cargo(&arguments))
}

/// Builds the documentation, where a link that leads nowhere is an error.
fn documentation() -> Result<()> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--quiet", "--locked"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    check(doc)
}
