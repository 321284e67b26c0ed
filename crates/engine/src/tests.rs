//! A node with one phone and one carrier, message by message: what no world of the simulator does.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it looks for; everything else is none of its business"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use media::{Command, MediaEvent, PathId, Port, ThreadId};
use pbx::testing::example;
use pbx::{Fact, HangupCause};
use sip::{
    Contacts, Credentials, FlowId, Framing, Limits, Message, Method, OutRequest, Output, Party,
    RegistrarLimits, RequestId, Source, Transport, UaConfig,
};

use super::*;

const START: Time = Time::from_secs(1_700_000_000);
const ACCOUNT: AccountId = AccountId(1);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn node() -> SocketAddr {
    address("192.0.2.1:5060")
}

fn phone() -> SocketAddr {
    address("198.51.100.7:5060")
}

fn carrier() -> SocketAddr {
    address("203.0.113.9:5080")
}

fn agent(address: SocketAddr) -> UaConfig {
    UaConfig {
        product: "test".to_owned(),
        contacts: Contacts {
            udp: address,
            tcp: address,
        },
        session_expires_seconds: 1_800,
        limits: Limits::default(),
    }
}

/// A node whose account has one registered phone, `1010-desk`.
struct World {
    engine: Engine,
    phone: Ua,
    now: Time,
    /// What the phone was told.
    heard: Vec<sip::Event>,
    /// What the carrier was sent.
    carrier: Vec<String>,
    /// Everything else.
    effects: Vec<Effect>,
}

impl World {
    fn new() -> Self {
        let engine = Engine::new(Settings {
            node: 0,
            first_call_at: START,
            seed: 1,
            secret: [1; 32],
            user_agent: agent(node()),
            registrar: RegistrarLimits::default(),
            media_address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            silence: None,
            keepalive: Duration::from_secs(25),
        });
        let mut world = Self {
            engine,
            phone: Ua::new(agent(phone()), 2),
            now: START,
            heard: Vec::new(),
            carrier: Vec::new(),
            effects: Vec::new(),
        };
        let plan = example().compile(ACCOUNT, 1).unwrap();
        world.tell(Input::Apply(Arc::new(plan)));
        let ports = (0..8).map(|slot| Port {
            path: PathId::new(ThreadId(0), slot, 0),
            rtp_port: 20_000 + 2 * u16::try_from(slot).unwrap(),
        });
        world.tell(Input::Media(MediaEvent::Ports {
            ports: ports.collect(),
        }));
        world.register();
        world
    }

    fn register(&mut self) {
        let desk = Party {
            display: None,
            uri: "sip:1010-desk@acme.example.com".to_owned(),
        };
        let request = OutRequest {
            method: Method::Register,
            to: Destination {
                transport: Transport::Udp,
                remote: node(),
                flow: None,
            },
            uri: "sip:acme.example.com".to_owned(),
            from: desk.clone(),
            to_party: desk,
            contact_user: Some("1010-desk".to_owned()),
            headers: Vec::new(),
            body: None,
            credentials: Some(Credentials::new("1010-desk", "correct-horse")),
            series: None,
        };
        let outputs = self.phone.request(self.now, RequestId(1), request);
        self.phone_did(outputs);
        assert_eq!(self.engine.counts().registrations, 1);
    }

    fn tell(&mut self, input: Input<'_>) {
        for effect in self.engine.handle(self.now, input) {
            match effect {
                Effect::Send(transmit) if transmit.to.remote == phone() => {
                    let source = source(node());
                    let outputs = self.phone.receive(self.now, source, &transmit.bytes);
                    self.phone_did(outputs);
                }
                Effect::Send(transmit) if transmit.to.remote == carrier() => {
                    let text = String::from_utf8(transmit.bytes).unwrap();
                    self.carrier.push(text);
                }
                other => self.effects.push(other),
            }
        }
    }

