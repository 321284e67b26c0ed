//! Transfers: a user's phone asks that whoever it talks with talks with somebody else (RFC 5589). The
//! call keeps its id, and what was dialled stays what was dialled.
//!
//! Who asks has no part in the call any more, but holds on while the other one is called: when
//! nobody takes the call, it comes back.

use crate::arrival::route_of_user;
use crate::attempt::{Guest, Story};
use crate::call::{Call, LegReport, Life};
use crate::core::{Core, Destination, Hears};
use crate::cx::Moment;
use crate::effect::{Effect, Progress};
use crate::event::HangupCause;
use crate::ids::LegId;
use crate::plan::UserIndex;
use crate::sound::{PlayId, Sound, Times};
use crate::turn::Turn;

/// A user who has handed the call on and holds on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handing {
    pub(crate) leg: LegId,
    pub(crate) user: UserIndex,
    /// What it is told before it is let go.
    hears: Option<PlayId>,
    knows: Knows,
}

/// What a user who has handed the call on was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knows {
    Nothing,
    /// That it rings.
    Rings,
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
        let is_code = plan.code_node(number).is_some();
        let start = match route.start {
            // A code does something for who dials it, not for whoever is sent there.
            Ok(node) if is_code && !plan.is_park(node) => Err(HangupCause::Forbidden),
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
        self.core.handing = Some(Handing {
            leg,
            user,
            hears: None,
            knows: Knows::Nothing,
        });
        let life = self.enter(node, turn);
        self.core.ring_handed_on(turn);
        life
    }

    /// The user who may hand on whom the leg talks with. Carriers may not: they would call at the
    /// account's expense.
    pub(crate) fn may_transfer(&self, leg: LegId) -> Option<UserIndex> {
        let user = self.core.talking_user(leg)?;
        self.core.handing.is_none().then_some(user)
    }

    /// What the user dialled who stands by that leg in an object, alone: whom it is about to hand
    /// another call on to.
    pub(crate) fn asked_by(&self, leg: LegId) -> Option<(UserIndex, String)> {
        let caller = &self.core.caller;
        let user = caller.user.as_ref().filter(|_| caller.leg == leg)?.user;
        let is_alone = caller.hears == Hears::Answered && !self.core.is_connected();
        let dialled = match &self.core.destination {
            Destination::Plain(text) => text.clone(),
            Destination::Number(number) => format!("+{number}"),
        };
        is_alone.then_some((user, dialled))
    }

    /// Gives away who calls, a user, who is about to take a call that waits: this one ends.
    pub(crate) fn give_caller(&mut self, turn: &mut Turn<'_>) -> Option<Guest> {
        self.core.pick_up(turn);
        self.core.stop_playing(turn);
        self.core.give_caller()
    }

    /// Whoever waits here talks with a guest from another call.
    pub(crate) fn is_fetched(&mut self, guest: Guest, turn: &mut Turn<'_>) -> Life {
        self.leave(HangupCause::Normal, turn);
        self.core.take_in(guest, turn);
        Life::Goes
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
        self.come_in(leg, guest, turn)
    }

    /// The user of `leg` leaves, and a guest takes the place.
    pub(crate) fn give_place(&mut self, leg: LegId, guest: Guest, turn: &mut Turn<'_>) -> Life {
        self.step_out(leg, turn);
        self.come_in(leg, guest, turn)
    }

    fn come_in(&mut self, leg: LegId, guest: Guest, turn: &mut Turn<'_>) -> Life {
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
            LegReport::Played(play) => self.core.has_told_who_hands_on(play, turn),
            LegReport::Ringing
            | LegReport::Progress
            | LegReport::Answered
            | LegReport::Digit(_) => {}
        }
        Life::Goes
    }

    /// The flow has come to its end: the call too, unless somebody who has handed it on still
    /// holds on.
    pub(crate) fn end_or_give_back(&mut self, cause: HangupCause, turn: &mut Turn<'_>) -> Life {
        if self.core.caller.hears == Hears::Gone {
            return self.finish(cause, turn);
        }
        let Some(handing) = self.core.handing.take() else {
            return self.finish(cause, turn);
        };
        handing.hush(turn);
        let Handing { leg, user, .. } = handing;
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

impl Handing {
    /// Nothing is told any more.
    fn hush(&self, turn: &mut Turn<'_>) {
        if self.hears.is_some() {
            turn.push(Effect::StopPlaying { leg: self.leg });
        }
    }
}

impl Core {
    /// Somebody has taken the call that was handed on. Who is being told something is let go after
    /// that.
    pub(crate) fn handed_on(&mut self, turn: &mut Turn<'_>) {
        let is_done = |handing: &mut Handing| handing.hears.is_none();
        if let Some(Handing { leg, .. }) = self.handing.take_if(is_done) {
            refer(leg, Progress::Done, turn);
            hang_up(leg, turn);
        }
    }

    /// Whoever has handed the call on hears something, and then is let go.
    pub(crate) fn tell_who_hands_on(&mut self, sounds: Vec<Sound>, turn: &mut Turn<'_>) {
        let Some(handing) = &mut self.handing else {
            return;
        };
        let (leg, play) = (handing.leg, self.caller.next_play());
        handing.hears = Some(play);
        turn.push(Effect::Play {
            leg,
            play,
            sounds,
            times: Times::Once,
        });
    }

    fn has_told_who_hands_on(&mut self, play: PlayId, turn: &mut Turn<'_>) {
        if let Some(handing) = &mut self.handing
            && handing.hears.take_if(|heard| *heard == play).is_some()
        {
            self.handed_on(turn);
        }
    }

    /// Whoever was handed on hears that somebody is called: a phone may take seconds until it says
    /// that it rings.
    fn ring_handed_on(&mut self, turn: &mut Turn<'_>) {
        if self.handing.is_some() && !self.attempts.is_empty() && !self.is_connected() {
            self.play_ringback(turn);
        }
    }

    /// Who has handed the call on hears that it rings.
    pub(crate) fn tell_handing_rings(&mut self, turn: &mut Turn<'_>) {
        if let Some(Handing { leg, knows, .. }) = &mut self.handing
            && std::mem::replace(knows, Knows::Rings) == Knows::Nothing
        {
            refer(*leg, Progress::Ringing, turn);
        }
    }

    /// The call ends, and with it the transfer.
    pub(crate) fn handing_over(&mut self, cause: HangupCause, turn: &mut Turn<'_>) {
        if let Some(handing) = self.handing.take() {
            handing.hush(turn);
            refer(handing.leg, Progress::Failed(cause), turn);
            hang_up(handing.leg, turn);
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
