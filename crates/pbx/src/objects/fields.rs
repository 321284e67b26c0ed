//! Settings as data: from it the compiler checks a document, the portal draws a form and the
//! simulator makes examples up.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::set_caller_id::SetCallerId;
use super::{MAX_AGENTS, MAX_GROUPS, MAX_MEMBERS, MAX_RULES, Object};
use crate::draft::{
    MAX_EMAILS, MAX_INTERNAL_DIGITS, headers_complaint, is_digit, is_email, is_word, nearest,
    token_complaint, url_complaint,
};
use crate::sound::{FILE_PREFIX, is_sound_name};

/// Of an international number (ITU-T E.164).
const MAX_NUMBER_DIGITS: usize = 15;

/// Internal numbers of one object.
const MAX_INTERNAL_NUMBERS: usize = 32;
/// Exits that one object names.
const MAX_EXIT_NAMES: usize = 32;
/// Of an exit that settings name.
const MAX_EXIT_CHARS: usize = 32;

/// One setting of a kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its key in the document; carries its unit.
    pub name: &'static str,
    /// Its label.
    pub title: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// Whether it must.
    pub need: Need,
}

/// Whether a setting must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it the object means nothing.
    Required,
    /// It has a default, described by the help text.
    Optional,
}

/// What a setting may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A whole number.
    Whole {
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these prompts, or `file:` and the name of a sound of the account's own.
    Sound(&'static [&'static str]),
    /// The internal number of a user.
    User,
    /// A telephone number.
    Number,
    /// The internal numbers of users.
    Users,
    /// Telephone numbers.
    Numbers,
    /// What users dial inside.
    InternalNumbers,
    /// Users and numbers outside.
    Members,
    /// Mail addresses.
    Emails,
    /// An address to be called by http or https.
    Url,
    /// A token that a receiver compares. Leaves as a hash.
    Secret,
    /// Headers and their values, which leave as hashes.
    Headers,
    /// Groups of hours and days, each with an exit of its own.
    TimeGroups,
    /// Names of exits.
    ExitNames,
    /// One of the object's exits.
    OwnExit,
    /// Some words, without control characters.
    Text {
        /// The most characters.
        most: u32,
    },
    /// Digits in quotes.
    Digits {
        /// The most.
        most: u32,
    },
    /// Digits that only those know who may come in. Leave as a hash.
    Pin {
        /// The most.
        most: u32,
    },
    /// How callers are shown whose numbers begin so.
    CallerRules,
}

impl Shape {
    /// What the value lacks to be of this shape.
    fn complaint(self, value: &Value) -> Option<String> {
        match self {
            Self::Whole { least, most } => {
                let fits = value
                    .as_u64()
                    .is_some_and(|number| (u64::from(least)..=u64::from(most)).contains(&number));
                (!fits).then(|| format!("must be a whole number from {least} to {most}"))
            }
            Self::Choice(words) => {
                let known = value.as_str().is_some_and(|word| words.contains(&word));
                (!known).then(|| format!("must be one of: {}", words.join(", ")))
            }
            Self::Sound(prompts) => sound_complaint(value, prompts),
            Self::User => (!value.is_string())
                .then(|| "must be a user's internal number in quotes, such as \"1010\"".to_owned()),
            Self::Number => (!value.is_string())
                .then(|| "must be a number in quotes, such as \"+61298765432\"".to_owned()),
            Self::Users => list_complaint(
                value,
                MAX_AGENTS,
                Value::is_string,
                "internal numbers in quotes, such as [\"1010\", \"1011\"]",
            ),
            Self::InternalNumbers => internal_numbers_complaint(value),
            Self::Members => list_complaint(
                value,
                MAX_MEMBERS,
                Value::is_object,
                "members, such as [{\"user\": \"1010\"}, {\"number\": \"+61298765432\"}]",
            ),
            Self::Emails => list_complaint(
                value,
                MAX_EMAILS,
                |one| one.as_str().is_some_and(is_email),
                "mail addresses in quotes, such as [\"john@acme.example.com\"]",
            ),
            Self::Url => match value.as_str() {
                Some(url) => url_complaint(url).map(str::to_owned),
                None => Some("must be an address in quotes".to_owned()),
            },
            Self::Secret => match value.as_str() {
                Some(token) => token_complaint(token).map(str::to_owned),
                None => Some("must be a text in quotes".to_owned()),
            },
            Self::Headers => match value.as_object() {
                Some(headers) => headers_complaint(headers),
                None => Some("must be headers, such as {\"X-Source\": \"pbx\"}".to_owned()),
            },
            Self::TimeGroups => groups_complaint(value),
            Self::ExitNames => exit_names_complaint(value),
            Self::Text { most } => text_complaint(value, most),
            Self::Digits { most } | Self::Pin { most } => digits_complaint(value, most),
            Self::CallerRules => rules_complaint(value),
            Self::OwnExit => (!value.is_string())
                .then(|| "must be the name of one of the object's exits".to_owned()),
            Self::Numbers => {
                let texts = value
                    .as_array()
                    .is_some_and(|list| list.iter().all(Value::is_string));
                (!texts).then(|| {
                    "must be a list of numbers in quotes, such as [\"+61298765432\"]".to_owned()
                })
            }
        }
    }

