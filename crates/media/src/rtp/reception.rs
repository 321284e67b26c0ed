//! How well a stream arrives: packets expected, received and lost, and the interarrival jitter, as
//! RFC 3550 computes them (§A.1, §A.3, §A.8).

use std::time::Duration;

use clock::Time;

use super::Packet;

/// What is known of a packet when it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it came.
    pub at: Time,
    /// The RTP clock of its payload in Hz; `None` if its timestamps say nothing about its delay, as
    /// with telephone events, which repeat that of their beginning.
    pub clock: Option<u32>,
}

/// The statistics of one leg over all sources that it had.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    source: Option<Source>,
    /// Lost by the sources before this one.
    lost_before: u64,
    /// Sixteen times the jitter in microseconds, the form of RFC 3550 §A.8.
    jitter_us_by_16: u64,
    reference: Option<Reference>,
}

/// The sequence numbers of one SSRC (RFC 3550 §A.1).
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    first: u16,
    highest: u16,
    wraps: u64,
    received: u64,
    /// The number after a jump, believed if the next packet continues there.
    after_jump: Option<u16>,
}

/// The packet that the next one's delay is compared with.
#[derive(Clone, Copy, Debug)]
struct Reference {
    at: Time,
    timestamp: u32,
    clock: u32,
}

/// A jump ahead of at least so many packets is a restart of the sender, not loss.
const MAX_DROPOUT: u16 = 3_000;
/// A packet so far behind is a restart of the sender, not reordering.
const MAX_MISORDER: u16 = 100;
/// A change of delay over this is a new timeline (hold, transfer), not jitter.
const MAX_DELAY_CHANGE: Duration = Duration::from_secs(1);

impl Reception {
    /// Counts a packet.
    pub fn packet(&mut self, packet: &Packet<'_>, arrival: Arrival) {
        self.sequence(packet);
        if let Some(clock) = arrival.clock.filter(|clock| *clock > 0) {
            self.delay(Reference {
                at: arrival.at,
                timestamp: packet.timestamp,
                clock,
            });
        }
    }

    /// Packets sent that never came. Duplicates count as received, so this never exceeds the truth.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.source.map_or(0, |source| source.lost())
    }

    /// The interarrival jitter.
    pub fn jitter(&self) -> Duration {
        Duration::from_micros(self.jitter_us_by_16 / 16)
    }

    fn sequence(&mut self, packet: &Packet<'_>) {
        if let Some(source) = self
            .source
            .as_mut()
            .filter(|source| source.ssrc == packet.ssrc)
            && source.takes(packet.sequence)
        {
            return;
        }
        let resumes = self.source.is_none_or(|source| {
            source.ssrc != packet.ssrc || source.after_jump == Some(packet.sequence)
        });
        if resumes {
            self.lost_before = self.lost();
            self.reference = None;
            self.source = Some(Source::begin(packet));
        } else if let Some(source) = &mut self.source {
            // Two in sequence make a restart; a single stray number is not believed (RFC 3550 §A.1).
            source.after_jump = Some(packet.sequence.wrapping_add(1));
        }
    }

    fn delay(&mut self, now: Reference) {
        let before = self.reference.replace(now);
        let Some(before) = before.filter(|before| before.clock == now.clock) else {
            return;
        };
        let samples = i64::from(now.timestamp.wrapping_sub(before.timestamp).cast_signed());
        let sent_us = samples * 1_000_000 / i64::from(now.clock);
        let came_us = i64::try_from((now.at - before.at).as_micros()).unwrap_or(i64::MAX);
        let change_us = came_us.saturating_sub(sent_us).unsigned_abs();
        if u128::from(change_us) < MAX_DELAY_CHANGE.as_micros() {
            self.jitter_us_by_16 += change_us;
            self.jitter_us_by_16 -= (self.jitter_us_by_16 - change_us + 8) >> 4;
        }
    }
}

