//! What commands do to a path's voices: bridges, what is played, keys, rooms, recordings; and what is
//! said every 20 ms.

use std::collections::btree_map::Entry;

use clock::Time;
use media::mix::Room;
use media::player::Turn;
use media::{
    Channel, MediaEvent, PathId, PayloadMap, PlayId, Playlist, RecordEnd, RecordLimits,
    RecordingId, RoomId, Speech, Way,
};

use super::recordings::Over;
use super::relay::{Relay, send_rtp};
use super::studio::Turning;
use super::wheel::Item;
use super::work::HEADER_BYTES;

/// Bridges.
impl Relay {
    /// What arrives on one leaves on the other. Neither is in a room then.
    pub(super) fn bridge(&mut self, (a, a_to_b): (PathId, Way), (b, b_to_a): (PathId, Way)) {
        let are_bridged = self
            .paths
            .find(a)
            .is_some_and(|path| path.peer == Some(b.slot()));
        for id in [a, b] {
            self.leave(id);
            if !are_bridged {
                self.unbridge(id);
            }
        }
        for (id, other, way) in [(a, b, a_to_b), (b, a, b_to_a)] {
            let Some(path) = self.paths.find(id) else {
                continue;
            };
            path.peer = Some(other.slot());
            path.leg.set_onward(match &way {
                Way::Relay(map) => map.clone(),
                Way::Transcode { .. } => PayloadMap::IDENTITY,
            });
            path.way = way;
            if !are_bridged {
                path.leg.switch_speaker();
            }
        }
        self.retune_call(a);
    }

    /// Takes the path's bridge apart, if there is one.
    pub(super) fn unbridge(&mut self, id: PathId) {
        let Some(peer) = self.paths.find(id).and_then(|path| path.peer.take()) else {
            return;
        };
        if let Some(peer) = self.paths.at(peer) {
            peer.peer = None;
        }
        self.retune(id.slot());
        self.retune(peer);
    }

    /// The path is about to end: it is in nothing any more.
    pub(super) fn detach(&mut self, now: Time, id: PathId) {
        self.unbridge(id);
        self.leave(id);
        self.untap(now, id);
    }
}

/// What we say.
impl Relay {
    pub(super) fn play(&mut self, now: Time, id: PathId, (play, playlist): (PlayId, Playlist)) {
        if let Some(path) = self.paths.find(id) {
            path.studio().speaker.play(play, playlist);
            self.begin_turns(now, id);
        }
    }

    pub(super) fn stop(&mut self, id: PathId) {
        if let Some(studio) = self.paths.find(id).and_then(|path| path.studio.as_mut()) {
            studio.speaker.stop();
        }
    }

    pub(super) fn press(&mut self, now: Time, id: PathId, digits: &str) {
        if let Some(path) = self.paths.find(id) {
            path.studio().speaker.press(digits);
            self.begin_turns(now, id);
        }
    }

    fn begin_turns(&mut self, now: Time, id: PathId) {
        let Some(path) = self.paths.find(id) else {
            return;
        };
        let studio = path.studio();
        if studio.turn == Turning::No {
            studio.turn = Turning::Yes;
            self.wheel.add(now, Item::Path(id));
        }
    }

    /// Says what is due.
    pub(super) fn turns(&mut self, now: Time) {
        while let Some(spoke) = self.wheel.next_spoke(now) {
            let mut place = 0;
            while let Some(item) = self.wheel.item(spoke, place) {
                let goes_on = match item {
                    Item::Path(id) => self.path_turn(now, id),
                    Item::Room(id) => self.room_turn(now, id),
                };
                if goes_on {
                    place += 1;
                } else {
                    self.wheel.remove(spoke, place);
                }
            }
        }
    }

    /// A path hears 20 ms; `false` when it has heard everything.
    fn path_turn(&mut self, now: Time, id: PathId) -> bool {
        let Some(path) = self.paths.find(id) else {
            return false;
        };
        let Some(studio) = &mut path.studio else {
            return false;
        };
        let turn = studio
            .speaker
            .turn(now, &mut path.leg, &mut self.packet, &mut self.events);
        let goes_on = studio.speaker.is_speaking();
        if !goes_on {
            studio.turn = Turning::No;
        }
        if turn == Turn::Packet {
            self.counts.count_spoken(send_rtp(path, &self.packet));
        }
        if !goes_on {
            self.retune(id.slot());
        }
        goes_on
    }
}

