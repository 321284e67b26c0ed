//! The audio-writer: one thread that owns the files of all recordings, so that no media thread meets a
//! disk. Blocks are sealed with a checksum and appended; all files are synced once a second.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use media::journal::seal;
use media::{MediaEvent, RecordEnd, RecordingId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::events::EventQueue;
use crate::inbox::{Inbox, Sender, channel};

/// What the writer is to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Add a block to a journal, which the first one makes.
    Append {
        recording: RecordingId,
        block: Vec<u8>,
    },
    /// Add the last block, make everything durable, and tell.
    Close {
        recording: RecordingId,
        block: Vec<u8>,
        seconds: u32,
        reason: RecordEnd,
    },
}

impl Job {
    pub(super) fn into_block(self) -> Vec<u8> {
        match self {
            Self::Append { block, .. } | Self::Close { block, .. } => block,
        }
    }
}

/// How many blocks may wait, some 5 to 32 kB each: two seconds of a thousand recordings.
const JOB_LIMIT: usize = 4_096;
/// How often files are synced: a power cut loses as much.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often the thread looks whether it is to stop.
const LOOK_EVERY: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// The running thread. Dropping it writes what is queued and stops it.
pub(super) struct AudioWriter {
    jobs: Sender<Job>,
    stop: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

/// The suffix of a journal's name.
pub const JOURNAL_SUFFIX: &str = "rtpj";

/// Where the journal of a recording is.
pub fn journal_path(folder: &Path, recording: RecordingId) -> PathBuf {
    folder.join(format!("{recording}.{JOURNAL_SUFFIX}"))
}

impl AudioWriter {
    /// Starts it; the folder is made if it is missing.
    pub(super) fn start(folder: &Path, events: Arc<EventQueue>) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (jobs, inbox) = channel(JOB_LIMIT)?;
        let stop = Arc::new(AtomicBool::new(false));
        let files = Files {
            folder: folder.to_owned(),
            open: BTreeMap::new(),
            events,
        };
        let stopped = Arc::clone(&stop);
        let builder = std::thread::Builder::new().name("audio-writer".to_owned());
        let handle = builder.spawn(move || run(files, &inbox, &stopped))?;
        Ok(Self {
            jobs,
            stop,
            handle: Some(handle),
        })
    }

    pub(super) fn jobs(&self) -> Sender<Job> {
        self.jobs.clone()
    }
}

impl Drop for AudioWriter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.jobs.wake();
        if let Some(Err(_)) = self.handle.take().map(JoinHandle::join) {
            tracing::error!("the audio-writer had panicked");
        }
    }
}

fn run(mut files: Files, inbox: &Inbox<Job>, stop: &AtomicBool) {
    let mut jobs = Vec::new();
    let mut synced = Instant::now();
    loop {
        // Read before the queue is: what was queued before the stop is written.
        let is_last = stop.load(Ordering::Acquire);
        if !is_last {
            // A failed wait is a look at the queue that finds nothing.
            poll(&mut [PollFd::new(inbox, PollFlags::IN)], Some(&LOOK_EVERY)).ok();
        }
        inbox.drain(&mut jobs);
        let mut closed = Vec::new();
        for job in jobs.drain(..) {
            closed.extend(files.job(job));
        }
        if is_last || synced.elapsed() >= SYNC_EVERY {
            files.sync();
            synced = Instant::now();
        }
        files.events.push(&mut closed);
        if is_last {
            return;
        }
    }
}

/// The journals that are being written.
struct Files {
    folder: PathBuf,
    open: BTreeMap<RecordingId, Journal>,
    events: Arc<EventQueue>,
}

/// One of them.
enum Journal {
    Open {
        file: File,
        state: State,
    },
    /// The disk refused; what follows would have no beginning.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Synced,
    Dirty,
}

impl Files {
    fn job(&mut self, job: Job) -> Option<MediaEvent> {
        match job {
            Job::Append { recording, block } => {
                self.append(recording, &block);
                None
            }
            Job::Close {
                recording,
                block,
                seconds,
                reason,
            } => {
                self.append(recording, &block);
                let reason = match self.open.remove(&recording).map(Journal::finish) {
                    Some(Ok(())) => reason,
                    Some(Err(error)) => {
                        tracing::error!(%error, %recording, "a recording could not be kept");
                        RecordEnd::Failed
                    }
                    None => RecordEnd::Failed,
                };
                Some(MediaEvent::RecordClosed {
                    recording,
                    seconds,
                    reason,
                })
            }
        }
    }

    fn append(&mut self, recording: RecordingId, block: &[u8]) {
        let folder = &self.folder;
        let journal = self
            .open
            .entry(recording)
            .or_insert_with(|| create(folder, recording));
        let Journal::Open { file, state } = journal else {
            return;
        };
        *state = State::Dirty;
        let written = file
            .write_all(&seal(block))
            .and_then(|()| file.write_all(block));
        if let Err(error) = written {
            tracing::error!(%error, %recording, "a recording cannot be written any more");
            *journal = Journal::Broken;
        }
    }

    fn sync(&mut self) {
        for (recording, journal) in &mut self.open {
            if let Journal::Open {
                file,
                state: state @ State::Dirty,
            } = journal
            {
                *state = State::Synced;
                if let Err(error) = file.sync_data() {
                    tracing::error!(%error, %recording, "a recording cannot be made durable");
                    *journal = Journal::Broken;
                }
            }
        }
    }
}

impl Journal {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Open { file, .. } => file.sync_all(),
            Self::Broken => Err(io::Error::other("it was broken off")),
        }
    }
}

fn create(folder: &Path, recording: RecordingId) -> Journal {
    let path = journal_path(folder, recording);
    let file = OpenOptions::new().create_new(true).append(true).open(&path);
    // The name must survive a power cut too.
    match file.and_then(|file| File::open(folder)?.sync_all().map(|()| file)) {
        Ok(file) => Journal::Open {
            file,
            state: State::Dirty,
        },
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "a recording cannot be begun");
            Journal::Broken
        }
    }
}
