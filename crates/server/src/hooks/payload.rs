//! The webhook bodies, exactly as the contract has them (§2.1): each trigger has its own keys.
//!
//! Receivers are strict, so a key that a trigger does not have must not appear, and one that it has
//! must, null or not. The committed snapshots are the samples that the portal and the docs show.

use clock::Time;
use pbx::cdr::{ComponentFacts, HookFacts};
use pbx::{Finished, Purpose, Question, Told, Trigger};
use serde::{Deserialize, Serialize};

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

/// The summary of a stay in a queue or ring group. The user is null when no user answered.
#[derive(Serialize)]
struct Summary<'a> {
    r#type: &'static str,
    unique_call_id: String,
    caller_id: Option<&'a str>,
    caller_name: Option<&'a str>,
    dest_number: &'a str,
    user_name: Option<&'a str>,
    user_number: Option<&'a str>,
    call_start_at: Stamp,
    #[serde(flatten)]
    connection: Connection,
    #[serde(flatten)]
    durations: Durations,
    #[serde(flatten)]
    group: Group<'a>,
    status: Status,
}

/// Where the call stayed, under the key of its kind.
#[derive(Serialize)]
pub(crate) enum Group<'a> {
    #[serde(rename = "queue_name")]
    Queue(&'a str),
    #[serde(rename = "ring_group_name")]
    RingGroup(&'a str),
}

/// Whether a member of the queue or ring group answered.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Answered,
    Abandoned,
}

impl Status {
    /// Answered is what was connected.
    pub(crate) fn of(connected_at: Option<Time>) -> Self {
        match connected_at {
            Some(_) => Self::Answered,
            None => Self::Abandoned,
        }
    }
}

/// What a webhook object tells: strings only, empty for what is not known (contract §2.2).
#[derive(Serialize)]
struct ComponentEvent<'a> {
    r#type: &'static str,
    unique_call_id: String,
    user_name: &'a str,
    user_number: &'a str,
    dest_number: &'a str,
    call_start_at: Stamp,
    component_name: &'a str,
}

/// The body of a webhook object. Its user is the caller.
pub fn render_component(facts: &ComponentFacts) -> Option<Vec<u8>> {
    let event = ComponentEvent {
        r#type: "webhook_component_event",
        unique_call_id: facts.call.to_string(),
        user_name: facts.caller_name.as_deref().unwrap_or_default(),
        user_number: facts.caller_id.as_deref().unwrap_or_default(),
        dest_number: &facts.dest_number,
        call_start_at: Stamp(facts.arrived_at),
        component_name: &facts.component.name,
    };
    serde_json::to_vec(&event).ok()
}

/// What an address is asked for a call. Its user is the caller.
pub fn render_question(question: &Question) -> Option<Vec<u8>> {
    let event = ComponentEvent {
        r#type: "http_route",
        unique_call_id: question.call.to_string(),
        user_name: question.caller_name.as_deref().unwrap_or_default(),
        user_number: question.caller_id.as_deref().unwrap_or_default(),
        dest_number: &question.dest_number,
        call_start_at: Stamp(question.arrived_at),
        component_name: &question.asks.name,
    };
    serde_json::to_vec(&event).ok()
}

/// What the address answers; what else it says is for others.
#[derive(Deserialize)]
struct Way {
    exit: String,
    #[serde(default)]
    caller_name: Option<String>,
}

/// The answer to a question, if it is one.
pub fn read_way(body: &[u8]) -> Option<Told> {
    let Way { exit, caller_name } = serde_json::from_slice(body).ok()?;
    Some(Told::Way { exit, caller_name })
}

/// What every event of a recording tells.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
struct Recorded<'a> {
    r#type: &'static str,
    unique_call_id: String,
    caller_id: Option<&'a str>,
    dest_number: &'a str,
    #[serde(flatten)]
    user: Option<Calling<'a>>,
    recorded_at: Stamp,
    /// One string, also when it names several or nobody.
    emails: String,
    email_subject: &'a str,
    email_message: &'a str,
    #[serde(flatten)]
    audio: Audio<'a>,
}

/// The user whose call was recorded.
#[derive(Serialize)]
struct Calling<'a> {
    user_name: &'a str,
    user_number: &'a str,
}

