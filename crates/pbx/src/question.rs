//! Questions of a call to an address outside, and what comes back. A call asks and waits; it
//! never holds a connection.

use std::fmt;
use std::time::Duration;

use clock::Time;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::effect::Effect;
use crate::event::Component;
use crate::ids::{AccountId, CallId};
use crate::mailbox::MailboxTold;
use crate::turn::Turn;

/// Which of a call's questions it is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct QuestionId(pub u32);

/// Which way the call goes, asked of an address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// Comes back with the answer.
    pub id: QuestionId,
    /// The object that asks, and whom.
    pub asks: Component,
    /// An answer that takes longer is none.
    pub patience: Duration,
    /// E.164 digits without `+`, or an internal number, as shown.
    pub caller_id: Option<String>,
    /// The caller's name as shown.
    pub caller_name: Option<String>,
    /// What the caller dialled.
    pub dest_number: String,
    /// When the call arrived.
    pub arrived_at: Time,
}

impl fmt::Debug for Question {
    /// Without the token, the numbers and the names.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, id, asks, .. } = self;
        write!(formatter, "Question({call} {id:?} {asks:?})")
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// An answer that can be read.
    Way {
        /// The exit it names, which the object may not have.
        exit: String,
        /// How the caller is to be shown.
        caller_name: Option<String>,
    },
    /// What a mailbox says.
    Mailbox(MailboxTold),
    /// None in time.
    TimedOut,
    /// None, or one that cannot be read.
    Nothing,
}

/// The one question of a call that may be open.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    last: QuestionId,
    open: bool,
    told: Option<Told>,
}

impl Questions {
    /// Another question is open, and none that was before.
    pub(crate) fn begin(&mut self) -> QuestionId {
        self.last = QuestionId(self.last.0.wrapping_add(1));
        self.open = true;
        self.told = None;
        self.last
    }
}

impl Core {
    /// Asks, instead of what was asked before.
    pub(crate) fn ask(&mut self, asks: Component, patience: Duration, turn: &mut Turn<'_>) {
        let id = self.questions.begin();
        let question = Question {
            account: turn.account,
            call: self.id,
            id,
            asks,
            patience,
            caller_id: self.shown_identity().digits(),
            caller_name: self.caller.name.clone(),
            dest_number: self.destination.digits(),
            arrived_at: self.started_at,
        };
        turn.push(Effect::Ask(Box::new(question)));
    }

    /// Whether an answer is the one that is waited for; keeps it for the object.
    pub(crate) fn told(&mut self, question: QuestionId, told: Told) -> bool {
        let is_it = self.questions.open && self.questions.last == question;
        if is_it {
            self.questions.open = false;
            self.questions.told = Some(told);
        }
        is_it
    }

    /// What was told last, once.
    pub(crate) fn take_told(&mut self) -> Option<Told> {
        self.questions.told.take()
    }

    /// Nobody waits for an answer any more.
    pub(crate) fn forget_question(&mut self) {
        self.questions.open = false;
        self.questions.told = None;
    }
}
