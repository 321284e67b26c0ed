//! A phone: our own user agent on a thread of its own, with a SIP port and an RTP port.
//!
//! It does what it is told through a channel and tells what happens through another. Everything
//! that goes over its SIP port is noted on the tape.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use ::clock::Time;
use media::{Codec, Description, Local};
use sip::{
    Answer, Credentials, Destination, DialogId, EndCause, Event, FlowId, Incoming, Invite, Limits,
    Method, NatPolicy, OutRequest, Output, Party, RequestId, Source, Transmit, Transport, Ua,
    UaConfig,
};

use super::audio::{Audio, Packets};
use super::ladder::{Tape, Way, Who};
use crate::clock::Clock;

/// What a phone is told to do.
pub(super) enum Order {
    /// Register for so many seconds; 0 takes the registration back.
    Register { seconds: u32 },
    /// Call a number.
    Call(String),
    /// Answer the call that rings.
    Answer,
    /// Refuse the call that rings.
    Reject(u16),
    /// End the call, or give up calling.
    HangUp,
    /// Press a key.
    Press(char),
    /// Put the other side through to a number.
    Transfer(String),
    /// From now on answer every call at once.
    AnswerAlways,
    /// The phone is switched off.
    Stop,
}

/// What a phone tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The final answer to a registration.
    Registered(u16),
    /// A call came in for this number.
    Rings(String),
    /// The called party rings.
    RingsThere,
    /// The call is answered.
    Talks,
    /// The call is over.
    Over(Ending, Packets),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// This phone ended it.
    HungUp,
    /// The other side ended it.
    TheyHungUp,
    /// The caller gave up, or another device answered.
    Cancelled,
    /// It was refused.
    Refused(u16),
    /// The connection was lost.
    Lost,
}

/// Who a phone is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// Its column in the ladder.
    pub(super) who: Who,
    /// The user part of its address.
    pub(super) user: String,
    /// The host part of the addresses it uses.
    pub(super) domain: String,
    /// For phones that register; a carrier is known by its address.
    pub(super) password: Option<String>,
    /// The pitch of its tone.
    pub(super) hertz: u32,
}

/// What all phones share.
#[derive(Clone)]
pub(super) struct World {
    /// The time.
    pub(super) clock: Clock,
    /// Where messages are noted.
    pub(super) tape: Tape,
    /// Where news goes.
    pub(super) news: mpsc::SyncSender<(Who, News)>,
}

/// A phone that is switched on.
pub(super) struct Handle {
    orders: mpsc::Sender<Order>,
    thread: JoinHandle<()>,
}

impl Handle {
    /// Tells the phone to do something. One that has failed does not: what it should have told is missed.
    pub(super) fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::warn!("a phone of the demo has ended");
        }
    }

    /// Switches it off.
    pub(super) fn stop(self) {
        self.order(Order::Stop);
        if self.thread.join().is_err() {
            tracing::warn!("a phone of the demo has failed");
        }
    }
}

/// A SIP port for a phone.
pub(super) fn port(ip: IpAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((ip, 0))?;
    socket.set_read_timeout(Some(TURN))?;
    Ok(socket)
}

/// Switches a phone on.
pub(super) fn start(
    identity: Identity,
    socket: UdpSocket,
    server: SocketAddr,
    world: World,
) -> std::io::Result<Handle> {
    let address = socket.local_addr()?;
    let config = UaConfig {
        product: format!("switchhook-demo/{}", identity.who),
        contacts: sip::Contacts {
            udp: address,
            tcp: address,
        },
        session_expires_seconds: 1_800,
        limits: Limits::default(),
    };
    let seed = u64::from(address.port()) ^ world.clock.now().as_micros();
    let audio = Audio::open(&socket, identity.hertz)?;
    let (orders, received) = mpsc::channel();
    let name = identity.who.to_string();
    let mut phone = Phone {
        ua: Ua::new(config, seed),
        media: Local {
            address: address.ip(),
            rtp_port: audio.port()?,
            session: seed >> 1,
            version: 1,
        },
        audio,
        identity,
        socket,
        server,
        world,
        call: None,
        always: Always::Asks,
        registrations: 0,
    };
    let thread = std::thread::Builder::new()
        .name(name)
        .spawn(move || phone.run(&received))?;
    Ok(Handle { orders, thread })
}

struct Phone {
    identity: Identity,
    ua: Ua,
    socket: UdpSocket,
    server: SocketAddr,
    world: World,
    media: Local,
    audio: Audio,
    call: Option<Call>,
    always: Always,
    registrations: u64,
}

/// The one call of a phone.
struct Call {
    dialog: DialogId,
    /// The caller's offer, of a call that came in.
    offer: Option<Description>,
}

/// What happens to a call that comes in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Always {
    /// It rings until there is an order.
    Asks,
    /// It is answered.
    Answers,
}