/// Rooms.
impl Relay {
    /// `false`: the room is full.
    pub(super) fn join(&mut self, now: Time, id: PathId, (room, speech): (RoomId, Speech)) -> bool {
        let Some(path) = self.paths.find(id) else {
            return false;
        };
        let before = path.studio.as_ref().and_then(|studio| studio.room);
        if before != Some(room) {
            self.leave(id);
            self.unbridge(id);
        }
        let members = match self.rooms.entry(room) {
            Entry::Occupied(members) => members.into_mut(),
            Entry::Vacant(place) => {
                self.wheel.add(now, Item::Room(room));
                place.insert(Room::default())
            }
        };
        let is_in = members.join(id, speech).is_ok();
        if let Some(path) = self.paths.find(id).filter(|_| is_in) {
            path.studio().room = Some(room);
            self.retune(id.slot());
        }
        is_in
    }

    pub(super) fn leave(&mut self, id: PathId) {
        let studio = self.paths.find(id).and_then(|path| path.studio.as_mut());
        let Some(room) = studio.and_then(|studio| studio.room.take()) else {
            return;
        };
        // An empty room goes with its next turn.
        if let Some(members) = self.rooms.get_mut(&room) {
            members.leave(id);
        }
        self.retune(id.slot());
    }

    /// The members of a room hear 20 ms; `false` when nobody is left.
    fn room_turn(&mut self, now: Time, id: RoomId) -> bool {
        let Some(room) = self.rooms.get_mut(&id).filter(|room| !room.is_empty()) else {
            self.rooms.remove(&id);
            return false;
        };
        room.mix();
        for place in room.places() {
            let Some(path) = room.at(place).and_then(|member| self.paths.find(member)) else {
                continue;
            };
            let Some(voice) = path.leg.voice().filter(|_| !path.is_spoken_to()) else {
                continue;
            };
            self.packet.clear();
            self.packet.resize(HEADER_BYTES, 0);
            room.encode(place, voice.codec, &mut self.packet);
            path.leg.number_voice(now, voice, &mut self.packet);
            self.counts.count_spoken(send_rtp(path, &self.packet));
        }
        true
    }
}

/// Recordings.
impl Relay {
    pub(super) fn record(
        &mut self,
        now: Time,
        id: PathId,
        (recording, channel): (RecordingId, Channel),
        limits: RecordLimits,
    ) {
        let studio = self.paths.find(id).and_then(|path| path.studio.as_ref());
        let before = studio.and_then(|studio| studio.tap.as_ref());
        if before.is_some_and(|tap| tap.recording == recording) {
            return;
        }
        self.untap(now, id);
        let Some(tap) = self.recordings.begin(now, id, (recording, channel), limits) else {
            self.events.push(MediaEvent::RecordClosed {
                recording,
                seconds: 0,
                reason: RecordEnd::Failed,
            });
            return;
        };
        if let Some(path) = self.paths.find(id) {
            path.studio().tap = Some(tap);
        }
    }

    pub(super) fn stop_record(&mut self, now: Time, recording: RecordingId) {
        let over = self.recordings.end(now, recording, RecordEnd::Stopped);
        self.forget_taps(over);
    }

    pub(super) fn tick_recordings(&mut self, now: Time) {
        let over = self.recordings.tick(now);
        self.forget_taps(over);
    }

    fn untap(&mut self, now: Time, id: PathId) {
        let studio = self.paths.find(id).and_then(|path| path.studio.as_mut());
        if let Some(tap) = studio.and_then(|studio| studio.tap.take()) {
            self.recordings.leave(now, id, &tap);
            self.retune(id.slot());
        }
    }

    fn forget_taps(&mut self, over: impl IntoIterator<Item = Over>) {
        for id in over.into_iter().flat_map(|Over(paths)| paths) {
            if let Some(studio) = self.paths.find(id).and_then(|path| path.studio.as_mut()) {
                studio.tap = None;
                self.retune(id.slot());
            }
        }
    }
}
