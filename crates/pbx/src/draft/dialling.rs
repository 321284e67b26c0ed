//! What the account's people may dial outside.

use super::compile::Compiler;
use crate::dialling::Dialling;
use crate::number::Numbering;

impl Compiler<'_> {
    /// The rules, with the account's own country always allowed.
    pub(super) fn dialling(&mut self) -> Dialling {
        let draft = self.draft;
        let codes = draft.dialling.countries.as_deref();
        let country_codes = codes.map(|countries| self.country_codes(countries));
        let mut rules = Dialling {
            country_codes,
            ..Dialling::default()
        };
        for (index, beginning) in draft.dialling.blocked.iter().enumerate() {
            let digits = beginning.strip_prefix('+');
            let list = match digits {
                Some(_) => &mut rules.blocked,
                None => &mut rules.blocked_local,
            };
            let digits = digits.unwrap_or(beginning);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                self.error(
                    format!("dialling.blocked[{index}]"),
                    "must be the beginning of a number: `+` and digits for international numbers, \
                     such as \"+61190\", digits alone for what is passed on as dialled",
                );
                continue;
            }
            list.push(digits.to_owned());
        }
        rules
    }

    fn country_codes(&mut self, countries: &[String]) -> Vec<String> {
        let mut codes = vec![self.numbering.calling_code().to_owned()];
        for (index, country) in countries.iter().enumerate() {
            match Numbering::new(country, None) {
                Some(numbering) => codes.push(numbering.calling_code().to_owned()),
                None => self.error(
                    format!("dialling.countries[{index}]"),
                    format!("`{country}` is no ISO 3166 code such as NZ"),
                ),
            }
        }
        codes
    }
}
