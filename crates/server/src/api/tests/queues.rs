//! Queues and agents now: how they are told, and how an agent's presence is set.

use pbx::{AgentChange, AgentState, AgentView, CallerView, Presence, QueueView, UserRef};

use super::*;

const QUEUES: &str = "/api/integration/v2/get-queues";
const PRESENCE: &str = "/api/integration/v2/set-agent-presence";

fn agent(number: &str, presence: Presence, state: AgentState) -> AgentView {
    AgentView {
        who: UserRef {
            number: number.into(),
            name: if number == "1010" {
                "John Smith"
            } else {
                "Jane"
            }
            .into(),
        },
        presence,
        state,
        idle_since: (number == "1010").then_some(Time::from_millis(MIDNIGHT_MS)),
        calls: 3,
    }
}

/// Far ahead of the clock: the waits are 0.
fn caller(index: u64) -> CallerView {
    CallerView {
        call: CallId(id(index)),
        caller_id: (index == 1).then(|| "61300000000".to_owned()),
        caller_name: (index == 1).then(|| "A <caller>".to_owned()),
        dest_number: "61298765432".to_owned(),
        since: Time::from_secs(9_999_999_999),
    }
}

fn views() -> Vec<QueueView> {
    let sales = QueueView {
        name: "Sales".into(),
        waiting: 2,
        waiting_since: Some(caller(1).since),
        callers: vec![caller(1), caller(2)],
        agents: vec![
            agent("1010", Presence::In, AgentState::Busy),
            agent("1020", Presence::Paused, AgentState::DoNotDisturb),
        ],
    };
    let desk = QueueView {
        name: "Front desk".into(),
        waiting: 0,
        waiting_since: None,
        callers: vec![],
        agents: vec![agent("1020", Presence::Out, AgentState::Resting)],
    };
    vec![sales, desk]
}

impl Server {
    async fn tells_queues(&self) {
        let Message::Queues { account, reply } = self.asked_of_drive().await else {
            panic!("queues are asked for");
        };
        assert_eq!(account, AccountId(1));
        reply.send(views()).unwrap();
    }

    async fn queues(&self, query: &str) -> Answer {
        tokio::join!(self.get_from(QUEUES, query), self.tells_queues()).0
    }

    /// Stands for the drive loop: demands that change of that user, who is so then.
    async fn becomes(&self, expect: (&str, AgentChange), presence: Presence) {
        let Message::Presence(asked) = self.asked_of_drive().await else {
            panic!("a presence is set");
        };
        assert_eq!((&*asked.user, asked.change), expect);
        assert_eq!(asked.account, AccountId(1));
        asked.reply.send(presence).unwrap();
    }
}

#[tokio::test]
async fn queues_are_told_as_they_are() {
    let server = server(&lenient());
    let answer = server.queues("").await;
    assert_eq!(answer.status, 200);
    insta::assert_json_snapshot!("queues_now", answer.body);
    for (query, expect) in [
        ("queues_names=Sales", &["Sales"][..]),
        ("queue_name=Front+desk,Sales", &["Sales", "Front desk"]),
        ("queues_names=Nobody", &[]),
        ("queues_names=", &["Sales", "Front desk"]),
    ] {
        let answer = server.queues(query).await;
        let rows = answer.body["data"].as_array().unwrap().iter();
        let names: Vec<_> = rows
            .map(|row| row["queue_name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expect, "{query}");
    }
}

#[tokio::test]
async fn an_agent_is_found_by_number_or_name_and_changed_as_asked() {
    let server = server(&lenient());
    let changes = [
        (
            r#"{"user_number":"1010","presence":"log_in"}"#,
            AgentChange::LogIn,
            Presence::In,
            "logged_in",
        ),
        (
            r#"{"user":1010,"presence":"log_out"}"#,
            AgentChange::LogOut,
            Presence::Out,
            "logged_out",
        ),
        (
            r#"{"users_names":"John Smith","presence":"pause"}"#,
            AgentChange::Pause,
            Presence::Paused,
            "paused",
        ),
        (
            r#"{"users":"1010","presence":"resume"}"#,
            AgentChange::Resume,
            Presence::In,
            "logged_in",
        ),
        (
            r#"{"user_numbers":"1010","presence":"unpause"}"#,
            AgentChange::Resume,
            Presence::In,
            "logged_in",
        ),
    ];
    for (body, change, presence, told) in changes {
        let asked = server.post_to(PRESENCE, calls::JSON, body);
        let (answer, ()) = tokio::join!(asked, server.becomes(("1010", change), presence));
        let expect = json!({
            "status": "success", "message": "Success", "code": 200,
            "data": {"user_number": "1010", "user_name": "John Smith", "presence": told,
                     "queues_names": []},
        });
        assert_eq!(
            (answer.status.as_u16(), answer.body),
            (200, expect),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_presence_is_named() {
    let server = server(&lenient());
    for (body, message) in [
        ("{}", "user_number is required"),
        (r#"{"user":"1010"}"#, "presence is required"),
        (
            r#"{"user":"7","presence":"pause"}"#,
            "user_number is no internal number or name of a user of this account",
        ),
        (
            r#"{"user":"1010","presence":"in"}"#,
            "presence must be log_in, log_out, pause or resume",
        ),
        (
            r#"{"user":["1010"],"presence":"pause"}"#,
            "user must be a string",
        ),
    ] {
        let answer = server.post_to(PRESENCE, calls::JSON, body).await;
        let expect = json!({"status": "error", "message": message, "code": 422, "data": null});
        assert_eq!((answer.status.as_u16(), answer.body), (422, expect));
    }
    assert_eq!(server.post_to(PRESENCE, calls::JSON, "{").await.status, 400);
}

#[tokio::test]
async fn who_is_logged_out_cannot_pause_and_who_is_told_nothing_asks_again() {
    let server = server(&lenient());
    for (word, change) in [
        ("pause", AgentChange::Pause),
        ("resume", AgentChange::Resume),
    ] {
        let body = json!({"user": "1010", "presence": word}).to_string();
        let asked = server.post_to(PRESENCE, calls::JSON, &body);
        let becomes = server.becomes(("1010", change), Presence::Out);
        assert_eq!(tokio::join!(asked, becomes).0.status, 409, "{word}");
    }
    // What could not be kept is not told to be so.
    let asked = server.post_to(
        PRESENCE,
        calls::JSON,
        r#"{"user":"1010","presence":"pause"}"#,
    );
    let (answer, message) = tokio::join!(asked, async { drop(server.asked_of_drive().await) });
    let () = message;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
}
