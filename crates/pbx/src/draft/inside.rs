//! Internal numbers that are no users': those of flows, and the slots of parked calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::{Compiler, add_node};
use crate::objects::{AnyObject, Door, Park};
use crate::plan::{Node, NodeIndex};

impl Compiler<'_> {
    /// Takes internal numbers for the object: calls of users to them begin here.
    pub(crate) fn claim_internal(&mut self, setting: &str, numbers: &[String]) {
        for (position, number) in numbers.iter().enumerate() {
            let path = self.path_of(&format!("{setting}[{position}]"));
            if let Some(other) = self.owner_inside(number) {
                self.error(path, format!("`{number}` is {other}: it must be unique"));
                continue;
            }
            let number = number.as_str().into();
            self.claimed_inside.insert(number, (self.node, path));
        }
    }

    /// Where calls of users to internal numbers begin that are no users': those of objects, and the
    /// slots of parked calls.
    pub(super) fn numbers_of_flows(&self, nodes: &mut Vec<Node>) -> BTreeMap<Arc<str>, NodeIndex> {
        let objects = self.claimed_inside.iter();
        let objects = objects.map(|(number, (node, _))| (Arc::clone(number), *node));
        let mut numbers: BTreeMap<_, _> = objects.collect();
        for slot in &self.parking.slots {
            let door = Door::Slot(Arc::clone(slot));
            let park = AnyObject::Park(Park::behind(door, &self.parking));
            numbers.insert(Arc::clone(slot), add_node(nodes, park));
        }
        numbers
    }

    /// Whose internal number it is already, in words.
    fn owner_inside(&self, number: &str) -> Option<String> {
        let mut users = self.users.iter();
        if let Some(user) = users.find(|user| *user.who.number == *number) {
            return Some(format!("the internal number of {}", user.who.name));
        }
        let (_, path) = self.claimed_inside.get(number)?;
        Some(format!("used at {path} too"))
    }
}
