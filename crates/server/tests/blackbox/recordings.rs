//! What is recorded: messages and conversations, their audio, links, webhooks and mails.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use audio::UploadLimits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::common::account::{
    ANN, ANNS_EMAIL, JOHN, JOHNS_NUMBER, PASSWORD, RECORDED_NUMBER, Registration, Trunk,
    VOICEMAIL_NUMBER,
};
use crate::common::baresip::{Baresip, Talking};
use crate::common::http::{self, Answer, Request};
use crate::common::mail::MailServer;
use crate::common::receiver::Delivery;
use crate::common::sipp::DOMAIN;
use crate::common::stage::{CRM, Stage};
use crate::common::{contract, wait_for, wave};

const CALLER: &str = "61400000001";
const CALLERS_HERTZ: f64 = 440.0;
const JOHNS_HERTZ: f64 = 660.0;
const ANNS_HERTZ: f64 = 550.0;
/// A number outside, as dialled in Australia, and as it is told.
const DIALLED: &str = "0400000002";
const CALLED: &str = "61400000002";

/// Most of a tone is kept; codecs and the edges of a call cost a little.
const HEARD: f64 = 0.5;
const SILENT: f64 = 0.05;

/// What tells that a conversation is recorded: its pitch, half its length, and how loud it must be.
const NOTICE_HERTZ: f64 = 1_400.0;
const NOTICE_SAMPLES: usize = 960;
const NOTICED: f64 = 0.3;

/// Audio is made when a processor has time for it.
const FINISHED: Duration = Duration::from_secs(20);

