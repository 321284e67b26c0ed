//! The owner of one account's calls.

use std::sync::Arc;

use clock::Time;

use crate::effect::Effect;
use crate::ids::Ids;
use crate::input::Input;
use crate::plan::Plan;

/// One account: its current plan and its calls. Single-threaded, so nothing in it needs a lock.
#[derive(Debug)]
pub struct Account {
    plan: Arc<Plan>,
}

impl Account {
    /// An account without calls.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan }
    }

    /// Takes a newer plan for calls to come; calls in progress keep theirs.
    pub fn apply(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// The plan in force.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Takes one input in and says what must be done.
    pub fn handle(&mut self, _now: Time, _input: Input, _ids: &mut Ids) -> Vec<Effect> {
        Vec::new()
    }

    /// When `Input::Wake` is due.
    pub fn deadline(&self) -> Option<Time> {
        None
    }
}
