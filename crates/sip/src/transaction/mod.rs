//! The four transaction machines of RFC 3261 §17 with the Accepted states of RFC 6026.
//!
//! Each machine is a small value: `step` takes one input and gives the next state and what must be
//! done. The machines hold timers but no bytes; whoever owns one keeps the one message that may
//! still have to be sent again beside it.

pub(crate) mod client;
pub(crate) mod client_invite;
pub(crate) mod server;
pub(crate) mod server_invite;

use std::time::Duration;

use clock::Time;

use crate::Transport;

/// Estimate of the round trip (RFC 3261 §17.1.1.1).
pub(crate) const T1: Duration = Duration::from_millis(500);
/// Longest pause between two retransmissions of a request other than INVITE (RFC 3261 §17.1.2.2).
pub(crate) const T2: Duration = Duration::from_secs(4);
/// How long a message may linger in the network (RFC 3261 §17.1.2.2).
pub(crate) const T4: Duration = Duration::from_secs(5);
/// Timers B, F, H, J, L and M: 64 × T1.
pub(crate) const LIFETIME: Duration = Duration::from_secs(32);
/// Timer D (RFC 3261 §17.1.1.2).
pub(crate) const TIMER_D: Duration = Duration::from_secs(32);
/// An INVITE is answered with 100 when nobody else answered so soon (RFC 3261 §17.2.1).
pub(crate) const TRYING_AFTER: Duration = Duration::from_millis(200);
/// Timer C, as RFC 3261 §16.6 gives it to proxies, here so that no INVITE of ours is for ever:
/// longest time without a provisional answer to an INVITE that had one.
pub(crate) const TIMER_C: Duration = Duration::from_mins(10);

/// Whether the transport below repeats what is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliability {
    /// UDP: the transaction repeats.
    Unreliable,
    /// A stream: the transaction sends once, and does not linger for repetitions.
    Reliable,
}

impl Reliability {
    /// What a transport gives.
    pub(crate) fn of(transport: Transport) -> Self {
        if transport.is_reliable() {
            Self::Reliable
        } else {
            Self::Unreliable
        }
    }

    /// When a state ends that only waits for repetitions of the peer.
    fn linger(self, now: Time, time: Duration) -> Time {
        match self {
            Self::Unreliable => lingering_until(now + time),
            Self::Reliable => now,
        }
    }

    /// The first repetition of what was sent just now, if this transport needs any.
    fn resend(self, now: Time) -> Option<Resend> {
        match self {
            Self::Unreliable => Some(Resend::first(now)),
            Self::Reliable => None,
        }
    }
}

/// When the stored message is sent again, and the pause that led there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resend {
    /// The instant of the next repetition.
    pub(crate) at: Time,
    /// The pause before it.
    pub(crate) pause: Duration,
}

impl Resend {
    /// The repetition one T1 after the first sending.
    pub(crate) fn first(now: Time) -> Self {
        Self {
            at: now + T1,
            pause: T1,
        }
    }

    /// The one after this, twice as long away (timers A and B).
    pub(crate) fn doubled(self, now: Time) -> Self {
        let pause = self.pause.saturating_mul(2);
        Self {
            at: now + pause,
            pause,
        }
    }

    /// The one after this, twice as long away but at most T2 (timers E and G).
    pub(crate) fn doubled_to_t2(self, now: Time) -> Self {
        let pause = self.pause.saturating_mul(2).min(T2);
        Self {
            at: now + pause,
            pause,
        }
    }
}

/// The end of a state in which nothing more is sent: never before `end`, and together with others, so
/// that a busy node wakes once a second for all of them and not for each.
fn lingering_until(end: Time) -> Time {
    Time::from_secs(end.as_micros().div_ceil(1_000_000))
}

/// The earlier of a repetition that may not be needed and an end that always comes.
fn earliest(resend: Option<Resend>, end: Time) -> Time {
    resend.map_or(end, |resend| resend.at.min(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_t2() {
        let start = Time::from_secs(10);
        let mut resend = Resend::first(start);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pauses.push(resend.pause.as_millis());
            resend = resend.doubled_to_t2(resend.at);
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 4_000, 4_000]);
        assert_eq!(
            Resend::first(start).doubled(start).at,
            start + Duration::from_secs(1)
        );
    }

    #[test]
    fn a_stream_neither_repeats_nor_lingers() {
        let now = Time::from_secs(10);
        assert_eq!(Reliability::Reliable.resend(now), None);
        assert_eq!(Reliability::Reliable.linger(now, T4), now);
        assert_eq!(Reliability::Unreliable.linger(now, T4), now + T4);
        assert_eq!(earliest(None, now), now);
    }

    #[test]
    fn states_that_only_linger_end_together() {
        let end = |micros| lingering_until(Time::from_micros(micros));
        assert_eq!(end(4_999_999), Time::from_secs(5));
        assert_eq!(end(5_000_000), Time::from_secs(5));
        assert_eq!(end(5_000_001), Time::from_secs(6));
    }
}
