//! What the calls of one account share: who is busy, how full each trunk is. Counted by name, so
//! that it stays true when a newer plan is applied under calls that keep theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Shared state of an account's calls. Entries exist only while they are above zero.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    users: Tally,
    trunks: Tally,
}

impl Floor {
    /// Calls each user takes part in, ringing ones too.
    pub(crate) fn users(&mut self) -> &mut Tally {
        &mut self.users
    }

    /// Calls on each trunk, in and out.
    pub(crate) fn trunks(&mut self) -> &mut Tally {
        &mut self.trunks
    }

    /// Whether nothing is going on.
    pub(crate) fn is_idle(&self) -> bool {
        self.users.counts.is_empty() && self.trunks.counts.is_empty()
    }
}

/// Counts by name.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<Arc<str>, u32>,
}

impl Tally {
    /// One more.
    pub(crate) fn add(&mut self, name: &Arc<str>) {
        *self.counts.entry(Arc::clone(name)).or_default() += 1;
    }

    /// One less.
    pub(crate) fn remove(&mut self, name: &Arc<str>) {
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(name);
            }
        }
    }

    /// Whether one more would be over the limit.
    pub(crate) fn is_full(&self, name: &str, limit: Option<u32>) -> bool {
        limit.is_some_and(|limit| self.counts.get(name).copied().unwrap_or_default() >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_nothing_behind() {
        let mut floor = Floor::default();
        let name: Arc<str> = "1010".into();
        floor.users().add(&name);
        assert!(floor.users().is_full("1010", Some(1)));
        assert!(!floor.users().is_full("1010", Some(2)));
        assert!(!floor.users().is_full("1010", None));
        floor.users().remove(&name);
        floor.users().remove(&name);
        assert!(floor.is_idle());
        assert!(
            floor.users().is_full("1010", Some(0)),
            "a limit of none lets nothing through"
        );
    }
}
