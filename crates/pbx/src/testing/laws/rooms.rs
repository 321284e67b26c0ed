//! Who is mixed in which room, as the effects have it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Verdict, law};
use crate::account::Account;
use crate::ids::LegId;
use crate::sound::Sound;

/// Legs in rooms, and legs that hear music.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    of: BTreeMap<LegId, Arc<str>>,
    music: BTreeSet<LegId>,
}

impl Rooms {
    /// A leg that is in the room already has its speech changed.
    pub(super) fn join(&mut self, leg: LegId, room: &Arc<str>) -> Verdict {
        let before = self.of.insert(leg, Arc::clone(room));
        law(before.is_none_or(|before| before == *room), || {
            "nobody is in two rooms".to_owned()
        })
    }

    pub(super) fn leave(&mut self, leg: LegId) -> Verdict {
        law(self.of.remove(&leg).is_some(), || {
            "only who is in a room leaves it".to_owned()
        })
    }

    /// Who is about to talk with somebody else, or to be hung up, is in no room.
    pub(super) fn outside(&self, leg: LegId) -> Verdict {
        law(!self.of.contains_key(&leg), || {
            "a room is left before".to_owned()
        })
    }

    pub(super) fn forget(&mut self, leg: LegId) {
        self.of.remove(&leg);
        self.music.remove(&leg);
    }

    pub(super) fn plays(&mut self, leg: LegId, sounds: &[Sound]) {
        if sounds == [Sound::Music] {
            self.music.insert(leg);
        } else {
            self.music.remove(&leg);
        }
    }

    /// Whether music is the last that was played to a leg.
    pub(super) fn hears_music(&self, leg: LegId) -> bool {
        self.music.contains(&leg)
    }

    /// Who waits does so for an owner; who is mixed and not alone hears no music. Music that could not
    /// be played has come to its end, and is no longer heard.
    pub(super) fn settled(
        &self,
        account: &Account,
        is_played_to: impl Fn(LegId) -> bool,
    ) -> Verdict {
        for view in account.rooms() {
            let legs = self.of.iter().filter(|(_, room)| **room == view.name);
            let legs: Vec<LegId> = legs.map(|(leg, _)| *leg).collect();
            law(legs.len() <= view.members, || {
                format!("{} are mixed in {view:?}", legs.len())
            })?;
            law(!view.has_owner_come || legs.len() == view.members, || {
                format!("only {} are mixed in {view:?}", legs.len())
            })?;
            let hears_music = |leg: &&LegId| self.music.contains(leg) && is_played_to(**leg);
            let mut bored = legs.iter().filter(hears_music);
            law(legs.len() < 2 || bored.next().is_none(), || {
                format!("somebody hears music in {view:?}")
            })?;
        }
        let is_there = |name: &Arc<str>| account.rooms().any(|view| view.name == *name);
        law(self.of.values().all(is_there), || {
            "somebody is mixed in a room that is not there".to_owned()
        })
    }
}
