//! The server transaction of every request but INVITE and ACK: RFC 3261 §17.2.2.

use clock::Time;

use super::{LIFETIME, Reliability};

/// Where a request that we received stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// Not answered yet. After timer F the client has given up, so nobody needs an answer.
    Trying { give_up_at: Time },
    /// The final answer was sent and is stored. Timer J.
    Completed { until: Time },
    /// Over: the owner drops it.
    Terminated,
}

/// What a server transaction hears. It never answers provisionally: RFC 4320 §4.1 bans all but 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The deadline has come.
    Wake,
    /// The request came again.
    Request,
    /// The user of the transaction gives the final answer.
    Final,
}

/// What the owner of the transaction must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// Store the answer that was handed in and send it.
    StoreAndSend,
    /// Send the stored answer again.
    Resend,
}

impl Server {
    /// The transaction of a request that has just come.
    pub(crate) fn start(now: Time) -> Self {
        Self::Trying {
            give_up_at: now + LIFETIME,
        }
    }

    /// The instant of the next [`Input::Wake`].
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::Trying { give_up_at } => Some(give_up_at),
            Self::Completed { until } => Some(until),
            Self::Terminated => None,
        }
    }

    /// One step of the machine.
    pub(crate) fn step(self, input: Input, now: Time, reliability: Reliability) -> (Self, Action) {
        match (self, input) {
            (Self::Trying { .. }, Input::Final) => (
                Self::Completed {
                    until: reliability.linger(now, LIFETIME),
                },
                Action::StoreAndSend,
            ),
            // RFC 3261 §17.2.2: a repeated request gets the same final answer.
            (Self::Completed { .. }, Input::Request) => (self, Action::Resend),
            (Self::Trying { give_up_at: end } | Self::Completed { until: end }, Input::Wake)
                if end <= now =>
            {
                (Self::Terminated, Action::Nothing)
            }
            // Further answers are discarded (§17.2.2), repetitions before the answer absorbed.
            (Self::Trying { .. }, Input::Wake | Input::Request)
            | (Self::Completed { .. }, Input::Wake | Input::Final)
            | (Self::Terminated, _) => (self, Action::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(100);

    #[test]
    fn every_state_with_every_input() {
        let trying = Server::start(NOW);
        let completed = Server::Completed {
            until: NOW + LIFETIME,
        };
        let table = [
            (trying, Input::Wake, trying, Action::Nothing),
            (trying, Input::Request, trying, Action::Nothing),
            (trying, Input::Final, completed, Action::StoreAndSend),
            (completed, Input::Wake, completed, Action::Nothing),
            (completed, Input::Request, completed, Action::Resend),
            (completed, Input::Final, completed, Action::Nothing),
            (
                Server::Terminated,
                Input::Request,
                Server::Terminated,
                Action::Nothing,
            ),
        ];
        for (state, input, next, action) in table {
            let got = state.step(input, NOW, Reliability::Unreliable);
            assert_eq!(got, (next, action), "{state:?} {input:?}");
        }
    }

    #[test]
    fn both_states_end_at_their_timer() {
        for state in [
            Server::start(NOW),
            Server::Completed {
                until: NOW + LIFETIME,
            },
        ] {
            let due = state.deadline().unwrap();
            let got = state.step(Input::Wake, due, Reliability::Unreliable);
            assert_eq!(got, (Server::Terminated, Action::Nothing));
        }
    }

    #[test]
    fn a_stream_needs_no_repetition() {
        let (state, _) = Server::start(NOW).step(Input::Final, NOW, Reliability::Reliable);
        assert_eq!(state.deadline(), Some(NOW));
    }
}
