//! The mailbox by phone: baresips leave messages, dial in, key PINs by RFC 4733 and listen.

use std::net::SocketAddr;
use std::time::Duration;

use audio::prompts::Language;

use crate::common::account::{PASSWORD, Registration, Trunk, VOICEMAIL_NUMBER};
use crate::common::baresip::{Baresip, Talking};
use crate::common::receiver::Delivery;
use crate::common::sipp::DOMAIN;
use crate::common::stage::{CRM, Stage};
use crate::common::{wait_for, wave};

const CALLER: &str = "61400000001";
const CALLERS_HERTZ: f64 = 440.0;
const ANNS_HERTZ: f64 = 620.0;
/// Leads to Ann's mailbox with her greeting.
const GREETED_NUMBER: &str = "61298765453";
const FLOWS: &str = r#"  - id: greeted
    objects:
      - {id: in, kind: inbound_number, settings: {numbers: ["+61298765453"]}, exits: {next: box}}
      - {id: box, kind: voicemail, settings: {mailbox: "1020"}}
"#;
const PIN: &str = "4711";

/// Most of a tone is in what is heard of it, beside words; another tone is not.
const HEARD: f64 = 0.1;
const SILENT: f64 = 0.03;
/// What G.711 leaves of words.
const THE_SAME: f64 = 0.8;
/// Audio is made when a processor has time for it.
const FINISHED: Duration = Duration::from_secs(20);

fn stage() -> Stage {
    Stage::with(&[], |account| {
        FLOWS.clone_into(&mut account.more_flows);
        account.anns_settings = format!("    voicemail: {{emails: [], pin: \"{PIN}\"}}\n");
        account.trunks.push(Trunk {
            name: "line",
            address: SocketAddr::from(([127, 0, 0, 1], 9)),
            registration: Registration::None,
        });
    })
}

/// Somebody outside calls, and sends a tone until it hangs up.
fn caller(stage: &Stage, number: &str, seconds: u32) -> Talking {
    let proxy = stage.server.listening().udp;
    let account =
        format!("<sip:{CALLER}@{DOMAIN}>;outbound=\"sip:{proxy}\";regint=0;audio_codecs=PCMU");
    let order = format!("/dial sip:{number}@{DOMAIN}");
    let phone = Baresip {
        account: &account,
        hertz: CALLERS_HERTZ,
        order: Some(&order),
        seconds,
    };
    phone.start()
}

/// A phone of the account dials.
fn dials(stage: &Stage, device: &str, number: &str, seconds: u32) -> Talking {
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=0;\
         audio_codecs=PCMU"
    );
    let order = format!("/dial sip:{number}@{DOMAIN}");
    let phone = Baresip {
        account: &account,
        hertz: ANNS_HERTZ,
        order: Some(&order),
        seconds,
    };
    let phone = phone.start();
    phone.wait_for("Call established");
    phone
}

