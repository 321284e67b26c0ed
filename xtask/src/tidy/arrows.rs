//! Who may depend on whom (ARCHITECTURE.md, "Crates"), read from `cargo metadata`.

use serde_json::Value;

use super::{PURE, Violation};

/// A crate of the workspace, and the crates of the workspace it may know.
const ARROWS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("sip", &["clock"]),
    ("media", &["clock"]),
    ("audio", &["media"]),
    ("pbx", &["clock"]),
    ("engine", &["clock", "sip", "media", "pbx"]),
    ("store", &["clock", "pbx"]),
    ("sim", &["clock", "sip", "media", "pbx", "engine"]),
    (
        "switchhook",
        &["clock", "sip", "media", "audio", "pbx", "engine", "store"],
    ),
    ("xtask", &[]),
];

/// Libraries that only the named crate may use: tasks and sockets in the server, SQL in the store.
const KEPT: &[(&str, &str)] = &[
    ("tokio", "switchhook"),
    ("axum", "switchhook"),
    ("hyper", "switchhook"),
    ("hickory-resolver", "switchhook"),
    ("tracing-subscriber", "switchhook"),
    ("rusqlite", "store"),
    ("anyhow", "xtask"),
    ("anyhow", "switchhook"),
];

/// The most libraries from outside that a pure crate leans on (STYLE.md, rule 33).
const PURE_LIBRARIES: usize = 5;

/// The pure crates that need more: each codec is a library.
const HAVE_CODECS: &[&str] = &["media", "audio"];

pub(super) fn check(metadata: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in members(metadata) {
        violations.extend(arrows(package, &names(metadata)));
        violations.extend(kept(package));
        violations.extend(libraries(package, &names(metadata)));
    }
    violations
}

/// The packages of the workspace.
fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    let is_member = |package: &&Value| package["source"].is_null();
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(is_member)
}

fn names(metadata: &Value) -> Vec<&str> {
    members(metadata)
        .filter_map(|package| package["name"].as_str())
        .collect()
}

/// What a package depends on to be built; what only its tests need is free, with one exception
/// in [`arrows`].
fn dependencies(package: &Value) -> impl Iterator<Item = (&str, Need)> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter_map(|dependency| {
        let need = if dependency["kind"] == "dev" {
            Need::Tests
        } else {
            Need::Code
        };
        Some((dependency["name"].as_str()?, need))
    })
}

/// What needs a dependency.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Code,
    Tests,
}

fn arrows(package: &Value, members: &[&str]) -> Vec<Violation> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, may)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
        return vec![Violation::new(name, "has no row in the table of arrows")];
    };
    // Tests may drive a crate with the simulator, which looks down on all of them.
    let is_fine = |to: &str, need| may.contains(&to) || (need == Need::Tests && to == "sim");
    dependencies(package)
        .filter(|(to, need)| members.contains(to) && !is_fine(to, *need))
        .map(|(to, _)| Violation::new(name, format!("may not know {to}")))
        .collect()
}

fn kept(package: &Value) -> Vec<Violation> {
    let name = package["name"].as_str().unwrap_or_default();
    let is_kept = |library: &str| {
        let mut keepers = KEPT.iter().filter(|(kept, _)| *kept == library).peekable();
        keepers.peek().is_some() && !keepers.any(|(_, keeper)| *keeper == name)
    };
    dependencies(package)
        .filter(|(library, need)| *need == Need::Code && is_kept(library))
        .map(|(library, _)| Violation::new(name, format!("may not use {library}")))
        .collect()
}

fn libraries(package: &Value, members: &[&str]) -> Option<Violation> {
    let name = package["name"].as_str().unwrap_or_default();
    let outside = |(to, need): &(&str, Need)| *need == Need::Code && !members.contains(to);
    let count = dependencies(package).filter(outside).count();
    let rule = format!("leans on {count} libraries, a pure crate on {PURE_LIBRARIES} at most");
    let is_bound = PURE.contains(&name) && !HAVE_CODECS.contains(&name);
    (is_bound && count > PURE_LIBRARIES).then(|| Violation::new(name, rule))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Metadata of a workspace with sip, pbx and store in it, where `name` depends on `on`.
    fn workspace(name: &str, on: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> = on
            .iter()
            .map(|(to, kind)| json!({"name": to, "kind": kind}))
            .collect();
        let package = |package: &str| {
            let dependencies = if package == name {
                dependencies.clone()
            } else {
                Vec::new()
            };
            json!({"name": package, "source": null, "dependencies": dependencies})
        };
        json!({"packages": [package("sip"), package("pbx"), package("store"), package("sim")]})
    }

    fn check_arrow(from: &str, to: &str, kind: Option<&str>, violations: usize) {
        let found = check(&workspace(from, &[(to, kind)]));
        assert_eq!(found.len(), violations, "{from} → {to}: {found:?}");
    }

    #[test]
    fn an_arrow_that_points_up_or_aside_is_found() {
        check_arrow("store", "pbx", None, 0);
        check_arrow("sip", "pbx", None, 1);
        check_arrow("sip", "pbx", Some("dev"), 1);
        check_arrow("pbx", "store", None, 1);
        check_arrow("pbx", "sim", Some("dev"), 0);
        check_arrow("pbx", "sim", None, 1);
    }

    #[test]
    fn a_library_in_the_wrong_crate_is_found() {
        check_arrow("store", "rusqlite", None, 0);
        check_arrow("pbx", "rusqlite", None, 1);
        check_arrow("store", "tokio", None, 1);
        check_arrow("sip", "anyhow", None, 1);
        check_arrow("store", "tokio", Some("dev"), 0);
    }

    #[test]
    fn a_pure_crate_with_many_libraries_is_found() {
        let six = ["a", "b", "c", "d", "e", "f"].map(|name| (name, None));
        assert_eq!(check(&workspace("sip", &six)).len(), 1);
        assert_eq!(check(&workspace("sip", &six[1..])).len(), 0);
        assert_eq!(check(&workspace("store", &six)).len(), 0);
    }

    #[test]
    fn a_crate_nobody_has_placed_is_found() {
        let metadata = json!({"packages": [{"name": "new", "source": null, "dependencies": []}]});
        assert_eq!(check(&metadata).len(), 1);
    }
}
