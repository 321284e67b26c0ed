//! One media thread: the order of its work, its stock of ports, and what commands do.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::Time;
use media::leg::Listening;
use media::path::Remote;
use media::{Command, MediaEvent, PathId, Port, ThreadId};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::RtpSettings;
use super::counters::Counters;
use super::events::EventQueue;
use super::pace::{Mode, Pace, TICK};
use super::pair::Pair;
use super::paths::{Path, Paths, Stage};
use super::ports::{PortPool, Taken};
use super::recordings::Recordings;
use super::relay::{self, Relay};
use super::writer::Job;
use crate::clock::Clock;
use crate::inbox::{Inbox, Sender};

/// How many ready sockets one look at `epoll` yields.
const READY_LIMIT: usize = 1_024;
/// How often a busy thread looks at `epoll` before it does anything else: the most datagrams of one
/// socket per turn. At a turn per millisecond that is 8,000 a second, 80 times a phone's fastest.
const ROUNDS_PER_TURN: usize = 8;
/// How often paths are looked after when nothing arrives.
const LOOK_AFTER_EVERY: Duration = Duration::from_millis(250);
/// How many pairs are bound in one turn, so that packets do not wait for it (some 5 µs each).
const BINDS_PER_TURN: usize = 32;
/// How long a thread that cannot bind (too many files, all ports taken) waits before the next try.
const BIND_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long a thread that ends waits for the audio-writer to take its recordings.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(2);
/// The token of the inbox in `epoll`; sockets have `slot * 2 + port`.
const INBOX: u64 = u64::MAX;

/// What a thread is made of.
pub(super) struct Parts {
    pub(super) id: ThreadId,
    pub(super) settings: RtpSettings,
    pub(super) clock: Clock,
    pub(super) epoll: OwnedFd,
    pub(super) pool: PortPool<Pair>,
    pub(super) inbox: Inbox<Command>,
    pub(super) events: Arc<EventQueue>,
    /// Where recordings are written; without it there are none.
    pub(super) writer: Option<Sender<Job>>,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: Arc<AtomicBool>,
}

pub(super) struct MediaThread {
    parts: Parts,
    ready: Vec<epoll::Event>,
    relay: Relay,
    pace: Pace,
    /// Fresh from the inbox.
    arrived: Vec<Command>,
    /// To be obeyed.
    commands: VecDeque<Command>,
    /// Pairs handed up and not claimed.
    stocked: usize,
    stock: Stock,
    /// Not before this is binding tried again.
    bind_after: Time,
    /// Paths that a leg has taken; with none there is nothing to look after.
    in_use: usize,
    look_after: Time,
    /// Makes the choice of ports unpredictable: a keyed hash of how many were chosen.
    random: RandomState,
    picks: u64,
}

/// Whether pairs are being bound for the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stock {
    Full,
    /// Some every turn, until it is full.
    Filling,
}

/// What a thread sleeps on: its inbox, and later its sockets.
pub(super) fn watch(inbox: &Inbox<Command>) -> io::Result<OwnedFd> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let token = epoll::EventData::new_u64(INBOX);
    epoll::add(&epoll, inbox, token, epoll::EventFlags::IN)?;
    Ok(epoll)
}

impl MediaThread {
    /// Made in the thread itself: the list of ready sockets may not move between threads.
    pub(super) fn new(parts: Parts) -> Self {
        let now = parts.clock.now();
        Self {
            relay: Relay::new(Paths::new(parts.id), Recordings::new(parts.writer.clone())),
            ready: Vec::with_capacity(READY_LIMIT),
            pace: Pace::new(now),
            arrived: Vec::new(),
            commands: VecDeque::new(),
            stocked: 0,
            stock: Stock::Filling,
            bind_after: now,
            in_use: 0,
            look_after: now,
            random: RandomState::new(),
            picks: 0,
            parts,
        }
    }

    pub(super) fn run(mut self) {
        self.refill(self.parts.clock.now());
        self.publish();
        while !self.parts.stop.load(Ordering::Acquire) {
            // What was at fault is off the queue by then: a fault of ours costs a packet or a command,
            // not every call of the thread.
            if catch_unwind(AssertUnwindSafe(|| self.turn())).is_err() {
                tracing::error!(
                    thread = self.parts.id.0,
                    "a media thread panicked and goes on"
                );
            }
        }
        self.finish_recordings();
    }

    /// What is recorded up to now is handed to the writer, which is stopped after the threads.
    fn finish_recordings(&mut self) {
        let begun = self.parts.clock.now();
        self.relay.recordings.finish(begun);
        while !self.relay.recordings.is_handed_over()
            && self.parts.clock.now() - begun < HAND_OVER_WITHIN
        {
            std::thread::sleep(TICK);
        }
    }

