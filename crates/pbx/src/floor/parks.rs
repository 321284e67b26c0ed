//! Where parked calls wait: numbered slots, each with one call. Whoever dials a slot takes its call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::ids::CallId;

/// The slots of an account that are not free.
#[derive(Debug, Default)]
pub(crate) struct Parks {
    slots: BTreeMap<Arc<str>, Slot>,
    /// Calls that are taken out of their slots, gone before the next input.
    fetched: VecDeque<Fetched>,
}

#[derive(Debug)]
enum Slot {
    /// A user has asked for a slot and is about to hand a call on to it.
    Kept { user: Arc<str>, by: CallId },
    /// A call waits.
    Taken(CallId),
}

/// A parked call, and the call of who has come for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) parked: CallId,
    pub(crate) by: CallId,
}

impl Parks {
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.fetched.is_empty()
    }

    /// Keeps the first free slot for a user's next call to be parked.
    pub(crate) fn keep(
        &mut self,
        slots: &[Arc<str>],
        user: &Arc<str>,
        by: CallId,
    ) -> Option<Arc<str>> {
        let slot = self.first_free(slots)?;
        let user = Arc::clone(user);
        self.slots
            .insert(Arc::clone(&slot), Slot::Kept { user, by });
        Some(slot)
    }

    /// Parks a call in the slot that is kept for the user who hands it on, or else in the first free.
    pub(crate) fn park(
        &mut self,
        slots: &[Arc<str>],
        call: CallId,
        parker: Option<&str>,
    ) -> Option<Parked> {
        let kept = parker.and_then(|parker| {
            let mut all = self.slots.iter();
            let kept =
                all.find(|(_, slot)| matches!(slot, Slot::Kept { user, .. } if **user == *parker));
            kept.map(|(slot, _)| Arc::clone(slot))
        });
        let is_known = kept.is_some();
        let slot = kept.or_else(|| self.first_free(slots))?;
        self.slots.insert(Arc::clone(&slot), Slot::Taken(call));
        Some(if is_known {
            Parked::Known(slot)
        } else {
            Parked::New(slot)
        })
    }

    /// Parks a call in that slot, unless it is not free.
    pub(crate) fn park_at(&mut self, slot: &Arc<str>, call: CallId) -> bool {
        let is_free = !self.slots.contains_key(slot);
        if is_free {
            self.slots.insert(Arc::clone(slot), Slot::Taken(call));
        }
        is_free
    }

    /// A call waits no more, or a slot is kept for it no more.
    pub(crate) fn free(&mut self, slot: &str, call: CallId) {
        let holder = match self.slots.get(slot) {
            Some(Slot::Kept { by, .. }) => Some(*by),
            Some(Slot::Taken(parked)) => Some(*parked),
            None => None,
        };
        if holder == Some(call) {
            self.slots.remove(slot);
        }
    }

    /// Has who calls by `by` talk with whoever is parked there, if anybody is.
    pub(crate) fn fetch(&mut self, slot: &str, by: CallId) -> bool {
        let Some(Slot::Taken(parked)) = self.slots.get(slot) else {
            return false;
        };
        let parked = *parked;
        self.fetched.push_back(Fetched { parked, by });
        true
    }

    /// The next two to be brought together.
    pub(crate) fn next_fetched(&mut self) -> Option<Fetched> {
        self.fetched.pop_front()
    }

    /// The calls that wait, by slot.
    pub(crate) fn parked(&self) -> impl Iterator<Item = (&Arc<str>, CallId)> {
        self.slots.iter().filter_map(|(slot, holder)| match holder {
            Slot::Taken(call) => Some((slot, *call)),
            Slot::Kept { .. } => None,
        })
    }

    fn first_free(&self, slots: &[Arc<str>]) -> Option<Arc<str>> {
        let mut slots = slots.iter();
        slots
            .find(|slot| !self.slots.contains_key(*slot))
            .map(Arc::clone)
    }
}

/// Where a call was parked, and whether who parked it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parked {
    Known(Arc<str>),
    New(Arc<str>),
}

impl Parked {
    pub(crate) fn slot(&self) -> &Arc<str> {
        match self {
            Self::Known(slot) | Self::New(slot) => slot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots() -> Vec<Arc<str>> {
        ["701", "702"].map(Into::into).into()
    }

    #[test]
    fn calls_wait_in_the_first_free_slot() {
        let mut parks = Parks::default();
        let mut park = |call| {
            let parked = parks.park(&slots(), CallId(call), None)?;
            Some(parked.slot().to_string())
        };
        assert_eq!(park(1).as_deref(), Some("701"));
        assert_eq!(park(2).as_deref(), Some("702"));
        assert_eq!(park(3), None);
        parks.free("701", CallId(2));
        assert!(!parks.park_at(&"701".into(), CallId(3)), "it is another's");
        parks.free("701", CallId(1));
        assert!(parks.park_at(&"701".into(), CallId(3)));
        parks.free("701", CallId(3));
        parks.free("702", CallId(2));
        assert!(parks.is_empty());
    }

    #[test]
    fn a_slot_that_was_told_is_kept_for_who_asked() {
        let mut parks = Parks::default();
        let john: Arc<str> = "1010".into();
        assert_eq!(parks.keep(&slots(), &john, CallId(1)), Some("701".into()));
        assert!(!parks.fetch("701", CallId(9)), "nobody waits there yet");
        let other = parks.park(&slots(), CallId(2), Some("1011"));
        assert_eq!(other, Some(Parked::New("702".into())));
        let his = parks.park(&slots(), CallId(3), Some("1010"));
        assert_eq!(his, Some(Parked::Known("701".into())));
        // The call by which he asked has nothing to do with it any more.
        parks.free("701", CallId(1));
        assert!(parks.fetch("701", CallId(9)));
        let fetched = Fetched {
            parked: CallId(3),
            by: CallId(9),
        };
        assert_eq!(parks.next_fetched(), Some(fetched));
        assert_eq!(parks.next_fetched(), None);
    }
}
