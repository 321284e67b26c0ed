//! Which port pairs of a thread's slice are free, in use, or resting after a call.
//!
//! A pair that rests stays bound, because to bind it again would cost more than all else that a media
//! thread does for a short call.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use clock::Time;

/// One thread's slice of the port range: pairs of an even port and the next one. `P` is a bound pair.
#[derive(Debug)]
pub(super) struct PortPool<P> {
    first: u16,
    /// How long a pair rests while there are others.
    rest: Duration,
    /// One entry per pair: whether it is in use, resting or bound by something else.
    taken: Vec<bool>,
    free: usize,
    /// In order of time.
    resting: VecDeque<Resting<P>>,
    /// Pairs that something else has bound, and when to look again. In order of time.
    foreign: VecDeque<(Time, u16)>,
}

#[derive(Debug)]
struct Resting<P> {
    since: Time,
    port: u16,
    pair: P,
}

/// A pair to be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<P> {
    /// Bound before, and rested.
    Bound(u16, P),
    /// To be bound.
    Unbound(u16),
}

impl<P> PortPool<P> {
    /// Divides a range into pools of equal size, one per thread. Ports that make no pair are unused.
    pub(super) fn slices(ports: RangeInclusive<u16>, threads: u8, rest: Duration) -> Vec<Self> {
        let first = ports.start().saturating_add(ports.start() % 2);
        let pairs = usize::from(ports.end().saturating_sub(first).saturating_add(1) / 2);
        let each = pairs / usize::from(threads.max(1));
        let slice = |thread: u8| {
            let offset = u16::try_from(usize::from(thread) * each * 2).unwrap_or(u16::MAX);
            Self {
                first: first.saturating_add(offset),
                rest,
                taken: vec![false; each],
                free: each,
                resting: VecDeque::new(),
                foreign: VecDeque::new(),
            }
        };
        (0..threads.max(1)).map(slice).collect()
    }

    /// How many pairs there are in all.
    pub(super) fn size(&self) -> usize {
        self.taken.len()
    }

    /// Takes a pair that has rested, else a free one, else one that has rested for a short time at
    /// least; `random` picks among them. `None`: all are in use or have only just been.
    pub(super) fn take(&mut self, now: Time, random: u64) -> Option<Taken<P>> {
        self.look_at_foreign(now);
        if let Some(rested) = self.take_rested(now, self.rest, random) {
            return Some(rested);
        }
        if let Some(port) = self.take_free(random) {
            return Some(Taken::Unbound(port));
        }
        self.take_rested(now, self.rest.min(SHORTEST_REST), random)
    }

    /// The pair at `port` is no longer used and rests from now on.
    pub(super) fn rest(&mut self, now: Time, port: u16, pair: P) {
        self.resting.push_back(Resting {
            since: now,
            port,
            pair,
        });
        if self.resting.len() > MAX_BOUND_AT_REST
            && let Some(oldest) = self.resting.pop_front()
        {
            self.give_back(oldest.port);
        }
    }

    /// The pair at `port` cannot be bound for now.
    pub(super) fn is_foreign(&mut self, now: Time, port: u16) {
        self.foreign.push_back((now + REST_OF_FOREIGN_PORT, port));
    }

    /// The pair at `port` is closed and free.
    pub(super) fn give_back(&mut self, port: u16) {
        let pair = self.pair(port);
        if let Some(taken @ true) = self.taken.get_mut(pair) {
            *taken = false;
            self.free += 1;
        }
    }

    /// When the next pair can be taken, if none is free and one is resting.
    pub(super) fn next_free(&self) -> Option<Time> {
        let resting = self.resting.front()?;
        (self.free == 0).then(|| resting.since + self.rest.min(SHORTEST_REST))
    }

    fn take_rested(&mut self, now: Time, rest: Duration, random: u64) -> Option<Taken<P>> {
        let has_rested = |resting: &Resting<P>| resting.since + rest <= now;
        let rested = self.resting.partition_point(has_rested).min(CHOICE);
        if rested == 0 {
            return None;
        }
        // Those before `rested` have all rested, so that their order is free.
        let pick = usize::try_from(random % rested as u64).unwrap_or(0);
        self.resting.swap(0, pick);
        let Resting { port, pair, .. } = self.resting.pop_front()?;
        Some(Taken::Bound(port, pair))
    }

    fn take_free(&mut self, random: u64) -> Option<u16> {
        if self.free == 0 {
            return None;
        }
        let size = self.size();
        let start = usize::try_from(random % size as u64).unwrap_or(0);
        let pair = (start..size)
            .chain(0..start)
            .find(|pair| !self.taken[*pair])?;
        self.taken[pair] = true;
        self.free -= 1;
        Some(self.port(pair))
    }

    fn look_at_foreign(&mut self, now: Time) {
        while let Some((until, port)) = self.foreign.front().copied() {
            if now < until {
                break;
            }
            self.foreign.pop_front();
            self.give_back(port);
        }
    }

