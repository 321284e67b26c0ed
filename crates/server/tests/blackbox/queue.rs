//! A carrier calls a queue: who rings, how long callers wait, and what is told of the stay.

use std::net::SocketAddr;

use serde_json::Value;

use crate::common::account::{Registration, Trunk};
use crate::common::address::free_port;
use crate::common::baresip::Baresip;
use crate::common::receiver::Delivery;
use crate::common::sipp::{DOMAIN, Sipp};
use crate::common::stage::{CRM, SOON, Stage};

const CALLER: &str = "61400000001";
const NUMBER: &str = "61298765450";

/// What an agent dials who takes no calls any more.
const LOG_OUT: &str = "*46";

/// John and Ann answer callers together, for 3 s, and again after 1 s; a caller waits for 6 s.
const FLOW: &str = r#"  - id: support
    name: Support
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765450"]}, exits: {next: queue}}
      - {id: queue, kind: queue, name: Support, settings: {agents: ["1010", "1020"], ring_seconds: 3, retry_seconds: 1, max_wait_seconds: 6}, exits: {time_out: sorry}}
      - {id: sorry, kind: hangup, settings: {cause: busy}}
"#;

fn stage() -> Stage {
    Stage::with(&[], |account| FLOW.clone_into(&mut account.more_flows))
}

/// Demands that every webhook names the queue, and gives the summary, which is the last.
fn summary(hooks: &[Delivery]) -> &Value {
    for hook in hooks {
        assert_eq!(hook.body["queue_name"], "Support", "{}", hook.kind());
    }
    &hooks.last().expect("there are webhooks").body
}

/// John alone answers, one caller waits, and who presses 1 leaves.
const COUNTER: &str = r#"  - id: support
    name: Support
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765450"]}, exits: {next: queue}}
      - {id: queue, kind: queue, name: Support, settings: {agents: ["1010"], ring_seconds: 60, max_callers: 1, exit_key: "1"}, exits: {full: busy, key: bye}}
      - {id: busy, kind: hangup, settings: {cause: busy}}
      - {id: bye, kind: hangup}
"#;

#[test]
fn who_finds_the_line_full_leaves_it_at_once() {
    let stage = Stage::with(&[], |account| COUNTER.clone_into(&mut account.more_flows));
    let john = stage.phone("1010-desk");
    let _rings = john.play("rings").start();
    let first = stage.carrier_plays("carrier-calls", CALLER, NUMBER);
    let first = first.pause_ms(3_000).start();
    stage.receiver.wait_for(CRM, 1, SOON);
    let second = Sipp::play("carrier-calls-refused", free_port(stage.carrier.ip()));
    let second = second
        .caller(CALLER)
        .toward(stage.server.listening().udp, NUMBER);
    assert_eq!(second.start().finish().final_code(), 486);
    first.finish();
    let hooks = stage.hooks(4);
    let waited = hooks[0].call();
    let mut turned_away = hooks.iter().filter(|hook| hook.call() != waited);
    let told = turned_away.next().expect("the second call is told");
    assert_eq!((told.kind(), turned_away.count()), ("queue_call", 0));
    assert_eq!(told.body["call_duration"], 0);
}

#[test]
fn who_presses_the_key_leaves_the_line() {
    let stage = Stage::with(&[], |account| {
        COUNTER.clone_into(&mut account.more_flows);
        account.trunks.push(Trunk {
            name: "line",
            address: SocketAddr::from(([127, 0, 0, 1], 9)),
            registration: Registration::None,
        });
    });
    let john = stage.phone("1010-desk");
    let john = john.play("rings").start();
    let proxy = stage.server.listening().udp;
    let account =
        format!("<sip:{CALLER}@{DOMAIN}>;outbound=\"sip:{proxy}\";regint=0;audio_codecs=PCMU");
    let caller = Baresip {
        account: &account,
        hertz: 440.0,
        order: Some(&format!("/dial sip:{NUMBER}@{DOMAIN}")),
        seconds: 15,
    };
    let caller = caller.start();
    caller.wait_for("Call established");
    john.wait_for_received("INVITE");
    caller.presses('1');
    john.finish();
    stage.follows("queue::who_presses_the_key_leaves_the_line");
}

