//! The fuzz targets: built and shown their seeds by `test`, run by `soak`.
//!
//! They are built with the stable compiler and libFuzzer's coverage switches, so that nobody needs
//! `cargo fuzz` or a nightly toolchain; `cargo fuzz run TARGET` works too where those are present.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, check, root};

/// What libFuzzer needs to see which branches an input reaches.
const COVERAGE: &str = "--cfg fuzzing \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1";

/// This machine, named explicitly: so the coverage switches do not reach build scripts, which could
/// not be linked with them.
const TARGET: &str = "host-tuple";

/// The longest input tried: above the limit of a SIP message's head, so that it is met too.
const INPUT_BYTES: u32 = 70_000;

/// The most memory a target may use.
const MEMORY_MIB: u32 = 2_048;

/// Compiles every target.
pub(crate) fn build() -> Result<()> {
    let mut build = instrumented("build");
    build.arg("--bins");
    check(build)
}

/// A cargo command on the fuzz targets, with libFuzzer's instrumentation.
fn instrumented(verb: &str) -> Command {
    let mut command = cargo(&[verb, "--release", "--locked", "--target", TARGET]);
    command.args(["--manifest-path", "fuzz/Cargo.toml", "--target-dir"]);
    command.arg(target_folder()).env("RUSTFLAGS", COVERAGE);
    command
}

/// Shows every target its seeds once: one that no longer knows what the code does is noticed.
pub(crate) fn run_seeds() -> Result<()> {
    targets()?
        .iter()
        .try_for_each(|target| run_until(target, "-runs=0"))
}

/// Runs one target for so many minutes; it fails on a crash, a hang or too much memory.
///
/// Zero would be for ever to libFuzzer.
pub(crate) fn run(target: &str, minutes: NonZeroU64) -> Result<()> {
    run_until(target, &format!("-max_total_time={}", minutes.get() * 60))
}

fn run_until(target: &str, end: &str) -> Result<()> {
    let corpus = root().join("fuzz/corpus").join(target);
    let artifacts = root().join("fuzz/artifacts").join(target);
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut fuzz = instrumented("run");
    fuzz.args(["--quiet", "--bin", target, "--"]).arg(&corpus);
    let seeds = root().join("fuzz/seeds").join(target);
    if seeds.is_dir() {
        fuzz.arg(seeds);
    }
    let words = root().join("fuzz/sip.dict");
    if words.is_file() {
        fuzz.arg(format!("-dict={}", words.display()));
    }
    fuzz.arg(end)
        .arg(format!("-max_len={INPUT_BYTES}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-timeout=10", "-print_final_stats=1", "-verbosity=0"]);
    check(fuzz)
}

/// The targets' names, as `fuzz/Cargo.toml` lists them.
pub(crate) fn targets() -> Result<Vec<String>> {
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let bins = manifest
        .get("bin")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    let names = bins.filter_map(|bin| bin.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Where Cargo builds, one folder further: other flags, so nothing could be shared.
fn target_folder() -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR");
    folder
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("fuzz")
}
