//! The paths of one thread, found by their place.

use clock::Time;
use media::leg::Leg;
use media::{PathId, ThreadId, Way};

use super::pair::Pair;
use super::studio::Studio;

/// One leg's sockets and state. The order is kept and begins with a cache line, for the reason that
/// [`Leg`] gives.
#[repr(C, align(64))]
pub(super) struct Path {
    pub(super) pair: Pair,
    /// The place of the leg at the other end of the bridge.
    pub(super) peer: Option<u32>,
    /// What is to be done besides relaying; a plain call has none.
    pub(super) studio: Option<Box<Studio>>,
    pub(super) stage: Stage,
    pub(super) port: u16,
    pub(super) leg: Leg,
    pub(super) id: PathId,
    /// How packets pass over the bridge.
    pub(super) way: Way,
}

impl Path {
    /// Its work besides relaying, begun if there was none.
    pub(super) fn studio(&mut self) -> &mut Studio {
        self.studio.get_or_insert_default()
    }

    /// Whether the peer hears us, and nobody else therefore.
    pub(super) fn is_spoken_to(&self) -> bool {
        let studio = self.studio.as_ref();
        studio.is_some_and(|studio| studio.speaker.is_speaking())
    }
}

/// How far a path's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Bound, and in the engine's stock.
    Stocked,
    /// Taken by a leg whose peer is not known.
    Claimed,
    /// Watched for packets.
    Listening,
}

/// A slab. Freed places are used again under a new generation.
pub(super) struct Paths {
    thread: ThreadId,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    path: Option<Path>,
}

impl Paths {
    pub(super) fn new(thread: ThreadId) -> Self {
        Self {
            thread,
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Gives a bound pair a place, and thereby an id.
    pub(super) fn insert(&mut self, now: Time, port: u16, pair: Pair) -> PathId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                path: None,
            });
            // There are at most 2^15 port pairs.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.slots[slot as usize];
        let id = PathId::new(self.thread, slot, place.generation);
        let leg = Leg::new(id, now);
        place.path = Some(Path {
            id,
            port,
            pair,
            leg,
            peer: None,
            studio: None,
            way: Way::DIRECT,
            stage: Stage::Stocked,
        });
        id
    }

    /// The path at a place.
    pub(super) fn at(&mut self, slot: u32) -> Option<&mut Path> {
        self.slots.get_mut(slot as usize)?.path.as_mut()
    }

    /// The path of that id, unless it is over.
    pub(super) fn find(&mut self, id: PathId) -> Option<&mut Path> {
        self.at(id.slot()).filter(|path| path.id == id)
    }

    pub(super) fn remove(&mut self, id: PathId) -> Option<Path> {
        self.find(id)?;
        let slot = self.slots.get_mut(id.slot() as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot());
        slot.path.take()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Path> {
        self.slots.iter_mut().filter_map(|slot| slot.path.as_mut())
    }
}