/// A stage with a trunk for a baresip, which calls from 127.0.0.1.
fn stage(variables: &[(&str, &str)]) -> Stage {
    Stage::with(variables, |account| {
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
    Baresip {
        account: &account,
        hertz: CALLERS_HERTZ,
        order: Some(&order),
        seconds,
    }
    .start()
}

/// The webhooks of a path, once that of the recording has come, which is the last.
fn hooks(stage: &Stage, test: &str, count: usize) -> Vec<Delivery> {
    stage.receiver.wait_for(CRM, count, FINISHED);
    stage.follows(test)
}

/// The webhook of a message, which is all that is told of it.
fn message(stage: &Stage) -> Delivery {
    stage.receiver.wait_for(CRM, 1, FINISHED);
    let mut hooks = stage.hooks(1);
    hooks.remove(0)
}

/// What is behind a link, for whoever has it.
fn fetch(stage: &Stage, link: &str, headers: &[(&str, &str)]) -> Answer {
    let base = format!("http://{}", stage.server.listening().http);
    let target = link
        .strip_prefix(&base)
        .expect("a link leads to the server");
    http::get(stage.server.listening().http, target, headers)
}

/// The channels of the MP3 behind a link, 8,000 samples a second.
fn audio(stage: &Stage, link: &str) -> Vec<Vec<i16>> {
    let answer = fetch(stage, link, &[]);
    assert_eq!(answer.status, 200, "{link}");
    assert_eq!(answer.header("content-type"), Some("audio/mpeg"));
    let channels = audio::upload::channels(&answer.raw, &UploadLimits::PROMPT);
    let channels = channels.expect("a recording is an MP3 that can be decoded");
    let narrow = |channel: audio::Pcm| {
        assert_eq!(channel.rate_hz(), 16_000);
        channel.into_samples().into_iter().step_by(2).collect()
    };
    channels.into_iter().map(narrow).collect()
}

fn demand_message(stage: &Stage, hook: &Delivery) {
    assert_eq!(hook.kind(), "voicemail");
    assert_eq!(hook.body["caller_id"], CALLER);
    assert_eq!(hook.body["dest_number"], VOICEMAIL_NUMBER);
    assert_eq!(hook.body["emails"], ANNS_EMAIL);
    let words = contract::text(&hook.body, "email_message");
    assert!(
        words.contains(&format!("Unique call id {}", hook.call())),
        "{words}"
    );
    let links = hook.body["audio_file"].as_array().expect("an array");
    assert_eq!(links.len(), 1);
    let link = links[0].as_str().expect("a string");
    let channels = audio(stage, link);
    assert_eq!(channels.len(), 1, "a message is mono");
    let loudness = wave::loudness(&channels[0], CALLERS_HERTZ);
    assert!(loudness > HEARD, "the tone is heard: {loudness}");
}

#[test]
fn who_hangs_up_has_left_a_message_that_can_be_heard() {
    let stage = stage(&[]);
    let caller = caller(&stage, VOICEMAIL_NUMBER, 6);
    caller.wait_for("Call established");
    let test = "recordings::who_hangs_up_has_left_a_message_that_can_be_heard";
    let hooks = hooks(&stage, test, 1);
    demand_message(&stage, &hooks[0]);

    let link = hooks[0].body["audio_file"][0].as_str().expect("a string");
    let whole = fetch(&stage, link, &[]);
    let part = fetch(&stage, link, &[("Range", "bytes=10-19")]);
    assert_eq!(part.status, 206);
    assert_eq!(part.raw, whole.raw[10..20]);
    let length = whole.raw.len();
    let range = format!("bytes 10-19/{length}");
    assert_eq!(part.header("content-range"), Some(range.as_str()));
    let beyond = fetch(&stage, link, &[("Range", "bytes=99999999-")]);
    assert_eq!(beyond.status, 416);
    let wrong = link.replace(".mp3", "a.mp3");
    assert_eq!(fetch(&stage, &wrong, &[]).status, 404);
    let base = format!("http://{}", stage.server.listening().http);
    let head = Request {
        method: "HEAD",
        target: link
            .strip_prefix(&base)
            .expect("a link leads to the server"),
        headers: &[],
        body: "",
    };
    let head = head.send(stage.server.listening().http);
    assert_eq!(
        head.header("content-length"),
        Some(length.to_string().as_str())
    );
    assert!(head.raw.is_empty());
    let revoked = stage.server.output(&["recording", "revoke", link]);
    assert!(revoked.status.success(), "{revoked:?}");
    assert_eq!(fetch(&stage, link, &[]).status, 404);
    let told = String::from_utf8(revoked.stdout).expect("words for people");
    let renewed = told.trim().rsplit(' ').next().expect("it ends in the link");
    assert_eq!(fetch(&stage, renewed, &[]).raw, whole.raw);
    let again = stage.server.output(&["recording", "revoke", link]);
    assert!(!again.status.success(), "{again:?}");
    assert_eq!(
        files(&stage, "rtpj"),
        Vec::<PathBuf>::new(),
        "the journal is done with"
    );
}

#[test]
fn a_conversation_has_each_side_in_its_channel_and_is_told_last() {
    let stage = stage(&[]);
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:1010-desk@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
         answermode=auto;audio_codecs=PCMU"
    );
    let john = Baresip {
        account: &account,
        hertz: JOHNS_HERTZ,
        order: None,
        seconds: 20,
    }
    .start();
    john.wait_for("200 OK");
    let _caller = caller(&stage, RECORDED_NUMBER, 8);
    let test = "recordings::a_conversation_has_each_side_in_its_channel_and_is_told_last";
    let hooks = hooks(&stage, test, 4);
    let told = &hooks[3].body;
    assert_eq!(told["emails"], "");
    let channels = audio(&stage, contract::text(told, "call_recording_link"));
    let [left, right] = channels.as_slice() else {
        panic!("a conversation is stereo, not {}", channels.len());
    };
    for (side, own, others) in [
        (left, CALLERS_HERTZ, JOHNS_HERTZ),
        (right, JOHNS_HERTZ, CALLERS_HERTZ),
    ] {
        let (own, others) = (wave::loudness(side, own), wave::loudness(side, others));
        assert!(
            own > HEARD && others < SILENT,
            "own {own}, the other's {others}"
        );
    }
}

/// A phone of the account that answers and sends a tone.
fn phone(stage: &Stage, device: &str, hertz: f64, seconds: u32) -> Talking {
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
         answermode=auto;audio_codecs=PCMU"
    );
    let phone = Baresip {
        account: &account,
        hertz,
        order: None,
        seconds,
    };
    let phone = phone.start();
    phone.wait_for("200 OK");
    phone
}

/// The half seconds in which a tone is heard: the first and the last.
fn heard_from_to(samples: &[i16], hertz: f64) -> Option<(usize, usize)> {
    let parts = samples.chunks_exact(4_000).enumerate();
    let mut heard = parts.filter(|(_, part)| wave::loudness(part, hertz) > HEARD);
    let (first, _) = heard.next()?;
    Some((first, heard.next_back().map_or(first, |(last, _)| last)))
}

