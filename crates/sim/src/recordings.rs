//! Stands for what a media thread knows of its recordings: which paths each has, and that it ends with
//! the last of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use media::{MediaEvent, PathId, RecordEnd, RecordingId};

use crate::Broken;
use crate::shell::News;

/// The recordings of all threads.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    open: BTreeMap<RecordingId, BTreeSet<PathId>>,
    over: BTreeSet<RecordingId>,
}

/// A writer takes about as long to make it durable.
const CLOSING: Duration = Duration::from_millis(30);
/// How long every recording is said to be.
const SECONDS: u32 = 5;

impl Recordings {
    /// A path joins a recording, which begins with its first; what it was in before goes on without.
    pub(crate) fn join(&mut self, path: PathId, recording: RecordingId) -> Result<News, Broken> {
        Broken::unless(!self.over.contains(&recording), || {
            format!("{recording} begins again, over the journal of before")
        })?;
        let threads = self.open.get(&recording).into_iter().flatten();
        let mut threads = threads.map(|other| other.thread());
        Broken::unless(threads.all(|thread| thread == path.thread()), || {
            format!("{recording} is on two threads")
        })?;
        let paths = self.open.get(&recording);
        let news = if paths.is_some_and(|paths| paths.contains(&path)) {
            News::new()
        } else {
            self.leave(path)
        };
        self.open.entry(recording).or_default().insert(path);
        Ok(news)
    }

    /// A path is over, or in another recording.
    pub(crate) fn leave(&mut self, path: PathId) -> News {
        for paths in self.open.values_mut() {
            paths.remove(&path);
        }
        let left = self.open.iter().filter(|(_, paths)| paths.is_empty());
        let left: Vec<RecordingId> = left.map(|(recording, _)| *recording).collect();
        let ended = left.into_iter();
        ended
            .flat_map(|recording| self.end(recording, RecordEnd::HungUp))
            .collect()
    }

    /// A recording is stopped. One that is over by itself is no fault.
    pub(crate) fn stop(&mut self, recording: RecordingId) -> News {
        self.end(recording, RecordEnd::Stopped)
    }

    fn end(&mut self, recording: RecordingId, reason: RecordEnd) -> News {
        if self.open.remove(&recording).is_none() {
            return News::new();
        }
        self.over.insert(recording);
        let closed = MediaEvent::RecordClosed {
            recording,
            seconds: SECONDS,
            reason,
        };
        vec![(CLOSING, closed)]
    }
}
