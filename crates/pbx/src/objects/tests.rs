//! What is true of every kind of object, those to come too.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::draft::{Object, Problem, Severity};
use crate::ids::AccountId;
use crate::testing::example;

/// A value of that shape which the example account has.
fn sample(shape: Shape) -> Value {
    match shape {
        Shape::Whole { least, .. } => json!(least),
        Shape::Choice(words) => json!(words.first()),
        Shape::Sound(_) => json!("file:welcome"),
        Shape::User => json!("1011"),
        Shape::Number => json!("+61298765432"),
        Shape::Users => json!(["1011"]),
        Shape::InternalNumbers => json!(["800"]),
        Shape::Members => json!([{"user": "1011"}, {"number": "+61298760000"}]),
        Shape::Emails => json!(["john@acme.example.com"]),
        Shape::Numbers => json!(["+61298760000"]),
        Shape::Url => json!("https://crm.example.com/passed"),
        Shape::Secret => json!("5up3r"),
        Shape::Headers => json!({"X-Source": "pbx"}),
        Shape::TimeGroups => json!([{"exit": "open", "hours": ["09:00-17:00"]}]),
        Shape::ExitNames => json!(["vip", "usual"]),
        Shape::OwnExit => json!("no_match"),
        Shape::Text { .. } => json!("Sales: "),
        Shape::Digits { .. } | Shape::Pin { .. } => json!("0"),
        Shape::CallerRules => json!([{"begins_with": "+614", "name": "Mobile"}]),
    }
}

fn samples(kind: &Kind) -> Map<String, Value> {
    let fields = kind.fields.iter();
    fields
        .map(|field| (field.name.to_owned(), sample(field.shape)))
        .collect()
}

/// The errors of an object with those settings, alone in a flow.
fn errors(kind: &Kind, settings: Map<String, Value>) -> Vec<Problem> {
    let mut draft = example();
    let mut flow = draft.flows[0].clone();
    flow.id = "tried".to_owned();
    flow.objects = vec![Object {
        id: "tried".to_owned(),
        kind: kind.name.to_owned(),
        name: String::new(),
        at: (0, 0),
        settings,
        exits: std::collections::BTreeMap::new(),
    }];
    draft.flows.push(flow);
    let problems = draft.compile(AccountId(1), 1).err().unwrap_or_default();
    problems
        .into_iter()
        .filter(|problem| problem.severity == Severity::Error)
        .collect()
}

#[test]
fn fields_and_settings_agree() {
    for kind in offered() {
        assert_eq!(errors(kind, samples(kind)), [], "{}", kind.name);
        for field in kind.fields {
            let mut settings = samples(kind);
            settings.remove(field.name);
            let sound = errors(kind, settings).is_empty();
            assert_eq!(
                sound,
                field.need == Need::Optional,
                "{}.{}",
                kind.name,
                field.name
            );
        }
    }
}

#[test]
fn every_word_of_a_choice_is_known() {
    for kind in offered() {
        for field in kind.fields {
            let Shape::Choice(words) = field.shape else {
                continue;
            };
            for word in words {
                let mut settings = samples(kind);
                settings.insert(field.name.to_owned(), json!(word));
                assert_eq!(
                    errors(kind, settings),
                    [],
                    "{}.{}: {word}",
                    kind.name,
                    field.name
                );
            }
        }
    }
}

#[test]
fn kinds_fields_and_exits_have_names_titles_and_help() {
    let mut names = BTreeSet::new();
    for kind in KINDS {
        assert!(names.insert(kind.name), "{} twice", kind.name);
        assert!(
            !kind.title.is_empty() && kind.help.ends_with('.'),
            "{}",
            kind.name
        );
        let fields: BTreeSet<_> = kind.fields.iter().map(|field| field.name).collect();
        assert_eq!(fields.len(), kind.fields.len(), "{}", kind.name);
        assert!(
            kind.fields
                .iter()
                .all(|field| !field.title.is_empty() && !field.help.is_empty())
        );
        let exits: BTreeSet<_> = kind.exits.iter().map(|exit| exit.name).collect();
        assert_eq!(exits.len(), kind.exits.len(), "{}", kind.name);
        assert!(kind.exits.iter().all(|exit| !exit.title.is_empty()));
    }
}

#[test]
fn what_the_plan_adds_by_itself_cannot_be_drawn() {
    assert!(kind("outbound").is_none());
    assert!(kind("user").is_some());
}
