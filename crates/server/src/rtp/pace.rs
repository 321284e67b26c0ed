//! When to sleep to a tick instead of waking for every packet.
//!
//! At 50 packets a second per leg the wake-up costs more than the packet. Above
//! [`BUSY_PACKETS_PER_SECOND`] the thread therefore sleeps a millisecond and takes what has come
//! meanwhile: half the CPU for half a millisecond of delay. Below it, packets are passed on at once.

use std::time::Duration;

use clock::Time;

/// The sleep of a busy thread.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// From here on a thread is busy.
const BUSY_PACKETS_PER_SECOND: u32 = 2_000;
/// How long packets are counted before the pace is judged.
const WINDOW: Duration = Duration::from_millis(100);
const WINDOWS_PER_SECOND: u32 = 10;

/// The present pace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    since: Time,
    packets: u32,
    mode: Mode,
}

/// How the thread waits for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It wakes for each.
    Waking,
    /// It looks once per [`TICK`].
    Ticking,
}

impl Pace {
    pub(super) fn new(now: Time) -> Self {
        Self {
            since: now,
            packets: 0,
            mode: Mode::Waking,
        }
    }

    /// Counts a turn's packets.
    pub(super) fn count(&mut self, now: Time, packets: u32) {
        self.packets = self.packets.saturating_add(packets);
        if now - self.since < WINDOW {
            return;
        }
        // A window may have been a long sleep; then few packets came, whatever its length.
        let is_busy = self.packets >= BUSY_PACKETS_PER_SECOND / WINDOWS_PER_SECOND
            && now - self.since < 2 * WINDOW;
        self.mode = if is_busy { Mode::Ticking } else { Mode::Waking };
        self.since = now;
        self.packets = 0;
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mode after a second of so many packets each 20 ms.
    fn mode_at(packets: u32) -> Mode {
        let mut pace = Pace::new(Time::ZERO);
        for turn in 1..=50 {
            pace.count(Time::from_millis(turn * 20), packets);
        }
        pace.mode()
    }

    #[test]
    fn many_packets_make_it_tick() {
        assert_eq!(mode_at(20), Mode::Waking, "1,000 a second");
        assert_eq!(mode_at(39), Mode::Waking);
        assert_eq!(mode_at(40), Mode::Ticking, "2,000 a second");
    }

    #[test]
    fn it_wakes_again_when_the_calls_are_over() {
        let mut pace = Pace::new(Time::ZERO);
        pace.count(Time::from_millis(100), 1_000);
        assert_eq!(pace.mode(), Mode::Ticking);
        pace.count(Time::from_millis(200), 0);
        assert_eq!(pace.mode(), Mode::Waking);
    }
}