    fn phone_did(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(transmit) => self.tell(Input::Packet {
                    source: source(phone()),
                    bytes: &transmit.bytes,
                }),
                Output::Event(event) => self.heard.push(event),
            }
        }
    }

    /// The carrier calls the main number; the phone rings.
    fn called_with(&mut self, sdp: &str) -> sip::DialogId {
        let invite = invite("call", sdp);
        self.tell(Input::Packet {
            source: source(carrier()),
            bytes: invite.as_bytes(),
        });
        let incoming = self.heard.iter().find_map(|event| match event {
            sip::Event::Request(incoming) => Some(incoming.clone()),
            _ => None,
        });
        let dialog = self.phone.next_dialog_id();
        let opened = self.phone.open(self.now, dialog, &incoming.unwrap());
        self.phone_did(opened.unwrap());
        let outputs = self.phone.progress(self.now, dialog, 180, None);
        self.phone_did(outputs);
        dialog
    }

    /// The first lines of what the carrier was sent.
    fn carrier_heard(&self) -> Vec<&str> {
        let lines = self.carrier.iter().filter_map(|text| text.lines().next());
        lines.collect()
    }

    fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Emit(event) => Some(&event.fact),
            _ => None,
        })
    }

    fn released(&self) -> usize {
        let is_release =
            |effect: &&Effect| matches!(effect, Effect::Media(Command::Release { .. }));
        self.effects.iter().filter(is_release).count()
    }
}

fn source(remote: SocketAddr) -> Source {
    Source {
        transport: Transport::Udp,
        remote,
        flow: FlowId(0),
    }
}

fn sdp(formats: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
         m=audio 30000 RTP/AVP {formats}\r\n"
    )
}

/// An INVITE to the main number; the name makes it another one.
fn invite(name: &str, sdp: &str) -> String {
    let content_type = if sdp.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "INVITE sip:61298765432@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.9:5080;branch=z9hG4bK{name}\r\n\
         From: <sip:61300000000@203.0.113.9>;tag=1\r\nTo: <sip:61298765432@192.0.2.1>\r\n\
         Call-ID: {name}\r\nCSeq: 1 INVITE\r\nContact: <sip:203.0.113.9:5080>\r\n\
         Max-Forwards: 70\r\n{content_type}Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

#[test]
fn an_answer_that_fits_no_offer_is_no_answer() {
    let mut world = World::new();
    let dialog = world.called_with(&sdp("8"));
    // GSM was not offered, and nobody here can translate it.
    let outputs = world.phone.accept(world.now, dialog, sdp("3").into_bytes());
    world.phone_did(outputs);
    // The phone is hung up, the user counts as not reachable, the flow's exit says busy.
    let hung_up = |event: &sip::Event| matches!(event, sip::Event::Ended { .. });
    assert!(world.heard.iter().any(hung_up));
    assert!(
        !world
            .facts()
            .any(|fact| matches!(fact, Fact::UserAnswered { .. }))
    );
    assert_eq!(
        world.carrier_heard(),
        ["SIP/2.0 180 Ringing", "SIP/2.0 486 Busy Here"]
    );
    let counts = world.engine.counts();
    assert_eq!((counts.calls, counts.legs), (0, 0));
}

#[test]
fn a_call_without_an_offer_is_refused_politely() {
    let mut world = World::new();
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: invite("other", "").as_bytes(),
    });
    assert_eq!(world.carrier_heard(), ["SIP/2.0 488 Not Acceptable Here"]);
    assert_eq!(world.facts().count(), 0);
}

/// A request of the carrier's inside the call that [`World::called_with`] made.
fn inside(world: &World, method: &str, number: u32, sdp: &str) -> String {
    let tag = world.carrier.iter().rev().find_map(|text| {
        let message = Message::parse(text.as_bytes(), Framing::Datagram).unwrap();
        let tag = message.to()?.tag()?;
        message.status_line()?;
        Some(String::from_utf8_lossy(tag).into_owned())
    });
    let branch = if method == "CANCEL" { "INVITE" } else { method };
    invite("call", sdp)
        .replace("z9hG4bKcall", &format!("z9hG4bK{branch}{number}"))
        .replace(
            "\nTo: <sip:61298765432@192.0.2.1>",
            &format!("\nTo: <sip:61298765432@192.0.2.1>;tag={}", tag.unwrap()),
        )
        .replace("INVITE sip", &format!("{method} sip"))
        .replace("1 INVITE", &format!("{number} {method}"))
}

