//! How long a trunk may say nothing at all while there is another way.
//!
//! Timer B gives up after 32 s (RFC 3261 §17.1.1.2), longer than any caller waits. A living server
//! answers an INVITE with 100 within 200 ms (§17.2.1), so four copies without any answer mean that
//! nobody is there.

use std::collections::BTreeSet;
use std::time::Duration;

use clock::Time;
use sip::DialogId;

/// INVITEs that may be without any answer.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    due: BTreeSet<(Time, DialogId)>,
}

impl Patience {
    /// An INVITE was sent.
    pub(crate) fn expect(&mut self, now: Time, dialog: DialogId) {
        self.due.insert((now + LONGEST_SILENCE, dialog));
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// One INVITE whose time has come, answered or not.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<DialogId> {
        if self.deadline()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, dialog)| dialog)
    }
}

/// The INVITE goes out at once, then after 0.5, 1.5 and 3.5 s (Timer A).
const LONGEST_SILENCE: Duration = Duration::from_secs(4);
