//! The media threads: RTP and RTCP of both legs of a call are relayed here and nowhere else.
//!
//! Each `media-N` thread owns its slice of the port range, its sockets and its paths, and shares
//! nothing but two bounded queues: [`media::Command`]s come down, [`media::MediaEvent`]s go up.
//! What a packet means is decided by `media::leg`; here are only sockets, the order of work and time.

mod counters;
mod events;
mod pace;
mod pair;
mod paths;
mod ports;
mod recordings;
mod relay;
mod studio;
#[cfg(test)]
mod tests;
mod thread;
mod voices;
mod wheel;
mod work;
mod writer;

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use media::{Command, MediaEvent, ThreadId};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::clock::Clock;
use crate::inbox;
use counters::Counters;
pub use counters::RtpCounts;
use events::EventQueue;
use ports::PortPool;
use thread::MediaThread;
use writer::AudioWriter;
pub use writer::{JOURNAL_SUFFIX, journal_path};

/// How many commands may wait for one thread. The engine sends a handful per call.
const COMMAND_LIMIT: usize = 65_536;

/// What the media threads need to know.
#[derive(Clone, Debug)]
pub struct RtpSettings {
    /// How many threads; 0 for one less than there are cores, at least one.
    pub threads: u8,
    /// The address the sockets are bound to.
    pub address: IpAddr,
    /// The ports they may use; every pair begins at an even one.
    pub ports: RangeInclusive<u16>,
    /// How many bound pairs each thread keeps ready for the engine.
    pub stock: u16,
    /// How long ports rest after a call, so that late packets of it meet nobody.
    pub rest: Duration,
    /// Where journals of recordings are written; without a folder nothing can be recorded.
    pub recordings: Option<PathBuf>,
}

impl Default for RtpSettings {
    fn default() -> Self {
        Self {
            threads: 0,
            address: IpAddr::from([0, 0, 0, 0]),
            ports: 16_384..=32_767,
            stock: 64,
            rest: Duration::from_secs(10),
            recordings: None,
        }
    }
}

/// The running media threads. Dropping it stops them.
pub struct Rtp {
    threads: Vec<Running>,
    events: Arc<EventQueue>,
    stop: Arc<AtomicBool>,
    /// Stopped after the threads, whose last recordings it writes.
    writer: Option<AudioWriter>,
}

struct Running {
    commands: inbox::Sender<Command>,
    counters: Arc<Counters>,
    handle: Option<JoinHandle<()>>,
}

/// A command that went to no thread; it comes back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The engine picked the two legs' ports from different threads. A fault of ours.
    #[error("a bridge between two media threads was asked for")]
    AcrossThreads(Command),
    /// There is no such thread. A fault of ours.
    #[error("a command for an unknown media thread")]
    UnknownThread(Command),
    /// The thread is far behind.
    #[error("{COMMAND_LIMIT} commands wait for the media thread already")]
    Full(Command),
}

/// Starts the threads. `wake` is called from them whenever events wait for [`Rtp::drain_events`];
/// it must not block.
pub fn start(
    settings: &RtpSettings,
    clock: &Clock,
    wake: impl Fn() + Send + Sync + 'static,
) -> io::Result<Rtp> {
    allow_many_sockets();
    let slices = PortPool::slices(
        settings.ports.clone(),
        thread_count(settings.threads),
        settings.rest,
    );
    let paths = slices.iter().map(PortPool::size).sum();
    let mut rtp = Rtp {
        threads: Vec::with_capacity(slices.len()),
        events: Arc::new(EventQueue::new(paths, Box::new(wake))),
        stop: Arc::new(AtomicBool::new(false)),
        writer: None,
    };
    if let Some(folder) = &settings.recordings {
        rtp.writer = Some(AudioWriter::start(folder, Arc::clone(&rtp.events))?);
    }
    for (id, pool) in (0..).map(ThreadId).zip(slices) {
        let (commands, inbox) = inbox::channel(COMMAND_LIMIT)?;
        let counters = Arc::new(Counters::default());
        let parts = thread::Parts {
            id,
            settings: settings.clone(),
            clock: clock.clone(),
            epoll: thread::watch(&inbox)?,
            pool,
            inbox,
            events: Arc::clone(&rtp.events),
            writer: rtp.writer.as_ref().map(AudioWriter::jobs),
            counters: Arc::clone(&counters),
            stop: Arc::clone(&rtp.stop),
        };
        let builder = std::thread::Builder::new().name(format!("media-{}", id.0));
        let handle = builder.spawn(move || MediaThread::new(parts).run())?;
        rtp.threads.push(Running {
            commands,
            counters,
            handle: Some(handle),
        });
    }
    Ok(rtp)
}

impl Rtp {
    /// Hands a command to the thread of its path. Never blocks.
    pub fn send(&self, command: Command) -> Result<(), SendError> {
        let thread = command.path().thread();
        if let Command::Bridge { b, .. } = &command
            && b.thread() != thread
        {
            return Err(SendError::AcrossThreads(command));
        }
        let Some(Running { commands, .. }) = self.threads.get(usize::from(thread.0)) else {
            return Err(SendError::UnknownThread(command));
        };
        // Nobody waits for the end of a path: the thread finds it when it next looks after its paths,
        // with those of other calls.
        let sent = if matches!(command, Command::Release { .. }) {
            commands.send_quietly(command)
        } else {
            commands.send(command)
        };
        sent.map_err(SendError::Full)
    }

    /// Moves what the threads told into `events`.
    pub fn drain_events(&self, events: &mut Vec<MediaEvent>) {
        self.events.drain(events);
    }

    /// The sum of the threads' counters.
    pub fn counts(&self) -> RtpCounts {
        let threads = self.threads.iter().map(|running| running.counters.read());
        let sum = threads.fold(RtpCounts::default(), RtpCounts::plus);
        RtpCounts {
            events_dropped: self.events.dropped(),
            ..sum
        }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Rtp {
    /// Waits for the threads: each looks at `stop` at least once per tick or wake-up. What was recorded
    /// is on the disk afterwards.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for running in &mut self.threads {
            running.commands.wake();
            let joined = running.handle.take().map(JoinHandle::join);
            if matches!(joined, Some(Err(_))) {
                tracing::error!("a media thread had panicked");
            }
        }
        drop(self.writer.take());
    }
}

fn thread_count(wanted: u8) -> u8 {
    if wanted > 0 {
        return wanted;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u8::try_from(cores.saturating_sub(1).max(1)).unwrap_or(u8::MAX)
}

/// A call holds four sockets, and the usual soft limit is 1,024 files.
fn allow_many_sockets() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        tracing::warn!(%error, ?current, ?maximum, "the limit of open files could not be raised");
    }
}