/// Where the audio is, under the key of its kind.
#[derive(Serialize)]
enum Audio<'a> {
    #[serde(rename = "audio_file")]
    Message([&'a str; 1]),
    #[serde(rename = "call_recording_link")]
    Conversation(&'a str),
}

/// The body that tells of a finished recording.
pub fn render_recording(finished: &Finished) -> Option<Vec<u8>> {
    let (user, audio) = match &finished.purpose {
        Purpose::Voicemail { .. } => (None, Audio::Message([&finished.link])),
        Purpose::Inbound { .. } => (None, Audio::Conversation(&finished.link)),
        Purpose::Outbound { user, .. } => {
            let calling = Calling {
                user_name: &user.name,
                user_number: &user.number,
            };
            (Some(calling), Audio::Conversation(&finished.link))
        }
        Purpose::Greeting { .. } => return None,
    };
    let body = Recorded {
        r#type: finished.purpose.trigger()?.name(),
        unique_call_id: finished.recording.call().to_string(),
        caller_id: finished.caller_id.as_deref(),
        dest_number: &finished.dest_number,
        user,
        recorded_at: Stamp(finished.recorded_at),
        emails: finished.purpose.emails().join(","),
        email_subject: &finished.email_subject,
        email_message: &finished.email_message,
        audio,
    };
    serde_json::to_vec(&body).ok()
}

/// The body that tells `facts`, or nothing for a trigger that no fact fires yet.
pub fn render(facts: &HookFacts) -> Option<Vec<u8>> {
    match facts.trigger {
        Trigger::QueueCall | Trigger::RingGroupCall => render_summary(facts),
        Trigger::UserInbound
        | Trigger::UserInboundAnswered
        | Trigger::UserInboundCompleted
        | Trigger::UserOutbound
        | Trigger::UserOutboundAnswered
        | Trigger::UserOutboundCompleted
        | Trigger::Voicemail
        | Trigger::RecordingInbound
        | Trigger::RecordingOutbound => render_user_call(facts),
    }
}

fn render_summary(facts: &HookFacts) -> Option<Vec<u8>> {
    let group = match (&facts.queue_name, &facts.ring_group_name) {
        (Some(queue), _) => Group::Queue(queue),
        (None, group) => Group::RingGroup(group.as_deref()?),
    };
    let user = facts.user.as_ref();
    let summary = Summary {
        r#type: facts.trigger.name(),
        unique_call_id: facts.call.to_string(),
        caller_id: facts.caller_id.as_deref(),
        caller_name: facts.caller_name.as_deref(),
        dest_number: &facts.dest_number,
        user_name: user.map(|user| &*user.name),
        user_number: user.map(|user| &*user.number),
        call_start_at: Stamp(facts.call_start_at),
        connection: connection(facts),
        durations: durations(facts),
        group,
        status: Status::of(facts.connected_at),
    };
    serde_json::to_vec(&summary).ok()
}

fn connection(facts: &HookFacts) -> Connection {
    Connection {
        connected_at: facts.connected_at.map(Stamp),
    }
}

fn durations(facts: &HookFacts) -> Durations {
    Durations {
        call_duration: facts.call_duration_seconds,
        conversation_duration: facts.conversation_duration_seconds,
    }
}

fn render_user_call(facts: &HookFacts) -> Option<Vec<u8>> {
    let (connection, durations) = (Some(connection(facts)), Some(durations(facts)));
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
    use pbx::{AccountId, CallId, UserRef};
    use serde_json::Value;

    use super::*;

    fn facts(trigger: Trigger) -> HookFacts {
        let start = Time::from_millis(1_569_943_875_000);
        let is_queue = trigger == Trigger::QueueCall;
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
            queue_name: is_queue.then(|| "Sales".into()),
            ring_group_name: (!is_queue).then(|| "Sales".into()),
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
    fn a_summary_has_the_keys_of_its_kind_and_a_status() {
        const SUMMARY: [&str; 5] = [
            "caller_name",
            "connected_at",
            "call_duration",
            "conversation_duration",
            "status",
        ];
        for (trigger, name) in [
            (Trigger::QueueCall, "queue_name"),
            (Trigger::RingGroupCall, "ring_group_name"),
        ] {
            let mut told = facts(trigger);
            let value = body(&told);
            let mut expect = [&BASE[..], &SUMMARY, &[name]].concat();
            expect.sort_unstable();
            let mut keys: Vec<&String> = value.as_object().unwrap().keys().collect();
            keys.sort_unstable();
            assert_eq!(keys, expect);
            assert_eq!(
                (&value[name], &value["status"]),
                (&"Sales".into(), &"answered".into())
            );
            (told.user, told.connected_at) = (None, None);
            let value = body(&told);
            assert_eq!(
                (&value["user_name"], &value["connected_at"]),
                (&Value::Null, &Value::Null)
            );
            assert_eq!(value["status"], "abandoned");
        }
    }

    fn finished(purpose: Purpose) -> Finished {
        Finished {
            recording: pbx::RecordingId::new(CallId(1_569_943_875_010_000), 1),
            purpose,
            caller_id: Some("61300000000".to_owned()),
            dest_number: "61298765432".to_owned(),
            recorded_at: Time::from_millis(1_569_943_880_250),
            seconds: 12,
            link: "https://pbx.example.com/recordings/secret.mp3".to_owned(),
            email_subject: "Voicemail".to_owned(),
            email_message: "Unique call id 1569943875010000".to_owned(),
            mail: pbx::MailOutcome::Sent,
        }
    }

    #[test]
    fn a_recording_has_the_keys_of_its_kind() {
        const RECORDED: [&str; 8] = [
            "type",
            "unique_call_id",
            "caller_id",
            "dest_number",
            "recorded_at",
            "emails",
            "email_subject",
            "email_message",
        ];
        let user = UserRef {
            number: "1010".into(),
            name: "John Smith".into(),
        };
        let emails = vec!["a@acme.example".into(), "b@acme.example".into()];
        let cases: [(Purpose, &str, &[&str]); 3] = [
            (
                Purpose::Voicemail {
                    mailbox: user.clone(),
                    emails,
                    copy_of: None,
                },
                "a@acme.example,b@acme.example",
                &["audio_file"],
            ),
            (
                Purpose::Inbound { emails: Vec::new() },
                "",
                &["call_recording_link"],
            ),
            (
                Purpose::Outbound {
                    user,
                    emails: Vec::new(),
                },
                "",
                &["call_recording_link", "user_name", "user_number"],
            ),
        ];
        for (purpose, emails, more) in cases {
            let finished = finished(purpose);
            let value: Value =
                serde_json::from_slice(&render_recording(&finished).unwrap()).unwrap();
            let mut expect = [&RECORDED[..], more].concat();
            expect.sort_unstable();
            let mut keys: Vec<&String> = value.as_object().unwrap().keys().collect();
            keys.sort_unstable();
            assert_eq!(keys, expect);
            assert_eq!(value["type"], finished.purpose.trigger().unwrap().name());
            assert_eq!(value["emails"], emails);
            if more == ["audio_file"] {
                assert_eq!(value["audio_file"], serde_json::json!([finished.link]));
            } else {
                assert_eq!(value["call_recording_link"], finished.link);
            }
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
    fn a_component_event_is_strings_and_never_null() {
        let mut facts = ComponentFacts {
            account: AccountId(1),
            call: CallId(1_569_943_875_010_000),
            at: Time::from_millis(1_569_943_879_000),
            component: pbx::Component {
                name: "Out of time".into(),
                place: "main/out-of-time".into(),
                url: "https://crm.example/".into(),
                secret_token: "5up3r".into(),
                headers: Vec::new(),
            },
            caller_id: Some("61300000000".to_owned()),
            caller_name: Some("Jane".to_owned()),
            dest_number: "61298765432".to_owned(),
            arrived_at: Time::from_millis(1_569_943_875_000),
        };
        let body = |facts: &ComponentFacts| -> Value {
            serde_json::from_slice(&render_component(facts).unwrap()).unwrap()
        };
        let mut expect = serde_json::json!({
            "type": "webhook_component_event", "unique_call_id": "1569943875010000",
            "user_name": "Jane", "user_number": "61300000000", "dest_number": "61298765432",
            "call_start_at": "2019-10-01T15:31:15.000Z", "component_name": "Out of time",
        });
        assert_eq!(body(&facts), expect);
        (facts.caller_id, facts.caller_name) = (None, None);
        expect["user_name"] = "".into();
        expect["user_number"] = "".into();
        assert_eq!(body(&facts), expect);
    }

    #[test]
    fn the_samples_are_as_committed() {
        let user = UserRef {
            number: "1010".into(),
            name: "John Smith".into(),
        };
        let emails = vec!["john@acme.example".into(), "ann@acme.example".into()];
        let recorded = [
            Purpose::Voicemail {
                mailbox: user.clone(),
                emails: emails.clone(),
                copy_of: None,
            },
            Purpose::Inbound {
                emails: emails.clone(),
            },
            Purpose::Outbound { user, emails },
        ];
        let recorded = recorded.map(|purpose| render_recording(&finished(purpose)));
        let told = Trigger::ALL.map(|trigger| render(&facts(trigger)));
        let samples: Vec<String> = told
            .into_iter()
            .chain(recorded)
            .flatten()
            .map(|body| String::from_utf8(body).unwrap())
            .collect();
        insta::assert_snapshot!(samples.join("\n"));
    }
}
