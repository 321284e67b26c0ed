//! A caller who is picked up: what it is told, what it hears, and whom it is connected with.

use super::*;

const MENU_PLAN_VERSION: u64 = 2;

impl World {
    /// The main number asks for a key; 1 rings John.
    fn with_menu() -> Self {
        Self::with_flow(&serde_json::json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "menu"}},
            {"id": "menu", "kind": "ivr", "settings": {"prompt": "please-wait", "repeats": 0},
             "exits": {"key_1": "john"}},
            {"id": "john", "kind": "user", "settings": {"user": "1010"}}
        ]))
    }

    pub(super) fn with_flow(objects: &serde_json::Value) -> Self {
        let mut world = Self::new();
        let mut draft = example();
        for flow in &mut draft.flows {
            flow.objects = serde_json::from_value(objects.clone()).unwrap();
        }
        let plan = draft.compile(ACCOUNT, MENU_PLAN_VERSION).unwrap();
        world.tell(Input::Apply(Arc::new(plan)));
        world
    }

    fn picked_up_with(formats: &str) -> Self {
        let mut world = Self::with_menu();
        world.tell(Input::Packet {
            source: source(carrier()),
            bytes: invite("call", &sdp(formats)).as_bytes(),
        });
        world.carrier_says("ACK", 1, "");
        world
    }

    fn plays(&self) -> Vec<Play> {
        let plays = self.effects.iter().filter_map(|effect| match effect {
            Effect::Play(play) => Some(play.clone()),
            _ => None,
        });
        plays.collect()
    }

    /// The phone that rings answers.
    fn phone_answers(&mut self, formats: &str) {
        let incoming = self.heard.iter().find_map(|event| match event {
            sip::Event::Request(incoming) => Some(incoming.clone()),
            _ => None,
        });
        let dialog = self.phone.next_dialog_id();
        let opened = self.phone.open(self.now, dialog, &incoming.unwrap());
        self.phone_did(opened.unwrap());
        let answer = sdp(formats).into_bytes();
        let outputs = self.phone.accept(self.now, dialog, answer);
        self.phone_did(outputs);
    }

    fn bridges(&self) -> Vec<(media::Way, media::Way)> {
        let bridges = self.effects.iter().filter_map(|effect| match effect {
            Effect::Media(Command::Bridge { a_to_b, b_to_a, .. }) => {
                Some((a_to_b.clone(), b_to_a.clone()))
            }
            _ => None,
        });
        bridges.collect()
    }

    fn presses(&mut self, digit: char) {
        let path = self.plays().last().unwrap().path;
        self.tell(Input::Media(MediaEvent::Dtmf {
            path,
            digit,
            duration_ms: 100,
        }));
    }
}

#[test]
fn the_caller_is_answered_by_us_with_one_voice_of_its_offer() {
    let world = World::picked_up_with("9 8 0");
    assert_eq!(world.carrier_heard(), ["SIP/2.0 200 OK"]);
    let answer = world.carrier.last().unwrap();
    assert!(
        answer.contains("RTP/AVP 9\r\n"),
        "one voice is agreed on: {answer}"
    );
    let plays = world.plays();
    assert_eq!(plays.len(), 1);
    assert_eq!(plays[0].sounds, [pbx::Sound::Prompt("please-wait".into())]);
}

#[test]
fn a_key_connects_who_was_answered_with_the_user() {
    // The caller was answered with PCMA: a phone that takes PCMU needs a translator.
    for (phone, transcodes) in [("8", false), ("0", true)] {
        let mut world = World::picked_up_with("8 0");
        world.presses('1');
        world.phone_answers(phone);
        assert_eq!(
            world.carrier_heard(),
            ["SIP/2.0 200 OK"],
            "a caller is answered once"
        );
        let bridges = world.bridges();
        let [(there, back)] = bridges.as_slice() else {
            panic!("one bridge: {bridges:?}");
        };
        for way in [there, back] {
            let is_transcode = matches!(way, media::Way::Transcode { .. });
            assert_eq!(is_transcode, transcodes, "{phone}: {way:?}");
        }
        world.carrier_says("BYE", 2, "");
        let counts = world.engine.counts();
        assert_eq!((counts.calls, counts.legs), (0, 0));
        assert_eq!(world.released(), 2);
    }
}