impl Phone {
    fn run(&mut self, orders: &mpsc::Receiver<Order>) {
        loop {
            loop {
                match orders.try_recv() {
                    Ok(Order::Stop) | Err(mpsc::TryRecvError::Disconnected) => return,
                    Ok(order) => self.obey(order),
                    Err(mpsc::TryRecvError::Empty) => break,
                }
            }
            self.listen();
            let now = self.world.clock.now();
            self.audio.turn(now);
            if self.ua.deadline().is_some_and(|deadline| deadline <= now) {
                let outputs = self.ua.wake(now);
                self.perform(outputs);
            }
        }
    }

    /// Waits for a message for one turn at most.
    fn listen(&mut self) {
        let mut datagram = [0; MAX_DATAGRAM_BYTES];
        // A time-out is the usual case; any other error shows as news that does not come.
        let Ok((length, remote)) = self.socket.recv_from(&mut datagram) else {
            return;
        };
        let bytes = datagram.get(..length).unwrap_or_default();
        // Keep-alives are no messages (RFC 5626 §3.5.1).
        if bytes.trim_ascii().is_empty() {
            return;
        }
        let now = self.world.clock.now();
        self.world
            .tape
            .note(now, self.identity.who, Way::Received, bytes);
        let source = Source {
            transport: Transport::Udp,
            remote,
            flow: FLOW,
        };
        let outputs = self.ua.receive(now, source, bytes);
        self.perform(outputs);
    }

    fn obey(&mut self, order: Order) {
        let now = self.world.clock.now();
        let dialog = self.call.as_ref().map(|call| call.dialog);
        let outputs = match (order, dialog) {
            (Order::Register { seconds }, _) => self.register(now, seconds),
            (Order::Call(number), None) => self.dial(now, &number),
            (Order::Answer, Some(dialog)) => self.answer(now, dialog),
            (Order::Reject(code), Some(dialog)) => self.ua.reject(now, dialog, Answer::code(code)),
            (Order::HangUp, Some(dialog)) => self.ua.hang_up(now, dialog, None),
            (Order::Press(key), Some(dialog)) => {
                let body = format!("Signal={key}\r\nDuration=160\r\n");
                self.ua.info(now, dialog, KEY_PRESS, body.into_bytes())
            }
            (Order::Transfer(number), Some(dialog)) => {
                let target = format!("<{}>", self.party(&number).uri);
                self.ua.refer(now, dialog, &target)
            }
            (Order::AnswerAlways, _) => {
                self.always = Always::Answers;
                Vec::new()
            }
            // The call ended before the order came, or is still there.
            (
                Order::Call(_)
                | Order::Answer
                | Order::Reject(_)
                | Order::HangUp
                | Order::Press(_)
                | Order::Transfer(_)
                | Order::Stop,
                _,
            ) => Vec::new(),
        };
        self.perform(outputs);
    }

    fn register(&mut self, now: Time, seconds: u32) -> Vec<Output> {
        self.registrations += 1;
        let request = OutRequest {
            method: Method::Register,
            to: self.to_server(),
            uri: format!("sip:{}", self.identity.domain),
            from: self.party(&self.identity.user),
            to_party: self.party(&self.identity.user),
            contact_user: Some(self.identity.user.clone()),
            headers: vec![("Expires".to_owned(), seconds.to_string())],
            body: None,
            credentials: self.credentials(),
            series: None,
        };
        self.ua.request(now, RequestId(self.registrations), request)
    }

    fn dial(&mut self, now: Time, number: &str) -> Vec<Output> {
        let dialog = self.ua.next_dialog_id();
        self.call = Some(Call {
            dialog,
            offer: None,
        });
        let invite = Invite {
            to: self.to_server(),
            uri: self.party(number).uri,
            from: self.party(&self.identity.user),
            to_party: self.party(number),
            contact_user: Some(self.identity.user.clone()),
            headers: Vec::new(),
            sdp: media::own_offer(&[Codec::Pcmu], self.media),
            credentials: self.credentials(),
            symmetric: NatPolicy::ByContact,
            max_forwards: 70,
        };
        self.ua.invite(now, dialog, invite)
    }

