//! A phone takes the place of another one in its call (RFC 3891).

use super::watchers::{Watch, attribute};
use super::*;

impl Watch {
    /// Calls with that Replaces header, and gives what comes of it: the code, and whether it talks.
    fn replaces(&mut self, value: &str) -> u16 {
        let dialog = self.ua.next_dialog_id();
        let own = Party {
            display: None,
            uri: "sip:1011-desk@acme.example.com".to_owned(),
        };
        let uri = "sip:1010@acme.example.com".to_owned();
        let invite = sip::Invite {
            to: Destination {
                transport: Transport::Udp,
                remote: node(),
                flow: None,
            },
            uri: uri.clone(),
            from: own,
            to_party: Party { display: None, uri },
            contact_user: None,
            headers: vec![("Replaces".to_owned(), value.to_owned())],
            sdp: sdp("0 8").into_bytes(),
            credentials: Some(Credentials::new("1011-desk", "tall-giraffe")),
            symmetric: sip::NatPolicy::Symmetric,
            max_forwards: 70,
        };
        self.heard.clear();
        let outputs = self.ua.invite(self.world.now, dialog, invite);
        self.did(outputs);
        let code = self.heard.iter().find_map(|event| match event {
            sip::Event::Accepted { .. } => Some(200),
            sip::Event::Refused { code, .. } => Some(*code),
            _ => None,
        });
        code.unwrap_or_default()
    }

    /// How the document that was told last names the call.
    fn named(&self) -> String {
        let told = self.told.last().unwrap();
        let [call, local, remote] =
            ["call-id", "local-tag", "remote-tag"].map(|name| attribute(told, name));
        format!("{call};to-tag={local};from-tag={remote}")
    }

    fn story(&self) -> Vec<String> {
        let facts = self.world.facts().filter_map(|fact| match fact {
            Fact::UserRinging { user, .. } => Some(format!("{} rings", user.number)),
            Fact::UserAnswered { user } => Some(format!("{} answered", user.number)),
            Fact::UserEnded { user } => Some(format!("{} ended", user.number)),
            _ => None,
        });
        facts.collect()
    }
}

/// The lamp of 1010 is watched, and its phone rings.
fn ringing() -> (Watch, sip::DialogId) {
    let mut watch = Watch::new();
    watch.subscribes("dialog", "1010", 600);
    let dialog = watch.world.called_with(&sdp("8"));
    watch.listens();
    (watch, dialog)
}

#[test]
fn a_call_that_rings_is_picked_up_by_the_name_that_the_lamp_tells() {
    let (mut watch, _) = ringing();
    let name = watch.named() + ";early-only";
    assert_eq!(watch.replaces(&name), 200);
    let expected = ["1010 rings", "1011 rings", "1011 answered", "1010 ended"];
    assert_eq!(watch.story(), expected);
    let carrier = watch.world.carrier_heard();
    assert_eq!(carrier.last(), Some(&"SIP/2.0 200 OK"));
    let cancelled = |event: &sip::Event| matches!(event, sip::Event::Cancelled { .. });
    assert!(watch.world.heard.iter().any(cancelled), "the phone stops");
    let bridges = watch
        .world
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Media(Command::Bridge { .. })));
    assert_eq!(bridges.count(), 1);
    let counts = watch.world.engine.counts();
    assert_eq!((counts.calls, counts.legs), (1, 2));
    // Once more is too late: nobody has that name any more.
    assert_eq!(watch.replaces(&name), 481);
    watch.world.carrier_says("BYE", 2, "");
    watch.listens();
    assert_eq!(watch.world.engine.counts().legs, 0);
}

#[test]
fn a_call_that_goes_on_is_taken_over_by_its_name() {
    let (mut watch, dialog) = ringing();
    let name = watch.named();
    let outputs = (watch.world.phone).accept(watch.world.now, dialog, sdp("8").into_bytes());
    watch.world.phone_did(outputs);
    watch.world.carrier_says("ACK", 1, "");
    assert_eq!(watch.replaces(&(name.clone() + ";early-only")), 486);
    assert_eq!(watch.replaces(&name), 200);
    let expected = [
        "1010 rings",
        "1010 answered",
        "1010 ended",
        "1011 rings",
        "1011 answered",
    ];
    assert_eq!(watch.story(), expected);
    let ended = |event: &sip::Event| matches!(event, sip::Event::Ended { .. });
    assert!(watch.world.heard.iter().any(ended), "the phone is hung up");
    assert_eq!(watch.world.engine.counts().legs, 2);
}

#[test]
fn nobody_takes_the_place_of_what_is_not_there() {
    let (mut watch, _) = ringing();
    for (name, code) in [
        ("x;to-tag=1;from-tag=2".to_owned(), 481),
        ("x".to_owned(), 400),
        (watch.named().replace("to-tag=", "to-tag=x"), 481),
    ] {
        assert_eq!(watch.replaces(&name), code, "{name}");
    }
    assert_eq!(watch.world.engine.counts().calls, 1);
}

#[test]
fn a_carrier_takes_no_place_of_anybody() {
    let (mut watch, _) = ringing();
    let header = format!("\r\nReplaces: {}\r\nCSeq", watch.named());
    let text = invite("thief", &sdp("8")).replacen("\r\nCSeq", &header, 1);
    watch.world.tell(Input::Packet {
        source: source(carrier()),
        bytes: text.as_bytes(),
    });
    let heard = watch.world.carrier_heard();
    assert_eq!(heard.last(), Some(&"SIP/2.0 403 Forbidden"));
    assert_eq!(watch.world.engine.counts().calls, 1);
}
