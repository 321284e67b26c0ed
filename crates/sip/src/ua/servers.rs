//! Server transactions: the requests of peers, with the one answer each may have to send again.

use std::collections::{BTreeMap, BTreeSet};

use clock::Time;

use super::Ua;
use super::compose::Head;
use super::inside::Inside;
use super::keys::{MergeKey, ServerKey};
use super::step::Step;
use super::timers::Timer;
use super::types::DialogId;
use crate::transaction::server_invite::{Action, Input, ServerInvite};
use crate::transaction::{Reliability, server};
use crate::{Destination, FlowId, Method};

/// The machine of an INVITE or of another request; both speak the words of the INVITE's.
#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(ServerInvite),
    Other(server::Server),
}

impl Machine {
    fn start(method: Method, now: Time) -> Self {
        if method == Method::Invite {
            Self::Invite(ServerInvite::start(now))
        } else {
            Self::Other(server::Server::start(now))
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
                    Input::Wake => server::Input::Wake,
                    Input::Request => server::Input::Request,
                    Input::Success | Input::Failure => server::Input::Final,
                    Input::Ack | Input::Provisional => return (self, Action::Nothing),
                };
                let (state, action) = state.step(input, now, reliability);
                let action = match action {
                    server::Action::Nothing => Action::Nothing,
                    server::Action::StoreAndSend => Action::StoreAndSend,
                    server::Action::Resend => Action::Resend,
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
            Self::Invite(state) => state == ServerInvite::Terminated,
            Self::Other(state) => state == server::Server::Terminated,
        }
    }
}

/// A request of a peer that is being answered, or remembered.
#[derive(Debug)]
pub(crate) struct Server {
    machine: Machine,
    /// Where answers go.
    pub(crate) to: Destination,
    /// What its answers begin with, until the final one.
    pub(crate) head: Head,
    /// The last answer, while it may have to be sent again.
    answer: Box<[u8]>,
    /// The call it belongs to.
    pub(crate) call: Option<DialogId>,
    merge: Option<MergeKey>,
    armed: Option<Time>,
}

/// What makes a server transaction.
pub(crate) struct Opening {
    /// Its key.
    pub(crate) key: ServerKey,
    /// The method of the request.
    pub(crate) method: Method,
    /// Where answers go.
    pub(crate) to: Destination,
    /// What its answers begin with; nothing if it is answered at once.
    pub(crate) head: Head,
    /// The call it belongs to.
    pub(crate) call: Option<DialogId>,
    /// How another copy of it would be known.
    pub(crate) merge: Option<MergeKey>,
}

/// The server transactions of a node.
#[derive(Default)]
pub(crate) struct Servers {
    table: BTreeMap<ServerKey, Server>,
    merged: BTreeMap<MergeKey, ServerKey>,
    /// The connections that calls which are not answered yet came by.
    callers: BTreeSet<(FlowId, DialogId, ServerKey)>,
    inside: Inside,
}

impl Servers {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The transaction of that key.
    pub(crate) fn find(&self, key: ServerKey) -> Option<&Server> {
        self.table.get(&key)
    }

    /// Whether a call has as many requests as it may.
    pub(crate) fn is_full_for(&self, dialog: DialogId) -> bool {
        self.inside.is_full_for(dialog)
    }

    /// The calls that came by a connection and are not answered yet.
    pub(crate) fn callers_on(&self, flow: FlowId) -> Vec<(DialogId, ServerKey)> {
        let from = (flow, DialogId(0), ServerKey::LEAST);
        let of_flow = self
            .callers
            .range(from..)
            .take_while(|(other, ..)| *other == flow);
        of_flow.map(|(_, dialog, key)| (*dialog, *key)).collect()
    }

    /// Whether the same request is already being served under another key (RFC 3261 §8.2.2.2).
    pub(crate) fn has_twin(&self, merge: MergeKey, key: ServerKey) -> bool {
        self.merged.get(&merge).is_some_and(|other| *other != key)
    }
}

impl Ua {
    /// Starts a transaction. The owner answers at once or later.
    pub(crate) fn open_server(&mut self, opening: Opening, step: &Step) {
        let mut server = Server {
            machine: Machine::start(opening.method, step.now),
            to: opening.to,
            head: opening.head,
            answer: Box::default(),
            call: opening.call,
            merge: opening.merge,
            armed: None,
        };
        let next = server.machine.deadline();
        self.timers
            .arm(Timer::Server(opening.key), &mut server.armed, next);
        if let Some(merge) = opening.merge {
            self.servers.merged.insert(merge, opening.key);
        }
        if let Some((flow, dialog)) = server.caller() {
            self.servers.callers.insert((flow, dialog, opening.key));
        }
        self.servers.inside.add(server.call);
        self.servers.table.insert(opening.key, server);
    }

