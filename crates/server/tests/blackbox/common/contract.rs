//! The wire contract as a checker, written from the contract and not from the program.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::instant;

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A string that is not empty.
    Text,
    /// A string that may be empty.
    AnyText,
    TextOrNull,
    /// An array of strings, none of them empty.
    Links,
    /// 16 digits: unix seconds, node, counter.
    CallId,
    /// `2019-10-01T15:31:15.000Z`.
    Instant,
    InstantOrNull,
    /// Whole seconds, as a JSON integer.
    Seconds,
}

/// A user row of the API.
const ROW: &[(&str, Kind)] = &[
    ("unique_call_id", Kind::CallId),
    ("type", Kind::Text),
    ("caller_id", Kind::TextOrNull),
    ("caller_name", Kind::TextOrNull),
    ("dest_number", Kind::Text),
    ("user_name", Kind::Text),
    ("user_number", Kind::Text),
    ("call_start_at", Kind::Instant),
    ("connected_at", Kind::InstantOrNull),
    ("call_duration", Kind::Seconds),
    ("conversation_duration", Kind::Seconds),
];

/// A row of a stay; the group's name stands under the key of its kind.
const GROUP_ROW: &[(&str, Kind)] = &[
    ("unique_call_id", Kind::CallId),
    ("callerid", Kind::TextOrNull),
    ("caller_id", Kind::TextOrNull),
    ("caller_name", Kind::TextOrNull),
    ("dest_number", Kind::Text),
    ("user_name", Kind::TextOrNull),
    ("user_number", Kind::TextOrNull),
    ("call_start_at", Kind::Instant),
    ("connected_at", Kind::InstantOrNull),
    ("call_duration", Kind::Seconds),
    ("conversation_duration", Kind::Seconds),
    ("status", Kind::Text),
];

/// What every webhook of a user has.
const USER_HOOK: &[(&str, Kind)] = &[
    ("type", Kind::Text),
    ("unique_call_id", Kind::CallId),
    ("caller_id", Kind::TextOrNull),
    ("dest_number", Kind::Text),
    ("user_name", Kind::Text),
    ("user_number", Kind::Text),
    ("call_start_at", Kind::Instant),
];

/// The summary of a stay; the group's name stands under the key of its kind.
const GROUP_HOOK: &[(&str, Kind)] = &[
    ("type", Kind::Text),
    ("unique_call_id", Kind::CallId),
    ("caller_id", Kind::TextOrNull),
    ("caller_name", Kind::TextOrNull),
    ("dest_number", Kind::Text),
    ("user_name", Kind::TextOrNull),
    ("user_number", Kind::TextOrNull),
    ("call_start_at", Kind::Instant),
    ("status", Kind::Text),
];

/// What every webhook of a recording has.
const RECORDED: &[(&str, Kind)] = &[
    ("type", Kind::Text),
    ("unique_call_id", Kind::CallId),
    ("caller_id", Kind::TextOrNull),
    ("dest_number", Kind::Text),
    ("recorded_at", Kind::Instant),
    ("emails", Kind::AnyText),
    ("email_subject", Kind::Text),
    ("email_message", Kind::Text),
];

const MESSAGE: &[(&str, Kind)] = &[("audio_file", Kind::Links)];

const CONVERSATION: &[(&str, Kind)] = &[("call_recording_link", Kind::Text)];

/// Whose call was recorded.
const CALLING: &[(&str, Kind)] = &[("user_name", Kind::Text), ("user_number", Kind::Text)];

/// What the way in adds.
const INBOUND: &[(&str, Kind)] = &[
    ("queue_name", Kind::TextOrNull),
    ("ring_group_name", Kind::TextOrNull),
];

/// What a webhook object of a flow tells; the caller may have neither name nor number.
const COMPONENT_HOOK: &[(&str, Kind)] = &[
    ("type", Kind::Text),
    ("unique_call_id", Kind::CallId),
    ("user_name", Kind::AnyText),
    ("user_number", Kind::AnyText),
    ("dest_number", Kind::Text),
    ("call_start_at", Kind::Instant),
    ("component_name", Kind::Text),
];

const ANSWERED: &[(&str, Kind)] = &[("connected_at", Kind::Instant)];

const COMPLETED: &[(&str, Kind)] = &[
    ("connected_at", Kind::InstantOrNull),
    ("call_duration", Kind::Seconds),
    ("conversation_duration", Kind::Seconds),
];

const ROW_TYPES: &[&str] = &[
    "user_inbound_answered",
    "user_inbound_missed",
    "user_outbound_answered",
    "user_outbound_unanswered",
];

