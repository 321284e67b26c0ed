//! The numbers of the packets that a phone is sent: one SSRC, sequence and timeline, whoever speaks.
//!
//! What is relayed passes as it came, until another source takes over: a bridge to another leg, a
//! prompt, a translator. From then on every packet is renumbered, so that the phone hears one
//! stream go on and not a new one begin, which some take for an attack and some for silence.

use std::time::Duration;

use clock::Time;

/// What one phone has been sent and how the next packet is numbered.
#[derive(Clone, Debug)]
pub struct Outgoing {
    last: Option<Sent>,
    source: Source,
    seed: u64,
}

/// The newest packet, as the phone saw it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// When the sample of that timestamp was due.
    at: Time,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Whoever comes next.
    Open,
    /// A leg whose packets pass unchanged.
    Direct,
    /// A leg whose packets are renumbered.
    Shifted {
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
    },
    /// We do.
    Ours,
}

/// The numbers of a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Set on the first packet after a pause or after somebody else.
    pub marker: bool,
    /// The packet's number.
    pub sequence: u16,
    /// Its first sample.
    pub timestamp: u32,
    /// The one source that the phone knows.
    pub ssrc: u32,
}

/// Which packet of a key press it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// The first: its timestamp is that of the beginning, and stays.
    Begins,
    /// A later one.
    Lasts,
}

/// The length of a frame, and thus the least distance of two.
const FRAME: Duration = Duration::from_millis(20);
/// Our frames are this far apart at most unless there was a pause.
const PAUSE: Duration = Duration::from_millis(100);

impl Outgoing {
    /// Nothing was sent yet. The seed makes the first numbers hard to guess (RFC 3550 §5.1).
    pub fn new(seed: u64) -> Self {
        Self {
            last: None,
            source: Source::Open,
            seed,
        }
    }

    /// Somebody else speaks from now on.
    pub fn switch(&mut self) {
        self.source = Source::Open;
    }

    /// Whether packets pass unchanged, so that reports about them (RTCP) make sense.
    pub fn is_direct(&self) -> bool {
        match self.source {
            Source::Open => self.last.is_none(),
            Source::Direct => true,
            Source::Shifted { .. } | Source::Ours => false,
        }
    }

