//! What is done with a packet of a path that has more to do than relaying.

use clock::Time;
use media::codec::Transcoder;
use media::rtp::Packet;
use media::{MediaEvent, PathId, Payload, Way};

use super::paths::Path;
use super::relay::{Passed, Relay, send_rtp};
use super::studio::{Keys, Onward, Tones};

/// An RTP header without contributing sources and extension, in bytes.
pub(super) const HEADER_BYTES: usize = 12;

impl Relay {
    /// Records, listens, mixes and translates the packet in the buffer, or passes it on after all. What
    /// it told stands in the events from `told` on.
    pub(super) fn work_on(&mut self, now: Time, slot: u32, bytes: usize, told: usize) -> Passed {
        let Some(payload) = self.listen(now, slot, bytes) else {
            // Of a number that was not negotiated nobody knows what it is, but the phones may.
            return self.pass(now, slot, bytes);
        };
        self.press_onward(now, told);
        if self.mix(slot, bytes, payload) {
            return Passed::Here;
        }
        let Some(path) = self.paths.at(slot) else {
            return Passed::Nowhere;
        };
        let (onward, keys) = path
            .studio
            .as_ref()
            .map_or_else(Default::default, |studio| (studio.onward, studio.keys));
        if !payload.codec.is_voice() {
            return match keys {
                Keys::Passed => self.pass(now, slot, bytes),
                Keys::Anew => Passed::Here,
            };
        }
        match onward {
            Onward::Direct => self.pass(now, slot, bytes),
            Onward::Translated(to) => self.translate(now, slot, bytes, (payload, Some(to))),
            Onward::Partly => {
                let peer = path.peer.and_then(|peer| self.paths.at(peer));
                let understands =
                    |peer: &mut Path| peer.leg.understands(payload.codec, payload.clock);
                if peer.is_none_or(understands) {
                    self.pass(now, slot, bytes)
                } else {
                    self.translate(now, slot, bytes, (payload, None))
                }
            }
        }
    }

    /// Copies the packet into the path's recording and listens for keys in it. Tells what it is.
    fn listen(&mut self, now: Time, slot: u32, bytes: usize) -> Option<Payload> {
        let Path { leg, studio, .. } = self.paths.at(slot)?;
        let studio = studio.as_mut()?;
        let payload = leg.heard_payload()?;
        let datagram = &self.buffer[..bytes];
        if let Some(tap) = &mut studio.tap {
            self.recordings.packet(now, tap, payload.codec, datagram);
        }
        if let (Some(tones), true) = (&mut studio.tones, payload.codec.is_voice()) {
            let body = Packet::parse(datagram)?.body;
            tones.hear(payload.codec, body, |key| leg.press(key, &mut self.events));
        }
        Some(payload)
    }

    /// Gives the packet to the path's room; `false` if it is in none.
    fn mix(&mut self, slot: u32, bytes: usize, payload: Payload) -> bool {
        let Some(path) = self.paths.at(slot) else {
            return false;
        };
        let room = path.studio.as_ref().and_then(|studio| studio.room);
        let Some(room) = room.and_then(|room| self.rooms.get_mut(&room)) else {
            return false;
        };
        let packet = Packet::parse(&self.buffer[..bytes]);
        if let Some(packet) = packet.filter(|_| payload.codec.is_voice()) {
            room.push(path.id, payload.codec, packet.sequence, packet.body);
        }
        true
    }

