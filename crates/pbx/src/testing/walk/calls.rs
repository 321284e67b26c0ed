//! Calls of a walk: who calls, and what is dialled, sense and nonsense alike.

use std::sync::Arc;

use super::Walker;
use crate::codes::{After, Code};
use crate::ids::LegId;
use crate::input::{Input, Origin};
use crate::origination::Origination;

impl Walker<'_> {
    pub(super) fn call(&mut self) -> Result<(), String> {
        // At times the edge says the same thing twice. It never gives an id twice.
        let open: Vec<LegId> = self.laws.open_legs().collect();
        let twice = self
            .random
            .pick(&open)
            .copied()
            .filter(|_| self.random.percent(3));
        let leg = twice.unwrap_or_else(|| self.ids.leg());
        let input = Input::Incoming {
            leg,
            origin: self.origin(),
            called: self.called(),
            caller_number: self.random.percent(80).then(|| "0398765432".to_owned()),
            caller_name: self.random.percent(50).then(|| "Somebody".to_owned()),
        };
        self.give(input)
    }

    /// A program asks for a call, at times for one that cannot be.
    pub(super) fn originate(&mut self) -> Result<(), String> {
        let users: Vec<Arc<str>> = self.plan.internal_numbers.keys().cloned().collect();
        let user = self.random.pick(&users).filter(|_| self.random.percent(90));
        let caller_id = match self.random.between(0, 9) {
            0 => Some("+61299999999".to_owned()),
            1..=3 => Some(self.called()),
            _ => None,
        };
        let asked = Origination {
            user: user.map_or_else(|| "nobody".to_owned(), ToString::to_string),
            number: self.called(),
            caller_id,
        };
        self.give(Input::Originate(asked))
    }

    fn origin(&mut self) -> Origin {
        let devices: Vec<Arc<str>> = self.plan.devices.keys().cloned().collect();
        let trunks: Vec<Arc<str>> = self
            .plan
            .trunks
            .iter()
            .map(|trunk| Arc::clone(&trunk.name))
            .collect();
        let unknown = Origin::Device {
            username: "nobody".into(),
        };
        if self.random.percent(50) {
            let device = self.random.pick(&devices).cloned();
            return device.map_or(unknown, |username| Origin::Device { username });
        }
        let trunk = self.random.pick(&trunks).cloned();
        trunk.map_or(unknown, |name| Origin::Trunk { name })
    }

    pub(super) fn called(&mut self) -> String {
        let numbers: Vec<String> = self
            .plan
            .numbers()
            .map(|number| format!("+{number}"))
            .collect();
        let users = self.plan.users.iter().map(|user| &user.who.number);
        let insiders = users.chain(self.plan.flow_nodes.keys());
        let insiders: Vec<String> = insiders.map(ToString::to_string).collect();
        let others = ["000", "0412345678", "1099", "alice", "", "*97", "98765439"];
        let choice = match self.random.between(0, 9) {
            0..=3 => self.random.pick(&numbers).cloned(),
            4..=6 => self.random.pick(&insiders).cloned(),
            7 | 8 => Some(self.code(&insiders)),
            _ => self.random.pick(&others).map(ToString::to_string),
        };
        choice.unwrap_or_default()
    }

    /// A feature code, with or without a number behind it.
    fn code(&mut self, users: &[String]) -> String {
        let plan = Arc::clone(&self.plan);
        let codes: Vec<(&str, &Code)> = plan.codes.all_dialled().collect();
        let Some((text, code)) = self.random.pick(&codes).copied() else {
            return String::new();
        };
        let others = ["0412345678", "*", "1", "2", "000", ""];
        let number = match code.after {
            After::Nothing => None,
            After::Number if self.random.percent(60) => self.random.pick(users).cloned(),
            After::Number => self.random.pick(&others).map(ToString::to_string),
        };
        format!("{text}{}", number.unwrap_or_default())
    }
}
