//! What a leg hears from us: sounds one after the other, keys, or the room it is in. A packet of 20 ms
//! per turn; the thread says when.

use clock::Time;

use crate::codec::{Codec, Transcoder};
use crate::leg::Leg;
use crate::path::MediaEvent;
use crate::rtp::{KeySender, Stroke};
use crate::sound::{MAX_PLAYLIST_SOUNDS, PlayId, Playlist, Repeat, Sound};

/// Our voice towards one leg.
#[derive(Default)]
pub struct Speaker {
    playing: Option<Playing>,
    keys: KeySender,
}

/// A playlist and where it is.
struct Playing {
    play: PlayId,
    playlist: Playlist,
    sound: usize,
    frame: usize,
    /// For sounds that are not there in what the leg speaks.
    transcoder: Option<Transcoder>,
}

/// Where a playlist stands.
enum Place {
    /// At this frame of this sound.
    Frame(usize, usize),
    /// Before a sound that is still in the making.
    Promised,
    /// Behind its end.
    End,
}

/// What a turn brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The packet is to be sent.
    Packet,
    /// There is nothing to be sent just now, but we speak.
    Nothing,
    /// Nothing is left to be said.
    Silent,
}

impl Speaker {
    /// Begins a playlist in place of the one before.
    pub fn play(&mut self, play: PlayId, playlist: Playlist) {
        self.playing = Some(Playing::new(play, playlist));
    }

    /// Ends the playlist.
    pub fn stop(&mut self) {
        self.playing = None;
    }

    /// Presses keys, once those before are done.
    pub fn press(&mut self, digits: &str) {
        self.keys.press(digits);
    }

    /// Whether anything is said, so that the leg hears nobody else.
    pub fn is_speaking(&self) -> bool {
        self.playing.is_some() || !self.keys.is_idle()
    }

    /// The next 20 ms as a whole packet. Keys go first; meanwhile the playlist stands still. A leg whose
    /// formats are not known yet hears nothing, and time goes on.
    pub fn turn(
        &mut self,
        now: Time,
        leg: &mut Leg,
        packet: &mut Vec<u8>,
        events: &mut Vec<MediaEvent>,
    ) -> Turn {
        packet.clear();
        if !self.keys.is_idle()
            && let Some(turn) = press(&mut self.keys, now, leg, packet)
        {
            return turn;
        }
        let Some(playing) = &mut self.playing else {
            return Turn::Silent;
        };
        let voice = leg.voice();
        packet.resize(HEADER_BYTES, 0);
        if !playing.next(voice.map(|voice| voice.codec), packet) {
            let play = playing.play;
            events.push(MediaEvent::PlayEnded {
                path: leg.path(),
                play,
            });
            self.playing = None;
            return Turn::Silent;
        }
        match voice {
            Some(voice) if packet.len() > HEADER_BYTES => {
                leg.number_voice(now, voice, packet);
                Turn::Packet
            }
            Some(_) | None => Turn::Nothing,
        }
    }
}

/// An RTP header without contributing sources and extension.
pub(crate) const HEADER_BYTES: usize = 12;

fn press(keys: &mut KeySender, now: Time, leg: &mut Leg, packet: &mut Vec<u8>) -> Option<Turn> {
    let voice = leg.voice()?;
    let events = leg.events_beside(voice);
    packet.resize(HEADER_BYTES, 0);
    let stroke = match events {
        Some(events) => keys.event(events.clock),
        None => keys.tone(voice.codec, packet),
    };
    match (stroke?, events) {
        (Stroke::Event(body, press), Some(events)) => {
            packet.extend(body);
            leg.number_event(now, events, press, packet);
            Some(Turn::Packet)
        }
        (Stroke::Event(..), None) | (Stroke::Pause, _) => Some(Turn::Nothing),
        (Stroke::Tone, _) => {
            leg.number_voice(now, voice, packet);
            Some(Turn::Packet)
        }
    }
}

impl Playing {
    fn new(play: PlayId, mut playlist: Playlist) -> Self {
        playlist.sounds.truncate(MAX_PLAYLIST_SOUNDS);
        Self {
            play,
            playlist,
            sound: 0,
            frame: 0,
            transcoder: None,
        }
    }

    /// Adds the next frame in that encoding to `out`, or nothing while a sound is in the making;
    /// `false` when there is none.
    fn next(&mut self, codec: Option<Codec>, out: &mut Vec<u8>) -> bool {
        let (sound, frame) = match self.step() {
            Place::Frame(sound, frame) => (sound, frame),
            Place::Promised => return true,
            Place::End => return false,
        };
        let Some(codec) = codec else { return true };
        let Some(sound) = self.playlist.sounds.get(sound) else {
            return true;
        };
        if let Some(bytes) = sound.frame(codec, frame) {
            out.extend_from_slice(bytes);
        } else if let Some(from) = nearest(sound, codec) {
            let transcoder = self
                .transcoder
                .take_if(|transcoder| transcoder.target() == codec)
                .unwrap_or_else(|| Transcoder::new(codec));
            let transcoder = self.transcoder.insert(transcoder);
            let bytes = sound.frame(from, frame).unwrap_or_default();
            transcoder.recode(from, bytes, |frame| out.extend_from_slice(frame));
        }
        true
    }

