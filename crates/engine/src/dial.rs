//! Outgoing legs: a device or a trunk is called, and one outcome is told.

use std::net::SocketAddr;

use clock::Time;
use media::{Command, VOICES, offer_from, own_offer};
use pbx::{AccountId, CallId, CallerId, Failure, LegId, Target};
use sip::{Destination, Invite, NatPolicy, Party, Transport};

use crate::directory::TrunkRef;
use crate::legs::{Branch, Dialling, Leg, Media, Retry, Role, State, latch_of};
use crate::{Effect, Engine, Work};

/// What an account wants called.
pub(crate) struct Dial {
    pub(crate) call: CallId,
    pub(crate) leg: LegId,
    /// The caller's; `None` when this leg is to become it.
    pub(crate) for_leg: Option<LegId>,
    pub(crate) target: Target,
    pub(crate) caller: CallerId,
}

/// One way to reach the target.
struct Way {
    to: Destination,
    uri: String,
    policy: NatPolicy,
}

impl Engine {
    /// Calls the target. What goes wrong here is told to the account like any other failure.
    pub(crate) fn dial(&mut self, now: Time, account: AccountId, dial: &Dial) {
        let (leg, role) = (dial.leg, role_of(&dial.target));
        if let Some(caller) = dial.for_leg.and_then(|leg| self.legs.leg_mut(leg)) {
            caller.call = Some(dial.call);
        }
        let failure = match self.try_dial(now, account, dial, role) {
            Ok(()) => return,
            Err(failure) => failure,
        };
        self.close_leg(leg);
        self.work
            .push_back(Work::Pbx(account, pbx::Input::Failed { leg, failure }));
    }

    fn try_dial(
        &mut self,
        now: Time,
        account: AccountId,
        dial: &Dial,
        role: Role,
    ) -> Result<(), Failure> {
        let ways = self.ways(now, account, &dial.target)?;
        let (first, rest) = ways.split_first().ok_or(Failure::Unreachable)?;
        let callers = dial.for_leg.map(|caller| {
            let caller = self.legs.leg(caller);
            let described = caller.and_then(|caller| {
                let theirs = caller.media.theirs.as_ref()?;
                Some(theirs.directed(caller.media.wish))
            });
            described.ok_or(Failure::Incompatible)
        });
        let callers = callers.transpose()?;
        self.add_leg(account, dial, role, first.to.remote)?;
        let offer = |local| match &callers {
            Some(described) => offer_from(described, local),
            None => own_offer(&VOICES, local),
        };
        let sdp = self
            .describe(dial.leg, |local| Ok(offer(local)))
            .ok_or(Failure::Incompatible)?;
        let invite = self.invite_for(account, dial, first, sdp);
        match &dial.target {
            // Every registration of a device rings; a trunk's other addresses only stand by.
            Target::Device { .. } => {
                for way in rest {
                    let (to, uri) = (way.to, way.uri.clone());
                    self.send_invite(
                        now,
                        dial.leg,
                        Invite {
                            to,
                            uri,
                            ..invite.clone()
                        },
                    );
                }
            }
            Target::Trunk { .. } => {
                let addresses = rest.iter().map(|way| way.to.remote).collect();
                self.set_retry(
                    dial.leg,
                    Retry {
                        invite: invite.clone(),
                        addresses,
                    },
                );
            }
        }
        self.send_invite(now, dial.leg, invite);
        Ok(())
    }

    /// The ways to the target, best first.
    fn ways(
        &mut self,
        now: Time,
        account: AccountId,
        target: &Target,
    ) -> Result<Vec<Way>, Failure> {
        match target {
            Target::Device { username } => {
                let aor = self.directory.aor(account, username);
                let bindings = self.registrar.bindings(aor, now);
                let way = |binding: &sip::Binding| Way {
                    to: binding.destination,
                    uri: binding.uri.clone(),
                    policy: NatPolicy::Symmetric,
                };
                Ok(bindings.map(way).collect())
            }
            Target::Trunk { name, number } => {
                let trunk = TrunkRef {
                    account,
                    name: name.clone(),
                };
                let state = self.trunks.state(&trunk).ok_or(Failure::Unreachable)?;
                let way = |remote: &SocketAddr| Way {
                    to: Destination {
                        transport: state.transport,
                        remote: *remote,
                        flow: None,
                    },
                    uri: state.uri(number),
                    policy: NatPolicy::ByContact,
                };
                Ok(state.addresses.iter().map(way).collect())
            }
        }
    }

    /// A leg with its media path, on the thread of the caller's if there is one.
    fn add_leg(
        &mut self,
        account: AccountId,
        dial: &Dial,
        role: Role,
        remote: SocketAddr,
    ) -> Result<(), Failure> {
        let port = match dial.for_leg {
            Some(caller) => {
                let beside = self.port_of(caller).ok_or(Failure::Unavailable)?;
                self.ports.take_beside(beside)
            }
            None => self.ports.take(),
        };
        let port = port.ok_or(Failure::Unavailable)?;
        self.effects
            .push(Effect::Media(Command::Claim { path: port.path }));
        let dialling = Dialling {
            branches: Vec::new(),
            failure: None,
            retry: None,
            early: None,
        };
        let leg = Leg {
            account,
            call: Some(dial.call),
            media: Media::new(None, latch_of(&role, remote.ip())),
            role,
            state: State::Dialling(dialling),
            other: dial.for_leg,
        };
        self.legs.insert(dial.leg, leg);
        self.legs.set_port(dial.leg, port);
        Ok(())
    }

