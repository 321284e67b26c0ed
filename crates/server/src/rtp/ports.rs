//! Which port pairs of a thread's slice are free, in use, or resting after a call.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use clock::Time;

/// One thread's slice of the port range: pairs of an even port and the next one.
#[derive(Debug)]
pub(super) struct PortPool {
    first: u16,
    /// One entry per pair.
    taken: Vec<bool>,
    free: usize,
    /// Pairs that may be used again, and when; in order of time for one length of rest.
    resting: VecDeque<(Time, usize)>,
}

impl PortPool {
    /// Divides a range into pools of equal size, one per thread. Ports that make no pair are unused.
    pub(super) fn slices(ports: RangeInclusive<u16>, threads: u8) -> Vec<Self> {
        let first = ports.start().saturating_add(ports.start() % 2);
        let pairs = usize::from(ports.end().saturating_sub(first).saturating_add(1) / 2);
        let each = pairs / usize::from(threads.max(1));
        let slice = |thread: u8| {
            let offset = u16::try_from(usize::from(thread) * each * 2).unwrap_or(u16::MAX);
            Self {
                first: first.saturating_add(offset),
                taken: vec![false; each],
                free: each,
                resting: VecDeque::new(),
            }
        };
        (0..threads.max(1)).map(slice).collect()
    }

    /// How many pairs there are in all.
    pub(super) fn size(&self) -> usize {
        self.taken.len()
    }

    /// Takes the first free pair at or after a place that `random` picks. `None`: all are in use or
    /// resting.
    pub(super) fn take(&mut self, now: Time, random: u64) -> Option<u16> {
        self.wake(now);
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

    /// The pair at `port` is no longer used and rests until `until`.
    pub(super) fn rest(&mut self, port: u16, until: Time) {
        let pair = usize::from(port.saturating_sub(self.first) / 2);
        debug_assert!(
            self.taken.get(pair) == Some(&true),
            "port {port} was not taken"
        );
        self.resting.push_back((until, pair));
    }

    /// When the next pair has rested, if none is free and one is resting.
    pub(super) fn next_free(&self) -> Option<Time> {
        let (until, _) = self.resting.front()?;
        (self.free == 0).then_some(*until)
    }

    fn wake(&mut self, now: Time) {
        while let Some((until, pair)) = self.resting.front().copied() {
            if now < until {
                break;
            }
            self.resting.pop_front();
            self.taken[pair] = false;
            self.free += 1;
        }
    }

    fn port(&self, pair: usize) -> u16 {
        // A pool never has more pairs than fit above `first`, see `slices`.
        self.first + u16::try_from(pair * 2).unwrap_or(0)
    }
}

/// How long a port rests that something else has bound.
pub(super) const REST_OF_FOREIGN_PORT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(pool: &mut PortPool, now: Time) -> Vec<u16> {
        std::iter::from_fn(|| pool.take(now, 0)).collect()
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
            let mut pools = PortPool::slices(range, threads);
            let ports: Vec<_> = pools
                .iter_mut()
                .map(|pool| take_all(pool, Time::ZERO))
                .collect();
            assert_eq!(ports, expect);
        }
    }

    #[test]
    fn the_pick_begins_where_chance_says_and_wraps() {
        let mut pool = PortPool::slices(10..=17, 1).remove(0);
        let picks: Vec<_> = [2, 6, 3, 2]
            .map(|random| pool.take(Time::ZERO, random))
            .to_vec();
        assert_eq!(picks, [Some(14), Some(16), Some(10), Some(12)]);
    }

    #[test]
    fn ports_rest_before_they_are_used_again() {
        let mut pool = PortPool::slices(10..=13, 1).remove(0);
        take_all(&mut pool, Time::ZERO);
        assert_eq!(pool.next_free(), None);
        pool.rest(12, Time::from_secs(10));
        assert_eq!(pool.next_free(), Some(Time::from_secs(10)));
        assert_eq!(pool.take(Time::from_secs(9), 0), None);
        assert_eq!(pool.take(Time::from_secs(10), 0), Some(12));
        assert_eq!(pool.next_free(), None);
    }
}
