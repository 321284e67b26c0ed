//! Telephone events (RFC 4733): many packets per key, told once.

use std::time::Duration;

use clock::Time;

use super::Packet;

/// A key that was pressed and let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPress {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub digit: char,
    /// How long it was held, as far as the packets tell.
    pub held: Duration,
}

/// The events of one leg. A key is told when its end arrives, or when the end must have been lost:
/// another event began, or nothing came for `LOST_END`.
#[derive(Clone, Debug, Default)]
pub struct TelephoneEvents {
    current: Option<Event>,
}

/// An event whose packets are arriving.
#[derive(Clone, Copy, Debug)]
struct Event {
    code: u8,
    /// The timestamp of its segment, which identifies it (RFC 4733 §2.5.1).
    timestamp: u32,
    /// What earlier segments lasted, in clock units.
    before: u32,
    duration: u16,
    clock: u32,
    heard: Time,
    told: Told,
}

/// Whether the key was reported; its end comes three times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    NotYet,
    Already,
}

/// Senders repeat an event every 50 ms at the latest; three missing repetitions end it
/// (RFC 4733 §2.5.2.2).
const LOST_END: Duration = Duration::from_millis(150);

/// For how long a packet may be one of an event that was heard before.
const REORDERING: Duration = Duration::from_secs(1);

impl TelephoneEvents {
    /// Takes a packet whose payload is telephone-event and returns the keys that are over: usually
    /// none or one, two if the end of the one before was lost.
    pub fn packet(
        &mut self,
        now: Time,
        packet: &Packet<'_>,
        clock: u32,
    ) -> impl Iterator<Item = KeyPress> + use<> {
        let [code, flags, high, low, ..] = *packet.body else {
            return [None, None].into_iter().flatten();
        };
        let duration = u16::from_be_bytes([high, low]);
        let before = self.begin(now, packet.timestamp, code, clock);
        let is_its = |event: &&mut Event| event.timestamp == packet.timestamp && event.code == code;
        let event = self.current.as_mut().filter(is_its);
        let ended = event.and_then(|event| {
            event.heard = now;
            event.duration = event.duration.max(duration);
            if flags & 0x80 == 0 {
                None
            } else {
                event.tell()
            }
        });
        [before, ended].into_iter().flatten()
    }

    /// The key whose end must have been lost, if there is one. Asked for every now and then.
    pub fn lapse(&mut self, now: Time) -> Option<KeyPress> {
        let event = self.current.as_mut()?;
        if now - event.heard < LOST_END {
            return None;
        }
        event.tell()
    }

    /// The key that was held when the leg ended.
    pub fn finish(&mut self) -> Option<KeyPress> {
        self.current.as_mut()?.tell()
    }

    /// Makes the packet's event the current one unless it is it already, or is older. Returns the one
    /// before if nobody has told it.
    fn begin(&mut self, now: Time, timestamp: u32, code: u8, clock: u32) -> Option<KeyPress> {
        let mut event = Event {
            code,
            timestamp,
            before: 0,
            duration: 0,
            clock,
            heard: now,
            told: Told::NotYet,
        };
        let Some(current) = &mut self.current else {
            self.current = Some(event);
            return None;
        };
        if current.covers(now, timestamp, code) {
            return None;
        }
        if current.continues_at(timestamp, code) {
            event.before = current.before.saturating_add(u32::from(current.duration));
            self.current = Some(event);
            return None;
        }
        let before = current.tell();
        self.current = Some(event);
        before
    }
}

impl Event {
    /// Whether a packet belongs to this event or to one before it. Only lately: a sender may start its
    /// timestamps anew, and some give every event the same one.
    fn covers(&self, now: Time, timestamp: u32, code: u8) -> bool {
        let ahead = timestamp.wrapping_sub(self.timestamp).cast_signed();
        let is_same = ahead == 0 && code == self.code;
        now - self.heard < REORDERING && (is_same || ahead < 0)
    }

    /// Whether `timestamp` is the next segment of this key, held for longer than a duration can
    /// say (RFC 4733 §2.5.1.3).
    fn continues_at(&self, timestamp: u32, code: u8) -> bool {
        self.code == code
            && self.told == Told::NotYet
            && self.timestamp.wrapping_add(u32::from(self.duration)) == timestamp
    }

    /// The key, the first time; `None` for events that are not keys.
    fn tell(&mut self) -> Option<KeyPress> {
        if self.told == Told::Already {
            return None;
        }
        self.told = Told::Already;
        let units = u64::from(self.before) + u64::from(self.duration);
        let held = Duration::from_micros(units * 1_000_000 / u64::from(self.clock.max(1)));
        Some(KeyPress {
            digit: digit(self.code)?,
            held,
        })
    }
}

