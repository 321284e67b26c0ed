//! What is true of one call, from its facts, its rows and its hooks.

use std::collections::{BTreeMap, BTreeSet};

use super::{Verdict, law};
use crate::cdr::{GroupCall, UserCall};
use crate::event::{Fact, GroupRef};
use crate::trigger::Trigger;

/// What was told of a call that has not ended.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) users: BTreeMap<String, Attempt>,
    pub(super) outbound: Option<(String, Attempt)>,
    /// The queue or ring group the caller is in, and whether a member answered.
    pub(super) stay: Option<(GroupRef, Attempt)>,
    /// Users who had a part in the call before that: who was called and now waits itself.
    pub(super) before_stay: BTreeSet<String>,
    pub(super) stays: u64,
    pub(super) group_rows: u64,
    pub(super) hooks: BTreeMap<Trigger, u64>,
    /// The row each side of each user has got.
    pub(super) rows: BTreeMap<(bool, String), UserCall>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Ringing,
    Answered,
    Over,
}

impl Told {
    pub(super) fn fact(&mut self, fact: &Fact) -> Verdict {
        match fact {
            Fact::UserRinging { user, .. } => {
                let before = self.users.insert(user.number.to_string(), Attempt::Ringing);
                law(matches!(before, None | Some(Attempt::Over)), || {
                    "a user's attempts do not overlap".to_owned()
                })
            }
            Fact::UserAnswered { user } => {
                let before = self
                    .users
                    .insert(user.number.to_string(), Attempt::Answered);
                law(before == Some(Attempt::Ringing), || {
                    "a user who rings answers once".to_owned()
                })
            }
            Fact::UserEnded { user } => {
                let before = self.users.insert(user.number.to_string(), Attempt::Over);
                law(
                    matches!(before, Some(Attempt::Ringing | Attempt::Answered)),
                    || "an attempt that goes on ends once".to_owned(),
                )
            }
            Fact::OutboundStarted { user } => {
                let before = self
                    .outbound
                    .replace((user.number.to_string(), Attempt::Ringing));
                law(before.is_none(), || "a user's call starts once".to_owned())
            }
            Fact::OutboundAnswered { .. } => self.outbound_step(Attempt::Answered),
            Fact::OutboundEnded { .. } => self.outbound_step(Attempt::Over),
            Fact::GroupEntered { group } => {
                self.stays += 1;
                let open = self
                    .users
                    .iter()
                    .filter(|(_, attempt)| **attempt != Attempt::Over);
                self.before_stay = open.map(|(user, _)| user.clone()).collect();
                let before = self.stay.replace((group.clone(), Attempt::Ringing));
                law(before.is_none(), || "stays do not overlap".to_owned())
            }
            Fact::GroupAnswered { group, .. } => {
                let before = self.stay.replace((group.clone(), Attempt::Answered));
                law(before == Some((group.clone(), Attempt::Ringing)), || {
                    "a stay that goes on is answered at most once".to_owned()
                })
            }
            Fact::GroupLeft { group } => {
                let before = self.stay.take();
                let over = self.users.iter().all(|(user, attempt)| {
                    *attempt == Attempt::Over || self.before_stay.contains(user)
                });
                law(over, || {
                    "a summary follows the end of every attempt".to_owned()
                })?;
                law(before.is_some_and(|(entered, _)| entered == *group), || {
                    "what was entered is left once".to_owned()
                })
            }
            Fact::CallerShown { .. }
            | Fact::ComponentPassed { .. }
            | Fact::RecordingStarted { .. }
            | Fact::RecordingClosed { .. }
            | Fact::RecordingFinished { .. }
            | Fact::RecordingDiscarded { .. }
            | Fact::MessageMoved { .. }
            | Fact::Arrived { .. }
            | Fact::Stands { .. }
            | Fact::LegClosed { .. }
            | Fact::Ended { .. } => Ok(()),
        }
    }

    pub(super) fn group_row(&mut self, row: &GroupCall) -> Verdict {
        self.group_rows += 1;
        let talked = row.connected_at.is_some();
        law(
            talked || row.conversation_duration_seconds == 0 && row.user.is_none(),
            || "nobody talks in a stay that was abandoned".to_owned(),
        )?;
        law(
            row.conversation_duration_seconds <= row.call_duration_seconds,
            || "nobody talks longer than the stay".to_owned(),
        )
    }

    pub(super) fn outbound_step(&mut self, next: Attempt) -> Verdict {
        let Some((_, attempt)) = &mut self.outbound else {
            return Err("a user's call starts before it goes on".to_owned());
        };
        let fits = match next {
            Attempt::Answered => *attempt == Attempt::Ringing,
            Attempt::Over => *attempt != Attempt::Over,
            Attempt::Ringing => false,
        };
        *attempt = next;
        law(fits, || {
            "a user's call is answered at most once and ends once".to_owned()
        })
    }

    pub(super) fn row(&mut self, row: UserCall) -> Verdict {
        let talked = row.connected_at.is_some();
        law(talked || row.conversation_duration_seconds == 0, || {
            "who was not connected did not talk".to_owned()
        })?;
        law(
            row.conversation_duration_seconds <= row.call_duration_seconds,
            || "nobody talks longer than the call".to_owned(),
        )?;
        law(
            row.ended_at >= Some(row.call_start_at) && !row.dest_number.is_empty(),
            || "a row has an end and a destination".to_owned(),
        )?;
        let outbound = row.kind.side() == crate::cdr::Side::Outbound;
        let before = self
            .rows
            .insert((outbound, row.user_number.to_string()), row);
        law(before.is_none(), || {
            "a user has one row of a side".to_owned()
        })
    }

    pub(super) fn over(&self) -> Verdict {
        law(
            self.users.values().all(|attempt| *attempt == Attempt::Over),
            || "every attempt ends before the call does".to_owned(),
        )?;
        let outbound = self.outbound.as_ref();
        law(
            outbound.is_none_or(|(_, attempt)| *attempt == Attempt::Over),
            || "the user's call ends before the call does".to_owned(),
        )?;
        let rows = self.users.len() + usize::from(outbound.is_some());
        law(self.rows.len() == rows, || {
            format!("{} rows for {rows} users", self.rows.len())
        })?;
        law(self.stay.is_none(), || {
            "every stay ends before the call does".to_owned()
        })?;
        let summaries = [Trigger::QueueCall, Trigger::RingGroupCall];
        let summaries: u64 = summaries
            .iter()
            .filter_map(|trigger| self.hooks.get(trigger))
            .sum();
        law(
            self.stays == self.group_rows && self.stays == summaries,
            || {
                format!(
                    "{} stays, {} rows of groups, {summaries} summaries",
                    self.stays, self.group_rows
                )
            },
        )?;
        self.balanced(Trigger::UserInbound, Trigger::UserInboundCompleted)?;
        self.balanced(Trigger::UserOutbound, Trigger::UserOutboundCompleted)
    }

    pub(super) fn balanced(&self, first: Trigger, last: Trigger) -> Verdict {
        law(self.hooks.get(&first) == self.hooks.get(&last), || {
            format!("as many {} as {}", first.name(), last.name())
        })
    }
}
