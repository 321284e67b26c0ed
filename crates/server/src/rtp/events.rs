//! The queue from the media threads up to the engine: bounded, and never waited for.
//!
//! News that only inform (a source was latched, a key was pressed) may be dropped when nobody reads,
//! and are counted. News that a path's life hangs on always find room: a path has few of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use media::MediaEvent;

/// How many events may wait before informing ones are dropped.
const INFORMING_LIMIT: usize = 16_384;
/// The events per path that are never dropped: handed up, silent, play ended, record closed, closed.
const VITAL_PER_PATH: usize = 5;

pub(super) struct EventQueue {
    queue: Mutex<VecDeque<MediaEvent>>,
    limit: usize,
    dropped: AtomicU64,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl EventQueue {
    /// A queue for so many paths; `wake` is called when it is no longer empty.
    pub(super) fn new(paths: usize, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            queue: Mutex::new(VecDeque::new()),
            limit: INFORMING_LIMIT + VITAL_PER_PATH * paths,
            dropped: AtomicU64::new(0),
            wake,
        }
    }

    /// Queues what fits of `events` and empties it.
    pub(super) fn push(&self, events: &mut Vec<MediaEvent>) {
        if events.is_empty() {
            return;
        }
        let mut queue = self.lock();
        let was_empty = queue.is_empty();
        for event in events.drain(..) {
            let limit = if is_vital(&event) {
                self.limit
            } else {
                INFORMING_LIMIT
            };
            if queue.len() < limit {
                queue.push_back(event);
            } else {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        drop(queue);
        if was_empty {
            (self.wake)();
        }
    }

    /// Moves everything into `events`.
    pub(super) fn drain(&self, events: &mut Vec<MediaEvent>) {
        events.extend(self.lock().drain(..));
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<MediaEvent>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_vital(event: &MediaEvent) -> bool {
    match event {
        MediaEvent::Ports { .. }
        | MediaEvent::Silent { .. }
        | MediaEvent::PlayEnded { .. }
        | MediaEvent::RecordClosed { .. }
        | MediaEvent::Closed { .. } => true,
        MediaEvent::FirstPacket { .. }
        | MediaEvent::Latched { .. }
        | MediaEvent::Rejected { .. }
        | MediaEvent::Dtmf { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use media::{PathId, ThreadId};

    use super::*;

    const PATH: PathId = PathId::new(ThreadId(0), 0, 0);

    #[test]
    fn vital_news_find_room_when_others_do_not() {
        let queue = EventQueue::new(1, Box::new(|| ()));
        let mut flood = vec![MediaEvent::FirstPacket { path: PATH }; INFORMING_LIMIT + 5];
        queue.push(&mut flood);
        assert_eq!((flood.len(), queue.dropped()), (0, 5));
        queue.push(&mut vec![MediaEvent::Silent { path: PATH }]);
        let mut events = Vec::new();
        queue.drain(&mut events);
        assert_eq!(events.len(), INFORMING_LIMIT + 1);
        assert_eq!(events.last(), Some(&MediaEvent::Silent { path: PATH }));
    }

    #[test]
    fn the_reader_is_woken_once_until_it_reads() {
        let woken = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&woken);
        let wake = move || {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let queue = EventQueue::new(1, Box::new(wake));
        let event = MediaEvent::FirstPacket { path: PATH };
        queue.push(&mut vec![]);
        queue.push(&mut vec![event.clone()]);
        queue.push(&mut vec![event.clone()]);
        queue.drain(&mut Vec::new());
        queue.push(&mut vec![event]);
        assert_eq!(woken.load(Ordering::Relaxed), 2);
    }
}
