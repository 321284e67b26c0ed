//! Recorded inputs, run again: the same effects bit for bit, and another input is found out.

use std::path::Path;
use std::process::Output;

use crate::common::account::JOHNS_NUMBER;
use crate::common::server::Server;
use crate::common::stage::{CRM, SOON, Stage};

#[test]
fn a_recorded_call_replays_bit_for_bit() {
    let mut stage = Stage::with(&[("SWITCHHOOK_RECORD_INPUTS", "true")], |_| {});
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(100).start();
    let call = stage.carrier_plays("carrier-calls", "61400000001", JOHNS_NUMBER);
    call.start().finish();
    called.finish();
    stage.receiver.wait_for(CRM, 3, SOON);
    stage.server.stop();
    let recording = stage
        .server
        .data_file("inputs-")
        .expect("inputs were recorded");

    let whole = replay(&stage.server, &recording);
    let said = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert!(
        whole.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&whole.stderr)
    );
    assert!(said.contains("recorded digests agree"), "{said}");
    assert!(
        !said.contains(" 0 recorded digests"),
        "nothing was compared: {said}"
    );

    // Without its first message the effects are others, and the recording says so.
    let text = std::fs::read_to_string(&recording).expect("the recording is text");
    let mut lines: Vec<&str> = text.lines().collect();
    let first_packet = lines
        .iter()
        .position(|line| line.contains("\"kind\":\"packet\""));
    lines.remove(first_packet.expect("packets were recorded"));
    let others = lines.join("\n");
    std::fs::write(&recording, others).expect("the recording can be changed");
    let changed = replay(&stage.server, &recording);
    let said = String::from_utf8_lossy(&changed.stderr).into_owned();
    assert!(
        !changed.status.success(),
        "a changed recording was taken for the same"
    );
    assert!(said.contains("differ"), "{said}");
}

fn replay(server: &Server, recording: &Path) -> Output {
    let path = recording
        .to_str()
        .expect("the folder for temporary files has a plain name");
    server.output(&["replay", path])
}
