//! The one loop that owns the engine: inputs in, effects out, on a thread of its own.
//!
//! Datagrams are read here and answered here; everything else (streams, media threads, DNS, the
//! control socket) comes through the inbox. Nothing in the loop waits for anybody: a queue that is
//! full loses what may be lost and says so.

mod core;
mod gauges;
mod held;
mod message;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use clock::Time;
use engine::{Engine, Input, Load};
use rustix::event::{Timespec, epoll};
use store::MailboxFill;

pub use gauges::Gauges;
pub use message::{Asked, Message, PresenceAsked};

use self::core::Core;
use self::held::Held;

use crate::clock::Clock;
use crate::dns::Dns;
use crate::hooks::ask::Asker;
use crate::inbox::{Inbox, Sender};
use crate::ledger::Ledger;
use crate::mailboxes::Mailboxes;
use crate::net::tcp::Streams;
use crate::net::udp::{Batch, UdpPort};
use crate::record::Recorder;
use crate::rtp::Rtp;
use crate::sounds::{Library, Sounds};

/// How many messages from other threads may wait. Beyond it a stream is closed and a new call has
/// to be tried again.
pub const INBOX_LIMIT: usize = 65_536;

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
    /// Asks addresses which way a call goes.
    pub asker: Asker,
    /// Where questions to it wait.
    pub runtime: tokio::runtime::Handle,
    /// The accounts' own sounds.
    pub library: Library,
    /// Answers what calls ask of mailboxes.
    pub mailboxes: Mailboxes,
    /// Where inputs are written down, if they are.
    pub recorder: Option<Recorder>,
}

/// The running loop.
pub struct Drive {
    messages: Sender<Message>,
    gauges: Arc<Gauges>,
    thread: JoinHandle<()>,
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
            asker: parts.asker,
            mailboxes: parts.mailboxes,
            runtime: parts.runtime,
            messages: parts.inbox.sender(),
            recorder: parts.recorder,
            sounds: Sounds::start(parts.library)?,
            gauges,
            datagrams: Vec::new(),
            commands: Held::default(),
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
        self.core.hand_over_all();
        // What was handed to the ledger is written before it ends: it is stopped after this thread.
    }

    /// Sleeps until a socket or the inbox has something, or the engine's deadline.
    fn wait(&mut self, ready: &mut Vec<u64>) {
        let deadlines = [
            self.core.engine.deadline(),
            self.core.commands.deadline(),
            self.stop_deadline(),
        ];
        let deadline = deadlines.into_iter().flatten().min();
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
                    let bytes = &bytes;
                    self.core.step(now, Input::Packet { source, bytes });
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
                Message::Told {
                    account,
                    call,
                    question,
                    told,
                } => {
                    self.core.step(
                        now,
                        Input::Told {
                            account,
                            call,
                            question,
                            told,
                        },
                    );
                }
                Message::Apply(account) => self.core.apply(now, account),
                Message::Mailbox(fill) => self.core.step(now, filled(fill)),
                Message::SoundsChanged(account) => self.core.sounds.forget(account),
                Message::Remove(account) => self.core.step(now, Input::Remove(account)),
                Message::Originate(asked) => self.core.originate(now, asked),
                Message::Queues { account, reply } => {
                    // Who has stopped waiting misses nothing.
                    reply.send(self.core.engine.queues(account, now)).ok();
                }
                Message::Presence(asked) => self.core.set_presence(now, asked),
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
        let now = self.core.clock.now();
        self.core.hand_over(now);
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

fn filled(fill: MailboxFill) -> Input<'static> {
    Input::Mailbox {
        account: fill.account,
        user: fill.number.into(),
        counts: fill.counts,
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
