//! Rules about lines: where SQL, impurity, `unsafe` and unfinished work may stand.
//!
//! They read text, not syntax: cheap, and a false alarm is easily reworded.

use super::{PURE, SourceFile, Violation};

/// What a pure crate does not name, besides what its `clippy.toml` bans.
const IMPURE: &[&str] = &[
    "HashMap",
    "HashSet",
    "Instant::now",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "tokio",
    "rand::rng",
    "thread_rng",
];

/// How an SQL statement begins.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "ALTER TABLE ",
    "PRAGMA ",
];

/// The modules that may hold `unsafe` blocks (STYLE.md, rule 32). The list may only shrink.
const UNSAFE_MODULES: &[&str] = &[];

/// How unsafe code is allowed, and how it begins.
const UNSAFE: &[&str] = &[
    "allow(unsafe_code",
    "expect(unsafe_code",
    "unsafe {",
    "unsafe fn",
    "unsafe impl",
];

/// Words that promise work; each needs the number of an issue: `TODO(#12)`.
const PROMISES: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

pub(super) fn check(files: &[SourceFile]) -> Vec<Violation> {
    // This file names what it looks for.
    let files = || {
        files
            .iter()
            .filter(|file| !file.path.starts_with("xtask/src/tidy/"))
    };
    let mut violations: Vec<Violation> = files().flat_map(sql_outside_the_store).collect();
    violations.extend(files().flat_map(impurity));
    violations.extend(files().filter_map(indexing));
    violations.extend(files().flat_map(unsafe_code));
    violations.extend(files().flat_map(promises));
    violations
}

fn sql_outside_the_store(file: &SourceFile) -> Vec<Violation> {
    if file.path.starts_with("crates/store/") {
        return Vec::new();
    }
    let begins = |line: &str| SQL.iter().any(|word| begins_text(line, word));
    let lines = file.lines().filter(|(_, line)| begins(line));
    lines
        .map(|(number, _)| file.at(number, "SQL belongs in crates/store only"))
        .collect()
}

/// Does the word stand at the start of the line or of a string on it?
fn begins_text(line: &str, word: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(word) || line.contains(&format!("\"{word}"))
}

fn impurity(file: &SourceFile) -> Vec<Violation> {
    if !is_pure(file) {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (number, line) in file.code_lines() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for word in IMPURE.iter().filter(|word| line.contains(**word)) {
            violations.push(file.at(number, format!("a pure crate does not use {word}")));
        }
    }
    violations
}

fn is_pure(file: &SourceFile) -> bool {
    PURE.iter()
        .any(|name| file.path.starts_with(&format!("crates/{name}/src/")))
}

/// Cargo takes no per-crate additions to the workspace's lints, so each pure crate says it itself.
fn indexing(file: &SourceFile) -> Option<Violation> {
    let is_root = file.path.ends_with("/src/lib.rs") && is_pure(file);
    let denies = file.text.contains("deny(clippy::indexing_slicing)");
    let rule = "a pure crate's root denies clippy::indexing_slicing";
    (is_root && !denies).then(|| Violation::new(&file.path, rule))
}

fn unsafe_code(file: &SourceFile) -> Vec<Violation> {
    if UNSAFE_MODULES.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let names = |line: &str| UNSAFE.iter().any(|word| line.contains(word));
    let is_code = |line: &str| !line.trim_start().starts_with("//");
    let lines = file
        .lines()
        .filter(|(_, line)| is_code(line) && names(line));
    lines
        .map(|(number, _)| file.at(number, "unsafe code outside the named modules"))
        .collect()
}

fn promises(file: &SourceFile) -> Vec<Violation> {
    let rule = "a promise needs the number of its issue, as in (#12)";
    let lines = file
        .lines()
        .filter(|(_, line)| PROMISES.iter().any(|word| promise(line, word)));
    lines.map(|(number, _)| file.at(number, rule)).collect()
}

