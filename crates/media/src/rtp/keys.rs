//! Keys that we press towards a peer: as named events (RFC 4733 §2.5.1), or as tones for one that knows
//! no events.

use std::collections::VecDeque;

use super::Press;
use crate::codec::{Codec, Encoder, Rate};
use crate::dtmf::{self, KeyTone};
use crate::path::MAX_DIGITS_QUEUED;

/// The keys that wait and the one that is down.
#[derive(Default)]
pub struct KeySender {
    queue: VecDeque<char>,
    down: Option<Down>,
    encoder: Option<(Codec, Encoder)>,
    samples: Vec<i16>,
}

struct Down {
    digit: char,
    /// How many frames of 20 ms it is down, and then up.
    frame: u16,
    tone: KeyTone,
}

/// What 20 ms of a key press are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// An event packet with that body.
    Event([u8; 4], Press),
    /// A frame of audio: tone or silence.
    Tone,
    /// Nothing is sent.
    Pause,
}

/// A key is down for 100 ms and up for 100 ms, which every receiver understands.
const DOWN_FRAMES: u16 = 5;
const KEY_FRAMES: u16 = 10;
/// The end of an event is sent three times (RFC 4733 §2.5.1.4).
const END_FRAMES: u16 = 3;
/// How loud the event says it is: −10 dBm0.
const VOLUME: u8 = 10;
const END: u8 = 0x80;

impl KeySender {
    /// Queues keys; what is no key is left out, and so is what finds no room.
    pub fn press(&mut self, digits: &str) {
        let known = digits
            .chars()
            .filter(|digit| dtmf::event_code(*digit).is_some());
        let room = MAX_DIGITS_QUEUED.saturating_sub(self.queue.len());
        self.queue.extend(known.take(room));
    }

    /// Whether anything is still to be sent.
    pub fn is_idle(&self) -> bool {
        self.down.is_none() && self.queue.is_empty()
    }

    /// The next 20 ms as an event on that clock; `None` when idle.
    pub fn event(&mut self, clock: u32) -> Option<Stroke> {
        let (digit, frame) = self.advance()?;
        let end = DOWN_FRAMES..DOWN_FRAMES + END_FRAMES;
        let stroke = if frame < DOWN_FRAMES || end.contains(&frame) {
            let lasted = u32::from((frame + 1).min(DOWN_FRAMES)) * (clock / 50);
            let [high, low] = u16::try_from(lasted).unwrap_or(u16::MAX).to_be_bytes();
            let flags = VOLUME | if frame < DOWN_FRAMES { 0 } else { END };
            let press = if frame == 0 {
                Press::Begins
            } else {
                Press::Lasts
            };
            Stroke::Event([dtmf::event_code(digit)?, flags, high, low], press)
        } else {
            Stroke::Pause
        };
        Some(stroke)
    }

    /// The next 20 ms as a tone, encoded into `out`; `None` when idle.
    pub fn tone(&mut self, codec: Codec, out: &mut Vec<u8>) -> Option<Stroke> {
        let (_, frame) = self.advance()?;
        self.samples.clear();
        if frame < DOWN_FRAMES
            && let Some(down) = &mut self.down
        {
            let samples = Rate::Narrow.frame_samples();
            self.samples.extend(down.tone.by_ref().take(samples));
        }
        if self
            .encoder
            .as_ref()
            .is_none_or(|(known, _)| *known != codec)
        {
            self.encoder = Some((codec, Encoder::new(codec, Rate::Narrow)?));
        }
        let (_, encoder) = self.encoder.as_mut()?;
        encoder.encode(&self.samples, out);
        Some(Stroke::Tone)
    }

    /// The key that is down and its frame; takes the next one when it is time.
    fn advance(&mut self) -> Option<(char, u16)> {
        if let Some(down) = &mut self.down {
            down.frame += 1;
            if down.frame < KEY_FRAMES {
                return Some((down.digit, down.frame));
            }
            self.down = None;
        }
        let digit = self.queue.pop_front()?;
        let tone = KeyTone::new(digit, Rate::Narrow)?;
        self.down = Some(Down {
            digit,
            frame: 0,
            tone,
        });
        Some((digit, 0))
    }
}

#[cfg(test)]
mod tests {
    use clock::Time;

    use super::*;
    use crate::codec::Decoder;
    use crate::dtmf::Detector;
    use crate::rtp::{Outgoing, Packet, TelephoneEvents};

    #[test]
    fn events_are_understood_as_the_keys_that_were_pressed() {
        let (mut keys, mut out) = (KeySender::default(), Outgoing::new(3));
        keys.press("19x*#A0");
        let mut heard = TelephoneEvents::default();
        let mut told = Vec::new();
        for frame in 0.. {
            let now = Time::from_millis(frame * 20);
            let Some(stroke) = keys.event(8_000) else {
                break;
            };
            let Stroke::Event(body, press) = stroke else {
                continue;
            };
            let mut bytes = out.event(now, 8_000, press).header(101).to_vec();
            bytes.extend(body);
            told.extend(heard.packet(now, &Packet::parse(&bytes).unwrap(), 8_000));
        }
        let digits: String = told.iter().map(|key| key.digit).collect();
        assert_eq!(digits, "19*#A0");
        assert!(told.iter().all(|key| key.held.as_millis() == 100));
        assert!(keys.is_idle());
    }

    #[test]
    fn tones_are_understood_too_in_every_codec() {
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
            let mut keys = KeySender::default();
            keys.press("0123456789*#ABCD");
            let mut decoder = Decoder::new(codec, Rate::Narrow).unwrap();
            let (mut detector, mut told) = (Detector::default(), String::new());
            let mut payload = Vec::new();
            while keys.tone(codec, &mut payload).is_some() {
                let mut samples = Vec::new();
                decoder.decode(&payload, &mut samples);
                detector.push(&samples, |key| told.push(key.digit));
                payload.clear();
            }
            detector.push(&[0; 800], |key| told.push(key.digit));
            assert_eq!(told, "0123456789*#ABCD", "{codec:?}");
        }
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut keys = KeySender::default();
        keys.press(&"1".repeat(1_000));
        assert_eq!(keys.queue.len(), MAX_DIGITS_QUEUED);
    }
}
