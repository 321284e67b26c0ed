//! Conference rooms: who is in which, and what each of them has to be told.
//!
//! A room has a name and is there as long as somebody is in it. Whoever changes something about it
//! changes it for all: each member is told by [`Rooms::next_news`], which the account asks after
//! every input.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use clock::Time;

use crate::ids::CallId;

/// The most members of a room: what a media thread mixes.
pub(crate) const MAX_ROOM_MEMBERS: u32 = 64;

/// All rooms of an account.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: BTreeMap<Arc<str>, Room>,
    /// One for each member and change, and gone before the next input.
    news: VecDeque<(CallId, News)>,
}

#[derive(Debug)]
struct Room {
    opened_at: Time,
    members: BTreeMap<CallId, Role>,
    beginning: Beginning,
    door: Door,
    voices: Voices,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Owner,
    Guest,
}

/// Whether an owner has been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    OwnerAwaited,
    OwnerCame,
}

/// Whether guests may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    Locked,
}

/// Who is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voices {
    All,
    Owners,
}

/// What has happened in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Somebody has come.
    Joined,
    /// Somebody has gone.
    Left,
    /// It was decided anew who is heard.
    VoicesChanged,
    /// An owner has ended it.
    Ended,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Locked,
}

/// A room as a member finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) members: usize,
    pub(crate) beginning: Beginning,
    pub(crate) voices: Voices,
}

/// A conference room as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomView {
    /// Its name.
    pub name: Arc<str>,
    /// How many are in it.
    pub members: usize,
    /// Whether an owner has been there.
    pub has_owner_come: bool,
}