    /// The exits that a value of this shape names.
    fn exits(self, value: &Value) -> Vec<&str> {
        match self {
            Self::TimeGroups => {
                let groups = value.as_array().into_iter().flatten();
                groups
                    .filter_map(|group| group.get("exit")?.as_str())
                    .collect()
            }
            Self::ExitNames => {
                let names = value.as_array().into_iter().flatten();
                names.filter_map(Value::as_str).collect()
            }
            Self::Whole { .. }
            | Self::Choice(_)
            | Self::Sound(_)
            | Self::User
            | Self::Users
            | Self::Number
            | Self::Numbers
            | Self::InternalNumbers
            | Self::Members
            | Self::Emails
            | Self::Url
            | Self::Secret
            | Self::Headers
            | Self::OwnExit
            | Self::Text { .. }
            | Self::Digits { .. }
            | Self::Pin { .. }
            | Self::CallerRules => Vec::new(),
        }
    }

    /// What is secret in a value of this shape, each with its place.
    pub(crate) fn secrets<'v>(
        self,
        key: &str,
        value: &'v mut Value,
    ) -> Vec<(String, &'v mut Value)> {
        match self {
            Self::Secret | Self::Pin { .. } => vec![(key.to_owned(), value)],
            Self::Headers => {
                let headers = value.as_object_mut().into_iter().flatten();
                headers
                    .map(|(name, value)| (format!("{key}.{name}"), value))
                    .collect()
            }
            Self::Whole { .. }
            | Self::Choice(_)
            | Self::Sound(_)
            | Self::User
            | Self::Users
            | Self::Number
            | Self::Numbers
            | Self::InternalNumbers
            | Self::Members
            | Self::Emails
            | Self::Url
            | Self::TimeGroups
            | Self::ExitNames
            | Self::OwnExit
            | Self::Text { .. }
            | Self::Digits { .. }
            | Self::CallerRules => Vec::new(),
        }
    }
}

/// The exits that settings name, besides those of the kind.
pub(crate) fn own_exits<'a>(
    fields: &[Field],
    settings: &'a Map<String, Value>,
) -> BTreeSet<&'a str> {
    let fields = fields.iter();
    fields
        .filter_map(|field| Some((field.shape, settings.get(field.name)?)))
        .flat_map(|(shape, value)| shape.exits(value))
        .collect()
}

pub(crate) fn sound_complaint(value: &Value, prompts: &[&str]) -> Option<String> {
    let fits = value.as_str().is_some_and(|word| {
        let file = word.strip_prefix(FILE_PREFIX);
        file.map_or_else(|| prompts.contains(&word), is_sound_name)
    });
    let known = match prompts {
        [] => String::new(),
        prompts => format!("one of: {}; or ", prompts.join(", ")),
    };
    (!fits).then(|| {
        format!(
            "must be {known}{FILE_PREFIX} and the name of a sound of your own, which has only the \
             characters a-z, 0-9, `-` and `_`"
        )
    })
}

fn text_complaint(value: &Value, most: u32) -> Option<String> {
    let fits = value.as_str().is_some_and(|text| {
        let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        (1..=most).contains(&length) && !text.chars().any(char::is_control)
    });
    (!fits).then(|| format!("must be a text of 1 to {most} characters, without control characters"))
}

fn digits_complaint(value: &Value, most: u32) -> Option<String> {
    let fits = value.as_str().is_some_and(|text| {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        (1..=most).contains(&length) && text.bytes().all(|byte| byte.is_ascii_digit())
    });
    (!fits).then(|| format!("must be 1 to {most} digits in quotes, such as \"0\""))
}

fn internal_numbers_complaint(value: &Value) -> Option<String> {
    let is_number = |one: &Value| {
        one.as_str()
            .is_some_and(|one| is_word(one, MAX_INTERNAL_DIGITS, is_digit))
    };
    list_complaint(
        value,
        MAX_INTERNAL_NUMBERS,
        is_number,
        "internal numbers in quotes, such as [\"800\"]",
    )
}

