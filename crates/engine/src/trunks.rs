//! Trunks as they are reached now: addresses that their hosts resolve to, registrations, owner tokens.
//!
//! Names are resolved ahead of calls and again before an answer grows old, so that a call never
//! waits for DNS; while DNS does not answer, the addresses known last stay good.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use pbx::{AccountId, Plan, Trunk};
use sha2::{Digest, Sha256};
use sip::{
    Credentials, Destination, Method, OutRequest, Party, Reply, RequestId, Series, Transport,
};

use crate::dial::{escape_user, transport_of};
use crate::directory::TrunkRef;
use crate::{Effect, Engine};

/// One trunk.
pub(crate) struct TrunkState {
    token: u64,
    /// Its number in requests of ours and in answers to them.
    owner_token: String,
    pub(crate) host: Arc<str>,
    port: Option<u16>,
    pub(crate) transport: Transport,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Addresses that did not answer, and until when they come last.
    silent: Vec<(SocketAddr, Time)>,
    pub(crate) credentials: Option<Credentials>,
    registration: Option<Registration>,
    due: Option<Time>,
}

/// What keeps a register trunk registered.
struct Registration {
    username: Arc<str>,
    /// As the plan has it.
    wanted_seconds: u32,
    /// As the carrier wants it at least.
    expires_seconds: u32,
    series: Option<Series>,
    stage: Stage,
}

/// What comes next of a registration.
#[derive(Clone, Copy)]
enum Stage {
    /// A REGISTER, as soon as there is an address to send it to.
    Due,
    /// The answer to a REGISTER that was sent there.
    Asked(SocketAddr),
    /// A REGISTER at that time.
    Waits(Time),
}

impl TrunkState {
    /// The Request-URI for a number behind the trunk.
    pub(crate) fn uri(&self, number: &str) -> String {
        format!("sip:{}@{}", escape_user(number), self.host_port())
    }

    fn host_port(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Whether it is still reached, and registered, the same way.
    fn is_same(&self, trunk: &Trunk) -> bool {
        let wanted = trunk.register.as_ref();
        let registered = self.registration.as_ref();
        self.host == trunk.host
            && self.port == trunk.port
            && self.transport == transport_of(trunk.transport)
            && self.credentials == credentials_of(trunk)
            && registered.map(|registered| registered.wanted_seconds)
                == wanted.map(|register| register.expires_seconds)
    }

    /// The REGISTER to one of its addresses.
    fn register(&self, remote: SocketAddr, expires_seconds: u32) -> Option<OutRequest> {
        let registration = self.registration.as_ref()?;
        let party = Party {
            display: None,
            uri: format!("sip:{}@{}", escape_user(&registration.username), self.host),
        };
        Some(OutRequest {
            method: Method::Register,
            to: Destination {
                transport: self.transport,
                remote,
                flow: None,
            },
            uri: format!("sip:{}", self.host_port()),
            from: party.clone(),
            to_party: party,
            contact_user: Some(self.owner_token.clone()),
            headers: vec![("Expires".to_owned(), expires_seconds.to_string())],
            body: None,
            credentials: self.credentials.clone(),
            series: registration.series.clone(),
        })
    }

    /// The best addresses first, but for those that did not answer lately.
    fn order_addresses(&mut self, now: Time) {
        self.silent.retain(|(_, until)| *until > now);
        let silent = &self.silent;
        self.addresses
            .sort_by_key(|address| silent.iter().any(|(other, _)| other == address));
    }
}

/// Every trunk of the node.
pub(crate) struct Trunks {
    secret: [u8; 32],
    states: BTreeMap<TrunkRef, TrunkState>,
    by_token: BTreeMap<u64, TrunkRef>,
    by_owner_token: BTreeMap<String, TrunkRef>,
    due: BTreeSet<(Time, TrunkRef)>,
    next_token: u64,
}

impl Trunks {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self {
            secret,
            states: BTreeMap::new(),
            by_token: BTreeMap::new(),
            by_owner_token: BTreeMap::new(),
            due: BTreeSet::new(),
            next_token: 1,
        }
    }

