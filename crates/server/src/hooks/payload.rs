//! The webhook bodies, exactly as the contract has them (§2.1): each trigger has its own keys.
//!
//! Receivers are strict, so a key that a trigger does not have must not appear, and one that it has
//! must, null or not. The committed snapshots are the samples that the portal and the docs show.

use pbx::Trigger;
use pbx::cdr::HookFacts;
use serde::Serialize;

use crate::stamp::Stamp;

/// What every event of a user's call tells.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
struct Call<'a> {
    r#type: &'static str,
    unique_call_id: String,
    caller_id: Option<&'a str>,
    dest_number: &'a str,
    user_name: &'a str,
    user_number: &'a str,
    call_start_at: Stamp,
}

#[derive(Serialize)]
struct Connection {
    connected_at: Option<Stamp>,
}

#[derive(Serialize)]
struct Durations {
    call_duration: u32,
    conversation_duration: u32,
}

/// The object that a user was rung for; null when not through one.
#[derive(Serialize)]
struct Through<'a> {
    queue_name: Option<&'a str>,
    ring_group_name: Option<&'a str>,
}

/// A whole body: what of it a trigger has not stays away.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    call: Call<'a>,
    #[serde(flatten)]
    connection: Option<Connection>,
    #[serde(flatten)]
    durations: Option<Durations>,
    #[serde(flatten)]
    through: Option<Through<'a>>,
}

/// The body that tells `facts`, or nothing for a trigger that no fact fires yet.
pub fn render(facts: &HookFacts) -> Option<Vec<u8>> {
    let connection = Some(Connection {
        connected_at: facts.connected_at.map(Stamp),
    });
    let durations = Some(Durations {
        call_duration: facts.call_duration_seconds,
        conversation_duration: facts.conversation_duration_seconds,
    });
    let through = Some(Through {
        queue_name: facts.queue_name.as_deref(),
        ring_group_name: facts.ring_group_name.as_deref(),
    });
    let (connection, durations, through) = match facts.trigger {
        Trigger::UserInbound => (None, None, through),
        Trigger::UserInboundAnswered => (connection, None, through),
        Trigger::UserInboundCompleted => (connection, durations, through),
        Trigger::UserOutbound => (None, None, None),
        Trigger::UserOutboundAnswered => (connection, None, None),
        Trigger::UserOutboundCompleted => (connection, durations, None),
        Trigger::QueueCall
        | Trigger::RingGroupCall
        | Trigger::Voicemail
        | Trigger::RecordingInbound
        | Trigger::RecordingOutbound => return None,
    };
    let body = Body {
        call: call(facts)?,
        connection,
        durations,
        through,
    };
    // Strings, numbers and nulls under string keys: there is nothing that JSON cannot hold.
    serde_json::to_vec(&body).ok()
}

fn call(facts: &HookFacts) -> Option<Call<'_>> {
    let user = facts.user.as_ref()?;
    Some(Call {
        r#type: facts.trigger.name(),
        unique_call_id: facts.call.to_string(),
        caller_id: facts.caller_id.as_deref(),
        dest_number: &facts.dest_number,
        user_name: &user.name,
        user_number: &user.number,
        call_start_at: Stamp(facts.call_start_at),
    })
}

#[cfg(test)]
mod tests {
    use clock::Time;
    use pbx::{AccountId, CallId, UserRef};
    use serde_json::Value;

    use super::*;

    fn facts(trigger: Trigger) -> HookFacts {
        let start = Time::from_millis(1_569_943_875_000);
        HookFacts {
            trigger,
            account: AccountId(1),
            call: CallId(1_569_943_875_010_000),
            at: start,
            caller_id: Some("61300000000".to_owned()),
            caller_name: Some("Jane".to_owned()),
            dest_number: "61298765432".to_owned(),
            user: Some(UserRef {
                number: "1010".into(),
                name: "John Smith".into(),
            }),
            queue_name: None,
            ring_group_name: Some("Sales".into()),
            call_start_at: start,
            connected_at: Some(Time::from_millis(1_569_943_880_250)),
            call_duration_seconds: 65,
            conversation_duration_seconds: 60,
        }
    }

    fn body(facts: &HookFacts) -> Value {
        serde_json::from_slice(&render(facts).unwrap()).unwrap()
    }

    const BASE: [&str; 7] = [
        "type",
        "unique_call_id",
        "caller_id",
        "dest_number",
        "user_name",
        "user_number",
        "call_start_at",
    ];
    const DURATIONS: [&str; 2] = ["call_duration", "conversation_duration"];
    const THROUGH: [&str; 2] = ["queue_name", "ring_group_name"];

    #[test]
    fn each_trigger_has_exactly_the_keys_of_the_contract() {
        let connected = ["connected_at"];
        let cases: [(Trigger, &[&[&str]]); 6] = [
            (Trigger::UserInbound, &[&BASE, &THROUGH]),
            (Trigger::UserInboundAnswered, &[&BASE, &connected, &THROUGH]),
            (
                Trigger::UserInboundCompleted,
                &[&BASE, &connected, &DURATIONS, &THROUGH],
            ),
            (Trigger::UserOutbound, &[&BASE]),
            (Trigger::UserOutboundAnswered, &[&BASE, &connected]),
            (
                Trigger::UserOutboundCompleted,
                &[&BASE, &connected, &DURATIONS],
            ),
        ];
        for (trigger, expect) in cases {
            let mut expect = expect.concat();
            expect.sort_unstable();
            let value = body(&facts(trigger));
            let mut keys: Vec<&str> = value
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            keys.sort_unstable();
            assert_eq!(keys, expect, "{trigger:?}");
            assert_eq!(value["type"], trigger.name());
        }
    }

    #[test]
    fn what_is_not_known_is_null_and_numbers_are_numbers() {
        let mut missed = facts(Trigger::UserInboundCompleted);
        missed.connected_at = None;
        missed.caller_id = None;
        missed.ring_group_name = None;
        missed.conversation_duration_seconds = 0;
        let value = body(&missed);
        for key in ["connected_at", "caller_id", "ring_group_name", "queue_name"] {
            assert_eq!(value[key], Value::Null, "{key}");
        }
        assert_eq!(value["conversation_duration"], 0);
        assert_eq!(value["unique_call_id"], "1569943875010000");
    }

    #[test]
    fn the_samples_are_as_committed() {
        let told = Trigger::ALL.map(|trigger| render(&facts(trigger)));
        let samples: Vec<String> = told
            .into_iter()
            .flatten()
            .map(|body| String::from_utf8(body).unwrap())
            .collect();
        insta::assert_snapshot!(samples.join("\n"));
    }
}
