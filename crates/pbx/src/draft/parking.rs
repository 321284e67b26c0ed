//! Slots for parked calls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::compile::{Compiler, is_digit};
use super::people::{MAX_INTERNAL_DIGITS, MAX_RING_SECONDS, MIN_RING_SECONDS};
use super::text::is_word;
use crate::objects::MAX_PARK_SECONDS;
use crate::plan::Parking;

/// Slots when the document does not say.
const USUAL_SLOTS: &str = "701-709";
/// Written instead of slots: there are none.
const OFF: &str = "off";
/// Slots of one account.
const MAX_SLOTS: u32 = 100;
const MIN_WAIT_SECONDS: u32 = 10;
const DEFAULT_WAIT_SECONDS: u32 = 120;
const DEFAULT_RETURN_SECONDS: u32 = 30;

impl Compiler<'_> {
    /// Where calls are parked. Slots that the document names must be free; of the usual ones those are
    /// left out that somebody has.
    pub(super) fn park(&mut self) -> Parking {
        let park = &self.draft.park;
        let taken = self.numbers_inside();
        let slots = match park.slots.as_deref() {
            None => numbers(USUAL_SLOTS).unwrap_or_default(),
            Some(OFF) => Vec::new(),
            Some(range) => self.slots(range, &taken),
        };
        let free = slots.into_iter().filter(|slot| !taken.contains(slot));
        let slots = free.map(Into::into).collect();
        let wait = park.wait_seconds.unwrap_or(DEFAULT_WAIT_SECONDS);
        let ring = park.return_seconds.unwrap_or(DEFAULT_RETURN_SECONDS);
        self.park_range("wait_seconds", wait, (MIN_WAIT_SECONDS, MAX_PARK_SECONDS));
        self.park_range("return_seconds", ring, (MIN_RING_SECONDS, MAX_RING_SECONDS));
        Parking {
            slots,
            wait: Duration::from_secs(wait.into()),
            return_time: Duration::from_secs(ring.into()),
        }
    }

    /// The account's parking, for an object.
    pub(crate) fn parking(&self) -> Arc<Parking> {
        Arc::clone(&self.parking)
    }

    fn slots(&mut self, range: &str, taken: &BTreeSet<String>) -> Vec<String> {
        let Some(slots) = numbers(range) else {
            self.error(
                "park.slots",
                format!(
                    "must be the first and the last of at most {MAX_SLOTS} numbers of as many \
                     digits, such as 701-709, or off"
                ),
            );
            return Vec::new();
        };
        if let Some(slot) = slots.iter().find(|slot| taken.contains(*slot)) {
            let rule = format!("`{slot}` is an internal number already: take other slots");
            self.error("park.slots", rule);
        }
        slots
    }

    /// Internal numbers of users and of flows.
    fn numbers_inside(&self) -> BTreeSet<String> {
        let users = self.users.iter().map(|user| user.who.number.to_string());
        let objects = self.draft.flows.iter().flat_map(|flow| &flow.objects);
        let objects = objects.filter(|object| object.kind == "internal_number");
        let lists = objects.filter_map(|object| object.settings.get("numbers")?.as_array());
        let numbers = lists.flatten().filter_map(|number| number.as_str());
        users.chain(numbers.map(str::to_owned)).collect()
    }

    fn park_range(&mut self, setting: &str, value: u32, (least, most): (u32, u32)) {
        if !(least..=most).contains(&value) {
            self.error(
                format!("park.{setting}"),
                format!("must be {least} to {most}"),
            );
        }
    }
}

/// The numbers from the first to the last, with the zeros that they begin with.
fn numbers(range: &str) -> Option<Vec<String>> {
    let (first, last) = range.split_once('-')?;
    let is_number = |text: &str| is_word(text, MAX_INTERNAL_DIGITS, is_digit);
    if !is_number(first) || !is_number(last) || first.len() != last.len() {
        return None;
    }
    let (from, to): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    let count = to.checked_sub(from)?;
    let width = first.len();
    let numbers = (from..=to).map(|number| format!("{number:0width$}"));
    (count < MAX_SLOTS).then(|| numbers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;
    use crate::testing::example;

    #[test]
    fn a_range_is_its_numbers() {
        assert_eq!(numbers("08-10").unwrap(), ["08", "09", "10"]);
        assert_eq!(numbers("701-701").unwrap(), ["701"]);
        for wrong in ["", "701", "709-701", "7-70", "a-b", "000-100", "1-2-3"] {
            assert_eq!(numbers(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn usual_slots_make_way_and_chosen_ones_do_not() {
        let mut draft = example();
        draft.users[2].number = "705".to_owned();
        let plan = draft.compile(AccountId(1), 1).unwrap();
        assert_eq!(plan.flow_nodes.len(), 8);
        assert!(plan.user_by_number("705").is_some());
        draft.park.slots = Some("700-710".to_owned());
        let problems = draft.compile(AccountId(1), 1).unwrap_err();
        let rules = problems
            .iter()
            .filter(|problem| problem.path == "park.slots");
        assert_eq!(rules.count(), 1);
        draft.park.slots = Some("off".to_owned());
        let plan = draft.compile(AccountId(1), 1).unwrap();
        assert!(plan.flow_nodes.is_empty());
    }
}
