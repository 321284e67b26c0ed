//! Rings all devices of a user together; the first to answer takes the call.

use std::time::Duration;

use serde::Deserialize;

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::attempt::{AttemptId, Party, Via};
use crate::cx::{Cx, Moment, Step};
use crate::draft::{Compiler, MAX_RING_SECONDS, MIN_RING_SECONDS};
use crate::event::HangupCause;
use crate::input::Failure;
use crate::plan::UserIndex;

/// Rings a user.
#[derive(Debug)]
pub(crate) struct RingUser {
    pub(crate) user: UserIndex,
    pub(crate) ring_time: Duration,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    user: String,
    #[serde(default)]
    ring_seconds: Option<u32>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// The devices ring.
    Ringing(AttemptId),
    /// The user talks with the caller.
    Talking,
}

impl Object for RingUser {
    const KIND: Kind = Kind {
        name: "user",
        title: "User",
        palette: Palette::Basic,
        help: "Rings all devices of a user together. The first to answer takes the call; the \
               others stop.",
        fields: &[
            Field {
                name: "user",
                title: "User",
                help: "whose devices ring",
                shape: Shape::User,
                need: Need::Required,
            },
            Field {
                name: "ring_seconds",
                title: "Ring time",
                help: "how long they ring; the user's own ring time when absent",
                shape: Shape::Whole {
                    least: MIN_RING_SECONDS,
                    most: MAX_RING_SECONDS,
                },
                need: Need::Optional,
            },
        ],
        exits: &[
            Exit {
                name: "no_answer",
                title: "No answer",
                cause: HangupCause::NoAnswer,
                pace: Pace::AfterWaiting,
            },
            Exit {
                name: "busy",
                title: "Busy",
                cause: HangupCause::Busy,
                pace: Pace::AtOnce,
            },
            Exit {
                name: "unavailable",
                title: "Unavailable",
                cause: HangupCause::Unavailable,
                pace: Pace::AtOnce,
            },
        ],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let (user, own_ring_time) = compiler.user("user", &settings.user)?;
        let ring_time = settings
            .ring_seconds
            .map_or(own_ring_time, |seconds| Duration::from_secs(seconds.into()));
        Some(Self { user, ring_time })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment) {
            (State::Outside, Moment::Entered) => self.start(state, cx),
            (State::Ringing(attempt), Moment::Woken) => {
                cx.stop(*attempt, HangupCause::NoAnswer);
                Step::exit("no_answer")
            }
            (State::Ringing(_), Moment::Answered { attempt }) => {
                cx.let_sleep();
                cx.connect(attempt);
                *state = State::Talking;
                Step::Stay
            }
            (State::Ringing(_), Moment::Failed { failure, .. }) => exit_for(failure),
            (_, Moment::Left { cause, .. }) => Step::HangUp(cause),
            (
                State::Outside | State::Ringing(_) | State::Talking,
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_),
            ) => Step::Stay,
        }
    }
}

impl RingUser {
    fn start(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        match cx.ring(Party::User {
            user: self.user,
            via: Via::default(),
        }) {
            Err(failure) => exit_for(failure),
            Ok(attempt) => {
                *state = State::Ringing(attempt);
                cx.wake_in(self.ring_time);
                Step::Stay
            }
        }
    }
}

/// A person who refuses is as good as busy; a device that cannot be spoken with is as good as
/// not there.
pub(super) fn exit_for(failure: Failure) -> Step {
    match failure {
        Failure::Busy | Failure::Declined => Step::exit("busy"),
        Failure::NoAnswer => Step::exit("no_answer"),
        Failure::NotFound
        | Failure::Incompatible
        | Failure::Rejected
        | Failure::Unavailable
        | Failure::Timeout
        | Failure::Unreachable => Step::exit("unavailable"),
    }
}
