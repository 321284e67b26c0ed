//! The one clock of the process.
//!
//! Wall time is read once, at start, and then carried on by the monotonic clock, so that one [`Time`]
//! serves for timers and for the record: it never goes back and never jumps. When NTP (or a person)
//! corrects the wall clock, ours follows by running up to [`MAX_SLEW_PPM`] faster or slower until the
//! two agree again. A difference above [`WARN_ABOVE`] is logged, because it takes long to heal: a
//! restart takes the new time at once, and ids do not repeat even then (they start behind the last stored one).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clock::Time;

/// How much faster or slower than real time the clock may run while it follows a correction.
pub const MAX_SLEW_PPM: i64 = 20_000;
/// Differences below this are the noise of reading two clocks, and of NTP's own slewing.
const IGNORE_BELOW: Duration = Duration::from_millis(2);
/// A difference that is worth telling the operator.
pub const WARN_ABOVE: Duration = Duration::from_secs(30);
/// How often [`Clock::follow_wall_time`] is to be called.
pub const FOLLOW_EVERY: Duration = Duration::from_secs(10);

/// The clock; cheap to clone, the same for all threads.
#[derive(Clone, Debug)]
pub struct Clock {
    zero: Instant,
    line: Arc<Mutex<Line>>,
}

/// Where the clock stood at some monotonic instant, and how fast it has run since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    /// Monotonic microseconds since the clock's start.
    from: u64,
    /// The time at that instant.
    time: u64,
    /// Deviation from real speed.
    slew_ppm: i64,
}

impl Clock {
    /// Anchors the clock at the present wall time.
    pub fn start() -> Self {
        let line = Line {
            from: 0,
            time: wall_micros(),
            slew_ppm: 0,
        };
        Self {
            zero: Instant::now(),
            line: Arc::new(Mutex::new(line)),
        }
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        // The line is copied before the monotonic clock is read, so `elapsed` is never before it.
        let line = *self.line.lock().unwrap_or_else(PoisonError::into_inner);
        Time::from_micros(line.at(self.elapsed()))
    }

    /// Compares with the wall clock and bends the speed towards it; returns by how much the wall
    /// clock is ahead (positive) or behind, in microseconds.
    pub fn follow_wall_time(&self) -> i64 {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let (bent, ahead) = line.bent(self.elapsed(), wall_micros());
        *line = bent;
        ahead
    }

    /// How long to wait from now until `time`.
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.now())
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.zero.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Line {
    fn at(&self, elapsed: u64) -> u64 {
        let run = elapsed.saturating_sub(self.from);
        let bend = i128::from(run) * i128::from(self.slew_ppm) / 1_000_000;
        // The slew is a few per cent at most, so a run plus its bend is never negative.
        self.time
            .saturating_add(run)
            .saturating_add_signed(i64::try_from(bend).unwrap_or(0))
    }

    /// The line that goes on from here towards `wall`, and how far ahead that is.
    fn bent(&self, elapsed: u64, wall: u64) -> (Self, i64) {
        let time = self.at(elapsed);
        let ahead = i64::try_from(i128::from(wall) - i128::from(time)).unwrap_or(i64::MAX);
        let noise = IGNORE_BELOW.as_micros() >= u128::from(ahead.unsigned_abs());
        // Aim to meet the wall clock when we are called next, within the limit.
        let period = i64::try_from(FOLLOW_EVERY.as_secs()).unwrap_or(1);
        let slew_ppm = if noise {
            0
        } else {
            (ahead / period).clamp(-MAX_SLEW_PPM, MAX_SLEW_PPM)
        };
        (
            Self {
                from: elapsed,
                time,
                slew_ppm,
            },
            ahead,
        )
    }
}

fn wall_micros() -> u64 {
    // A wall clock before 1970 is no time at all; zero then only means wrong dates, not a fault.
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn it_starts_at_wall_time_and_goes_forward() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(first.as_secs() > 1_700_000_000);
        let mut last = first;
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    /// Steps the wall clock by `step` and returns after how many calls the two agree to 2 ms.
    fn periods_to_follow(step: i64) -> u64 {
        let mut line = Line {
            from: 0,
            time: 1000 * SECOND,
            slew_ppm: 0,
        };
        let mut last = line.time;
        for period in 1..10_000 {
            let elapsed = period * FOLLOW_EVERY.as_secs() * SECOND;
            let wall = (1000 * SECOND + elapsed).saturating_add_signed(step);
            assert!(line.at(elapsed) >= last, "never back");
            last = line.at(elapsed);
            let (bent, ahead) = line.bent(elapsed, wall);
            assert_eq!(bent.at(elapsed), last, "never a jump");
            line = bent;
            if ahead.abs() <= 2000 {
                return period;
            }
        }
        panic!("never");
    }

    #[test]
    fn a_step_of_the_wall_clock_is_followed_slowly_in_both_directions() {
        assert_eq!(periods_to_follow(0), 1);
        assert_eq!(periods_to_follow(50_000), 2);
        assert_eq!(periods_to_follow(-50_000), 2);
        // 2 % of 10 s are 200 ms a period.
        assert_eq!(periods_to_follow(3_000_000), 16);
        assert_eq!(periods_to_follow(-3_000_000), 16);
    }
}
