//! A call that a program asked for, held against what the parties saw: whoever picked up was put
//! through to whom the record says, and when one is gone nobody is left.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Time;
use media::PathId;
use pbx::{Fact, Origination};

use super::Told;
use super::expected::Expected;
use super::truth::{Witness, called_is_over, rows_of, same};
use crate::world::World;

/// Everything that is known of one such call.
pub(super) struct AskedCase<'a> {
    pub(super) world: &'a World,
    pub(super) told: &'a Told,
    pub(super) asked: &'a Origination,
    /// Who was told of each path.
    pub(super) by_path: &'a BTreeMap<PathId, Vec<Witness<'a>>>,
}

impl<'a> AskedCase<'a> {
    pub(super) fn check(&self) -> Result<(), String> {
        self.numbers()?;
        self.own_story()?;
        self.put_through()?;
        self.end()
    }

    fn numbers(&self) -> Result<(), String> {
        let Some(plan) = &self.told.plan else {
            return Err("its account is unknown".to_owned());
        };
        let expected = Expected::of_asked(plan, self.asked).ok_or("nobody could ask for it")?;
        let Some(Fact::Arrived {
            direction,
            caller_id,
            dest_number,
            ..
        }) = self.told.events.first().map(|event| &event.fact)
        else {
            return Err("it does not begin with its arrival".to_owned());
        };
        let told = Expected {
            direction: *direction,
            caller_id: caller_id.clone(),
            dest_number: dest_number.clone(),
        };
        same("arrival", &told, &expected)
    }

    /// The user it was asked for has called, and was not called by that.
    fn own_story(&self) -> Result<(), String> {
        let rows = rows_of(self.told);
        let mut own = rows
            .iter()
            .filter(|row| row.kind.side() == pbx::cdr::Side::Outbound);
        let row = own.next().ok_or("the user has no row")?;
        same("whose row", &&*row.user_number, &&*self.asked.user)?;
        same("further rows", &own.count(), &0)
    }

    /// When somebody answered, two who had both accepted were bridged.
    fn put_through(&self) -> Result<(), String> {
        let is_person = |fact: &Fact| match fact {
            Fact::UserAnswered { .. } => true,
            Fact::OutboundAnswered { .. } => self.told.events.first().is_some_and(|first| {
                matches!(
                    first.fact,
                    Fact::Arrived {
                        direction: pbx::Direction::Outbound,
                        ..
                    }
                )
            }),
            _ => false,
        };
        let mut events = self.told.events.iter();
        let Some(answered) = events.find(|event| is_person(&event.fact)) else {
            return Ok(());
        };
        let bridged = self.told.legs.iter().find_map(|leg| {
            let path = self.world.shell.path(leg.path)?;
            let (_, other) = path.bridges.iter().rfind(|(at, _)| *at == answered.at)?;
            Some((leg.path, *other))
        });
        let (one, other) = bridged.ok_or("nobody is bridged when it is answered")?;
        for path in [one, other] {
            let accepted = self.at(path).any(|witness| {
                let at = witness.belief.answered_at();
                at.is_some_and(|at| at <= answered.at)
            });
            if !accepted {
                return Err(format!("{path:?} is bridged, but nobody there answered"));
            }
        }
        Ok(())
    }

    /// Nobody talks on when the call is over, and it is over when whoever picked up is gone.
    fn end(&self) -> Result<(), String> {
        let last = self.told.events.last();
        let Some((at, Fact::Ended { .. })) = last.map(|event| (event.at, &event.fact)) else {
            return Err("it does not end with its end".to_owned());
        };
        for leg in &self.told.legs {
            for witness in self.at(leg.path) {
                called_is_over(self.world, witness, at)?;
            }
        }
        let own = self
            .told
            .legs
            .iter()
            .filter(|leg| self.world.summoned.contains(&leg.path));
        let talked: Vec<Witness<'a>> = own
            .flat_map(|leg| self.at(leg.path))
            .filter(|witness| witness.belief.answered_at().is_some())
            .collect();
        let steady = |witness: &Witness<'a>| self.world.story.was_steady(witness.party.id);
        let gone = talked
            .iter()
            .filter_map(|witness| witness.belief.end())
            .map(|(gone, _)| gone);
        match gone.max() {
            // Who has handed the call on is gone before its end.
            Some(_) if self.told.is_handed_on => Ok(()),
            Some(gone) if talked.iter().all(steady) && is_late(at, gone, self.slack()) => Err(
                format!("it ends at {at}, whoever picked up is gone at {gone}"),
            ),
            Some(_) | None => Ok(()),
        }
    }

    fn slack(&self) -> Duration {
        self.world.weather.slack()
    }

    fn at(&self, path: PathId) -> impl Iterator<Item = Witness<'a>> {
        self.by_path.get(&path).into_iter().flatten().copied()
    }
}

fn is_late(at: Time, gone: Time, slack: Duration) -> bool {
    at > gone + slack
}
