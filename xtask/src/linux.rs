//! What the kernel says of a running process.

use std::fs;

use anyhow::{Context, Result};

/// Clock ticks per second in `/proc`, a constant of the kernel's interface on every architecture
/// we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that the process has used, in user and kernel mode, by all its threads.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_cpu(&stat).with_context(|| format!("reading {stat:?}"))
}

/// Memory that the process keeps resident, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .context("no VmRSS in /proc/PID/status")
}

/// Fields 14 and 15 of `/proc/PID/stat`; the name in brackets before them may hold spaces.
fn parse_cpu(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields
        .split(' ')
        .skip(11)
        .map(|field| field.parse::<u32>().ok());
    Some((f64::from(ticks.next()??) + f64::from(ticks.next()??)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 9 1 1";
        assert!((parse_cpu(stat).unwrap() - 2.0).abs() < f64::EPSILON);
        assert!(parse_cpu("nonsense").is_none());
    }

    #[test]
    fn our_own_process_can_be_read() {
        assert!(cpu_seconds(std::process::id()).is_ok());
        assert!(resident_kib(std::process::id()).unwrap() > 0);
    }
}
