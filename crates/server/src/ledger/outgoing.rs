//! From an event to what a batch writes: the event, rows, and what is owed to whom.

use std::sync::Arc;

use pbx::cdr::{Change, ComponentFacts, Fold, HookFacts};
use pbx::{Endpoint, Event};
use store::{Batch, NewDelivery, Tells};

use crate::account::Seal;
use crate::directory::Directory;
use crate::hooks::destination::Destination;
use crate::hooks::payload;

/// What stands before the place of a webhook object where endpoints have their names.
const OBJECT: &str = "object:";

/// Who is told, and how secrets are kept meanwhile.
pub(super) struct Outgoing<'a> {
    pub(super) directory: &'a Directory,
    pub(super) seal: &'a Seal,
}

impl Outgoing<'_> {
    /// Takes one event into the fold and the batch.
    pub(super) fn fold_in(&self, fold: &mut Fold, batch: &mut Batch, mut event: Event) {
        for change in fold.apply(&event) {
            match change {
                Change::Row(row) => batch.rows.push(row),
                Change::GroupRow(row) => batch.group_rows.push(row),
                Change::Hook(facts) => batch.deliveries.extend(self.deliveries(&facts)),
                // The events are kept, from which they can be folded again.
                Change::Recording(_) => {}
                Change::Component(facts) => batch.deliveries.extend(self.component(&facts)),
            }
        }
        // The delivery keeps them, sealed; whoever folds the event again tells nobody.
        event.fact.forget_secrets();
        batch.events.push(event);
    }

    /// One delivery for each endpoint that ticked the trigger. The body is rendered once for all.
    fn deliveries(&self, facts: &HookFacts) -> Vec<NewDelivery> {
        let Some(plan) = self.directory.plan(facts.account) else {
            return Vec::new();
        };
        let ticked = plan
            .webhooks
            .iter()
            .filter(|hook| hook.triggers.contains(&facts.trigger));
        let mut ticked = ticked.peekable();
        if ticked.peek().is_none() {
            return Vec::new();
        }
        let Some(body) = payload::render(facts) else {
            return Vec::new();
        };
        let body: Arc<[u8]> = body.into();
        let delivery = |hook: &Endpoint| NewDelivery {
            account: facts.account,
            endpoint: Arc::clone(&hook.name),
            call: facts.call,
            tells: Tells::Trigger(facts.trigger),
            body: Arc::clone(&body),
            at: facts.at,
        };
        ticked.map(delivery).collect()
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
