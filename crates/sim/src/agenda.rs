//! What is going to happen, in the order of time; of two things at one instant, the one that was
//! put down first.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clock::Time;
use media::MediaEvent;
use pbx::{AccountId, CallId, Origination, QuestionId, Told};
use sip::{Destination, FlowId};

use crate::network::Packet;
use crate::party::{Act, PartyId};
use crate::world::Intervention;

/// One thing that is going to happen.
pub(crate) enum Happening {
    /// A message arrives.
    Arrives(Packet),
    /// A party does something.
    Acts(PartyId, Act),
    /// A connection is closed, as the node sees it.
    NodeFlowClosed(FlowId),
    /// A connection is closed, as the party sees it.
    PartyFlowClosed(PartyId, FlowId),
    /// The node's message could not be sent.
    NodeSendFailed(Destination),
    /// The media threads have news.
    Media(MediaEvent),
    /// DNS answers.
    Resolved {
        token: u64,
        addresses: Vec<SocketAddr>,
        valid: Duration,
    },
    /// An address has answered a call's question.
    Told {
        account: AccountId,
        call: CallId,
        question: QuestionId,
        told: Told,
    },
    /// A program asks for a call.
    Asks(AccountId, Origination),
    /// The operator does something.
    Operator(Intervention),
    /// Everybody who talks is listened to: does the audio go where it should?
    Listen,
}

/// The list.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Time, u64), Happening>,
    written: u64,
}

impl Agenda {
    /// Puts something down.
    pub(crate) fn add(&mut self, at: Time, happening: Happening) {
        self.written += 1;
        self.entries.insert((at, self.written), happening);
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next thing, if it happens by `now`.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Happening> {
        if self.next_at()? > now {
            return None;
        }
        self.entries.pop_first().map(|(_, happening)| happening)
    }
}
