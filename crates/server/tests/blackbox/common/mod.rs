//! What the tests stand on: the built program, phones and carriers (sipp, baresip), a webhook
//! receiver, an HTTP client, and the wire contract as a checker.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod baresip;
pub(crate) mod contract;
pub(crate) mod http;
pub(crate) mod instant;
pub(crate) mod mail;
pub(crate) mod paths;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod server;
pub(crate) mod sipp;
pub(crate) mod stage;
pub(crate) mod trace;
pub(crate) mod wave;

use std::thread;
use std::time::{Duration, Instant};

/// How often something awaited is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until `look` finds something; fails the test with `what` after `deadline`.
pub(crate) fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            begun.elapsed() < deadline,
            "waited {deadline:?} in vain for {what}"
        );
        thread::sleep(LOOK_AGAIN);
    }
}
