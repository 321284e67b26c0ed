//! One node: SIP messages in, SIP messages, media commands and events out.
//!
//! [`Engine::handle`] takes one input at one instant and says what must be done. It joins the three
//! pure crates that know nothing of one another: `sip` speaks with phones and carriers, `media`
//! reads and writes session descriptions, `pbx` decides. It never sees an RTP packet, opens no
//! socket, reads no clock, and the same inputs give the same effects, bit for bit.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod accounts;
mod auth;
mod bridge;
mod describe;
mod dial;
mod directory;
mod front;
mod guesses;
mod hold;
mod keepalive;
mod legs;
mod offers;
mod originate;
mod outcome;
mod patience;
mod ports;
mod recordings;
mod registrations;
mod rooms;
mod session;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod transfer;
mod trunks;
mod voice;
mod watchers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use media::MediaEvent;
use pbx::{Account, AccountId, CallIds, HangupCause, Ids, LegId, Plan};
use sip::{Challenger, Destination, FlowId, Registrar, Source, Transmit, Ua};

pub use settings::{Counts, Settings};

use directory::Directory;
use guesses::Guesses;
use keepalive::KeepAlive;
use legs::Legs;
use patience::Patience;
use ports::Ports;
use recordings::Recordings;
use rooms::Rooms;
use trunks::Trunks;
use watchers::Watchers;

/// One thing that happened outside.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A whole SIP message came.
    Packet {
        /// Where from.
        source: Source,
        /// The message.
        bytes: &'a [u8],
    },
    /// A connection was closed, by whomever.
    FlowClosed(FlowId),
    /// Nothing can be sent there: refused, unreachable, or the peer does not read.
    SendFailed(Destination),
    /// A media thread has news.
    Media(MediaEvent),
    /// The addresses of a trunk's host, best first. Empty: not found.
    Resolved {
        /// The token of the [`Effect::Resolve`].
        token: u64,
        /// Where to send.
        addresses: Vec<SocketAddr>,
        /// How long that is true.
        valid: Duration,
    },
    /// What a call has asked has an answer.
    Told {
        /// Of which account.
        account: AccountId,
        /// The call.
        call: pbx::CallId,
        /// Its question.
        question: pbx::QuestionId,
        /// What came back.
        told: pbx::Told,
    },
    /// A mailbox holds so many messages: told of each that holds any after its account's first plan,
    /// and whenever it changes.
    Mailbox {
        /// Of which account.
        account: AccountId,
        /// The user's internal number.
        user: Arc<str>,
        /// How many.
        counts: pbx::MailboxCounts,
    },
    /// A new plan of an account. Calls in progress keep theirs.
    Apply(Arc<Plan>),
    /// What stood in an account before the process began. Follows its first plan.
    Restore {
        /// Which account.
        account: AccountId,
        /// Everything that stands.
        standings: Vec<pbx::Standing>,
    },
    /// A program has an agent log in or out, go away or come back. Who is no user changes nothing.
    Agent {
        /// Of which account.
        account: AccountId,
        /// The user's internal number.
        user: Arc<str>,
        /// What changes.
        change: pbx::AgentChange,
    },
    /// An account is no more; its calls end.
    Remove(AccountId),
    /// A program asks for a call; ends in one [`Effect::Originated`], before anything else happens.
    Originate {
        /// Of which account.
        account: AccountId,
        /// What it asks for.
        asked: pbx::Origination,
    },
    /// How much new work the node takes on.
    Load(Load),
    /// Every call ends now: the server stops.
    HangUpAll,
    /// The deadline was reached.
    Wake,
}

/// How much new work the node takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Everything.
    Open,
    /// No new calls: events are not written fast enough. Calls in progress go on.
    Shedding,
    /// No new calls: the server is about to stop.
    Draining,
}