    fn invite_for(&self, account: AccountId, dial: &Dial, way: &Way, sdp: Vec<u8>) -> Invite {
        let (domain, credentials) = match &dial.target {
            Target::Device { .. } => (self.domain_of(account), None),
            Target::Trunk { name, .. } => {
                let trunk = TrunkRef {
                    account,
                    name: name.clone(),
                };
                let state = self.trunks.state(&trunk);
                let credentials = state.and_then(|state| state.credentials.clone());
                (
                    state
                        .map(|state| state.host.to_string())
                        .unwrap_or_default(),
                    credentials,
                )
            }
        };
        let from = party(&dial.caller, &domain);
        // RFC 3325: the carrier is told who calls even when the called party is not.
        let headers = match (&dial.target, &dial.caller.number) {
            (Target::Trunk { .. }, Some(_)) => {
                vec![("P-Asserted-Identity".to_owned(), format!("<{}>", from.uri))]
            }
            (Target::Trunk { .. }, None) => vec![("Privacy".to_owned(), "id".to_owned())],
            (Target::Device { .. }, _) => Vec::new(),
        };
        let to_uri = match &dial.target {
            Target::Device { username } => format!("sip:{}@{domain}", escape_user(username)),
            Target::Trunk { .. } => way.uri.clone(),
        };
        Invite {
            to: way.to,
            uri: way.uri.clone(),
            from,
            to_party: Party {
                display: None,
                uri: to_uri,
            },
            contact_user: None,
            headers,
            sdp,
            credentials,
            symmetric: way.policy,
            max_forwards: INITIAL_MAX_FORWARDS,
        }
    }

    pub(crate) fn send_invite(&mut self, now: Time, leg: LegId, invite: Invite) {
        let dialog = self.ua.next_dialog_id();
        let remote = invite.to.remote;
        self.legs.add_branch(leg, Branch { dialog, remote });
        let outputs = self.ua.invite(now, dialog, invite);
        self.carry_out(outputs);
        if self.has_another_way(leg) {
            self.patience.expect(now, dialog);
        }
    }

    /// Whether a call to a trunk can be sent elsewhere: to another address, or by another trunk.
    fn has_another_way(&self, leg: LegId) -> bool {
        let Some(Leg {
            account,
            role: Role::Trunk(name),
            state: State::Dialling(dialling),
            ..
        }) = self.legs.leg(leg)
        else {
            return false;
        };
        let last = self.plan(*account).and_then(|plan| plan.trunks.last());
        let retry = dialling.retry.as_ref();
        retry.is_some_and(|retry| !retry.addresses.is_empty())
            || last.is_some_and(|last| last.name != *name)
    }

    fn set_retry(&mut self, leg: LegId, retry: Retry) {
        if let Some(dialling) = self.dialling(leg) {
            dialling.retry = Some(Box::new(retry));
        }
    }

    pub(crate) fn dialling(&mut self, leg: LegId) -> Option<&mut Dialling> {
        match &mut self.legs.leg_mut(leg)?.state {
            State::Dialling(dialling) => Some(dialling),
            State::Calling(_) | State::Talking { .. } => None,
        }
    }

    fn domain_of(&self, account: AccountId) -> String {
        self.plan(account)
            .map(|plan| plan.domain.to_string())
            .unwrap_or_default()
    }
}

fn role_of(target: &Target) -> Role {
    match target {
        Target::Device { username } => Role::Device(username.clone()),
        Target::Trunk { name, .. } => Role::Trunk(name.clone()),
    }
}

/// The caller as a From header names it; anonymous as RFC 3323 §4.1.1.3 writes it.
fn party(caller: &CallerId, domain: &str) -> Party {
    match &caller.number {
        Some(number) => Party {
            display: caller.name.clone(),
            uri: format!("sip:{}@{domain}", escape_user(number)),
        },
        None => Party {
            display: Some("Anonymous".to_owned()),
            uri: "sip:anonymous@anonymous.invalid".to_owned(),
        },
    }
}

/// Text as the user part of a URI (RFC 3261 §25.1): everything unusual as `%41`.
pub(crate) fn escape_user(text: &str) -> String {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or('0');
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/#".contains(&byte) && byte != b'#' {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(['%', digit(byte >> 4), digit(byte & 0x0f)]);
        }
    }
    escaped
}

/// RFC 3261 §8.1.1.6.
const INITIAL_MAX_FORWARDS: u8 = 70;

/// The `sip` transport of a trunk.
pub(crate) fn transport_of(transport: pbx::Transport) -> Transport {
    match transport {
        pbx::Transport::Udp => Transport::Udp,
        pbx::Transport::Tcp => Transport::Tcp,
        pbx::Transport::Tls => Transport::Tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_parts_are_escaped() {
        for (text, expect) in [
            ("1010", "1010"),
            ("+61298765432", "+61298765432"),
            ("a b@c", "a%20b%40c"),
            ("x:y%#", "x%3Ay%25%23"),
            ("é\r\n", "%C3%A9%0D%0A"),
        ] {
            assert_eq!(escape_user(text), expect);
        }
    }
}