impl World {
    /// The carrier talks with the phone.
    fn talking() -> (Self, sip::DialogId) {
        let mut world = Self::new();
        let dialog = world.called_with(&sdp("8"));
        let outputs = world.phone.accept(world.now, dialog, sdp("8").into_bytes());
        world.phone_did(outputs);
        world.carrier_says("ACK", 1, "");
        (world, dialog)
    }

    fn carrier_says(&mut self, method: &str, number: u32, sdp: &str) {
        let text = inside(self, method, number, sdp);
        self.tell(Input::Packet {
            source: source(carrier()),
            bytes: text.as_bytes(),
        });
    }

    /// The offers that the phone was made since the call began.
    fn offers(&self) -> Vec<String> {
        let offers = self.heard.iter().filter_map(|event| match event {
            sip::Event::Offered { sdp, .. } => Some(String::from_utf8_lossy(sdp).into_owned()),
            _ => None,
        });
        offers.collect()
    }
}

#[test]
fn what_a_peer_takes_back_does_not_stay() {
    let (mut world, dialog) = World::talking();
    let hold = sdp("8") + "a=sendonly\r\n";
    world.carrier_says("INVITE", 2, &hold);
    assert_eq!(world.offers().len(), 1);
    world.carrier_says("CANCEL", 2, "");
    assert_eq!(
        world.carrier_heard()[2..],
        ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]
    );
    // The phone accepts all the same: it is taken off hold at once.
    let answer = (sdp("8") + "a=recvonly\r\n").into_bytes();
    let outputs = world.phone.answer(world.now, dialog, answer);
    world.phone_did(outputs);
    let offers = world.offers();
    assert_eq!(offers.len(), 2);
    assert!(offers[0].contains("sendonly") && !offers[1].contains("sendonly"));
    let outputs = world.phone.answer(world.now, dialog, sdp("8").into_bytes());
    world.phone_did(outputs);
    // And the next offer of either side comes through.
    world.carrier_says("INVITE", 3, &hold);
    assert_eq!(world.offers().len(), 3);
    assert_eq!(world.carrier_heard().len(), 4);
}

#[test]
fn a_peer_that_changes_its_mind_all_the_time_fills_no_table() {
    let (mut world, dialog) = World::talking();
    for number in 2..1_000 {
        let direction = if number % 2 == 0 {
            "sendonly"
        } else {
            "sendrecv"
        };
        world.carrier_says("INVITE", number, &(sdp("8") + "a=" + direction + "\r\n"));
        let outputs = world.phone.answer(world.now, dialog, sdp("8").into_bytes());
        world.phone_did(outputs);
        world.carrier_says("ACK", number, "");
    }
    let counts = world.engine.counts().user_agent;
    assert!(counts.client_transactions <= 101, "{counts:?}");
    assert!(counts.server_transactions <= 101, "{counts:?}");
    assert!(world.carrier.last().unwrap().contains("\r\nRetry-After: "));
}

