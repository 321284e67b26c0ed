//! Dialling by name: a phone keys in letters, hears who was found and calls this person.

use std::time::Duration;

use ::audio::prompts::Language;

use crate::common::account::PASSWORD;
use crate::common::baresip::{Baresip, Talking};
use crate::common::sipp::DOMAIN;
use crate::common::stage::Stage;
use crate::common::wave;

const ANNS_HERTZ: f64 = 440.0;
const DESKS_HERTZ: f64 = 660.0;
/// Most of a tone must arrive.
const HEARD: f64 = 0.5;
/// What G.711 leaves of a voice.
const THE_SAME: f64 = 0.8;

const FLOWS: &str = r#"  - id: people
    objects:
      - {id: inside, kind: internal_number, settings: {numbers: ["411"]}, exits: {next: people}}
      - {id: people, kind: directory}
"#;

fn phone(stage: &Stage, device: &str, hertz: f64, order: Option<&str>, seconds: u32) -> Talking {
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

#[test]
fn a_caller_finds_ann_by_the_letters_of_her_name() {
    let stage = Stage::with(&[], |account| FLOWS.clone_into(&mut account.more_flows));
    let ann = phone(&stage, "1020-desk", ANNS_HERTZ, None, 26);
    ann.wait_for("200 OK");
    let order = format!("/dial sip:411@{DOMAIN}");
    let desk = phone(&stage, "1010-desk", DESKS_HERTZ, Some(&order), 22);
    desk.wait_for("Call established");
    // L, E, E.
    for key in "533".chars() {
        desk.presses(key);
        std::thread::sleep(Duration::from_millis(150));
    }
    // Who was found is heard before the key.
    std::thread::sleep(Duration::from_secs(9));
    desk.presses('1');
    let log = desk.log();
    let heard = desk.heard();
    drop(ann);

    let english = Language::named("en").expect("English is in the program");
    let words = english.prompt("directory-internal-number");
    let words = words.expect("the prompt exists").pcm();
    let words = words.at_rate(wave::RATE).into_samples();
    let words = wave::likeness(&heard, &words[words.len() / 3..][..2_000]);
    assert!(words > THE_SAME, "the words are {words} of it\n{log}");
    let second = usize::try_from(wave::RATE).expect("a few thousand");
    let end = &heard[heard.len() - 2 * second..];
    assert!(wave::loudness(end, ANNS_HERTZ) > HEARD, "Ann talks\n{log}");
    stage.follows("directory::a_caller_finds_ann_by_the_letters_of_her_name");
}
