//! Park: the caller waits with music in a numbered slot until a user dials it.
//!
//! The same object stands in a flow, behind the park code and behind each slot: callers are parked
//! when the flow or a user sends them there, and who dials a slot takes the call that waits in it.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::attempt::{AttemptId, Party, Via};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::floor::Parked;
use crate::plan::{Parking, UserIndex};
use crate::sound::{PlayId, Sound, Times};

/// The longest wait of a parked call.
pub(crate) const MAX_PARK_SECONDS: u32 = 3_600;
/// How long a slot is kept for a user who asked for one.
const KEPT: Duration = Duration::from_mins(1);

/// Parks a call, or lets a user have one.
#[derive(Debug)]
pub(crate) struct Park {
    parking: Arc<Parking>,
    wait: Duration,
    door: Door,
}

/// By which way calls come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// A flow sends them.
    Flow,
    /// A user sends them to, or asks for, the next free slot.
    Code,
    /// A user sends them to this slot, or dials it.
    Slot(Arc<str>),
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    wait_seconds: Option<u32>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It is parked; who has parked it is called when nobody comes.
    Waiting {
        slot: Arc<str>,
        parker: Option<UserIndex>,
    },
    /// Who has parked it is called.
    Returning(AttemptId),
    /// It talks with who had parked it.
    Back,
    /// A user hears which slot is kept for the call that is about to be handed on.
    Asking(Arc<str>),
    /// A user hears why nothing comes of it.
    Told(PlayId),
}

