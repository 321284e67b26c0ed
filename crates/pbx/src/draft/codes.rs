//! Feature codes: the usual ones, and what the account has in their place.

use super::compile::Compiler;
use super::document::CodeSetting;
use super::text::nearest;
use crate::codes::{CODES, Codes, MAX_CODE_CHARS, is_code};

impl Compiler<'_> {
    /// Every code of the account. A usual code that is in the way of one that it has chosen gives way:
    /// a newer version, which has more of them, must not refuse a document that was good.
    pub(super) fn codes(&mut self) -> Codes {
        let chosen = &self.draft.feature_codes;
        let mut codes = Codes::default();
        for (name, setting) in chosen {
            let path = format!("feature_codes.{name}");
            let Some(code) = CODES.iter().find(|code| code.name == name) else {
                self.error(path, unknown(name));
                continue;
            };
            let CodeSetting::Code(text) = setting else {
                continue;
            };
            if is_code(text) {
                if let Some(other) = codes.add(text, code) {
                    let rule = format!(
                        "`{text}` cannot be told from the code for {}: give one of them another",
                        other.name
                    );
                    self.error(path, rule);
                }
            } else {
                let rule = format!(
                    "`{text}` must be `off`, or `*` or `#` and up to {} of the keys 0-9, `*` and \
                     `#`, in quotes: so it is never an internal number or a call for help",
                    MAX_CODE_CHARS - 1
                );
                self.error(path, rule);
            }
        }
        let usual = CODES.iter().filter(|code| !chosen.contains_key(code.name));
        for code in usual {
            if let Some(other) = codes.add(code.usual, code) {
                let rule = format!(
                    "has a code for {} that cannot be told from `{}`, the usual one for {}, which \
                     has none now: give it another, or turn it `off`",
                    other.name, code.usual, code.name
                );
                self.warning("feature_codes", rule);
            }
        }
        codes
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = CODES.iter().map(|code| code.name).collect();
    match nearest(name, &names) {
        Some(near) => format!("`{name}` is no feature with a code; `{near}` may be meant"),
        None => format!(
            "`{name}` is no feature with a code; there are: {}",
            names.join(", ")
        ),
    }
}
