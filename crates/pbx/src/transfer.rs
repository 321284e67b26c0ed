//! Transfers: a user's phone asks that whoever it talks with talks with somebody else (RFC 5589). The
//! call keeps its id, and what was dialled stays what was dialled.
//!
//! Who asks has no part in the call any more, but holds on while the other one is called: when
//! nobody takes the call, it comes back.

use crate::arrival::route_of_user;
use crate::attempt::{Guest, Story};
use crate::call::{Call, LegReport, Life};
use crate::core::{Core, Hears};
use crate::cx::Moment;
use crate::effect::{Effect, Progress};
use crate::event::HangupCause;
use crate::ids::LegId;
use crate::plan::UserIndex;
use crate::turn::Turn;

/// A user who has handed the call on and holds on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handing {
    pub(crate) leg: LegId,
    user: UserIndex,
}

impl Call {
    /// The user of `leg` hands the call on to a number (a blind transfer).
    pub(crate) fn transfer(&mut self, leg: LegId, number: &str, turn: &mut Turn<'_>) -> Life {
        let Some(user) = self.may_transfer(leg) else {
            refer(leg, Progress::Refused(HangupCause::Forbidden), turn);
            return Life::Goes;
        };
        let plan = &self.core.plan;
        let route = route_of_user(plan, number);
        let start = match route.start {
            // A code does something for who dials it, not for whoever is sent there.
            Ok(_) if plan.code_nodes.contains_key(number) => Err(HangupCause::Forbidden),
            start => start,
        };
        let node = match start {
            Ok(node) => node,
            Err(cause) => {
                refer(leg, Progress::Refused(cause), turn);
                return Life::Goes;
            }
        };
        refer(leg, Progress::Accepted, turn);
        self.step_out(leg, turn);
        self.core.dialling = Some(route.destination);
        self.core.handing = Some(Handing { leg, user });
        self.enter(node, turn)
    }

    /// The user who may hand on whom the leg talks with. Carriers may not: they would call at the
    /// account's expense.
    pub(crate) fn may_transfer(&self, leg: LegId) -> Option<UserIndex> {
        let user = self.core.talking_user(leg)?;
        self.core.handing.is_none().then_some(user)
    }

    /// Gives away whom the user of `leg` talks with: the call is about to end.
    pub(crate) fn give_peer_of(&mut self, leg: LegId, turn: &mut Turn<'_>) -> Option<Guest> {
        self.core.give_peer_of(leg, turn)
    }

    /// The user of `leg` steps out, and a guest from another of its calls takes the place (an
    /// attended transfer).
    pub(crate) fn take_over(&mut self, leg: LegId, guest: Guest, turn: &mut Turn<'_>) -> Life {
        refer(leg, Progress::Accepted, turn);
        self.step_out(leg, turn);
        refer(leg, Progress::Done, turn);
        hang_up(leg, turn);
        self.core.take_in(guest, turn);
        Life::Goes
    }

    /// The user's part is over without an end of the leg. Who is left is the caller, alone.
    fn step_out(&mut self, leg: LegId, turn: &mut Turn<'_>) {
        turn.push(Effect::Part {
            leg: self.core.caller.leg,
        });
        if leg == self.core.caller.leg {
            // A summary follows the ends of all who had a part in it.
            let story = if self.tells_summary() {
                Story::EndsHere
            } else {
                Story::GoesOn
            };
            self.core.caller_steps_out(story, turn);
        } else {
            self.core.called_steps_out(turn);
        }
        self.leave(HangupCause::Normal, turn);
    }

    /// What the leg of a user does who has handed the call on: it may be gone.
    pub(crate) fn handing_leg(&mut self, report: LegReport, turn: &mut Turn<'_>) -> Life {
        match report {
            LegReport::HungUp(_) | LegReport::Failed(_) => {
                if let Some(handing) = self.core.handing.take() {
                    turn.forget_leg(handing.leg);
                }
            }
            LegReport::Ringing
            | LegReport::Progress
            | LegReport::Answered
            | LegReport::Digit(_)
            | LegReport::Played(_) => {}
        }
        Life::Goes
    }

    /// The flow has come to its end: the call too, unless somebody who has handed it on still
    /// holds on.
    pub(crate) fn end_or_give_back(&mut self, cause: HangupCause, turn: &mut Turn<'_>) -> Life {
        if self.core.caller.hears == Hears::Gone {
            return self.finish(cause, turn);
        }
        let Some(Handing { leg, user }) = self.core.handing.take() else {
            return self.finish(cause, turn);
        };
        refer(leg, Progress::Failed(cause), turn);
        self.leave(HangupCause::Normal, turn);
        self.core.take_back(leg, user, turn);
        Life::Goes
    }

    /// What happens to a call that stands in no object: two who were brought together talk.
    pub(crate) fn without_object(&mut self, moment: Moment, turn: &mut Turn<'_>) -> Life {
        match moment {
            Moment::Left { cause, .. } => self.finish(cause, turn),
            Moment::Entered
            | Moment::Woken
            | Moment::Answered { .. }
            | Moment::Failed { .. }
            | Moment::Played { .. }
            | Moment::Recorded { .. }
            | Moment::InLine(_)
            | Moment::InRoom(_)
            | Moment::Digit(_)
            | Moment::Told => Life::Goes,
        }
    }
}

impl Core {
    /// Somebody has taken the call that was handed on.
    pub(crate) fn handed_on(&mut self, turn: &mut Turn<'_>) {
        if let Some(Handing { leg, .. }) = self.handing.take() {
            refer(leg, Progress::Done, turn);
            hang_up(leg, turn);
        }
    }

    /// Who has handed the call on hears that it rings.
    pub(crate) fn tell_handing_rings(&self, turn: &mut Turn<'_>) {
        if let Some(Handing { leg, .. }) = self.handing {
            refer(leg, Progress::Ringing, turn);
        }
    }

    /// The call ends, and with it the transfer.
    pub(crate) fn handing_over(&mut self, cause: HangupCause, turn: &mut Turn<'_>) {
        if let Some(Handing { leg, .. }) = self.handing.take() {
            refer(leg, Progress::Failed(cause), turn);
            hang_up(leg, turn);
        }
    }
}

fn refer(leg: LegId, progress: Progress, turn: &mut Turn<'_>) {
    turn.push(Effect::Referral { leg, progress });
}

fn hang_up(leg: LegId, turn: &mut Turn<'_>) {
    let cause = HangupCause::Normal;
    turn.push(Effect::HangUp { leg, cause });
    turn.forget_leg(leg);
}