/// One thing that must be done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a SIP message.
    Send(Transmit),
    /// Tell a media thread. The path in the command names the thread.
    Media(media::Command),
    /// Let a path hear these sounds; ends in [`MediaEvent::PlayEnded`], unless they are played for
    /// ever or stopped. A sound that is not to be found is left out.
    Play(Play),
    /// Remember an event.
    Emit(pbx::Event),
    /// The answer to the [`Input::Originate`] of this step.
    Originated {
        /// The call that was begun, or why none was.
        outcome: Result<pbx::CallId, pbx::Unplaced>,
    },
    /// Look up a trunk's host; ends in one [`Input::Resolved`].
    Resolve {
        /// Comes back with the answer.
        token: u64,
        /// A domain name.
        host: Arc<str>,
        /// The port; `None` asks for SRV records first.
        port: Option<u16>,
        /// How the trunk is spoken to.
        transport: sip::Transport,
    },
    /// Ask an address for a call; ends in one [`Input::Told`].
    Ask(Box<pbx::Question>),
    /// Ask a mailbox for a call; ends in one [`Input::Told`].
    AskMailbox(Box<pbx::MailboxQuestion>),
    /// The account's calls were lost by a fault of ours: whoever keeps the record closes them.
    CloseCalls {
        /// Whose.
        account: AccountId,
        /// When.
        at: Time,
    },
}

/// What a path is to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// Whose tones they are.
    pub account: AccountId,
    /// The leg's path.
    pub path: media::PathId,
    /// What the end names.
    pub play: media::PlayId,
    /// What is heard.
    pub sounds: Vec<pbx::Sound>,
    /// How often.
    pub times: pbx::Times,
}

/// What is still to be worked off within one step.
enum Work {
    /// News from the user agent.
    Sip(sip::Event),
    /// News for an account.
    Pbx(AccountId, pbx::Input),
}

/// One node's call control: every account, every leg.
pub struct Engine {
    settings: Settings,
    ua: Ua,
    registrar: Registrar,
    challenger: Challenger,
    directory: Directory,
    accounts: BTreeMap<AccountId, Account>,
    /// When accounts want to be woken.
    wakes: BTreeSet<(Time, AccountId)>,
    wake_of: BTreeMap<AccountId, Time>,
    legs: Legs,
    ports: Ports,
    trunks: Trunks,
    keepalive: KeepAlive,
    patience: Patience,
    ids: Ids,
    load: Load,
    work: VecDeque<Work>,
    effects: Vec<Effect>,
    faults: u64,
    recordings: Recordings,
    rooms: Rooms,
    guesses: Guesses,
    watchers: Watchers,
    refused_passwords: u64,
    locked_out: u64,
}

impl Engine {
    /// A node without accounts. Equal settings make equal engines.
    pub fn new(settings: Settings) -> Self {
        let ua = Ua::new(settings.user_agent.clone(), settings.seed);
        let calls = CallIds::new(settings.node, settings.first_call_at);
        Self {
            ua,
            registrar: Registrar::new(settings.registrar),
            challenger: Challenger::new(settings.secret),
            directory: Directory::default(),
            accounts: BTreeMap::new(),
            wakes: BTreeSet::new(),
            wake_of: BTreeMap::new(),
            legs: Legs::default(),
            ports: Ports::default(),
            trunks: Trunks::new(settings.secret),
            keepalive: KeepAlive::default(),
            patience: Patience::default(),
            ids: Ids::new(calls, LegId(1)),
            load: Load::Open,
            work: VecDeque::new(),
            effects: Vec::new(),
            faults: 0,
            recordings: Recordings::default(),
            rooms: Rooms::default(),
            guesses: Guesses::default(),
            watchers: Watchers::default(),
            refused_passwords: 0,
            locked_out: 0,
            settings,
        }
    }

