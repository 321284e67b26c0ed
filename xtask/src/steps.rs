//! A run of named steps: each is announced, timed and counted, and all are tried even when one fails.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::counts::Counts;

/// What has been done so far.
pub(crate) struct Steps {
    started: Instant,
    counts: Counts,
    failed: Vec<String>,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        Self {
            started: Instant::now(),
            counts: Counts::default(),
            failed: Vec::new(),
        }
    }

    /// A step that is one check in itself.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        self.tests(name, || {
            let outcome = work();
            let (passed, failed) = if outcome.is_ok() { (1, 0) } else { (0, 1) };
            (Counts { passed, failed }, outcome)
        });
    }

    /// A step that runs tests and says how many.
    pub(crate) fn tests(&mut self, name: &str, work: impl FnOnce() -> (Counts, Result<()>)) {
        let begun = Instant::now();
        println!("[{}] {name} …", clock(self.started.elapsed()));
        let (mut counts, outcome) = work();
        if let Err(error) = outcome {
            // A runner that failed before it could count (a compile error) is still a failure.
            counts.failed = counts.failed.max(1);
            println!(
                "[{}] {name}: FAILED: {error:#}",
                clock(self.started.elapsed())
            );
            self.failed.push(name.to_owned());
        } else {
            let took = clock(begun.elapsed());
            println!(
                "[{}] {name}: ok, {counts}, took {took}",
                clock(self.started.elapsed())
            );
        }
        self.counts += counts;
    }

    /// The closing summary; an error when any step failed.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\ntook {} in all", clock(self.started.elapsed()));
        println!("{}", self.counts);
        if !self.failed.is_empty() {
            bail!("failed: {}", self.failed.join(", "));
        }
        Ok(())
    }
}

/// Minutes and seconds.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_does_not_stop_the_next_and_fails_the_run() {
        let mut steps = Steps::begin();
        let mut later_ran = false;
        steps.step("breaks", || bail!("planted"));
        steps.step("works", || {
            later_ran = true;
            Ok(())
        });
        assert!(later_ran);
        assert_eq!(
            steps.counts,
            Counts {
                passed: 1,
                failed: 1
            }
        );
        assert!(steps.finish().is_err());
    }

    #[test]
    fn a_runner_that_counts_nothing_and_fails_is_one_failure() {
        let mut steps = Steps::begin();
        steps.tests("does not compile", || {
            (Counts::default(), Err(anyhow::anyhow!("planted")))
        });
        assert_eq!(
            steps.counts,
            Counts {
                passed: 0,
                failed: 1
            }
        );
    }
}
