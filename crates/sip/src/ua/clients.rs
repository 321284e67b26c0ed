//! Client transactions: our requests, with the one message each may have to send again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use clock::Time;

use super::Ua;
use super::compose;
use super::inside::Inside;
use super::keys::{Branch, ClientKey, Lane};
use super::step::Step;
use super::timers::Timer;
use super::types::{DialogId, RequestId, SubscriptionId};
use crate::digest::client::Credentials;
use crate::transaction::client_invite::{Action, ClientInvite, Input};
use crate::transaction::{Reliability, client};
use crate::{Destination, FlowId, Message, Method, Source, Transport};

/// The machine of an INVITE or of another request; both speak the words of the INVITE's.
#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(ClientInvite),
    Other(client::Client),
}

impl Machine {
    fn start(method: Method, now: Time, reliability: Reliability) -> Self {
        if method == Method::Invite {
            Self::Invite(ClientInvite::start(now, reliability))
        } else {
            Self::Other(client::Client::start(now, reliability))
        }
    }

    fn step(self, input: Input, now: Time, reliability: Reliability) -> (Self, Action) {
        match self {
            Self::Invite(state) => {
                let (state, action) = state.step(input, now, reliability);
                (Self::Invite(state), action)
            }
            Self::Other(state) => {
                let input = match input {
                    Input::Wake => client::Input::Wake,
                    Input::Provisional => client::Input::Provisional,
                    Input::Success | Input::Failure => client::Input::Final,
                    Input::TransportFailed => client::Input::TransportFailed,
                };
                let (state, action) = state.step(input, now, reliability);
                let action = match action {
                    client::Action::Nothing => Action::Nothing,
                    client::Action::Resend => Action::Resend,
                    client::Action::Deliver => Action::Deliver,
                    client::Action::TimeOut => Action::TimeOut,
                    client::Action::Unreachable => Action::Unreachable,
                };
                (Self::Other(state), action)
            }
        }
    }

    fn deadline(self) -> Option<Time> {
        match self {
            Self::Invite(state) => state.deadline(),
            Self::Other(state) => state.deadline(),
        }
    }

    fn is_over(self) -> bool {
        match self {
            Self::Invite(state) => state == ClientInvite::Terminated,
            Self::Other(state) => state == client::Client::Terminated,
        }
    }

    /// Whether only repetitions of the final answer are still met.
    fn lingers(self) -> bool {
        matches!(
            self,
            Self::Invite(ClientInvite::Completed { .. })
                | Self::Other(client::Client::Completed { .. })
        )
    }
}

/// Who asked for a request.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// The call that it shall make.
    Invite(DialogId),
    /// The call, for a new session.
    Reinvite(DialogId),
    /// The call, for a refresh.
    Update(DialogId),
    /// The call, for the peer's ears only.
    Info(DialogId),
    /// The call, because of a provisional answer.
    Prack(DialogId),
    /// The call, to tell how a call goes that the peer asked for.
    Notify(DialogId),
    /// The subscription.
    Notification(SubscriptionId),
    /// The call that it ends.
    Bye(DialogId),
    /// Nobody: a CANCEL, or the BYE to a fork that came too late.
    Nobody,
    /// The owner of the node.
    Request(RequestId, Option<Box<Credentials>>),
}

/// How often a challenge was answered for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Not yet.
    First,
    /// Once; a second time only if merely the nonce was too old.
    Second,
    /// As often as it will be.
    Last,
}

/// A request of ours that awaits its answer, or is remembered.
pub(crate) struct Client {
    machine: Machine,
    secret: u64,
    /// Where it was sent.
    pub(crate) to: Destination,
    /// The request; after the final answer to an INVITE its ACK; else nothing.
    pub(crate) bytes: Box<[u8]>,
    /// Who asked.
    pub(crate) owner: Owner,
    /// How often a challenge was answered.
    pub(crate) attempt: Attempt,
    /// Where the ACK for a 2xx went.
    pub(crate) ack_to: Destination,
    /// Hashes of the To values of forks that answered 2xx too late, and were sent a BYE.
    pub(crate) dismissed: Vec<u128>,
    /// The call inside of which it is.
    inside: Option<DialogId>,
    armed: Option<Time>,
}

impl Owner {
    /// The call inside of which the request is.
    fn inside(&self) -> Option<DialogId> {
        match self {
            Self::Reinvite(dialog)
            | Self::Update(dialog)
            | Self::Info(dialog)
            | Self::Prack(dialog)
            | Self::Notify(dialog) => Some(*dialog),
            Self::Notification(subscription) => Some(subscription.dialog()),
            Self::Invite(_) | Self::Bye(_) | Self::Nobody | Self::Request(..) => None,
        }
    }
}

impl Client {
    /// The branch of the request.
    pub(crate) fn branch(&self, key: ClientKey) -> Branch {
        Branch {
            number: key.number,
            secret: self.secret,
        }
    }

