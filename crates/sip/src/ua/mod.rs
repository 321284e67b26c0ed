//! The user agent of one node: its transactions, its calls, and the requests outside calls.
//!
//! A step takes the time and one input, and returns what must be done: bytes to send, news for the
//! owner. Nothing here waits, reads a clock, or opens a socket.
//!
//! **Invariant:** what a peer sends changes at most its own transaction and its own call, is
//! answered or dropped, and never makes a table grow over its limit.

mod answers;
mod call;
mod called;
mod calling;
mod clients;
mod compose;
mod early;
mod ending;
mod info;
mod inside;
mod keys;
mod notices;
mod ours;
mod outside;
mod random;
mod reason;
mod referrals;
mod reliable;
mod replaces;
mod requests;
mod retry;
mod servers;
mod step;
mod subscriptions;
mod theirs;
mod timers;
mod types;
mod wake;

use std::collections::BTreeMap;

use clock::Time;

use self::call::Call;
use self::clients::Clients;
use self::compose::Identity;
pub(crate) use self::compose::address;
use self::keys::ServerKey;
use self::random::{HashKey, Random};
pub use self::replaces::Replaced;
use self::servers::Servers;
use self::step::Step;
use self::subscriptions::Subscriptions;
pub use self::subscriptions::{Package, Termination};
use self::timers::{Timer, Timers};
pub use self::types::{
    Answer, Contacts, Counts, DialogId, EndCause, Event, Incoming, Invite, Limits, NatPolicy,
    OutRequest, Output, Party, Reason, Referral, Refusal, ReplaceScope, Replaces, Reply, RequestId,
    Series, SubscriptionEnd, SubscriptionId, SubscriptionNews, UaConfig, Withdrawal,
};
use crate::{Destination, FlowId, Message, Source};

/// The user agent of one node.
pub struct Ua {
    identity: Identity,
    limits: Limits,
    session_seconds: u32,
    key: HashKey,
    random: Random,
    last_dialog: u64,
    servers: Servers,
    clients: Clients,
    calls: BTreeMap<DialogId, Call>,
    subscriptions: Subscriptions,
    timers: Timers,
}

impl Ua {
    /// A user agent without calls. The seed decides every tag, branch and delay.
    pub fn new(config: UaConfig, seed: u64) -> Self {
        Self {
            identity: Identity::new(config.product, config.contacts),
            limits: config.limits,
            session_seconds: config
                .session_expires_seconds
                .max(crate::session_timer::MIN_SE_SECONDS),
            key: HashKey::from_seed(seed, 0),
            random: Random::new(seed),
            last_dialog: 0,
            servers: Servers::default(),
            clients: Clients::default(),
            calls: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            timers: Timers::default(),
        }
    }

    /// A number for a new dialog, for `open` or `invite`.
    pub fn next_dialog_id(&mut self) -> DialogId {
        self.last_dialog += 1;
        DialogId(self.last_dialog)
    }

    /// Takes one whole message.
    pub fn receive(&mut self, now: Time, source: Source, bytes: &[u8]) -> Vec<Output> {
        let mut step = Step::at(now);
        match Message::parse(bytes, compose::framing(source.transport)) {
            Ok(message) if message.request_line().is_some() => {
                self.request_came(&message, bytes, source, &mut step);
            }
            Ok(answer) => self.answer_came(&answer, source, &mut step),
            Err(malformed) => self.malformed_came(&malformed, source, &mut step),
        }
        step.finish()
    }

    /// A connection is closed.
    pub fn flow_closed(&mut self, now: Time, flow: FlowId) -> Vec<Output> {
        let mut step = Step::at(now);
        self.flow_failed(flow, &mut step);
        self.callers_gone(flow, &mut step);
        step.finish()
    }

    /// Something could not be sent: connection refused, host unreachable, write timed out.
    pub fn send_failed(&mut self, now: Time, to: Destination) -> Vec<Output> {
        let mut step = Step::at(now);
        self.peer_failed(to, &mut step);
        step.finish()
    }

    /// When [`Ua::wake`] must be called.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.deadline()
    }

    /// Does everything that is due.
    pub fn wake(&mut self, now: Time) -> Vec<Output> {
        let mut step = Step::at(now);
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Server(key) => self.wake_server(key, &mut step),
                Timer::Client(key) => self.wake_client(key, &mut step),
                Timer::Call(dialog) => self.wake_call(dialog, &mut step),
                Timer::Subscription(id) => self.wake_subscription(id, &mut step),
            }
        }
        step.finish()
    }

    /// How much is kept.
    pub fn counts(&self) -> Counts {
        Counts {
            server_transactions: self.servers.len(),
            client_transactions: self.clients.len(),
            dialogs: self.calls.len(),
            subscriptions: self.subscriptions.len(),
        }
    }

    /// Takes a call out of the table to look at it; [`Self::keep_call`] puts it back.
    fn take_call(&mut self, dialog: DialogId) -> Option<Call> {
        let mut call = self.calls.remove(&dialog)?;
        self.timers.arm(Timer::Call(dialog), &mut call.armed, None);
        Some(call)
    }

    fn keep_call(&mut self, dialog: DialogId, mut call: Call) {
        let next = call.deadline();
        self.timers.arm(Timer::Call(dialog), &mut call.armed, next);
        self.calls.insert(dialog, call);
    }
}

/// A request as it came, and its transaction.
#[derive(Clone, Copy)]
struct Arrival<'a, 'm> {
    key: ServerKey,
    message: &'a Message<'m>,
    bytes: &'a [u8],
    source: Source,
    /// The call it is inside of, once that is known.
    inside: Option<DialogId>,
}
