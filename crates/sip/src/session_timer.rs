//! Session timers (RFC 4028): who refreshes a call, when, and when it counts as lost.
//!
//! Only arithmetic: the user agent sends the refreshes and the BYE.

use std::time::Duration;

use clock::Time;

use crate::{Message, Refresher, SessionExpires};

/// The shortest interval we accept (RFC 4028 §4).
pub(crate) const MIN_SE_SECONDS: u32 = 90;
/// The longest interval a peer can make us keep, in seconds: no call is for ever.
pub(crate) const MAX_SECONDS: u32 = 24 * 3_600;
/// How long before expiry the call is ended, at most (RFC 4028 §10).
const MARGIN: Duration = Duration::from_secs(32);

/// Which end of the call refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// We refresh.
    Refresh,
    /// The peer refreshes, we watch.
    Watch,
}

/// What both ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The session interval.
    pub(crate) interval_seconds: u32,
    /// Our part.
    pub(crate) role: Role,
}

/// What a request says about session timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whether `timer` stands in Supported.
    pub(crate) support: Support,
    /// The Session-Expires header.
    pub(crate) expires: Option<SessionExpires>,
    /// The Min-SE header.
    pub(crate) min_se_seconds: Option<u32>,
}

/// Whether the peer knows session timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// `timer` is among its extensions.
    Timer,
    /// It said nothing.
    Unknown,
}

impl Asked {
    /// Reads the three headers of a request.
    pub(crate) fn of(request: &Message<'_>) -> Self {
        Self {
            support: if request.supports("timer") {
                Support::Timer
            } else {
                Support::Unknown
            },
            expires: request.session_expires(),
            min_se_seconds: request.min_se(),
        }
    }

    /// Whether the answer is 422 with [`MIN_SE_SECONDS`] (RFC 4028 §6, §9). A peer that does not
    /// know session timers, whose proxy wrote the header, would not understand that.
    pub(crate) fn is_too_small(self) -> bool {
        self.support == Support::Timer
            && self
                .expires
                .is_some_and(|expires| expires.seconds < MIN_SE_SECONDS)
    }

    /// The terms of the receiver (RFC 4028 §9), and who refreshes in the words of its answer.
    pub(crate) fn answer(self, preferred_seconds: u32) -> (Terms, Refresher) {
        let floor = self
            .min_se_seconds
            .unwrap_or(0)
            .clamp(MIN_SE_SECONDS, MAX_SECONDS);
        let wanted = self.expires.map_or(u32::MAX, |expires| expires.seconds);
        // The receiver may shorten the interval, but not below Min-SE.
        let interval_seconds = wanted.min(preferred_seconds).max(floor);
        let refresher = self.refresher();
        (
            Terms {
                interval_seconds,
                role: role_of_receiver(refresher),
            },
            refresher,
        )
    }

    /// RFC 4028 §9, table 2. Where the choice is ours, we refresh: that tells us sooner that a
    /// peer is lost than waiting for the expiry does.
    fn refresher(self) -> Refresher {
        match (
            self.support,
            self.expires.and_then(|expires| expires.refresher),
        ) {
            (Support::Timer, Some(Refresher::Uac)) => Refresher::Uac,
            (Support::Timer | Support::Unknown, _) => Refresher::Uas,
        }
    }
}

impl Terms {
    /// What a 2xx to our request agreed on (RFC 4028 §7.2). A peer that says nothing knows no
    /// session timers: then we refresh alone, so that a lost BYE still ends the call.
    pub(crate) fn of_answer(expires: Option<SessionExpires>, preferred_seconds: u32) -> Self {
        let silent = SessionExpires {
            seconds: preferred_seconds,
            refresher: None,
        };
        let SessionExpires { seconds, refresher } = expires.unwrap_or(silent);
        let role = match refresher {
            Some(Refresher::Uas) => Role::Watch,
            Some(Refresher::Uac) | None => Role::Refresh,
        };
        Self {
            interval_seconds: seconds.clamp(MIN_SE_SECONDS, MAX_SECONDS),
            role,
        }
    }
}

/// The running timer of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionTimer {
    /// We refresh at `refresh_at`.
    Refreshing { refresh_at: Time, end_at: Time },
    /// Our refresh is under way, or the peer refreshes: the call ends at `end_at`.
    Watching { end_at: Time },
}

/// What a session timer wants done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// Send a refresh.
    Refresh,
    /// End the call.
    End,
}

impl SessionTimer {
    /// Starts, or starts again after a refresh (RFC 4028 §10).
    pub(crate) fn start(terms: Terms, now: Time) -> Self {
        let interval = Duration::from_secs(u64::from(terms.interval_seconds));
        let margin = MARGIN.min(interval / 3);
        let end_at = now + interval.saturating_sub(margin);
        match terms.role {
            Role::Refresh => Self::Refreshing {
                refresh_at: now + interval / 2,
                end_at,
            },
            Role::Watch => Self::Watching { end_at },
        }
    }

    /// The instant at which [`Self::due`] says something new.
    pub(crate) fn deadline(self) -> Time {
        match self {
            Self::Refreshing { refresh_at, end_at } => refresh_at.min(end_at),
            Self::Watching { end_at } => end_at,
        }
    }