    /// Whether nothing at all has come back yet. A CANCEL must wait then (RFC 3261 §9.1).
    pub(crate) fn is_unheard(&self) -> bool {
        matches!(
            self.machine,
            Machine::Invite(ClientInvite::Calling { .. })
                | Machine::Other(client::Client::Trying { .. })
        )
    }

    fn step(&mut self, input: Input, now: Time) -> Action {
        let (machine, action) = self
            .machine
            .step(input, now, Reliability::of(self.to.transport));
        self.machine = machine;
        action
    }
}

/// A request about to be sent.
pub(crate) struct Sending {
    /// The branch it carries.
    pub(crate) branch: Branch,
    /// Its method.
    pub(crate) method: Method,
    /// Where it goes.
    pub(crate) to: Destination,
    /// The whole message.
    pub(crate) bytes: Vec<u8>,
    /// Who asked.
    pub(crate) owner: Owner,
    /// How often a challenge was answered for it.
    pub(crate) attempt: Attempt,
}

/// The client transactions of a node.
#[derive(Default)]
pub(crate) struct Clients {
    table: BTreeMap<ClientKey, Client>,
    last_number: u64,
    /// Whom a failure to send concerns.
    peers: BTreeSet<(Transport, SocketAddr, ClientKey)>,
    /// Whom the end of a connection concerns.
    flows: BTreeSet<(FlowId, ClientKey)>,
    inside: Inside,
}

/// An answer on its way to who asked.
#[derive(Clone, Copy)]
pub(crate) struct Answered<'a, 'm> {
    /// The transaction.
    pub(crate) key: ClientKey,
    /// The answer.
    pub(crate) answer: &'a Message<'m>,
    /// Its status code.
    pub(crate) code: u16,
    /// Where it came from.
    pub(crate) source: Source,
    /// What the transaction kept: the request, or the ACK when a 2xx comes again; nothing for a
    /// provisional answer.
    pub(crate) request: &'a [u8],
}

/// Why no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// None in time.
    TimeOut,
    /// The request could not be sent.
    Unreachable,
}

impl Failure {
    /// The status code that stands for it (RFC 3261 §8.1.3.1).
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::TimeOut => 408,
            Self::Unreachable => 503,
        }
    }
}

impl Clients {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The transaction of that key.
    pub(crate) fn find(&self, key: ClientKey) -> Option<&Client> {
        self.table.get(&key)
    }

    /// The same, to be changed.
    pub(crate) fn find_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.table.get_mut(&key)
    }

    /// Whether a call has as many requests as it may.
    pub(crate) fn is_full_for(&self, dialog: DialogId) -> bool {
        self.inside.is_full_for(dialog)
    }

    /// A number no other transaction has.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The transaction that an answer belongs to (RFC 3261 §17.1.3).
    fn key_of(&self, answer: &Message<'_>) -> Option<ClientKey> {
        let branch = Branch::parse(answer.top_via()?.branch()?)?;
        let lane = Lane::of(answer.cseq()?.method);
        let key = ClientKey {
            number: branch.number,
            lane,
        };
        (self.table.get(&key)?.secret == branch.secret).then_some(key)
    }

    fn insert(&mut self, key: ClientKey, client: Client) {
        self.peers
            .insert((client.to.transport, client.to.remote, key));
        if let Some(flow) = stream_of(client.to) {
            self.flows.insert((flow, key));
        }
        self.inside.add(client.inside);
        self.table.insert(key, client);
    }

    fn remove(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.table.remove(&key)?;
        self.peers
            .remove(&(client.to.transport, client.to.remote, key));
        if let Some(flow) = stream_of(client.to) {
            self.flows.remove(&(flow, key));
        }
        self.inside.remove(client.inside);
        Some(client)
    }
}