    fn pair(&self, port: u16) -> usize {
        usize::from(port.saturating_sub(self.first) / 2)
    }

    fn port(&self, pair: usize) -> u16 {
        // A pool never has more pairs than fit above `first`, see `slices`.
        self.first + u16::try_from(pair * 2).unwrap_or(0)
    }
}

/// How long a port rests that something else has bound.
const REST_OF_FOREIGN_PORT: Duration = Duration::from_mins(1);
/// How long a pair rests at least when there is no other: a phone stops sending within a second of
/// its BYE, and what comes later than that is refused by the next call's latch.
const SHORTEST_REST: Duration = Duration::from_secs(1);
/// Among how many rested pairs one is picked, so that nobody knows the next one.
const CHOICE: usize = 64;
/// How many pairs stay bound while they rest: those of some 200 short calls a second.
const MAX_BOUND_AT_REST: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(10);

    fn pool(ports: RangeInclusive<u16>) -> PortPool<char> {
        PortPool::slices(ports, 1, REST).remove(0)
    }

    fn take_all(pool: &mut PortPool<char>, now: Time) -> Vec<u16> {
        let take = || match pool.take(now, 0)? {
            Taken::Bound(port, _) | Taken::Unbound(port) => Some(port),
        };
        std::iter::from_fn(take).collect()
    }

    #[test]
    fn slices_are_even_disjoint_and_within_the_range() {
        for (range, threads, expect) in [
            (10..=17, 1, vec![vec![10, 12, 14, 16]]),
            (11..=17, 1, vec![vec![12, 14, 16]]),
            (10..=16, 1, vec![vec![10, 12, 14]]),
            (10..=19, 2, vec![vec![10, 12], vec![14, 16]]),
            (65_532..=65_535, 1, vec![vec![65_532, 65_534]]),
            (10..=11, 3, vec![vec![], vec![], vec![]]),
        ] {
            let mut pools = PortPool::slices(range, threads, REST);
            let ports: Vec<_> = pools
                .iter_mut()
                .map(|pool| take_all(pool, Time::ZERO))
                .collect();
            assert_eq!(ports, expect);
        }
    }

    #[test]
    fn the_pick_begins_where_chance_says_and_wraps() {
        let mut pool = pool(10..=17);
        let picks = [2, 6, 3, 2].map(|random| pool.take(Time::ZERO, random));
        assert_eq!(
            picks,
            [14, 16, 10, 12].map(|port| Some(Taken::Unbound(port)))
        );
    }

    #[test]
    fn a_pair_rests_long_while_there_are_others_and_shortly_when_there_are_not() {
        let mut pool = pool(10..=13);
        take_all(&mut pool, Time::ZERO);
        assert_eq!((pool.next_free(), pool.take(Time::ZERO, 0)), (None, None));
        pool.rest(Time::ZERO, 12, 'a');
        assert_eq!(pool.next_free(), Some(Time::from_secs(1)));
        assert_eq!(pool.take(Time::from_millis(999), 0), None);
        let taken = pool.take(Time::from_secs(1), 0);
        assert_eq!(taken, Some(Taken::Bound(12, 'a')));
        pool.rest(Time::from_secs(2), 12, 'b');
        pool.give_back(10);
        let unbound = pool.take(Time::from_secs(11), 0);
        assert_eq!(unbound, Some(Taken::Unbound(10)), "12 is still resting");
        pool.give_back(10);
        let rested = pool.take(Time::from_secs(12), 0);
        assert_eq!(rested, Some(Taken::Bound(12, 'b')), "bound before unbound");
    }

    #[test]
    fn chance_picks_among_those_that_have_rested() {
        let mut pool = pool(10..=15);
        take_all(&mut pool, Time::ZERO);
        for (seconds, port) in [(0, 10), (1, 12), (5, 14)] {
            pool.rest(Time::from_secs(seconds), port, 'x');
        }
        let picks = [1, 1].map(|random| pool.take(Time::from_secs(11), random));
        assert_eq!(
            picks,
            [12, 10].map(|port| Some(Taken::Bound(port, 'x'))),
            "14 had six seconds of ten"
        );
    }

    #[test]
    fn few_enough_stay_bound() {
        let mut pool = PortPool::slices(2..=65_535, 1, REST).remove(0);
        let ports = take_all(&mut pool, Time::ZERO);
        assert_eq!(pool.free, 0);
        for port in &ports {
            pool.rest(Time::ZERO, *port, 'x');
        }
        assert_eq!(pool.resting.len(), MAX_BOUND_AT_REST);
        assert_eq!(pool.free, ports.len() - MAX_BOUND_AT_REST);
    }

    #[test]
    fn what_something_else_has_bound_is_tried_again_later() {
        let mut pool = pool(10..=11);
        take_all(&mut pool, Time::ZERO);
        pool.is_foreign(Time::ZERO, 10);
        assert_eq!(pool.take(Time::from_secs(59), 0), None);
        assert_eq!(pool.take(Time::from_secs(60), 0), Some(Taken::Unbound(10)));
    }
}
