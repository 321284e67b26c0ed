//! The program as an operator meets it: settings, health, a stop that finishes what it began.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::account::JOHNS_NUMBER;
use crate::common::process::{Folder, Running};
use crate::common::server::{PROGRAM, Server};
use crate::common::stage::{CRM, SOON, Stage};
use crate::common::{http, wait_for};

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
fn a_demo_that_is_interrupted_leaves_no_folder() {
    let temporary = Folder::fresh("demo");
    let is_empty = || {
        let mut entries = std::fs::read_dir(temporary.path()).expect("our own folder");
        entries.next().is_none()
    };
    let mut demo = Command::new(PROGRAM);
    demo.arg("demo").env("TMPDIR", temporary.path());
    demo.stdin(Stdio::null()).stdout(Stdio::null());
    let mut demo = Running::start("switchhook demo", &mut demo);
    // Its server runs; the calls take seconds.
    let running = temporary.join(&format!("switchhook-demo-{}/run.json", demo.id()));
    wait_for("the demo's server", SOON, || {
        running.is_file().then_some(())
    });
    demo.terminate();
    assert_eq!(demo.wait(SOON).code(), Some(130));
    assert!(is_empty(), "the demo left its folder");
}

#[test]
fn a_stop_ends_calls_and_tells_of_it() {
    let mut stage = Stage::with(&[("SWITCHHOOK_SIP__DRAIN_SECONDS", "1")], |_| {});
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(100).start();
    let call = stage.carrier_plays("carrier-calls-until-bye", "61400000001", JOHNS_NUMBER);
    let calling = call.start();
    stage.receiver.wait_for(CRM, 2, SOON);
    let told = Instant::now();
    stage.server.stop();
    let took = told.elapsed();
    let drain = Duration::from_secs(1)..Duration::from_secs(10);
    assert!(drain.contains(&took), "the call had {took:?}");
    // Both sides get their BYE.
    called.finish();
    calling.finish();
    // What could not be delivered any more is delivered after the next start.
    stage.server.launch();
    stage.follows("process::a_stop_ends_calls_and_tells_of_it");
}
