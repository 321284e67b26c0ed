//! Settings as data: from it the compiler checks a document, the portal draws a form and the
//! simulator makes examples up.

use serde_json::{Map, Value};

use super::MAX_MEMBERS;
use crate::draft::{MAX_EMAILS, is_email, nearest};

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
    /// The internal number of a user.
    User,
    /// Telephone numbers of the account.
    Numbers,
    /// Users and numbers outside.
    Members,
    /// Mail addresses.
    Emails,
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
            Self::User => (!value.is_string())
                .then(|| "must be a user's internal number in quotes, such as \"1010\"".to_owned()),
            Self::Members => {
                let fits = value.as_array().is_some_and(|list| {
                    (1..=MAX_MEMBERS).contains(&list.len()) && list.iter().all(Value::is_object)
                });
                (!fits).then(|| {
                    format!(
                        "must be a list of 1 to {MAX_MEMBERS} members, such as \
                         [{{\"user\": \"1010\"}}, {{\"number\": \"+61298765432\"}}]"
                    )
                })
            }
            Self::Emails => {
                let fits = value.as_array().is_some_and(|list| {
                    (1..=MAX_EMAILS).contains(&list.len())
                        && list.iter().all(|one| one.as_str().is_some_and(is_email))
                });
                (!fits).then(|| {
                    format!(
                        "must be a list of 1 to {MAX_EMAILS} mail addresses in quotes, such as \
                         [\"john@acme.example.com\"]"
                    )
                })
            }
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
