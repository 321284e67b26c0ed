//! Conference rooms. A room is mixed on the media thread of its first member; members whose media are
//! on another thread come in over a tie line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clock::Time;
use media::{Carries, Command, PathId, RoomId, ThreadId};
use pbx::{AccountId, HangupCause, LegId, Speech};

use crate::legs::Seat;
use crate::{Effect, Engine};

/// Rooms that somebody is in.
#[derive(Default)]
pub(crate) struct Rooms {
    all: BTreeMap<(AccountId, Arc<str>), Room>,
    last: u32,
}

struct Room {
    id: RoomId,
    thread: ThreadId,
    members: BTreeSet<LegId>,
}

impl Rooms {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The room of that name with one more member, mixed on `thread` if it is new.
    fn enter(&mut self, key: (AccountId, Arc<str>), leg: LegId, thread: ThreadId) -> &Room {
        let room = self.all.entry(key).or_insert_with(|| {
            self.last = self.last.wrapping_add(1);
            Room {
                id: RoomId(self.last),
                thread,
                members: BTreeSet::new(),
            }
        });
        room.members.insert(leg);
        room
    }

    fn leave(&mut self, key: &(AccountId, Arc<str>), leg: LegId) {
        let Some(room) = self.all.get_mut(key) else {
            return;
        };
        room.members.remove(&leg);
        if room.members.is_empty() {
            self.all.remove(key);
        }
    }

    fn id(&self, key: &(AccountId, Arc<str>)) -> Option<RoomId> {
        self.all.get(key).map(|room| room.id)
    }
}

impl Engine {
    /// A leg hears everybody else in a room. One that is there already is only heard otherwise; one
    /// that cannot be brought there is lost.
    pub(crate) fn join_room(&mut self, now: Time, id: LegId, room: &Arc<str>, speech: Speech) {
        self.hear_us(id);
        let seat = self.legs.leg(id).and_then(|leg| leg.media.seat.as_ref());
        let path = match seat {
            Some(seat) if seat.room == *room => Some(seat.path),
            Some(_) | None => {
                self.leave_room(id);
                self.way_into(id, room)
            }
        };
        let (Some(path), Some(leg)) = (path, self.legs.leg_mut(id)) else {
            return self.lost(now, id, HangupCause::Congested);
        };
        leg.media.seat = Some(Seat {
            room: Arc::clone(room),
            path,
            speech,
        });
        self.mix(id);
    }

    /// A leg is in no room any more.
    pub(crate) fn leave_room(&mut self, id: LegId) {
        let Some(leg) = self.legs.leg_mut(id) else {
            return;
        };
        let (Some(seat), account) = (leg.media.seat.take(), leg.account) else {
            return;
        };
        let tie = leg.media.tie.take();
        self.effects
            .push(Effect::Media(Command::Leave { path: seat.path }));
        if let (Some(_), Some(path)) = (&tie, self.path_of(id)) {
            self.effects.push(Effect::Media(Command::Unbridge { path }));
        }
        self.release_tie(tie);
        self.rooms.leave(&(account, seat.room), id);
    }

    /// What a member says of its media has changed: who is on hold is not heard, and what a tie line
    /// carries is agreed anew.
    pub(crate) fn seat_again(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.legs.leg(id) else {
            return;
        };
        let (Some(seat), is_tied) = (&leg.media.seat, leg.media.tie.is_some()) else {
            return;
        };
        let (room, speech) = (Arc::clone(&seat.room), seat.speech);
        if is_tied {
            self.leave_room(id);
        }
        self.join_room(now, id, &room, speech);
    }

    /// The path by which a leg is in the room: its own, or the far end of a tie line. `None`: there is
    /// no way between the threads now.
    fn way_into(&mut self, id: LegId, room: &Arc<str>) -> Option<PathId> {
        let account = self.legs.leg(id)?.account;
        let speaker = self.speaker(id)?;
        let (own, key) = (speaker.0.path, (account, Arc::clone(room)));
        let thread = self.rooms.enter(key.clone(), id, own.thread()).thread;
        if thread == own.thread() {
            return Some(own);
        }
        let Some(tie) = self.new_tie(speaker.0, thread) else {
            self.rooms.leave(&key, id);
            return None;
        };
        self.legs.leg_mut(id)?.media.tie = Some(tie);
        let (near, far) = self.tie_line(&speaker, tie, Carries::Audio)?;
        self.bridge(&speaker, &near);
        Some(far.0.path)
    }

    /// Has a member mixed as it is now.
    fn mix(&mut self, id: LegId) {
        let Some(leg) = self.legs.leg(id) else {
            return;
        };
        let Some(Seat { room, path, speech }) = leg.media.seat.clone() else {
            return;
        };
        let Some(room) = self.rooms.id(&(leg.account, room)) else {
            return;
        };
        let speech = match speech {
            // What a phone plays to whom it holds is not for the others.
            Speech::Heard if leg.media.wish.receives() => media::Speech::Heard,
            Speech::Heard | Speech::Muted => media::Speech::Muted,
        };
        self.effects
            .push(Effect::Media(Command::Join { path, room, speech }));
    }
}
