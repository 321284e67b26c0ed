//! The INVITE server transaction: RFC 3261 §17.2.1 with RFC 6026 §7.1.

use clock::Time;

use super::{LIFETIME, Reliability, Resend, T4, TRYING_AFTER, earliest, lingering_until};

/// Where an INVITE that we received stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerInvite {
    /// RFC 3261's Proceeding before any answer: 100 is due.
    Trying { trying_at: Time },
    /// A provisional answer was sent and is stored.
    Proceeding,
    /// A final answer of 300 or more was sent and is stored. Timers G and H.
    Completed {
        resend: Option<Resend>,
        give_up_at: Time,
    },
    /// Its ACK came; more may come. Timer I.
    Confirmed { until: Time },
    /// A 2xx was sent, by the user of the transaction, who also repeats it. Timer L of RFC 6026.
    Accepted { until: Time },
    /// Over: the owner drops it.
    Terminated,
}

/// What an INVITE server transaction hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The deadline has come.
    Wake,
    /// The INVITE came again.
    Request,
    /// An ACK with the INVITE's own branch came.
    Ack,
    /// The user of the transaction answers with 1xx.
    Provisional,
    /// The user of the transaction answers with 2xx.
    Success,
    /// The user of the transaction answers with 300 or more.
    Failure,
}

/// What the owner of the transaction must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Build 100 Trying, store it, send it.
    SendTrying,
    /// Store the answer that was handed in and send it.
    StoreAndSend,
    /// Send the answer that was handed in; store nothing.
    Send,
    /// Send the stored answer again.
    Resend,
    /// Give the ACK to the user of the transaction.
    DeliverAck,
}

impl ServerInvite {
    /// The transaction of an INVITE that has just come.
    pub(crate) fn start(now: Time) -> Self {
        Self::Trying {
            trying_at: now + TRYING_AFTER,
        }
    }

    /// The instant of the next [`Input::Wake`]. A proceeding INVITE has none: its user answers.
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::Trying { trying_at } => Some(trying_at),
            Self::Completed { resend, give_up_at } => Some(earliest(resend, give_up_at)),
            Self::Confirmed { until } | Self::Accepted { until } => Some(until),
            Self::Proceeding | Self::Terminated => None,
        }
    }

    /// One step of the machine.
    pub(crate) fn step(self, input: Input, now: Time, reliability: Reliability) -> (Self, Action) {
        match (self, input) {
            // RFC 3261 §17.2.1: 100 after 200 ms; at once when the caller already repeats.
            (Self::Trying { trying_at }, Input::Wake) if trying_at <= now => {
                (Self::Proceeding, Action::SendTrying)
            }
            (Self::Trying { .. }, Input::Request) => (Self::Proceeding, Action::SendTrying),
            (Self::Trying { .. } | Self::Proceeding, Input::Provisional) => {
                (Self::Proceeding, Action::StoreAndSend)
            }
            // RFC 6026 §7.1: 2xx leads to Accepted, where repeated INVITEs are absorbed.
            (Self::Trying { .. } | Self::Proceeding, Input::Success) => (
                Self::Accepted {
                    until: lingering_until(now + LIFETIME),
                },
                Action::Send,
            ),
            (Self::Trying { .. } | Self::Proceeding, Input::Failure) => {
                let resend = reliability.resend(now);
                (
                    Self::Completed {
                        resend,
                        give_up_at: now + LIFETIME,
                    },
                    Action::StoreAndSend,
                )
            }
            // RFC 3261 §17.2.1: a repeated INVITE gets the last answer again.
            (Self::Proceeding | Self::Completed { .. }, Input::Request) => (self, Action::Resend),
            (Self::Completed { resend, give_up_at }, Input::Wake) => {
                completed_wakes(resend, give_up_at, now)
            }
            // RFC 3261 §17.2.1: the ACK ends the repetitions; timer I absorbs further ones.
            (Self::Completed { .. }, Input::Ack) => (
                Self::Confirmed {
                    until: reliability.linger(now, T4),
                },
                Action::Nothing,
            ),
            // RFC 6026 §7.1: an ACK for the 2xx may carry the INVITE's branch (RFC 2543).
            (Self::Accepted { .. }, Input::Ack) => (self, Action::DeliverAck),
            // RFC 6026 §7.1: the user repeats its 2xx through the transaction.
            (Self::Accepted { .. }, Input::Success) => (self, Action::Send),
            // Timers I and L.
            (Self::Confirmed { until } | Self::Accepted { until }, Input::Wake) if until <= now => {
                (Self::Terminated, Action::Nothing)
            }
            (Self::Trying { .. } | Self::Proceeding, Input::Wake | Input::Ack)
            | (
                Self::Completed { .. } | Self::Confirmed { .. },
                Input::Provisional | Input::Success | Input::Failure,
            )
            | (Self::Confirmed { .. }, Input::Wake | Input::Request | Input::Ack)
            | (
                Self::Accepted { .. },
                Input::Wake | Input::Request | Input::Provisional | Input::Failure,
            )
            | (Self::Terminated, _) => (self, Action::Nothing),
        }
    }
}

