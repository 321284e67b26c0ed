//! From an event to what a batch writes: the event, rows, and what is owed to whom.

use std::sync::Arc;

use clock::Time;
use pbx::cdr::{Change, ComponentFacts, Fold, HookFacts, RecordingChange, RecordingNews};
use pbx::{AccountId, CallId, Endpoint, Event, Trigger};
use store::{Batch, NewDelivery, Recording, RecordingState, RecordingWrite, Tells};

use crate::account::Seal;
use crate::directory::Directory;
use crate::hooks::destination::Destination;
use crate::hooks::payload;
use crate::recordings::link;

/// What stands before the place of a webhook object where endpoints have their names.
const OBJECT: &str = "object:";

/// Who is told, and how secrets are kept meanwhile.
pub(super) struct Outgoing<'a> {
    pub(super) directory: &'a Directory,
    pub(super) seal: &'a Seal,
}

/// What is told, whatever its body says.
#[derive(Clone, Copy)]
struct Told {
    account: AccountId,
    call: CallId,
    trigger: Trigger,
    at: Time,
}

impl Told {
    fn of(facts: &HookFacts) -> Self {
        Self {
            account: facts.account,
            call: facts.call,
            trigger: facts.trigger,
            at: facts.at,
        }
    }
}

impl Outgoing<'_> {
    /// Takes one event into the fold and the batch.
    pub(super) fn fold_in(&self, fold: &mut Fold, batch: &mut Batch, mut event: Event) {
        for change in fold.apply(&event) {
            match change {
                Change::Row(row) => batch.rows.push(row),
                Change::GroupRow(row) => batch.group_rows.push(row),
                Change::Hook(facts) => {
                    let body = || payload::render(&facts);
                    let deliveries = self.deliveries(Told::of(&facts), body);
                    batch.deliveries.extend(deliveries);
                }
                Change::Recording(change) => self.recording(batch, change),
                Change::Component(facts) => batch.deliveries.extend(self.component(&facts)),
            }
        }
        // The delivery keeps them, sealed; whoever folds the event again tells nobody.
        event.fact.forget_secrets();
        batch.events.push(event);
    }

    /// One delivery for each endpoint that ticked the trigger. The body is rendered once for all.
    fn deliveries(&self, told: Told, body: impl FnOnce() -> Option<Vec<u8>>) -> Vec<NewDelivery> {
        let Some(plan) = self.directory.plan(told.account) else {
            return Vec::new();
        };
        let ticked = plan
            .webhooks
            .iter()
            .filter(|hook| hook.triggers.contains(&told.trigger));
        let mut ticked = ticked.peekable();
        if ticked.peek().is_none() {
            return Vec::new();
        }
        let Some(body) = body() else {
            return Vec::new();
        };
        let body: Arc<[u8]> = body.into();
        let delivery = |hook: &Endpoint| NewDelivery {
            account: told.account,
            endpoint: Arc::clone(&hook.name),
            call: told.call,
            tells: Tells::Trigger(told.trigger),
            body: Arc::clone(&body),
            at: told.at,
        };
        ticked.map(delivery).collect()
    }

    /// What changes about a recording. Its link is made at its beginning, so that whatever is told of
    /// it, how often soever, names one.
    fn recording(&self, batch: &mut Batch, change: RecordingChange) {
        let recording = change.recording;
        batch.recordings.push(match change.news {
            RecordingNews::Started {
                purpose,
                caller_id,
                caller_name,
                dest_number,
            } => RecordingWrite::Begin(Recording {
                recording,
                account: change.account,
                state: RecordingState::Open,
                purpose,
                caller_id,
                caller_name,
                dest_number,
                began_at: change.at,
                token: link::token(),
            }),
            RecordingNews::Closed => RecordingWrite::Close(recording),
            RecordingNews::Finished(finished) => {
                if let Some(trigger) = finished.purpose.trigger() {
                    let told = Told {
                        account: change.account,
                        call: recording.call(),
                        trigger,
                        at: change.at,
                    };
                    let body = || payload::render_recording(&finished);
                    batch.deliveries.extend(self.deliveries(told, body));
                }
                RecordingWrite::Keep {
                    recording,
                    seconds: finished.seconds,
                    mail: finished.mail,
                }
            }
            RecordingNews::Moved(to) => RecordingWrite::Move { recording, to },
            RecordingNews::Discarded(why) => RecordingWrite::Discard { recording, why },
        });
    }

    /// The delivery to a webhook object, whatever endpoints ticked.
    fn component(&self, facts: &ComponentFacts) -> Option<NewDelivery> {
        let body = payload::render_component(facts)?;
        let destination = match Destination::from(&facts.component).seal(self.seal) {
            Ok(destination) => destination,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, call = %facts.call, "a webhook object cannot be told");
                return None;
            }
        };
        Some(NewDelivery {
            account: facts.account,
            endpoint: format!("{OBJECT}{}", facts.component.place).into(),
            call: facts.call,
            tells: Tells::Component { destination },
            body: body.into(),
            at: facts.at,
        })
    }
}
