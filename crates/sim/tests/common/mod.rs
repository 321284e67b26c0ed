//! Words that the tests of the simulator share.

use std::time::Duration;

use sim::{Call, Reception, Talk};

/// A time.
pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A time.
pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A call that is hung up by the caller three seconds after its answer.
pub(crate) fn call(dialled: &str) -> Call {
    Call {
        dialled: dialled.to_owned(),
        caller: None,
        patience: secs(60),
        talk: Talk {
            hangs_up_after: Some(secs(3)),
            ..Talk::default()
        },
    }
}

/// A call of a stranger to the main number.
pub(crate) fn from_outside() -> Call {
    Call {
        caller: Some("+61300000000".to_owned()),
        ..call("61298765432")
    }
}

/// Answers after a while, and talks until the other side hangs up.
pub(crate) fn answers(after: Duration) -> Reception {
    Reception::answers(after, Talk::default())
}
