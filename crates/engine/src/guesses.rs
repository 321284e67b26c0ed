//! Who guesses passwords is locked out, and whose password is guessed is not.
//!
//! Wrong digests are counted for each pair of source address and user, for each address and for each
//! user. Over a limit digests are not looked at any more until the window is over. A source that has
//! proven a user's password, its port included, is counted for itself: neither a guesser elsewhere
//! nor one behind the same NAT can lock its user out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use pbx::AccountId;

/// A user as a digest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    pub(crate) account: AccountId,
    pub(crate) username: Arc<str>,
}

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    pairs: Counters<(IpAddr, Claim)>,
    addresses: Counters<IpAddr>,
    users: Counters<Claim>,
    /// Sources that were right; the count is not used.
    proven: Counters<(SocketAddr, Claim)>,
    /// Of proven sources only.
    sources: Counters<(SocketAddr, Claim)>,
}

impl Guesses {
    /// Whether a digest from there is not even looked at. `claim` is `None` for a user who does not
    /// exist.
    pub(crate) fn is_locked_out(&self, now: Time, from: SocketAddr, claim: Option<&Claim>) -> bool {
        let many_from_there = self.addresses.count(now, &from.ip()) >= WRONG_PER_ADDRESS;
        let Some(claim) = claim else {
            return many_from_there;
        };
        let source = (from, claim.clone());
        if self.proven.count(now, &source) > 0 {
            return self.sources.count(now, &source) >= WRONG_PER_PAIR;
        }
        let pair = (from.ip(), source.1);
        many_from_there
            || self.pairs.count(now, &pair) >= WRONG_PER_PAIR
            || self.users.count(now, claim) >= WRONG_PER_USER
    }

    /// A digest was wrong.
    pub(crate) fn wrong(&mut self, now: Time, from: SocketAddr, claim: Option<&Claim>) {
        let Some(claim) = claim else {
            return self.addresses.add(now, from.ip(), WRONG_WINDOW);
        };
        let source = (from, claim.clone());
        if self.proven.count(now, &source) > 0 {
            return self.sources.add(now, source, WRONG_WINDOW);
        }
        self.addresses.add(now, from.ip(), WRONG_WINDOW);
        self.pairs.add(now, (from.ip(), source.1), WRONG_WINDOW);
        self.users.add(now, claim.clone(), WRONG_WINDOW);
    }

    /// A digest was right.
    pub(crate) fn right(&mut self, now: Time, from: SocketAddr, claim: Claim) {
        self.pairs.remove(&(from.ip(), claim.clone()));
        let source = (from, claim);
        self.sources.remove(&source);
        // Every registration and call comes by here: what is fresh enough is left alone.
        if self.proven.left(now, &source) < PROVEN_FOR / 2 {
            self.proven.remove(&source);
            self.proven.add(now, source, PROVEN_FOR);
        }
    }
}

/// Counts by key, each for a window that begins with its first. When the table is full, the window
/// that ends first gives way.
#[derive(Debug)]
struct Counters<K> {
    counts: BTreeMap<K, Count>,
    ends: BTreeSet<(Time, K)>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    count: u32,
    until: Time,
}

