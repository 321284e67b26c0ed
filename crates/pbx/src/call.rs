//! A call: a core, and the place in the flow where it stands.

use clock::Time;

use crate::core::{Core, Hears};
use crate::cx::{Cx, Moment, Step};
use crate::event::HangupCause;
use crate::floor::{News, Offer};
use crate::ids::LegId;
use crate::input::Failure;
use crate::objects::AnyState;
use crate::plan::{NodeIndex, UserIndex};
use crate::question::{QuestionId, Told};
use crate::recordings::Recorded;
use crate::sound::PlayId;
use crate::turn::Turn;

/// Objects a call may pass within [`HOP_WINDOW`]. More is a circle that never waits.
const MAX_HOPS: u32 = 32;

/// A call that stayed this long in one place starts counting its hops anew.
const HOP_WINDOW: std::time::Duration = std::time::Duration::from_secs(1);

/// Whether a call is still there after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Goes,
    Over,
}

/// What a leg of the call did.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LegReport {
    Ringing,
    Progress,
    Answered,
    Failed(Failure),
    HungUp(HangupCause),
    Digit(char),
    Played(PlayId),
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) core: Core,
    place: Place,
    hops: Hops,
}

/// Where a call stands.
#[derive(Debug)]
struct Place {
    node: NodeIndex,
    /// `None` before the first object is entered and after the last is left.
    state: Option<AnyState>,
}

/// Objects passed since the call last stayed somewhere.
#[derive(Debug)]
struct Hops {
    since: Time,
    count: u32,
}

impl Call {
    /// A call about to enter `node`.
    pub(crate) fn new(core: Core, node: NodeIndex) -> Self {
        let hops = Hops {
            since: core.started_at,
            count: 0,
        };
        Self {
            core,
            place: Place { node, state: None },
            hops,
        }
    }

    /// Tells the call's beginning and enters its first object, or refuses it.
    pub(crate) fn start(&mut self, refusal: Option<HangupCause>, turn: &mut Turn<'_>) -> Life {
        self.core.open(turn);
        match refusal {
            Some(cause) => self.finish(cause, turn),
            None => self.enter_first(turn),
        }
    }

    /// Enters the first object.
    pub(crate) fn enter_first(&mut self, turn: &mut Turn<'_>) -> Life {
        self.enter(self.place.node, turn)
    }

    /// Takes in what one of its legs did.
    pub(crate) fn leg(&mut self, leg: LegId, report: LegReport, turn: &mut Turn<'_>) -> Life {
        if leg == self.core.caller.leg {
            return self.caller(report, turn);
        }
        if self.core.handing.is_some_and(|handing| handing.leg == leg) {
            return self.handing_leg(report, turn);
        }
        let moment = match report {
            LegReport::Ringing => {
                self.core.leg_rings(leg, turn);
                None
            }
            LegReport::Progress => {
                self.core.leg_progresses(leg, turn);
                None
            }
            LegReport::Answered => self.core.leg_answered(leg, turn),
            LegReport::Failed(failure) => self.core.leg_failed(leg, failure, turn),
            LegReport::HungUp(cause) => self.core.leg_hung_up(leg, cause, turn),
            LegReport::Digit(key) => {
                self.core.key_while_talking(leg, key, turn);
                self.core.leg_pressed(leg, key, turn)
            }
            LegReport::Played(play) => {
                self.core.leg_played(leg, play);
                None
            }
        };
        match moment {
            Some(moment) => self.tell(moment, turn),
            None => Life::Goes,
        }
    }

    /// The caller presses keys, hears a play to its end, or is gone; all else is noise.
    fn caller(&mut self, report: LegReport, turn: &mut Turn<'_>) -> Life {
        let cause = match report {
            LegReport::Digit(digit) => {
                self.core
                    .key_while_talking(self.core.caller.leg, digit, turn);
                return self.tell(Moment::Digit(digit), turn);
            }
            LegReport::Played(play) => {
                return match self.core.played(play) {
                    Some(moment) => self.tell(moment, turn),
                    None => Life::Goes,
                };
            }
            LegReport::Ringing | LegReport::Progress | LegReport::Answered => return Life::Goes,
            LegReport::Failed(_) => HangupCause::ConnectionLost,
            LegReport::HungUp(cause) => cause,
        };
        self.core.caller_gone(turn);
        self.finish(cause, turn)
    }

    /// Takes in that a recording of the call is over.
    pub(crate) fn recorded(&mut self, recorded: Recorded, turn: &mut Turn<'_>) -> Life {
        let moment = self.core.recorded(recorded);
        self.tell(moment, turn)
    }

    /// Something has happened in the room that it is in.
    pub(crate) fn in_room(&mut self, news: News, turn: &mut Turn<'_>) -> Life {
        self.tell(Moment::InRoom(news), turn)
    }

    /// It is the caller's turn in a line.
    pub(crate) fn in_line(&mut self, offer: Offer, turn: &mut Turn<'_>) -> Life {
        self.tell(Moment::InLine(offer), turn)
    }

    /// What was asked has an answer. One that comes too late is nobody's.
    pub(crate) fn told(&mut self, question: QuestionId, told: Told, turn: &mut Turn<'_>) -> Life {
        if self.core.told(question, told) {
            self.tell(Moment::Told, turn)
        } else {
            Life::Goes
        }
    }