/// The key of an event code (RFC 4733 §3.2).
fn digit(code: u8) -> Option<char> {
    match code {
        0..=9 => Some(char::from(b'0' + code)),
        10 => Some('*'),
        11 => Some('#'),
        12..=15 => Some(char::from(b'A' + (code - 12))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One event packet: milliseconds of arrival, timestamp, event code, end bit, duration.
    type Row = (u64, u32, u8, u8, u16);
    const END: u8 = 0x80;

    fn keys(rows: &[Row]) -> Vec<(char, u128)> {
        let mut events = TelephoneEvents::default();
        let mut keys = Vec::new();
        for (at, timestamp, code, end, duration) in rows {
            let now = Time::from_millis(*at);
            let [high, low] = duration.to_be_bytes();
            let body = [*code, *end, high, low];
            let packet = Packet {
                marker: false,
                payload: 101,
                sequence: 0,
                timestamp: *timestamp,
                ssrc: 0,
                body: &body,
            };
            keys.extend(events.lapse(now));
            keys.extend(events.packet(now, &packet, 8_000));
        }
        keys.extend(events.finish());
        keys.into_iter()
            .map(|key| (key.digit, key.held.as_millis()))
            .collect()
    }

    fn check(rows: &[Row], expect: &[(char, u128)]) {
        assert_eq!(keys(rows), expect, "{rows:?}");
    }

    #[test]
    fn a_key_is_told_when_its_end_arrives_and_only_once() {
        let begin = [(0, 100, 5, 0, 400), (50, 100, 5, 0, 800)];
        let ends = [
            (60, 100, 5, END, 880),
            (61, 100, 5, END, 880),
            (62, 100, 5, END, 880),
        ];
        check(&[begin.as_slice(), ends.as_slice()].concat(), &[('5', 110)]);
        check(&[(0, 100, 10, END, 800)], &[('*', 100)]);
        let again = [(0, 100, 1, END, 800), (200, 4_000, 1, END, 800)];
        check(&again, &[('1', 100), ('1', 100)]);
    }

    #[test]
    fn a_lost_end_loses_no_key() {
        let both = [('1', 50), ('2', 100)];
        check(
            &[
                (0, 100, 1, 0, 400),
                (60, 4_000, 2, 0, 400),
                (90, 4_000, 2, END, 800),
            ],
            &both,
        );
        check(&[(0, 100, 1, 0, 400), (60, 4_000, 2, END, 800)], &both);
        check(
            &[(0, 100, 1, 0, 400), (500, 100, 1, END, 800)],
            &[('1', 50)],
        );
        check(&[(0, 100, 15, 0, 400)], &[('D', 50)]);
    }

    #[test]
    fn a_packet_of_an_older_key_changes_nothing() {
        let second = [
            (60, 4_000, 2, 0, 80),
            (61, 100, 1, END, 800),
            (70, 4_000, 2, END, 160),
        ];
        check(
            &[[(0, 100, 1, END, 800)].as_slice(), &second].concat(),
            &[('1', 100), ('2', 20)],
        );
    }

    #[test]
    fn a_key_may_be_held_for_longer_than_16_bits() {
        let rows = [
            (0, 100, 3, 0, 65_535),
            (50, 65_635, 3, 0, 400),
            (100, 65_635, 3, END, 865),
        ];
        check(&rows, &[('3', 8_300)]);
    }

    #[test]
    fn timestamps_may_wrap_start_anew_or_never_change() {
        let wraps = [(0, u32::MAX - 5, 11, END, 800), (200, 2_000, 0, END, 800)];
        check(&wraps, &[('#', 100), ('0', 100)]);
        let anew = [(0, 90_000, 1, END, 800), (5_000, 10, 2, END, 800)];
        check(&anew, &[('1', 100), ('2', 100)]);
        let constant = [
            (0, 0, 1, END, 800),
            (200, 0, 2, END, 800),
            (2_000, 0, 2, END, 800),
        ];
        check(&constant, &[('1', 100), ('2', 100), ('2', 100)]);
    }

    #[test]
    fn flash_is_no_key() {
        check(&[(0, 100, 16, END, 800)], &[]);
    }

    #[test]
    fn short_packets_say_nothing() {
        let mut events = TelephoneEvents::default();
        for body in [&b""[..], &[1, 0x80, 0]] {
            let packet = Packet {
                marker: true,
                payload: 101,
                sequence: 0,
                timestamp: 0,
                ssrc: 0,
                body,
            };
            assert_eq!(events.packet(Time::ZERO, &packet, 8_000).count(), 0);
        }
        assert_eq!(events.finish(), None);
    }
}
