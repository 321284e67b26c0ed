//! Has the caller shown otherwise: another name or number, or something before and after them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::core::Identity;
use crate::cx::{Cx, Moment, Step};
use crate::draft::{Compiler, MAX_NAME_CHARS};
use crate::event::HangupCause;
use crate::number::E164;

/// Rules of one object.
pub(crate) const MAX_RULES: usize = 64;
/// Digits before or after a number.
const MAX_MORE_DIGITS: u32 = 8;
/// Characters before or after a name.
const MAX_MORE_CHARS: u32 = 32;

/// How callers are shown.
#[derive(Debug)]
pub(crate) struct SetCallerId {
    rules: Vec<Rule>,
    otherwise: Showing,
}

#[derive(Debug)]
struct Rule {
    begins_with: String,
    showing: Showing,
}

/// What is shown of a caller.
#[derive(Debug)]
struct Showing {
    number: Option<E164>,
    written: Written,
}

/// As the document has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    name: Option<String>,
    name_prefix: String,
    name_suffix: String,
    number: Option<String>,
    number_prefix: String,
    number_suffix: String,
}

/// As the document has them: how callers are shown, and the rules that come before.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct Settings {
    rules: Vec<RuleSettings>,
    otherwise: Written,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct RuleSettings {
    begins_with: String,
    showing: Written,
}

impl TryFrom<Map<String, Value>> for Settings {
    type Error = serde_json::Error;

    fn try_from(mut settings: Map<String, Value>) -> Result<Self, Self::Error> {
        let rules = settings
            .remove("rules")
            .unwrap_or_else(|| Value::Array(Vec::new()));
        Ok(Self {
            rules: serde_json::from_value(rules)?,
            otherwise: serde_json::from_value(Value::Object(settings))?,
        })
    }
}

impl TryFrom<Map<String, Value>> for RuleSettings {
    type Error = serde_json::Error;

    fn try_from(mut rule: Map<String, Value>) -> Result<Self, Self::Error> {
        let begins_with = rule.remove("begins_with").unwrap_or_default();
        Ok(Self {
            begins_with: serde_json::from_value(begins_with)?,
            showing: serde_json::from_value(Value::Object(rule))?,
        })
    }
}

const fn text(name: &'static str, title: &'static str, help: &'static str, most: u32) -> Field {
    Field {
        name,
        title,
        help,
        shape: Shape::Text { most },
        need: Need::Optional,
    }
}

const fn digits(name: &'static str, title: &'static str, help: &'static str) -> Field {
    Field {
        name,
        title,
        help,
        shape: Shape::Digits {
            most: MAX_MORE_DIGITS,
        },
        need: Need::Optional,
    }
}

impl Object for SetCallerId {
    const KIND: Kind = Kind {
        name: "set_caller_id",
        title: "Set caller id",
        palette: Palette::Basic,
        help: "Has the caller shown otherwise from here on, on phones and in what is told and \
               listed of what follows. The first rule whose beginning the caller's number has \
               says how, or else the settings beside the rules. Calls to the outside go on showing \
               a number that is the caller's own or the account's.",
        fields: &[
            text(
                "name",
                "Name",
                "the name shown instead; the caller's own when absent",
                64,
            ),
            text(
                "name_prefix",
                "Before the name",
                "such as \"Sales: \"",
                MAX_MORE_CHARS,
            ),
            text(
                "name_suffix",
                "After the name",
                "such as \" (Sydney)\"",
                MAX_MORE_CHARS,
            ),
            Field {
                name: "number",
                title: "Number",
                help: "the number shown instead; the caller's own when absent",
                shape: Shape::Number,
                need: Need::Optional,
            },
            digits(
                "number_prefix",
                "Before the number",
                "such as 0 for an outside line",
            ),
            digits("number_suffix", "After the number", "digits that follow it"),
            Field {
                name: "rules",
                title: "Rules",
                help: "for callers whose number begins so, such as [{\"begins_with\": \"+614\", \
                       \"name_prefix\": \"Mobile: \"}]",
                shape: Shape::CallerRules,
                need: Need::Optional,
            },
        ],
        exits: &[Exit {
            name: "next",
            title: "Next",
            cause: HangupCause::Unavailable,
            pace: Pace::AtOnce,
        }],
    };

    type Settings = Settings;
    type State = ();

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let otherwise = settings.otherwise.compile("", compiler);
        let rules = settings.rules.into_iter().enumerate();
        let rules: Vec<_> = rules
            .map(|(place, rule)| {
                let showing = rule
                    .showing
                    .compile(&format!("rules[{place}]."), compiler)?;
                Some(Rule {
                    begins_with: rule.begins_with,
                    showing,
                })
            })
            .collect();
        Some(Self {
            rules: rules.into_iter().collect::<Option<_>>()?,
            otherwise: otherwise?,
        })
    }

    fn handle(&self, _state: &mut (), _moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| begins_with(cx.caller(), &rule.begins_with));
        let showing = rule.map_or(&self.otherwise, |rule| &rule.showing);
        let (number, name) = showing.of(cx.shown_number(), cx.shown_name());
        cx.show_caller(number, name);
        Step::exit("next")
    }
}

impl Written {
    fn compile(self, setting: &str, compiler: &mut Compiler<'_>) -> Option<Showing> {
        let number = match &self.number {
            Some(text) => Some(compiler.number(&format!("{setting}number"), text)?),
            None => None,
        };
        Some(Showing {
            number,
            written: self,
        })
    }
}

impl Showing {
    fn of(&self, number: &Identity, name: Option<&str>) -> (Identity, Option<String>) {
        let number = self.number.map_or_else(|| number.clone(), Identity::Number);
        (self.number_of(&number), self.name_of(&number, name))
    }

    /// A number with more digits is none that can be called.
    fn number_of(&self, number: &Identity) -> Identity {
        let (before, after) = (&self.written.number_prefix, &self.written.number_suffix);
        match number.digits() {
            Some(digits) if !before.is_empty() || !after.is_empty() => {
                Identity::Plain(format!("{before}{digits}{after}"))
            }
            Some(_) | None => number.clone(),
        }
    }

    /// Who has no name is shown by the number beside what is added.
    fn name_of(&self, number: &Identity, name: Option<&str>) -> Option<String> {
        let (before, after) = (&self.written.name_prefix, &self.written.name_suffix);
        let name = self.written.name.as_deref().or(name);
        if before.is_empty() && after.is_empty() {
            return name.map(str::to_owned);
        }
        let name = name.map(str::to_owned).or_else(|| number.digits());
        let whole = format!("{before}{}{after}", name.unwrap_or_default());
        let whole: String = whole.trim().chars().take(MAX_NAME_CHARS).collect();
        (!whole.is_empty()).then_some(whole)
    }
}

/// `+` and digits begin an international number, digits alone an internal or short one.
fn begins_with(caller: &Identity, beginning: &str) -> bool {
    match (caller, beginning.strip_prefix('+')) {
        (Identity::Number(number), Some(beginning)) => number.to_string().starts_with(beginning),
        (Identity::Plain(digits), None) => digits.starts_with(beginning),
        (Identity::Withheld | Identity::Plain(_), Some(_))
        | (Identity::Withheld | Identity::Number(_), None) => false,
    }
}
