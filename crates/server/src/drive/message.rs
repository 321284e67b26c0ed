//! What other threads tell the loop.

use std::sync::Arc;
use std::time::Duration;

use pbx::{
    AccountId, AgentChange, CallId, Origination, Presence, QuestionId, QueueView, Told, Unplaced,
};
use sip::{Destination, FlowId, Source};
use store::MailboxFill;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::accounts::Account;

/// What other threads tell the loop.
#[derive(Debug)]
pub enum Message {
    /// A whole message came over a stream.
    Packet {
        /// Where from.
        source: Source,
        /// The message.
        bytes: Vec<u8>,
        /// Given back when the message has been worked off: a stream gets only so many turns.
        turn: OwnedSemaphorePermit,
    },
    /// A stream is closed.
    FlowClosed(FlowId),
    /// A stream could not be opened or written to.
    SendFailed(Destination),
    /// The media threads have news: it lies in their own queue.
    MediaNews,
    /// DNS answered.
    Resolved {
        /// The engine's token.
        token: u64,
        /// Addresses, best first; none when there are none.
        addresses: Vec<std::net::SocketAddr>,
        /// How long that holds.
        valid: Duration,
    },
    /// What a call has asked has an answer.
    Told {
        /// Of which account.
        account: AccountId,
        /// The call.
        call: CallId,
        /// Its question.
        question: QuestionId,
        /// What came back.
        told: Told,
    },
    /// A plan is in force from now on. The draft is what it was made from, for the record of inputs.
    /// What stood before is taken in with it, so that no call comes between.
    Apply(Account),
    /// So much lies in a mailbox now.
    Mailbox(MailboxFill),
    /// Sounds of an account have changed.
    SoundsChanged(AccountId),
    /// An account is no more.
    Remove(AccountId),
    /// A program asks for a call.
    Originate(Asked),
    /// A program asks how the queues of an account are.
    Queues {
        /// Of which account.
        account: AccountId,
        /// Told at once.
        reply: oneshot::Sender<Vec<QueueView>>,
    },
    /// A program has an agent log in or out, go away or come back.
    Presence(PresenceAsked),
    /// Take no new calls, wait for those in progress, then stop.
    Stop {
        /// The longest wait; calls that are left are hung up.
        drain: Duration,
    },
}

/// A program asks for a call and waits.
#[derive(Debug)]
pub struct Asked {
    /// Of which account.
    pub account: AccountId,
    /// For what.
    pub what: Origination,
    /// Told at once which call was begun, or why none was.
    pub reply: oneshot::Sender<Result<CallId, Unplaced>>,
}

/// A program has an agent log in or out, go away or come back, and waits.
#[derive(Debug)]
pub struct PresenceAsked {
    /// Of which account.
    pub account: AccountId,
    /// The user's internal number.
    pub user: Arc<str>,
    /// What changes.
    pub change: AgentChange,
    /// Told what has become of it, once that is committed.
    pub reply: oneshot::Sender<Presence>,
}