/// A rule has what the object itself may have, and the beginning of a number.
fn rules_complaint(value: &Value) -> Option<String> {
    let Some(rules) = value.as_array().filter(|rules| rules.len() <= MAX_RULES) else {
        return Some(format!("must be a list of at most {MAX_RULES} rules"));
    };
    rules.iter().enumerate().find_map(|(place, rule)| {
        let mut parts = rule.as_object()?.iter();
        let complaint = parts.find_map(|(key, value)| rule_complaint(key, value));
        let begins = rule.get("begins_with").and_then(Value::as_str);
        let is_beginning = begins.is_some_and(|begins| {
            let digits = begins.strip_prefix('+').unwrap_or(begins);
            is_word(digits, MAX_NUMBER_DIGITS, |char| char.is_ascii_digit())
        });
        let rule = format!("rule {}", place + 1);
        match complaint {
            Some(complaint) => Some(format!("has a {rule} whose {complaint}")),
            None if is_beginning => None,
            None => Some(format!(
                "has a {rule} without `begins_with`: the beginning of a number in quotes, such as \
                 \"+614\""
            )),
        }
    })
}

fn rule_complaint(key: &str, value: &Value) -> Option<String> {
    let fields = &SetCallerId::KIND.fields;
    let field = fields.iter().find(|field| field.name == key)?;
    let complaint = field.shape.complaint(value)?;
    Some(format!("`{key}` {complaint}"))
}

fn groups_complaint(value: &Value) -> Option<String> {
    let Some(groups) = value.as_array().filter(|groups| !groups.is_empty()) else {
        return Some(
            "must be a list of groups, such as [{\"exit\": \"open\", \"hours\": \
             [\"09:00-17:00\"]}]"
                .to_owned(),
        );
    };
    if groups.len() > MAX_GROUPS {
        return Some(format!("has more than {MAX_GROUPS} groups"));
    }
    let has_exit = |group: &Value| {
        let exit = group.get("exit").and_then(Value::as_str);
        exit.is_some_and(|exit| is_word(exit, MAX_EXIT_CHARS, is_exit_char))
    };
    let bad = groups.iter().position(|group| !has_exit(group))?;
    Some(format!(
        "must name an `exit` in each group, 1 to {MAX_EXIT_CHARS} of the characters a-z, 0-9 and \
         `_`: group {} has none",
        bad + 1
    ))
}

fn exit_names_complaint(value: &Value) -> Option<String> {
    let fits = value.as_array().is_some_and(|names| {
        let is_name = |name: &Value| {
            let name = name.as_str();
            name.is_some_and(|name| is_word(name, MAX_EXIT_CHARS, is_exit_char))
        };
        (1..=MAX_EXIT_NAMES).contains(&names.len()) && names.iter().all(is_name)
    });
    (!fits).then(|| {
        format!(
            "must be a list of 1 to {MAX_EXIT_NAMES} names in quotes, each of 1 to \
             {MAX_EXIT_CHARS} of the characters a-z, 0-9 and `_`"
        )
    })
}

fn is_exit_char(char: char) -> bool {
    char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_'
}

/// Everything that is wrong with settings by their fields alone, as (key, complaint).
pub(crate) fn complaints(fields: &[Field], settings: &Map<String, Value>) -> Vec<(String, String)> {
    let mut complaints = Vec::new();
    for (key, value) in settings {
        let complaint = match fields.iter().find(|field| field.name == key) {
            Some(field) => field.shape.complaint(value),
            None => Some(unknown(key, fields)),
        };
        complaints.extend(complaint.map(|complaint| (key.clone(), complaint)));
    }
    for field in fields {
        if field.need == Need::Required && !settings.contains_key(field.name) {
            complaints.push((field.name.to_owned(), format!("is missing: {}", field.help)));
        }
    }
    complaints
}

fn list_complaint(
    value: &Value,
    most: usize,
    is_one: fn(&Value) -> bool,
    what: &str,
) -> Option<String> {
    let fits = value
        .as_array()
        .is_some_and(|list| (1..=most).contains(&list.len()) && list.iter().all(is_one));
    (!fits).then(|| format!("must be a list of 1 to {most} {what}"))
}

fn unknown(key: &str, fields: &[Field]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    if names.is_empty() {
        return "is no setting of this object, which has none".to_owned();
    }
    match nearest(key, &names) {
        Some(name) => format!("is no setting of this object; `{name}` may be meant"),
        None => format!(
            "is no setting of this object, which has: {}",
            names.join(", ")
        ),
    }
}
