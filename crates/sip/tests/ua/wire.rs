//! One user agent and messages by their text: what a peer writes, and the words that come back.

use std::net::SocketAddr;
use std::time::Duration;

use clock::Time;
use sip::{
    Contacts, Destination, DialogId, Event, FlowId, Framing, Incoming, Limits, Message, Name,
    Output, Source, Transport, Ua, UaConfig,
};

use crate::world::{START, name_of};

/// A message of ours and where it goes.
pub(crate) struct Sent {
    pub(crate) to: Destination,
    pub(crate) text: String,
}

impl Sent {
    /// `INVITE`, or `200 INVITE` for an answer.
    pub(crate) fn name(&self) -> String {
        name_of(self.text.as_bytes())
    }

    /// The first value of a header, empty if it is not there.
    pub(crate) fn header(&self, name: Name) -> String {
        self.headers(name).into_iter().next().unwrap_or_default()
    }

    /// Every value of a header.
    pub(crate) fn headers(&self, name: Name) -> Vec<String> {
        let message = self.message();
        message
            .headers(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The Request-URI.
    pub(crate) fn uri(&self) -> String {
        let line = self.message().request_line().unwrap();
        String::from_utf8_lossy(line.uri).into_owned()
    }

    /// The branch of the top Via.
    pub(crate) fn branch(&self) -> String {
        let branch = self.message().top_via().unwrap().branch().unwrap();
        String::from_utf8_lossy(branch).into_owned()
    }

    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(self.text.as_bytes(), Framing::Datagram).unwrap()
    }
}

/// The user agent under test, with its peer at 192.0.2.9.
pub(crate) struct Wire {
    pub(crate) ua: Ua,
    pub(crate) now: Time,
    pub(crate) source: Source,
    pub(crate) events: Vec<Event>,
    pub(crate) sent: Vec<Sent>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        let address: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let config = UaConfig {
            product: "test".to_owned(),
            contacts: Contacts {
                udp: address,
                tcp: address,
            },
            session_expires_seconds: 1_800,
            limits,
        };
        let source = Source {
            transport: Transport::Udp,
            remote: "192.0.2.9:5062".parse().unwrap(),
            flow: FlowId(1),
        };
        Self {
            ua: Ua::new(config, 1),
            now: START,
            source,
            events: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// The peer sends; what comes back at once.
    pub(crate) fn hears(&mut self, text: &str) -> Vec<String> {
        let bytes = wire_text(text);
        self.does(|ua, now, source| ua.receive(now, source, &bytes))
    }

    /// The owner acts; what goes out.
    pub(crate) fn does(
        &mut self,
        act: impl FnOnce(&mut Ua, Time, Source) -> Vec<Output>,
    ) -> Vec<String> {
        let outputs = act(&mut self.ua, self.now, self.source);
        let mut names = Vec::new();
        for output in outputs {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Send(transmit) => {
                    let text = String::from_utf8(transmit.bytes).unwrap();
                    self.sent.push(Sent {
                        to: transmit.to,
                        text,
                    });
                    names.push(self.last().name());
                }
            }
        }
        names
    }

    /// Time passes; what goes out meanwhile.
    pub(crate) fn waits(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut names = Vec::new();
        while let Some(due) = self.ua.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            names.extend(self.does(|ua, now, _| ua.wake(now)));
        }
        self.now = end;
        names
    }

    /// The last message that went out.
    pub(crate) fn last(&self) -> &Sent {
        self.sent.last().unwrap()
    }

    /// The last message of that name.
    pub(crate) fn last_named(&self, name: &str) -> &Sent {
        self.sent
            .iter()
            .rev()
            .find(|sent| sent.name() == name)
            .unwrap()
    }

    /// The request the owner was told of last.
    pub(crate) fn incoming(&self) -> Incoming {
        match self.events.last() {
            Some(Event::Request(incoming)) => incoming.clone(),
            other => panic!("no request but {other:?}"),
        }
    }

    /// The peer's INVITE is taken on and accepted; the dialog, and our tag in it.
    pub(crate) fn is_called(&mut self, invite: &str) -> (DialogId, String) {
        self.hears(invite);
        let incoming = self.incoming();
        let dialog = self.ua.next_dialog_id();
        self.does(|ua, now, _| ua.open(now, dialog, &incoming).unwrap());
        self.does(|ua, now, _| ua.accept(now, dialog, b"answer".to_vec()));
        let to = self.last().header(Name::To);
        let tag = to.split_once(";tag=").unwrap().1.to_owned();
        (dialog, tag)
    }

    /// The answer to a request of ours, made of its own headers: `status` is the whole first line
    /// without the version, `tag` the tag added to To, `more` further lines.
    pub(crate) fn is_answered(&mut self, request: &str, answer: &PeerAnswer<'_>) -> Vec<String> {
        let request = self.last_named(request);
        let tag = if request.header(Name::To).contains("tag=") || answer.tag.is_empty() {
            String::new()
        } else {
            format!(";tag={}", answer.tag)
        };
        let text = format!(
            "SIP/2.0 {}\nVia: {}\nFrom: {}\nTo: {}{tag}\nCall-ID: {}\nCSeq: {}\n{}",
            answer.status,
            request.header(Name::Via),
            request.header(Name::From),
            request.header(Name::To),
            request.header(Name::CallId),
            request.header(Name::CSeq),
            answer.more,
        );
        self.hears(&text)
    }
}

/// What a peer answers.
#[derive(Clone, Copy, Default)]
pub(crate) struct PeerAnswer<'a> {
    pub(crate) status: &'a str,
    pub(crate) tag: &'a str,
    pub(crate) more: &'a str,
}

/// Headers, one a line, as they go over the wire; an empty line and a body may follow.
pub(crate) fn wire_text(text: &str) -> Vec<u8> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let lines: Vec<_> = head.trim_end().lines().map(str::trim).collect();
    let length = body.len();
    let mut bytes = lines.join("\r\n").into_bytes();
    bytes.extend(format!("\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes());
    bytes
}
