//! Two people hear each other: baresip sends a tone at each end and keeps what arrives.

use crate::common::account::{JOHN, PASSWORD};
use crate::common::baresip::Baresip;
use crate::common::sipp::DOMAIN;
use crate::common::stage::Stage;
use crate::common::wave;

const ANNS_HERTZ: f64 = 440.0;
const JOHNS_HERTZ: f64 = 660.0;

/// Most of a tone must arrive; the start of a call and a lost packet cost a little.
const HEARD: f64 = 0.5;
const SILENT: f64 = 0.05;

fn account(stage: &Stage, device: &str, more: &str) -> String {
    let proxy = stage.server.listening().udp;
    format!(
        "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;{more}"
    )
}

fn talk(codec: &str) {
    let stage = Stage::new();
    let codecs = format!("audio_codecs={codec}");
    let john = account(&stage, "1010-desk", &format!("answermode=auto;{codecs}"));
    let john = Baresip {
        account: &john,
        hertz: JOHNS_HERTZ,
        order: None,
        seconds: 14,
    }
    .start();
    john.wait_for("200 OK");
    let ann = account(&stage, "1020-desk", &codecs);
    let order = format!("/dial sip:{JOHN}@{DOMAIN}");
    let ann = Baresip {
        account: &ann,
        hertz: ANNS_HERTZ,
        order: Some(&order),
        seconds: 6,
    }
    .start();
    let (anns_log, johns_log) = (ann.log(), john.log());
    let (ann_heard, john_heard) = (ann.heard(), john.heard());
    let by_ann = wave::loudness(&ann_heard, JOHNS_HERTZ);
    let by_john = wave::loudness(&john_heard, ANNS_HERTZ);
    assert!(by_ann > HEARD, "Ann heard {by_ann}\n{anns_log}");
    assert!(by_john > HEARD, "John heard {by_john}\n{johns_log}");
    assert!(
        wave::loudness(&ann_heard, ANNS_HERTZ) < SILENT,
        "Ann hears herself"
    );
    assert!(
        wave::loudness(&john_heard, JOHNS_HERTZ) < SILENT,
        "John hears himself"
    );
    stage.hooks(6);
}

#[test]
fn a_tone_at_one_end_is_heard_at_the_other_both_ways() {
    talk("PCMU");
}

#[test]
fn the_other_law_is_heard_as_well() {
    talk("PCMA");
}