/// Demands of a webhook's body exactly the keys of its trigger, each of its type.
pub(crate) fn check_hook(body: &Value) {
    let parts: &[&[(&str, Kind)]] = match text(body, "type") {
        "user_inbound" => &[USER_HOOK, INBOUND],
        "user_inbound_answered" => &[USER_HOOK, INBOUND, ANSWERED],
        "user_inbound_completed" => &[USER_HOOK, INBOUND, COMPLETED],
        "user_outbound" => &[USER_HOOK],
        "user_outbound_answered" => &[USER_HOOK, ANSWERED],
        "user_outbound_completed" => &[USER_HOOK, COMPLETED],
        "queue_call" => &[GROUP_HOOK, COMPLETED, &[("queue_name", Kind::Text)]],
        "ring_group_call" => &[GROUP_HOOK, COMPLETED, &[("ring_group_name", Kind::Text)]],
        "voicemail" => &[RECORDED, MESSAGE],
        "recording_inbound" => &[RECORDED, CONVERSATION],
        "recording_outbound" => &[RECORDED, CONVERSATION, CALLING],
        other => panic!("no such trigger: {other}"),
    };
    check_fields(body, &parts.concat());
}

/// Demands of what a webhook object tells exactly its keys, all of them strings.
pub(crate) fn check_pass(body: &Value) {
    assert_eq!(text(body, "type"), "webhook_component_event");
    check_fields(body, COMPONENT_HOOK);
}

/// Demands of a row of the API exactly its keys, each of its type.
pub(crate) fn check_row(row: &Value) {
    check_fields(row, ROW);
    let kind = text(row, "type");
    assert!(ROW_TYPES.contains(&kind), "no such type of row: {kind}");
    let was_connected = !row["connected_at"].is_null();
    let says_answered = kind.ends_with("_answered");
    assert_eq!(
        was_connected, says_answered,
        "the type and connected_at differ: {row}"
    );
    if !was_connected {
        assert_eq!(row["conversation_duration"], 0, "nobody talked: {row}");
    }
}

/// Demands of a row of a stay exactly its keys, each of its type.
pub(crate) fn check_group_row(row: &Value) {
    let name = if row.get("queue_name").is_some() {
        "queue_name"
    } else {
        "ring_group_name"
    };
    check_fields(row, &[GROUP_ROW, &[(name, Kind::Text)]].concat());
    assert_eq!(row["callerid"], row["caller_id"], "{row}");
    let was_connected = !row["connected_at"].is_null();
    let status = if was_connected {
        "answered"
    } else {
        "abandoned"
    };
    assert_eq!(row["status"], status, "{row}");
    if status == "abandoned" {
        assert_eq!(row["conversation_duration"], 0, "nobody talked: {row}");
        assert!(row["user_number"].is_null(), "nobody answered: {row}");
    }
}

/// Demands the envelope of a successful answer, and returns its data.
pub(crate) fn check_success(body: &Value) -> &[Value] {
    let keys = keys(body);
    assert_eq!(
        keys,
        BTreeSet::from(["status", "message", "code", "data"]),
        "{body}"
    );
    assert_eq!(body["status"], "success");
    assert_eq!(
        body["code"].as_u64(),
        Some(200),
        "an integer, not {}",
        body["code"]
    );
    assert!(body["message"].is_string());
    body["data"]
        .as_array()
        .unwrap_or_else(|| panic!("data is no array: {body}"))
}

/// Demands the envelope of a refusal.
pub(crate) fn check_error(body: &Value, status: u16) {
    let keys = keys(body);
    assert_eq!(
        keys,
        BTreeSet::from(["status", "message", "code", "data"]),
        "{body}"
    );
    assert_eq!(body["status"], "error");
    assert_eq!(body["code"].as_u64(), Some(u64::from(status)));
    assert!(body["data"].is_null());
    let message = text(body, "message").to_lowercase();
    // A known client reads these words as a billing failure.
    for word in ["licence", "license", "subscription"] {
        assert!(!message.contains(word), "{message}");
    }
}

/// Demands of one call's webhooks, in the order they came, that each attempt of a user begins once,
/// is answered at most once and ends exactly once, before the next one begins.
pub(crate) fn check_order(bodies: &[Value]) {
    let mut attempts: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let of_users = bodies
        .iter()
        .filter(|body| text(body, "type").starts_with("user_"));
    for body in of_users {
        let kind = text(body, "type");
        let side = if kind.starts_with("user_inbound") {
            "user_inbound"
        } else {
            "user_outbound"
        };
        let step = kind
            .strip_prefix(side)
            .expect("the kind begins with its side");
        attempts
            .entry((side, text(body, "user_number")))
            .or_default()
            .push(step);
    }
    for (user, steps) in attempts {
        // One attempt behind the other: a queue may ring a user again and again.
        let attempts = steps.chunk_by(|_, next| !next.is_empty());
        let is_right = |attempt: &[&str]| {
            matches!(
                attempt,
                ["", "_completed"] | ["", "_answered", "_completed"]
            )
        };
        let are_right = attempts.into_iter().all(is_right);
        assert!(are_right, "{user:?} went through {steps:?}");
    }
}