#[test]
fn a_key_in_an_info_is_a_key() {
    let mut world = World::picked_up_with("8");
    let body = "Signal=1\r\nDuration=160\r\n";
    let info = inside(&world, "INFO", 2, body).replace("application/sdp", "application/dtmf-relay");
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: info.as_bytes(),
    });
    let stopped = |effect: &Effect| matches!(effect, Effect::Media(Command::Stop { .. }));
    assert!(world.effects.iter().any(stopped));
    assert_eq!(world.engine.counts().legs, 2, "John rings");
}

#[test]
fn the_end_of_a_play_is_told_and_the_wait_for_a_key_begins() {
    let mut world = World::picked_up_with("8");
    let Play { path, play, .. } = world.plays()[0].clone();
    world.tell(Input::Media(MediaEvent::PlayEnded { path, play }));
    world.now += Duration::from_secs(5);
    world.tell(Input::Wake);
    // Nobody pressed a key, and that exit leads nowhere.
    assert_eq!(world.engine.counts().calls, 0);
    let bye = world
        .carrier_heard()
        .into_iter()
        .any(|line| line.starts_with("BYE"));
    assert!(bye, "{:?}", world.carrier_heard());
}

#[test]
fn a_caller_who_hears_us_may_hold_and_come_back() {
    let mut world = World::picked_up_with("8");
    world.carrier_says("INVITE", 2, &(sdp("8") + "a=sendonly\r\n"));
    let held = world.carrier.last().unwrap();
    assert!(
        held.starts_with("SIP/2.0 200") && held.contains("a=recvonly"),
        "{held}"
    );
}

#[test]
fn who_offers_nothing_we_speak_is_refused() {
    let world = World::picked_up_with("18");
    assert_eq!(world.carrier_heard(), ["SIP/2.0 488 Not Acceptable Here"]);
    let counts = world.engine.counts();
    assert_eq!((counts.calls, counts.legs), (0, 0));
}

#[test]
fn early_media_end_when_who_answered_is_asked_for_a_key() {
    let mut world = World::with_flow(&serde_json::json!([
        {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
         "exits": {"next": "away"}},
        {"id": "away", "kind": "external_number",
         "settings": {"number": "0412345678", "accept": "by_key"}}
    ]));
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: invite("call", &sdp("8")).as_bytes(),
    });
    world.carrier_answers("183 Session Progress", &sdp("8"));
    assert_eq!(world.bridge_count(), 1);
    world.effects.clear();
    world.carrier_answers("200 OK", &sdp("8"));
    let parted = |effect: &Effect| matches!(effect, Effect::Media(Command::Unbridge { .. }));
    assert!(world.effects.iter().any(parted), "{:?}", world.effects);
    assert_eq!(world.plays().len(), 1, "the question");
    let heard = world.carrier_heard();
    let told: Vec<_> = heard
        .iter()
        .filter(|line| line.starts_with("SIP/2.0 1"))
        .collect();
    assert_eq!(
        told,
        [&"SIP/2.0 183 Session Progress", &"SIP/2.0 180 Ringing"]
    );
}

#[test]
fn which_keys_were_pressed_is_not_kept() {
    let mut world = World::picked_up_with("8");
    let path = world.plays()[0].path;
    world.carrier_says("BYE", 2, "");
    let report = media::LegReport {
        dtmf: "4711#".to_owned(),
        ..media::LegReport::default()
    };
    world.tell(Input::Media(MediaEvent::Closed { path, report }));
    let kept: Vec<&str> = world
        .facts()
        .filter_map(|fact| match fact {
            Fact::LegClosed { report, .. } => Some(report.dtmf.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(kept, ["xxxxx"]);
}