    /// Decodes the packet and sends it on in another encoding: `to`, or what the peer knows best.
    fn translate(
        &mut self,
        now: Time,
        slot: u32,
        bytes: usize,
        (from, to): (Payload, Option<Payload>),
    ) -> Passed {
        let Some(path) = self.paths.at(slot) else {
            return Passed::Nowhere;
        };
        let known = path.studio().translator.take();
        let peer = path.peer.and_then(|peer| self.paths.at(peer));
        let voice = peer
            .as_ref()
            .and_then(|peer| to.or_else(|| peer.leg.voice()));
        let packet = Packet::parse(&self.buffer[..bytes]);
        let (Some(peer), Some(voice), Some(packet)) = (peer, voice, packet) else {
            return Passed::Nowhere;
        };
        let mut translator = known
            .filter(|known| known.target() == voice.codec)
            .unwrap_or_else(|| Transcoder::new(voice.codec));
        let (made, counts) = (&mut self.packet, &mut self.counts);
        // Decoded in any case, so that the decoder follows; heard only if we do not speak.
        translator.push(from, &packet, |frame, silent| {
            if peer.is_spoken_to() {
                return;
            }
            made.clear();
            made.resize(HEADER_BYTES, 0);
            made.extend_from_slice(frame);
            peer.leg.number_translated(now, voice, silent, made);
            counts.count_spoken(send_rtp(peer, made));
        });
        if let Some(path) = self.paths.at(slot) {
            path.studio().translator = Some(translator);
        }
        Passed::Here
    }

    /// Presses the keys that were told since `told` towards other legs that would not understand them
    /// as they came.
    pub(super) fn press_onward(&mut self, now: Time, told: usize) {
        for event in told..self.events.len() {
            let MediaEvent::Dtmf { path, digit, .. } = self.events[event] else {
                continue;
            };
            let Some(from) = self.paths.find(path) else {
                continue;
            };
            let is_anew = from
                .studio
                .as_ref()
                .is_some_and(|studio| studio.keys == Keys::Anew);
            let peer = from
                .peer
                .filter(|_| is_anew)
                .and_then(|peer| self.paths.at(peer));
            if let Some(peer) = peer.map(|peer| peer.id) {
                self.press(now, peer, &digit.to_string());
            }
        }
    }
}

/// What a path has to do, found anew whenever something about it or its bridge changes.
impl Relay {
    /// Decides it for a path and for the other leg of its bridge.
    pub(super) fn retune_call(&mut self, id: PathId) {
        let peer = self.paths.find(id).and_then(|path| path.peer);
        self.retune(id.slot());
        if let Some(peer) = peer {
            self.retune(peer);
        }
    }

    /// Decides it for one path.
    pub(super) fn retune(&mut self, slot: u32) {
        let Some(path) = self.paths.at(slot) else {
            return;
        };
        let payloads = path.leg.payloads().to_vec();
        let (way, peer) = (path.way.clone(), path.peer);
        let peer = peer.and_then(|peer| self.paths.at(peer));
        let (onward, keys) = match &peer {
            Some(peer) => ways_on(&way, &payloads, peer),
            None => (Onward::Direct, Keys::Passed),
        };
        // Between two phones nobody waits for keys, and to listen for them costs as much as the relay.
        let has_voice = payloads.iter().any(|payload| payload.codec.is_voice());
        let Some(path) = self.paths.at(slot) else {
            return;
        };
        let listens = path.peer.is_none() && has_voice && !path.leg.knows_events();
        let is_plain = (onward, keys) == (Onward::Direct, Keys::Passed) && !listens;
        if is_plain && path.studio.is_none() {
            return;
        }
        let studio = path.studio();
        (studio.onward, studio.keys) = (onward, keys);
        studio.tones = studio.tones.take().filter(|_| listens);
        if listens {
            studio.tones.get_or_insert_with(Tones::default);
        }
        if studio.is_empty() {
            path.studio = None;
        }
    }
}

/// How what a leg sends in `payloads` reaches the other one.
fn ways_on(way: &Way, payloads: &[Payload], peer: &Path) -> (Onward, Keys) {
    // Nothing is known of a peer that is not described yet.
    let is_described = peer.leg.voice().is_some();
    let is_known = |payload: &&Payload| peer.leg.understands(payload.codec, payload.clock);
    let are_known = |is_voice| {
        let mut some = payloads
            .iter()
            .filter(|payload| payload.codec.is_voice() == is_voice);
        !is_described || some.all(|payload| is_known(&payload))
    };
    match way {
        Way::Transcode { to } => (Onward::Translated(*to), Keys::Anew),
        Way::Relay(_) => {
            let onward = if are_known(true) {
                Onward::Direct
            } else {
                Onward::Partly
            };
            let keys = if are_known(false) {
                Keys::Passed
            } else {
                Keys::Anew
            };
            (onward, keys)
        }
    }
}
