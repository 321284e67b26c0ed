//! Calls that a phone parks, and that another takes.

use ::audio::music;

use crate::common::account::{ANN, JOHN, JOHNS_NUMBER, PASSWORD};
use crate::common::address::fresh_address;
use crate::common::baresip::{Baresip, Talking};
use crate::common::receiver::Delivery;
use crate::common::sipp::{DOMAIN, Sipp, Wire};
use crate::common::stage::{Phone, Stage};
use crate::common::wave;
use crate::transfer::replacing;

const CALLER: &str = "61300000000";

const ANNS_HERTZ: f64 = 440.0;
const MOBILES_HERTZ: f64 = 900.0;
/// Most of a tone must arrive.
const HEARD: f64 = 0.5;
/// What G.711 leaves of a sound.
const THE_SAME: f64 = 0.8;

/// John's phone answers and parks the call.
fn john_parks(stage: &Stage) -> Sipp {
    let desk = stage.phone("1010-desk");
    let plays = desk.play("answers-and-parks").pause_ms(200);
    let target = format!("<sip:*68@{DOMAIN}>");
    plays.variable("talk", 600).key("target", &target)
}

fn calls(stage: &Stage, device: &str, hertz: f64, called: &str, seconds: u32) -> Talking {
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=0;\
         audio_codecs=PCMU"
    );
    let phone = Baresip {
        account: &account,
        hertz,
        order: Some(&format!("/dial sip:{called}@{DOMAIN}")),
        seconds,
    };
    let phone = phone.start();
    phone.wait_for("Call established");
    phone
}

#[test]
fn a_parked_caller_hears_music_and_talks_with_who_dials_the_slot() {
    let stage = Stage::new();
    let john = john_parks(&stage).start();
    let ann = calls(&stage, "1020-desk", ANNS_HERTZ, JOHN, 18);
    // He is let go when he has heard the slot.
    john.finish();
    std::thread::sleep(std::time::Duration::from_secs(3));
    let mobile = calls(&stage, "1010-mobile", MOBILES_HERTZ, "701", 20);
    let by_ann = ann.heard();
    let log = mobile.log();
    let by_mobile = mobile.heard();

    let second = usize::try_from(wave::RATE).expect("a few thousand");
    let track = music::on_hold_pcm().at_rate(wave::RATE).into_samples();
    let music = wave::likeness(&by_ann, &track[second..][..1_000]);
    assert!(music > THE_SAME, "music is {music} of what Ann heard");
    let end = &by_ann[by_ann.len() - 2 * second..];
    assert!(wave::loudness(end, MOBILES_HERTZ) > HEARD, "Ann hears John");
    let talk = by_mobile.windows(second).step_by(second / 2);
    let mut talk = talk.map(|piece| wave::loudness(piece, ANNS_HERTZ));
    assert!(talk.any(|level| level > HEARD), "John hears Ann\n{log}");
    // His call for it is told beside Ann's, in an order of its own.
    let hooks = stage.hooks(12);
    let is_anns = |hook: &Delivery| hook.call() == hooks[0].call();
    let his: Vec<Delivery> = hooks
        .iter()
        .filter(|hook| !is_anns(hook))
        .cloned()
        .collect();
    let kinds: Vec<&str> = his.iter().map(Delivery::kind).collect();
    let expected = [
        "user_outbound",
        "user_outbound_answered",
        "user_outbound_completed",
    ];
    assert_eq!(kinds, expected);
    let path = "park::a_parked_caller_hears_music_and_talks_with_who_dials_the_slot";
    let anns = stage.follows_after(&his, path);
    assert!(anns.iter().all(|hook| hook.body["caller_id"] == ANN));
}

#[test]
fn a_parked_caller_gives_up() {
    let stage = Stage::new();
    let john = john_parks(&stage).start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(6_000).start();
    john.finish();
    carrier.finish();
    stage.follows("park::a_parked_caller_gives_up");
}

#[test]
fn john_asks_for_a_slot_and_puts_the_caller_there() {
    let stage = Stage::new();
    // From a socket of its own: sipp plays one call at each.
    let asking = Phone {
        device: "1010-desk".to_owned(),
        address: fresh_address(),
        wire: Wire::Udp,
    };
    let asking = stage.phone_plays(&asking, "phone-calls-until-bye", "*68");
    let asking = asking.start();
    let target = replacing(&asking, "*68");
    let desk = stage.phone("1010-desk");
    let john = desk.play("answers-and-brings-together").pause_ms(200);
    let john = john.variable("talk", 600).key("target", &target).start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(5_000).start();
    john.finish();
    asking.finish();
    // The slot that he was told is the one in which the caller waits.
    let mobile = calls(&stage, "1010-mobile", MOBILES_HERTZ, "701", 12);
    carrier.finish();
    drop(mobile);
    let hooks = stage.hooks(12);
    let from_outside = hooks.iter().filter(|hook| hook.body["caller_id"] == CALLER);
    let kinds: Vec<&str> = from_outside.map(Delivery::kind).collect();
    let part = [
        "user_inbound",
        "user_inbound_answered",
        "user_inbound_completed",
    ];
    assert_eq!(kinds, [part, part].concat());
}

#[test]
fn a_call_that_nobody_fetches_comes_back() {
    let stage = Stage::with(&[], |account| {
        account.more_parts = "park: {wait_seconds: 10}\n";
    });
    let desk = stage.phone("1010-desk");
    let target = format!("<sip:*68@{DOMAIN}>");
    let john = desk.play("answers-and-parks").pause_ms(200);
    let john = john.variable("talk", 600).key("target", &target).start();
    let carrier = stage.carrier_plays("carrier-calls", CALLER, JOHNS_NUMBER);
    let carrier = carrier.pause_ms(16_000).start();
    john.finish();
    let john = desk.play("answers").pause_ms(200).start();
    carrier.finish();
    john.finish();
    stage.follows("park::a_call_that_nobody_fetches_comes_back");
}
