//! Delivery: signed, retried, ordered, and a bad receiver harms nobody else.

use std::time::{Duration, Instant};

use base64::Engine as _;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::common::account::{Endpoint, JOHNS_NUMBER, TOKEN};
use crate::common::receiver::{Delivery, Habit};
use crate::common::stage::{CRM, Stage};

const CALLER: &str = "61400000001";

/// One answered call by the carrier.
fn call(stage: &Stage) {
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(50).start();
    stage
        .carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER)
        .pause_ms(100)
        .start()
        .finish();
    called.finish();
}

#[test]
fn a_delivery_is_signed_and_numbered() {
    let stage = Stage::new();
    call(&stage);
    let hooks = stage.hooks(3);
    hooks.iter().for_each(check_signature);
    let mut numbers: Vec<&str> = hooks
        .iter()
        .map(|hook| hook.header("x-pbx-delivery"))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(
        numbers.len(),
        3,
        "each delivery has a number of its own: {numbers:?}"
    );
}

fn check_signature(hook: &Delivery) {
    let (id, timestamp) = (hook.header("webhook-id"), hook.header("webhook-timestamp"));
    assert_eq!(id, hook.header("x-pbx-delivery"));
    let age_seconds = hook.at_ms / 1000 - timestamp.parse::<i64>().expect("whole seconds");
    assert!((0..=2).contains(&age_seconds), "signed {age_seconds} s ago");
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).expect("any key fits");
    mac.update(format!("{id}.{timestamp}.{}", hook.raw).as_bytes());
    let code = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(hook.header("webhook-signature"), format!("v1,{code}"));
}

#[test]
fn an_endpoint_gets_only_what_it_ticked() {
    let stage = Stage::with(&[], |account| {
        let url = account.endpoints[0].url.replace(CRM, "/completed");
        let triggers = "[user_inbound_completed]";
        account.endpoints.push(Endpoint {
            name: "completed",
            url,
            triggers,
            timeout_seconds: 30,
        });
    });
    call(&stage);
    stage.hooks(3);
    let ticked = stage.receiver.received("/completed");
    let kinds: Vec<&str> = ticked.iter().map(Delivery::kind).collect();
    assert_eq!(kinds, ["user_inbound_completed"]);
}

#[test]
fn an_endpoint_that_hangs_and_one_that_fails_delay_neither_calls_nor_the_good_one() {
    const CALLS: usize = 5;
    let stage = Stage::with(&[], |account| {
        for (name, path) in [("hangs", "/hangs"), ("fails", "/fails")] {
            let url = account.endpoints[0].url.replace(CRM, path);
            account.endpoints.push(Endpoint {
                name,
                url,
                triggers: "all",
                timeout_seconds: 30,
            });
        }
    });
    stage
        .receiver
        .set("/hangs", Habit::Hang(Duration::from_secs(15)));
    stage.receiver.set("/fails", Habit::Answer(500));
    let begun = Instant::now();
    for _ in 0..CALLS {
        call(&stage);
    }
    let good = stage.hooks(3 * CALLS);
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "the calls were delayed"
    );
    let last = good.last().expect("there are fifteen");
    let late_ms = last.at_ms - crate::common::contract::instant_ms(&last.body, "connected_at");
    assert!(
        late_ms < 1_500,
        "completed came {late_ms} ms after connected_at of a 100 ms call"
    );
    // One at a time per call: the second waits for the first.
    assert_eq!(stage.receiver.received("/hangs").len(), CALLS);
}

#[test]
fn what_fails_is_tried_again_in_order_with_the_same_number() {
    let stage = Stage::new();
    stage.receiver.set(CRM, Habit::Answer(503));
    call(&stage);
    let first = stage
        .receiver
        .wait_for(CRM, 1, Duration::from_secs(5))
        .remove(0);
    stage.receiver.set(CRM, Habit::Accept);
    // The first retry comes after about 10 s (contract §2.3), then the rest at once.
    let all = stage.receiver.wait_for(CRM, 4, Duration::from_secs(20));
    let kinds: Vec<&str> = all.iter().map(Delivery::kind).collect();
    assert_eq!(
        kinds,
        [
            "user_inbound",
            "user_inbound",
            "user_inbound_answered",
            "user_inbound_completed"
        ]
    );
    assert_eq!(
        first.header("x-pbx-delivery"),
        all[1].header("x-pbx-delivery")
    );
    let waited_ms = all[1].at_ms - all[0].at_ms;
    assert!(
        (5_000..=16_000).contains(&waited_ms),
        "tried again after {waited_ms} ms"
    );
}
