//! Text to a draft. What cannot be read is told with its line, and a wrong key with the nearest right one.

use pbx::draft::Draft;
use serde_saphyr::Error as YamlError;

use crate::nearest;

/// The longest document taken, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;

/// Why a text is no account document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// A key that does not exist there.
    #[error("line {line}: unknown key `{key}`{}", help(.key, .known))]
    UnknownKey {
        /// Where it stands.
        line: u64,
        /// As written.
        key: String,
        /// What could stand there.
        known: Vec<&'static str>,
    },
    /// A word that is none of those that can stand there.
    #[error("line {line}: unknown word `{word}`{}", help(.word, .known))]
    UnknownWord {
        /// Where it stands.
        line: u64,
        /// As written.
        word: String,
        /// What could stand there.
        known: Vec<&'static str>,
    },
    /// A key that must be there is not.
    #[error("line {line}: the key `{key}` is missing")]
    MissingKey {
        /// Where what it belongs to begins.
        line: u64,
        /// The key.
        key: &'static str,
    },
    /// Not YAML, or a value of the wrong kind.
    #[error("line {line}: {message}")]
    Malformed {
        /// Where reading ended.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// More than anybody writes.
    #[error("the document has {bytes} bytes, at most {MAX_DOCUMENT_BYTES} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Reads an account document.
pub fn load(text: &str) -> Result<Draft, DocumentError> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLong { bytes: text.len() });
    }
    serde_saphyr::from_str(text).map_err(|error| told(error.without_snippet()))
}

/// The same error in our words. The library's own rendering quotes the lines around it, and a
/// password may stand there.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
fn told(error: &YamlError) -> DocumentError {
    let line = error.location().map_or(0, |location| location.line());
    match error {
        YamlError::SerdeUnknownField {
            field, expected, ..
        } => DocumentError::UnknownKey {
            line,
            key: field.clone(),
            known: expected.clone(),
        },
        YamlError::SerdeUnknownVariant {
            variant, expected, ..
        } => DocumentError::UnknownWord {
            line,
            word: variant.clone(),
            known: expected.clone(),
        },
        YamlError::SerdeMissingField { field, .. } => {
            DocumentError::MissingKey { line, key: field }
        }
        YamlError::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            DocumentError::Malformed {
                line,
                message: format!("the key `{key}` stands there twice"),
            }
        }
        other => DocumentError::Malformed {
            line,
            message: without_place(&other.to_string()),
        },
    }
}

/// The message without the place that it ends with, which stands at its front already.
fn without_place(message: &str) -> String {
    let cut = message.rfind(" at line ").unwrap_or(message.len());
    message.get(..cut).unwrap_or(message).to_owned()
}

/// `, did you mean …?`, or everything that could stand there.
fn help(written: &str, known: &[&'static str]) -> String {
    match nearest::nearest(written, known.iter().copied()) {
        Some(word) => nearest::suggestion(Some(word)),
        None => format!("; there is: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "account: acme\ncountry: AU\ndomain: acme.example\n";

    fn error(rest: &str) -> String {
        load(&format!("{HEAD}{rest}")).map_or_else(|error| error.to_string(), |_| "fine".to_owned())
    }

    #[test]
    fn the_example_is_read_and_so_is_json() {
        let draft = load(include_str!("../../../../examples/account.yaml")).unwrap();
        assert_eq!(draft.account, "acme");
        assert_eq!(draft.users.len(), 2);
        let json = serde_json::to_string_pretty(&draft).unwrap();
        assert_eq!(load(&json), Ok(draft));
    }

    /// The second example has every kind of object, with every setting.
    #[test]
    fn the_example_of_objects_has_all_of_them() {
        let draft = load(include_str!("../../../../examples/every-object.yaml")).unwrap();
        let plan = draft.compile(pbx::AccountId(1), 1).unwrap();
        assert_eq!(plan.warnings, [], "an example is without fault");
        let objects: Vec<_> = draft.flows.iter().flat_map(|flow| &flow.objects).collect();
        let offered = pbx::objects::KINDS.iter();
        for kind in offered.filter(|kind| kind.palette != pbx::objects::Palette::Hidden) {
            let drawn = || objects.iter().filter(|object| object.kind == kind.name);
            assert_ne!(drawn().count(), 0, "{} is missing", kind.name);
            for field in kind.fields {
                let is_set = drawn().any(|object| object.settings.contains_key(field.name));
                assert!(is_set, "{} without {}", kind.name, field.name);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_line_and_nearest_key() {
        let cases = [
            (
                "users:\n  - number: '1'\n    name: x\n    ring_second: 3",
                "line 7: unknown key `ring_second`, did you mean `ring_seconds`?",
            ),
            (
                "acount: x",
                "line 4: unknown key `acount`, did you mean `account`?",
            ),
            (
                "webhooks:\n- {name: x, url: y, secret_token: s, triggers: all, qqq: 1}",
                "line 5: unknown key `qqq`; there is: name, url, secret_token, triggers, timeout_seconds",
            ),
            ("users:\n  - name: x", "line 5: the key `number` is missing"),
            (
                "country: NZ",
                "line 4: the key `country` stands there twice",
            ),
            ("limits: {calls: many}", "line 4: invalid u32"),
            (
                "trunks:\n- name: x\n  host: y\n  transport: upd",
                "line 7: unknown word `upd`, did you mean `udp`?",
            ),
            ("users: [", "line 4: "),
            ("fine: \"\n", "line 4: "),
        ];
        for (rest, expect) in cases {
            let got = error(rest);
            if expect.ends_with(": ") {
                assert!(got.starts_with("line "), "{rest}: {got}");
            } else {
                assert_eq!(got, expect, "{rest}");
            }
        }
    }

    #[test]
    fn an_error_shows_no_line_of_the_document() {
        let got =
            error("trunks:\n- name: x\n  register: {username: u, password: s3cret}\n  hots: y");
        assert!(!got.contains("s3cret") && got.contains("line 7"), "{got}");
    }

    #[test]
    fn a_document_that_would_fill_the_memory_is_refused() {
        let bytes = MAX_DOCUMENT_BYTES + 1;
        assert_eq!(
            load(&" ".repeat(bytes)),
            Err(DocumentError::TooLong { bytes })
        );
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                    c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]";
        assert!(load(bomb).is_err());
    }
}