impl Source {
    fn begin(packet: &Packet<'_>) -> Self {
        Self {
            ssrc: packet.ssrc,
            first: packet.sequence,
            highest: packet.sequence,
            wraps: 0,
            received: 1,
            after_jump: None,
        }
    }

    /// Counts a packet whose number is near enough; `false` if it is a jump.
    fn takes(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead < MAX_DROPOUT {
            self.wraps += u64::from(sequence < self.highest);
            self.highest = sequence;
        } else if ahead <= u16::MAX - MAX_MISORDER {
            return false;
        }
        self.received += 1;
        self.after_jump = None;
        true
    }

    fn lost(&self) -> u64 {
        let expected = (self.wraps << 16) + u64::from(self.highest) + 1 - u64::from(self.first);
        expected.saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16) -> Packet<'static> {
        let timestamp = u32::from(sequence) * 160;
        Packet {
            marker: false,
            payload: 0,
            sequence,
            timestamp,
            ssrc,
            body: b"",
        }
    }

    fn lost(packets: &[(u32, u16)]) -> u64 {
        let mut reception = Reception::default();
        for (ssrc, sequence) in packets {
            let arrival = Arrival {
                at: Time::ZERO,
                clock: None,
            };
            reception.packet(&packet(*ssrc, *sequence), arrival);
        }
        reception.lost()
    }

    #[test]
    fn loss_is_what_is_missing_between_first_and_highest() {
        let check = |name, packets: &[(u32, u16)], expect| {
            assert_eq!(lost(packets), expect, "{name}");
        };
        check("nothing", &[], 0);
        check("in order", &[(1, 5), (1, 6), (1, 7)], 0);
        check("one missing", &[(1, 5), (1, 7)], 1);
        check("reordered", &[(1, 5), (1, 7), (1, 6)], 0);
        check("before the first", &[(1, 5), (1, 4), (1, 6)], 0);
        check("duplicate", &[(1, 5), (1, 6), (1, 6)], 0);
        check("over the wrap", &[(1, 65_534), (1, 65_535), (1, 1)], 1);
        check("reordered over the wrap", &[(1, 65_535), (1, 1), (1, 0)], 0);
        check("new source", &[(1, 5), (1, 7), (2, 40_000), (2, 40_002)], 2);
        check(
            "restart",
            &[(1, 5), (1, 6), (1, 40_000), (1, 40_001), (1, 40_002)],
            0,
        );
        check("stray number", &[(1, 5), (1, 40_000), (1, 6), (1, 7)], 0);
    }

    /// Packets every 20 ms of RTP time that arrive at the given milliseconds.
    fn jitter_us(arrivals_ms: &[u64], clock: Option<u32>) -> u128 {
        let mut reception = Reception::default();
        for (sequence, at) in (0..).zip(arrivals_ms) {
            let arrival = Arrival {
                at: Time::from_millis(*at),
                clock,
            };
            reception.packet(&packet(1, sequence), arrival);
        }
        reception.jitter().as_micros()
    }

    #[test]
    fn jitter_follows_the_change_of_delay() {
        assert_eq!(jitter_us(&[0, 20, 40, 60], Some(8_000)), 0);
        // One packet 16 ms late: |D| = 16 ms twice, each weighing a sixteenth.
        assert_eq!(jitter_us(&[0, 36], Some(8_000)), 1_000);
        assert_eq!(jitter_us(&[0, 36, 40], Some(8_000)), 1_937);
        assert_eq!(
            jitter_us(&[0, 36, 40], None),
            0,
            "events have no delay of their own"
        );
        assert_eq!(
            jitter_us(&[0, 20, 9_000, 9_020], Some(8_000)),
            0,
            "a pause is not jitter"
        );
    }

    #[test]
    fn jitter_settles_at_the_mean_change() {
        let alternating: Vec<u64> = (0..2_000).map(|n| n * 20 + (n % 2) * 8).collect();
        let jitter = jitter_us(&alternating, Some(8_000));
        assert!((7_900..=8_100).contains(&jitter), "{jitter}");
    }
}
