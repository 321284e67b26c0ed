//! Mailboxes as the store knows them: who may open one, and how much lies in each. The messages
//! themselves are recordings.

use clock::Time;
use pbx::{AccountId, MailboxCounts};

/// What a mailbox knows of its PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxRow {
    /// Whose account.
    pub account: AccountId,
    /// The internal number of its user.
    pub number: String,
    /// What is kept of the PIN that was set by phone.
    pub pin: Option<PhonePin>,
    /// PINs that were wrong, one after the other.
    pub wrong: u32,
    /// Nobody is let in before.
    pub locked_until: Time,
}

/// A PIN that was set by phone. It counts as long as the document says what it said then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhonePin {
    /// Its hash.
    pub hash: [u8; 32],
    /// The hash of the document's.
    pub instead_of: Option<[u8; 32]>,
}

/// How much lies in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxFill {
    /// Whose account.
    pub account: AccountId,
    /// The internal number of its user.
    pub number: String,
    /// How many messages.
    pub counts: MailboxCounts,
}
