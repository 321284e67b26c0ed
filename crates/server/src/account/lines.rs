//! Which line a path of the document stands on, for problems that only compiling finds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use granit_parser::{Event, Parser};
use pbx::draft::{Problem, Severity};

/// Problems told at once; who has more repairs these first.
const MAX_TOLD: usize = 100;

/// The problems as lines for people, in the order of the document. Empty when there is none.
pub fn explain(text: &str, problems: &[Problem]) -> String {
    let lines = Lines::of(text);
    let mut told: Vec<(usize, &Problem)> = problems
        .iter()
        .map(|problem| (lines.line(&problem.path), problem))
        .collect();
    told.sort();
    let mut words = String::new();
    for (line, problem) in told.iter().take(MAX_TOLD) {
        let kind = match problem.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        let path = &problem.path;
        // Writing to a String cannot fail.
        writeln!(words, "line {line}: {kind}{path}: {}", problem.rule).ok();
    }
    if let Some(more @ 1..) = told.len().checked_sub(MAX_TOLD) {
        writeln!(words, "and {more} more").ok();
    }
    words
}

/// The line of every key and item, by path as in `users[0].devices[1].username`.
struct Lines(BTreeMap<String, usize>);

/// Where the reader stands in the document.
enum Level {
    /// In a list: the path of the list, and the next item.
    List { path: String, next: usize },
    /// In a map, in front of a key.
    Key { path: String },
    /// In a map, in front of the value at this path.
    Value { map: String, path: String },
}

impl Lines {
    /// Of a text that was read before. Where it cannot be read on, the table ends.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's enum is open")]
    fn of(text: &str) -> Self {
        let mut lines = BTreeMap::from([(String::new(), 1)]);
        let mut levels: Vec<Level> = Vec::new();
        for step in Parser::new_from_str(text) {
            let Ok((event, span)) = step else { break };
            let line = span.start.line();
            let begun = match event {
                Event::Scalar(value, ..) => Some(scalar(&mut levels, &value)),
                Event::SequenceStart(..) => {
                    let path = begin(&mut levels);
                    levels.push(Level::List {
                        path: path.clone(),
                        next: 0,
                    });
                    Some(path)
                }
                Event::MappingStart(..) => {
                    let path = begin(&mut levels);
                    levels.push(Level::Key { path: path.clone() });
                    Some(path)
                }
                Event::Alias(_) => Some(begin(&mut levels)),
                Event::SequenceEnd | Event::MappingEnd => {
                    levels.pop();
                    None
                }
                // Beginnings and ends of documents, and metadata: nothing that has a path.
                _ => None,
            };
            if let Some(path) = begun {
                lines.entry(path).or_insert(line);
            }
        }
        Self(lines)
    }

    /// The line of a path, or of the nearest thing around it that is written.
    fn line(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return *line;
            }
            path = path
                .rfind(['.', '['])
                .and_then(|cut| path.get(..cut))
                .unwrap_or_default();
        }
    }
}

/// A key or a plain value: the path it stands for.
fn scalar(levels: &mut [Level], value: &str) -> String {
    let Some(level @ Level::Key { .. }) = levels.last_mut() else {
        return begin(levels);
    };
    let Level::Key { path: map } = level else {
        return String::new();
    };
    let map = std::mem::take(map);
    let path = if map.is_empty() {
        value.to_owned()
    } else {
        format!("{map}.{value}")
    };
    *level = Level::Value {
        map,
        path: path.clone(),
    };
    path
}

/// The path of the value that begins here; the level goes on behind it.
fn begin(levels: &mut [Level]) -> String {
    match levels.last_mut() {
        None => String::new(),
        Some(Level::List { path, next }) => {
            let item = format!("{path}[{next}]");
            *next += 1;
            item
        }
        // A map or a list as a key: nobody writes that, and no path names it.
        Some(level @ Level::Key { .. }) => {
            let Level::Key { path } = level else {
                return String::new();
            };
            let map = std::mem::take(path);
            *level = Level::Value {
                path: map.clone(),
                map,
            };
            String::new()
        }
        Some(level @ Level::Value { .. }) => {
            let Level::Value { map, path } = level else {
                return String::new();
            };
            let (map, path) = (std::mem::take(map), std::mem::take(path));
            *level = Level::Key { path: map };
            path
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "account: acme # a comment\n\
        users:\n\
        - number: '1'\n\
        \x20 devices:\n\
        \x20   - {name: a, username: x}\n\
        \x20   - name: b\n\
        \x20     username: y\n\
        - {number: '2',\n\
        \x20  name: z}\n\
        flows:\n\
        - id: main\n\
        \x20 objects:\n\
        \x20 - settings: {numbers: [\"+61\",\n\
        \x20     \"+62\"]}\n";

    #[test]
    fn every_path_has_its_line_or_that_of_what_holds_it() {
        let lines = Lines::of(TEXT);
        let cases = [
            ("", 1),
            ("account", 1),
            ("country", 1),
            ("users", 2),
            ("users[0]", 3),
            ("users[0].number", 3),
            ("users[0].name", 3),
            ("users[0].devices", 4),
            ("users[0].devices[0].username", 5),
            ("users[0].devices[1]", 6),
            ("users[0].devices[1].username", 7),
            ("users[0].devices[1].password", 6),
            ("users[1]", 8),
            ("users[1].name", 9),
            ("users[7].name", 2),
            ("flows[0].objects[0].settings.numbers[1]", 14),
            ("flows[0].objects[0].exits.no_answer", 13),
        ];
        for (path, line) in cases {
            assert_eq!(lines.line(path), line, "{path}");
        }
    }

    #[test]
    fn problems_come_in_the_order_of_the_document() {
        let problem = |path: &str, severity| Problem {
            path: path.to_owned(),
            rule: "is wrong".to_owned(),
            severity,
        };
        let problems = [
            problem("users[1].name", Severity::Error),
            problem("account", Severity::Warning),
            problem("users[0].devices[1].username", Severity::Error),
        ];
        assert_eq!(
            explain(TEXT, &problems),
            "line 1: warning: account: is wrong\n\
             line 7: users[0].devices[1].username: is wrong\n\
             line 9: users[1].name: is wrong\n"
        );
        assert_eq!(explain(TEXT, &[]), "");
        let many = vec![problem("account", Severity::Error); MAX_TOLD + 2];
        assert!(explain(TEXT, &many).ends_with("and 2 more\n"));
    }
}
