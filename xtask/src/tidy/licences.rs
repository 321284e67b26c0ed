//! Every dependency has a licence that `deny.toml` allows.
//!
//! The same list that `cargo deny check licenses` reads, so that nobody needs that tool to know.

use anyhow::{Context, Result};
use serde_json::Value;
use toml::Table;

use super::Violation;

/// The licences of the list, and the crates that may have others.
pub(super) struct Allowed {
    licences: Vec<String>,
    exceptions: Vec<(String, Vec<String>)>,
}

/// Reads the `[licenses]` table of `deny.toml`.
pub(super) fn allowed(deny: &str) -> Result<Allowed> {
    let deny: Table = deny.parse().context("deny.toml")?;
    let table = deny
        .get("licenses")
        .context("deny.toml has no [licenses]")?;
    let exceptions = table.get("exceptions").and_then(toml::Value::as_array);
    let exception = |entry: &toml::Value| {
        let name = entry.get("crate").and_then(toml::Value::as_str)?;
        Some((name.to_owned(), strings(entry.get("allow"))))
    };
    Ok(Allowed {
        licences: strings(table.get("allow")),
        exceptions: exceptions
            .into_iter()
            .flatten()
            .filter_map(exception)
            .collect(),
    })
}

fn strings(list: Option<&toml::Value>) -> Vec<String> {
    let list = list.and_then(toml::Value::as_array).into_iter().flatten();
    list.filter_map(|entry| entry.as_str().map(str::to_owned))
        .collect()
}

pub(super) fn check(metadata: &Value, allowed: &Allowed) -> Vec<Violation> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter_map(|package| licence(package, allowed))
        .collect()
}

fn licence(package: &Value, allowed: &Allowed) -> Option<Violation> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some(expression) = package["license"].as_str() else {
        return Some(Violation::new(name, "states no licence"));
    };
    let exception = allowed
        .exceptions
        .iter()
        .find(|(crate_name, _)| crate_name == name);
    let extra = exception
        .map(|(_, licences)| licences.as_slice())
        .unwrap_or_default();
    let permits = |licence: &str| {
        allowed
            .licences
            .iter()
            .chain(extra)
            .any(|allowed| allowed == licence)
    };
    let rule = format!("its licence, {expression}, is not in deny.toml");
    (!satisfied(expression, &permits)).then(|| Violation::new(name, rule))
}

/// Can the SPDX expression be satisfied with permitted licences only?
fn satisfied(expression: &str, permits: &dyn Fn(&str) -> bool) -> bool {
    // Old manifests write `MIT/Apache-2.0` for a choice.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest, permits) && rest.is_empty()
}

/// `A OR B`: binds weakest.
fn either(words: &mut &[&str], permits: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = both(words, permits);
    while let Some(rest) = words.strip_prefix(&["OR"]) {
        *words = rest;
        holds |= both(words, permits);
    }
    holds
}

/// `A AND B`.
fn both(words: &mut &[&str], permits: &dyn Fn(&str) -> bool) -> bool {
    let mut holds = one(words, permits);
    while let Some(rest) = words.strip_prefix(&["AND"]) {
        *words = rest;
        holds &= one(words, permits);
    }
    holds
}

/// `MIT`, `Apache-2.0 WITH LLVM-exception` or an expression in brackets.
fn one(words: &mut &[&str], permits: &dyn Fn(&str) -> bool) -> bool {
    let Some((word, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    if *word == "(" {
        let holds = either(words, permits);
        *words = words.strip_prefix(&[")"]).unwrap_or(words);
        return holds;
    }
    let Some([exception, rest @ ..]) = words.strip_prefix(&["WITH"]) else {
        return permits(word);
    };
    *words = rest;
    permits(&format!("{word} WITH {exception}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        exceptions = [{ crate = "encoder", allow = ["LGPL-3.0"] }]
    "#;

    fn check_licence(name: &str, licence: Option<&str>, violations: usize) {
        let metadata = json!({"packages": [{"name": name, "license": licence}]});
        let found = check(&metadata, &allowed(DENY).unwrap());
        assert_eq!(found.len(), violations, "{name} {licence:?}: {found:?}");
    }

    #[test]
    fn a_licence_outside_the_list_is_found() {
        check_licence("library", Some("MIT"), 0);
        check_licence("library", Some("GPL-3.0"), 1);
        check_licence("library", None, 1);
    }

    #[test]
    fn one_side_of_a_choice_is_enough_and_both_sides_of_a_pair_are_needed() {
        check_licence("library", Some("GPL-3.0 OR MIT"), 0);
        check_licence("library", Some("GPL-3.0/MIT"), 0);
        check_licence("library", Some("MIT AND GPL-3.0"), 1);
        check_licence("library", Some("(GPL-3.0 OR MIT) AND Apache-2.0"), 0);
        check_licence("library", Some("(GPL-3.0 OR MIT) AND BSD-3-Clause"), 1);
        check_licence(
            "library",
            Some("GPL-3.0 OR Apache-2.0 WITH LLVM-exception"),
            0,
        );
        check_licence("library", Some("Apache-2.0 WITH Bison-exception"), 1);
    }

    #[test]
    fn an_exception_holds_for_its_crate_only() {
        check_licence("encoder", Some("LGPL-3.0"), 0);
        check_licence("decoder", Some("LGPL-3.0"), 1);
    }
}
