//! What a leg says, evened out: packets that come early, late, twice or never, as 20 ms of audio
//! whenever they are asked for.

use std::collections::VecDeque;

use crate::codec::{Codec, Decoder, Rate};

/// One leg's packets on their way into a room.
pub struct Listener {
    rate: Rate,
    /// In order of their numbers.
    waiting: VecDeque<Waiting>,
    /// The number that is decoded next; none before the first packet and after a pause.
    next: Option<u16>,
    decoder: Option<(Codec, Decoder)>,
    samples: Vec<i16>,
    state: State,
    /// The fewest packets that waited lately, and for how many frames that has been watched.
    fewest: usize,
    watched: u32,
    /// Bodies to be used again.
    spare: Vec<Vec<u8>>,
}

struct Waiting {
    sequence: u16,
    codec: Codec,
    body: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Until there is a reserve against jitter.
    Filling,
    Running,
    /// It has run dry; so many frames were concealed.
    Dry(u32),
}

/// The most packets that wait; more of them come of a burst, and the oldest are skipped.
const MAX_WAITING: usize = 16;
/// So many packets are the reserve that is built up: 40 ms.
const RESERVE: usize = 2;
/// So many frames of nothing are concealed before it counts as a pause.
const MAX_DRY: u32 = 3;
/// A packet whose number is this far from what is expected begins anew.
const MAX_JUMP: u16 = 100;
/// For how many frames more than the reserve must wait until one packet is skipped: 2 s. Clocks that
/// run apart by 100 ppm need it once in three minutes.
const WATCHED_FRAMES: u32 = 100;

