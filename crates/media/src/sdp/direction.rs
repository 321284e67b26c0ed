//! The way a stream flows (RFC 3264 §5.1).

/// Which way audio flows, seen from the side that says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// It sends and does not listen: the usual hold.
    SendOnly,
    /// It listens and does not send: the answer to a hold.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The direction named by an attribute, if it is one.
    pub(super) fn from_attribute(name: &[u8]) -> Option<Self> {
        match name {
            b"sendrecv" => Some(Self::SendRecv),
            b"sendonly" => Some(Self::SendOnly),
            b"recvonly" => Some(Self::RecvOnly),
            b"inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    /// The attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Whether the side that says it sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the side that says it listens.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// The flow when the speaker no longer listens, as with `c=0.0.0.0`.
    #[must_use]
    pub(super) fn without_receiving(self) -> Self {
        Self::of(self.sends(), false)
    }

    /// This answer, reduced to what the `offer` allows (RFC 3264 §6.1).
    #[must_use]
    pub(super) fn as_answer_to(self, offer: Self) -> Self {
        Self::of(
            self.sends() && offer.receives(),
            self.receives() && offer.sends(),
        )
    }

    fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    use super::*;

    #[test]
    fn names_are_read_back() {
        for direction in [SendRecv, SendOnly, RecvOnly, Inactive] {
            assert_eq!(
                Direction::from_attribute(direction.name().as_bytes()),
                Some(direction)
            );
            assert_eq!(direction.reversed().reversed(), direction);
        }
    }

    #[test]
    fn answers_stay_within_the_offer() {
        for (offer, answer, expect) in [
            (SendRecv, SendRecv, SendRecv),
            (SendRecv, RecvOnly, RecvOnly),
            (SendOnly, SendRecv, RecvOnly),
            (RecvOnly, SendRecv, SendOnly),
            (Inactive, SendRecv, Inactive),
            (SendOnly, SendOnly, Inactive),
        ] {
            assert_eq!(answer.as_answer_to(offer), expect, "{offer:?} {answer:?}");
        }
    }
}
