//! The INVITE client transaction: RFC 3261 §17.1.1 with RFC 6026 §7.2.

use clock::Time;

use super::{LIFETIME, Reliability, Resend, TIMER_C, TIMER_D, earliest, lingering_until};

/// Where an INVITE that we sent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientInvite {
    /// Nothing has come back. Timers A and B.
    Calling {
        resend: Option<Resend>,
        give_up_at: Time,
    },
    /// A provisional answer came. Timer C.
    Proceeding { give_up_at: Time },
    /// A final answer of 300 or more came and was acknowledged. Timer D.
    Completed { until: Time },
    /// A 2xx came; more may come from other forks. Timer M of RFC 6026.
    Accepted { until: Time },
    /// Over: the owner drops it.
    Terminated,
}

/// What an INVITE client transaction hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The deadline has come.
    Wake,
    /// An answer of 1xx.
    Provisional,
    /// An answer of 2xx.
    Success,
    /// An answer of 300 or more.
    Failure,
    /// The transport could not send.
    TransportFailed,
}

/// What the owner of the transaction must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Send the stored message again.
    Resend,
    /// Give the answer to the user of the transaction.
    Deliver,
    /// Build the ACK, store it in the request's place, send it; then give the answer upwards.
    AcknowledgeAndDeliver,
    /// Tell the user of the transaction that no answer came.
    TimeOut,
    /// The same after a provisional answer: a CANCEL goes first (RFC 3261 §16.8).
    CancelAndTimeOut,
    /// Tell the user of the transaction that the transport failed.
    Unreachable,
}

impl ClientInvite {
    /// The transaction whose INVITE has just been sent (RFC 3261 §17.1.1.2).
    pub(crate) fn start(now: Time, reliability: Reliability) -> Self {
        Self::Calling {
            resend: reliability.resend(now),
            give_up_at: now + LIFETIME,
        }
    }

    /// The instant of the next [`Input::Wake`].
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::Calling { resend, give_up_at } => Some(earliest(resend, give_up_at)),
            Self::Proceeding { give_up_at } => Some(give_up_at),
            Self::Completed { until } | Self::Accepted { until } => Some(until),
            Self::Terminated => None,
        }
    }

    /// One step of the machine.
    pub(crate) fn step(self, input: Input, now: Time, reliability: Reliability) -> (Self, Action) {
        match (self, input) {
            (Self::Calling { resend, give_up_at }, Input::Wake) => {
                calling_wakes(resend, give_up_at, now)
            }
            // RFC 3261 §16.6 (11): timer C, and §17.1.1.2: no timer of its own in Proceeding.
            (Self::Proceeding { give_up_at }, Input::Wake) if give_up_at <= now => {
                (Self::Terminated, Action::CancelAndTimeOut)
            }
            // RFC 3261 §17.1.1.2: retransmissions cease, every provisional answer goes up.
            (Self::Calling { .. } | Self::Proceeding { .. }, Input::Provisional) => (
                Self::Proceeding {
                    give_up_at: now + TIMER_C,
                },
                Action::Deliver,
            ),
            // RFC 6026 §7.2: the first 2xx leads to Accepted, where timer M runs.
            (Self::Calling { .. } | Self::Proceeding { .. }, Input::Success) => (
                Self::Accepted {
                    until: lingering_until(now + LIFETIME),
                },
                Action::Deliver,
            ),
            // RFC 3261 §17.1.1.2 and §17.1.1.3: the transaction itself acknowledges.
            (Self::Calling { .. } | Self::Proceeding { .. }, Input::Failure) => {
                let until = reliability.linger(now, TIMER_D);
                (Self::Completed { until }, Action::AcknowledgeAndDeliver)
            }
            // RFC 3261 §17.1.4. Once a provisional answer came the peer is there, and the answer
            // may come over a connection that the peer opens (§18.2.2).
            (Self::Calling { .. }, Input::TransportFailed) => {
                (Self::Terminated, Action::Unreachable)
            }
            // The user has had its answer and need not hear that the ACK could not be sent.
            (Self::Completed { .. }, Input::TransportFailed) => (Self::Terminated, Action::Nothing),
            // RFC 3261 §17.1.1.2: a repeated final answer is acknowledged again, not passed up.
            (Self::Completed { .. }, Input::Failure) => (self, Action::Resend),
            // RFC 6026 §7.2: every 2xx goes up, for the repeated ACK and for other forks.
            (Self::Accepted { .. }, Input::Success) => (self, Action::Deliver),
            // RFC 3261 §17.1.1.2 timer D, RFC 6026 §7.2 timer M.
            (Self::Completed { until } | Self::Accepted { until }, Input::Wake) if until <= now => {
                (Self::Terminated, Action::Nothing)
            }
            (
                Self::Proceeding { .. } | Self::Accepted { .. },
                Input::Wake | Input::TransportFailed,
            )
            | (Self::Completed { .. }, Input::Wake | Input::Provisional | Input::Success)
            | (Self::Accepted { .. }, Input::Provisional | Input::Failure)
            | (Self::Terminated, _) => (self, Action::Nothing),
        }
    }
}