    /// Takes one input and says what must be done.
    pub fn handle(&mut self, now: Time, input: Input<'_>) -> Vec<Effect> {
        self.take(now, input);
        // Each piece of work comes from an input or ends a leg or a transaction; the limit only
        // guards the node against a fault of ours.
        for _ in 0..MAX_WORK_PER_STEP {
            match self.work.pop_front() {
                None => break,
                Some(Work::Sip(event)) => self.sip_event(now, event),
                Some(Work::Pbx(account, input)) => self.pbx_input(now, account, input),
            }
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`Input::Wake`] is due.
    pub fn deadline(&self) -> Option<Time> {
        let account = self.wakes.first().map(|(at, _)| *at);
        [
            self.ua.deadline(),
            self.registrar.deadline(),
            account,
            self.trunks.deadline(),
            self.keepalive.deadline(),
            self.patience.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How many of each there are, for metrics and tests against leaks.
    pub fn counts(&self) -> Counts {
        Counts {
            accounts: self.accounts.len(),
            calls: self.accounts.values().map(Account::call_count).sum(),
            legs: self.legs.len(),
            registrations: self.registrar.len(),
            ports_in_stock: self.ports.len(),
            user_agent: self.ua.counts(),
            faults: self.faults,
            refused_passwords: self.refused_passwords,
            locked_out: self.locked_out,
            closing_paths: self.legs.closing_len(),
            recordings: self.recordings.len(),
            watched: self.watchers.watched_len(),
            rooms: self.rooms.len(),
        }
    }

    fn take(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Packet { source, bytes } => {
                let outputs = self.ua.receive(now, source, bytes);
                self.carry_out(outputs);
            }
            Input::FlowClosed(flow) => {
                self.registrar.flow_closed(flow);
                let outputs = self.ua.flow_closed(now, flow);
                self.carry_out(outputs);
            }
            Input::SendFailed(to) => {
                let outputs = self.ua.send_failed(now, to);
                self.carry_out(outputs);
            }
            Input::Media(event) => self.media_event(now, event),
            Input::Resolved {
                token,
                addresses,
                valid,
            } => {
                self.trunk_resolved(now, token, addresses, valid);
            }
            Input::Told {
                account,
                call,
                question,
                told,
            } => {
                let input = pbx::Input::Told {
                    call,
                    question,
                    told,
                };
                self.work.push_back(Work::Pbx(account, input));
            }
            Input::Mailbox {
                account,
                user,
                counts,
            } => self.mailbox_changed(now, account, user, counts),
            Input::Apply(plan) => self.apply(now, plan),
            Input::Restore { account, standings } => self.restore(now, account, &standings),
            Input::Agent {
                account,
                user,
                change,
            } => {
                let input = pbx::Input::Agent { user, change };
                self.work.push_back(Work::Pbx(account, input));
            }
            Input::Remove(account) => self.remove(now, account),
            Input::Originate { account, asked } => self.originate(now, account, asked),
            Input::Load(load) => self.load = load,
            Input::HangUpAll => {
                for account in self.accounts.keys() {
                    let input = pbx::Input::EndAll {
                        cause: HangupCause::Shutdown,
                    };
                    self.work.push_back(Work::Pbx(*account, input));
                }
            }
            Input::Wake => self.wake(now),
        }
    }

    fn wake(&mut self, now: Time) {
        if self.ua.deadline().is_some_and(|at| at <= now) {
            let outputs = self.ua.wake(now);
            self.carry_out(outputs);
        }
        self.registrar.expire(now);
        while let Some((at, account)) = self.wakes.first().copied()
            && at <= now
        {
            self.set_wake(account, None);
            self.work.push_back(Work::Pbx(account, pbx::Input::Wake));
        }
        self.trunks_due(now);
        self.keepalive_due(now);
        self.patience_due(now);
    }

    /// Sends what the user agent wants sent; its news waits for its turn.
    fn carry_out(&mut self, outputs: Vec<sip::Output>) {
        for output in outputs {
            match output {
                sip::Output::Send(transmit) => self.effects.push(Effect::Send(transmit)),
                sip::Output::Event(event) => self.work.push_back(Work::Sip(event)),
            }
        }
    }

    /// Lets an account handle an input and does what it says. A step that panics ends that
    /// account's calls; the node and the other accounts go on.
    fn pbx_input(&mut self, now: Time, id: AccountId, input: pbx::Input) {
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        let ids = &mut self.ids;
        let step = catch_unwind(AssertUnwindSafe(|| account.handle(now, input, ids)));
        match step {
            Ok(effects) => {
                let deadline = account.deadline();
                self.set_wake(id, deadline);
                for effect in effects {
                    self.pbx_effect(now, id, effect);
                }
            }
            Err(_) => self.account_fault(now, id),
        }
    }

    fn pbx_effect(&mut self, now: Time, account: AccountId, effect: pbx::Effect) {
        match effect {
            pbx::Effect::Dial {
                call,
                leg,
                for_leg,
                target,
                caller,
            } => {
                let dial = dial::Dial {
                    call,
                    leg,
                    for_leg,
                    target,
                    caller,
                };
                self.dial(now, account, &dial);
            }
            pbx::Effect::Ring { leg } => self.ring(now, leg),
            pbx::Effect::EarlyMedia { leg, from } => self.early_media(now, leg, from),
            pbx::Effect::PickUp { call, leg } => self.pick_up(now, call, leg),
            pbx::Effect::Connect { leg, with } => self.connect_caller(now, leg, with),
            pbx::Effect::Play {
                leg,
                play,
                sounds,
                times,
            } => {
                self.hear_us(leg);
                let play = self.path_of(leg).map(|path| Play {
                    account,
                    path,
                    play: media::PlayId(play.0),
                    sounds,
                    times,
                });
                self.effects.extend(play.map(Effect::Play));
            }
            pbx::Effect::StopPlaying { leg } => self.stop_playing(leg),
            pbx::Effect::Record {
                leg,
                recording,
                voice,
                limits,
            } => self.record(now, (account, leg), (recording, voice), limits),
            pbx::Effect::PauseRecording { leg, recording } => self.pause_recording(leg, recording),
            pbx::Effect::ResumeRecording { leg, recording } => {
                self.resume_recording(leg, recording);
            }
            pbx::Effect::StopRecording { leg, recording } => self.stop_recording(leg, recording),
            pbx::Effect::JoinRoom { leg, room, speech } => self.join_room(now, leg, &room, speech),
            pbx::Effect::LeaveRoom { leg } => self.leave_room(leg),
            pbx::Effect::Part { leg } => self.part(now, leg),
            pbx::Effect::Referral { leg, progress } => self.referral(now, leg, progress),
            pbx::Effect::HangUp { leg, cause } => self.hang_up(now, leg, cause),
            pbx::Effect::Emit(event) => self.effects.push(Effect::Emit(event)),
            pbx::Effect::Ask(question) => self.effects.push(Effect::Ask(question)),
            pbx::Effect::Watched { name, lines } => self.lamp_changed(now, account, name, lines),
            pbx::Effect::AskMailbox(question) => self.effects.push(Effect::AskMailbox(question)),
            pbx::Effect::Originated { outcome } => {
                self.effects.push(Effect::Originated { outcome });
            }
        }
    }

    fn set_wake(&mut self, account: AccountId, at: Option<Time>) {
        let before = match at {
            Some(at) => self.wake_of.insert(account, at),
            None => self.wake_of.remove(&account),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.wakes.remove(&(before, account));
        }
        if let Some(at) = at {
            self.wakes.insert((at, account));
        }
    }

    /// Keeps a call's media report with the call.
    fn emit_leg_closed(&mut self, now: Time, closed: legs::Closed, report: pbx::LegReport) {
        let legs::Closed {
            account,
            call,
            leg,
            role,
        } = closed;
        let fact = pbx::Fact::LegClosed { leg, role, report };
        self.effects.push(Effect::Emit(pbx::Event {
            at: now,
            account,
            call,
            fact,
        }));
    }
}

/// Pieces of work in one step before the rest waits for the next one.
const MAX_WORK_PER_STEP: usize = 100_000;
