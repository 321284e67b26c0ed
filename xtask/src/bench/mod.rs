//! `cargo xtask bench`: the figures that the project takes by itself (`docs/performance.md`).
//!
//! Each is an example of the crate it measures, which prints its figures and the kernel's own cost
//! beside them; `idle` needs the whole program and is taken here.

mod idle;

use anyhow::{Result, bail};

use crate::command::{cargo, check};
use crate::steps::Steps;

/// A measurement: its name, what it shows, and how it is taken.
struct Bench {
    name: &'static str,
    shows: &'static str,
    by: By,
}

enum By {
    /// An example of a package, and the features it needs.
    Example {
        package: &'static str,
        example: &'static str,
        features: &'static str,
    },
    /// The program with 1,000 registered phones and nothing to do.
    Idle,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "paging",
        shows: "P9: a page of 100 calls at 10,000,000 rows, in the store",
        by: By::Example {
            package: "store",
            example: "paging",
            features: "",
        },
    },
    Bench {
        name: "commit",
        shows: "CPU of the store's writer per bridged call",
        by: By::Example {
            package: "store",
            example: "commit",
            features: "",
        },
    },
    Bench {
        name: "relay",
        shows: "P4: the relay at 400 calls, and the kernel's baseline loop",
        by: By::Example {
            package: "switchhook",
            example: "relay",
            features: "",
        },
    },
    Bench {
        name: "datagrams",
        shows: "the kernel's own cost of a SIP message, beside which P1 and P2 are judged",
        by: By::Example {
            package: "switchhook",
            example: "datagrams",
            features: "",
        },
    },
    Bench {
        name: "calls",
        shows: "P14: calls per second of call control on one core",
        by: By::Example {
            package: "pbx",
            example: "calls_per_second",
            features: "testing",
        },
    },
    Bench {
        name: "registrations",
        shows: "CPU of a REGISTER in the SIP core",
        by: By::Example {
            package: "sip",
            example: "registrations",
            features: "",
        },
    },
    Bench {
        name: "webhooks",
        shows: "P11 and P12: webhooks through the committed outbox",
        by: By::Example {
            package: "switchhook",
            example: "hooks",
            features: "",
        },
    },
    Bench {
        name: "idle",
        shows: "P13: 1,000 registered phones, no calls",
        by: By::Idle,
    },
];

/// Takes every figure whose name holds `name`.
pub(crate) fn run(name: &str) -> Result<()> {
    let chosen: Vec<&Bench> = BENCHES
        .iter()
        .filter(|bench| bench.name.contains(name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!("no such figure: {name}; there are {}", names.join(", "));
    }
    let mut steps = Steps::begin();
    for bench in chosen {
        steps.step(&format!("{}: {}", bench.name, bench.shows), || bench.take());
    }
    steps.finish()
}

impl Bench {
    fn take(&self) -> Result<()> {
        match self.by {
            By::Idle => idle::run(),
            By::Example {
                package,
                example,
                features,
            } => {
                let mut run = cargo(&["run", "--release", "--quiet", "--locked"]);
                run.args(["-p", package, "--example", example, "--features", features]);
                check(run)
            }
        }
    }
}
