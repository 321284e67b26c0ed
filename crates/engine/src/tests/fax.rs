//! Two fax machines have met and go over to T.38, and back.

use super::transfer::OUTSIDE;
use super::*;

fn fax(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
         m=image {port} udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n\
         a=T38FaxUdpEC:t38UDPRedundancy\r\na=T38VendorInfo:0 0 37\r\n"
    )
}

/// The fax as we write it, at our port.
fn is_ours(sdp: &str) -> bool {
    let line = sdp.lines().find(|line| line.starts_with("m="));
    line.is_some_and(|line| line.starts_with("m=image 200") && line.ends_with(" udptl t38"))
        && sdp.matches("m=").count() == 1
        && sdp.contains("c=IN IP4 192.0.2.1")
        && sdp.contains("a=T38MaxBitRate:14400\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n")
        && !sdp.contains("Vendor")
}

impl World {
    /// What the media thread was told of the two legs last.
    fn carried(&self) -> Vec<media::Carries> {
        let remotes = self.effects.iter().filter_map(|effect| match effect {
            Effect::Media(Command::Remote { path, remote }) => Some((*path, remote.carries)),
            _ => None,
        });
        let last: BTreeMap<PathId, media::Carries> = remotes.collect();
        last.into_values().collect()
    }

    fn phone_takes(&mut self, dialog: sip::DialogId, sdp: String) {
        let outputs = self.phone.answer(self.now, dialog, sdp.into_bytes());
        self.phone_did(outputs);
    }

    /// The carrier has offered a fax, and the phone has accepted it.
    fn faxing() -> (Self, sip::DialogId) {
        let (mut world, dialog) = Self::talking();
        world.carrier_says("INVITE", 2, &fax(30_000));
        assert!(
            is_ours(world.offers().last().unwrap()),
            "{:?}",
            world.offers()
        );
        world.phone_takes(dialog, fax(40_000));
        let answer = world.carrier.last().unwrap();
        assert!(
            answer.starts_with("SIP/2.0 200 OK") && is_ours(answer),
            "{answer}"
        );
        world.carrier_says("ACK", 2, "");
        assert_eq!(world.carried(), [media::Carries::Fax; 2]);
        (world, dialog)
    }
}

#[test]
fn a_fax_is_offered_to_the_other_leg_and_the_audio_comes_back() {
    let (mut world, dialog) = World::faxing();
    // The same again is a refresh, of which the phone hears nothing.
    world.carrier_says("INVITE", 3, &fax(30_000));
    assert_eq!(world.offers().len(), 1);
    assert!(is_ours(world.carrier.last().unwrap()));
    world.carrier_says("ACK", 3, "");

    world.carrier_says("INVITE", 4, &sdp("8"));
    let offers = world.offers();
    assert!(offers.last().unwrap().contains("m=audio "), "{offers:?}");
    world.phone_takes(dialog, sdp("8"));
    world.carrier_says("ACK", 4, "");
    let answer = world.carrier.last().unwrap();
    assert!(
        answer.contains("m=audio ") && !answer.contains("image"),
        "{answer}"
    );
    assert_eq!(world.carried(), [media::Carries::Audio; 2]);
}

#[test]
fn whoever_refuses_a_fax_goes_on_talking() {
    let (mut world, dialog) = World::talking();
    world.carrier_says("INVITE", 2, &fax(30_000));
    let outputs = world.phone.refuse(world.now, dialog, 488);
    world.phone_did(outputs);
    assert_eq!(
        world.carrier_heard().last(),
        Some(&"SIP/2.0 488 Not Acceptable Here")
    );
    assert_eq!(world.carried(), [media::Carries::Audio; 2]);
    // A refresh of the phone's is answered with the audio that stands.
    let outputs = world.phone.offer(world.now, dialog, sdp("8").into_bytes());
    world.phone_did(outputs);
    let answered = world.heard.iter().rev().find_map(|event| match event {
        sip::Event::OfferAnswered { sdp, .. } => Some(String::from_utf8_lossy(sdp).into_owned()),
        _ => None,
    });
    assert!(answered.unwrap().contains("m=audio "));
}

#[test]
fn who_accepts_a_fax_and_means_none_is_offered_audio_again() {
    let (mut world, dialog) = World::talking();
    world.carrier_says("INVITE", 2, &fax(30_000));
    world.phone_takes(dialog, fax(0));
    assert_eq!(
        world.carrier_heard().last(),
        Some(&"SIP/2.0 488 Not Acceptable Here")
    );
    let offers = world.offers();
    assert!(
        offers.len() == 2 && offers[1].contains("m=audio "),
        "{offers:?}"
    );
    world.phone_takes(dialog, sdp("8"));
    assert_eq!(world.carried(), [media::Carries::Audio; 2]);
}

#[test]
fn a_fax_with_nobody_is_refused() {
    let mut world = World::new();
    let invite = invite("call", &fax(30_000));
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: invite.as_bytes(),
    });
    assert_eq!(world.carrier_heard(), ["SIP/2.0 488 Not Acceptable Here"]);
}

#[test]
fn whoever_is_handed_on_during_a_fax_comes_back_to_audio() {
    let (mut world, dialog) = World::faxing();
    let invites = world.invites().len();
    world.phone_refers(dialog, OUTSIDE);
    assert_eq!(world.invites().len(), invites + 1);
    world.carrier_answers_last("180 Ringing", "");
    world.carrier_answers_last("200 OK", &sdp("8"));
    let reinvite = world.invites().last().map(|text| (*text).clone()).unwrap();
    assert!(
        reinvite.contains("m=audio ") && reinvite.contains("To: <sip:61300000000@"),
        "{reinvite}"
    );
    world.carrier_answers_last("200 OK", &sdp("8"));
    assert_eq!(world.carried().last(), Some(&media::Carries::Audio));
    assert!(!world.carried().contains(&media::Carries::Fax) || world.released() > 0);
}