    pub(crate) fn state(&self, trunk: &TrunkRef) -> Option<&TrunkState> {
        self.states.get(trunk)
    }

    /// The trunk whose registrar knows us by this user part.
    pub(crate) fn by_token(&self, user: &str) -> Option<TrunkRef> {
        self.by_owner_token.get(user).cloned()
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A user part for our Contact that only the trunk's registrar is told.
    fn owner_token(&self, trunk: &TrunkRef) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(trunk.account.0.to_be_bytes());
        hash.update(trunk.name.as_bytes());
        let mut token = "t".to_owned();
        for byte in hash.finalize().iter().take(OWNER_TOKEN_BYTES) {
            // Writing to a String cannot fail.
            write!(token, "{byte:02x}").unwrap_or_default();
        }
        token
    }

    /// Takes a new trunk in.
    fn add(&mut self, reference: &TrunkRef, trunk: &Trunk) {
        let token = self.next_token;
        self.next_token += 1;
        let owner_token = self.owner_token(reference);
        let registration = trunk.register.as_ref().map(|register| Registration {
            username: register.username.clone(),
            wanted_seconds: register.expires_seconds,
            expires_seconds: register.expires_seconds,
            series: None,
            stage: Stage::Due,
        });
        self.by_token.insert(token, reference.clone());
        self.by_owner_token
            .insert(owner_token.clone(), reference.clone());
        let state = TrunkState {
            token,
            owner_token,
            host: trunk.host.clone(),
            port: trunk.port,
            transport: transport_of(trunk.transport),
            addresses: Vec::new(),
            silent: Vec::new(),
            credentials: credentials_of(trunk),
            registration,
            due: None,
        };
        self.states.insert(reference.clone(), state);
    }

    fn remove(&mut self, reference: &TrunkRef) {
        self.set_due(reference, None);
        if let Some(state) = self.states.remove(reference) {
            self.by_token.remove(&state.token);
            self.by_owner_token.remove(&state.owner_token);
        }
    }

    /// An address that did not answer comes last for a while.
    pub(crate) fn demote(&mut self, now: Time, reference: &TrunkRef, address: SocketAddr) {
        if let Some(state) = self.states.get_mut(reference) {
            state.silent.retain(|(other, _)| *other != address);
            state.silent.push((address, now + DEMOTED_FOR));
            state.order_addresses(now);
        }
    }

    fn of_account(&self, account: AccountId) -> Vec<TrunkRef> {
        self.states
            .keys()
            .filter(|trunk| trunk.account == account)
            .cloned()
            .collect()
    }

    fn set_due(&mut self, reference: &TrunkRef, at: Option<Time>) {
        let Some(state) = self.states.get_mut(reference) else {
            return;
        };
        if let Some(before) = std::mem::replace(&mut state.due, at) {
            self.due.remove(&(before, reference.clone()));
        }
        if let Some(at) = at {
            self.due.insert((at, reference.clone()));
        }
    }
}

impl Engine {
    /// An account's plan changed.
    pub(crate) fn trunks_changed(&mut self, now: Time, account: AccountId, plan: &Plan) {
        for known in self.trunks.of_account(account) {
            let stays = plan.trunk(&known.name).is_some_and(|(_, trunk)| {
                let state = self.trunks.state(&known);
                state.is_some_and(|state| state.is_same(trunk))
            });
            if !stays {
                self.unregister(now, &known);
                self.trunks.remove(&known);
            }
        }
        for trunk in &plan.trunks {
            let reference = TrunkRef {
                account,
                name: trunk.name.clone(),
            };
            if let Some(state) = self.trunks.state(&reference) {
                // The directory has forgotten the account's trunks with its old plan.
                let addresses = state.addresses.clone();
                self.directory.trunk_resolved(&reference, &addresses);
            } else {
                self.trunks.add(&reference, trunk);
                self.resolve(now, &reference);
            }
        }
    }

