//! The draft: what people edit, one document per account. It may be incomplete; compiling it
//! finds out, and makes a [`Plan`].

mod document;
mod problem;

pub use document::{
    Api, ApiKey, Device, Draft, Flow, Ha1, Limits, Object, Register, Triggers, Trunk, User, Webhook,
};
pub use problem::{Problem, Severity};

use crate::ids::AccountId;
use crate::plan::Plan;

impl Draft {
    /// Checks everything and makes the plan, or says all that keeps it from being one.
    pub fn compile(&self, _account: AccountId, _version: u64) -> Result<Plan, Vec<Problem>> {
        Err(Vec::new())
    }
}
