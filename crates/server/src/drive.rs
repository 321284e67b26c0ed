//! The one loop that owns the engine: inputs in, effects out, on a thread of its own.
//!
//! Datagrams are read here and answered here; everything else (streams, media threads, DNS, the
//! control socket) comes through the inbox. Nothing in the loop waits for anybody: a queue that is
//! full loses what may be lost and says so.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use clock::Time;
use engine::{Counts, Effect, Engine, Input, Load};
use pbx::AccountId;
use pbx::draft::Draft;
use rustix::event::{Timespec, epoll};
use sip::{Destination, FlowId, Source, Transmit};
use tokio::sync::OwnedSemaphorePermit;

use crate::clock::Clock;
use crate::dns::Dns;
use crate::inbox::{Inbox, Sender};
use crate::ledger::Ledger;
use crate::net::tcp::Streams;
use crate::net::udp::{Batch, UdpPort};
use crate::record::Recorder;
use crate::rtp::Rtp;
use crate::sounds::Sounds;

/// How many messages from other threads may wait. Beyond it a stream is closed and a new call has
/// to be tried again.
pub const INBOX_LIMIT: usize = 65_536;

/// What other threads tell the loop.
#[derive(Debug)]
pub enum Message {
    /// A whole message came over a stream.
    Packet {
        /// Where from.
        source: Source,
        /// The message.
        bytes: Vec<u8>,
        /// Given back when the message has been worked off: a stream gets only so many turns.
        turn: OwnedSemaphorePermit,
    },
    /// A stream is closed.
    FlowClosed(FlowId),
    /// A stream could not be opened or written to.
    SendFailed(Destination),
    /// The media threads have news: it lies in their own queue.
    MediaNews,
    /// DNS answered.
    Resolved {
        /// The engine's token.
        token: u64,
        /// Addresses, best first; none when there are none.
        addresses: Vec<std::net::SocketAddr>,
        /// How long that holds.
        valid: Duration,
    },
    /// A plan is in force from now on. The draft is what it was made from, for the record of inputs.
    Apply {
        /// What was written.
        draft: Arc<Draft>,
        /// What it means.
        plan: Arc<pbx::Plan>,
    },
    /// An account is no more.
    Remove(AccountId),
    /// Take no new calls, wait for those in progress, then stop.
    Stop {
        /// The longest wait; calls that are left are hung up.
        drain: Duration,
    },
}

/// What the loop needs from the rest of the server.
pub struct Parts {
    /// Call control.
    pub engine: Engine,
    /// Bound UDP ports.
    pub udp: Vec<UdpPort>,
    /// The clock.
    pub clock: Clock,
    /// Messages from other threads.
    pub inbox: Inbox<Message>,
    /// Media threads.
    pub rtp: Arc<Rtp>,
    /// Streams.
    pub streams: Streams,
    /// Where events go.
    pub ledger: Ledger,
    /// Names of trunks.
    pub dns: Dns,
    /// Where questions to it wait.
    pub runtime: tokio::runtime::Handle,
    /// Where inputs are written down, if they are.
    pub recorder: Option<Recorder>,
}

/// The running loop.
pub struct Drive {
    messages: Sender<Message>,
    gauges: Arc<Gauges>,
    thread: JoinHandle<()>,
}

/// What the loop counts, for `/metrics` and `/readyz`.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Calls in progress.
    pub calls: AtomicU64,
    /// Legs.
    pub legs: AtomicU64,
    /// Registered contacts.
    pub registrations: AtomicU64,
    /// Server and client transactions.
    pub transactions: AtomicU64,
    /// Dialogs.
    pub dialogs: AtomicU64,
    /// Bound port pairs in stock.
    pub ports_in_stock: AtomicU64,
    /// Digests with a wrong password or unknown user, since the start.
    pub refused_passwords: AtomicU64,
    /// Steps that failed by a fault of ours, since the start.
    pub faults: AtomicU64,
    /// SIP messages received, since the start.
    pub messages_received: AtomicU64,
    /// SIP messages sent, since the start.
    pub messages_sent: AtomicU64,
    /// Datagrams the kernel did not take, since the start.
    pub datagrams_dropped: AtomicU64,
}