    /// An account is no more.
    pub(crate) fn trunks_removed(&mut self, now: Time, account: AccountId) {
        for gone in self.trunks.of_account(account) {
            self.unregister(now, &gone);
            self.trunks.remove(&gone);
        }
    }

    fn resolve(&mut self, now: Time, reference: &TrunkRef) {
        let Some(state) = self.trunks.state(reference) else {
            return;
        };
        let literal = state.host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if let Some(ip) = literal {
            let port = state.port.unwrap_or(state.transport.default_port());
            return self.trunk_found(now, reference, vec![SocketAddr::new(ip, port)], None);
        }
        let effect = Effect::Resolve {
            token: state.token,
            host: state.host.clone(),
            port: state.port,
            transport: state.transport,
        };
        self.effects.push(effect);
        self.trunks.set_due(reference, Some(now + RESOLVE_TIMEOUT));
    }

    /// The addresses of a trunk's host were found, or not.
    pub(crate) fn trunk_resolved(
        &mut self,
        now: Time,
        token: u64,
        addresses: Vec<SocketAddr>,
        valid: Duration,
    ) {
        let Some(reference) = self.trunks.by_token.get(&token).cloned() else {
            return;
        };
        let valid = if addresses.is_empty() {
            RESOLVE_RETRY
        } else {
            valid
        };
        let valid = valid.clamp(SHORTEST_VALID, LONGEST_VALID);
        self.trunk_found(now, &reference, addresses, Some(valid));
    }

    fn trunk_found(
        &mut self,
        now: Time,
        reference: &TrunkRef,
        mut addresses: Vec<SocketAddr>,
        valid: Option<Duration>,
    ) {
        addresses.truncate(MAX_ADDRESSES);
        if let Some(state) = self.trunks.states.get_mut(reference)
            && !addresses.is_empty()
        {
            self.directory.trunk_resolved(reference, &addresses);
            state.addresses = addresses;
            state.order_addresses(now);
        }
        self.trunks
            .set_due(reference, valid.map(|valid| now + valid));
        self.register_if_due(now, reference);
    }

    /// Works off what is due.
    pub(crate) fn trunks_due(&mut self, now: Time) {
        while let Some((at, reference)) = self.trunks.due.first().cloned()
            && at <= now
        {
            self.trunks.set_due(&reference, None);
            self.resolve(now, &reference);
        }
    }

    /// Registers unless a registration is pending or still young.
    fn register_if_due(&mut self, now: Time, reference: &TrunkRef) {
        let state = self.trunks.states.get_mut(reference);
        let Some(registration) = state.and_then(|state| state.registration.as_mut()) else {
            return;
        };
        let is_due = match registration.stage {
            Stage::Due => true,
            Stage::Asked(_) => false,
            Stage::Waits(at) => at <= now,
        };
        if is_due {
            let expires = registration.expires_seconds;
            self.send_register(now, reference, expires);
        }
        self.plan_next(reference);
    }

    fn unregister(&mut self, now: Time, reference: &TrunkRef) {
        let registered = self
            .trunks
            .state(reference)
            .and_then(|state| state.registration.as_ref());
        if registered.is_some_and(|registration| registration.series.is_some()) {
            self.send_register(now, reference, 0);
        }
    }

    fn send_register(&mut self, now: Time, reference: &TrunkRef, expires_seconds: u32) {
        let state = self.trunks.states.get_mut(reference);
        let Some((state, remote)) = state.and_then(|state| {
            let remote = *state.addresses.first()?;
            Some((state, remote))
        }) else {
            return self.register_later(now, reference, REGISTER_RETRY);
        };
        let Some(request) = state.register(remote, expires_seconds) else {
            return;
        };
        if let Some(registration) = &mut state.registration {
            registration.stage = Stage::Asked(remote);
        }
        let outputs = self.ua.request(now, RequestId(state.token), request);
        self.carry_out(outputs);
    }

