//! What only carriers do: let us register, and pass on calls from the outside.

use clock::Time;
use sip::{Answer, Authorization, Challenger, Ha1, Incoming, Name, Stale};

use super::{Party, Role};

/// A carrier.
pub(crate) struct Carrier {
    /// How long a registration lasts; it is challenged.
    pub(crate) registrar: Option<Registrar>,
}

/// The part of a carrier that takes registrations.
pub(crate) struct Registrar {
    challenger: Challenger,
    ha1: Ha1,
    /// Where the customer can be called, since it registered.
    pub(crate) contact: Option<String>,
    calls: Calls,
}

/// Whether a carrier asks who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    Taken,
    Challenged,
}

/// The realm of every carrier.
const REALM: &str = "carrier.example";

impl Carrier {
    /// A carrier that knows its customers by their address.
    pub(crate) fn by_address() -> Self {
        Self { registrar: None }
    }

    /// A carrier that wants its customer to register.
    pub(crate) fn with_registrar(username: &str, password: &str, secret: u8, calls: Calls) -> Self {
        Self {
            registrar: Some(Registrar {
                challenger: Challenger::new([secret; 32]),
                ha1: Ha1::md5(username, REALM, password),
                contact: None,
                calls,
            }),
        }
    }
}

impl Registrar {
    /// Whether the request is its customer's; `Err` is the challenge.
    fn check(&mut self, now: Time, incoming: &Incoming) -> Result<(), String> {
        let message = incoming.message();
        let authorization = message
            .headers(Name::Authorization)
            .chain(message.headers(Name::ProxyAuthorization))
            .find_map(Authorization::parse);
        let verdict = authorization.map(|authorization| {
            let ha1 = Some(&self.ha1);
            self.challenger
                .verify(now, &authorization, incoming.method, ha1)
        });
        match verdict {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(self.challenger.challenge(now, REALM, Stale::Yes)),
            None => Err(self.challenger.challenge(now, REALM, Stale::No)),
        }
    }
}

impl Party {
    /// What a carrier that asks who calls answers first.
    pub(super) fn challenge(&mut self, now: Time, incoming: &Incoming) -> Option<Answer> {
        let Role::Carrier(Carrier {
            registrar: Some(registrar),
        }) = &mut self.role
        else {
            return None;
        };
        if registrar.calls == Calls::Taken {
            return None;
        }
        let challenge = registrar.check(now, incoming).err()?;
        Some(Answer::code(407).header("Proxy-Authenticate", &challenge))
    }

    /// Answers a REGISTER of the node.
    pub(super) fn registered_with(&mut self, now: Time, incoming: &Incoming) -> Answer {
        let Role::Carrier(Carrier {
            registrar: Some(registrar),
        }) = &mut self.role
        else {
            return Answer::code(405);
        };
        if let Err(challenge) = registrar.check(now, incoming) {
            return Answer::code(401).header("WWW-Authenticate", &challenge);
        }
        let message = incoming.message();
        let contact = message
            .contact()
            .map(|contact| String::from_utf8_lossy(contact.uri).into_owned());
        let expires = message.expires().unwrap_or(60);
        let answer = Answer::code(200).header("Expires", &expires.to_string());
        registrar.contact = contact.filter(|_| expires > 0);
        match &registrar.contact {
            Some(contact) => answer.header("Contact", &format!("<{contact}>;expires={expires}")),
            None => answer,
        }
    }
}
