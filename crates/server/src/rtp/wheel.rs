//! What speaks every 20 ms, spread over them, so that a thousand listeners are not served at once.

use clock::Time;
use media::{PathId, RoomId};

/// One who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A path that hears us.
    Path(PathId),
    /// A room whose members hear one another.
    Room(RoomId),
}

/// Twenty spokes, one per millisecond.
pub(super) struct Wheel {
    spokes: [Vec<Item>; SPOKES],
    items: usize,
    /// The last millisecond that was served.
    served: u64,
}

const SPOKES: usize = 20;
const SPOKES_MS: u64 = 20;
/// How much of a stand-still is made up for; more would be a burst that phones throw away.
const CATCH_UP_MS: u64 = 60;

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            spokes: [const { Vec::new() }; SPOKES],
            items: 0,
            served: 0,
        }
    }

    /// Puts an item where there is most room. The caller knows that it is not there yet.
    pub(super) fn add(&mut self, now: Time, item: Item) {
        if self.items == 0 {
            self.served = milliseconds(now);
        }
        if let Some(spoke) = self.spokes.iter_mut().min_by_key(|spoke| spoke.len()) {
            spoke.push(item);
            self.items += 1;
        }
    }

    /// The next spoke that is due, once; `None` when all are served.
    pub(super) fn next_spoke(&mut self, now: Time) -> Option<usize> {
        let now = milliseconds(now);
        if self.items == 0 || self.served >= now {
            return None;
        }
        self.served = (self.served + 1).max(now.saturating_sub(CATCH_UP_MS));
        usize::try_from(self.served % SPOKES_MS).ok()
    }

    /// An item of a spoke.
    pub(super) fn item(&self, spoke: usize, place: usize) -> Option<Item> {
        self.spokes.get(spoke)?.get(place).copied()
    }

    /// Takes an item out; the last of the spoke has its place then.
    pub(super) fn remove(&mut self, spoke: usize, place: usize) {
        self.spokes[spoke].swap_remove(place);
        self.items -= 1;
    }

    /// When the next one speaks.
    pub(super) fn due(&self) -> Option<Time> {
        if self.items == 0 {
            return None;
        }
        let soon = (1..=SPOKES_MS).map(|ahead| self.served + ahead);
        let is_busy = |ms: &u64| {
            let spoke = usize::try_from(ms % SPOKES_MS).unwrap_or(0);
            !self.spokes[spoke].is_empty()
        };
        soon.into_iter().find(is_busy).map(Time::from_millis)
    }
}

fn milliseconds(time: Time) -> u64 {
    u64::try_from(time.since(Time::ZERO).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(wheel: &mut Wheel, ms: u64) -> Vec<Item> {
        let now = Time::from_millis(ms);
        let mut items = Vec::new();
        while let Some(spoke) = wheel.next_spoke(now) {
            items.extend((0..).map_while(|place| wheel.item(spoke, place)));
        }
        items
    }

    #[test]
    fn everybody_speaks_once_in_20_ms_and_not_all_at_once() {
        let mut wheel = Wheel::new();
        for room in 0..40 {
            wheel.add(Time::from_millis(1_000), Item::Room(RoomId(room)));
        }
        let counts: Vec<_> = (1_001..=1_020)
            .map(|ms| served(&mut wheel, ms).len())
            .collect();
        assert_eq!(counts, [2; 20]);
    }

    #[test]
    fn a_stand_still_is_made_up_for_in_part() {
        let mut wheel = Wheel::new();
        let item = Item::Room(RoomId(1));
        wheel.add(Time::from_millis(1_000), item);
        assert_eq!(served(&mut wheel, 1_041), [item; 2]);
        assert_eq!(served(&mut wheel, 9_000), [item; 4], "at most 60 ms");
        assert_eq!(wheel.due(), Some(Time::from_millis(9_020)));
        wheel.remove(0, 0);
        assert_eq!(wheel.due(), None);
        assert_eq!(served(&mut wheel, 9_100), []);
    }
}