#[test]
fn a_recorded_call_that_is_handed_on_is_recorded_to_its_end() {
    let stage = stage(&[]);
    let john = phone(&stage, "1010-desk", JOHNS_HERTZ, 25);
    let _ann = phone(&stage, "1020-desk", ANNS_HERTZ, 25);
    let _caller = caller(&stage, RECORDED_NUMBER, 12);
    john.wait_for("Call established");
    std::thread::sleep(Duration::from_secs(3));
    john.does(&format!("/transfer sip:{ANN}@{DOMAIN}"));
    let test = "recordings::a_recorded_call_that_is_handed_on_is_recorded_to_its_end";
    let hooks = hooks(&stage, test, 7);
    let told = &hooks[6];
    assert!(hooks.iter().all(|hook| hook.call() == told.call()));
    let channels = audio(&stage, contract::text(&told.body, "call_recording_link"));
    let [left, right] = channels.as_slice() else {
        panic!("a conversation is stereo, not {}", channels.len());
    };
    let johns = heard_from_to(right, JOHNS_HERTZ).expect("John is heard");
    let anns = heard_from_to(right, ANNS_HERTZ).expect("Ann is heard");
    let callers = heard_from_to(left, CALLERS_HERTZ).expect("the caller is heard");
    assert!(johns.1 < anns.0, "John {johns:?}, then Ann {anns:?}");
    assert!(callers.0 <= johns.1 && callers.1 >= anns.0, "{callers:?}");
    for hertz in [JOHNS_HERTZ, ANNS_HERTZ] {
        assert_eq!(heard_from_to(left, hertz), None);
    }
    assert_eq!(heard_from_to(right, CALLERS_HERTZ), None);
}

#[test]
fn a_call_to_the_outside_is_recorded_for_its_caller() {
    let account = format!("<sip:{CALLED}@{DOMAIN}>;regint=0;answermode=auto;audio_codecs=PCMU");
    let outside = Baresip {
        account: &account,
        hertz: JOHNS_HERTZ,
        order: None,
        seconds: 20,
    };
    let outside = outside.start();
    let stage = Stage::with(&[], |account| {
        account.anns_settings += "    record: {outbound: true}\n";
        account.trunks[0].address = outside.address;
    });
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:1020-desk@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
         audio_codecs=PCMU"
    );
    let order = format!("/dial sip:{DIALLED}@{DOMAIN}");
    let ann = Baresip {
        account: &account,
        hertz: ANNS_HERTZ,
        order: Some(&order),
        seconds: 7,
    };
    let _ann = ann.start();
    let test = "recordings::a_call_to_the_outside_is_recorded_for_its_caller";
    let hooks = hooks(&stage, test, 4);
    let told = &hooks[3].body;
    assert_eq!(told["caller_id"], JOHNS_NUMBER, "the number that she shows");
    assert_eq!(told["dest_number"], CALLED);
    let channels = audio(&stage, contract::text(told, "call_recording_link"));
    let [left, right] = channels.as_slice() else {
        panic!("a conversation is stereo, not {}", channels.len());
    };
    let (own, others) = (
        wave::loudness(left, ANNS_HERTZ),
        wave::loudness(right, JOHNS_HERTZ),
    );
    assert!(
        own > HEARD && others > HEARD,
        "own {own}, the other's {others}"
    );
}

#[test]
fn a_user_records_a_conversation_by_two_keys_and_the_other_side_hears_it() {
    let stage = Stage::with(&[], |account| {
        account.anns_settings += "    record: {on_demand: true}\n";
    });
    let proxy = stage.server.listening().udp;
    let account = |device: &str, more: &str| {
        format!(
            "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
             audio_codecs=PCMU{more}"
        )
    };
    let john = Baresip {
        account: &account("1010-desk", ";answermode=auto"),
        hertz: JOHNS_HERTZ,
        order: None,
        seconds: 14,
    };
    let john = john.start();
    john.wait_for("200 OK");
    let ann = Baresip {
        account: &account("1020-desk", ""),
        hertz: ANNS_HERTZ,
        order: Some(&format!("/dial sip:{JOHN}@{DOMAIN}")),
        seconds: 9,
    };
    let ann = ann.start();
    ann.wait_for("Call established");
    // Of the call, two seconds are not recorded.
    std::thread::sleep(Duration::from_secs(2));
    ann.presses('*');
    ann.presses('1');
    stage.receiver.wait_for(CRM, 7, FINISHED);
    let hooks = stage.hooks(7);
    assert_eq!(hooks[6].kind(), "recording_outbound");
    let link = contract::text(&hooks[6].body, "call_recording_link");
    let channels = audio(&stage, link);
    let [left, right] = channels.as_slice() else {
        panic!("a conversation is stereo, not {}", channels.len());
    };
    let heard = john.heard();
    let (own, others) = (
        wave::loudness(left, ANNS_HERTZ),
        wave::loudness(right, JOHNS_HERTZ),
    );
    assert!(
        own > HEARD && others > HEARD,
        "own {own}, the other's {others}"
    );
    assert!(left.len() + 8_000 < heard.len(), "it begins after the call");
    let notice = heard.chunks(NOTICE_SAMPLES);
    let notice = notice.map(|part| wave::loudness(part, NOTICE_HERTZ));
    let notice = notice.fold(0.0, f64::max);
    assert!(notice > NOTICED, "the other side is told: {notice}");
}