/// Starts the loop's thread.
pub fn start(parts: Parts) -> io::Result<Drive> {
    let gauges = Arc::new(Gauges::default());
    let messages = parts.inbox.sender();
    let looping = Loop::new(parts, Arc::clone(&gauges))?;
    let thread = std::thread::Builder::new()
        .name("drive".to_owned())
        .spawn(move || looping.run())?;
    Ok(Drive {
        messages,
        gauges,
        thread,
    })
}

impl Drive {
    /// A way to tell the loop something.
    pub fn messages(&self) -> Sender<Message> {
        self.messages.clone()
    }

    /// What it counts.
    pub fn gauges(&self) -> Arc<Gauges> {
        Arc::clone(&self.gauges)
    }

    /// Lets calls end for at most `drain`, hangs up the rest, and waits for the loop's end.
    pub fn stop(self, drain: Duration) {
        if self.messages.send(Message::Stop { drain }).is_err() {
            tracing::error!("the drive loop is too far behind to be told to stop");
            return;
        }
        if self.thread.join().is_err() {
            tracing::error!("the drive loop had panicked");
        }
    }
}

/// Effects on their way, and everything but the sockets.
struct Core {
    engine: Engine,
    clock: Clock,
    rtp: Arc<Rtp>,
    streams: Streams,
    ledger: Ledger,
    dns: Dns,
    runtime: tokio::runtime::Handle,
    messages: Sender<Message>,
    recorder: Option<Recorder>,
    sounds: Sounds,
    gauges: Arc<Gauges>,
    /// What the present round has for the network, for the media threads and for the ledger. They
    /// are told once a round, in this order: a thread that is woken would take our turn.
    datagrams: Vec<Transmit>,
    commands: Vec<media::Command>,
    events: Vec<pbx::Event>,
    shedding: bool,
}

struct Loop {
    core: Core,
    udp: Vec<UdpPort>,
    inbox: Inbox<Message>,
    /// Messages out of the inbox that have not had their turn.
    waiting: VecDeque<Message>,
    epoll: rustix::fd::OwnedFd,
    stopping: Option<Stopping>,
    next_report: Time,
}

/// The server is about to stop.
struct Stopping {
    /// When calls in progress are hung up.
    hang_up_at: Time,
    /// When the loop ends even if something is left.
    end_at: Time,
    hung_up: bool,
}

impl Loop {
    fn new(parts: Parts, gauges: Arc<Gauges>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (index, port) in (0..).zip(&parts.udp) {
            epoll::add(
                &epoll,
                port,
                epoll::EventData::new_u64(index),
                epoll::EventFlags::IN,
            )?;
        }
        let data = epoll::EventData::new_u64(INBOX_TOKEN);
        epoll::add(&epoll, &parts.inbox, data, epoll::EventFlags::IN)?;
        let core = Core {
            engine: parts.engine,
            clock: parts.clock,
            rtp: parts.rtp,
            streams: parts.streams,
            ledger: parts.ledger,
            dns: parts.dns,
            runtime: parts.runtime,
            messages: parts.inbox.sender(),
            recorder: parts.recorder,
            sounds: Sounds::start()?,
            gauges,
            datagrams: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
            shedding: false,
        };
        Ok(Self {
            core,
            udp: parts.udp,
            inbox: parts.inbox,
            waiting: VecDeque::new(),
            epoll,
            stopping: None,
            next_report: Time::ZERO,
        })
    }

    fn run(mut self) {
        let mut batch = Batch::default();
        let mut ready = Vec::with_capacity(self.udp.len() + 1);
        let mut drained = Vec::new();
        loop {
            self.wait(&mut ready);
            for token in ready.drain(..) {
                if token == INBOX_TOKEN {
                    self.inbox.drain(&mut drained);
                    self.waiting.extend(drained.drain(..));
                } else {
                    self.read(token, &mut batch);
                }
            }
            self.work_off();
            self.wake_engine();
            self.flush();
            self.report();
            if self.is_over() {
                break;
            }
        }
        // What was handed to the ledger is written before it ends: it is stopped after this thread.
    }

