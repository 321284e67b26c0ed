//! A program's call: the user's phone rings first, and has then dialled the number.

use pbx::{Origination, Unplaced};

use super::*;

const OUTSIDE: &str = "61412345678";

fn asked(user: &str) -> Origination {
    Origination {
        user: user.to_owned(),
        number: OUTSIDE.to_owned(),
        caller_id: None,
    }
}

impl World {
    fn originates(&mut self, user: &str) {
        self.tell(Input::Originate {
            account: ACCOUNT,
            asked: asked(user),
        });
    }

    fn outcomes(&self) -> Vec<Result<pbx::CallId, Unplaced>> {
        let outcomes = self.effects.iter().filter_map(|effect| match effect {
            Effect::Originated { outcome } => Some(*outcome),
            _ => None,
        });
        outcomes.collect()
    }

    /// The phone takes the call that rings.
    fn phone_picks_up(&mut self, formats: &str) -> sip::DialogId {
        let incoming = self.heard.iter().find_map(|event| match event {
            sip::Event::Request(incoming) => Some(incoming.clone()),
            _ => None,
        });
        let dialog = self.phone.next_dialog_id();
        let opened = self.phone.open(self.now, dialog, &incoming.unwrap());
        self.phone_did(opened.unwrap());
        let outputs = self
            .phone
            .accept(self.now, dialog, sdp(formats).into_bytes());
        self.phone_did(outputs);
        dialog
    }

    pub(super) fn carrier_answers(&mut self, status: &str, sdp: &str) {
        let invite = self
            .carrier
            .iter()
            .find(|text| text.starts_with("INVITE "))
            .unwrap();
        let head: Vec<&str> = invite
            .lines()
            .filter(|line| {
                let names = ["Via:", "From:", "Call-ID:", "CSeq:"];
                names.iter().any(|name| line.starts_with(name))
            })
            .collect();
        let to = invite.lines().find(|line| line.starts_with("To:")).unwrap();
        let answer = format!(
            "SIP/2.0 {status}\r\n{}\r\n{to};tag=carrier\r\nContact: <sip:203.0.113.9:5080>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            head.join("\r\n"),
            sdp.len()
        );
        self.tell(Input::Packet {
            source: source(carrier()),
            bytes: answer.as_bytes(),
        });
    }

    pub(super) fn bridge_count(&self) -> usize {
        let is_bridge = |effect: &&Effect| matches!(effect, Effect::Media(Command::Bridge { .. }));
        self.effects.iter().filter(is_bridge).count()
    }
}

#[test]
fn the_phone_shows_the_number_and_is_offered_every_voice_of_ours() {
    let mut world = World::new();
    world.originates("1010");
    assert!(matches!(world.outcomes()[..], [Ok(_)]));
    let Some(sip::Event::Request(incoming)) = world.heard.last() else {
        panic!("the phone does not ring: {:?}", world.heard);
    };
    let message = incoming.message();
    let from = String::from_utf8_lossy(message.from().unwrap().uri).into_owned();
    assert_eq!(from, "sip:+61412345678@acme.example.com");
    let offer = media::Description::parse(message.body()).unwrap();
    assert_eq!(offer.formats().len(), media::VOICES.len());
    assert!(world.carrier.is_empty(), "nobody else is called yet");
}

#[test]
fn whoever_picks_up_is_put_through() {
    let mut world = World::new();
    world.originates("1010");
    world.phone_picks_up("8 101\r\na=rtpmap:101 telephone-event/8000");
    let invite = world.carrier.first().unwrap();
    assert!(invite.starts_with("INVITE sip:0412345678@"), "{invite}");
    assert!(invite.contains("P-Asserted-Identity: <sip:0298765432@"));
    assert!(invite.contains(" RTP/AVP 8 "), "{invite}");
    let watched = |effect: &Effect| matches!(effect, Effect::Media(Command::Watch { .. }));
    assert!(world.effects.iter().any(watched), "its silence is noticed");

    world.carrier_answers("180 Ringing", "");
    let ringback = world.effects.iter().any(|effect| match effect {
        Effect::Play(play) => play.sounds == [pbx::Sound::Tone(pbx::Tone::Ringback)],
        _ => false,
    });
    assert!(ringback, "the phone hears that it rings");
    world.carrier_answers("183 Session Progress", &sdp("8"));
    assert_eq!(world.bridge_count(), 1, "and then what the carrier sends");
    world.carrier_answers("200 OK", &sdp("8"));
    assert_eq!(world.bridge_count(), 2);
    let answered = |fact: &Fact| matches!(fact, Fact::OutboundAnswered { .. });
    assert!(world.facts().any(answered));
    let inbound = |fact: &Fact| matches!(fact, Fact::UserRinging { .. });
    assert!(!world.facts().any(inbound));
}

#[test]
fn who_hangs_up_before_the_answer_leaves_nothing() {
    let mut world = World::new();
    world.originates("1010");
    let dialog = world.phone_picks_up("8");
    world.carrier_answers("180 Ringing", "");
    let outputs = world.phone.hang_up(world.now, dialog, None);
    world.phone_did(outputs);
    assert!(world.carrier.iter().any(|text| text.starts_with("CANCEL ")));
    let counts = world.engine.counts();
    assert_eq!((counts.calls, counts.legs), (0, 0));
    assert_eq!(world.released(), 2);
}

#[test]
fn a_phone_that_speaks_nothing_of_ours_is_hung_up() {
    let mut world = World::new();
    world.originates("1010");
    world.phone_picks_up("3");
    let ended = |fact: &Fact| matches!(fact, Fact::Ended { .. });
    assert!(world.facts().any(ended));
    assert!(world.carrier.is_empty());
    assert_eq!(world.engine.counts().legs, 0);
}

#[test]
fn what_cannot_begin_is_said_and_remembered_by_nobody() {
    for (user, load, why) in [
        ("1099", Load::Open, Unplaced::UnknownUser),
        ("1011", Load::Open, Unplaced::NotRegistered),
        ("1010", Load::Shedding, Unplaced::Unavailable),
    ] {
        let mut world = World::new();
        world.tell(Input::Load(load));
        world.originates(user);
        assert_eq!(world.outcomes(), [Err(why)]);
        assert_eq!(world.facts().count(), 0);
    }
    let mut world = World::new();
    world.tell(Input::Originate {
        account: AccountId(9),
        asked: asked("1010"),
    });
    assert_eq!(world.outcomes(), [Err(Unplaced::Unavailable)]);
}
