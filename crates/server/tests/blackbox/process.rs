//! The program as an operator meets it: settings, health, a stop that finishes what it began.

use crate::common::account::JOHNS_NUMBER;
use crate::common::http;
use crate::common::server::Server;
use crate::common::stage::{CRM, SOON, Stage};

#[test]
fn an_unknown_setting_is_named() {
    let stage = Stage::with(&[], |_| {});
    let server: &Server = &stage.server;
    let output = server.output_with(&["serve"], "SWITCHHOOK_SIP__UPD", "127.0.0.1:0");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("SWITCHHOOK_SIP__UPD") && said.contains("SWITCHHOOK_SIP__UDP"),
        "{said}"
    );
}

#[test]
fn a_second_server_on_the_same_folder_says_so() {
    let stage = Stage::new();
    let output = stage.server.output(&["serve"]);
    assert!(!output.status.success(), "two servers share a data folder");
    assert!(!output.stderr.is_empty());
}

#[test]
fn health_and_metrics_are_there_without_a_key() {
    let stage = Stage::new();
    let address = stage.server.listening().http;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(http::get(address, path, &[]).status, 200, "{path}");
    }
    let metrics = http::get(address, "/metrics", &[]);
    assert_eq!(metrics.status, 200);
    let names = metrics
        .body
        .lines()
        .filter(|line| line.starts_with("switchhook_"));
    assert!(names.count() > 5, "{}", metrics.body);
    // A caller's number is nobody's business who reads metrics.
    assert!(!metrics.body.contains(JOHNS_NUMBER));
}

#[test]
fn a_stop_ends_calls_and_tells_of_it() {
    let mut stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(100).start();
    let call = stage.carrier_plays("carrier-calls-until-bye", "61400000001", JOHNS_NUMBER);
    let calling = call.start();
    stage.receiver.wait_for(CRM, 2, SOON);
    stage.server.stop();
    // Both sides get their BYE.
    called.finish();
    calling.finish();
    // What could not be delivered any more is delivered after the next start.
    stage.server.launch();
    let hooks = stage.hooks(3);
    assert_eq!(hooks[2].kind(), "user_inbound_completed");
    assert_eq!(stage.rows(1)[0]["type"], "user_inbound_answered");
}