/// Timers A and B (RFC 3261 §17.1.1.2).
fn calling_wakes(resend: Option<Resend>, give_up_at: Time, now: Time) -> (ClientInvite, Action) {
    if give_up_at <= now {
        return (ClientInvite::Terminated, Action::TimeOut);
    }
    match resend {
        Some(due) if due.at <= now => {
            let resend = Some(due.doubled(now));
            (ClientInvite::Calling { resend, give_up_at }, Action::Resend)
        }
        Some(_) | None => (
            ClientInvite::Calling { resend, give_up_at },
            Action::Nothing,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_secs(100);

    fn calling() -> ClientInvite {
        ClientInvite::start(NOW, Reliability::Unreliable)
    }

    fn after(seconds: u64) -> Time {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn every_state_with_every_input() {
        use ClientInvite::{Accepted, Completed, Proceeding, Terminated};
        let proceeding = Proceeding {
            give_up_at: after(10 * 60),
        };
        let completed = Completed { until: after(32) };
        let accepted = Accepted { until: after(32) };
        let table = [
            (calling(), Input::Wake, calling(), Action::Nothing),
            (calling(), Input::Provisional, proceeding, Action::Deliver),
            (calling(), Input::Success, accepted, Action::Deliver),
            (
                calling(),
                Input::Failure,
                completed,
                Action::AcknowledgeAndDeliver,
            ),
            (
                calling(),
                Input::TransportFailed,
                Terminated,
                Action::Unreachable,
            ),
            (proceeding, Input::Wake, proceeding, Action::Nothing),
            (proceeding, Input::Provisional, proceeding, Action::Deliver),
            (proceeding, Input::Success, accepted, Action::Deliver),
            (
                proceeding,
                Input::Failure,
                completed,
                Action::AcknowledgeAndDeliver,
            ),
            (
                proceeding,
                Input::TransportFailed,
                proceeding,
                Action::Nothing,
            ),
            (completed, Input::Wake, completed, Action::Nothing),
            (completed, Input::Provisional, completed, Action::Nothing),
            (completed, Input::Success, completed, Action::Nothing),
            (completed, Input::Failure, completed, Action::Resend),
            (
                completed,
                Input::TransportFailed,
                Terminated,
                Action::Nothing,
            ),
            (accepted, Input::Wake, accepted, Action::Nothing),
            (accepted, Input::Provisional, accepted, Action::Nothing),
            (accepted, Input::Success, accepted, Action::Deliver),
            (accepted, Input::Failure, accepted, Action::Nothing),
            (accepted, Input::TransportFailed, accepted, Action::Nothing),
            (Terminated, Input::Success, Terminated, Action::Nothing),
        ];
        for (state, input, next, action) in table {
            let got = state.step(input, NOW, Reliability::Unreliable);
            assert_eq!(got, (next, action), "{state:?} {input:?}");
        }
    }

    #[test]
    fn resends_at_doubling_pauses_and_gives_up_after_64_t1() {
        let mut state = calling();
        let mut sent = Vec::new();
        loop {
            let due = state.deadline().unwrap();
            let (next, action) = state.step(Input::Wake, due, Reliability::Unreliable);
            state = next;
            match action {
                Action::Resend => sent.push((due - NOW).as_millis()),
                Action::TimeOut => break assert_eq!(due, after(32)),
                Action::Nothing
                | Action::Deliver
                | Action::AcknowledgeAndDeliver
                | Action::CancelAndTimeOut
                | Action::Unreachable => panic!("{action:?}"),
            }
        }
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(state.deadline(), None);
    }

    #[test]
    fn lingering_states_end_at_their_timer() {
        for state in [
            ClientInvite::Completed { until: after(32) },
            ClientInvite::Accepted { until: after(32) },
        ] {
            let got = state.step(Input::Wake, after(32), Reliability::Unreliable);
            assert_eq!(got, (ClientInvite::Terminated, Action::Nothing));
        }
        let silent = ClientInvite::Proceeding {
            give_up_at: after(10 * 60),
        };
        let got = silent.step(Input::Wake, after(10 * 60), Reliability::Unreliable);
        assert_eq!(got, (ClientInvite::Terminated, Action::CancelAndTimeOut));
    }

    #[test]
    fn a_stream_sends_once_and_does_not_linger_after_failure() {
        let state = ClientInvite::start(NOW, Reliability::Reliable);
        assert_eq!(state.deadline(), Some(after(32)));
        let (state, _) = state.step(Input::Failure, NOW, Reliability::Reliable);
        assert_eq!(state.deadline(), Some(NOW));
    }
}
