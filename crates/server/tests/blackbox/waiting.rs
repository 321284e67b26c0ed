//! What callers hear while they wait in a queue, and agents who log out and in by their phones.

use ::audio::music;
use ::audio::prompts::Language;

use crate::common::account::{ANN, JOHN, PASSWORD};
use crate::common::baresip::{Baresip, Talking};
use crate::common::receiver::Delivery;
use crate::common::sipp::DOMAIN;
use crate::common::stage::Stage;
use crate::common::wave;

const CALLER: &str = "61400000001";
/// The queue `Counter` of Ann.
const COUNTER_NUMBER: &str = "61298765455";

const ANNS_HERTZ: f64 = 440.0;
const JOHNS_HERTZ: f64 = 880.0;
/// Most of a tone must arrive.
const HEARD: f64 = 0.5;
/// What G.711 leaves of a sound.
const THE_SAME: f64 = 0.8;

const FLOWS: &str = r#"  - id: counter
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765455"]}, exits: {next: line}}
      - {id: line, kind: queue, name: Counter, settings: {agents: ["1020"], announce: place}, exits: {nobody: busy}}
      - {id: busy, kind: hangup, settings: {cause: busy}}
"#;

fn stage() -> Stage {
    Stage::with(&[], |account| FLOWS.clone_into(&mut account.more_flows))
}

/// What was told of whom, in the order it came.
fn story(hooks: &[Delivery]) -> Vec<(&str, &str)> {
    let told = hooks.iter();
    told.map(|hook| {
        (
            hook.kind(),
            hook.body["user_number"].as_str().unwrap_or("–"),
        )
    })
    .collect()
}

fn baresip(stage: &Stage, device: &str, hertz: f64, order: Option<&str>, seconds: u32) -> Talking {
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
         audio_codecs=PCMU;answermode=auto"
    );
    let phone = Baresip {
        account: &account,
        hertz,
        order,
        seconds,
    };
    phone.start()
}

/// How much of a prompt is in a recording, by the loudest quarter of a second of it.
fn likeness(recording: &[i16], id: &str) -> f64 {
    let english = Language::named("en").expect("English is in the program");
    let prompt = english.prompt(id).expect("the prompt exists").pcm();
    let prompt = prompt.at_rate(wave::RATE).into_samples();
    let loudness = |piece: &&[i16]| -> u64 {
        let samples = piece.iter();
        samples.map(|sample| u64::from(sample.unsigned_abs())).sum()
    };
    let loudest = prompt.chunks_exact(2_000).max_by_key(loudness);
    wave::likeness(recording, loudest.expect("a prompt has words"))
}

#[test]
fn who_waits_hears_the_place_and_music_and_is_connected_when_the_agent_is_free() {
    let stage = stage();
    let ann = baresip(&stage, "1020-desk", ANNS_HERTZ, None, 28);
    ann.wait_for("200 OK");
    let first = stage.carrier_plays("carrier-calls", CALLER, COUNTER_NUMBER);
    let first = first.pause_ms(13_000).start();
    ann.wait_for("Call established");
    let order = format!("/dial sip:+{COUNTER_NUMBER}@{DOMAIN}");
    let john = baresip(&stage, "1010-desk", JOHNS_HERTZ, Some(&order), 21);
    john.wait_for("Call established");
    first.finish();
    let log = john.log();
    let heard = john.heard();
    drop(ann);

    let rate = usize::try_from(wave::RATE).expect("a few thousand");
    let place = likeness(&heard[..4 * rate], "queue-next");
    assert!(
        place > THE_SAME,
        "his place is {place} of what John heard\n{log}"
    );
    let track = music::on_hold_pcm().at_rate(wave::RATE).into_samples();
    let music = wave::likeness(&heard[..8 * rate], &track[rate..][..1_000]);
    assert!(
        music > THE_SAME,
        "music is {music} of what John heard\n{log}"
    );
    let end = &heard[heard.len() - 3 * rate..];
    assert!(
        wave::loudness(end, ANNS_HERTZ) > HEARD,
        "John hears Ann\n{log}"
    );

    // Each call is told in its order; one does not wait for the other.
    let hooks = stage.hooks(11);
    let is_first = |hook: &Delivery| hook.call() == hooks[0].call();
    let (first, second): (Vec<_>, Vec<_>) = hooks.iter().cloned().partition(is_first);
    let expected = [
        ("user_inbound", ANN),
        ("user_inbound_answered", ANN),
        ("user_inbound_completed", ANN),
        ("queue_call", ANN),
    ];
    assert_eq!(story(&first), expected);
    let expected = [
        ("user_outbound", JOHN),
        ("user_outbound_answered", JOHN),
        ("user_inbound", ANN),
        ("user_inbound_answered", ANN),
        ("user_inbound_completed", ANN),
        ("queue_call", ANN),
        ("user_outbound_completed", JOHN),
    ];
    assert_eq!(story(&second), expected);
    let seconds = |field: &str| second[5].body[field].as_u64();
    let (stay, talk) = (seconds("call_duration"), seconds("conversation_duration"));
    assert!(stay > talk, "John waited: {:?}", second[5].body);
}

#[test]
fn agents_log_out_and_in_by_code_and_hear_that_they_are() {
    let stage = stage();
    let order = format!("/dial sip:*46@{DOMAIN}");
    let ann = baresip(&stage, "1020-desk", ANNS_HERTZ, Some(&order), 7);
    let heard = ann.heard();
    let out = likeness(&heard, "queue-agent-out");
    assert!(out > THE_SAME, "the words are {out} of what Ann heard");
    let call = stage.carrier_plays("carrier-calls-refused", CALLER, COUNTER_NUMBER);
    assert_eq!(call.start().finish().final_code(), 486, "out of nobody");

    let phone = stage.phone("1020-desk");
    let code = stage.phone_plays(&phone, "phone-calls-until-bye", "*45");
    code.start().finish();
    let ann = phone.play("answers").pause_ms(100).start();
    let call = stage.carrier_plays("carrier-calls", CALLER, COUNTER_NUMBER);
    call.pause_ms(1_500).start().finish();
    ann.finish();

    let code = [
        ("user_outbound", ANN),
        ("user_outbound_answered", ANN),
        ("user_outbound_completed", ANN),
    ];
    let nobody = [("queue_call", "–")];
    let answered = [
        ("user_inbound", ANN),
        ("user_inbound_answered", ANN),
        ("user_inbound_completed", ANN),
        ("queue_call", ANN),
    ];
    let hooks = stage.hooks(11);
    let expected = [&code[..], &nobody, &code, &answered].concat();
    assert_eq!(story(&hooks), expected);
    assert_eq!(hooks[3].body["status"], "abandoned");
    assert_eq!(hooks[0].body["dest_number"], "*46");
}
