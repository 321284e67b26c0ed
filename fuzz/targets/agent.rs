//! Any course of calls: a peer that says anything at any time to an owner that does anything. No
//! panic, one last word per call, and when the owner has hung up everything, the user agent ends
//! up empty by itself.
//!
//! The input is a list of lines, each a letter (see [`Course::act`]), a digit for the call meant,
//! and text. `@` in text stands for the tag of our last message, so that dialogs can be met.
#![no_main]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clock::Time;
use libfuzzer_sys::fuzz_target;
use sip::{
    Answer, Aor, Contacts, Credentials, DialogId, Event, FlowId, Framing, Incoming, Invite, Limits,
    Message, Method, Name, NatPolicy, Output, Party, Source, SubscriptionId, SubscriptionNews, Termination,
    Transmit, Transport, Ua, UaConfig, Writer,
};

/// Steps of one input.
const MAX_STEPS: usize = 256;

/// Calls at a time: few, so that the limit is met.
const MAX_DIALOGS: usize = 4;

/// Requests at a time, but for what answers a challenge (twice at most), CANCELs and BYEs.
const MAX_CLIENTS: usize = 8;

/// How many of those one request can become: itself, twice more, and a CANCEL.
const COPIES: usize = 4;

/// Wakes until everything must be over.
const MAX_WAKES: usize = 10_000;

/// How the lines of the input are told apart; a message holds any other byte.
const SEPARATOR: u8 = 0x1e;

const SDP: &[u8] = b"v=0\r\n";

fuzz_target!(|bytes: &[u8]| {
    let mut course = Course::new();
    for step in bytes.split(|byte| *byte == SEPARATOR).take(MAX_STEPS) {
        course.act(step);
    }
    course.end();
});

/// One user agent and what its owner and its peer know.
struct Course {
    ua: Ua,
    now: Time,
    open: BTreeSet<DialogId>,
    subscribed: BTreeSet<SubscriptionId>,
    ended: usize,
    incoming: Option<Incoming>,
    last_request: Option<Transmit>,
    last_tag: Vec<u8>,
}

impl Course {
    fn new() -> Self {
        let config = UaConfig {
            product: "fuzz".to_owned(),
            contacts: Contacts { udp: address(5060), tcp: address(5060) },
            session_expires_seconds: 1_800,
            limits: Limits {
                max_server_transactions: 8,
                max_client_transactions: MAX_CLIENTS,
                max_dialogs: MAX_DIALOGS,
            },
        };
        Self {
            ua: Ua::new(config, 1),
            now: Time::from_secs(1_000),
            open: BTreeSet::new(),
            subscribed: BTreeSet::new(),
            ended: 0,
            incoming: None,
            last_request: None,
            last_tag: Vec::new(),
        }
    }

    fn act(&mut self, step: &[u8]) {
        let [letter, digit, text @ ..] = step else { return };
        let dialog = DialogId(u64::from(digit.wrapping_sub(b'0')));
        let now = self.now;
        let outputs = match letter {
            b'm' => self.ua.receive(now, source(*digit), &self.with_tag(text)),
            b'r' => self.respond(*digit, text),
            b't' => self.pass(Duration::from_millis(1 << (digit % 24))),
            b'i' => self.invite(),
            b'o' => self.open_call(),
            b'e' => self.refuse_call(),
            b'p' => self.ua.progress(now, dialog, 180, Some(SDP.to_vec())),
            b'a' => self.ua.accept(now, dialog, SDP.to_vec()),
            b'j' => self.ua.reject(now, dialog, Answer::code(486)),
            b'h' => self.ua.hang_up(now, dialog, None),
            b'f' => self.ua.offer(now, dialog, SDP.to_vec()),
            b'A' => self.ua.answer(now, dialog, SDP.to_vec()),
            b'R' => self.ua.refuse(now, dialog, 488),
            b'n' => self.ua.info(now, dialog, "text/plain", text.to_vec()),
            b'x' => self.ua.accept_referral(now, dialog),
            b'y' => self.ua.refuse_referral(now, dialog, Answer::code(603)),
            b'z' => self.ua.tell_referrer(now, dialog, 100 + u16::from(*digit)),
            b'P' => self.ua.progress(now, dialog, 183, Some(SDP.to_vec())),
            b'N' => self.ua.notify(now, SubscriptionId(dialog.0), text.to_vec()),
            b'E' => {
                self.subscribed.remove(&SubscriptionId(dialog.0));
                let why = Termination::NoResource;
                self.ua.end_subscription(now, SubscriptionId(dialog.0), why)
            }
            b'c' => self.ua.flow_closed(now, FlowId(u64::from(*digit))),
            b's' => self.ua.send_failed(now, source(*digit).into()),
            _ => Vec::new(),
        };
        self.take(outputs);
    }

    /// The peer answers our last request: code 100 + twice the digit, the text in Supported.
    fn respond(&mut self, digit: u8, text: &[u8]) -> Vec<Output> {
        let Some(request) = self.last_request.clone() else { return Vec::new() };
        let Ok(message) = Message::parse(&request.bytes, Framing::Datagram) else {
            panic!("we wrote what does not parse");
        };
        let code = 100 + u16::from(digit) * 2;
        let from = Source {
            transport: request.to.transport,
            remote: request.to.remote,
            flow: request.to.flow.unwrap_or(FlowId(0)),
        };
        let answer = Writer::response(code, "Any").echo(&message, from, Some("theirs"));
        let answer = answer
            .header(Name::Contact, "<sip:them@192.0.2.9:5070>")
            .header(Name::Supported, text)
            .header("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\"")
            .body("application/sdp", SDP);
        self.ua.receive(self.now, from, &answer)
    }

