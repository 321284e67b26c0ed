//! Rules about whole files: their length, and the text they open with.

use super::{SourceFile, Violation};

/// The most lines a file may have (STYLE.md, rule 8).
const FILE_LINES: usize = 600;

/// Files that are allowed to be longer, each with its limit. The list may only shrink: an entry
/// that is no longer needed is itself a violation.
const LONG_FILES: &[(&str, usize)] = &[];

pub(super) fn check(files: &[SourceFile]) -> Vec<Violation> {
    let mut violations: Vec<Violation> = files
        .iter()
        .filter_map(|file| length(file, LONG_FILES))
        .collect();
    violations.extend(stale(files, LONG_FILES));
    violations.extend(files.iter().filter_map(opening));
    violations
}

fn length(file: &SourceFile, long: &[(&str, usize)]) -> Option<Violation> {
    let lines = file.text.lines().count();
    let excepted = long.iter().find(|(path, _)| *path == file.path);
    let limit = excepted.map_or(FILE_LINES, |(_, limit)| *limit);
    let rule = format!("{lines} lines, {limit} are allowed: split it by responsibility");
    (lines > limit).then(|| Violation::new(&file.path, rule))
}

/// Exceptions that have lost their reason.
fn stale(files: &[SourceFile], long: &[(&str, usize)]) -> Vec<Violation> {
    let is_long = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.is_some_and(|file| file.text.lines().count() > FILE_LINES)
    };
    long.iter()
        .filter(|(path, _)| !is_long(path))
        .map(|(path, _)| Violation::new(*path, "is no longer long: delete its exception"))
        .collect()
}

/// Every module says first what it is for (STYLE.md, rule 26).
fn opening(file: &SourceFile) -> Option<Violation> {
    let rule = "opens without a `//!` line that says what the module is for";
    (!file.text.starts_with("//! ")).then(|| Violation::new(&file.path, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(lines: usize) -> SourceFile {
        SourceFile::planted("crates/sip/src/long.rs", &"//! A line.\n".repeat(lines))
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(length(&of_length(FILE_LINES), &[]).is_none());
        assert!(length(&of_length(FILE_LINES + 1), &[]).is_some());
    }

    #[test]
    fn an_exception_has_a_limit_of_its_own() {
        let long = [("crates/sip/src/long.rs", 700)];
        assert!(length(&of_length(700), &long).is_none());
        assert!(length(&of_length(701), &long).is_some());
    }

    #[test]
    fn an_exception_that_is_not_needed_is_found() {
        let long = [("crates/sip/src/long.rs", 700)];
        assert!(stale(&[of_length(601)], &long).is_empty());
        assert_eq!(stale(&[of_length(600)], &long).len(), 1);
        assert_eq!(stale(&[], &long).len(), 1, "the file is gone");
    }

    #[test]
    fn a_module_without_a_purpose_is_found() {
        assert!(opening(&SourceFile::planted("a.rs", "//! Why.\nfn main() {}\n")).is_none());
        assert!(opening(&SourceFile::planted("a.rs", "fn main() {}\n")).is_some());
        assert!(opening(&SourceFile::planted("a.rs", "// Not a doc.\n")).is_some());
    }
}