impl Object for Park {
    const KIND: Kind = Kind {
        name: "park",
        title: "Park",
        palette: Palette::Advanced,
        help: "Lets the caller wait with music in the next free slot, until a user dials the \
               slot's number.",
        fields: &[Field {
            name: "wait_seconds",
            title: "Longest wait",
            help: "after how long the call goes on; as the account says when absent",
            shape: Shape::Whole {
                least: 10,
                most: MAX_PARK_SECONDS,
            },
            need: Need::Optional,
        }],
        exits: &[
            Exit {
                name: "time_out",
                title: "Waited too long",
                cause: HangupCause::NoAnswer,
                pace: Pace::AfterWaiting,
            },
            Exit {
                name: "full",
                title: "No free slot",
                cause: HangupCause::Busy,
                pace: Pace::AtOnce,
            },
        ],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let parking = compiler.parking();
        let seconds = settings.wait_seconds.map(u64::from);
        Some(Self {
            wait: seconds.map_or(parking.wait, Duration::from_secs),
            parking,
            door: Door::Flow,
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment) {
            (State::Outside, Moment::Entered) => self.arrive(state, cx),
            (State::Waiting { slot, parker }, Moment::Woken) => {
                let (slot, parker) = (Arc::clone(slot), *parker);
                free(&slot, cx);
                cx.show_in(None);
                self.time_out(parker, state, cx)
            }
            (State::Returning(attempt), Moment::Woken) => {
                cx.stop(*attempt, HangupCause::NoAnswer);
                Step::exit("time_out")
            }
            (State::Returning(_), Moment::Failed { .. }) => Step::exit("time_out"),
            (State::Returning(_), Moment::Answered { attempt }) => {
                cx.let_sleep();
                cx.connect(attempt);
                *state = State::Back;
                Step::Stay
            }
            (State::Back, Moment::Left { cause, .. }) => Step::HangUp(cause),
            (State::Told(play), Moment::Played { play: heard }) if *play == heard => {
                Step::HangUp(HangupCause::Normal)
            }
            (State::Asking(_) | State::Told(_), Moment::Woken) => Step::HangUp(HangupCause::Normal),
            (
                State::Outside
                | State::Waiting { .. }
                | State::Returning(_)
                | State::Back
                | State::Asking(_)
                | State::Told(_),
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Step::Stay,
        }
    }

    fn leave(&self, state: State, cx: &mut Cx<'_, '_>) {
        match state {
            State::Waiting { slot, .. } | State::Asking(slot) => free(&slot, cx),
            State::Outside | State::Returning(_) | State::Back | State::Told(_) => {}
        }
    }
}

impl Park {
    /// Behind the park code or a slot.
    pub(crate) fn behind(door: Door, parking: &Arc<Parking>) -> Self {
        Self {
            wait: parking.wait,
            parking: Arc::clone(parking),
            door,
        }
    }

    fn arrive(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let parker = cx.handed_on_by();
        match (&self.door, parker) {
            (Door::Flow, _) | (Door::Code, Some(_)) => self.park(parker, state, cx),
            (Door::Slot(slot), Some(_)) => self.park_at(slot, parker, state, cx),
            (Door::Code, None) => self.keep(state, cx),
            (Door::Slot(slot), None) => fetch(slot, state, cx),
        }
    }

    fn park(&self, parker: Option<UserIndex>, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let call = cx.call();
        let number = parker.and_then(|parker| cx.user_number(parker));
        let parks = cx.floor().parks();
        let Some(parked) = parks.park(&self.parking.slots, call, number.as_deref()) else {
            return Step::exit("full");
        };
        if let Parked::New(slot) = &parked {
            cx.tell_who_hands_on(vec![Sound::ParkedAt(slot.to_string())]);
        }
        self.wait_in(Arc::clone(parked.slot()), parker, state, cx)
    }

    fn park_at(
        &self,
        slot: &Arc<str>,
        parker: Option<UserIndex>,
        state: &mut State,
        cx: &mut Cx<'_, '_>,
    ) -> Step {
        let call = cx.call();
        if !cx.floor().parks().park_at(slot, call) {
            return Step::exit("full");
        }
        self.wait_in(Arc::clone(slot), parker, state, cx)
    }

    fn wait_in(
        &self,
        slot: Arc<str>,
        parker: Option<UserIndex>,
        state: &mut State,
        cx: &mut Cx<'_, '_>,
    ) -> Step {
        cx.show_in(Some(Arc::clone(&slot)));
        *state = State::Waiting { slot, parker };
        cx.play(vec![Sound::Music], Times::Forever);
        cx.wake_in(self.wait);
        Step::Stay
    }

    /// Nobody has come: who has parked the call has it back.
    fn time_out(&self, parker: Option<UserIndex>, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let Some(user) = parker else {
            return Step::exit("time_out");
        };
        let party = Party::User {
            user,
            via: Via::default(),
        };
        match cx.ring(party) {
            Err(_) => Step::exit("time_out"),
            Ok(attempt) => {
                *state = State::Returning(attempt);
                cx.wake_in(self.parking.return_time);
                Step::Stay
            }
        }
    }

    /// A user asks where to park the call that it is about to hand on.
    fn keep(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let Some(user) = cx.calling_user().map(|user| Arc::clone(&user.number)) else {
            return Step::HangUp(HangupCause::Forbidden);
        };
        let call = cx.call();
        match cx.floor().parks().keep(&self.parking.slots, &user, call) {
            Some(slot) => {
                cx.play(vec![Sound::ParkedAt(slot.to_string())], Times::Once);
                cx.wake_in(KEPT);
                *state = State::Asking(slot);
            }
            None => *state = tell("park-full", cx),
        }
        Step::Stay
    }
}

/// A user has come for the call that waits in the slot.
fn fetch(slot: &Arc<str>, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
    let call = cx.call();
    if cx.calling_user().is_none() {
        return Step::HangUp(HangupCause::Forbidden);
    }
    if !cx.floor().parks().fetch(slot, call) {
        *state = tell("park-none", cx);
    }
    Step::Stay
}

fn tell(words: &'static str, cx: &mut Cx<'_, '_>) -> State {
    let play = cx.play(vec![Sound::Prompt(words.into())], Times::Once);
    cx.wake_in(LONGEST_PLAY);
    State::Told(play)
}

fn free(slot: &str, cx: &mut Cx<'_, '_>) {
    let call = cx.call();
    cx.floor().parks().free(slot, call);
}
