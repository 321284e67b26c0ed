//! Callers whom we answer ourselves: a baresip hears the prompt, presses a key and talks with who
//! was chosen; a carrier hears an announcement to its end; each pass of a webhook object is told.

use std::time::{Duration, Instant};

use ::audio::Pcm;
use ::audio::prompts::Language;

use crate::common::account::{ANN, JOHN, PASSWORD};
use crate::common::baresip::Baresip;
use crate::common::contract;
use crate::common::receiver::{Delivery, Habit};
use crate::common::sipp::DOMAIN;
use crate::common::stage::{CRM, SOON, Stage};
use crate::common::wave;

const CALLER: &str = "61400000001";
/// Tells a webhook object, then asks for a key: 1 rings John, 2 rings Ann.
const MENU_NUMBER: &str = "61298765441";
/// Says goodbye and hangs up.
const GOODBYE_NUMBER: &str = "61298765442";

/// Asks an address: `vip` rings Ann, everything else is refused, each in its way.
const ROUTED_NUMBER: &str = "61298765443";
/// Where it asks.
const ROUTE: &str = "/route";

/// Where webhook objects tell.
const PASSED: &str = "/passed";
const OBJECTS_TOKEN: &str = "0bj3ct";

const ANNS_HERTZ: f64 = 440.0;
const DESKS_HERTZ: f64 = 660.0;
const MOBILES_HERTZ: f64 = 880.0;
/// Most of a tone must arrive, and of another next to nothing.
const HEARD: f64 = 0.5;
const SILENT: f64 = 0.05;
/// What G.711 leaves of a voice, and what a voice has in common with another.
const THE_SAME: f64 = 0.8;
const ANOTHER: f64 = 0.5;

fn flows(receiver: &str) -> String {
    let route = receiver.replace(PASSED, ROUTE);
    format!(
        r#"  - id: menu
    objects:
      - {{id: in, kind: inbound_number, settings: {{numbers: ["+{MENU_NUMBER}"]}}, exits: {{next: told}}}}
      - {{id: told, kind: webhook, name: Somebody calls, settings: {{url: "{receiver}", secret_token: {OBJECTS_TOKEN}, headers: {{X-Source: menu}}}}, exits: {{next: menu}}}}
      - {{id: menu, kind: ivr, settings: {{prompt: please-wait, wait_seconds: 10, repeats: 0}}, exits: {{key_1: john, key_2: ann}}}}
      - {{id: john, kind: user, settings: {{user: "1010"}}}}
      - {{id: ann, kind: user, settings: {{user: "1020"}}}}
  - id: goodbye
    objects:
      - {{id: in, kind: inbound_number, settings: {{numbers: ["+{GOODBYE_NUMBER}"]}}, exits: {{next: words}}}}
      - {{id: words, kind: play_audio, settings: {{sound: goodbye}}, exits: {{next: told}}}}
      - {{id: told, kind: webhook, name: Goodbye said, settings: {{url: "{receiver}", secret_token: {OBJECTS_TOKEN}}}, exits: {{next: end}}}}
      - {{id: end, kind: hangup}}
  - id: routed
    objects:
      - {{id: in, kind: inbound_number, settings: {{numbers: ["+{ROUTED_NUMBER}"]}}, exits: {{next: asks}}}}
      - {{id: asks, kind: http_route, name: Who is it, settings: {{url: "{route}", secret_token: {OBJECTS_TOKEN}, headers: {{X-Source: route}}, timeout_seconds: 1, exits: [vip, usual]}}, exits: {{vip: ann, usual: busy, time_out: late, error: failed}}}}
      - {{id: ann, kind: user, settings: {{user: "1020"}}}}
      - {{id: busy, kind: hangup, settings: {{cause: busy}}}}
      - {{id: late, kind: hangup, settings: {{cause: declined}}}}
      - {{id: failed, kind: hangup, settings: {{cause: not_found}}}}
"#
    )
}

fn stage() -> Stage {
    Stage::with(&[], |account| {
        let receiver = account.endpoints[0].url.replace(CRM, PASSED);
        account.more_flows = flows(&receiver);
    })
}

fn account(stage: &Stage, device: &str, more: &str) -> String {
    let proxy = stage.server.listening().udp;
    format!(
        "<sip:{device}@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
         audio_codecs=PCMU;{more}"
    )
}

fn prompt(id: &str) -> Pcm {
    let english = Language::named("en").expect("English is in the program");
    english.prompt(id).expect("the prompt exists").pcm()
}

/// How much of a prompt is in a recording, by a quarter of a second of it.
fn likeness(recording: &[i16], id: &str) -> f64 {
    let prompt = prompt(id).at_rate(wave::RATE).into_samples();
    let piece = &prompt[prompt.len() / 3..][..2_000];
    wave::likeness(recording, piece)
}

/// The one pass that was told, checked.
fn pass(stage: &Stage) -> Delivery {
    let told = stage.receiver.wait_for(PASSED, 1, SOON);
    assert_eq!(told.len(), 1, "{told:?}");
    contract::check_pass(&told[0].body);
    assert_eq!(told[0].header("x-pbx-token"), OBJECTS_TOKEN);
    told[0].clone()
}

/// What was heard, and what the caller's phone said.
struct Heard {
    by_caller: Vec<i16>,
    by_ann: Vec<i16>,
    log: String,
}

