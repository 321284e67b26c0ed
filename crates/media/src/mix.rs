//! A conference room: everybody hears everybody else.

use crate::codec::pcm::clamped;
use crate::codec::{Codec, Encoder, Rate};
use crate::listener::Listener;
use crate::path::{MAX_ROOM_MEMBERS, PathId, Speech};

/// One room on one thread.
#[derive(Default)]
pub struct Room {
    members: Vec<Member>,
    sum: Vec<i32>,
}

struct Member {
    path: PathId,
    speech: Speech,
    listener: Listener,
    encoder: Option<(Codec, Encoder)>,
    /// What it said in the last 20 ms; empty when nothing.
    said: Vec<i16>,
}

/// All rooms carry what the best phone hears.
const RATE: Rate = Rate::Wide;

/// The room holds [`MAX_ROOM_MEMBERS`] already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomFull;

impl Room {
    /// Lets a path in, or changes its speech.
    pub fn join(&mut self, path: PathId, speech: Speech) -> Result<(), RoomFull> {
        if let Some(member) = self.member(path) {
            member.speech = speech;
            return Ok(());
        }
        if self.members.len() >= MAX_ROOM_MEMBERS {
            return Err(RoomFull);
        }
        self.members.push(Member {
            path,
            speech,
            listener: Listener::new(RATE),
            encoder: None,
            said: Vec::new(),
        });
        Ok(())
    }

    /// The path is in the room no more.
    pub fn leave(&mut self, path: PathId) {
        self.members.retain(|member| member.path != path);
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The places that are taken; they change only when somebody joins or leaves.
    pub fn places(&self) -> std::ops::Range<usize> {
        0..self.members.len()
    }

    /// Who is at a place.
    pub fn at(&self, place: usize) -> Option<PathId> {
        self.members.get(place).map(|member| member.path)
    }

    /// Takes a packet of a member.
    pub fn push(&mut self, path: PathId, codec: Codec, sequence: u16, body: &[u8]) {
        if let Some(member) = self.member(path) {
            member.listener.push(codec, sequence, body);
        }
    }

    /// Mixes the next 20 ms.
    pub fn mix(&mut self) {
        self.sum.clear();
        self.sum.resize(RATE.frame_samples(), 0);
        for member in &mut self.members {
            member.said.clear();
            let is_said = member.listener.take(&mut member.said);
            if !is_said || member.speech == Speech::Muted {
                member.said.clear();
            }
            for (sum, sample) in self.sum.iter_mut().zip(&member.said) {
                *sum += i32::from(*sample);
            }
        }
    }

    /// Adds what the member at a place hears, encoded for it, to `out`.
    pub fn encode(&mut self, place: usize, codec: Codec, out: &mut Vec<u8>) {
        let Some(member) = self.members.get_mut(place) else {
            return;
        };
        if member
            .encoder
            .as_ref()
            .is_none_or(|(known, _)| *known != codec)
        {
            member.encoder = Encoder::new(codec, RATE).map(|encoder| (codec, encoder));
        }
        // Nobody hears itself.
        let own = member.said.iter().copied().chain(std::iter::repeat(0));
        let others = self
            .sum
            .iter()
            .zip(own)
            .map(|(sum, own)| clamped(sum - i32::from(own)));
        let others: [i16; RATE.frame_samples()] = {
            let mut frame = [0; RATE.frame_samples()];
            frame
                .iter_mut()
                .zip(others)
                .for_each(|(place, sample)| *place = sample);
            frame
        };
        if let Some((_, encoder)) = &mut member.encoder {
            encoder.encode(&others, out);
        }
    }

    fn member(&mut self, path: PathId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decoder;
    use crate::path::ThreadId;
    use crate::testing::{level_at, sine};

    const TONES: [f64; 3] = [500.0, 900.0, 1_400.0];
    const CODECS: [Codec; 3] = [Codec::Pcma, Codec::G722, Codec::Opus];

    fn path(slot: u32) -> PathId {
        PathId::new(ThreadId(0), slot, 0)
    }

    /// Three members with a tone each: the level of each tone as each hears it.
    fn levels(speech: [Speech; 3]) -> Vec<Vec<bool>> {
        let mut room = Room::default();
        let mut encoders = Vec::new();
        for ((slot, codec), speech) in (0..).zip(CODECS).zip(speech) {
            room.join(path(slot), speech).unwrap();
            encoders.push(Encoder::new(codec, Rate::Narrow).unwrap());
        }
        let mut decoders: Vec<_> = CODECS
            .map(|codec| Decoder::new(codec, Rate::Narrow).unwrap())
            .into();
        let mut heard = vec![Vec::new(); 3];
        let tones = TONES.map(|hertz| sine(hertz, 6_000, 8_000, 1_000));
        for frame in 0..50 {
            for slot in 0..3 {
                let samples = &tones[slot][frame * 160..][..160];
                let mut body = Vec::new();
                encoders[slot].encode(samples, &mut body);
                let sequence = u16::try_from(frame).unwrap();
                room.push(
                    path(u32::try_from(slot).unwrap()),
                    CODECS[slot],
                    sequence,
                    &body,
                );
            }
            room.mix();
            for place in room.places() {
                let mut body = Vec::new();
                room.encode(place, CODECS[place], &mut body);
                decoders[place].decode(&body, &mut heard[place]);
            }
        }
        let is_heard =
            |samples: &Vec<i16>, hertz| level_at(hertz, &samples[4_000..], 8_000) > 3_000.0;
        heard
            .iter()
            .map(|samples| TONES.map(|hertz| is_heard(samples, hertz)).to_vec())
            .collect()
    }

    #[test]
    fn everybody_hears_the_others_and_not_itself() {
        assert_eq!(
            levels([Speech::Heard; 3]),
            [
                [false, true, true],
                [true, false, true],
                [true, true, false]
            ]
        );
    }

    #[test]
    fn who_is_muted_hears_and_is_not_heard() {
        assert_eq!(
            levels([Speech::Muted, Speech::Heard, Speech::Heard]),
            [
                [false, true, true],
                [false, false, true],
                [false, true, false]
            ]
        );
    }

    #[test]
    fn a_full_room_lets_nobody_in() {
        let mut room = Room::default();
        let limit = u32::try_from(MAX_ROOM_MEMBERS).unwrap();
        for slot in 0..limit {
            room.join(path(slot), Speech::Heard).unwrap();
        }
        assert_eq!(room.join(path(limit), Speech::Heard), Err(RoomFull));
        assert_eq!(
            room.join(path(0), Speech::Muted),
            Ok(()),
            "it is there already"
        );
        room.leave(path(3));
        assert_eq!(room.join(path(limit), Speech::Heard), Ok(()));
        assert_eq!(room.places().len(), MAX_ROOM_MEMBERS);
    }

    #[test]
    fn loud_voices_are_cut_off_and_do_not_wrap() {
        let mut room = Room::default();
        for slot in 0..4 {
            room.join(path(slot), Speech::Heard).unwrap();
            for sequence in 0..4 {
                room.push(path(slot), Codec::Pcmu, sequence, &[0x80; 160]);
            }
        }
        let mut decoder = Decoder::new(Codec::Pcmu, Rate::Narrow).unwrap();
        for _ in 0..3 {
            room.mix();
            let (mut body, mut samples) = (Vec::new(), Vec::new());
            room.encode(0, Codec::Pcmu, &mut body);
            decoder.decode(&body, &mut samples);
            assert!(
                samples[40..]
                    .iter()
                    .all(|sample| *sample > 30_000 || *sample == 0),
                "{samples:?}"
            );
        }
    }
}
