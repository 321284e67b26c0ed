//! Programs and queues: they see who waits and who takes calls, and have agents log in and out.

use serde_json::{Value, json};

use crate::common::account::{ANN, JOHN};
use crate::common::contract::{check_error, check_success, text};
use crate::common::http::Answer;
use crate::common::stage::Stage;
use crate::common::wait_for;

const CALLER: &str = "61400000001";
const NUMBER: &str = "61298765450";
const QUEUES: &str = "/api/integration/v2/get-queues";
const PRESENCE: &str = "/api/integration/v2/set-agent-presence";

/// John and Ann answer callers together.
const FLOW: &str = r#"  - id: support
    name: Support
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765450"]}, exits: {next: queue}}
      - {id: queue, kind: queue, name: Support, settings: {agents: ["1010", "1020"], ring_seconds: 20}}
"#;

fn stage() -> Stage {
    Stage::with(&[], |account| FLOW.clone_into(&mut account.more_flows))
}

fn sets(stage: &Stage, user: &str, presence: &str) -> Answer {
    let body = json!({"user_number": user, "presence": presence});
    let server = &stage.server;
    server.post(PRESENCE, "application/json", &body.to_string())
}

/// An agent is so from the answer on.
fn becomes(stage: &Stage, user: &str, presence: &str, told: &str) {
    let answer = sets(stage, user, presence);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let data = &answer.json()["data"];
    assert_eq!(data["user_number"], user);
    assert_eq!(data["presence"], told);
    assert_eq!(data["queues_names"], json!(["Support"]));
}

fn support(stage: &Stage) -> Value {
    let answer = stage.server.get(&format!("{QUEUES}?queues_names=Support"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    let queues = check_success(&body);
    assert_eq!(queues.len(), 1, "{body}");
    queues[0].clone()
}

/// Number, presence and state of each agent.
fn agents(queue: &Value) -> Vec<(&str, &str, &str)> {
    let agents = queue["agents"].as_array().expect("agents are a list");
    let agent = |agent| {
        let of = |key| text(agent, key);
        (of("user_number"), of("presence"), of("state"))
    };
    agents.iter().map(agent).collect()
}

#[test]
fn an_agent_who_logs_in_by_api_is_rung_and_who_logs_out_is_not_also_after_a_crash() {
    let mut stage = stage();
    becomes(&stage, JOHN, "log_out", "logged_out");
    becomes(&stage, ANN, "log_out", "logged_out");
    // It was answered, so it is kept.
    stage.server.kill();
    stage.server.launch();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let out = vec![(JOHN, "logged_out", "idle"), (ANN, "logged_out", "idle")];
    assert_eq!(agents(&support(&stage)), out);
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, NUMBER);
    assert_eq!(call.start().finish().final_code(), 480);

    becomes(&stage, JOHN, "log_in", "logged_in");
    let john = john.play("answers").pause_ms(2_000).start();
    let ann = ann.play("rings").start();
    let call = stage.carrier_plays("carrier-calls", CALLER, NUMBER);
    let call = call.pause_ms(3_000).start();
    let waiting = wait_for("a caller in line", crate::common::stage::SOON, || {
        Some(support(&stage)).filter(|queue| queue["callers_waiting"] == 1)
    });
    let caller = &waiting["callers"][0];
    assert_eq!(caller["caller_id"], CALLER);
    assert_eq!(caller["dest_number"], NUMBER);
    assert!(caller["wait_duration"].as_u64() <= waiting["longest_wait"].as_u64());
    crate::common::contract::instant_ms(caller, "waiting_since");
    let busy = vec![(JOHN, "logged_in", "busy"), (ANN, "logged_out", "idle")];
    assert_eq!(agents(&waiting), busy);
    call.finish();
    john.finish();
    assert_eq!(ann.vanish().count_received("INVITE", "INVITE"), 0);
    let after = support(&stage);
    assert_eq!(after["callers_waiting"], 0);
    assert_eq!(after["agents"][0]["calls_taken"], 1);
    crate::common::contract::instant_ms(&after["agents"][0], "idle_since");
}

#[test]
fn what_an_agent_cannot_be_is_refused() {
    let stage = stage();
    for (user, presence, status) in [
        (JOHN, "log_out", 200),
        (JOHN, "pause", 409),
        (JOHN, "resume", 409),
        (JOHN, "log_in", 200),
        (JOHN, "pause", 200),
        ("9999", "pause", 422),
        (ANN, "asleep", 422),
    ] {
        let answer = sets(&stage, user, presence);
        assert_eq!(answer.status, status, "{user} {presence}: {}", answer.body);
        if status != 200 {
            check_error(&answer.json(), status);
        }
    }
    let now = vec![(JOHN, "paused", "idle"), (ANN, "logged_in", "idle")];
    assert_eq!(agents(&support(&stage)), now);
}
