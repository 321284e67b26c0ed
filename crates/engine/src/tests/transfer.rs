//! The phone hands on whoever it talks with.

use super::*;

impl World {
    pub(super) fn phone_refers(&mut self, dialog: sip::DialogId, target: &str) {
        let outputs = self.phone.refer(self.now, dialog, target);
        self.phone_did(outputs);
    }

    /// The INVITEs that the carrier was sent.
    pub(super) fn invites(&self) -> Vec<&String> {
        let is_invite = |text: &&String| text.starts_with("INVITE ");
        self.carrier.iter().filter(is_invite).collect()
    }

    fn effects_like(&self, like: impl Fn(&Command) -> bool) -> usize {
        let commands = self.effects.iter().filter(|effect| match effect {
            Effect::Media(command) => like(command),
            _ => false,
        });
        commands.count()
    }

    fn bridges_made(&self) -> usize {
        self.effects_like(|command| matches!(command, Command::Bridge { .. }))
    }
}

pub(super) const OUTSIDE: &str = "sip:0412345678@acme.example.com";

/// The phone has put the carrier's caller on hold.
fn holding() -> (World, sip::DialogId) {
    let (mut world, dialog) = World::talking();
    let hold = (sdp("8") + "a=sendonly\r\n").into_bytes();
    let outputs = world.phone.offer(world.now, dialog, hold);
    world.phone_did(outputs);
    let reinvite = world.invites().last().map(|text| text.as_str());
    assert!(reinvite.unwrap().contains("a=sendonly"));
    world.carrier_answers_last("200 OK", &(sdp("8") + "a=recvonly\r\n"));
    (world, dialog)
}

impl World {
    /// The carrier answers the INVITE that it was sent last.
    pub(super) fn carrier_answers_last(&mut self, status: &str, sdp: &str) {
        let invite = self.invites().last().map(|text| (*text).clone()).unwrap();
        let kept = ["Via:", "From:", "Call-ID:", "CSeq:"];
        let kept = |line: &&str| kept.iter().any(|name| line.starts_with(name));
        let head: Vec<&str> = invite.lines().filter(kept).collect();
        let to = invite.lines().find(|line| line.starts_with("To:")).unwrap();
        let tag = if to.contains(";tag=") { "" } else { ";tag=new" };
        let answer = format!(
            "SIP/2.0 {status}\r\n{}\r\n{to}{tag}\r\nContact: <sip:203.0.113.9:5080>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            head.join("\r\n"),
            sdp.len()
        );
        self.tell(Input::Packet {
            source: source(carrier()),
            bytes: answer.as_bytes(),
        });
    }
}

#[test]
fn who_was_on_hold_talks_both_ways_with_whoever_takes_the_call() {
    let (mut world, dialog) = holding();
    let (bridges, invites) = (world.bridges_made(), world.invites().len());
    world.phone_refers(dialog, OUTSIDE);
    let parted = world.effects_like(|command| matches!(command, Command::Unbridge { .. }));
    assert_eq!(parted, 1);
    assert_eq!(world.invites().len(), invites + 1);
    let invite = world.invites().last().map(|text| (*text).clone()).unwrap();
    assert!(invite.starts_with("INVITE sip:0412345678@"), "{invite}");
    assert!(invite.contains("a=sendrecv"), "{invite}");

    world.carrier_answers_last("180 Ringing", "");
    let rings = |effect: &Effect| matches!(effect, Effect::Play(_));
    assert!(
        world.effects.iter().any(rings),
        "the caller hears that it rings"
    );
    world.carrier_answers_last("200 OK", &sdp("8"));
    assert_eq!(world.bridges_made(), bridges + 1);
    let ended = |event: &sip::Event| matches!(event, sip::Event::Ended { .. });
    assert!(world.heard.iter().any(ended), "the phone is hung up");
    // The caller is taken off hold.
    let reinvite = world.invites().last().map(|text| (*text).clone()).unwrap();
    assert!(
        reinvite.contains("a=sendrecv") && reinvite.contains("To: <sip:61300000000@"),
        "{reinvite}"
    );
    world.carrier_answers_last("200 OK", &sdp("8"));
    let ends = world
        .facts()
        .filter(|fact| matches!(fact, Fact::UserEnded { .. }));
    assert_eq!(ends.count(), 1);
    assert_eq!(world.engine.counts().calls, 1);
    assert_eq!(world.engine.counts().legs, 2);
}

impl World {
    /// What legs were given to hear, and when it stopped.
    fn music(&self) -> Vec<&str> {
        let heard = self.effects.iter().filter_map(|effect| match effect {
            Effect::Play(play) if play.sounds == [pbx::Sound::Music] => Some("music"),
            Effect::Media(Command::Stop { .. }) => Some("stop"),
            _ => None,
        });
        heard.collect()
    }

    fn phone_offers(&mut self, dialog: sip::DialogId, direction: &str) {
        let offer = (sdp("8") + "a=" + direction + "\r\n").into_bytes();
        let outputs = self.phone.offer(self.now, dialog, offer);
        self.phone_did(outputs);
    }
}

#[test]
fn who_is_on_hold_hears_music_until_it_is_taken_back() {
    let (mut world, dialog) = holding();
    assert_eq!(world.music(), ["music"]);
    world.phone_offers(dialog, "sendrecv");
    world.carrier_answers_last("200 OK", &sdp("8"));
    assert_eq!(world.music(), ["music", "stop"]);
}