    /// Renumbers a relayed packet if need be. `clock` is that of its payload.
    pub fn relay(&mut self, now: Time, clock: u32, datagram: &mut [u8]) {
        let Some(([_, marked, numbers @ ..], _)) = datagram.split_first_chunk_mut::<12>() else {
            return;
        };
        let [s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *numbers;
        let mut sent = Sent {
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            at: now,
        };
        let continues = match self.source {
            Source::Direct => true,
            Source::Shifted { ssrc, .. } => ssrc == sent.ssrc,
            Source::Open | Source::Ours => false,
        };
        if !continues {
            self.take_over(now, clock, sent);
            if self.source != Source::Direct {
                *marked |= 0x80;
            }
        }
        if let (
            Source::Shifted {
                sequence,
                timestamp,
                ..
            },
            Some(last),
        ) = (self.source, self.last)
        {
            sent.ssrc = last.ssrc;
            sent.sequence = sent.sequence.wrapping_add(sequence);
            sent.timestamp = sent.timestamp.wrapping_add(timestamp);
            let ([s0, s1], [t0, t1, t2, t3]) =
                (sent.sequence.to_be_bytes(), sent.timestamp.to_be_bytes());
            let [r0, r1, r2, r3] = sent.ssrc.to_be_bytes();
            *numbers = [s0, s1, t0, t1, t2, t3, r0, r1, r2, r3];
        }
        // A packet that was overtaken is not the newest.
        let is_newest = self.last.is_none_or(|last| {
            last.ssrc != sent.ssrc || sent.sequence.wrapping_sub(last.sequence) < 0x8000
        });
        if is_newest {
            self.last = Some(sent);
        }
    }

    /// The numbers of 20 ms of our voice.
    pub fn voice(&mut self, now: Time, clock: u32) -> Numbers {
        let numbers = self.next(now, clock);
        self.ours(now, numbers)
    }

    /// The numbers of 20 ms that we translate. Its own timestamps say how long the other side was
    /// silent before; when it arrives says little.
    pub fn translated(&mut self, now: Time, clock: u32, silent: Duration) -> Numbers {
        let mut numbers = self.next(now, clock);
        if let (Source::Ours, Some(last)) = (self.source, self.last) {
            numbers.timestamp = last.timestamp.wrapping_add(ticks(FRAME + silent, clock));
            numbers.marker = !silent.is_zero();
        }
        self.ours(now, numbers)
    }

    fn ours(&mut self, now: Time, numbers: Numbers) -> Numbers {
        self.last = Some(Sent {
            ssrc: numbers.ssrc,
            sequence: numbers.sequence,
            timestamp: numbers.timestamp,
            at: now,
        });
        self.source = Source::Ours;
        numbers
    }

    /// The numbers of a packet about a key that we press.
    pub fn event(&mut self, now: Time, clock: u32, press: Press) -> Numbers {
        let next = match press {
            Press::Begins => {
                return Numbers {
                    marker: true,
                    ..self.voice(now, clock)
                };
            }
            Press::Lasts => self.next(now, clock),
        };
        // The timeline stands until the next voice, which looks how long ago the key went down.
        if let Some(last) = &mut self.last {
            last.sequence = next.sequence;
        }
        Numbers {
            marker: false,
            timestamp: self.last.map_or(next.timestamp, |last| last.timestamp),
            ..next
        }
    }

    fn next(&self, now: Time, clock: u32) -> Numbers {
        let Some(last) = self.last else {
            let [high, low] = [self.seed >> 32, self.seed].map(low_word);
            return Numbers {
                marker: true,
                sequence: low_half(high),
                timestamp: low.rotate_left(16),
                ssrc: low,
            };
        };
        let elapsed = now - last.at;
        let follows = self.source == Source::Ours && elapsed < PAUSE;
        let step = if follows { FRAME } else { elapsed.max(FRAME) };
        Numbers {
            marker: !follows,
            sequence: last.sequence.wrapping_add(1),
            timestamp: last.timestamp.wrapping_add(ticks(step, clock)),
            ssrc: last.ssrc,
        }
    }

    /// A leg's packets follow what was sent before.
    fn take_over(&mut self, now: Time, clock: u32, first: Sent) {
        if self.last.is_none() {
            self.source = Source::Direct;
            return;
        }
        self.source = Source::Open;
        let wanted = self.next(now, clock);
        self.source = Source::Shifted {
            ssrc: first.ssrc,
            sequence: wanted.sequence.wrapping_sub(first.sequence),
            timestamp: wanted.timestamp.wrapping_sub(first.timestamp),
        };
    }
}

impl Numbers {
    /// The header of a packet with that payload number.
    pub fn header(self, payload: u8) -> [u8; 12] {
        let marked = payload & 0x7f | if self.marker { 0x80 } else { 0 };
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [r0, r1, r2, r3] = self.ssrc.to_be_bytes();
        [0x80, marked, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3]
    }
}

/// So much time on an RTP clock, which wraps.
fn ticks(time: Duration, clock: u32) -> u32 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    low_word(micros.wrapping_mul(u64::from(clock)) / 1_000_000)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low_word(value: u64) -> u32 {
    value as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low_half(value: u32) -> u16 {
    value as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Packet;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
        let numbers = Numbers {
            marker: false,
            sequence,
            timestamp,
            ssrc,
        };
        numbers.header(8).to_vec()
    }

    /// Relays a packet and gives its marker and its numbers.
    fn relay(
        out: &mut Outgoing,
        at_ms: u64,
        (ssrc, sequence, timestamp): (u32, u16, u32),
    ) -> (bool, u32, u16, u32) {
        let mut bytes = packet(ssrc, sequence, timestamp);
        out.relay(Time::from_millis(at_ms), 8_000, &mut bytes);
        let packet = Packet::parse(&bytes).unwrap();
        (
            packet.marker,
            packet.ssrc,
            packet.sequence,
            packet.timestamp,
        )
    }

    #[test]
    fn one_source_passes_unchanged_even_when_it_begins_anew() {
        let mut out = Outgoing::new(7);
        for packet in [(1, 10, 1_000), (1, 11, 1_160), (1, 9, 840), (2, 500, 9_000)] {
            let (_, ssrc, sequence, timestamp) = relay(&mut out, 0, packet);
            assert_eq!((ssrc, sequence, timestamp), packet);
        }
        assert!(out.is_direct());
    }

    #[test]
    fn another_source_goes_on_where_the_one_before_ended() {
        let mut out = Outgoing::new(7);
        relay(&mut out, 0, (1, 65_534, 1_000));
        relay(&mut out, 20, (1, 65_535, 1_160));
        out.switch();
        assert_eq!(relay(&mut out, 120, (2, 40, 50)), (true, 1, 0, 1_960));
        assert_eq!(relay(&mut out, 160, (2, 42, 370)), (false, 1, 2, 2_280));
        assert_eq!(
            relay(&mut out, 161, (2, 41, 210)),
            (false, 1, 1, 2_120),
            "overtaken"
        );
        assert!(!out.is_direct());
        // Its sender begins anew.
        assert_eq!(relay(&mut out, 180, (3, 7, 7)), (true, 1, 3, 2_440));
    }

    #[test]
    fn our_voice_and_theirs_are_one_stream() {
        let mut out = Outgoing::new(0x0123_4567_89ab_cdef);
        let first = out.voice(Time::ZERO, 8_000);
        assert!(first.marker);
        let second = out.voice(Time::from_millis(21), 8_000);
        let expect = Numbers {
            marker: false,
            sequence: first.sequence.wrapping_add(1),
            timestamp: first.timestamp.wrapping_add(160),
            ssrc: first.ssrc,
        };
        assert_eq!(second, expect);
        let after_a_pause = out.voice(Time::from_millis(1_021), 8_000);
        assert!(after_a_pause.marker);
        assert_eq!(
            after_a_pause.timestamp,
            second.timestamp.wrapping_add(8_000)
        );
        let (marker, ssrc, sequence, timestamp) = relay(&mut out, 1_041, (9, 1, 1));
        assert_eq!((marker, ssrc), (true, first.ssrc));
        assert_eq!(sequence, after_a_pause.sequence.wrapping_add(1));
        assert_eq!(timestamp, after_a_pause.timestamp.wrapping_add(160));
        let again = out.voice(Time::from_millis(1_061), 8_000);
        assert_eq!(
            (again.marker, again.sequence),
            (true, sequence.wrapping_add(1))
        );
    }

    #[test]
    fn what_is_translated_has_the_time_of_its_sender() {
        let mut out = Outgoing::new(5);
        let at = |ms| Time::from_millis(ms);
        let first = out.translated(at(0), 48_000, Duration::ZERO);
        // Two that were on their way for long, and one after a pause.
        let numbers = [
            out.translated(at(300), 48_000, Duration::ZERO),
            out.translated(at(300), 48_000, Duration::ZERO),
            out.translated(at(520), 48_000, Duration::from_millis(200)),
        ];
        let later = numbers.map(|n| (n.marker, n.timestamp.wrapping_sub(first.timestamp)));
        assert_eq!(later, [(false, 960), (false, 1_920), (true, 12_480)]);
    }

    #[test]
    fn a_key_press_keeps_its_timestamp_and_time_goes_on() {
        let mut out = Outgoing::new(5);
        let voice = out.voice(Time::ZERO, 8_000);
        let begins = out.event(Time::from_millis(20), 8_000, Press::Begins);
        let lasts = out.event(Time::from_millis(120), 8_000, Press::Lasts);
        let after = out.voice(Time::from_millis(220), 8_000);
        let timestamps = [begins, lasts, after].map(|n| n.timestamp.wrapping_sub(voice.timestamp));
        assert_eq!(timestamps[..2], [160, 160]);
        assert_eq!(timestamps[2], 1_760, "ten frames after the key went down");
        let markers = [begins, lasts].map(|n| n.marker);
        assert_eq!(markers, [true, false]);
        let sequences = [begins, lasts, after].map(|n| n.sequence.wrapping_sub(voice.sequence));
        assert_eq!(sequences, [1, 2, 3]);
    }
}
