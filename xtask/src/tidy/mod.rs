//! The rules of the repository that no compiler checks, each a function over what it looks at.
//!
//! A rule knows nothing of the file system, so its tests plant a violation in a few lines of text.

mod arrows;
mod files;
mod licences;
mod paths;
mod text;

use std::fmt;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{cargo, command, output, root};

/// Crates that read no clock, keep no random order and touch nothing outside (STYLE.md, rule 2).
const PURE: &[&str] = &["clock", "sip", "media", "audio", "pbx", "engine"];

/// A broken rule, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    place: String,
    rule: String,
}

impl Violation {
    fn new(place: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.rule)
    }
}

/// A Rust file of the repository: its path from the root, with `/`, and its text.
pub(crate) struct SourceFile {
    path: String,
    text: String,
}

impl SourceFile {
    #[cfg(test)]
    fn planted(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Numbered lines, without the tests at the file's end.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = if self.path.contains("/tests/") {
            Some(0)
        } else {
            self.tests_start()
        };
        self.lines().take(tests.unwrap_or(usize::MAX))
    }

    /// Lines numbered from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    fn tests_start(&self) -> Option<usize> {
        self.text
            .lines()
            .position(|line| line.trim() == "#[cfg(test)]")
    }

    fn at(&self, line: usize, rule: impl Into<String>) -> Violation {
        Violation::new(format!("{}:{line}", self.path), rule)
    }
}

/// Looks at everything; prints each broken rule and fails when there is one.
pub(crate) fn run() -> Result<()> {
    let files = source_files()?;
    let metadata = metadata()?;
    let allowed = licences::allowed(&std::fs::read_to_string(root().join("deny.toml"))?)?;
    let mut violations = files::check(&files);
    violations.extend(text::check(&files));
    let call_paths = std::fs::read_to_string(root().join(paths::DOCUMENT))?;
    violations.extend(paths::check(&call_paths, &files));
    violations.extend(arrows::check(&metadata));
    violations.extend(licences::check(&metadata, &allowed));
    if violations.is_empty() {
        println!("tidy: {} files keep the rules", files.len());
        return Ok(());
    }
    for violation in &violations {
        println!("{violation}");
    }
    bail!("{} rules broken", violations.len())
}

/// Every Rust file that git knows or would add.
fn source_files() -> Result<Vec<SourceFile>> {
    let list = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
        "*.rs",
    ];
    let mut files = Vec::new();
    for path in output(command(&list))?.lines() {
        let full = root().join(path);
        // A file deleted but not yet committed is still in git's list.
        if full.is_file() {
            let text = std::fs::read_to_string(&full).with_context(|| format!("reading {path}"))?;
            files.push(SourceFile {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(files)
}

fn metadata() -> Result<Value> {
    let json = output(cargo(&["metadata", "--format-version=1", "--locked"]))?;
    Ok(serde_json::from_str(&json)?)
}
