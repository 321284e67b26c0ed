//! A draft to text: the same bytes for the same draft.

use anyhow::Context;
use pbx::draft::Draft;

/// The document as YAML.
pub fn write(draft: &Draft) -> anyhow::Result<String> {
    serde_saphyr::to_string(draft).context("the document cannot be written as YAML")
}

#[cfg(test)]
mod tests {
    use pbx::draft::Secrets;

    use super::*;
    use crate::account::load;

    fn example() -> Draft {
        load(include_str!("../../../../examples/account.yaml")).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for secrets in [Secrets::Hashed, Secrets::Shown] {
            let draft = example().export(secrets);
            let text = write(&draft).unwrap();
            assert_eq!(load(&text), Ok(draft.clone()));
            assert_eq!(write(&load(&text).unwrap()).unwrap(), text, "byte-stable");
        }
    }

    #[test]
    fn an_export_looks_as_committed() {
        insta::assert_snapshot!(write(&example().export(Secrets::Hashed)).unwrap());
    }

    #[test]
    fn strings_that_look_like_something_else_stay_strings() {
        let mut draft = example();
        for name in [
            "0123",
            "yes",
            "null",
            "1e3",
            "- x",
            "a: b",
            " x",
            "#",
            "ü\n\u{7}",
            "\"",
            "'",
        ] {
            name.clone_into(&mut draft.users[0].name);
            let text = write(&draft).unwrap();
            assert_eq!(load(&text), Ok(draft.clone()), "{name}: {text}");
        }
    }
}
