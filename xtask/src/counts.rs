//! How many tests passed and failed, read from the closing lines of the test runners.

use std::fmt;
use std::ops::AddAssign;

/// Tests that ran, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// What one line of a runner's output adds: the summary of nextest, or a result of `cargo test`.
    pub(crate) fn in_line(line: &str) -> Self {
        let line = without_colours(line);
        let line = line.trim_start();
        if !line.starts_with("Summary [") && !line.starts_with("test result:") {
            return Self::default();
        }
        let failed = ["failed", "timed out", "exec failed", "leaky-failed"];
        Self {
            passed: number_before(line, "passed"),
            failed: failed.iter().map(|word| number_before(line, word)).sum(),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    /// The plain closing line that any reader of a log looks for.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number of the part of the line that reads `N word`, 0 when there is none.
fn number_before(line: &str, word: &str) -> u64 {
    line.split([',', ';', ':', '.'])
        .filter_map(|part| part.split('(').next()?.trim().split_once(' '))
        .find_map(|(number, rest)| (rest.trim() == word).then(|| number.parse().ok())?)
        .unwrap_or(0)
}

/// The line without terminal colours.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, passed: u64, failed: u64) {
        assert_eq!(Counts::in_line(line), Counts { passed, failed }, "{line}");
    }

    #[test]
    fn both_runners_closing_lines_are_read() {
        check(
            "     Summary [   0.005s] 2 tests run: 2 passed, 0 skipped",
            2,
            0,
        );
        check(
            "Summary [ 3.1s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped",
            6,
            3,
        );
        check(
            "Summary [ 1.0s] 5/9 tests run: 4 passed, 1 exec failed, 0 skipped",
            4,
            1,
        );
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; finished in 0.1s",
            12,
            0,
        );
        check("test result: FAILED. 3 passed; 2 failed; 0 ignored", 3, 2);
        check(
            "\u{1b}[32;1m     Summary\u{1b}[0m [ 0.1s] 1 test run: \u{1b}[1m1\u{1b}[0m passed",
            1,
            0,
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        check("7 passed, 1 failed", 0, 0);
        check("        PASS [   0.004s] xtask counts::tests::other", 0, 0);
    }
}