#[test]
fn a_fault_of_an_account_ends_its_calls_and_says_so() {
    let mut world = World::new();
    world.called_with(&sdp("8"));
    assert_eq!(world.engine.counts().calls, 1);
    world.engine.account_fault(world.now, ACCOUNT);
    world.tell(Input::Wake);

    let closed = Effect::CloseCalls {
        account: ACCOUNT,
        at: world.now,
    };
    assert!(world.effects.contains(&closed));
    assert_eq!(
        world.carrier_heard().last(),
        Some(&"SIP/2.0 500 Server Internal Error")
    );
    let given_up = |event: &sip::Event| matches!(event, sip::Event::Cancelled { .. });
    assert!(world.heard.iter().any(given_up));
    assert_eq!(world.released(), 2);
    let counts = world.engine.counts();
    assert_eq!((counts.calls, counts.legs, counts.faults), (0, 0, 1));

    // The account goes on: the next call rings again.
    world.heard.clear();
    let next = invite("next", &sdp("8"));
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: next.as_bytes(),
    });
    assert_eq!(world.engine.counts().calls, 1);
}

#[test]
fn no_new_calls_while_shedding_and_those_in_progress_go_on() {
    let mut world = World::new();
    world.tell(Input::Load(Load::Shedding));
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: invite("shed", &sdp("8")).as_bytes(),
    });
    assert_eq!(world.carrier_heard(), ["SIP/2.0 503 Service Unavailable"]);
    assert!(
        world
            .carrier
            .iter()
            .any(|text| text.contains("Retry-After: "))
    );
    world.tell(Input::Load(Load::Open));
    // A late copy of the INVITE is the same call, which was turned away.
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: invite("shed", &sdp("8")).as_bytes(),
    });
    assert_eq!(
        world.carrier_heard(),
        ["SIP/2.0 503 Service Unavailable"; 2]
    );
    assert_eq!(world.engine.counts().calls, 0);

    let dialog = world.called_with(&sdp("8"));
    world.tell(Input::Load(Load::Draining));
    let outputs = world.phone.accept(world.now, dialog, sdp("8").into_bytes());
    world.phone_did(outputs);
    assert_eq!(world.carrier_heard().last(), Some(&"SIP/2.0 200 OK"));
    world.tell(Input::HangUpAll);
    let ended = |fact: &Fact| {
        matches!(
            fact,
            Fact::Ended {
                cause: HangupCause::Shutdown
            }
        )
    };
    assert!(world.facts().any(ended));
    assert_eq!(world.engine.counts().legs, 0);
}

#[test]
fn what_nobody_takes_is_answered_with_what_we_do() {
    let mut world = World::new();
    let publish = invite("other", "").replace("INVITE", "PUBLISH");
    world.tell(Input::Packet {
        source: source(carrier()),
        bytes: publish.as_bytes(),
    });
    let answer = world.carrier.last().unwrap();
    let message = Message::parse(answer.as_bytes(), Framing::Datagram).unwrap();
    assert_eq!(message.status_line().unwrap().code, 405);
    assert!(message.allows(Method::Invite) && !message.allows(Method::Publish));
}

#[test]
fn a_flood_of_strangers_leaves_nothing_behind() {
    let mut world = World::new();
    // What the phone's own registration left is forgotten by then.
    world.now = START + Duration::from_mins(2);
    world.tell(Input::Wake);
    for number in 0..5_000_u32 {
        let remote = SocketAddr::from(([198, 18, 0, 1], 1_024 + u16::try_from(number).unwrap()));
        let invite = invite(&number.to_string(), &sdp("8"));
        world.tell(Input::Packet {
            source: source(remote),
            bytes: invite.as_bytes(),
        });
        let register = invite.replace("INVITE", "REGISTER");
        world.tell(Input::Packet {
            source: source(remote),
            bytes: register.as_bytes(),
        });
    }
    let challenges = world.effects.iter().filter(|effect| {
        let Effect::Send(transmit) = effect else {
            return false;
        };
        transmit.bytes.starts_with(b"SIP/2.0 401 ")
    });
    assert_eq!(challenges.count(), 10_000);
    let counts = world.engine.counts();
    assert_eq!(counts.user_agent.server_transactions, 0);
    assert_eq!(
        (counts.user_agent.dialogs, counts.legs, counts.calls),
        (0, 0, 0)
    );
}

mod click_to_call;
mod fax;
mod menus;
mod replaces;
mod rooms;
mod transfer;
mod watchers;