/// Is there the word, standing alone, without an issue right behind it?
fn promise(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let behind = line.get(start + word.len()..).unwrap_or_default();
        let alone = !before.is_some_and(char::is_alphanumeric)
            && !behind.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        alone && !names_issue(behind)
    })
}

fn names_issue(behind: &str) -> bool {
    let digits = behind
        .strip_prefix("(#")
        .and_then(|rest| rest.split_once(')'));
    digits.is_some_and(|(digits, _)| digits.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rule: impl Fn(&SourceFile) -> Vec<Violation>, path: &str, text: &str) -> usize {
        rule(&SourceFile::planted(path, text)).len()
    }

    #[test]
    fn sql_outside_the_store_is_found() {
        let sql = "let rows = query(\"SELECT id FROM calls\");\n";
        assert_eq!(
            found(sql_outside_the_store, "crates/server/src/api/calls.rs", sql),
            1
        );
        assert_eq!(
            found(sql_outside_the_store, "crates/store/src/calls.rs", sql),
            0
        );
        let multiline = "const QUERY: &str = \"\n    DELETE FROM calls\";\n";
        assert_eq!(
            found(sql_outside_the_store, "crates/pbx/src/cdr.rs", multiline),
            1
        );
        let method = "const UPDATE: &str = \"UPDATE\"; // UPDATE is a SIP method too\n";
        assert_eq!(
            found(sql_outside_the_store, "crates/sip/src/message.rs", method),
            0
        );
    }

    #[test]
    fn impure_code_in_a_pure_crate_is_found() {
        let clock = "fn now() -> Instant { Instant::now() }\n";
        assert_eq!(found(impurity, "crates/pbx/src/call.rs", clock), 1);
        assert_eq!(found(impurity, "crates/server/src/clock.rs", clock), 0);
        assert_eq!(
            found(
                impurity,
                "crates/sip/src/ua.rs",
                "use std::collections::HashMap;\n"
            ),
            1
        );
        assert_eq!(
            found(
                impurity,
                "crates/sip/src/ua.rs",
                "// Not a HashMap: order.\n"
            ),
            0
        );
        let in_tests = "fn pure() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(found(impurity, "crates/sip/src/ua.rs", in_tests), 0);
    }

    #[test]
    fn a_pure_crate_that_may_index_is_found() {
        let planted = |path, text| indexing(&SourceFile::planted(path, text)).is_some();
        assert!(planted("crates/sip/src/lib.rs", "//! SIP.\n"));
        let denied = "//! SIP.\n#![cfg_attr(not(test), deny(clippy::indexing_slicing))]\n";
        assert!(!planted("crates/sip/src/lib.rs", denied));
        assert!(!planted("crates/server/src/lib.rs", "//! Shells.\n"));
    }

    #[test]
    fn unsafe_code_in_an_unnamed_module_is_found() {
        let path = "crates/server/src/api/calls.rs";
        assert_eq!(
            found(
                unsafe_code,
                path,
                "#![expect(unsafe_code, reason = \"fast\")]\n"
            ),
            1
        );
        assert_eq!(
            found(unsafe_code, path, "let n = unsafe { read(fd) };\n"),
            1
        );
        assert_eq!(found(unsafe_code, path, "#![forbid(unsafe_code)]\n"), 0);
        assert_eq!(
            found(unsafe_code, path, "// What unsafe { } would do.\n"),
            0
        );
    }

    #[test]
    fn a_promise_without_an_issue_is_found() {
        let path = "crates/sip/src/ua.rs";
        assert_eq!(found(promises, path, "// TODO: later\n"), 1);
        assert_eq!(found(promises, path, "// FIXME(me) later\n"), 1);
        assert_eq!(found(promises, path, "// TODO(#12): later\n"), 0);
        assert_eq!(found(promises, path, "const TODOS: u8 = 0; // xXXXx\n"), 0);
    }
}
