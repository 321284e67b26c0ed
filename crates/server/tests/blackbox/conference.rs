//! Three phones in a conference room: each hears the other two and not itself.

use std::time::Duration;

use crate::common::account::PASSWORD;
use crate::common::baresip::{Baresip, Talking};
use crate::common::sipp::DOMAIN;
use crate::common::stage::Stage;
use crate::common::wave;

const CALLER: &str = "61400000001";
/// A room without a PIN, for those outside.
const OPEN_NUMBER: &str = "61298765460";

const ANNS_HERTZ: f64 = 440.0;
const DESKS_HERTZ: f64 = 660.0;
const MOBILES_HERTZ: f64 = 900.0;
/// Most of a tone must arrive, and of another next to nothing.
const HEARD: f64 = 0.5;
const SILENT: f64 = 0.05;

const FLOWS: &str = r#"  - id: meeting
    objects:
      - {id: outside, kind: inbound_number, settings: {numbers: ["+61298765460"]}, exits: {next: open}}
      - {id: open, kind: conference, settings: {room: open}}
      - {id: inside, kind: internal_number, settings: {numbers: ["800"]}, exits: {next: room}}
      - {id: room, kind: conference, settings: {room: weekly, pin: "2468", announce: none, max_members: 3}, exits: {wrong_pin: bye, full: bye}}
      - {id: bye, kind: hangup, settings: {cause: busy}}
"#;

fn stage() -> Stage {
    Stage::with(&[], |account| FLOWS.clone_into(&mut account.more_flows))
}

/// A phone dials the room's internal number.
fn comes(stage: &Stage, device: &str, hertz: f64, seconds: u32) -> Talking {
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
         audio_codecs=PCMU"
    );
    let phone = Baresip {
        account: &account,
        hertz,
        order: Some(&format!("/dial sip:800@{DOMAIN}")),
        seconds,
    };
    let phone = phone.start();
    phone.wait_for("Call established");
    phone
}

fn keys(phone: &Talking, keys: &str) {
    for key in keys.chars() {
        phone.presses(key);
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether there is a second of what was heard that has these tones and not those.
fn has_second(heard: &[i16], tones: &[f64], silent: &[f64]) -> bool {
    let second = usize::try_from(wave::RATE).expect("a few thousand");
    heard.windows(second).step_by(second / 4).any(|piece| {
        tones
            .iter()
            .all(|hertz| wave::loudness(piece, *hertz) > HEARD)
            && silent
                .iter()
                .all(|hertz| wave::loudness(piece, *hertz) < SILENT)
    })
}

/// No second of what was heard has the tone.
fn never(heard: &[i16], hertz: f64) -> bool {
    !has_second(heard, &[hertz], &[])
}

#[test]
fn each_of_three_hears_the_other_two_and_not_itself() {
    let stage = stage();
    let ann = comes(&stage, "1020-desk", ANNS_HERTZ, 27);
    keys(&ann, "2468#");
    let desk = comes(&stage, "1010-desk", DESKS_HERTZ, 24);
    keys(&desk, "2468#");
    let mobile = comes(&stage, "1010-mobile", MOBILES_HERTZ, 16);
    // A wrong one first, which lets nobody in.
    keys(&mobile, "1111#");
    std::thread::sleep(Duration::from_secs(1));
    keys(&mobile, "2468#");
    let log = mobile.log();
    let by_mobile = mobile.heard();
    // The mobile has hung up; the others talk on, and then Ann mutes herself.
    std::thread::sleep(Duration::from_secs(2));
    keys(&ann, "*6");
    let by_desk = desk.heard();
    let by_ann = ann.heard();

    let all = [
        (
            "mobile",
            &by_mobile,
            MOBILES_HERTZ,
            [ANNS_HERTZ, DESKS_HERTZ],
        ),
        ("desk", &by_desk, DESKS_HERTZ, [ANNS_HERTZ, MOBILES_HERTZ]),
        ("Ann", &by_ann, ANNS_HERTZ, [DESKS_HERTZ, MOBILES_HERTZ]),
    ];
    for (name, heard, own, others) in all {
        assert!(
            has_second(heard, &others, &[own]),
            "{name} hears the other two\n{log}"
        );
        assert!(never(heard, own), "{name} hears itself");
    }
    let gone = [MOBILES_HERTZ];
    assert!(has_second(&by_ann, &[DESKS_HERTZ], &gone), "two are left");
    let second = usize::try_from(wave::RATE).expect("a few thousand");
    let end = &by_desk[by_desk.len() - second..];
    assert!(wave::loudness(end, ANNS_HERTZ) < SILENT, "Ann is muted");
    stage.follows("conference::each_of_three_hears_the_other_two_and_not_itself");
}

#[test]
fn who_does_not_know_the_pin_is_sent_on() {
    let stage = stage();
    let desk = comes(&stage, "1010-desk", DESKS_HERTZ, 20);
    for _ in 0..3 {
        keys(&desk, "1#");
    }
    desk.wait_for("session closed");
    stage.follows("conference::who_does_not_know_the_pin_is_sent_on");
}

#[test]
fn who_comes_from_outside_concerns_no_user() {
    let stage = stage();
    let call = stage.carrier_plays("carrier-calls", CALLER, OPEN_NUMBER);
    call.pause_ms(500).start().finish();
    stage.follows("conference::who_comes_from_outside_concerns_no_user");
}
