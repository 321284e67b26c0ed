//! `kill -9` under load: what was acknowledged is told, once per call and in order, and calls that
//! died with the process are closed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::common::account::{JOHNS_NUMBER, SALES_NUMBER};
use crate::common::receiver::Delivery;
use crate::common::stage::{CRM, Phone, Stage};
use crate::common::{contract, paths, wait_for};

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

/// Calls John, or the group that he is in, until the kill, then starts the server again.
fn one_life(stage: &mut Stage, phone: &Phone, round: u64) {
    let number = if round.is_multiple_of(2) {
        JOHNS_NUMBER
    } else {
        SALES_NUMBER
    };
    let call = stage.carrier_plays("carrier-calls", "61400000001", number);
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
    let stays = stage
        .server
        .group_calls("get-ringgroup-calls", "limit=10000");
    let calls = by_call(&stage.receiver.received(CRM));
    assert!(
        calls.len() > 20,
        "a load of {} calls shows nothing",
        calls.len()
    );
    let told: BTreeSet<&str> = calls.keys().map(String::as_str).collect();
    assert_eq!(told, ids(&rows), "webhooks and rows know the same calls");
    let of_groups = calls.iter().filter(|(_, bodies)| is_of_group(bodies));
    let of_groups: BTreeSet<&str> = of_groups.map(|(call, _)| call.as_str()).collect();
    assert_eq!(of_groups, ids(&stays), "each stay in a group has its row");
    assert_eq!(stays.len(), of_groups.len(), "and one");
    // Ann, who is in the group, has no phone: her part in each of its calls is over at once.
    assert_eq!(rows.len(), told.len() + of_groups.len());
    for (call, bodies) in &calls {
        contract::check_order(bodies);
        let bodies: Vec<&Value> = bodies.iter().collect();
        let of_call = |row: &&Value| row["unique_call_id"] == *call;
        for row in rows.iter().chain(&stays).filter(of_call) {
            paths::check_agrees(row, &bodies);
        }
    }
}

fn ids(rows: &[Value]) -> BTreeSet<&str> {
    let ids = rows.iter();
    ids.map(|row| contract::text(row, "unique_call_id"))
        .collect()
}

fn is_of_group(bodies: &[Value]) -> bool {
    bodies.iter().any(|body| body["type"] == "ring_group_call")
}

/// The rows, once every row's completed webhook and every call's last word have come.
fn settled_rows(stage: &Stage) -> Vec<Value> {
    wait_for(
        "every completed webhook and summary",
        Duration::from_mins(1),
        || {
            let rows = stage.server.user_calls("limit=10000");
            let stays = stage
                .server
                .group_calls("get-ringgroup-calls", "limit=10000");
            let hooks = stage.receiver.received(CRM);
            let last = |kind: &str| -> usize {
                let of_kind = hooks.iter().filter(|hook| hook.kind() == kind);
                let of_kind = of_kind.map(|hook| (hook.call(), &hook.body["user_number"]));
                let once: BTreeSet<String> = of_kind.map(|one| format!("{one:?}")).collect();
                once.len()
            };
            let settled = last("user_inbound_completed") == rows.len()
                && last("ring_group_call") == stays.len();
            settled.then_some(rows)
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
