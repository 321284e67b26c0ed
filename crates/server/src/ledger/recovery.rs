//! What a crash left: open calls are closed at the node's last sign of life, through the same fold
//! and outbox as any other event, before the first socket is opened.

use clock::Time;
use pbx::cdr::Fold;
use store::{Batch, StoreError, Writer};

use super::outgoing::Outgoing;
use crate::account::Seal;
use crate::directory::Directory;

/// What was found.
#[derive(Debug)]
pub struct Recovered {
    /// The fold to go on with.
    pub fold: Fold,
    /// Calls that died with the process before.
    pub lost_calls: usize,
    /// The earliest instant that new ids and events may carry.
    pub not_before: Time,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the calls of before cannot be recovered")]
pub struct RecoveryError(#[from] StoreError);

/// Closes the calls that died with the process before.
pub fn recover(
    writer: &mut Writer,
    directory: &Directory,
    seal: &Seal,
) -> Result<Recovered, RecoveryError> {
    let mut fold = Fold::new();
    let open = writer.open_call_events()?;
    let last_event = open.iter().map(|event| event.at).max();
    for event in &open {
        // Their rows and deliveries were committed with them.
        fold.apply(event);
    }
    // A stored event is a sign of life as well, and no call may end before it began.
    let died_at = writer
        .last_heartbeat()?
        .into_iter()
        .chain(last_event)
        .max()
        .unwrap_or(Time::ZERO);
    let lost_calls = fold.open_calls().count();
    let outgoing = Outgoing { directory, seal };
    let mut batch = Batch::default();
    for event in fold.close_lost(died_at) {
        outgoing.fold_in(&mut fold, &mut batch, event);
    }
    // Nobody delivers yet: the outbox is read when delivery starts.
    writer.commit(&batch)?;
    let last_second = writer.last_call_id()?.map(pbx::CallId::second);
    let behind_ids = last_second.map_or(Time::ZERO, |second| Time::from_secs(second + 1));
    Ok(Recovered {
        fold,
        lost_calls,
        not_before: behind_ids.max(died_at),
    })
}
