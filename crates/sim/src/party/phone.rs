//! What only phones do: register, stay registered, take it back.

use std::time::Duration;

use clock::Time;
use pbx::{AccountId, Ha1};
use sip::{Credentials, Destination, Method, OutRequest, Party as Name, Reply, RequestId, Series};

use super::lamp::Lamp;
use super::{Act, Out, Party, Role};
use crate::network::NODE;
use crate::random::millis;
use crate::world::Office;

/// A phone: a device of an account, or of nobody.
pub(crate) struct Phone {
    pub(crate) account: AccountId,
    pub(crate) domain: String,
    pub(crate) username: String,
    pub(crate) password: String,
    /// How long it asks to be registered.
    pub(crate) expires_seconds: u32,
    pub(crate) registered: Registered,
    /// From when to when it thought so.
    spans: Vec<(Time, Option<Time>)>,
    /// Whether it refreshes.
    pub(crate) stays: Stays,
    series: Option<Series>,
    /// A REGISTER is on its way; what it wants next waits.
    pending: Option<Wish>,
    round: u64,
    /// The lamp that it has.
    pub(crate) lamp: Option<Lamp>,
}

/// Whether the phone thinks it can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    No,
    Yes,
}

/// Whether a phone refreshes its registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    Registered,
    /// It lets it expire.
    NoLonger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Register,
    Unregister,
}

impl Phone {
    /// A phone that has just been unpacked.
    pub(crate) fn new(account: AccountId, domain: &str, username: &str, password: &str) -> Self {
        Self {
            account,
            domain: domain.to_owned(),
            username: username.to_owned(),
            password: password.to_owned(),
            expires_seconds: 60,
            registered: Registered::No,
            spans: Vec::new(),
            stays: Stays::Registered,
            series: None,
            pending: None,
            round: 0,
            lamp: None,
        }
    }

    /// The same with a lamp for a colleague.
    #[must_use]
    pub(crate) fn watching(mut self, name: &str) -> Self {
        self.lamp = Some(Lamp::new(name));
        self
    }

    /// A power cut: it begins anew.
    pub(super) fn forget(&mut self) {
        self.registered = Registered::No;
        self.series = None;
        self.pending = None;
        self.round += 1;
    }

    /// Whether it thought that it could be called, around that time.
    pub(crate) fn was_registered_around(&self, at: Time) -> bool {
        self.spans.iter().any(|(from, until)| {
            let was_still = until.is_none_or(|until| at + AROUND < until);
            *from + AROUND < at && was_still
        })
    }

    fn note(&mut self, now: Time, registered: Registered) {
        match (self.registered, registered) {
            (Registered::No, Registered::Yes) => self.spans.push((now, None)),
            (Registered::Yes, Registered::No) => {
                if let Some((_, until)) = self.spans.last_mut() {
                    *until = Some(now);
                }
            }
            (Registered::No, Registered::No) | (Registered::Yes, Registered::Yes) => {}
        }
        self.registered = registered;
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials::new(&*self.username, &*self.password)
    }

    pub(super) fn name(&self) -> Name {
        Name {
            display: None,
            uri: format!("sip:{}@{}", self.username, self.domain),
        }
    }
}

impl Party {
    /// Whether it is a phone of one of these accounts, with the right password.
    pub(crate) fn is_of(&self, offices: &[Office]) -> bool {
        let Role::Phone(phone) = &self.role else {
            return false;
        };
        let own = offices
            .iter()
            .find(|office| office.plan.account == phone.account);
        let device = own.and_then(|office| office.plan.device(&phone.username));
        let ha1 = Ha1::of(&phone.username, &phone.domain, &phone.password);
        device.is_some_and(|(_, _, device)| device.ha1.md5 == ha1.md5)
    }

    /// Whether it thinks that it can be called.
    pub(crate) fn is_registered(&self) -> bool {
        matches!(&self.role, Role::Phone(phone) if phone.registered == Registered::Yes)
    }

    /// Whether it is a phone of that account.
    pub(crate) fn is_in(&self, account: AccountId) -> bool {
        matches!(&self.role, Role::Phone(phone) if phone.account == account)
    }

    pub(super) fn register(&mut self, now: Time, out: &mut Out) {
        self.wish(now, Wish::Register, out);
    }

    pub(super) fn unregister(&mut self, now: Time, out: &mut Out) {
        self.wish(now, Wish::Unregister, out);
    }

    pub(super) fn refresh(&mut self, now: Time, round: u64, out: &mut Out) {
        let Role::Phone(phone) = &self.role else {
            return;
        };
        if phone.round == round && phone.stays == Stays::Registered {
            self.wish(now, Wish::Register, out);
        }
    }

    fn wish(&mut self, now: Time, wish: Wish, out: &mut Out) {
        let to = self.node();
        let Role::Phone(phone) = &mut self.role else {
            return;
        };
        // What it takes back counts from now on, not from the answer.
        if wish == Wish::Unregister {
            phone.note(now, Registered::No);
        }
        if phone.pending.replace(wish).is_some() {
            return;
        }
        let seconds = match wish {
            Wish::Register => phone.expires_seconds,
            Wish::Unregister => 0,
        };
        let request = OutRequest {
            method: Method::Register,
            to,
            uri: format!("sip:{}", phone.domain),
            from: phone.name(),
            to_party: phone.name(),
            contact_user: Some(phone.username.clone()),
            headers: vec![("Expires".to_owned(), seconds.to_string())],
            body: None,
            credentials: Some(phone.credentials()),
            series: phone.series.clone(),
        };
        let outputs = self.ua.request(now, wish.id(), request);
        self.carry_out(now, outputs, out);
    }

    /// The answer to a REGISTER.
    pub(super) fn response(&mut self, now: Time, code: u16, answer: &Reply, out: &mut Out) {
        let again = millis(&mut self.random, 2_000, 9_000);
        let Role::Phone(phone) = &mut self.role else {
            return;
        };
        phone.series = Some(answer.series.clone());
        phone.round += 1;
        let wished = phone.pending.take();
        let wait = match (code, answer.expires_seconds) {
            (200, Some(seconds)) if seconds > 0 => {
                phone.note(now, Registered::Yes);
                Duration::from_secs(u64::from(seconds) * 8 / 10)
            }
            (200, _) => {
                phone.note(now, Registered::No);
                Duration::from_secs(4)
            }
            _ => {
                phone.note(now, Registered::No);
                again
            }
        };
        let was_unregistered = phone.registered == Registered::No && code == 200;
        let (round, is_registered) = (phone.round, phone.registered == Registered::Yes);
        match wished {
            // It changed its mind while the answer was on its way.
            Some(Wish::Unregister) if !was_unregistered && code == 200 => {
                self.wish(now, Wish::Unregister, out);
            }
            Some(_) | None => out.acts.push((now + wait, Act::Refresh { round })),
        }
        if is_registered {
            self.subscribe(now, out);
        }
    }

    /// The way to the node.
    pub(super) fn node(&self) -> Destination {
        Destination {
            transport: self.place.transport,
            remote: NODE,
            flow: None,
        }
    }
}

/// Long enough for a registration to reach the node, and for what it sends to come back.
const AROUND: Duration = Duration::from_secs(2);

impl Wish {
    fn id(self) -> RequestId {
        match self {
            Self::Register => RequestId(1),
            Self::Unregister => RequestId(2),
        }
    }
}