    /// Sends an answer of the owner through its transaction.
    pub(crate) fn answer_server(&mut self, key: ServerKey, answer: Composed, step: &mut Step) {
        let input = match answer.code {
            ..200 => Input::Provisional,
            200..300 => Input::Success,
            300.. => Input::Failure,
        };
        self.step_server(key, input, answer.bytes, step);
    }

    /// A repeated request, or an ACK, meets its transaction. Says whether there is one, and
    /// whether an ACK in it acknowledges a 2xx of the call's.
    pub(crate) fn meet_server(&mut self, key: ServerKey, input: Input, step: &mut Step) -> Met {
        if !self.servers.table.contains_key(&key) {
            return Met::Nobody;
        }
        match self.step_server(key, input, Vec::new(), step) {
            Action::DeliverAck => Met::Acceptance,
            Action::Nothing
            | Action::SendTrying
            | Action::StoreAndSend
            | Action::Send
            | Action::Resend => Met::Transaction,
        }
    }

    /// The deadline of a transaction has come.
    pub(crate) fn wake_server(&mut self, key: ServerKey, step: &mut Step) {
        if let Some(server) = self.servers.table.get_mut(&key) {
            server.armed = None;
        }
        self.step_server(key, Input::Wake, Vec::new(), step);
    }

    fn step_server(
        &mut self,
        key: ServerKey,
        input: Input,
        answer: Vec<u8>,
        step: &mut Step,
    ) -> Action {
        let Some(server) = self.servers.table.get_mut(&key) else {
            return Action::Nothing;
        };
        let (machine, action) = server.machine.step(input, step.now, reliability(server.to));
        server.machine = machine;
        match action {
            Action::Nothing | Action::DeliverAck => {}
            Action::Send => step.send(server.to, answer),
            Action::Resend => step.send(server.to, server.answer.to_vec()),
            Action::StoreAndSend => {
                server.answer = answer.as_slice().into();
                step.send(server.to, answer);
            }
            Action::SendTrying => {
                let trying = server.head.trying();
                server.answer = trying.as_slice().into();
                step.send(server.to, trying);
            }
        }
        self.settle_server(key, step);
        action
    }

    /// Frees what the new state needs no more, and sets the timer.
    fn settle_server(&mut self, key: ServerKey, step: &Step) {
        let Some(server) = self.servers.table.get_mut(&key) else {
            return;
        };
        let due_now = server.machine.deadline().is_some_and(|due| due <= step.now);
        if due_now && server.is_final() {
            // A stream needs no lingering: timers I and J are zero there.
            (server.machine, _) =
                server
                    .machine
                    .step(Input::Wake, step.now, reliability(server.to));
        }
        if server.is_final() {
            server.head = Head::default();
            if let Some((flow, dialog)) = server.caller() {
                self.servers.callers.remove(&(flow, dialog, key));
            }
        }
        if server.needs_no_answer() {
            server.answer = Box::default();
        }
        let next = server.machine.deadline();
        self.timers.arm(Timer::Server(key), &mut server.armed, next);
        if server.machine.is_over() {
            self.forget_server(key);
        }
    }

    fn forget_server(&mut self, key: ServerKey) {
        let Some(server) = self.servers.table.remove(&key) else {
            return;
        };
        self.servers.inside.remove(server.call);
        if let Some(merge) = server.merge
            && self.servers.merged.get(&merge) == Some(&key)
        {
            self.servers.merged.remove(&merge);
        }
    }
}

impl Server {
    fn is_final(&self) -> bool {
        match self.machine {
            Machine::Invite(ServerInvite::Trying { .. } | ServerInvite::Proceeding)
            | Machine::Other(server::Server::Trying { .. }) => false,
            Machine::Invite(_) | Machine::Other(_) => true,
        }
    }

    /// The connection of a caller.
    fn caller(&self) -> Option<(FlowId, DialogId)> {
        let flow = self.to.flow.filter(|_| self.to.transport.is_reliable())?;
        Some((flow, self.call?))
    }

    fn needs_no_answer(&self) -> bool {
        matches!(
            self.machine,
            Machine::Invite(ServerInvite::Confirmed { .. } | ServerInvite::Accepted { .. })
        )
    }
}

/// An answer in the form in which it goes out.
pub(crate) struct Composed {
    /// Its status code.
    pub(crate) code: u16,
    /// The whole message.
    pub(crate) bytes: Vec<u8>,
}

/// What a request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// No transaction: it is new.
    Nobody,
    /// Its transaction, which did what had to be done.
    Transaction,
    /// A transaction that ended with 2xx: the ACK is the call's.
    Acceptance,
}

fn reliability(to: Destination) -> Reliability {
    Reliability::of(to.transport)
}