    /// Packets and commands first, then what time brings.
    fn turn(&mut self) {
        let (now, packets) = self.relay_packets();
        self.relay.turns(now);
        if self.in_use > 0 && now >= self.look_after {
            self.look_after = now + LOOK_AFTER_EVERY;
            self.obey(now);
            self.relay.tick(now);
        }
        self.refill(now);
        self.publish();
        self.pace.count(now, packets);
    }

    /// Waits for packets or commands and passes on what there is; returns the time and how many.
    fn relay_packets(&mut self) -> (Time, u32) {
        let (mut wait, rounds) = match self.pace.mode() {
            Mode::Waking => (self.until_timer(), 1),
            Mode::Ticking => {
                std::thread::sleep(TICK);
                (Some(Duration::ZERO), ROUNDS_PER_TURN)
            }
        };
        let mut packets = 0;
        for _ in 0..rounds {
            self.poll(wait);
            if self.ready.is_empty() {
                break;
            }
            packets += self.round(self.parts.clock.now());
            wait = Some(Duration::ZERO);
        }
        (self.parts.clock.now(), packets)
    }

    fn poll(&mut self, wait: Option<Duration>) {
        self.ready.clear();
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        match epoll::wait(
            &self.parts.epoll,
            spare_capacity(&mut self.ready),
            wait.as_ref(),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                // Ours is the only handle; this cannot happen, and if it does it must not spin.
                tracing::error!(%error, "a media thread cannot wait for packets");
                std::thread::sleep(BIND_AGAIN_AFTER);
            }
        }
    }

    /// Commands, then one datagram from every ready socket. A packet that was sent after a command
    /// thus meets what the command made.
    fn round(&mut self, now: Time) -> u32 {
        if self.ready.iter().any(|event| event.data.u64() == INBOX) {
            self.obey(now);
        }
        let mut packets = 0;
        for token in self.ready.iter().map(|event| event.data.u64()) {
            if token != INBOX {
                let (slot, port) = socket_of(token);
                self.relay.ready(now, slot, port);
                packets += 1;
            }
        }
        packets
    }

    /// When something is due without a packet. A busy thread does not ask: it ticks.
    fn until_timer(&self) -> Option<Duration> {
        let now = self.parts.clock.now();
        let look_after = (self.in_use > 0).then_some(self.look_after);
        let may_bind = self
            .parts
            .pool
            .next_free()
            .unwrap_or(now)
            .max(self.bind_after);
        let bind = (self.stock == Stock::Filling).then_some(may_bind);
        let speak = self.relay.wheel.due();
        let due = [look_after, bind, speak].into_iter().flatten().min()?;
        Some(due - now)
    }

    fn publish(&mut self) {
        // In this order, so that who reads an event finds what it did counted.
        self.parts.counters.write(&self.relay.counts);
        self.parts.events.push(&mut self.relay.events);
    }

    fn stock_wanted(&self) -> usize {
        usize::from(self.parts.settings.stock).max(1)
    }

    fn refill(&mut self, now: Time) {
        // A quarter may be missing before new pairs are bound, so that they come in batches.
        if self.stocked * 4 < self.stock_wanted() * 3 {
            self.stock = Stock::Filling;
        }
        if self.stock == Stock::Full || now < self.bind_after {
            return;
        }
        let missing = (self.stock_wanted() - self.stocked).min(BINDS_PER_TURN);
        let ports: Vec<Port> = std::iter::from_fn(|| self.bind(now))
            .take(missing)
            .collect();
        if ports.len() < missing {
            self.bind_after = now + BIND_AGAIN_AFTER;
        }
        self.stocked += ports.len();
        if self.stocked >= self.stock_wanted() {
            self.stock = Stock::Full;
        }
        if !ports.is_empty() {
            self.relay.events.push(MediaEvent::Ports { ports });
        }
    }

    /// A bound pair with a place. `None`: there is none, or the system lets us have no more sockets.
    fn bind(&mut self, now: Time) -> Option<Port> {
        // Every port that something else has bound is put aside, so this ends.
        loop {
            self.picks += 1;
            let random = self.random.hash_one(self.picks);
            let (rtp_port, pair) = match self.parts.pool.take(now, random)? {
                Taken::Bound(port, pair) => (port, pair.renewed()),
                Taken::Unbound(port) => (port, None),
            };
            let address = self.parts.settings.address;
            match pair.map_or_else(|| Pair::bind(address, rtp_port), Ok) {
                Ok(pair) => {
                    let path = self.relay.paths.insert(now, rtp_port, pair);
                    return Some(Port { path, rtp_port });
                }
                Err(error) => {
                    self.relay.counts.bind_failures += 1;
                    self.parts.pool.is_foreign(now, rtp_port);
                    if error.kind() != io::ErrorKind::AddrInUse {
                        tracing::error!(%error, rtp_port, "a media port could not be bound");
                        return None;
                    }
                }
            }
        }
    }
}

