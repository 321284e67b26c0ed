//! Requests outside any dialog: who sends it, which account it belongs to, what it is answered.
//!
//! Until the sender is known nothing is stored: challenges and refusals are stateless.

use std::net::IpAddr;
use std::sync::Arc;

use clock::Time;
use media::{Description, SdpError};
use pbx::{AccountId, LegId, Origin};
use sip::{Answer, Incoming, Message, Method, Name, NameAddr, Replaced, Source, Uri};

use crate::directory::TrunkRef;
use crate::legs::{Leg, Media, Role, State, latch_of};
use crate::session::RETRY_AFTER_SECONDS;
use crate::{Engine, Load, Work};

/// A call, as far as its INVITE tells.
struct Arrival {
    account: AccountId,
    origin: Origin,
    /// The leg whose place it wants (RFC 3891).
    replaces: Option<LegId>,
    called: String,
    caller_number: Option<String>,
    caller_name: Option<String>,
}

impl Engine {
    /// Answers a request that belongs to no dialog.
    pub(crate) fn request(&mut self, now: Time, incoming: &Incoming) {
        match incoming.method {
            Method::Register => self.register(now, incoming),
            Method::Invite => self.incoming_call(now, incoming),
            Method::Subscribe => self.subscribe(now, incoming),
            Method::Options => {
                let answer = Answer::code(200).header("Accept", "application/sdp");
                self.reply(incoming, answer);
            }
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Info
            | Method::Update
            | Method::Prack
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other => self.reply(incoming, Answer::code(405).header("Allow", ALLOW)),
        }
    }

    /// Answers without keeping anything.
    pub(crate) fn reply(&mut self, incoming: &Incoming, answer: Answer) {
        let outputs = self.ua.reply(incoming, answer);
        self.carry_out(outputs);
    }

    fn incoming_call(&mut self, now: Time, incoming: &Incoming) {
        let message = incoming.message();
        let taken = self
            .arrival(now, &message, incoming.source)
            .and_then(|arrival| self.replacing(arrival, incoming))
            .and_then(|arrival| Ok((arrival, offer_of(&message)?)));
        match taken {
            Ok((arrival, offer)) if self.can_take_call() => {
                self.take_call(now, incoming, arrival, offer);
            }
            // Remembered: a late copy of the INVITE must not become a call that nobody is at.
            Ok(_) => {
                let answer = Answer::code(503).header("Retry-After", RETRY_AFTER_SECONDS);
                let outputs = self.ua.respond(now, incoming, answer);
                self.carry_out(outputs);
            }
            Err(answer) => self.reply(incoming, answer),
        }
    }

    /// What the call takes the place of, if it names something. Only a device of the account may: the
    /// account of a carrier is not its own.
    fn replacing(&self, arrival: Arrival, incoming: &Incoming) -> Result<Arrival, Answer> {
        let dialog = match self.ua.replaced_by(incoming) {
            Replaced::Nothing => return Ok(arrival),
            Replaced::Refused(answer) => return Err(answer),
            Replaced::Call(dialog) => dialog,
        };
        if matches!(arrival.origin, Origin::Trunk { .. }) {
            return Err(Answer::code(403));
        }
        let its = self
            .leg_of(dialog)
            .filter(|(_, leg)| leg.account == arrival.account);
        let (leg, _) = its.ok_or_else(|| Answer::code(481))?;
        Ok(Arrival {
            replaces: Some(leg),
            ..arrival
        })
    }

    /// Whether there is room for one more call.
    pub(crate) fn can_take_call(&self) -> bool {
        self.load == Load::Open && self.ports.can_start_call()
    }

    fn take_call(&mut self, now: Time, incoming: &Incoming, arrival: Arrival, offer: Description) {
        let dialog = self.ua.next_dialog_id();
        match self.ua.open(now, dialog, incoming) {
            Ok(outputs) => self.carry_out(outputs),
            Err(refusal) => return self.reply(incoming, refusal.answer),
        }
        let id = self.ids.leg();
        let signalling = incoming.source.remote.ip();
        let leg = Leg {
            account: arrival.account,
            call: None,
            media: Media::new(Some(offer), latch_for(&arrival.origin, signalling)),
            role: Role::Caller,
            state: State::Calling(dialog),
            other: None,
        };
        self.legs.insert(id, leg);
        let input = match (arrival.replaces, arrival.origin) {
            (Some(of), Origin::Device { username }) => pbx::Input::TakeOver {
                leg: id,
                username,
                of,
            },
            (_, origin) => pbx::Input::Incoming {
                leg: id,
                origin,
                called: arrival.called,
                caller_number: arrival.caller_number,
                caller_name: arrival.caller_name,
            },
        };
        self.work.push_back(Work::Pbx(arrival.account, input));
    }

    /// Whose call it is. `Err` is the answer to give: a challenge or a refusal.
    fn arrival(
        &mut self,
        now: Time,
        message: &Message<'_>,
        source: Source,
    ) -> Result<Arrival, Answer> {
        let called = called_number(message);
        if self.speaks_for_device(message, source) {
            let device = self.authenticate(now, message, source.remote)?;
            let called = called.ok_or_else(|| Answer::code(404))?;
            return Ok(Arrival {
                account: device.account,
                origin: Origin::Device {
                    username: device.username,
                },
                replaces: None,
                called,
                caller_number: None,
                caller_name: None,
            });
        }
        let (trunk, called) = self
            .trunk_of(message, source)
            .ok_or_else(|| Answer::code(404))?;
        let (caller_number, caller_name) = caller_of(message);
        Ok(Arrival {
            account: trunk.account,
            origin: Origin::Trunk { name: trunk.name },
            replaces: None,
            called,
            caller_number,
            caller_name,
        })
    }

