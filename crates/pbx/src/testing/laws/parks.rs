//! Parked calls, as the effects have them.

use std::time::Duration;

use clock::Time;

use super::{Verdict, law};
use crate::account::Account;
use crate::ids::LegId;
use crate::objects::MAX_PARK_SECONDS;

/// Who waits in a slot hears music, and not for ever.
pub(super) fn settled(
    account: &Account,
    now: Time,
    hears_music: impl Fn(LegId) -> bool,
) -> Verdict {
    for (slot, call, leg) in account.parked() {
        law(hears_music(leg), || {
            format!("call {call} hears no music in slot {slot}")
        })?;
    }
    let longest = Duration::from_secs(MAX_PARK_SECONDS.into());
    let deadline = account.deadline();
    let is_woken = deadline.is_some_and(|deadline| deadline <= now + longest);
    law(account.parked().next().is_none() || is_woken, || {
        "nobody looks after a parked call".to_owned()
    })
}
