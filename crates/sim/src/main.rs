//! `sim SEED` replays one world with its ladder; `sim --seeds N` runs many and says which broke.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that a person runs tells what it found"
)]

use std::process::ExitCode;

use sim::{Level, Outcome, Planted, Telling, run};

const USAGE: &str =
    "usage: sim SEED | --seeds N [--from SEED] [--level pbx|engine] [--planted NAME]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Wish::of(&arguments) {
        Ok(wish) if wish.fulfil() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(complaint) => {
            eprintln!("{complaint}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// What is to be run.
struct Wish {
    seeds: std::ops::Range<u64>,
    levels: Vec<Level>,
    planted: Option<Planted>,
    telling: Telling,
}

impl Wish {
    fn of(arguments: &[String]) -> Result<Self, String> {
        let mut wish = Self {
            seeds: 0..0,
            levels: vec![Level::Pbx, Level::Engine],
            planted: None,
            telling: Telling::Silent,
        };
        let mut from = 0;
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match &**word {
                "--seeds" => wish.seeds = 0..number(value()?)?,
                "--from" => from = number(value()?)?,
                "--level" => wish.levels = vec![level(value()?)?],
                "--planted" => {
                    let name = value()?;
                    let bug = Planted::named(name);
                    wish.planted = Some(bug.ok_or(format!("no bug is called {name}"))?);
                }
                seed => {
                    let seed = number(seed)?;
                    wish.seeds = seed..seed + 1;
                    wish.telling = Telling::Ladder;
                }
            }
        }
        if wish.seeds.is_empty() {
            return Err("nothing to run".to_owned());
        }
        wish.seeds = wish.seeds.start + from..wish.seeds.end + from;
        Ok(wish)
    }

    /// Runs everything; whether no rule was broken.
    fn fulfil(&self) -> bool {
        let mut broken = 0_u64;
        for level in &self.levels {
            let mut calls = 0;
            let mut heard = 0;
            for seed in self.seeds.clone() {
                let outcome = run(*level, seed, self.planted, self.telling);
                calls += outcome.calls;
                heard += outcome.heard;
                broken += u64::from(outcome.broken.is_some());
                self.tell(*level, seed, &outcome);
            }
            let worlds = self.seeds.end - self.seeds.start;
            println!("{level:?}: {worlds} worlds, {calls} calls, {heard} times heard");
        }
        println!("{broken} broken");
        broken == 0
    }

    fn tell(&self, level: Level, seed: u64, outcome: &Outcome) {
        if self.telling == Telling::Ladder {
            print!("{}", outcome.ladder);
        }
        if let Some(rule) = &outcome.broken {
            println!("{level:?} seed {seed}: {rule}");
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn level(text: &str) -> Result<Level, String> {
    match text {
        "pbx" => Ok(Level::Pbx),
        "engine" => Ok(Level::Engine),
        other => Err(format!("there is no level {other}")),
    }
}