impl Ua {
    /// A branch for the next request.
    pub(crate) fn next_branch(&mut self) -> Branch {
        Branch {
            number: self.clients.next_number(),
            secret: self.random.next(),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn start_client(&mut self, sending: Sending, step: &mut Step) -> ClientKey {
        let lane = Lane::of(sending.method);
        let key = ClientKey {
            number: sending.branch.number,
            lane,
        };
        let reliability = Reliability::of(sending.to.transport);
        let mut client = Client {
            machine: Machine::start(sending.method, step.now, reliability),
            secret: sending.branch.secret,
            to: sending.to,
            bytes: sending.bytes.as_slice().into(),
            inside: sending.owner.inside(),
            owner: sending.owner,
            attempt: sending.attempt,
            ack_to: sending.to,
            dismissed: Vec::new(),
            armed: None,
        };
        let next = client.machine.deadline();
        self.timers.arm(Timer::Client(key), &mut client.armed, next);
        self.clients.insert(key, client);
        step.send(sending.to, sending.bytes);
        key
    }

    /// An answer has come. One that no transaction awaits is dropped (RFC 3261 §18.1.2).
    pub(crate) fn answer_came(&mut self, answer: &Message<'_>, source: Source, step: &mut Step) {
        let Some(key) = self.clients.key_of(answer) else {
            return;
        };
        let Some(line) = answer.status_line() else {
            return;
        };
        let Some(client) = self.clients.find_mut(key) else {
            return;
        };
        let input = match line.code {
            ..200 => Input::Provisional,
            200..300 => Input::Success,
            300.. => Input::Failure,
        };
        let answered = Answered {
            key,
            answer,
            code: line.code,
            source,
            request: &[],
        };
        match client.step(input, step.now) {
            Action::Nothing | Action::TimeOut | Action::CancelAndTimeOut | Action::Unreachable => {}
            Action::Resend => step.send(client.to, client.bytes.to_vec()),
            Action::AcknowledgeAndDeliver => {
                let request = std::mem::take(&mut client.bytes);
                if let Some(ack) = compose::ack_of_refusal(&request, answer) {
                    client.bytes = ack.as_slice().into();
                    step.send(client.to, ack);
                }
                self.deliver(
                    &Answered {
                        request: &request,
                        ..answered
                    },
                    step,
                );
            }
            Action::Deliver if input == Input::Provisional => self.deliver(&answered, step),
            Action::Deliver => {
                // After a 2xx to an INVITE its call puts the ACK there.
                let request = std::mem::take(&mut client.bytes);
                self.deliver(
                    &Answered {
                        request: &request,
                        ..answered
                    },
                    step,
                );
            }
        }
        self.settle_client(key, step);
    }

    /// The deadline of a transaction has come.
    pub(crate) fn wake_client(&mut self, key: ClientKey, step: &mut Step) {
        if let Some(client) = self.clients.find_mut(key) {
            client.armed = None;
        }
        self.step_client(key, Input::Wake, step);
    }

    /// The way to a peer is closed for every request that has not been heard of (RFC 3261 §17.1.4).
    pub(crate) fn peer_failed(&mut self, to: Destination, step: &mut Step) {
        let (low, high) = ClientKey::ALL;
        let range = (to.transport, to.remote, low)..=(to.transport, to.remote, high);
        let keys: Vec<_> = self
            .clients
            .peers
            .range(range)
            .map(|(_, _, key)| *key)
            .collect();
        for key in keys {
            let other_flow = self.clients.find(key).and_then(|client| client.to.flow);
            let concerns = to.flow.is_none() || other_flow.is_none() || other_flow == to.flow;
            if concerns {
                self.step_client(key, Input::TransportFailed, step);
            }
        }
    }

    /// The same for a connection.
    pub(crate) fn flow_failed(&mut self, flow: FlowId, step: &mut Step) {
        let (low, high) = ClientKey::ALL;
        let range = (flow, low)..=(flow, high);
        let keys: Vec<_> = self
            .clients
            .flows
            .range(range)
            .map(|(_, key)| *key)
            .collect();
        for key in keys {
            self.step_client(key, Input::TransportFailed, step);
        }
    }

    /// Drops a transaction without a word to its owner.
    pub(crate) fn forget_client(&mut self, key: ClientKey) {
        if let Some(mut client) = self.clients.remove(key) {
            self.timers.arm(Timer::Client(key), &mut client.armed, None);
        }
    }

    fn step_client(&mut self, key: ClientKey, input: Input, step: &mut Step) {
        let Some(client) = self.clients.find_mut(key) else {
            return;
        };
        match client.step(input, step.now) {
            Action::Nothing | Action::Deliver | Action::AcknowledgeAndDeliver => {}
            Action::Resend => step.send(client.to, client.bytes.to_vec()),
            Action::TimeOut => return self.give_up(key, Failure::TimeOut, step),
            Action::CancelAndTimeOut => {
                self.send_cancel(key, None, step);
                return self.give_up(key, Failure::TimeOut, step);
            }
            Action::Unreachable => return self.give_up(key, Failure::Unreachable, step),
        }
        self.settle_client(key, step);
    }

    fn give_up(&mut self, key: ClientKey, failure: Failure, step: &mut Step) {
        let Some(mut client) = self.clients.remove(key) else {
            return;
        };
        self.timers.arm(Timer::Client(key), &mut client.armed, None);
        self.no_answer(&client, failure, step);
    }

    /// Frees what is over, and sets the timer.
    fn settle_client(&mut self, key: ClientKey, step: &Step) {
        let Some(client) = self.clients.find_mut(key) else {
            return;
        };
        let due_now = client.machine.deadline().is_some_and(|due| due <= step.now);
        if due_now && client.machine.lingers() {
            // A stream needs no lingering: timers D and K are zero there.
            client.step(Input::Wake, step.now);
        }
        if client.machine.is_over() {
            return self.forget_client(key);
        }
        let next = client.machine.deadline();
        self.timers.arm(Timer::Client(key), &mut client.armed, next);
    }
}

fn stream_of(to: Destination) -> Option<FlowId> {
    to.flow.filter(|_| to.transport.is_reliable())
}
