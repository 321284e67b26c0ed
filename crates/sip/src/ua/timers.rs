//! One ordered set of wake times for every transaction and call of a node: no scan per tick.

use std::collections::BTreeSet;

use clock::Time;

use super::keys::{ClientKey, ServerKey};
use super::types::{DialogId, SubscriptionId};

/// Who is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A server transaction.
    Server(ServerKey),
    /// A client transaction.
    Client(ClientKey),
    /// A call.
    Call(DialogId),
    /// A subscription.
    Subscription(SubscriptionId),
}

/// The wake times. Whoever is in it remembers the time it is armed for, and is in it once.
#[derive(Default)]
pub(crate) struct Timers {
    armed: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Moves a timer from the time it is armed for to another; `None` is off.
    pub(crate) fn arm(&mut self, timer: Timer, armed: &mut Option<Time>, next: Option<Time>) {
        if *armed == next {
            return;
        }
        if let Some(old) = *armed {
            self.armed.remove(&(old, timer));
        }
        if let Some(new) = next {
            self.armed.insert((new, timer));
        }
        *armed = next;
    }

    /// The earliest wake time.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.armed.first().map(|(at, _)| *at)
    }

    /// Whose time has come, the earliest first. It counts as off from then on, so its owner must
    /// forget the time it was armed for.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Timer> {
        let (at, _) = self.armed.first()?;
        if *at > now {
            return None;
        }
        self.armed.pop_first().map(|(_, timer)| timer)
    }

    /// How many are armed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.armed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_wakes_first_and_once() {
        let mut timers = Timers::default();
        let (early, late) = (Time::from_secs(1), Time::from_secs(2));
        let mut first = None;
        let mut second = None;
        timers.arm(Timer::Call(DialogId(1)), &mut first, Some(late));
        timers.arm(Timer::Call(DialogId(2)), &mut second, Some(late));
        timers.arm(Timer::Call(DialogId(2)), &mut second, Some(early));
        assert_eq!(timers.deadline(), Some(early));
        assert_eq!(timers.take_due(early), Some(Timer::Call(DialogId(2))));
        assert_eq!(timers.take_due(early), None);
        timers.arm(Timer::Call(DialogId(1)), &mut first, None);
        assert_eq!(timers.len(), 0);
    }
}