fn files(stage: &Stage, suffix: &str) -> Vec<PathBuf> {
    let folder = stage
        .server
        .data_file("recordings")
        .expect("it is made at the start");
    let files = std::fs::read_dir(folder).expect("the server's folder can be read");
    let paths = files.flatten().map(|file| file.path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == suffix))
        .collect()
}

#[test]
fn what_was_recorded_before_a_kill_is_kept_after_the_restart() {
    let mut stage = stage(&[]);
    let _caller = caller(&stage, VOICEMAIL_NUMBER, 12);
    let written = || {
        let journal = files(&stage, "rtpj").pop()?;
        let length = std::fs::metadata(journal).ok()?.len();
        // Some three seconds of one leg.
        (length > 30_000).then_some(())
    };
    wait_for("a journal to grow", FINISHED, written);
    stage.server.kill();
    stage.server.launch();
    let test = "recordings::what_was_recorded_before_a_kill_is_kept_after_the_restart";
    let hooks = hooks(&stage, test, 1);
    demand_message(&stage, &hooks[0]);
    assert_eq!(files(&stage, "rtpj"), Vec::<PathBuf>::new());
    // Nothing is told again after another start.
    stage.server.stop();
    stage.server.launch();
    stage.hooks(1);
}

/// The parts of a mail between its boundaries, each with its header.
fn parts(mail: &str) -> Vec<&str> {
    let boundary = mail
        .split_once("boundary=\"")
        .expect("a mail of several parts")
        .1;
    let boundary = format!("--{}", boundary.split_once('"').expect("it is quoted").0);
    mail.split(boundary.as_str()).skip(1).collect()
}

#[test]
fn a_message_is_mailed_before_its_webhook_is_sent_and_tried_again_when_refused() {
    let server = MailServer::start(&["451 later"]);
    let variables = server.variables();
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let stage = stage(&variables);
    let _caller = caller(&stage, VOICEMAIL_NUMBER, 5);
    let hook = message(&stage);
    demand_message(&stage, &hook);
    let mails = server.mails();
    let [mail] = mails.as_slice() else {
        panic!("one mail, not {mails:?}");
    };
    assert!(mail.at_ms <= hook.at_ms, "the mail comes first");
    assert_eq!(mail.from, "pbx@acme.test");
    assert_eq!(mail.to, [ANNS_EMAIL]);
    let from = [
        "From: Acme <pbx@acme.test>",
        "From: \"Acme\" <pbx@acme.test>",
    ];
    assert!(
        from.iter().any(|from| mail.text.contains(from)),
        "{}",
        mail.text
    );
    let subject = contract::text(&hook.body, "email_subject");
    assert!(
        mail.text.contains(&format!("Subject: {subject}")),
        "{}",
        mail.text
    );
    let parts = parts(&mail.text);
    assert!(parts[0].contains(&format!("Unique call id {}", hook.call())));
    assert!(parts[1].contains("Content-Type: audio/mpeg"));
    let encoded = parts[1].split_once("\n\n").expect("a part has a body").1;
    let encoded: String = encoded.split_whitespace().collect();
    let link = hook.body["audio_file"][0].as_str().expect("a string");
    let attached = STANDARD.decode(encoded);
    assert_eq!(attached.expect("base64"), fetch(&stage, link, &[]).raw);
}

#[test]
fn a_mail_that_is_refused_for_good_does_not_hold_the_webhook() {
    let server = MailServer::start(&["550 nobody here"]);
    let variables = server.variables();
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let stage = stage(&variables);
    let _caller = caller(&stage, VOICEMAIL_NUMBER, 5);
    demand_message(&stage, &message(&stage));
    assert!(server.mails().is_empty());
    let metrics = stage.server.get("/metrics").body;
    for line in [
        "recordings_kept_total 1",
        "mails_started_total 1",
        "mails_failed_total 1",
    ] {
        assert!(
            metrics.contains(&format!("switchhook_{line}\n")),
            "{line}: {metrics}"
        );
    }
    assert!(
        stage.server.log().contains("nobody here"),
        "{}",
        stage.server.log()
    );
}
