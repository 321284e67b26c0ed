//! Sounds of an account's own: handed in by the command line, heard by callers and in queues.

use std::net::SocketAddr;
use std::process::Output;

use audio::mp3;
use audio::{Channels, Pcm};

use crate::common::account::{Registration, Trunk};
use crate::common::baresip::Baresip;
use crate::common::process::Folder;
use crate::common::sipp::DOMAIN;
use crate::common::stage::Stage;
use crate::common::wave;

const CALLER: &str = "61400000001";
/// Plays `welcome` and hangs up.
const WELCOME_NUMBER: &str = "61298765451";
/// A queue whose agent has no phone, with music of its own.
const QUEUE_NUMBER: &str = "61298765452";
const FLOWS: &str = r#"  - id: welcome
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765451"]}, exits: {next: words}}
      - {id: words, kind: play_audio, settings: {sound: "file:welcome"}}
  - id: waiting
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765452"]}, exits: {next: line}}
      - {id: line, kind: queue, name: Waiting, settings: {agents: ["1010"], music: "file:waiting"}}
"#;

const CALLERS_HERTZ: f64 = 440.0;
const FIRST_HERTZ: f64 = 700.0;
const SECOND_HERTZ: f64 = 1_000.0;
const MUSIC_HERTZ: f64 = 850.0;
/// What levelling and silence around the sound leave of a tone, and what other tones have of it.
const HEARD: f64 = 0.15;
const SILENT: f64 = 0.03;

fn stage() -> Stage {
    Stage::with(&[], |account| {
        FLOWS.clone_into(&mut account.more_flows);
        account.trunks.push(Trunk {
            name: "line",
            address: SocketAddr::from(([127, 0, 0, 1], 9)),
            registration: Registration::None,
        });
    })
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Three seconds of a tone as MP3.
fn tone(hertz: f64) -> Vec<u8> {
    let folder = Folder::fresh("tone");
    let path = folder.join("tone.wav");
    wave::write_tone(&path, hertz, 3);
    let pcm = Pcm::new(wave::RATE, wave::read(&path)).at_rate(Pcm::WIDE_HZ);
    let frames: Vec<[i16; 2]> = pcm.samples().iter().map(|sample| [*sample, 0]).collect();
    let mut writer = mp3::Writer::new(Pcm::WIDE_HZ, Channels::Mono).expect("a rate of MP3");
    let mut file = Vec::new();
    writer.push(&frames, &mut file).expect("there is memory");
    let end = writer.finish().expect("there is memory");
    file.extend(end.tail);
    file[..end.head.len()].copy_from_slice(&end.head);
    file
}

fn hand_in(stage: &Stage, name: &str, file: &[u8], more: &[&str]) -> Output {
    let folder = Folder::fresh("sound");
    let path = folder.join("sound.mp3");
    std::fs::write(&path, file).expect("our own folder");
    let path = path.to_str().expect("a path of ours is text");
    let order = ["account", "sound", "add", "acme", name, path];
    stage.server.output(&[&order, more].concat())
}

fn sound(stage: &Stage, command: &str, more: &[&str]) -> Output {
    let order = ["account", "sound", command, "acme"];
    stage.server.output(&[&order, more].concat())
}

/// What somebody outside hears who calls that number.
fn heard(stage: &Stage, number: &str, seconds: u32) -> Vec<i16> {
    let proxy = stage.server.listening().udp;
    let account =
        format!("<sip:{CALLER}@{DOMAIN}>;outbound=\"sip:{proxy}\";regint=0;audio_codecs=PCMU");
    let order = format!("/dial sip:{number}@{DOMAIN}");
    let caller = Baresip {
        account: &account,
        hertz: CALLERS_HERTZ,
        order: Some(&order),
        seconds,
    };
    let caller = caller.start();
    caller.wait_for("Call established");
    caller.heard()
}

#[test]
fn an_uploaded_mp3_is_heard_and_its_successor_by_the_next_caller() {
    let mut stage = stage();
    let first = hand_in(&stage, "welcome", &tone(FIRST_HERTZ), &[]);
    assert!(first.status.success(), "{}", said(&first));
    let hears = |stage: &Stage, hertz: f64, other: f64| {
        let heard = heard(stage, WELCOME_NUMBER, 5);
        let (is, is_not) = (wave::loudness(&heard, hertz), wave::loudness(&heard, other));
        assert!(
            is > HEARD && is_not < SILENT,
            "{hertz} Hz: {is}, {other} Hz: {is_not}"
        );
    };
    hears(&stage, FIRST_HERTZ, SECOND_HERTZ);

    let refused = hand_in(&stage, "welcome", b"no audio at all", &[]);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("Save it as MP3"),
        "{}",
        said(&refused)
    );
    hears(&stage, FIRST_HERTZ, SECOND_HERTZ);

    let second = hand_in(&stage, "welcome", &tone(SECOND_HERTZ), &[]);
    assert!(second.status.success(), "{}", said(&second));
    hears(&stage, SECOND_HERTZ, FIRST_HERTZ);

    stage.server.stop();
    stage.server.launch();
    hears(&stage, SECOND_HERTZ, FIRST_HERTZ);
}

#[test]
fn a_queue_has_music_of_its_own() {
    let stage = stage();
    let music = hand_in(&stage, "waiting", &tone(MUSIC_HERTZ), &["--music"]);
    assert!(music.status.success(), "{}", said(&music));
    let heard = heard(&stage, QUEUE_NUMBER, 6);
    let (is, is_not) = (
        wave::loudness(&heard, MUSIC_HERTZ),
        wave::loudness(&heard, FIRST_HERTZ),
    );
    assert!(is > HEARD && is_not < SILENT, "{is}, {is_not}");
}

#[test]
fn what_is_played_and_missing_is_said_and_what_is_played_is_not_removed() {
    let mut stage = stage();
    let listed = |stage: &Stage| said(&sound(stage, "list", &[]));
    let before = listed(&stage);
    assert!(
        before.contains("missing: what is played by flows["),
        "{before}"
    );
    // Also while no server runs.
    stage.server.stop();
    for name in ["welcome", "spare"] {
        let added = hand_in(&stage, name, &tone(FIRST_HERTZ), &[]);
        assert!(added.status.success(), "{}", said(&added));
    }
    stage.server.launch();
    let after = listed(&stage);
    assert!(after.contains("spare: 3 s\n"), "{after}");
    assert!(after.contains("welcome: 3 s, played by flows["), "{after}");
    let exported = said(&stage.server.output(&["account", "export", "acme"]));
    assert!(
        exported.contains("# sound welcome: 3 s, played by"),
        "{exported}"
    );

    let refused = sound(&stage, "remove", &["welcome"]);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("is played by flows["),
        "{}",
        said(&refused)
    );
    let removed = sound(&stage, "remove", &["spare"]);
    assert!(removed.status.success(), "{}", said(&removed));
    assert!(!listed(&stage).contains("spare"), "{}", listed(&stage));
    let again = sound(&stage, "remove", &["spare"]);
    assert!(
        said(&again).contains("has no sound `spare`"),
        "{}",
        said(&again)
    );
}
