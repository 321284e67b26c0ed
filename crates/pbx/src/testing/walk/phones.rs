//! What phones do besides calling: they watch one another, and take calls over.

use std::sync::Arc;

use super::Walker;
use crate::input::Input;

impl Walker<'_> {
    /// A phone wants the place of a leg.
    pub(super) fn take_over(&mut self) -> Result<(), String> {
        let of = self.any_leg();
        let devices: Vec<Arc<str>> = self.plan.devices.keys().cloned().collect();
        let username = self.random.pick(&devices).cloned();
        let leg = self.ids.leg();
        self.give(Input::TakeOver {
            leg,
            username: username.unwrap_or_else(|| "nobody".into()),
            of,
        })
    }

    /// Somebody begins to watch a name, or nobody does any more.
    pub(super) fn watch(&mut self) -> Result<(), String> {
        let watched: Vec<Arc<str>> = self.lamps.watched().cloned().collect();
        if let Some(name) = self.random.pick(&watched).cloned()
            && self.random.percent(20)
        {
            return self.give(Input::Unwatch { name });
        }
        let users = self.plan.users.iter();
        let users: Vec<Arc<str>> = users.map(|user| Arc::clone(&user.who.number)).collect();
        let name = self.random.pick(&users).cloned();
        let name = name.unwrap_or_else(|| "nobody".into());
        self.give(Input::Watch { name })
    }
}
