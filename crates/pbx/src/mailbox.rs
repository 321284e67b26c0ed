//! Mailboxes as call control knows them: how many messages each holds, and what their users ask for by
//! phone. What lies in them is kept by the server, which tells every change.

use std::collections::BTreeMap;
use std::sync::Arc;

use clock::Time;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::effect::Effect;
use crate::hash;
use crate::ids::{AccountId, CallId};
use crate::question::QuestionId;
use crate::recording::RecordingId;
use crate::turn::Turn;

/// Messages that a mailbox shows by phone, and the most that an account may allow.
pub const MAX_MESSAGES: usize = 1_000;
/// Digits of a PIN.
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 4..=8;

/// What is kept of the PIN of a mailbox.
pub fn pin_hash(number: &str, pin: &str) -> [u8; 32] {
    hash::sha256(&format!("{number}:{pin}"))
}

/// How many messages a mailbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxCounts {
    /// Those that nobody has heard.
    pub new: u32,
    /// Those that were heard and are kept.
    pub saved: u32,
}

impl MailboxCounts {
    /// How many there are in all.
    pub const fn all(self) -> u32 {
        self.new.saturating_add(self.saved)
    }
}

/// What a user says to callers in own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// For when the user is not there.
    Unavailable,
    /// For when the user is on the phone.
    Busy,
    /// The name alone.
    Name,
}

impl Greeting {
    /// The sound of the account that it is kept as.
    pub fn sound_name(self, mailbox: &str) -> String {
        let greeting = match self {
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Name => "name",
        };
        format!("greeting-{mailbox}-{greeting}")
    }
}

/// Where a message stands that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Nobody has heard it.
    New,
    /// It was heard, and is kept.
    Saved,
    /// Nothing of it is to be left.
    Erased,
}

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its recording.
    pub recording: RecordingId,
    /// Where it stands.
    pub state: MessageState,
    /// When it was left.
    pub at: Time,
    /// The caller's number, as in rows.
    pub caller_id: Option<String>,
    /// How long it is.
    pub seconds: u32,
}

/// What a call asks of a mailbox.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxQuestion {
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// Comes back with the answer.
    pub id: QuestionId,
    /// The internal number of the mailbox's user.
    pub mailbox: Arc<str>,
    /// What is asked.
    pub asks: MailboxAsk,
}

impl std::fmt::Debug for MailboxQuestion {
    /// Without what is asked, which may hold a PIN.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { call, id, .. } = self;
        write!(formatter, "MailboxQuestion({call} {id:?})")
    }
}

/// What can be asked of a mailbox.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxAsk {
    /// To be let in.
    Open {
        /// Who asks.
        by: AskedBy,
        /// What the caller keyed in.
        pin: Option<String>,
    },
    /// To have another PIN from now on.
    ChangePin {
        /// The new one.
        pin: String,
    },
    /// To have a recording of this call as a greeting.
    KeepGreeting {
        /// Which greeting.
        greeting: Greeting,
        /// The recording.
        recording: RecordingId,
    },
    /// To have a greeting of ours again.
    DropGreeting {
        /// Which greeting.
        greeting: Greeting,
    },
}

/// Who wants to be let into a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    /// A phone of the mailbox's user.
    Own,
    /// Anybody else.
    Other,
}

/// What a mailbox answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxTold {
    /// Its messages, new ones first, of each kind the oldest first.
    Opened(Vec<Message>),
    /// The PIN is to be keyed in.
    PinNeeded,
    /// That was not the PIN.
    PinWrong,
    /// There were too many wrong ones; for a while nobody is let in.
    Locked,
    /// It was done.
    Done,
}

impl Core {
    /// Asks a mailbox, instead of what was asked before.
    pub(crate) fn ask_mailbox(&mut self, mailbox: Arc<str>, asks: MailboxAsk, turn: &mut Turn<'_>) {
        let question = MailboxQuestion {
            account: turn.account,
            call: self.id,
            id: self.questions.begin(),
            mailbox,
            asks,
        };
        turn.push(Effect::AskMailbox(Box::new(question)));
    }
}

/// The mailboxes of an account that hold something, by internal number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailboxes(BTreeMap<Arc<str>, MailboxCounts>);

impl Mailboxes {
    pub(crate) fn set(&mut self, user: Arc<str>, counts: MailboxCounts) {
        if counts == MailboxCounts::default() {
            self.0.remove(&user);
        } else {
            self.0.insert(user, counts);
        }
    }

    pub(crate) fn counts(&self, user: &str) -> MailboxCounts {
        self.0.get(user).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_mailbox_is_not_remembered() {
        let mut mailboxes = Mailboxes::default();
        let counts = MailboxCounts { new: 2, saved: 1 };
        mailboxes.set("1010".into(), counts);
        assert_eq!((mailboxes.counts("1010"), counts.all()), (counts, 3));
        assert_eq!(mailboxes.counts("1011"), MailboxCounts::default());
        mailboxes.set("1010".into(), MailboxCounts::default());
        assert!(mailboxes.0.is_empty());
    }
}