    /// What is due now.
    pub(crate) fn due(self, now: Time) -> Due {
        match self {
            Self::Refreshing { end_at, .. } | Self::Watching { end_at } if end_at <= now => {
                Due::End
            }
            Self::Refreshing { refresh_at, .. } if refresh_at <= now => Due::Refresh,
            Self::Refreshing { .. } | Self::Watching { .. } => Due::Nothing,
        }
    }

    /// The timer while our refresh is under way.
    #[must_use]
    pub(crate) fn refresh_sent(self) -> Self {
        Self::Watching {
            end_at: self.end_at(),
        }
    }

    /// The timer after a refresh that neither worked nor ended the call: try again soon.
    #[must_use]
    pub(crate) fn refresh_failed(self, retry_at: Time) -> Self {
        Self::Refreshing {
            refresh_at: retry_at,
            end_at: self.end_at(),
        }
    }

    fn end_at(self) -> Time {
        match self {
            Self::Refreshing { end_at, .. } | Self::Watching { end_at } => end_at,
        }
    }
}

fn role_of_receiver(refresher: Refresher) -> Role {
    match refresher {
        Refresher::Uac => Role::Watch,
        Refresher::Uas => Role::Refresh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000);

    fn header(expires: Option<(u32, Option<Refresher>)>) -> Option<SessionExpires> {
        expires.map(|(seconds, refresher)| SessionExpires { seconds, refresher })
    }

    fn asked(
        support: Support,
        expires: Option<(u32, Option<Refresher>)>,
        min_se_seconds: Option<u32>,
    ) -> Asked {
        Asked {
            support,
            expires: header(expires),
            min_se_seconds,
        }
    }

    #[test]
    fn the_receiver_answers_as_table_2_says() {
        use Refresher::{Uac, Uas};
        use Support::{Timer, Unknown};
        let table = [
            (asked(Unknown, None, None), 1_800, Role::Refresh, Uas),
            (
                asked(Unknown, Some((600, None)), None),
                600,
                Role::Refresh,
                Uas,
            ),
            (
                asked(Unknown, Some((20, None)), None),
                90,
                Role::Refresh,
                Uas,
            ),
            (asked(Timer, None, None), 1_800, Role::Refresh, Uas),
            (
                asked(Timer, Some((3_600, None)), None),
                1_800,
                Role::Refresh,
                Uas,
            ),
            (
                asked(Timer, Some((600, Some(Uac))), None),
                600,
                Role::Watch,
                Uac,
            ),
            (
                asked(Timer, Some((600, Some(Uas))), None),
                600,
                Role::Refresh,
                Uas,
            ),
            (
                asked(Timer, Some((3_600, None)), Some(2_400)),
                2_400,
                Role::Refresh,
                Uas,
            ),
        ];
        for (asked, interval_seconds, role, refresher) in table {
            let terms = Terms {
                interval_seconds,
                role,
            };
            assert_eq!(asked.answer(1_800), (terms, refresher), "{asked:?}");
        }
    }

    #[test]
    fn only_who_knows_timers_is_told_of_too_small_an_interval() {
        assert!(asked(Support::Timer, Some((60, None)), None).is_too_small());
        assert!(!asked(Support::Timer, Some((90, None)), None).is_too_small());
        assert!(!asked(Support::Timer, None, None).is_too_small());
        assert!(!asked(Support::Unknown, Some((60, None)), None).is_too_small());
    }

    #[test]
    fn the_sender_reads_its_part_from_the_answer() {
        let table = [
            (None, 1_800, Role::Refresh),
            (Some((600, Some(Refresher::Uac))), 600, Role::Refresh),
            (Some((600, Some(Refresher::Uas))), 600, Role::Watch),
            (Some((600, None)), 600, Role::Refresh),
            (Some((1, Some(Refresher::Uas))), 90, Role::Watch),
        ];
        for (expires, interval_seconds, role) in table {
            let expect = Terms {
                interval_seconds,
                role,
            };
            assert_eq!(
                Terms::of_answer(header(expires), 1_800),
                expect,
                "{expires:?}"
            );
        }
    }

    #[test]
    fn refreshes_at_half_time_and_ends_before_expiry() {
        let terms = Terms {
            interval_seconds: 1_800,
            role: Role::Refresh,
        };
        let timer = SessionTimer::start(terms, NOW);
        assert_eq!(timer.deadline(), NOW + Duration::from_mins(15));
        assert_eq!(timer.due(NOW + Duration::from_secs(899)), Due::Nothing);
        assert_eq!(timer.due(NOW + Duration::from_mins(15)), Due::Refresh);
        let sent = timer.refresh_sent();
        assert_eq!(sent.deadline(), NOW + Duration::from_secs(1_768));
        assert_eq!(sent.due(NOW + Duration::from_secs(1_768)), Due::End);
        let again = sent.refresh_failed(NOW + Duration::from_secs(910));
        assert_eq!(again.due(NOW + Duration::from_secs(910)), Due::Refresh);
    }

    #[test]
    fn a_watcher_ends_a_third_early_when_the_interval_is_short() {
        let terms = Terms {
            interval_seconds: 90,
            role: Role::Watch,
        };
        let timer = SessionTimer::start(terms, NOW);
        assert_eq!(timer.deadline(), NOW + Duration::from_mins(1));
        assert_eq!(timer.due(NOW + Duration::from_mins(1)), Due::End);
    }
}