    /// What is due by now.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_>) -> Life {
        if self.core.ends_at <= turn.now {
            return self.finish(HangupCause::TooLong, turn);
        }
        if self.core.wake_at.is_some_and(|wake_at| wake_at <= turn.now) {
            self.core.wake_at = None;
            return self.tell(Moment::Woken, turn);
        }
        Life::Goes
    }

    /// When [`Call::wake`] has something to do.
    pub(crate) fn deadline(&self) -> Time {
        self.core
            .wake_at
            .map_or(self.core.ends_at, |wake_at| wake_at.min(self.core.ends_at))
    }

    /// Ends the call: attempts, then the object's summary, then the caller and the last fact.
    pub(crate) fn finish(&mut self, cause: HangupCause, turn: &mut Turn<'_>) -> Life {
        self.leave(cause, turn);
        self.core.handing_over(cause, turn);
        self.core.close(cause, turn);
        Life::Over
    }

    /// Whether what was called has answered.
    pub(crate) fn is_answered(&self) -> bool {
        match &self.core.caller.user {
            Some(user) => user.answered,
            None => self.core.caller.hears == Hears::Answered,
        }
    }

    pub(crate) fn tell(&mut self, moment: Moment, turn: &mut Turn<'_>) -> Life {
        if self.core.caller.hears == Hears::Absent {
            return self.without_caller(moment, turn);
        }
        if self.place.state.is_none() {
            return self.without_object(moment, turn);
        }
        let step = self.ask_object(moment, turn);
        self.follow(step, turn)
    }

    pub(crate) fn enter(&mut self, node: NodeIndex, turn: &mut Turn<'_>) -> Life {
        let step = self.stand_in(node, turn);
        self.follow(step, turn)
    }

    /// Carries steps out until the call stays somewhere or is over. Bounded by `MAX_HOPS`.
    fn follow(&mut self, mut step: Step, turn: &mut Turn<'_>) -> Life {
        loop {
            let target = match step {
                Step::Stay => return Life::Goes,
                Step::HangUp(cause) => return self.end_or_give_back(cause, turn),
                Step::Exit(exit) => self.target_of(&exit),
                Step::User(user) => self.node_of(user),
                Step::Mailbox(user) => self.mailbox_of(user),
            };
            let node = match target {
                Ok(node) => node,
                Err(cause) => return self.end_or_give_back(cause, turn),
            };
            if self.hops.is_too_many(turn.now) {
                return self.finish(HangupCause::TooManyHops, turn);
            }
            self.leave(HangupCause::Normal, turn);
            step = self.stand_in(node, turn);
        }
    }

    /// Where an exit leads, or why the call ends there.
    fn target_of(&self, exit: &str) -> Result<NodeIndex, HangupCause> {
        let node = self
            .core
            .plan
            .node(self.place.node)
            .ok_or(HangupCause::AccountFault)?;
        let exit = node.exits.iter().find(|known| known.name == exit);
        let exit = exit.ok_or(HangupCause::AccountFault)?;
        exit.target.ok_or(exit.cause)
    }

    /// Where calls to a user's internal number begin.
    fn node_of(&self, UserIndex(user): UserIndex) -> Result<NodeIndex, HangupCause> {
        let node = self.core.plan.user_nodes.get(user);
        node.copied().ok_or(HangupCause::AccountFault)
    }

    /// Where calls to a user's mailbox begin.
    fn mailbox_of(&self, UserIndex(user): UserIndex) -> Result<NodeIndex, HangupCause> {
        let node = self.core.plan.mailbox_nodes.get(user);
        node.copied().ok_or(HangupCause::AccountFault)
    }

    fn stand_in(&mut self, node: NodeIndex, turn: &mut Turn<'_>) -> Step {
        let plan = std::sync::Arc::clone(&self.core.plan);
        let Some(object) = plan.node(node).map(|node| &node.object) else {
            return Step::HangUp(HangupCause::AccountFault);
        };
        self.place = Place {
            node,
            state: Some(object.begin()),
        };
        self.ask_object(Moment::Entered, turn)
    }

    fn ask_object(&mut self, moment: Moment, turn: &mut Turn<'_>) -> Step {
        let plan = std::sync::Arc::clone(&self.core.plan);
        let (Some(node), Some(state)) = (plan.node(self.place.node), &mut self.place.state) else {
            return Step::HangUp(HangupCause::AccountFault);
        };
        node.object.handle(
            state,
            moment,
            &mut Cx::new(&mut self.core, turn, &node.exits),
        )
    }

    /// Whether the object the call stands in has a summary of its own.
    pub(crate) fn tells_summary(&self) -> bool {
        let node = self.core.plan.node(self.place.node);
        let name = node.map(|node| node.object.kind().name);
        self.place.state.is_some() && matches!(name, Some("queue" | "ring_group"))
    }

    /// Nothing the object began goes on without it.
    pub(crate) fn leave(&mut self, cause: HangupCause, turn: &mut Turn<'_>) {
        self.core.wake_at = None;
        self.core.forget_question();
        self.core.stop_playing(turn);
        self.core.leave_room(turn);
        self.core.slot = None;
        self.core.stop_message(turn);
        self.core.stop_all(cause, turn);
        let plan = std::sync::Arc::clone(&self.core.plan);
        if let (Some(node), Some(state)) = (plan.node(self.place.node), self.place.state.take()) {
            let cx = &mut Cx::new(&mut self.core, turn, &node.exits);
            node.object.leave(state, cx);
        }
    }
}

impl Hops {
    fn is_too_many(&mut self, now: Time) -> bool {
        if now.since(self.since) >= HOP_WINDOW {
            *self = Self {
                since: now,
                count: 0,
            };
        }
        self.count += 1;
        self.count > MAX_HOPS
    }
}