    /// Whether the request is challenged as a device's. A carrier may pass on a caller whose number
    /// happens to be a device's username, so from a trunk's address the host of From must be the
    /// device's domain too.
    fn speaks_for_device(&self, message: &Message<'_>, source: Source) -> bool {
        let is_trunk = self.directory.trunks_at(source.remote).next().is_some()
            || self.trunk_by_token(message).is_some();
        !is_trunk || message.header(Name::Authorization).is_some() || self.is_from_device(message)
    }

    /// Whether From is the address of a device.
    fn is_from_device(&self, message: &Message<'_>) -> bool {
        let Some(from) = message.from().and_then(|from| Uri::parse(from.uri)) else {
            return false;
        };
        let user = from.user_decoded().map(std::borrow::Cow::into_owned);
        let user = user
            .and_then(|user| String::from_utf8(user).ok())
            .unwrap_or_default();
        let owner = self.directory.account_of_domain(from.host);
        let plan = owner.and_then(|(_, account)| self.plan(account));
        plan.is_some_and(|plan| plan.device(&user).is_some())
    }

    /// The trunk that sends this call, by the token in our Contact or by its address, and the
    /// number it calls. One carrier serves many accounts: the called number picks the account.
    fn trunk_of(&self, message: &Message<'_>, source: Source) -> Option<(TrunkRef, String)> {
        if let Some(trunk) = self.trunk_by_token(message) {
            return Some((trunk, user_of(message.to()?.uri)?));
        }
        let line = message.request_line()?;
        for candidate in [Some(line.uri), message.to().map(|to| to.uri)]
            .into_iter()
            .flatten()
        {
            let Some(called) = user_of(candidate) else {
                continue;
            };
            let mut trunks = self.directory.trunks_at(source.remote);
            if let Some(trunk) = trunks.find(|trunk| self.has_number(trunk, &called)) {
                return Some((trunk.clone(), called));
            }
        }
        None
    }

    /// Whether the number, as that trunk writes it, is one of its account.
    fn has_number(&self, trunk: &TrunkRef, called: &str) -> bool {
        let number = self.plan(trunk.account).and_then(|plan| {
            let (_, known) = plan.trunk(&trunk.name)?;
            plan.carried_number(known, called)
        });
        let owner = number.and_then(|number| self.directory.account_of_number(number));
        owner == Some(trunk.account)
    }

    fn trunk_by_token(&self, message: &Message<'_>) -> Option<TrunkRef> {
        let user = user_of(message.request_line()?.uri)?;
        self.trunks.by_token(&user)
    }
}

fn latch_for(origin: &Origin, signalling: IpAddr) -> media::Latch {
    let role = match origin {
        Origin::Device { username } => Role::Device(username.clone()),
        Origin::Trunk { name } => Role::Trunk(Arc::clone(name)),
    };
    latch_of(&role, signalling)
}

/// What the caller offers. An INVITE without an offer would want ours before anybody is asked;
/// no phone we know of calls so.
fn offer_of(message: &Message<'_>) -> Result<Description, Answer> {
    if message.body().is_empty() {
        return Err(
            Answer::code(488).header("Warning", "399 switchhook \"An INVITE needs an offer\"")
        );
    }
    Description::parse(message.body()).map_err(|error| {
        let code = match error {
            SdpError::TooLong { .. } => 413,
            SdpError::NotSdp => 400,
            SdpError::TooManyStreams | SdpError::NoAudio | SdpError::NoFax => 488,
        };
        Answer::code(code).header("Warning", &format!("399 switchhook \"{error}\""))
    })
}

fn called_number(message: &Message<'_>) -> Option<String> {
    user_of(message.request_line()?.uri)
}

/// The decoded user part of a URI, when it has one that is text.
pub(crate) fn user_of(uri: &[u8]) -> Option<String> {
    let user = Uri::parse(uri)?.user_decoded()?.into_owned();
    String::from_utf8(user).ok().filter(|user| !user.is_empty())
}

/// The caller as a carrier presents it: P-Asserted-Identity before From (RFC 3325 §9.1), nothing when
/// privacy was asked for.
fn caller_of(message: &Message<'_>) -> (Option<String>, Option<String>) {
    let is_private = message.header_named("Privacy").any(|value| {
        value
            .split(|byte| *byte == b';')
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(b"id"))
    });
    let asserted = message
        .header_named("P-Asserted-Identity")
        .find_map(NameAddr::parse);
    let Some(caller) = asserted.or_else(|| message.from()).filter(|_| !is_private) else {
        return (None, None);
    };
    let number = user_of(caller.uri).filter(|user| !user.eq_ignore_ascii_case("anonymous"));
    let name = number
        .as_ref()
        .and_then(|_| caller.display_name())
        .map(std::borrow::Cow::into_owned);
    (number, name.filter(|name| !name.is_empty()))
}

/// Methods we take.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, PRACK, REFER, SUBSCRIBE";