impl Listener {
    /// Nothing was heard yet.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            waiting: VecDeque::new(),
            next: None,
            decoder: None,
            samples: Vec::new(),
            state: State::Filling,
            fewest: 0,
            watched: 0,
            spare: Vec::new(),
        }
    }

    /// Takes a packet.
    pub fn push(&mut self, codec: Codec, sequence: u16, body: &[u8]) {
        if let Some(next) = self.next {
            let ahead = sequence.wrapping_sub(next);
            if ahead > u16::MAX - MAX_JUMP {
                return;
            }
            if ahead > MAX_JUMP {
                self.begin_anew();
            }
        }
        let distance = |waiting: &Waiting| waiting.sequence.wrapping_sub(sequence).cast_signed();
        let place = self
            .waiting
            .partition_point(|waiting| distance(waiting) < 0);
        if self
            .waiting
            .get(place)
            .is_some_and(|same| same.sequence == sequence)
        {
            return;
        }
        let mut own = self.spare.pop().unwrap_or_default();
        own.clear();
        own.extend_from_slice(body);
        self.waiting.insert(
            place,
            Waiting {
                sequence,
                codec,
                body: own,
            },
        );
        if self.waiting.len() > MAX_WAITING {
            self.skip();
        }
    }

    /// Adds the next 20 ms to `out`, and whether anything was said in them.
    pub fn take(&mut self, out: &mut Vec<i16>) -> bool {
        let frame = self.rate.frame_samples();
        if self.state == State::Filling && self.waiting.len() >= RESERVE {
            self.state = State::Running;
        }
        if self.state == State::Filling {
            out.resize(out.len() + frame, 0);
            return false;
        }
        self.shorten();
        // Each step decodes or conceals a packet; an empty one brings no samples.
        for _ in 0..MAX_WAITING {
            if self.samples.len() >= frame {
                break;
            }
            self.decode_next();
        }
        self.samples.resize(self.samples.len().max(frame), 0);
        out.extend(self.samples.drain(..frame));
        true
    }

    fn decode_next(&mut self) {
        let Some(first) = self.waiting.front() else {
            return self.run_dry();
        };
        let (sequence, codec) = (first.sequence, first.codec);
        if self
            .decoder
            .as_ref()
            .is_none_or(|(known, _)| *known != codec)
        {
            self.decoder = Decoder::new(codec, self.rate).map(|decoder| (codec, decoder));
        }
        let expected = self.next.unwrap_or(sequence);
        let is_missing = expected != sequence && self.state == State::Running;
        if is_missing {
            self.next = Some(expected.wrapping_add(1));
            self.conceal();
            return;
        }
        self.state = State::Running;
        self.next = Some(sequence.wrapping_add(1));
        if let (Some(first), Some((_, decoder))) = (self.waiting.pop_front(), &mut self.decoder) {
            decoder.decode(&first.body, &mut self.samples);
            self.spare.push(first.body);
        }
    }

    fn run_dry(&mut self) {
        let concealed = match self.state {
            State::Dry(concealed) => concealed,
            State::Filling | State::Running => 0,
        };
        if concealed >= MAX_DRY {
            self.state = State::Filling;
            self.next = None;
            self.samples
                .resize(self.samples.len() + self.rate.frame_samples(), 0);
            return;
        }
        self.state = State::Dry(concealed + 1);
        self.conceal();
    }

    fn conceal(&mut self) {
        match &mut self.decoder {
            Some((_, decoder)) => decoder.conceal(&mut self.samples),
            None => self
                .samples
                .resize(self.samples.len() + self.rate.frame_samples(), 0),
        }
    }

    /// More than the reserve that stays is delay for nothing: after a while a packet is skipped.
    fn shorten(&mut self) {
        self.fewest = self.fewest.min(self.waiting.len());
        self.watched += 1;
        if self.watched >= WATCHED_FRAMES {
            if self.fewest > RESERVE {
                self.skip();
            }
            self.watched = 0;
            self.fewest = self.waiting.len();
        }
    }

    fn skip(&mut self) {
        if let Some(first) = self.waiting.pop_front() {
            self.next = Some(first.sequence.wrapping_add(1));
            self.spare.push(first.body);
        }
    }

    fn begin_anew(&mut self) {
        self.spare
            .extend(self.waiting.drain(..).map(|waiting| waiting.body));
        self.next = None;
        self.state = State::Filling;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every packet is 20 ms of one value, so that what is heard names its packet.
    fn body(value: u8) -> [u8; 160] {
        [0x80 | (value & 0x3f); 160]
    }

    fn heard(listener: &mut Listener) -> Option<i16> {
        let mut samples = Vec::new();
        let is_said = listener.take(&mut samples);
        assert_eq!(samples.len(), 160);
        is_said.then(|| samples[80])
    }

    fn value(number: u8) -> i16 {
        crate::codec::g711::ulaw_to_linear(body(number)[0])
    }

    fn listener(sequences: &[u8]) -> Listener {
        let mut listener = Listener::new(Rate::Narrow);
        for sequence in sequences {
            listener.push(Codec::Pcmu, u16::from(*sequence), &body(*sequence));
        }
        listener
    }

    #[test]
    fn packets_are_put_in_order_and_doubles_left_out() {
        let mut listener = listener(&[1, 3, 2, 2, 4]);
        for number in 1..=4 {
            assert_eq!(heard(&mut listener), Some(value(number)));
        }
    }

    #[test]
    fn it_waits_for_a_reserve() {
        let mut listener = listener(&[1]);
        assert_eq!(heard(&mut listener), None);
        listener.push(Codec::Pcmu, 2, &body(2));
        assert_eq!(heard(&mut listener), Some(value(1)));
    }

    #[test]
    fn a_lost_packet_is_concealed_and_a_late_one_not_heard() {
        let mut listener = listener(&[1, 2, 4]);
        heard(&mut listener);
        heard(&mut listener);
        let concealed = heard(&mut listener).unwrap();
        assert!(concealed != 0 && concealed.abs() < value(2).abs());
        listener.push(Codec::Pcmu, 3, &body(3));
        assert_eq!(heard(&mut listener), Some(value(4)));
    }

    #[test]
    fn a_pause_ends_in_silence_and_what_follows_is_heard() {
        let mut listener = listener(&[1, 2]);
        for _ in 0..20 {
            heard(&mut listener);
        }
        assert_eq!(heard(&mut listener), None);
        listener.push(Codec::Pcmu, 40_000, &body(7));
        listener.push(Codec::Pcmu, 40_001, &body(8));
        assert_eq!(heard(&mut listener), Some(value(7)));
    }

    #[test]
    fn a_burst_is_bounded_and_its_delay_goes_away() {
        let mut listener = Listener::new(Rate::Narrow);
        let mut sequence = 0;
        let mut push = |listener: &mut Listener| {
            listener.push(Codec::Pcmu, sequence, &body(1));
            sequence += 1;
        };
        for _ in 0..50 {
            push(&mut listener);
        }
        assert_eq!(listener.waiting.len(), MAX_WAITING);
        for _ in 0..WATCHED_FRAMES * 20 {
            push(&mut listener);
            assert!(heard(&mut listener).is_some());
        }
        assert!(
            listener.waiting.len() <= RESERVE + 1,
            "{}",
            listener.waiting.len()
        );
    }

    #[test]
    fn packets_of_60_ms_last_three_frames() {
        let mut listener = Listener::new(Rate::Narrow);
        for sequence in 0..4_u8 {
            listener.push(Codec::Pcmu, sequence.into(), &[body(sequence); 3].concat());
        }
        for frame in 0..12 {
            assert_eq!(heard(&mut listener), Some(value(frame / 3)));
        }
    }
}
