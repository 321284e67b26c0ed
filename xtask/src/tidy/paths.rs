//! `docs/call-paths.md`: each line names a test that exists and looks that very line up.

use super::{SourceFile, Violation};

/// The document.
pub(super) const DOCUMENT: &str = "docs/call-paths.md";
/// Where its tests are.
const TESTS: &str = "crates/server/tests/blackbox";

pub(super) fn check(document: &str, files: &[SourceFile]) -> Vec<Violation> {
    let lines = (1..).zip(document.lines());
    lines
        .filter_map(|(number, line)| Some((number, shown_by(line)?)))
        .filter_map(|(number, test)| {
            let rule = broken(test, files)?;
            Some(Violation::new(format!("{DOCUMENT}:{number}"), rule))
        })
        .collect()
}

/// The test that a line of a table names in its last cell.
fn shown_by(line: &str) -> Option<&str> {
    let (_, last) = line.strip_suffix(" |")?.rsplit_once("| ")?;
    let is_head = last == "shown by" || last.starts_with("---");
    (!is_head).then(|| last.trim_matches('`'))
}

fn broken(test: &str, files: &[SourceFile]) -> Option<String> {
    let Some((module, name)) = test.split_once("::") else {
        return Some(format!("`{test}` is no test of the form module::name"));
    };
    let path = format!("{TESTS}/{module}.rs");
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return Some(format!("there is no {path}"));
    };
    if !file.text.contains(&format!("#[test]\nfn {name}()")) {
        return Some(format!("{path} has no test `{name}`"));
    }
    let looks_up = file.text.contains(&format!("\"{test}\""));
    (!looks_up).then(|| format!("{path} does not demand what the line of `{test}` says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "| how | – | – | – | `inbound::he_answers` |\n";

    fn rules(document: &str, text: &str) -> Vec<String> {
        let files = [SourceFile::planted(&format!("{TESTS}/inbound.rs"), text)];
        let violations = check(document, &files);
        violations.into_iter().map(|broken| broken.rule).collect()
    }

    #[test]
    fn a_line_whose_test_demands_it_is_fine() {
        let text = "#[test]\nfn he_answers() { stage.follows(\"inbound::he_answers\") }";
        let document = format!("# Title\n| a | shown by |\n|---|---|\n{LINE}");
        assert!(rules(&document, text).is_empty());
    }

    #[test]
    fn a_line_without_such_a_test_is_found() {
        let cases = [
            (LINE, "", "has no test `he_answers`"),
            (LINE, "#[test]\nfn he_answers() {}", "does not demand"),
            ("| how | `elsewhere::x` |\n", "", "there is no"),
            ("| how | soon |\n", "", "is no test"),
        ];
        for (document, text, expect) in cases {
            let rules = rules(document, text);
            assert!(rules.len() == 1 && rules[0].contains(expect), "{rules:?}");
        }
    }
}