impl Rooms {
    pub(crate) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.news.is_empty()
    }

    /// Lets somebody in, unless it is full or locked. Says when the room was opened.
    pub(crate) fn enter(
        &mut self,
        name: &Arc<str>,
        (call, role): (CallId, Role),
        most: usize,
        now: Time,
    ) -> Result<Time, Refusal> {
        let room = self.rooms.get(name);
        let members = room.map_or(0, |room| room.members.len());
        if members >= most {
            return Err(Refusal::Full);
        }
        if role == Role::Guest && room.is_some_and(|room| room.door == Door::Locked) {
            return Err(Refusal::Locked);
        }
        self.tell_others(name, call, News::Joined);
        let room = self.rooms.entry(Arc::clone(name)).or_insert_with(|| Room {
            opened_at: now,
            members: BTreeMap::new(),
            beginning: Beginning::OwnerAwaited,
            door: Door::Open,
            voices: Voices::All,
        });
        room.members.insert(call, role);
        if role == Role::Owner {
            room.beginning = Beginning::OwnerCame;
        }
        Ok(room.opened_at)
    }

    /// Somebody is gone; with the last one the room is.
    pub(crate) fn leave(&mut self, name: &str, call: CallId) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if room.members.remove(&call).is_none() {
            return;
        }
        if room.members.is_empty() {
            self.rooms.remove(name);
        }
        self.tell_others(name, call, News::Left);
    }

    /// The room as it is; `None`: nobody is there.
    pub(crate) fn find(&self, name: &str) -> Option<Found> {
        self.rooms.get(name).map(|room| Found {
            members: room.members.len(),
            beginning: room.beginning,
            voices: room.voices,
        })
    }

    /// Locks the door, or opens it again.
    pub(crate) fn turn_key(&mut self, name: &str) -> Option<Door> {
        let room = self.rooms.get_mut(name)?;
        room.door = match room.door {
            Door::Open => Door::Locked,
            Door::Locked => Door::Open,
        };
        Some(room.door)
    }

    /// Mutes all guests, those to come too, or lets them speak again.
    pub(crate) fn turn_voices(&mut self, name: &str, by: CallId) -> Option<Voices> {
        let room = self.rooms.get_mut(name)?;
        room.voices = match room.voices {
            Voices::All => Voices::Owners,
            Voices::Owners => Voices::All,
        };
        let voices = room.voices;
        self.tell_others(name, by, News::VoicesChanged);
        Some(voices)
    }

    /// The others have to go.
    pub(crate) fn end(&mut self, name: &str, by: CallId) {
        self.tell_others(name, by, News::Ended);
    }

    /// What the next of the members has to be told.
    pub(crate) fn next_news(&mut self) -> Option<(CallId, News)> {
        self.news.pop_front()
    }

    /// All of them, by name.
    pub(crate) fn views(&self) -> impl Iterator<Item = RoomView> + '_ {
        self.rooms.iter().map(|(name, room)| RoomView {
            name: Arc::clone(name),
            members: room.members.len(),
            has_owner_come: room.beginning == Beginning::OwnerCame,
        })
    }

    fn tell_others(&mut self, name: &str, call: CallId, news: News) {
        let members = self.rooms.get(name).into_iter();
        let members = members.flat_map(|room| room.members.keys());
        let others = members.filter(|member| **member != call);
        self.news.extend(others.map(|member| (*member, news)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_569_943_875);

    fn room() -> (Rooms, Arc<str>) {
        (Rooms::default(), "weekly".into())
    }

    fn told(rooms: &mut Rooms) -> Vec<(u64, News)> {
        let news = std::iter::from_fn(|| rooms.next_news());
        news.map(|(call, news)| (call.0, news)).collect()
    }

    fn guest(call: u64) -> (CallId, Role) {
        (CallId(call), Role::Guest)
    }

    #[test]
    fn a_room_is_there_as_long_as_somebody_is_in_it() {
        let (mut rooms, name) = room();
        assert_eq!(rooms.find(&name), None);
        rooms.enter(&name, guest(1), 9, NOW).unwrap();
        rooms.leave(&name, CallId(2));
        assert_eq!(rooms.find(&name).unwrap().members, 1);
        rooms.leave(&name, CallId(1));
        assert!(rooms.is_empty());
    }

    #[test]
    fn the_others_are_told_who_comes_and_goes() {
        let (mut rooms, name) = room();
        for call in 1..=3 {
            rooms.enter(&name, guest(call), 9, NOW).unwrap();
        }
        let joined = [(1, News::Joined), (1, News::Joined), (2, News::Joined)];
        assert_eq!(told(&mut rooms), joined);
        rooms.leave(&name, CallId(2));
        assert_eq!(told(&mut rooms), [(1, News::Left), (3, News::Left)]);
        rooms.end(&name, CallId(1));
        assert_eq!(told(&mut rooms), [(3, News::Ended)]);
    }

    #[test]
    fn a_full_room_lets_nobody_in_and_a_locked_one_only_owners() {
        let (mut rooms, name) = room();
        rooms.enter(&name, guest(1), 2, NOW).unwrap();
        assert_eq!(rooms.turn_key(&name), Some(Door::Locked));
        assert_eq!(rooms.enter(&name, guest(2), 2, NOW), Err(Refusal::Locked));
        let owner = |call| (CallId(call), Role::Owner);
        assert_eq!(rooms.enter(&name, owner(3), 2, NOW), Ok(NOW));
        assert_eq!(rooms.enter(&name, owner(4), 2, NOW), Err(Refusal::Full));
        assert_eq!(rooms.turn_key(&name), Some(Door::Open));
        assert_eq!(rooms.enter(&name, guest(2), 3, NOW), Ok(NOW));
    }

    #[test]
    fn an_owner_begins_it_and_decides_who_is_heard() {
        let (mut rooms, name) = room();
        rooms.enter(&name, guest(1), 9, NOW).unwrap();
        assert_eq!(
            rooms.find(&name).unwrap().beginning,
            Beginning::OwnerAwaited
        );
        rooms
            .enter(&name, (CallId(2), Role::Owner), 9, NOW)
            .unwrap();
        rooms.leave(&name, CallId(2));
        rooms
            .enter(&name, (CallId(2), Role::Owner), 9, NOW)
            .unwrap();
        assert_eq!(rooms.find(&name).unwrap().beginning, Beginning::OwnerCame);
        told(&mut rooms);
        assert_eq!(rooms.turn_voices(&name, CallId(2)), Some(Voices::Owners));
        assert_eq!(told(&mut rooms), [(1, News::VoicesChanged)]);
        assert_eq!(rooms.turn_voices(&name, CallId(2)), Some(Voices::All));
    }
}