#[test]
fn an_agent_answers_and_the_others_stop_ringing() {
    let stage = stage();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let john = john.play("rings").start();
    let ann = ann.play("answers").pause_ms(400).start();
    // The caller is answered at once, to hear music: what it waits is not its ringing.
    let call = stage.carrier_plays("carrier-calls", CALLER, NUMBER);
    call.pause_ms(1_700).start().finish();
    john.finish();
    ann.finish();
    let hooks = stage.follows("queue::an_agent_answers_and_the_others_stop_ringing");
    let summary = summary(&hooks);
    assert_eq!(summary["connected_at"], hooks[2].body["connected_at"]);
    assert!(matches!(summary["call_duration"].as_u64(), Some(1 | 2)));
    let list = |query: &str| stage.server.group_calls("get-queue-calls", query).len();
    assert_eq!(list("queues_names=Support&users_numbers=1020"), 1);
    assert_eq!(list("queues_names=Sales"), 0);
    assert!(
        stage
            .server
            .group_calls("get-ringgroup-calls", "")
            .is_empty()
    );
}

#[test]
fn who_hangs_up_in_line_has_abandoned_the_queue() {
    let stage = stage();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (john, ann) = (john.play("rings").start(), ann.play("rings").start());
    let call = stage.carrier_plays("carrier-calls", CALLER, NUMBER);
    call.pause_ms(1_000).start().finish();
    john.finish();
    ann.finish();
    summary(&stage.follows("queue::who_hangs_up_in_line_has_abandoned_the_queue"));
}

#[test]
fn agents_ring_again_and_again_and_the_stay_is_one() {
    let stage = stage();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (john, ann) = (john.play("rings"), ann.play("rings"));
    let (john, ann) = (john.calls(2, 10).start(), ann.calls(2, 10).start());
    let call = stage.carrier_plays("carrier-calls-until-bye", CALLER, NUMBER);
    call.start().finish();
    john.finish_counted();
    ann.finish_counted();
    let hooks = stage.follows("queue::agents_ring_again_and_again_and_the_stay_is_one");
    assert_eq!(summary(&hooks)["call_duration"], 6);
    for row in stage.rows(2) {
        // Two attempts, of three seconds and of the two that are left, less what they took to begin.
        let rang_seconds = row["call_duration"].as_u64();
        assert!(matches!(rang_seconds, Some(4 | 5)), "{row}");
    }
}

#[test]
fn a_code_is_confirmed_and_told_like_any_call() {
    let stage = stage();
    let john = stage.phone("1010-desk");
    let code = stage.phone_plays(&john, "phone-calls-until-bye", LOG_OUT);
    code.start().finish();
    let hooks = stage.follows("queue::a_code_is_confirmed_and_told_like_any_call");
    assert_eq!(hooks[0].body["dest_number"], LOG_OUT);
}

#[test]
fn a_queue_whose_agents_have_logged_out_is_left_at_once() {
    let stage = stage();
    for device in ["1010-desk", "1020-desk"] {
        let phone = stage.phone(device);
        // We answer, say that it is done, and hang up.
        let code = stage.phone_plays(&phone, "phone-calls-until-bye", LOG_OUT);
        code.start().finish();
    }
    let before = stage.hooks(6);
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, NUMBER);
    assert_eq!(call.start().finish().final_code(), 480);
    let path = "queue::a_queue_whose_agents_have_logged_out_is_left_at_once";
    summary(&stage.follows_after(&before, path));
}

#[test]
fn a_crash_ends_the_wait_of_a_caller_in_line() {
    let mut stage = stage();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (john, ann) = (john.play("rings").start(), ann.play("rings").start());
    let call = stage.carrier_plays("carrier-calls-until-bye", CALLER, NUMBER);
    let call = call.start();
    stage.receiver.wait_for(CRM, 2, SOON);
    stage.server.kill();
    for party in [call, john, ann] {
        party.vanish();
    }
    stage.server.launch();
    summary(&stage.follows("queue::a_crash_ends_the_wait_of_a_caller_in_line"));
}

#[test]
fn a_crash_while_an_agent_talks_ends_an_answered_stay() {
    let mut stage = stage();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let john = john.play("rings").start();
    let ann = ann.play("answers").pause_ms(300).start();
    let call = stage.carrier_plays("carrier-calls-until-bye", CALLER, NUMBER);
    let call = call.start();
    // Both ring, Ann answers, John's attempt is over.
    stage.receiver.wait_for(CRM, 4, SOON);
    john.finish();
    stage.server.kill();
    for party in [call, ann] {
        party.vanish();
    }
    stage.server.launch();
    summary(&stage.follows("queue::a_crash_while_an_agent_talks_ends_an_answered_stay"));
}