#[test]
fn what_was_agreed_on_stands_while_an_offer_of_ours_waits_for_its_turn() {
    let (mut world, dialog) = holding();
    let resume = sdp("8").into_bytes();
    let outputs = world.phone.offer(world.now, dialog, resume);
    world.phone_did(outputs);
    world.carrier_answers_last("491 Request Pending", "");
    // A refresh: it says what it had said, and is told what it had been told.
    world.carrier_says("INVITE", 2, &(sdp("8") + "a=recvonly\r\n"));
    let answer = world.carrier.last().unwrap();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert!(answer.contains("a=sendonly"), "{answer}");
}

#[test]
fn who_holds_and_sends_nothing_lets_us_play() {
    let (mut world, dialog) = World::talking();
    world.phone_offers(dialog, "inactive");
    let reinvite = world.invites().last().map(|text| (*text).clone()).unwrap();
    assert!(reinvite.contains("a=sendonly"), "{reinvite}");
    world.carrier_answers_last("200 OK", &(sdp("8") + "a=recvonly\r\n"));
    assert_eq!(world.music(), ["music"]);
}

#[test]
fn nobody_hears_music_while_both_hold() {
    let (mut world, dialog) = holding();
    // The caller holds too.
    world.carrier_says("INVITE", 2, &(sdp("8") + "a=sendonly\r\n"));
    let answer = (sdp("8") + "a=inactive\r\n").into_bytes();
    let outputs = world.phone.answer(world.now, dialog, answer);
    world.phone_did(outputs);
    assert_eq!(world.music(), ["music", "stop"]);
}

#[test]
fn music_ends_when_the_call_is_handed_on() {
    let (mut world, dialog) = holding();
    world.phone_refers(dialog, OUTSIDE);
    assert_eq!(world.music(), ["music", "stop"]);
}

#[test]
fn a_call_that_nobody_takes_comes_back() {
    let (mut world, dialog) = holding();
    let bridges = world.bridges_made();
    world.phone_refers(dialog, OUTSIDE);
    world.carrier_answers_last("486 Busy Here", "");
    assert_eq!(world.bridges_made(), bridges + 1);
    let ended = |event: &sip::Event| matches!(event, sip::Event::Ended { .. });
    assert!(!world.heard.iter().any(ended), "the phone talks again");
    assert_eq!(world.engine.counts().legs, 2);
}

#[test]
fn what_leads_nowhere_is_refused_and_changes_nothing() {
    let (mut world, dialog) = holding();
    let before = world.effects.len();
    for target in [
        "sip:1099@acme.example.com",
        "sip:acme.example.com",
        "<sip:1011@acme.example.com?Replaces=nobody%3Bto-tag%3D1%3Bfrom-tag%3D2>",
    ] {
        world.phone_refers(dialog, target);
        assert_eq!(world.effects.len(), before, "{target}");
    }
}

#[test]
fn legs_on_two_threads_talk_over_a_tie_line() {
    let mut world = World::new();
    let ports = (0..8).map(|slot| Port {
        path: PathId::new(ThreadId(1), slot, 0),
        rtp_port: 21_000 + 2 * u16::try_from(slot).unwrap(),
    });
    world.tell(Input::Media(MediaEvent::Ports {
        ports: ports.collect(),
    }));
    let dialog = world.called_with(&sdp("8"));
    let outputs = world.phone.accept(world.now, dialog, sdp("8").into_bytes());
    world.phone_did(outputs);
    let legs = world.engine.legs.of_account(ACCOUNT);
    let [one, other] = legs[..] else {
        panic!("{legs:?}");
    };
    let path = PathId::new(ThreadId(0), 99, 0);
    let here = world.engine.path_of(one).unwrap().thread();
    let elsewhere = if here == ThreadId(0) {
        ThreadId(1)
    } else {
        ThreadId(0)
    };
    let moved = Port {
        path: PathId::new(elsewhere, path.slot(), 0),
        rtp_port: 22_000,
    };
    world.engine.legs.set_port(other, moved);
    world.engine.effects.clear();
    assert!(world.engine.connect(one, other).is_some());
    let effects = std::mem::take(&mut world.engine.effects);
    let bridges: Vec<(ThreadId, ThreadId)> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Media(Command::Bridge { a, b, .. }) => Some((a.thread(), b.thread())),
            _ => None,
        })
        .collect();
    assert_eq!(bridges, [(here, here), (elsewhere, elsewhere)]);
    // What they agree on later needs no other ports: there may be none.
    while world.engine.ports.take().is_some() {}
    for (one, other) in [(one, other), (other, one)] {
        assert!(world.engine.connect(one, other).is_some());
        let is_bridge = |effect: &Effect| matches!(effect, Effect::Media(Command::Bridge { .. }));
        let effects = std::mem::take(&mut world.engine.effects);
        let bridges = effects.iter().filter(|effect| is_bridge(effect));
        assert_eq!(bridges.count(), 2);
    }
    // What was taken for it is given back.
    world.engine.untie(one);
    let released = |effect: &Effect| matches!(effect, Effect::Media(Command::Release { .. }));
    let released = world
        .engine
        .effects
        .iter()
        .filter(|effect| released(effect));
    assert_eq!(released.count(), 2);
}
