//! A bounded queue into a thread that sleeps in `epoll`: many senders, one owner, an eventfd to wake it.
//!
//! The drive loop's inbox is one of these. It never blocks a sender: what finds no room comes back,
//! and the sender says what that means.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

/// The sending half.
pub struct Sender<T>(Arc<Shared<T>>);

/// The owner's half.
pub struct Inbox<T>(Arc<Shared<T>>);

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    capacity: usize,
    wake: OwnedFd,
}

struct Queue<T> {
    items: VecDeque<T>,
    /// The owner was woken and has not drained since.
    is_woken: bool,
}

/// A queue that holds up to `capacity` items.
pub fn channel<T>(capacity: usize) -> std::io::Result<(Sender<T>, Inbox<T>)> {
    let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
    let shared = Arc::new(Shared {
        queue: Mutex::new(Queue {
            items: VecDeque::new(),
            is_woken: false,
        }),
        capacity,
        wake,
    });
    Ok((Sender(Arc::clone(&shared)), Inbox(shared)))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Sender<T> {
    /// Puts `item` into the queue and wakes the owner, or gives it back when the queue is full.
    pub fn send(&self, item: T) -> Result<(), T> {
        let mut queue = self.0.push(item)?;
        let was_woken = std::mem::replace(&mut queue.is_woken, true);
        drop(queue);
        if !was_woken {
            self.wake();
        }
        Ok(())
    }

    /// Puts `item` into the queue, where the owner finds it when it drains for another reason.
    pub fn send_quietly(&self, item: T) -> Result<(), T> {
        self.0.push(item).map(drop)
    }

    /// Wakes the owner without an item.
    pub fn wake(&self) {
        // It fails only when the counter is full, and then the owner is awake anyway.
        rustix::io::write(&self.0.wake, &1_u64.to_ne_bytes()).ok();
    }
}

impl<T> Inbox<T> {
    /// Moves everything queued into `items` and goes quiet until the next item.
    pub fn drain(&self, items: &mut Vec<T>) {
        // Quiet first: an item that comes after this wakes again.
        rustix::io::read(&self.0.wake, &mut [0; 8]).ok();
        let mut queue = self.0.lock();
        queue.is_woken = false;
        items.extend(queue.items.drain(..));
    }

    /// A further sender.
    pub fn sender(&self) -> Sender<T> {
        Sender(Arc::clone(&self.0))
    }
}

impl<T> AsFd for Inbox<T> {
    /// Readable while something is queued.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.wake.as_fd()
    }
}

impl<T> Shared<T> {
    fn push(&self, item: T) -> Result<MutexGuard<'_, Queue<T>>, T> {
        let mut queue = self.lock();
        if queue.items.len() >= self.capacity {
            return Err(item);
        }
        queue.items.push_back(item);
        Ok(queue)
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn readable(inbox: &Inbox<u32>) -> bool {
        let nothing = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut [PollFd::new(inbox, PollFlags::IN)], Some(&nothing)).unwrap() == 1
    }

    #[test]
    fn it_wakes_while_something_is_queued_and_refuses_what_finds_no_room() {
        let (sender, inbox) = channel(2).unwrap();
        assert!(!readable(&inbox));
        assert_eq!(
            [1, 2, 3].map(|item| sender.send(item)),
            [Ok(()), Ok(()), Err(3)]
        );
        assert!(readable(&inbox));
        let mut items = Vec::new();
        inbox.drain(&mut items);
        assert_eq!(items, [1, 2]);
        assert!(!readable(&inbox));
        assert_eq!(sender.send(4), Ok(()));
        assert!(readable(&inbox));
    }

    #[test]
    fn what_is_sent_quietly_wakes_nobody_and_hides_nothing() {
        let (sender, inbox) = channel(2).unwrap();
        assert_eq!(sender.send_quietly(1), Ok(()));
        assert!(!readable(&inbox));
        assert_eq!(sender.send(2), Ok(()));
        assert!(readable(&inbox), "though something was queued before it");
        let mut items = Vec::new();
        inbox.drain(&mut items);
        assert_eq!(items, [1, 2]);
    }
}
