//! The engine within the loop: each input is recorded and taken, each effect is done or handed to the
//! thread that does it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clock::Time;
use engine::{Effect, Engine, Input, Load};
use pbx::{MailboxQuestion, Question, Unplaced};
use sip::Transmit;

use super::held::Held;
use super::{Asked, Gauges, Message, PresenceAsked};
use crate::accounts::Account;
use crate::clock::Clock;
use crate::dns::Dns;
use crate::hooks::ask::Asker;
use crate::inbox::Sender;
use crate::ledger::Ledger;
use crate::mailboxes::Mailboxes;
use crate::net::tcp::Streams;
use crate::record::Recorder;
use crate::rtp::Rtp;
use crate::sounds::Sounds;

/// Effects on their way, and everything but the sockets.
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) gauges: Arc<Gauges>,
    pub(super) rtp: Arc<Rtp>,
    pub(super) streams: Streams,
    pub(super) ledger: Ledger,
    pub(super) dns: Dns,
    pub(super) asker: Asker,
    pub(super) mailboxes: Mailboxes,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) messages: Sender<Message>,
    pub(super) recorder: Option<Recorder>,
    pub(super) sounds: Sounds,
    /// What there is for the network, for the media threads and for the ledger. They are told once
    /// a round, in this order: a thread that is woken would take our turn.
    pub(super) datagrams: Vec<Transmit>,
    pub(super) commands: Held,
    pub(super) events: Vec<pbx::Event>,
    pub(super) shedding: bool,
}

impl Core {
    /// Lets the engine take one input and does what it says.
    pub(super) fn step(&mut self, now: Time, input: Input<'_>) {
        let effects = self.take(now, input);
        self.carry_out_all(now, effects);
    }

    fn take(&mut self, now: Time, input: Input<'_>) -> Vec<Effect> {
        if let Some(recorder) = &mut self.recorder {
            recorder.write(now, &input);
        }
        if matches!(input, Input::Packet { .. }) {
            self.gauges
                .messages_received
                .fetch_add(1, Ordering::Relaxed);
        }
        self.engine.handle(now, input)
    }

