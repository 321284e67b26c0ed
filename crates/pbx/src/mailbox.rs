//! Mailboxes as call control knows them: how many messages each holds. What lies in them is kept by
//! the server, which tells every change.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
