//! How often an API key may ask: a token bucket per key.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clock::Time;

/// Keys remembered at once. Only valid keys get here, so this is the number of keys on the server.
const MAX_BUCKETS: usize = 100_000;

/// The buckets of all keys.
#[derive(Debug)]
pub(super) struct Limiter {
    per_second: u32,
    at_once: u32,
    buckets: Mutex<BTreeMap<[u8; 32], Bucket>>,
}

/// What is left, in millionths of a request, at an instant.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    micro_tokens: u64,
    at: Time,
}

const ONE: u64 = 1_000_000;

impl Limiter {
    pub(super) fn new(per_second: u32, at_once: u32) -> Self {
        Self {
            per_second,
            at_once,
            buckets: Mutex::default(),
        }
    }

    /// Takes one request of a key, or says how long to wait.
    pub(super) fn take(&self, now: Time, key: [u8; 32]) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.clear();
        }
        let full = u64::from(self.at_once) * ONE;
        let bucket = buckets.entry(key).or_insert(Bucket {
            micro_tokens: full,
            at: now,
        });
        let passed = u64::try_from(now.since(bucket.at).as_micros()).unwrap_or(u64::MAX);
        let grown = passed.saturating_mul(self.per_second.into());
        bucket.micro_tokens = bucket.micro_tokens.saturating_add(grown).min(full);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate_and_each_key_for_itself() {
        let limiter = Limiter::new(2, 3);
        let mut now = Time::from_secs(100);
        let (mine, other) = ([1; 32], [2; 32]);
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
}