fn keys(phone: &Talking, keys: &str) {
    for key in keys.chars() {
        phone.presses(key);
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Waits for the message's webhook, with which it lies in the mailbox.
fn message(stage: &Stage, count: usize) -> Delivery {
    let told = || {
        let hooks = stage.receiver.received(CRM);
        let mut messages = hooks.into_iter().filter(|hook| hook.kind() == "voicemail");
        messages.nth(count - 1)
    };
    wait_for("the message's webhook", FINISHED, told)
}

/// How much of a prompt is in a recording, by its loudest quarter of a second.
fn likeness(recording: &[i16], id: &str) -> f64 {
    let english = Language::named("en").expect("English is in the program");
    let prompt = english.prompt(id).expect("the prompt exists").pcm();
    let prompt = prompt.at_rate(wave::RATE).into_samples();
    let energy = |piece: &&[i16]| {
        piece
            .iter()
            .map(|sample| i64::from(*sample).pow(2))
            .sum::<i64>()
    };
    let piece = prompt.chunks_exact(2_000).max_by_key(energy);
    wave::likeness(recording, piece.expect("a prompt is longer"))
}

/// Waits until the phone hears a prompt: the next key is pressed when it is asked for.
fn hears(phone: &Talking, id: &str) {
    wait_for(&format!("{id} to be heard"), FINISHED, || {
        let heard = phone.heard_so_far();
        let newest = heard.len().saturating_sub(6 * wave::RATE as usize);
        (likeness(&heard[newest..], id) > THE_SAME).then_some(())
    });
}

/// The loudest second of a tone.
fn loudest(heard: &[i16], hertz: f64) -> f64 {
    let seconds = heard.chunks(wave::RATE as usize);
    let loudness = seconds.map(|second| wave::loudness(second, hertz));
    loudness.fold(0.0, f64::max)
}

fn leave_message(stage: &Stage, count: usize) -> Delivery {
    let caller = caller(stage, VOICEMAIL_NUMBER, 6);
    caller.wait_for("Call established");
    drop(caller.heard());
    message(stage, count)
}

fn status(stage: &Stage, link: &str) -> u16 {
    let http = stage.server.listening().http;
    let target = link.strip_prefix(&format!("http://{http}"));
    let target = target.expect("a link leads to the server");
    stage.server.get(target).status
}

#[test]
fn a_message_is_heard_with_the_pin_and_deleted_with_its_link() {
    let mut stage = stage();
    let hook = leave_message(&stage, 1);
    let link = hook.body["audio_file"][0].as_str().expect("a link");
    assert_eq!(status(&stage, link), 200);

    let ann = dials(&stage, "1020-desk", "*97", 36);
    // She listens before she keys anything.
    std::thread::sleep(Duration::from_secs(4));
    keys(&ann, &format!("{PIN}#"));
    std::thread::sleep(Duration::from_millis(500));
    keys(&ann, "1");
    // Number, time, caller and four seconds of tone.
    std::thread::sleep(Duration::from_secs(21));
    keys(&ann, "3");
    wait_for("the link to lead nowhere", FINISHED, || {
        (status(&stage, link) == 404).then_some(())
    });
    let heard = ann.heard();
    let tone = loudest(&heard, CALLERS_HERTZ);
    assert!(tone > HEARD, "the message is heard: {tone}");
    let begins = &heard[..6 * wave::RATE as usize];
    let like = likeness(begins, "vm-enter-pin");
    assert!(like > THE_SAME, "the PIN is asked for: {like}");
    // Nothing of it is left, and that is so after a restart too.
    stage.server.stop();
    stage.server.launch();
    let ann = dials(&stage, "1020-desk", "*97", 9);
    keys(&ann, &format!("{PIN}#"));
    let like = likeness(&ann.heard(), "vm-no-messages");
    assert!(like > THE_SAME, "the mailbox is empty: {like}");
}

#[test]
fn wrong_pins_lock_the_mailbox_also_after_a_restart() {
    let mut stage = stage();
    for _ in 0..2 {
        let ann = dials(&stage, "1020-desk", "*97", 8);
        for _ in 0..3 {
            keys(&ann, "0000#");
        }
        drop(ann.heard());
    }
    stage.server.stop();
    stage.server.launch();
    let ann = dials(&stage, "1020-desk", "*97", 5);
    let like = likeness(&ann.heard(), "vm-pin-locked");
    assert!(like > THE_SAME, "it is locked: {like}");
}

#[test]
fn a_greeting_that_was_spoken_is_heard_by_the_next_caller() {
    let stage = stage();
    let before = caller(&stage, GREETED_NUMBER, 11);
    before.wait_for("Call established");
    let like = likeness(&before.heard(), "vm-greeting");
    assert!(like > THE_SAME, "ours is heard at first: {like}");

    let ann = dials(&stage, "1020-desk", "*97", 90);
    keys(&ann, &format!("{PIN}#"));
    std::thread::sleep(Duration::from_millis(500));
    keys(&ann, "21");
    hears(&ann, "vm-record-greeting");
    // The rest of the instruction and the tone, then a few seconds of Ann's.
    std::thread::sleep(Duration::from_secs(8));
    keys(&ann, "#");
    hears(&ann, "vm-menu-greeting");
    keys(&ann, "2");
    hears(&ann, "vm-greeting-saved");
    drop(ann);

    let after = caller(&stage, GREETED_NUMBER, 8);
    after.wait_for("Call established");
    let heard = after.heard();
    let tone = loudest(&heard, ANNS_HERTZ);
    assert!(tone > HEARD, "Ann's own is heard: {tone}");
    assert!(likeness(&heard, "vm-greeting") < THE_SAME, "and not ours");
    assert!(loudest(&heard, 1_234.0) < SILENT);
}

#[test]
fn a_message_is_forwarded_and_heard_by_the_colleague() {
    let stage = stage();
    leave_message(&stage, 1);
    let ann = dials(&stage, "1020-desk", "*97", 14);
    keys(&ann, &format!("{PIN}#"));
    std::thread::sleep(Duration::from_millis(500));
    keys(&ann, "14");
    std::thread::sleep(Duration::from_millis(300));
    keys(&ann, "1010#");
    let forwarded = message(&stage, 2);
    assert_eq!(forwarded.body["caller_id"], "1020");
    let link = forwarded.body["audio_file"][0].as_str().expect("a link");
    assert_eq!(status(&stage, link), 200);
    keys(&ann, "3");
    drop(ann.heard());
    // John has no PIN, and his own phone needs none.
    let john = dials(&stage, "1010-desk", "*97", 20);
    keys(&john, "1");
    let tone = loudest(&john.heard(), CALLERS_HERTZ);
    assert!(tone > HEARD, "the message is heard: {tone}");
}

#[test]
fn who_dials_the_mailbox_has_made_a_call() {
    let stage = stage();
    let ann = dials(&stage, "1020-desk", "*97", 4);
    drop(ann.heard());
    stage.follows("mailbox::who_dials_the_mailbox_has_made_a_call");
}