    /// The sound and frame whose turn it is.
    fn step(&mut self) -> Place {
        // Twice: to the end, and from the beginning; sounds without a frame are passed over.
        for _ in 0..2 {
            while let Some(sound) = self.playlist.sounds.get(self.sound) {
                if !sound.is_made() {
                    return Place::Promised;
                }
                if self.frame < sound.frames() {
                    let place = Place::Frame(self.sound, self.frame);
                    self.frame += 1;
                    return place;
                }
                self.sound += 1;
                self.frame = 0;
            }
            match self.playlist.repeat {
                Repeat::Once => return Place::End,
                Repeat::Forever => self.sound = 0,
            }
        }
        Place::End
    }
}

/// The encoding of a sound that a codec is best made from.
fn nearest(sound: &Sound, codec: Codec) -> Option<Codec> {
    let is_alike = |other: &Codec| other.is_wide() == codec.is_wide();
    sound
        .codecs()
        .find(is_alike)
        .or_else(|| sound.codecs().next())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::codec::{Decoder, Rate};
    use crate::latch::Latch;
    use crate::path::{Carries, PathId, Remote, ThreadId};
    use crate::payload::Payload;
    use crate::rtp::{Packet, TelephoneEvents};
    use crate::sdp::Direction;
    use crate::testing::{level_at, sine};

    fn payload(number: u8, codec: Codec, clock: u32) -> Payload {
        Payload {
            number,
            codec,
            clock,
        }
    }

    fn leg(payloads: &[Payload]) -> Leg {
        let mut leg = Leg::new(PathId::new(ThreadId(0), 4, 0), Time::ZERO);
        let address = "127.0.0.1:4000".parse().unwrap();
        let remote = Remote {
            rtp: address,
            rtcp: address,
            latch: Latch::Exact,
            carries: Carries::Audio,
            payloads: payloads.to_vec(),
            direction: Direction::SendRecv,
        };
        leg.set_remote(Time::ZERO, remote);
        leg
    }

    /// A sound of so many frames, each of one byte that names it.
    fn sound(first: u8, frames: u8) -> Arc<Sound> {
        let samples = (first..first + frames)
            .flat_map(|frame| [crate::codec::g711::alaw_to_linear(frame); 160]);
        Arc::new(Sound::encode(
            &samples.collect::<Vec<_>>(),
            Rate::Narrow,
            &[Codec::Pcma],
        ))
    }

    /// Turns until the speaker is silent or `limit` is reached: the first byte of each packet's body,
    /// and the events.
    fn spoken(speaker: &mut Speaker, leg: &mut Leg, limit: u64) -> (Vec<u8>, Vec<MediaEvent>) {
        let (mut bytes, mut events, mut packet) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..limit {
            match speaker.turn(Time::from_millis(turn * 20), leg, &mut packet, &mut events) {
                Turn::Packet => bytes.push(Packet::parse(&packet).unwrap().body[0]),
                Turn::Nothing => {}
                Turn::Silent => break,
            }
        }
        (bytes, events)
    }

    const PCMA: Payload = Payload {
        number: 8,
        codec: Codec::Pcma,
        clock: 8_000,
    };

    #[test]
    fn a_playlist_is_played_without_a_gap_and_its_end_told_once() {
        let mut leg = leg(&[PCMA]);
        let mut speaker = Speaker::default();
        let sounds = vec![sound(1, 3), sound(0, 0), sound(10, 2)];
        speaker.play(PlayId(7), Playlist::once(sounds));
        let (bytes, events) = spoken(&mut speaker, &mut leg, 100);
        assert_eq!(bytes, [1, 2, 3, 10, 11]);
        let ended = MediaEvent::PlayEnded {
            path: leg.path(),
            play: PlayId(7),
        };
        assert_eq!(events, [ended]);
        assert!(!speaker.is_speaking());
    }

    #[test]
    fn a_repeated_playlist_ends_only_when_stopped() {
        let mut leg = leg(&[PCMA]);
        let mut speaker = Speaker::default();
        let playlist = Playlist {
            sounds: vec![sound(1, 3), sound(10, 2)],
            repeat: Repeat::Forever,
        };
        speaker.play(PlayId(1), playlist);
        let (bytes, events) = spoken(&mut speaker, &mut leg, 8);
        assert_eq!(bytes, [1, 2, 3, 10, 11, 1, 2, 3]);
        speaker.stop();
        assert_eq!(
            (spoken(&mut speaker, &mut leg, 8).0, events),
            (vec![], vec![])
        );
    }

    #[test]
    fn a_sound_in_the_making_is_waited_for_in_silence() {
        let mut leg = leg(&[PCMA]);
        let mut speaker = Speaker::default();
        let promised = Arc::new(Sound::promised());
        let sounds = vec![sound(1, 2), Arc::clone(&promised), sound(20, 1)];
        speaker.play(PlayId(1), Playlist::once(sounds));
        let (bytes, events) = spoken(&mut speaker, &mut leg, 10);
        assert_eq!((bytes, events), (vec![1, 2], vec![]));
        promised.keep(Sound::clone(&sound(10, 2)));
        promised.keep(Sound::clone(&sound(30, 9)));
        let (bytes, events) = spoken(&mut speaker, &mut leg, 10);
        assert_eq!(bytes, [10, 11, 20], "the promise is kept once");
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn nothing_to_play_ends_at_once_even_when_repeated() {
        for repeat in [Repeat::Once, Repeat::Forever] {
            let mut speaker = Speaker::default();
            let playlist = Playlist {
                sounds: vec![sound(0, 0)],
                repeat,
            };
            speaker.play(PlayId(1), playlist);
            assert_eq!(spoken(&mut speaker, &mut leg(&[PCMA]), 5).1.len(), 1);
        }
    }

    #[test]
    fn a_leg_without_formats_hears_nothing_and_time_goes_on() {
        let mut speaker = Speaker::default();
        speaker.play(PlayId(1), Playlist::once(vec![sound(1, 3)]));
        let (bytes, events) = spoken(&mut speaker, &mut leg(&[]), 10);
        assert_eq!((bytes.len(), events.len()), (0, 1));
    }

    #[test]
    fn a_sound_is_heard_in_an_encoding_that_it_does_not_have() {
        let tone = Arc::new(Sound::encode(
            &sine(800.0, 8_000, 16_000, 1_000),
            Rate::Wide,
            &[Codec::G722, Codec::Pcma],
        ));
        for (codec, clock) in [
            (Codec::Opus, 48_000),
            (Codec::Pcmu, 8_000),
            (Codec::G722, 8_000),
        ] {
            let mut leg = leg(&[payload(96, codec, clock)]);
            let mut speaker = Speaker::default();
            speaker.play(PlayId(1), Playlist::once(vec![Arc::clone(&tone)]));
            let mut decoder = Decoder::new(codec, Rate::Narrow).unwrap();
            let (mut samples, mut packet, mut timestamps) = (Vec::new(), Vec::new(), Vec::new());
            for turn in 0..50 {
                let now = Time::from_millis(turn * 20);
                assert_eq!(
                    speaker.turn(now, &mut leg, &mut packet, &mut Vec::new()),
                    Turn::Packet
                );
                let parsed = Packet::parse(&packet).unwrap();
                timestamps.push(parsed.timestamp);
                decoder.decode(parsed.body, &mut samples);
            }
            assert_eq!(timestamps[49].wrapping_sub(timestamps[0]), 49 * clock / 50);
            let level = level_at(800.0, &samples[4_000..], 8_000);
            assert!((level - 8_000.0).abs() < 1_500.0, "{codec:?}: {level}");
        }
    }

    #[test]
    fn keys_interrupt_what_is_played_and_it_goes_on_after_them() {
        let events = payload(101, Codec::TelephoneEvent, 8_000);
        let mut leg = leg(&[PCMA, events]);
        let mut speaker = Speaker::default();
        speaker.play(PlayId(1), Playlist::once(vec![sound(1, 4)]));
        speaker.press("42");
        let (mut packet, mut voice, mut keys) = (Vec::new(), Vec::new(), String::new());
        let mut heard = TelephoneEvents::default();
        for turn in 0..30 {
            let now = Time::from_millis(turn * 20);
            if speaker.turn(now, &mut leg, &mut packet, &mut Vec::new()) != Turn::Packet {
                continue;
            }
            let parsed = Packet::parse(&packet).unwrap();
            match parsed.payload {
                101 => keys.extend(heard.packet(now, &parsed, 8_000).map(|key| key.digit)),
                _ => voice.push(parsed.body[0]),
            }
        }
        assert_eq!((keys.as_str(), voice), ("42", vec![1, 2, 3, 4]));
    }

    #[test]
    fn a_peer_without_events_hears_tones() {
        let mut leg = leg(&[PCMA]);
        let mut speaker = Speaker::default();
        speaker.press("5");
        let (bytes, _) = spoken(&mut speaker, &mut leg, 20);
        assert_eq!(bytes.len(), 10, "100 ms of tone and 100 ms of silence");
    }
}
