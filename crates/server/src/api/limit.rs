//! How often one may ask: a token bucket for each API key, and one for each address without a key.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clock::Time;

/// Buckets remembered at once. When there are more, those that are full again are forgotten; when
/// none is, all are, which costs nobody more than a burst.
const MAX_BUCKETS: usize = 10_000;

/// The buckets of everybody.
#[derive(Debug)]
pub(super) struct Limiter<K> {
    per_second: u32,
    at_once: u32,
    buckets: Mutex<BTreeMap<K, Bucket>>,
}

/// What is left, in millionths of a request, at an instant.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    micro_tokens: u64,
    at: Time,
}

const ONE: u64 = 1_000_000;

impl<K: Ord> Limiter<K> {
    pub(super) fn new(per_second: u32, at_once: u32) -> Self {
        Self {
            per_second,
            at_once,
            buckets: Mutex::default(),
        }
    }

    /// Takes one request of a key, or says how long to wait.
    pub(super) fn take(&self, now: Time, key: K) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.filled(*bucket, now) < self.full());
            if buckets.len() >= MAX_BUCKETS {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            micro_tokens: self.full(),
            at: now,
        });
        bucket.micro_tokens = self.filled(*bucket, now);
        bucket.at = now;
        let Some(rest) = bucket.micro_tokens.checked_sub(ONE) else {
            let missing = ONE - bucket.micro_tokens;
            return Err(Duration::from_micros(
                missing.div_ceil(self.per_second.into()),
            ));
        };
        bucket.micro_tokens = rest;
        Ok(())
    }

    fn full(&self) -> u64 {
        u64::from(self.at_once) * ONE
    }

    /// What is in a bucket by now.
    fn filled(&self, bucket: Bucket, now: Time) -> u64 {
        let passed = u64::try_from(now.since(bucket.at).as_micros()).unwrap_or(u64::MAX);
        let grown = passed.saturating_mul(self.per_second.into());
        bucket.micro_tokens.saturating_add(grown).min(self.full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate_and_each_key_for_itself() {
        let limiter = Limiter::new(2, 3);
        let mut now = Time::from_secs(100);
        let (mine, other) = (1, 2);
        for _ in 0..3 {
            assert_eq!(limiter.take(now, mine), Ok(()));
        }
        assert_eq!(limiter.take(now, mine), Err(Duration::from_millis(500)));
        assert_eq!(limiter.take(now, other), Ok(()));
        now += Duration::from_millis(500);
        assert_eq!(limiter.take(now, mine), Ok(()));
        assert_eq!(limiter.take(now, mine), Err(Duration::from_millis(500)));
        now += Duration::from_secs(1_000);
        for _ in 0..3 {
            assert_eq!(
                limiter.take(now, mine),
                Ok(()),
                "no more than the burst is saved up"
            );
        }
        assert!(limiter.take(now, mine).is_err());
    }

    #[test]
    fn the_table_is_bounded_and_keeps_those_who_wait() {
        let limiter = Limiter::new(1, 2);
        let now = Time::from_secs(100);
        for other in 0..3 * MAX_BUCKETS {
            assert_eq!(limiter.take(now, other), Ok(()));
            let held = limiter.buckets.lock().unwrap().len();
            assert!(held <= MAX_BUCKETS, "{held}");
        }
        // Those of long ago are full again and make room; who waits, waits on.
        let later = now + Duration::from_mins(1);
        let limiter = Limiter::new(1, 2);
        for other in 1..MAX_BUCKETS {
            assert_eq!(limiter.take(now, other), Ok(()));
        }
        for _ in 0..2 {
            assert_eq!(limiter.take(later, 0), Ok(()));
        }
        assert_eq!(limiter.take(later, MAX_BUCKETS), Ok(()));
        assert_eq!(limiter.take(later, 0), Err(Duration::from_secs(1)));
        assert_eq!(limiter.buckets.lock().unwrap().len(), 2);
    }
}
