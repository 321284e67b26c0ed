//! The client transaction of every request but INVITE and ACK: RFC 3261 §17.1.2.

use clock::Time;

use super::{LIFETIME, Reliability, Resend, T2, T4, earliest};

/// Where a request that we sent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Nothing has come back. Timers E and F.
    Trying {
        resend: Option<Resend>,
        give_up_at: Time,
    },
    /// A provisional answer came. Timers E (now every T2) and F.
    Proceeding {
        resend: Option<Resend>,
        give_up_at: Time,
    },
    /// The final answer came; repetitions are absorbed. Timer K.
    Completed { until: Time },
    /// Over: the owner drops it.
    Terminated,
}

/// What a client transaction hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The deadline has come.
    Wake,
    /// An answer of 1xx.
    Provisional,
    /// An answer of 200 or more.
    Final,
    /// The transport could not send.
    TransportFailed,
}

/// What the owner of the transaction must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Send the stored request again.
    Resend,
    /// Give the final answer to the user of the transaction.
    Deliver,
    /// Tell the user of the transaction that no answer came.
    TimeOut,
    /// Tell the user of the transaction that the transport failed.
    Unreachable,
}

impl Client {
    /// The transaction whose request has just been sent (RFC 3261 §17.1.2.2).
    pub(crate) fn start(now: Time, reliability: Reliability) -> Self {
        Self::Trying {
            resend: reliability.resend(now),
            give_up_at: now + LIFETIME,
        }
    }

    /// The instant of the next [`Input::Wake`].
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::Trying { resend, give_up_at } | Self::Proceeding { resend, give_up_at } => {
                Some(earliest(resend, give_up_at))
            }
            Self::Completed { until } => Some(until),
            Self::Terminated => None,
        }
    }

    /// One step of the machine.
    pub(crate) fn step(self, input: Input, now: Time, reliability: Reliability) -> (Self, Action) {
        match (self, input) {
            // RFC 3261 §17.1.2.2: timer F in both states before the final answer.
            (
                Self::Trying { give_up_at, .. } | Self::Proceeding { give_up_at, .. },
                Input::Wake,
            ) if give_up_at <= now => (Self::Terminated, Action::TimeOut),
            // Timer E doubles up to T2 while nothing came back.
            (
                Self::Trying {
                    resend: Some(due),
                    give_up_at,
                },
                Input::Wake,
            ) if due.at <= now => {
                let resend = Some(due.doubled_to_t2(now));
                (Self::Trying { resend, give_up_at }, Action::Resend)
            }
            // Timer E is T2 once a provisional answer came: the peer may have lost it again.
            (
                Self::Proceeding {
                    resend: Some(due),
                    give_up_at,
                },
                Input::Wake,
            ) if due.at <= now => {
                let resend = Some(Resend {
                    at: now + T2,
                    pause: T2,
                });
                (Self::Proceeding { resend, give_up_at }, Action::Resend)
            }
            // The pause that runs is kept, later ones are T2.
            (Self::Trying { resend, give_up_at }, Input::Provisional) => {
                (Self::Proceeding { resend, give_up_at }, Action::Nothing)
            }
            (Self::Trying { .. } | Self::Proceeding { .. }, Input::Final) => (
                Self::Completed {
                    until: reliability.linger(now, T4),
                },
                Action::Deliver,
            ),
            // RFC 3261 §17.1.4. A peer that answered provisionally may still answer.
            (Self::Trying { .. }, Input::TransportFailed) => {
                (Self::Terminated, Action::Unreachable)
            }
            // Timer K.
            (Self::Completed { until }, Input::Wake) if until <= now => {
                (Self::Terminated, Action::Nothing)
            }
            (Self::Trying { .. } | Self::Completed { .. } | Self::Terminated, _)
            | (
                Self::Proceeding { .. },
                Input::Wake | Input::Provisional | Input::TransportFailed,
            ) => (self, Action::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_secs(100);

    fn trying() -> Client {
        Client::start(NOW, Reliability::Unreliable)
    }

    fn after(seconds: u64) -> Time {
        NOW + Duration::from_secs(seconds)
    }

    fn resends(mut state: Client) -> Vec<u128> {
        let mut sent = Vec::new();
        loop {
            let due = state.deadline().unwrap();
            let (next, action) = state.step(Input::Wake, due, Reliability::Unreliable);
            state = next;
            match action {
                Action::Resend => sent.push((due - NOW).as_millis()),
                Action::TimeOut => break assert_eq!(due, after(32)),
                Action::Nothing | Action::Deliver | Action::Unreachable => panic!("{action:?}"),
            }
        }
        sent
    }

    #[test]
    fn every_state_with_every_input() {
        use Client::{Completed, Proceeding, Terminated};
        let proceeding = Proceeding {
            resend: Reliability::Unreliable.resend(NOW),
            give_up_at: after(32),
        };
        let completed = Completed { until: after(5) };
        let table = [
            (trying(), Input::Wake, trying(), Action::Nothing),
            (trying(), Input::Provisional, proceeding, Action::Nothing),
            (trying(), Input::Final, completed, Action::Deliver),
            (
                trying(),
                Input::TransportFailed,
                Terminated,
                Action::Unreachable,
            ),
            (proceeding, Input::Wake, proceeding, Action::Nothing),
            (proceeding, Input::Provisional, proceeding, Action::Nothing),
            (proceeding, Input::Final, completed, Action::Deliver),
            (
                proceeding,
                Input::TransportFailed,
                proceeding,
                Action::Nothing,
            ),
            (completed, Input::Wake, completed, Action::Nothing),
            (completed, Input::Provisional, completed, Action::Nothing),
            (completed, Input::Final, completed, Action::Nothing),
            (
                completed,
                Input::TransportFailed,
                completed,
                Action::Nothing,
            ),
            (Terminated, Input::Final, Terminated, Action::Nothing),
        ];
        for (state, input, next, action) in table {
            let got = state.step(input, NOW, Reliability::Unreliable);
            assert_eq!(got, (next, action), "{state:?} {input:?}");
        }
    }

    #[test]
    fn timer_e_doubles_up_to_t2_until_timer_f() {
        assert_eq!(
            resends(trying()),
            [
                500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
            ]
        );
    }

    #[test]
    fn timer_e_is_t2_after_a_provisional_answer() {
        let (state, _) = trying().step(Input::Provisional, NOW, Reliability::Unreliable);
        assert_eq!(
            resends(state),
            [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]
        );
    }

    #[test]
    fn completed_lasts_t4_on_udp_and_no_time_on_a_stream() {
        let (state, _) = trying().step(Input::Final, NOW, Reliability::Unreliable);
        assert_eq!(state.deadline(), Some(after(5)));
        let (state, _) = state.step(Input::Wake, after(5), Reliability::Unreliable);
        assert_eq!(state, Client::Terminated);
        let (state, _) = trying().step(Input::Final, NOW, Reliability::Reliable);
        assert_eq!(state.deadline(), Some(NOW));
    }
}