/// Commands.
impl MediaThread {
    fn obey(&mut self, now: Time) {
        self.parts.inbox.drain(&mut self.arrived);
        self.commands.extend(self.arrived.drain(..));
        while let Some(command) = self.commands.pop_front() {
            self.command(now, command);
        }
    }

    fn command(&mut self, now: Time, command: Command) {
        if !self.claim(command.path()) {
            self.relay.counts.strays += 1;
            return;
        }
        match command {
            Command::Claim { .. } => {}
            Command::Remote { path, remote } => self.remote(now, path, remote),
            Command::Bridge {
                a,
                b,
                a_to_b,
                b_to_a,
            } => {
                if self.claim(b) {
                    self.relay.bridge((a, a_to_b), (b, b_to_a));
                } else {
                    self.relay.counts.strays += 1;
                }
            }
            Command::Unbridge { path } => self.relay.unbridge(path),
            Command::Watch { path, silence } => {
                if let Some(path) = self.relay.paths.find(path) {
                    path.leg.watch(now, silence);
                }
            }
            Command::Play {
                path,
                play,
                playlist,
            } => self.relay.play(now, path, (play, playlist)),
            Command::Stop { path } => self.relay.stop(path),
            Command::SendDtmf { path, digits } => self.relay.press(now, path, &digits),
            Command::Join { path, room, speech } => {
                if !self.relay.join(now, path, (room, speech)) {
                    tracing::warn!(room = room.0, "a room has no place left");
                }
            }
            Command::Leave { path } => self.relay.leave(path),
            Command::Record {
                path,
                recording,
                channel,
                limits,
            } => self.relay.record(now, path, (recording, channel), limits),
            Command::PauseRecord { recording, .. } => self.relay.recordings.pause(now, recording),
            Command::ResumeRecord { recording, .. } => self.relay.recordings.resume(now, recording),
            Command::StopRecord { recording, .. } => self.relay.stop_record(now, recording),
            Command::Release { path } => self.release(now, path),
        }
    }

    /// Takes the path out of the stock if it is still there; `false` if it is over.
    fn claim(&mut self, path: PathId) -> bool {
        let Some(path) = self.relay.paths.find(path) else {
            return false;
        };
        if path.stage == Stage::Stocked {
            path.stage = Stage::Claimed;
            self.stocked -= 1;
            self.in_use += 1;
            self.relay.counts.opened += 1;
        }
        true
    }

    fn remote(&mut self, now: Time, id: PathId, remote: Remote) {
        let Some(path) = self.relay.paths.find(id) else {
            return;
        };
        if path.leg.set_remote(now, remote) == Listening::ToAnybody {
            path.pair.unlock();
        }
        if path.stage == Stage::Claimed {
            match path.pair.listen(
                &self.parts.epoll,
                token(id, relay::Port::Rtp),
                token(id, relay::Port::Rtcp),
            ) {
                Ok(()) => path.stage = Stage::Listening,
                Err(error) => tracing::error!(%error, "a media path cannot be watched"),
            }
        }
        self.relay.retune_call(id);
    }

    fn release(&mut self, now: Time, id: PathId) {
        self.relay.detach(now, id);
        let Some(path) = self.relay.paths.remove(id) else {
            return;
        };
        let Path {
            port,
            leg,
            stage,
            pair,
            ..
        } = path;
        self.in_use -= 1;
        let report = leg.finish(&mut self.relay.events);
        self.relay
            .events
            .push(MediaEvent::Closed { path: id, report });
        self.relay.counts.closed += 1;
        let is_quiet = stage != Stage::Listening || pair.ignore(&self.parts.epoll).is_ok();
        if is_quiet {
            self.parts.pool.rest(now, port, pair);
        } else {
            drop(pair);
            self.parts.pool.give_back(port);
        }
    }
}

fn token(path: PathId, port: relay::Port) -> epoll::EventData {
    let port = match port {
        relay::Port::Rtp => 0,
        relay::Port::Rtcp => 1,
    };
    epoll::EventData::new_u64(u64::from(path.slot()) * 2 + port)
}

fn socket_of(token: u64) -> (u32, relay::Port) {
    let port = if token.is_multiple_of(2) {
        relay::Port::Rtp
    } else {
        relay::Port::Rtcp
    };
    // Tokens are made from 24-bit places.
    (u32::try_from(token / 2).unwrap_or(u32::MAX), port)
}
