//! What becomes of a delivery after an attempt (contract §2.3).

use std::time::Duration;

use clock::Time;
use store::{DeliveryId, Fate, Place};

use super::Outcome;
use super::endpoint::Held;

/// How long a lane waits for its head (contract §2.3).
const LANE_PATIENCE: Duration = Duration::from_mins(2);
/// Pauses between the attempts of one delivery (contract §2.3).
const PAUSES: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(6),
];
/// A receiver's `Retry-After` is honoured up to here.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(6);
/// Pauses vary by so much either way, so that receivers are not hit in step.
const JITTER_PERCENT: u64 = 10;

/// What becomes of a delivery that was tried `held.delivery.attempts` times.
pub(super) fn fate(now: Time, held: &Held, outcome: Outcome) -> Fate {
    let after = match outcome {
        Outcome::Delivered => return Fate::Delivered,
        Outcome::Rejected => return Fate::Failed,
        Outcome::Retry { after } => after,
    };
    let tried = usize::try_from(held.delivery.attempts).unwrap_or(usize::MAX);
    let Some(pause) = tried.checked_sub(1).and_then(|index| PAUSES.get(index)) else {
        return Fate::Failed;
    };
    let wished = after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
    let due = now + jittered(*pause, held.delivery.id, held.delivery.attempts).max(wished);
    // The lane need not wait for an attempt that comes when its patience is over.
    let gives_way = due.since(held.first_tried_at.unwrap_or(now)) > LANE_PATIENCE;
    let place = if gives_way {
        Place::Late
    } else {
        held.delivery.place
    };
    Fate::Again { due, place }
}

/// A pause made longer or shorter by a share that only delivery and attempt decide.
fn jittered(pause: Duration, id: DeliveryId, attempt: u32) -> Duration {
    // Multiplication by an odd constant spreads neighbouring numbers over all bits.
    let spread = (id.0 ^ (u64::from(attempt) << 56)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let share = spread % (2 * JITTER_PERCENT + 1);
    let percent = 100 - JITTER_PERCENT + share;
    pause * u32::try_from(percent).unwrap_or(100) / 100
}
