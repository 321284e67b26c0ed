//! Rings all devices of a user together; the first to answer takes the call.

use std::time::Duration;

use serde::Deserialize;

use super::forwards::Forwarding;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
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

impl Object for RingUser {
    const KIND: Kind = Kind {
        name: "user",
        title: "User",
        palette: Palette::Basic,
        help: "Rings all devices of a user together. The first to answer takes the call; the \
               others stop. Where the user forwards calls to, is rung instead; when nobody takes \
               the call there either, it leaves by the exit that it would have left by here.",
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
    type State = Forwarding;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let (user, own_ring_time) = compiler.user("user", &settings.user)?;
        let ring_time = settings
            .ring_seconds
            .map_or(own_ring_time, |seconds| Duration::from_secs(seconds.into()));
        Some(Self { user, ring_time })
    }

    fn handle(&self, state: &mut Forwarding, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        state.handle((self.user, self.ring_time), moment, cx)
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