impl<K> Default for Counters<K> {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
            ends: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Ord> Counters<K> {
    fn count(&self, now: Time, key: &K) -> u32 {
        let count = self.counts.get(key).filter(|count| count.until > now);
        count.map_or(0, |count| count.count)
    }

    /// How long the key's window lasts.
    fn left(&self, now: Time, key: &K) -> Duration {
        let count = self.counts.get(key);
        count.map_or(Duration::ZERO, |count| count.until - now)
    }

    fn add(&mut self, now: Time, key: K, window: Duration) {
        if let Some(count) = self.counts.get_mut(&key)
            && count.until > now
        {
            count.count = count.count.saturating_add(1);
            return;
        }
        self.remove(&key);
        while self.counts.len() >= MAX_COUNTERS
            && let Some((_, oldest)) = self.ends.pop_first()
        {
            self.counts.remove(&oldest);
        }
        let until = now + window;
        self.ends.insert((until, key.clone()));
        self.counts.insert(key, Count { count: 1, until });
    }

    fn remove(&mut self, key: &K) {
        if let Some(count) = self.counts.remove(key) {
            self.ends.remove(&(count.until, key.clone()));
        }
    }
}

/// Wrong digests for one user from one address.
const WRONG_PER_PAIR: u32 = 10;
/// Wrong digests from one address, whoever they are for.
const WRONG_PER_ADDRESS: u32 = 50;
/// Wrong digests for one user, wherever they come from.
const WRONG_PER_USER: u32 = 100;
/// How long wrong digests are held against somebody.
const WRONG_WINDOW: Duration = Duration::from_mins(5);
/// How long a right digest speaks for somebody.
const PROVEN_FOR: Duration = Duration::from_hours(24);
/// Entries of each table.
const MAX_COUNTERS: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    fn from(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], port))
    }

    fn user(name: &str) -> Claim {
        Claim {
            account: AccountId(1),
            username: name.into(),
        }
    }

    #[test]
    fn a_guesser_is_locked_out_for_a_while() {
        let mut guesses = Guesses::default();
        let claim = user("1010");
        for port in 0..10 {
            assert!(!guesses.is_locked_out(NOW, from(1, port), Some(&claim)));
            guesses.wrong(NOW, from(1, port), Some(&claim));
        }
        assert!(guesses.is_locked_out(NOW, from(1, 99), Some(&claim)));
        assert!(!guesses.is_locked_out(NOW, from(2, 99), Some(&claim)));
        let later = NOW + WRONG_WINDOW;
        assert!(!guesses.is_locked_out(later, from(1, 99), Some(&claim)));
    }

    #[test]
    fn guesses_lock_strangers_out_but_not_the_user() {
        let mut guesses = Guesses::default();
        let claim = user("1010");
        guesses.right(NOW, from(1, 5060), claim.clone());
        for last in 0..200 {
            guesses.wrong(NOW, from(last, 40_000), Some(&claim));
            guesses.wrong(NOW, from(1, 40_000), Some(&claim));
        }
        assert!(guesses.is_locked_out(NOW, from(251, 5060), Some(&claim)));
        assert!(guesses.is_locked_out(NOW, from(1, 40_000), Some(&claim)));
        assert!(!guesses.is_locked_out(NOW, from(1, 5060), Some(&claim)));
        assert!(!guesses.is_locked_out(NOW, from(251, 5060), Some(&user("1011"))));
    }

    #[test]
    fn who_tries_every_name_is_locked_out_and_colleagues_are_not() {
        let mut guesses = Guesses::default();
        let colleague = user("1011");
        guesses.right(NOW, from(1, 5060), colleague.clone());
        for _ in 0..WRONG_PER_ADDRESS {
            guesses.wrong(NOW, from(1, 40_000), None);
        }
        assert!(guesses.is_locked_out(NOW, from(1, 40_000), None));
        assert!(guesses.is_locked_out(NOW, from(1, 5060), Some(&user("1012"))));
        assert!(!guesses.is_locked_out(NOW, from(1, 5060), Some(&colleague)));
    }

    #[test]
    fn who_was_right_once_may_mistype_but_not_guess() {
        let mut guesses = Guesses::default();
        let claim = user("1010");
        for _ in 0..3 {
            for _ in 1..WRONG_PER_PAIR {
                guesses.wrong(NOW, from(1, 5060), Some(&claim));
            }
            assert!(!guesses.is_locked_out(NOW, from(1, 5060), Some(&claim)));
            guesses.right(NOW, from(1, 5060), claim.clone());
        }
        for _ in 0..WRONG_PER_PAIR {
            guesses.wrong(NOW, from(1, 5060), Some(&claim));
        }
        assert!(guesses.is_locked_out(NOW, from(1, 5060), Some(&claim)));
    }

    #[test]
    fn a_full_table_forgets_the_oldest() {
        let mut counters = Counters::default();
        for key in 0..=MAX_COUNTERS {
            counters.add(NOW, key, WRONG_WINDOW);
        }
        assert_eq!(
            (counters.counts.len(), counters.ends.len()),
            (MAX_COUNTERS, MAX_COUNTERS)
        );
        assert_eq!(counters.count(NOW, &0), 0);
        assert_eq!(counters.count(NOW, &MAX_COUNTERS), 1);
    }
}
