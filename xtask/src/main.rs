//! `cargo xtask`: what a person and CI run, in the same words.
//!
//! `test` is everything a change must pass, `soak` the long runs, `bench` the figures, `tidy` the
//! rules of the repository as code, `sim` one world of the simulator.
#![expect(
    clippy::print_stdout,
    reason = "a command line tool prints its results"
)]

mod bench;
mod command;
mod counts;
mod fuzz;
mod linux;
mod soak;
mod steps;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  test          everything a change must pass: format, lints, tidy, tests, simulation,
                fuzz targets, phones and carriers from outside, the demo (30 minutes cold, 2 cores)
  tidy          the rules of the repository that no compiler checks
  sim SEED      replay one world of the simulator
  fuzz TARGET MINUTES
                one fuzz target, alone
  soak [MINUTES]
                the long runs: MINUTES (1) of fuzzing for each target, 10,000 worlds, 200 kills
  bench [NAME]  the figures of docs/performance.md, all of them or those whose name holds NAME
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => test::run(),
        ["tidy"] => tidy::run(),
        ["fuzz", target, minutes] => fuzz::run(target, minutes.parse()?),
        ["sim", seed] => test::replay(seed),
        ["soak"] => soak::run(soak::DEFAULT_FUZZ_MINUTES),
        ["soak", minutes] => soak::run(minutes.parse()?),
        ["bench"] => bench::run(""),
        ["bench", name] => bench::run(name),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => bail!("no such command: {}\n\n{HELP}", arguments.join(" ")),
    }
}