    fn pass(&mut self, duration: Duration) -> Vec<Output> {
        self.now += duration;
        self.ua.wake(self.now)
    }

    fn invite(&mut self) -> Vec<Output> {
        let dialog = self.ua.next_dialog_id();
        self.open.insert(dialog);
        let party = |uri: &str| Party { display: None, uri: uri.to_owned() };
        let invite = Invite {
            to: source(b'1').into(),
            uri: "sip:b@192.0.2.9".to_owned(),
            from: party("sip:a@192.0.2.1"),
            to_party: party("sip:b@192.0.2.9"),
            contact_user: None,
            headers: Vec::new(),
            sdp: SDP.to_vec(),
            credentials: Some(Credentials::new("u", "p")),
            symmetric: NatPolicy::ByContact,
            max_forwards: 70,
        };
        self.ua.invite(self.now, dialog, invite)
    }

    fn open_call(&mut self) -> Vec<Output> {
        let Some(incoming) = self.incoming.take() else { return Vec::new() };
        if incoming.method == Method::Subscribe {
            return self.subscribe(&incoming);
        }
        let _replaced = self.ua.replaced_by(&incoming);
        if incoming.method != Method::Invite {
            return self.ua.respond(self.now, &incoming, Answer::code(200));
        }
        let dialog = self.ua.next_dialog_id();
        match self.ua.open(self.now, dialog, &incoming) {
            Ok(outputs) => {
                self.open.insert(dialog);
                outputs
            }
            Err(refusal) => self.ua.reply(&incoming, refusal.answer),
        }
    }

    fn subscribe(&mut self, incoming: &Incoming) -> Vec<Output> {
        match self.ua.subscribe(self.now, incoming, Aor(1)) {
            Ok((id, outputs)) => {
                self.subscribed.insert(id);
                outputs
            }
            Err(refusal) => self.ua.reply(incoming, refusal.answer),
        }
    }

    fn refuse_call(&mut self) -> Vec<Output> {
        let Some(incoming) = self.incoming.take() else { return Vec::new() };
        self.ua.reply(&incoming, Answer::code(404))
    }

    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(transmit) => self.sent(transmit),
                Output::Event(event) => self.happened(event),
            }
        }
        let counts = self.ua.counts();
        assert!(counts.dialogs <= MAX_DIALOGS, "{counts:?}");
        // Each call that ended has sent a BYE, and each subscription a NOTIFY: these are never
        // held back.
        let clients = COPIES * (MAX_CLIENTS + self.ended);
        assert!(counts.client_transactions <= clients, "{counts:?}");
    }

    fn sent(&mut self, transmit: Transmit) {
        // Keep-alives are no messages.
        let Ok(message) = Message::parse(&transmit.bytes, Framing::Datagram) else { return };
        let is_request = message.request_line().is_some();
        let ours = if is_request { message.from() } else { message.to() };
        let tag = ours.and_then(|ours| ours.tag()).map(<[u8]>::to_vec);
        drop(message);
        self.last_tag = tag.unwrap_or_default();
        if is_request {
            self.last_request = Some(transmit);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Request(incoming) => self.incoming = Some(incoming),
            Event::Refused { dialog, .. }
            | Event::Cancelled { dialog, .. }
            | Event::Ended { dialog, .. } => {
                assert!(self.open.remove(&dialog), "{dialog:?} ended twice");
                self.ended += 1;
            }
            Event::Provisional { dialog, .. }
            | Event::Accepted { dialog, .. }
            | Event::Established { dialog }
            | Event::Offered { dialog, .. }
            | Event::OfferWanted { dialog }
            | Event::OfferAnswered { dialog, .. }
            | Event::OfferRefused { dialog, .. }
            | Event::OfferWithdrawn { dialog }
            | Event::Referred { dialog, .. }
            | Event::Info { dialog, .. } => {
                assert!(self.open.contains(&dialog), "{dialog:?} speaks after its end");
            }
            Event::Subscription { subscription, news: SubscriptionNews::Ended(_) } => {
                assert!(self.subscribed.remove(&subscription), "{subscription:?} ended twice");
            }
            Event::Subscription { subscription, news: SubscriptionNews::Refreshed } => {
                assert!(self.subscribed.contains(&subscription), "{subscription:?} is over");
            }
            Event::Response { .. } => {}
        }
    }

    /// The owner hangs up everything and the peer falls silent.
    fn end(&mut self) {
        for dialog in self.open.clone() {
            let outputs = self.ua.hang_up(self.now, dialog, None);
            self.take(outputs);
        }
        for _ in 0..MAX_WAKES {
            let Some(deadline) = self.ua.deadline() else { break };
            self.now = self.now.max(deadline);
            let outputs = self.ua.wake(self.now);
            self.take(outputs);
        }
        assert_eq!(self.ua.counts(), sip::Counts::default());
        assert!(self.open.is_empty(), "{:?} never ended", self.open);
        assert!(self.subscribed.is_empty(), "{:?} never ended", self.subscribed);
    }

    fn with_tag(&self, text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len());
        for byte in text {
            match byte {
                b'@' if bytes.ends_with(b"tag=") => bytes.extend_from_slice(&self.last_tag),
                _ => bytes.push(*byte),
            }
        }
        bytes
    }
}

fn address(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

fn source(digit: u8) -> Source {
    let transport = if digit % 2 == 0 { Transport::Tcp } else { Transport::Udp };
    Source { transport, remote: ([192, 0, 2, 9], 5070).into(), flow: FlowId(u64::from(digit)) }
}
