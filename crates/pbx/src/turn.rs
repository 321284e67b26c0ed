//! What one step may use, lent by the account for its length.

use std::collections::BTreeMap;

use clock::Time;

use crate::effect::Effect;
use crate::event::{Event, Fact};
use crate::floor::Floor;
use crate::ids::{AccountId, CallId, Ids, LegId};

/// One step: its instant, and the account's shared parts.
pub(crate) struct Turn<'a> {
    pub(crate) now: Time,
    pub(crate) account: AccountId,
    pub(crate) ids: &'a mut Ids,
    pub(crate) floor: &'a mut Floor,
    pub(crate) legs: &'a mut BTreeMap<LegId, CallId>,
    pub(crate) effects: &'a mut Vec<Effect>,
}

impl Turn<'_> {
    /// Asks for something to be done.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Has a fact remembered. What it says to stand does so at once.
    pub(crate) fn emit(&mut self, call: CallId, fact: Fact) {
        if let Fact::Stands { standing } = &fact {
            self.floor.stand(standing, self.now);
        }
        let event = Event {
            at: self.now,
            account: self.account,
            call,
            fact,
        };
        self.push(Effect::Emit(event));
    }

    /// A new leg of that call.
    pub(crate) fn open_leg(&mut self, call: CallId) -> LegId {
        let leg = self.ids.leg();
        self.legs.insert(leg, call);
        leg
    }

    /// The leg is over: what still comes from it is nobody's.
    pub(crate) fn forget_leg(&mut self, leg: LegId) {
        self.legs.remove(&leg);
    }
}
