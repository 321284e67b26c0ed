//! A lamp on a phone: whom it watches, and what it was told last.

use std::collections::BTreeMap;

use clock::Time;
use sip::{Framing, Message, Method, Name, OutRequest, Reply, RequestId, Source, Transmit};

use super::{Out, Party, Role};

/// The request that is a SUBSCRIBE.
pub(super) const SUBSCRIBES: RequestId = RequestId(3);

/// Longer than a world takes to come to rest.
const SECONDS: u32 = 900;

/// A lamp.
#[derive(Debug)]
pub(crate) struct Lamp {
    /// The internal number that it watches.
    pub(crate) name: String,
    /// The Call-ID of the subscription that was accepted last.
    subscribed: Option<String>,
    /// What was told in each subscription last.
    told: BTreeMap<String, Told>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    number: u32,
    /// How many calls it shows.
    pub(crate) calls: usize,
    /// Whether it is the last.
    pub(crate) is_over: bool,
}

impl Lamp {
    /// A lamp that is dark.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subscribed: None,
            told: BTreeMap::new(),
        }
    }

    /// What it was told last in the subscription that it has.
    pub(crate) fn shows(&self) -> Option<&Told> {
        self.told.get(self.subscribed.as_ref()?)
    }

    fn hear(&mut self, notify: &Message<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let call_id = text(notify.call_id().unwrap_or_default());
        let body = text(notify.body());
        let state = text(notify.header(Name::SubscriptionState).unwrap_or_default());
        let told = Told {
            number: notify.cseq().map_or(0, |cseq| cseq.number),
            calls: body.matches("<dialog ").count(),
            is_over: state.starts_with("terminated"),
        };
        let before = self.told.get(&call_id).map_or(0, |told| told.number);
        if told.number > before {
            self.told.insert(call_id, told);
        }
    }
}

impl Party {
    /// Subscribes to the lamp that it has, in place of what it had subscribed to before.
    pub(super) fn subscribe(&mut self, now: Time, out: &mut Out) {
        let to = self.node();
        let Role::Phone(phone) = &self.role else {
            return;
        };
        let Some(lamp) = &phone.lamp else {
            return;
        };
        let uri = format!("sip:{}@{}", lamp.name, phone.domain);
        let request = OutRequest {
            method: Method::Subscribe,
            to,
            uri: uri.clone(),
            from: phone.name(),
            to_party: sip::Party { display: None, uri },
            contact_user: Some(phone.username.clone()),
            headers: vec![
                ("Event".to_owned(), "dialog".to_owned()),
                ("Expires".to_owned(), SECONDS.to_string()),
            ],
            body: None,
            credentials: Some(phone.credentials()),
            series: None,
        };
        let outputs = self.ua.request(now, SUBSCRIBES, request);
        self.carry_out(now, outputs, out);
    }

    /// The answer to a SUBSCRIBE.
    pub(super) fn subscribed(&mut self, code: u16, answer: &Reply) {
        if let Role::Phone(phone) = &mut self.role
            && let Some(lamp) = &mut phone.lamp
            && code == 200
        {
            lamp.subscribed = Some(answer.series.call_id.clone());
        }
    }

    /// Takes a NOTIFY in and answers it. `false`: it is something else.
    pub(super) fn notified(&mut self, source: Source, bytes: &[u8], out: &mut Out) -> bool {
        let Ok(message) = Message::parse(bytes, Framing::Datagram) else {
            return false;
        };
        let is_notify = message.request_line().is_some() && message.method() == Method::Notify;
        let Role::Phone(phone) = &mut self.role else {
            return false;
        };
        let Some(lamp) = phone.lamp.as_mut().filter(|_| is_notify) else {
            return false;
        };
        lamp.hear(&message);
        out.sends.push(Transmit {
            to: source.into(),
            bytes: accepted(bytes),
        });
        true
    }
}

/// 200 to a request.
fn accepted(request: &[u8]) -> Vec<u8> {
    const KEPT: [&str; 5] = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let text = String::from_utf8_lossy(request);
    let kept = |line: &&str| KEPT.iter().any(|name| line.starts_with(name));
    let head: Vec<&str> = text.lines().filter(kept).collect();
    let head = head.join("\r\n");
    format!("SIP/2.0 200 OK\r\n{head}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}