    /// The answer to a request of ours outside dialogs: a REGISTER of a trunk, or a keep-alive.
    pub(crate) fn response(&mut self, now: Time, id: RequestId, code: u16, answer: &Reply) {
        let Some(reference) = self.trunks.by_token.get(&id.0).cloned() else {
            return;
        };
        let Some(state) = self.trunks.states.get_mut(&reference) else {
            return;
        };
        let has_others = state.addresses.len() > 1;
        let Some(registration) = &mut state.registration else {
            return;
        };
        registration.series = Some(answer.series.clone());
        let asked = match registration.stage {
            Stage::Asked(address) => Some(address),
            Stage::Due | Stage::Waits(_) => None,
        };
        let wait = match code {
            200..=299 => {
                let granted = answer
                    .expires_seconds
                    .unwrap_or(registration.expires_seconds);
                refresh_after(granted)
            }
            423 => {
                let wanted = answer
                    .min_expires_seconds
                    .unwrap_or(registration.expires_seconds);
                registration.expires_seconds = registration.expires_seconds.max(wanted);
                Duration::from_secs(1)
            }
            // RFC 3263 §4.3: the next one. Nobody answered for half a minute, so there is no hurry
            // to be held back.
            408 if has_others => Duration::from_secs(1),
            _ => answer
                .retry_after_seconds
                .map_or(REGISTER_RETRY, |seconds| {
                    Duration::from_secs(seconds.into())
                })
                .clamp(REGISTER_RETRY, LONGEST_VALID),
        };
        if let Some(asked) = asked.filter(|_| matches!(code, 408 | 500..=599)) {
            self.trunks.demote(now, &reference, asked);
        }
        self.register_later(now, &reference, wait);
    }

    fn register_later(&mut self, now: Time, reference: &TrunkRef, wait: Duration) {
        let state = self.trunks.states.get_mut(reference);
        if let Some(registration) = state.and_then(|state| state.registration.as_mut()) {
            registration.stage = Stage::Waits(now + wait);
        }
        self.plan_next(reference);
    }

    /// One wake time per trunk: its name is resolved again whenever it registers.
    fn plan_next(&mut self, reference: &TrunkRef) {
        let Some(state) = self.trunks.state(reference) else {
            return;
        };
        let registration = match state
            .registration
            .as_ref()
            .map(|registered| registered.stage)
        {
            Some(Stage::Waits(at)) => Some(at),
            Some(Stage::Due | Stage::Asked(_)) | None => None,
        };
        let next = [state.due, registration].into_iter().flatten().min();
        self.trunks.set_due(reference, next);
    }
}

/// What a trunk's challenges are answered with.
fn credentials_of(trunk: &Trunk) -> Option<Credentials> {
    let register = trunk.register.as_ref()?;
    Some(Credentials::new(&*register.username, &*register.password))
}

/// A registration is refreshed after this part of it, early enough for a few retries.
fn refresh_after(granted_seconds: u32) -> Duration {
    let seconds = u64::from(granted_seconds);
    Duration::from_secs((seconds * 8 / 10).clamp(SHORTEST_REFRESH_SECONDS, LONGEST_VALID.as_secs()))
}

const OWNER_TOKEN_BYTES: usize = 12;
const MAX_ADDRESSES: usize = 8;
const SHORTEST_REFRESH_SECONDS: u64 = 10;
/// When a question to DNS that nobody answered is asked again.
const RESOLVE_TIMEOUT: Duration = Duration::from_mins(1);
const RESOLVE_RETRY: Duration = Duration::from_secs(30);
const SHORTEST_VALID: Duration = Duration::from_secs(30);
const LONGEST_VALID: Duration = Duration::from_hours(1);
/// How long an address that did not answer comes last.
const DEMOTED_FOR: Duration = Duration::from_mins(5);
const REGISTER_RETRY: Duration = Duration::from_secs(30);