/// John's mobile calls the menu, hears the prompt and presses 2.
fn ann_is_chosen(stage: &Stage) -> Heard {
    let baresip = |device: &str, more: &str, hertz, order, seconds| {
        let account = &account(stage, device, more);
        let phone = Baresip {
            account,
            hertz,
            order,
            seconds,
        };
        phone.start()
    };
    let ann = baresip("1020-desk", "answermode=auto", ANNS_HERTZ, None, 20);
    let desk = baresip("1010-desk", "answermode=auto", DESKS_HERTZ, None, 20);
    ann.wait_for("200 OK");
    desk.wait_for("200 OK");
    let order = format!("/dial sip:+{MENU_NUMBER}@{DOMAIN}");
    let mobile = baresip("1010-mobile", "", MOBILES_HERTZ, Some(order.as_str()), 11);
    mobile.wait_for("Call established");
    // The prompt is heard to its end before a key is pressed.
    std::thread::sleep(prompt("please-wait").duration() + Duration::from_millis(500));
    mobile.presses('2');
    Heard {
        log: mobile.log(),
        by_caller: mobile.heard(),
        by_ann: ann.heard(),
    }
}

#[test]
fn a_caller_hears_the_prompt_and_a_key_reaches_who_was_chosen() {
    let stage = stage();
    let Heard {
        by_caller,
        by_ann,
        log,
    } = ann_is_chosen(&stage);
    let (beginning, end) = by_caller.split_at(by_caller.len() / 2);
    let alike = likeness(beginning, "please-wait");
    assert!(
        alike > THE_SAME,
        "the prompt is {alike} of what was heard\n{log}"
    );
    let other = likeness(beginning, "goodbye");
    assert!(
        other < ANOTHER,
        "another prompt is {other} of what was heard"
    );
    let end = &end[end.len() / 2..];
    assert!(
        wave::loudness(end, ANNS_HERTZ) > HEARD,
        "Ann is heard\n{log}"
    );
    assert!(wave::loudness(end, DESKS_HERTZ) < SILENT, "nobody else is");
    assert!(
        wave::loudness(&by_ann, MOBILES_HERTZ) > SILENT,
        "Ann hears the caller"
    );

    let path = "menus::a_caller_hears_the_prompt_and_a_key_reaches_who_was_chosen";
    let hooks = stage.follows(path);
    let pass = pass(&stage);
    assert_eq!(pass.call(), hooks[0].call());
    assert_eq!(pass.header("x-source"), "menu");
    assert_eq!(pass.body["component_name"], "Somebody calls");
    assert_eq!(pass.body["user_number"], JOHN);
    assert_eq!(pass.body["dest_number"], MENU_NUMBER);
    assert_eq!(
        stage.rows(2)[0]["unique_call_id"],
        pass.body["unique_call_id"]
    );
}

#[test]
fn an_announcement_is_played_to_its_end_and_the_call_is_hung_up() {
    let stage = stage();
    let begun = Instant::now();
    let call = stage.carrier_plays("carrier-calls-until-bye", CALLER, GOODBYE_NUMBER);
    call.start().finish();
    let took = begun.elapsed();
    assert!(took >= prompt("goodbye").duration(), "{took:?}");
    let pass = pass(&stage);
    assert_eq!(pass.body["component_name"], "Goodbye said");
    assert_eq!(pass.body["user_number"], CALLER);
    assert_eq!(pass.body["user_name"], "");
    assert_eq!(pass.body["dest_number"], GOODBYE_NUMBER);
    // No user took part.
    stage.follows("menus::an_announcement_is_played_to_its_end_and_the_call_is_hung_up");
}

#[test]
fn an_address_decides_which_way_a_call_goes() {
    let stage = stage();
    stage.receiver.set(
        ROUTE,
        Habit::Say(r#"{"exit": "vip", "caller_name": "Mayor"}"#),
    );
    let ann = stage.phone("1020-desk");
    let ann = ann.play("answers").pause_ms(100).start();
    let call = stage
        .carrier_plays("carrier-calls", CALLER, ROUTED_NUMBER)
        .pause_ms(300);
    call.start().finish();
    ann.finish();
    let hooks = stage.hooks(3);
    assert!(hooks.iter().all(|hook| hook.body["user_number"] == ANN));
    assert_eq!(stage.rows(1)[0]["caller_name"], "Mayor");

    let asked = stage.receiver.received(ROUTE);
    assert_eq!(asked.len(), 1, "{asked:?}");
    let body = &asked[0].body;
    assert_eq!(body["type"], "http_route");
    assert_eq!(body["unique_call_id"], hooks[0].body["unique_call_id"]);
    assert_eq!(body["user_number"], CALLER);
    assert_eq!(body["dest_number"], ROUTED_NUMBER);
    assert_eq!(body["component_name"], "Who is it");
    assert_eq!(asked[0].header("x-pbx-token"), OBJECTS_TOKEN);
    assert_eq!(asked[0].header("x-source"), "route");
}

#[test]
fn a_call_goes_on_whatever_the_address_does() {
    let stage = stage();
    for (habit, code) in [
        (Habit::Say(r#"{"exit": "usual"}"#), 486),
        (Habit::Say(r#"{"exit": "elsewhere"}"#), 404),
        (Habit::Say("no json"), 404),
        (Habit::Answer(500), 404),
        (Habit::Hang(Duration::from_secs(4)), 603),
    ] {
        stage.receiver.set(ROUTE, habit);
        let call = stage.carrier_plays("carrier-calls-refused", CALLER, ROUTED_NUMBER);
        assert_eq!(call.start().finish().final_code(), code, "{habit:?}");
    }
}
