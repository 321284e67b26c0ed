//! What made the node take a step, as far as the rules want to know.

use media::PathId;
use pbx::Origination;
use sip::{Framing, Message, Method};

use crate::party::{PartyId, call_id_of};

/// What made the node take a step.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// A message.
    Message {
        from: Option<PartyId>,
        method: Method,
        /// Of an answer.
        code: Option<u16>,
        call_id: String,
    },
    /// A program asked for a call.
    Asked(Origination),
    /// A media path has reported.
    Closed(PathId),
    /// Anything else.
    Other,
}

impl Cause {
    /// The cause that a message is.
    pub(crate) fn of_message(from: Option<PartyId>, bytes: &[u8]) -> Self {
        match Message::parse(bytes, Framing::Datagram) {
            Ok(message) => Self::Message {
                from,
                method: message.method(),
                code: message.status_line().map(|line| line.code),
                call_id: call_id_of(bytes),
            },
            Err(_) => Self::Other,
        }
    }

    /// The party that calls and its Call-ID, if it is an INVITE.
    pub(crate) fn caller(&self) -> Option<(PartyId, &str)> {
        match self {
            Self::Message {
                from: Some(from),
                method: Method::Invite,
                code: None,
                call_id,
            } => Some((*from, call_id)),
            Self::Message { .. } | Self::Asked(_) | Self::Closed(_) | Self::Other => None,
        }
    }

    /// Whether somebody pressed a key.
    pub(crate) fn is_key(&self) -> bool {
        matches!(
            self,
            Self::Message {
                method: Method::Info,
                code: None,
                ..
            }
        )
    }

    /// Whether somebody asked that a call be handed on.
    pub(crate) fn is_transfer(&self) -> bool {
        matches!(
            self,
            Self::Message {
                method: Method::Refer,
                code: None,
                ..
            }
        )
    }

    /// Whether somebody accepted a call.
    pub(crate) fn is_acceptance(&self) -> bool {
        matches!(
            self,
            Self::Message {
                method: Method::Invite,
                code: Some(200..300),
                ..
            }
        )
    }
}