    fn answer(&mut self, now: Time, dialog: DialogId) -> Vec<Output> {
        let offer = self.call.as_ref().and_then(|call| call.offer.as_ref());
        let answer = offer.and_then(|offer| {
            let sdp = media::own_answer(&[Codec::Pcmu], offer, self.media).ok()?;
            Some((offer.remote().rtp, sdp))
        });
        let Some((peer, sdp)) = answer else {
            // 488: no audio in common (RFC 3261 §21.4.26).
            return self.ua.reject(now, dialog, Answer::code(488));
        };
        self.audio.start(now, peer);
        self.ua.accept(now, dialog, sdp)
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(transmit) => self.send(&transmit),
                Output::Event(event) => self.happened(event),
            }
        }
    }

    fn send(&self, transmit: &Transmit) {
        let now = self.world.clock.now();
        self.world
            .tape
            .note(now, self.identity.who, Way::Sent, &transmit.bytes);
        if let Err(error) = self.socket.send_to(&transmit.bytes, transmit.to.remote) {
            tracing::warn!(%error, phone = %self.identity.who, "a phone of the demo cannot send");
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Request(incoming) => self.requested(&incoming),
            Event::Provisional { .. } => self.tell(News::RingsThere),
            Event::Accepted { sdp, .. } => {
                self.talk_to(sdp.as_deref());
                self.tell(News::Talks);
            }
            Event::Established { .. } => self.tell(News::Talks),
            Event::Refused { code, .. } => self.over(Ending::Refused(code)),
            Event::Cancelled { .. } => self.over(Ending::Cancelled),
            Event::Ended { cause, .. } => self.over(match cause {
                EndCause::Bye { .. } => Ending::TheyHungUp,
                EndCause::HungUp => Ending::HungUp,
                EndCause::SessionExpired
                | EndCause::NoAck
                | EndCause::DialogLost
                | EndCause::Transport => Ending::Lost,
            }),
            Event::Response { code, .. } => self.tell(News::Registered(code)),
            Event::Offered { dialog, sdp } => self.offered(dialog, &sdp),
            Event::OfferWanted { dialog } => {
                let sdp = media::own_offer(&[Codec::Pcmu], self.media);
                let outputs = self.ua.answer(self.world.clock.now(), dialog, sdp);
                self.perform(outputs);
            }
            Event::OfferAnswered { .. }
            | Event::OfferRefused { .. }
            | Event::OfferWithdrawn { .. }
            | Event::Referred { .. }
            | Event::Subscription { .. }
            | Event::Info { .. } => {}
        }
    }

    /// Besides calls only keep-alives (OPTIONS) come here.
    fn requested(&mut self, incoming: &Incoming) {
        let now = self.world.clock.now();
        let is_invite = incoming.method == Method::Invite;
        let outputs = if is_invite && self.call.is_none() {
            self.ring(now, incoming)
        } else {
            let code = if is_invite { 486 } else { 200 };
            self.ua.respond(now, incoming, Answer::code(code))
        };
        self.perform(outputs);
    }

    fn ring(&mut self, now: Time, incoming: &Incoming) -> Vec<Output> {
        let dialog = self.ua.next_dialog_id();
        let mut outputs = match self.ua.open(now, dialog, incoming) {
            Ok(outputs) => outputs,
            Err(refusal) => return self.ua.reply(incoming, refusal.answer),
        };
        let message = incoming.message();
        let offer = Description::parse(message.body()).ok();
        self.call = Some(Call { dialog, offer });
        self.tell(News::Rings(called(&message)));
        outputs.extend(self.ua.progress(now, dialog, 180, None));
        if self.always == Always::Answers {
            outputs.extend(self.answer(now, dialog));
        }
        outputs
    }

    /// A new offer within the call, such as hold: the same answer again, to the new address.
    fn offered(&mut self, dialog: DialogId, sdp: &[u8]) {
        let now = self.world.clock.now();
        let answer = Description::parse(sdp)
            .ok()
            .and_then(|offer| media::own_answer(&[Codec::Pcmu], &offer, self.media).ok());
        let outputs = match answer {
            Some(answer) => self.ua.answer(now, dialog, answer),
            None => self.ua.refuse(now, dialog, 488),
        };
        self.perform(outputs);
    }

    fn talk_to(&mut self, sdp: Option<&[u8]>) {
        if let Some(Ok(answer)) = sdp.map(Description::parse) {
            self.audio
                .start(self.world.clock.now(), answer.remote().rtp);
        }
    }

    fn over(&mut self, ending: Ending) {
        self.call = None;
        let packets = self.audio.stop();
        self.tell(News::Over(ending, packets));
    }

    fn tell(&self, news: News) {
        if self.world.news.try_send((self.identity.who, news)).is_err() {
            tracing::debug!("nobody listens to the phones any more");
        }
    }

    fn to_server(&self) -> Destination {
        Destination {
            transport: Transport::Udp,
            remote: self.server,
            flow: Some(FLOW),
        }
    }

    fn party(&self, user: &str) -> Party {
        Party {
            display: None,
            uri: format!("sip:{user}@{}", self.identity.domain),
        }
    }

    fn credentials(&self) -> Option<Credentials> {
        let password = self.identity.password.as_deref()?;
        Some(Credentials::new(self.identity.user.as_str(), password))
    }
}

/// The number a request is for.
fn called(message: &sip::Message<'_>) -> String {
    let user = message
        .request_line()
        .and_then(|line| sip::Uri::parse(line.uri))
        .and_then(|uri| uri.user);
    user.map_or_else(String::new, |user| {
        String::from_utf8_lossy(user).into_owned()
    })
}

/// How phones tell a key that is pressed, where they do not send it as audio.
const KEY_PRESS: &str = "application/dtmf-relay";
/// More than the server sends, less than a thread's stack minds.
const MAX_DATAGRAM_BYTES: usize = 8_192;
/// A phone has one socket.
const FLOW: FlowId = FlowId(1);
/// How long a phone waits for a message before it looks at everything else.
const TURN: Duration = Duration::from_millis(3);
