//! `kill -9` under load: what was acknowledged is told, once per call and in order, and calls that
//! died with the process are closed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::common::account::JOHNS_NUMBER;
use crate::common::receiver::Delivery;
use crate::common::stage::{CRM, Phone, Stage};
use crate::common::{contract, wait_for};

/// Kills in each run; `cargo xtask soak` sets more.
const KILLS: u32 = 20;
const KILLS_VARIABLE: &str = "SWITCHHOOK_TEST_KILLS";

/// How much later each kill comes than the one before, so that they hit different moments.
const STEP_MS: u64 = 37;
const SHORTEST_LIFE_MS: u64 = 400;
const LIVES: u64 = 16;

#[test]
fn kill_minus_nine_loses_nothing_and_keeps_the_order() {
    let kills = std::env::var(KILLS_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok());
    let mut stage = Stage::new();
    // The phone and the carrier know where the server is; it comes back there.
    stage.server.keep_ports();
    let phone = stage.phone("1010-desk");
    let called = phone
        .play("answers")
        .calls(1_000_000, 10)
        .pause_ms(60)
        .start();
    for round in 0..kills.unwrap_or(KILLS) {
        one_life(&mut stage, &phone, u64::from(round));
    }
    called.vanish();
    check(&stage);
}

/// Calls until the kill, then starts the server again.
fn one_life(stage: &mut Stage, phone: &Phone, round: u64) {
    let call = stage.carrier_plays("carrier-calls", "61400000001", JOHNS_NUMBER);
    let calling = call.calls(1_000_000, 40).pause_ms(200).start();
    std::thread::sleep(Duration::from_millis(
        SHORTEST_LIFE_MS + round % LIVES * STEP_MS,
    ));
    stage.server.kill();
    calling.vanish();
    stage.server.launch();
    // The phone's registration died too; its port is taken by the scenario that answers.
    register_from_elsewhere(stage, phone);
}

fn register_from_elsewhere(stage: &Stage, phone: &Phone) {
    let ip = phone.address.ip();
    let from = Phone {
        device: phone.device.clone(),
        address: crate::common::address::free_port(ip),
        wire: phone.wire,
    };
    let port = phone.address.port().to_string();
    from.register(stage, "600")
        .key("contact_port", &port)
        .start()
        .finish();
}

fn check(stage: &Stage) {
    let rows = settled_rows(stage);
    let calls = by_call(&stage.receiver.received(CRM));
    assert!(
        calls.len() > 20,
        "a load of {} calls shows nothing",
        calls.len()
    );
    let told: BTreeSet<&str> = calls.keys().map(String::as_str).collect();
    let listed: BTreeSet<&str> = rows
        .iter()
        .map(|row| contract::text(row, "unique_call_id"))
        .collect();
    assert_eq!(told, listed, "webhooks and rows know the same calls");
    assert_eq!(rows.len(), listed.len(), "each call has one row");
    for row in &rows {
        let bodies = &calls[contract::text(row, "unique_call_id")];
        contract::check_order(bodies);
        let completed = bodies.last().expect("a call has webhooks");
        for field in ["connected_at", "call_duration", "conversation_duration"] {
            assert_eq!(completed[field], row[field], "{field}: {completed} {row}");
        }
    }
}

/// The rows, once every row's completed webhook has come.
fn settled_rows(stage: &Stage) -> Vec<Value> {
    wait_for(
        "every call's completed webhook",
        Duration::from_mins(1),
        || {
            let rows = stage.server.user_calls("limit=10000");
            let hooks = stage.receiver.received(CRM);
            let completed = hooks
                .iter()
                .filter(|hook| hook.kind() == "user_inbound_completed");
            let completed: BTreeSet<&str> = completed.map(Delivery::call).collect();
            (completed.len() == rows.len()).then_some(rows)
        },
    )
}

/// The bodies of each call in the order of their first arrival: at least once means that one may
/// come again.
fn by_call(hooks: &[Delivery]) -> BTreeMap<String, Vec<Value>> {
    let mut seen = BTreeSet::new();
    let mut calls: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for hook in hooks {
        contract::check_hook(&hook.body);
        if seen.insert(hook.header("x-pbx-delivery")) {
            calls
                .entry(hook.call().to_owned())
                .or_default()
                .push(hook.body.clone());
        }
    }
    calls
}
