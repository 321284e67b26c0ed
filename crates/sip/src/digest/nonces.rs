//! Which counts of which nonces were used, so that no request can be replayed.
//!
//! The table is bounded, and a full one never forgets that a count was used: when it drops its
//! oldest nonce it remembers that nonce's place, and from then on no nonce issued up to there
//! counts as fresh. Its owner is challenged once more (`stale=true`), which costs a round trip
//! and no password. Only answers with a right password get here, so nobody without an account can
//! push anything out of the table.

use std::collections::BTreeMap;

use clock::Time;

use super::server::{DigestError, NONCE_LIFETIME};

/// Nonces in use at one time; each takes about 40 bytes.
pub(super) const MAX_NONCES: usize = 65_536;

/// When a nonce was issued, and its number among those of that instant and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NonceId {
    pub(super) issued: Time,
    pub(super) serial: u32,
}

/// The used counts of nonces, oldest nonce first.
#[derive(Debug, Default)]
pub(super) struct NonceTable {
    used: BTreeMap<NonceId, Counts>,
    /// Nonces up to this one that are not in the table are not fresh any more.
    forgotten: Option<NonceId>,
}

/// The highest count and which of the 64 up to it were used: requests may overtake one another.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    highest: u32,
    used: u64,
}

impl NonceTable {
    /// Notes that a count was used, once. `now` lets go of nonces that are too old to be used.
    pub(super) fn take(&mut self, now: Time, id: NonceId, count: u32) -> Result<(), DigestError> {
        self.expire(now);
        if let Some(counts) = self.used.get_mut(&id) {
            return counts.take(count);
        }
        if self.forgotten.is_some_and(|forgotten| id <= forgotten) {
            return Err(DigestError::Stale);
        }
        let mut counts = Counts::default();
        counts.take(count)?;
        self.used.insert(id, counts);
        if self.used.len() > MAX_NONCES {
            self.forgotten = self.used.pop_first().map(|(oldest, _)| oldest);
        }
        Ok(())
    }

    fn expire(&mut self, now: Time) {
        while let Some(oldest) = self.used.first_entry()
            && now.since(oldest.key().issued) > NONCE_LIFETIME
        {
            oldest.remove();
        }
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> Result<(), DigestError> {
        if count == 0 {
            return Err(DigestError::NonceCountReused);
        }
        if count > self.highest {
            let ahead = count - self.highest;
            self.used = self.used.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return Ok(());
        }
        // Counts further behind than the window can remember are taken for used.
        let bit = 1_u64.checked_shl(self.highest - count).unwrap_or(0);
        if bit == 0 || self.used & bit != 0 {
            return Err(DigestError::NonceCountReused);
        }
        self.used |= bit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000);

    fn id(serial: u32) -> NonceId {
        NonceId {
            issued: NOW,
            serial,
        }
    }

    #[test]
    fn a_count_is_taken_once_and_may_be_overtaken() {
        let mut table = NonceTable::default();
        for (count, taken) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (0, false),
            (70, true),
            (7, true),
            (6, false),
            (u32::MAX, true),
            (70, false),
        ] {
            assert_eq!(table.take(NOW, id(1), count).is_ok(), taken, "{count}");
        }
    }

    #[test]
    fn a_full_table_makes_old_nonces_stale_and_never_usable_again() {
        let mut table = NonceTable::default();
        let limit = u32::try_from(MAX_NONCES).unwrap();
        for serial in 1..=limit + 10 {
            assert_eq!(table.take(NOW, id(serial), 1), Ok(()), "{serial}");
        }
        assert_eq!(table.used.len(), MAX_NONCES);
        assert_eq!(
            table.take(NOW, id(5), 1),
            Err(DigestError::Stale),
            "pushed out"
        );
        assert_eq!(
            table.take(NOW, id(0), 1),
            Err(DigestError::Stale),
            "never used, as old"
        );
        assert_eq!(
            table.take(NOW, id(11), 1),
            Err(DigestError::NonceCountReused),
            "kept"
        );
        assert_eq!(table.take(NOW, id(11), 2), Ok(()), "kept nonces go on");
        assert_eq!(
            table.take(NOW, id(limit + 11), 1),
            Ok(()),
            "new nonces are taken"
        );
    }

    #[test]
    fn old_nonces_leave_the_table() {
        let mut table = NonceTable::default();
        for serial in 0..100 {
            assert_eq!(table.take(NOW, id(serial), 1), Ok(()));
        }
        let later = NOW + NONCE_LIFETIME + NONCE_LIFETIME;
        assert_eq!(
            table.take(
                later,
                NonceId {
                    issued: later,
                    serial: 100
                },
                1
            ),
            Ok(())
        );
        assert_eq!(table.used.len(), 1);
    }
}