/// A string field.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} is no string: {object}"))
}

/// An instant, in milliseconds since 1970.
pub(crate) fn instant_ms(object: &Value, field: &str) -> i64 {
    let text = text(object, field);
    instant::parse_contract(text).unwrap_or_else(|| panic!("{field} is no instant: {text}"))
}

fn check_fields(object: &Value, fields: &[(&str, Kind)]) {
    let wanted: BTreeSet<&str> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(keys(object), wanted, "{object}");
    for (name, kind) in fields {
        assert!(
            is_of_kind(&object[*name], *kind),
            "{name} is not {kind:?}: {object}"
        );
    }
}

fn keys(object: &Value) -> BTreeSet<&str> {
    let object = object
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {object}"));
    object.keys().map(String::as_str).collect()
}

fn is_of_kind(value: &Value, kind: Kind) -> bool {
    let is_text = value.as_str().is_some_and(|text| !text.is_empty());
    let is_instant = value
        .as_str()
        .is_some_and(|text| instant::parse_contract(text).is_some());
    match kind {
        Kind::Text => is_text,
        Kind::AnyText => value.is_string(),
        Kind::TextOrNull => is_text || value.is_null(),
        Kind::Links => value.as_array().is_some_and(|links| {
            let is_link = |link: &Value| link.as_str().is_some_and(|link| !link.is_empty());
            !links.is_empty() && links.iter().all(is_link)
        }),
        Kind::CallId => value.as_str().is_some_and(is_call_id),
        Kind::Instant => is_instant,
        Kind::InstantOrNull => is_instant || value.is_null(),
        Kind::Seconds => value.as_u64().is_some(),
    }
}

fn is_call_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hook() -> Value {
        json!({
            "type": "user_inbound_completed", "unique_call_id": "1569943875010001",
            "caller_id": "61300000000", "dest_number": "61298765432", "user_name": "John",
            "user_number": "1010", "call_start_at": "2019-10-01T15:31:15.000Z",
            "connected_at": null, "call_duration": 4, "conversation_duration": 0,
            "queue_name": null, "ring_group_name": null,
        })
    }

    fn is_refused(change: impl FnOnce(&mut Value)) -> bool {
        let mut body = hook();
        change(&mut body);
        std::panic::catch_unwind(|| check_hook(&body)).is_err()
    }

    #[test]
    fn a_body_is_refused_for_a_key_or_a_type_that_is_wrong() {
        check_hook(&hook());
        assert!(is_refused(|body| body["extra"] = json!(1)));
        assert!(is_refused(|body| drop(
            body.as_object_mut().unwrap().remove("queue_name")
        )));
        assert!(is_refused(|body| body["call_duration"] = json!("4")));
        assert!(is_refused(|body| body["call_duration"] = json!(4.5)));
        assert!(is_refused(|body| body["connected_at"] = json!("null")));
        assert!(is_refused(
            |body| body["call_start_at"] = json!("2019-10-01T15:31:15Z")
        ));
        assert!(is_refused(
            |body| body["unique_call_id"] = json!(1_569_943_875_010_001_u64)
        ));
        assert!(is_refused(
            |body| body["type"] = json!("user_inbound_answered")
        ));
        assert!(is_refused(|body| body["user_number"] = json!("")));
    }

    #[test]
    fn an_order_that_is_wrong_is_refused() {
        let body = |kind: &str| {
            let mut body = hook();
            body["type"] = json!(kind);
            body
        };
        let order = |kinds: &[&str]| {
            let bodies: Vec<Value> = kinds.iter().map(|kind| body(kind)).collect();
            std::panic::catch_unwind(|| check_order(&bodies)).is_ok()
        };
        assert!(order(&[
            "user_inbound",
            "user_inbound_answered",
            "user_inbound_completed"
        ]));
        assert!(order(&[
            "user_inbound",
            "user_outbound",
            "user_outbound_completed",
            "user_inbound_completed"
        ]));
        assert!(!order(&[
            "user_inbound",
            "user_inbound_completed",
            "user_inbound_answered"
        ]));
        assert!(!order(&[
            "user_inbound",
            "user_inbound_completed",
            "user_inbound_completed"
        ]));
        assert!(order(&[
            "user_inbound",
            "user_inbound_completed",
            "user_inbound",
            "user_inbound_answered",
            "user_inbound_completed"
        ]));
        assert!(!order(&[
            "user_inbound",
            "user_inbound",
            "user_inbound_completed"
        ]));
        assert!(!order(&["user_inbound"]));
    }
}