    /// Sleeps until a socket or the inbox has something, or the engine's deadline.
    fn wait(&mut self, ready: &mut Vec<u64>) {
        let deadline = [self.core.engine.deadline(), self.stop_deadline()]
            .into_iter()
            .flatten()
            .min();
        let longest = self.core.clock.until(self.next_report).max(SHORTEST_SLEEP);
        let sleep = deadline
            .map_or(longest, |at| self.core.clock.until(at))
            .min(longest);
        let sleep = if self.waiting.is_empty() {
            sleep
        } else {
            Duration::ZERO
        };
        let timeout = Timespec {
            tv_sec: i64::try_from(sleep.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: sleep.subsec_nanos().into(),
        };
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 16];
        match epoll::wait(&self.epoll, &mut events, Some(&timeout)) {
            Ok(count) => ready.extend(events.iter().take(count).map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => tracing::error!(%error, "epoll failed"),
        }
    }

    /// Reads a port for a few batches; what is left is read in the next round, so that a flood on
    /// one port starves neither the others nor the timers.
    fn read(&mut self, token: u64, batch: &mut Batch) {
        let Some(port) = usize::try_from(token)
            .ok()
            .and_then(|index| self.udp.get(index))
        else {
            return;
        };
        for _ in 0..BATCHES_PER_ROUND {
            let now = self.core.clock.now();
            let core = &mut self.core;
            let count = port.receive(batch, |source, bytes| {
                core.step(now, Input::Packet { source, bytes });
            });
            if count < Batch::SIZE {
                break;
            }
        }
    }

    /// Works off some of what other threads told; the rest has its turn after the datagrams.
    fn work_off(&mut self) {
        for _ in 0..MESSAGES_PER_ROUND {
            let Some(message) = self.waiting.pop_front() else {
                break;
            };
            let now = self.core.clock.now();
            match message {
                Message::Packet {
                    source,
                    bytes,
                    turn,
                } => {
                    self.core.step(
                        now,
                        Input::Packet {
                            source,
                            bytes: &bytes,
                        },
                    );
                    drop(turn);
                }
                Message::FlowClosed(flow) => self.core.step(now, Input::FlowClosed(flow)),
                Message::SendFailed(to) => self.core.step(now, Input::SendFailed(to)),
                Message::MediaNews => self.core.media_news(now),
                Message::Resolved {
                    token,
                    addresses,
                    valid,
                } => {
                    self.core.step(
                        now,
                        Input::Resolved {
                            token,
                            addresses,
                            valid,
                        },
                    );
                }
                Message::Apply { draft, plan } => self.core.apply(now, &draft, plan),
                Message::Remove(account) => self.core.step(now, Input::Remove(account)),
                Message::Stop { drain } => {
                    self.core.step(now, Input::Load(Load::Draining));
                    self.stopping = Some(Stopping {
                        hang_up_at: now + drain,
                        end_at: now + drain + FAREWELL,
                        hung_up: false,
                    });
                }
            }
        }
    }

    fn wake_engine(&mut self) {
        let now = self.core.clock.now();
        if self.core.engine.deadline().is_some_and(|at| at <= now) {
            self.core.step(now, Input::Wake);
        }
        if self.stopping.is_none() {
            self.core.shed_or_not(now);
        }
        if let Some(stopping) = &mut self.stopping
            && !stopping.hung_up
            && stopping.hang_up_at <= now
        {
            stopping.hung_up = true;
            self.core.step(now, Input::HangUpAll);
        }
    }

    fn flush(&mut self) {
        for transmit in self.core.datagrams.drain(..) {
            match self.udp.iter_mut().find(|port| port.carries(&transmit.to)) {
                Some(port) => port.send(transmit),
                None => {
                    tracing::debug!(to = %transmit.to.remote, "no UDP port of that address family");
                }
            }
        }
        for port in &mut self.udp {
            port.flush();
        }
        self.core.hand_over();
    }

    fn stop_deadline(&self) -> Option<Time> {
        let stopping = self.stopping.as_ref()?;
        Some(if stopping.hung_up {
            stopping.end_at
        } else {
            stopping.hang_up_at
        })
    }

    /// Whether nothing is left to be done. Legs are gone before their BYE is answered, which the
    /// peer may have to repeat: it finds nobody, as after a power cut.
    fn is_over(&self) -> bool {
        let Some(stopping) = &self.stopping else {
            return false;
        };
        self.core.engine.counts().legs == 0 || stopping.end_at <= self.core.clock.now()
    }

    fn report(&mut self) {
        let now = self.core.clock.now();
        if now >= self.next_report {
            self.next_report = now + REPORT_EVERY;
            let dropped = self.udp.iter().map(UdpPort::dropped).sum();
            self.core.gauges.set(&self.core.engine.counts(), dropped);
        }
    }
}

impl Core {
    /// Lets the engine take one input and does what it says.
    fn step(&mut self, now: Time, input: Input<'_>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.write(now, &input);
        }
        if matches!(input, Input::Packet { .. }) {
            self.gauges
                .messages_received
                .fetch_add(1, Ordering::Relaxed);
        }
        let effects = self.engine.handle(now, input);
        self.carry_out_all(now, effects);
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
            Effect::Play(play) => self.commands.push(self.sounds.command(&play, &self.engine)),
            Effect::Emit(event) => self.events.push(event),
            Effect::Resolve {
                token,
                host,
                port,
                transport,
            } => {
                self.resolve(token, host, port, transport);
            }
            Effect::CloseCalls { account, at } => {
                self.hand_over();
                self.ledger.close_calls(account, at);
            }
        }
    }

    fn apply(&mut self, now: Time, draft: &Draft, plan: Arc<pbx::Plan>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.write_draft(now, draft, &plan);
        }
        let effects = self.engine.handle(now, Input::Apply(plan));
        self.carry_out_all(now, effects);
    }

    fn hand_over(&mut self) {
        for command in self.commands.drain(..) {
            if let Err(error) = self.rtp.send(command) {
                tracing::error!(%error, "a media command was lost");
            }
        }
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

    fn media_news(&mut self, now: Time) {
        let mut events = Vec::new();
        self.rtp.drain_events(&mut events);
        for event in events {
            self.step(now, Input::Media(event));
        }
    }

    /// New calls are turned away while events are not written fast enough, so that those of calls
    /// in progress always find room.
    fn shed_or_not(&mut self, now: Time) {
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

impl Gauges {
    fn set(&self, counts: &Counts, dropped: u64) {
        let set = |gauge: &AtomicU64, value: usize| gauge.store(value as u64, Ordering::Relaxed);
        set(&self.calls, counts.calls);
        set(&self.legs, counts.legs);
        set(&self.registrations, counts.registrations);
        let user_agent = counts.user_agent;
        set(
            &self.transactions,
            user_agent.server_transactions + user_agent.client_transactions,
        );
        set(&self.dialogs, user_agent.dialogs);
        set(&self.ports_in_stock, counts.ports_in_stock);
        self.refused_passwords
            .store(counts.refused_passwords, Ordering::Relaxed);
        self.faults.store(counts.faults, Ordering::Relaxed);
        self.datagrams_dropped.store(dropped, Ordering::Relaxed);
    }
}

const INBOX_TOKEN: u64 = u64::MAX;
/// Batches read from one port before others have their turn.
const BATCHES_PER_ROUND: usize = 8;
/// Messages of other threads worked off before datagrams have their turn.
const MESSAGES_PER_ROUND: usize = 64;
/// How often the gauges are set.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// The kernel's timers are no finer, and a deadline in the past must not spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);
/// How long answers to our last BYEs are waited for.
const FAREWELL: Duration = Duration::from_secs(2);
/// Parts of the ledger's channel at which calls are turned away, and taken again.
const SHED_ABOVE: f32 = crate::ledger::CROWDED;
const OPEN_BELOW: f32 = 0.50;