    fn carry_out_all(&mut self, now: Time, effects: Vec<Effect>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.took(now, &effects);
        }
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(transmit) => {
                self.gauges.messages_sent.fetch_add(1, Ordering::Relaxed);
                if transmit.to.transport.is_reliable() {
                    self.streams.send(transmit);
                } else {
                    self.datagrams.push(transmit);
                }
            }
            Effect::Media(command) => self.commands.push(command),
            Effect::Play(play) => {
                let now = self.clock.now();
                self.commands
                    .push(self.sounds.command(&play, &self.engine, now));
            }
            Effect::Emit(event) => self.events.push(event),
            // It is the answer to `originate`, which has seen it.
            Effect::Originated { .. } => {}
            Effect::Resolve {
                token,
                host,
                port,
                transport,
            } => {
                self.resolve(token, host, port, transport);
            }
            Effect::Ask(question) => self.ask(*question),
            Effect::AskMailbox(question) => self.ask_mailbox(*question),
            Effect::CloseCalls { account, at } => {
                self.hand_over_events();
                self.ledger.close_calls(account, at);
            }
        }
    }

    pub(super) fn apply(&mut self, now: Time, account: Account) {
        let Account {
            draft,
            plan,
            standings,
        } = account;
        if let Some(recorder) = &mut self.recorder {
            recorder.write_draft(now, &draft, &plan);
        }
        let account = plan.account;
        let effects = self.engine.handle(now, Input::Apply(plan));
        self.carry_out_all(now, effects);
        if !standings.is_empty() {
            self.step(now, Input::Restore { account, standings });
        }
    }

    /// Begins a program's call and says so, or why not. Nothing is begun for a program that has
    /// stopped waiting: it may have asked again.
    pub(super) fn originate(&mut self, now: Time, asked: Asked) {
        if asked.reply.is_closed() {
            return;
        }
        let input = Input::Originate {
            account: asked.account,
            asked: asked.what,
        };
        let effects = self.take(now, input);
        let outcome = effects.iter().find_map(|effect| match effect {
            Effect::Originated { outcome } => Some(*outcome),
            Effect::Send(_)
            | Effect::Media(_)
            | Effect::Play(_)
            | Effect::Emit(_)
            | Effect::Resolve { .. }
            | Effect::Ask(_)
            | Effect::AskMailbox(_)
            | Effect::CloseCalls { .. } => None,
        });
        self.carry_out_all(now, effects);
        // A step that failed by a fault of ours says nothing. Who has gone meanwhile sees the call
        // in its events.
        let outcome = outcome.unwrap_or(Err(Unplaced::Unavailable));
        asked.reply.send(outcome).ok();
    }

    /// Changes an agent's presence for a program, and says what it is once that is committed. A
    /// program that is told nothing does not know whether it was done, and may ask again.
    pub(super) fn set_presence(&mut self, now: Time, asked: PresenceAsked) {
        if asked.reply.is_closed() {
            return;
        }
        let PresenceAsked {
            account,
            user,
            change,
            reply,
        } = asked;
        let number = Arc::clone(&user);
        let input = Input::Agent {
            account,
            user,
            change,
        };
        self.step(now, input);
        let Some(presence) = self.engine.presence(account, &number) else {
            return;
        };
        self.hand_over_events();
        let ledger = self.ledger.clone();
        self.runtime.spawn(async move {
            match tokio::time::timeout(COMMIT_PATIENCE, ledger.settle()).await {
                Ok(Ok(())) => drop(reply.send(presence)),
                Ok(Err(error)) => tracing::warn!(%error, "an agent's presence was not kept"),
                Err(_) => tracing::warn!("an agent's presence was not kept in time"),
            }
        });
    }

    pub(super) fn hand_over(&mut self, now: Time) {
        let commands = self.commands.take(now);
        self.command(commands);
        self.hand_over_events();
    }

    /// Hands everything over: there is no later.
    pub(super) fn hand_over_all(&mut self) {
        let commands = self.commands.take_all();
        self.command(commands);
        self.hand_over_events();
    }

    fn command(&self, commands: Vec<media::Command>) {
        for command in commands {
            if let Err(error) = self.rtp.send(command) {
                tracing::error!(%error, "a media command was lost");
            }
        }
    }

    fn hand_over_events(&mut self) {
        if !self.events.is_empty() {
            let lost = self.ledger.push(self.events.drain(..));
            if lost > 0 {
                tracing::error!(lost, "events were lost: the ledger's queue is full");
            }
        }
    }

    /// Asks DNS; the answer comes through the inbox, an empty one if need be.
    fn resolve(&self, token: u64, host: Arc<str>, port: Option<u16>, transport: sip::Transport) {
        let (dns, messages) = (self.dns.clone(), self.messages.clone());
        self.runtime.spawn(async move {
            let (addresses, valid) = match dns.sip(&host, port, transport).await {
                Ok(answer) => (answer.addresses, answer.ttl),
                Err(error) => {
                    tracing::warn!(%error, "a trunk's host was not found");
                    (Vec::new(), Duration::ZERO)
                }
            };
            if messages.send(Message::Resolved { token, addresses, valid }).is_err() {
                tracing::error!(%host, "an answer of DNS was lost: the drive loop is too far behind");
            }
        });
    }

    /// Asks an address; the answer comes through the inbox, an empty one if need be. A call that
    /// is never told goes on when its own patience ends.
    fn ask(&self, question: Question) {
        let (asker, messages) = (self.asker.clone(), self.messages.clone());
        self.runtime.spawn(async move {
            let told = asker.ask(&question).await;
            let message = Message::Told {
                account: question.account,
                call: question.call,
                question: question.id,
                told,
            };
            if messages.send(message).is_err() {
                let call = question.call;
                tracing::error!(%call, "an answer was lost: the drive loop is too far behind");
            }
        });
    }

    /// Asks a mailbox, alike.
    fn ask_mailbox(&self, question: MailboxQuestion) {
        let (mailboxes, messages) = (self.mailboxes.clone(), self.messages.clone());
        self.runtime.spawn(async move {
            let told = mailboxes.answer(&question).await;
            let MailboxQuestion {
                account, call, id, ..
            } = question;
            let message = Message::Told {
                account,
                call,
                question: id,
                told,
            };
            if messages.send(message).is_err() {
                tracing::error!(%call, "an answer was lost: the drive loop is too far behind");
            }
        });
    }

    pub(super) fn media_news(&mut self, now: Time) {
        let mut events = Vec::new();
        self.rtp.drain_events(&mut events);
        for event in events {
            self.step(now, Input::Media(event));
        }
    }

    /// New calls are turned away while events are not written fast enough, so that those of calls
    /// in progress always find room.
    pub(super) fn shed_or_not(&mut self, now: Time) {
        let fill = self.ledger.fill();
        let shedding = if self.shedding {
            fill > OPEN_BELOW
        } else {
            fill > SHED_ABOVE
        };
        if shedding != self.shedding {
            self.shedding = shedding;
            let load = if shedding { Load::Shedding } else { Load::Open };
            tracing::warn!(
                ?load,
                fill,
                "the ledger's channel decides whether new calls are taken"
            );
            self.step(now, Input::Load(load));
        }
    }
}

/// How long a program waits at most for a commit.
const COMMIT_PATIENCE: Duration = Duration::from_secs(2);
/// Parts of the ledger's channel at which calls are turned away, and taken again.
const SHED_ABOVE: f32 = crate::ledger::CROWDED;
const OPEN_BELOW: f32 = 0.50;