/// Timers G and H (RFC 3261 §17.2.1).
fn completed_wakes(resend: Option<Resend>, give_up_at: Time, now: Time) -> (ServerInvite, Action) {
    if give_up_at <= now {
        return (ServerInvite::Terminated, Action::Nothing);
    }
    match resend {
        Some(due) if due.at <= now => {
            let resend = Some(due.doubled_to_t2(now));
            (
                ServerInvite::Completed { resend, give_up_at },
                Action::Resend,
            )
        }
        Some(_) | None => (
            ServerInvite::Completed { resend, give_up_at },
            Action::Nothing,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_secs(100);

    fn after(seconds: u64) -> Time {
        NOW + Duration::from_secs(seconds)
    }

    fn completed() -> ServerInvite {
        let resend = Reliability::Unreliable.resend(NOW);
        ServerInvite::Completed {
            resend,
            give_up_at: after(32),
        }
    }

    #[test]
    fn every_state_with_every_input() {
        use ServerInvite::{Accepted, Confirmed, Proceeding, Terminated};
        let trying = ServerInvite::start(NOW);
        let confirmed = Confirmed { until: after(5) };
        let accepted = Accepted { until: after(32) };
        let table = [
            (trying, Input::Wake, trying, Action::Nothing),
            (trying, Input::Request, Proceeding, Action::SendTrying),
            (trying, Input::Ack, trying, Action::Nothing),
            (trying, Input::Provisional, Proceeding, Action::StoreAndSend),
            (trying, Input::Success, accepted, Action::Send),
            (trying, Input::Failure, completed(), Action::StoreAndSend),
            (Proceeding, Input::Wake, Proceeding, Action::Nothing),
            (Proceeding, Input::Request, Proceeding, Action::Resend),
            (Proceeding, Input::Ack, Proceeding, Action::Nothing),
            (
                Proceeding,
                Input::Provisional,
                Proceeding,
                Action::StoreAndSend,
            ),
            (Proceeding, Input::Success, accepted, Action::Send),
            (
                Proceeding,
                Input::Failure,
                completed(),
                Action::StoreAndSend,
            ),
            (completed(), Input::Wake, completed(), Action::Nothing),
            (completed(), Input::Request, completed(), Action::Resend),
            (completed(), Input::Ack, confirmed, Action::Nothing),
            (
                completed(),
                Input::Provisional,
                completed(),
                Action::Nothing,
            ),
            (completed(), Input::Success, completed(), Action::Nothing),
            (completed(), Input::Failure, completed(), Action::Nothing),
            (confirmed, Input::Wake, confirmed, Action::Nothing),
            (confirmed, Input::Request, confirmed, Action::Nothing),
            (confirmed, Input::Ack, confirmed, Action::Nothing),
            (confirmed, Input::Failure, confirmed, Action::Nothing),
            (accepted, Input::Wake, accepted, Action::Nothing),
            (accepted, Input::Request, accepted, Action::Nothing),
            (accepted, Input::Ack, accepted, Action::DeliverAck),
            (accepted, Input::Success, accepted, Action::Send),
            (accepted, Input::Failure, accepted, Action::Nothing),
            (Terminated, Input::Request, Terminated, Action::Nothing),
        ];
        for (state, input, next, action) in table {
            let got = state.step(input, NOW, Reliability::Unreliable);
            assert_eq!(got, (next, action), "{state:?} {input:?}");
        }
    }

    #[test]
    fn trying_is_sent_after_200_ms() {
        let state = ServerInvite::start(NOW);
        let due = state.deadline().unwrap();
        assert_eq!((due - NOW).as_millis(), 200);
        let got = state.step(Input::Wake, due, Reliability::Unreliable);
        assert_eq!(got, (ServerInvite::Proceeding, Action::SendTrying));
    }

    #[test]
    fn a_refusal_is_repeated_until_timer_h() {
        let mut state = completed();
        let mut sent = Vec::new();
        while let Some(due) = state.deadline() {
            let (next, action) = state.step(Input::Wake, due, Reliability::Unreliable);
            state = next;
            if action == Action::Resend {
                sent.push((due - NOW).as_millis());
            }
        }
        assert_eq!(
            sent,
            [
                500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
            ]
        );
    }

    #[test]
    fn lingering_states_end_at_their_timer() {
        for state in [
            ServerInvite::Confirmed { until: after(5) },
            ServerInvite::Accepted { until: after(5) },
        ] {
            let got = state.step(Input::Wake, after(5), Reliability::Unreliable);
            assert_eq!(got, (ServerInvite::Terminated, Action::Nothing));
        }
    }

    #[test]
    fn a_stream_neither_repeats_nor_lingers() {
        let state = ServerInvite::start(NOW);
        let (state, _) = state.step(Input::Failure, NOW, Reliability::Reliable);
        assert_eq!(state.deadline(), Some(after(32)));
        let (state, _) = state.step(Input::Ack, NOW, Reliability::Reliable);
        assert_eq!(state.deadline(), Some(NOW));
    }
}
