//! A user's call to the outside: the trunks in their order, until one takes it. Not drawn by
//! anybody: the plan has one for the numbers nobody in the account has.

use std::time::Duration;

use serde::Deserialize;

use super::{Kind, Object, Palette};
use crate::attempt::{Accept, AttemptId, Party};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::input::Failure;

/// How long the outside may ring. Longer than carriers let it, so that theirs is the decision.
pub(super) const RING_TIME: Duration = Duration::from_mins(3);

/// Calls what the caller dialled.
#[derive(Debug)]
pub(crate) struct Outbound;

/// It has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// A trunk is at it.
    Ringing(AttemptId),
    /// The called party talks with the caller.
    Talking,
}

impl Object for Outbound {
    const KIND: Kind = Kind {
        name: "outbound",
        title: "Outbound call",
        palette: Palette::Hidden,
        help: "Calls the number that a user dialled, by the first trunk that takes the call.",
        fields: &[],
        exits: &[],
    };

    type Settings = Settings;
    type State = State;

    fn compile(_settings: Settings, _compiler: &mut Compiler<'_>) -> Option<Self> {
        Some(Self)
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment) {
            (State::Outside, Moment::Entered) => start(state, cx),
            (State::Ringing(attempt), Moment::Woken) => {
                cx.stop(*attempt, HangupCause::NoAnswer);
                Step::HangUp(HangupCause::NoAnswer)
            }
            (State::Ringing(_), Moment::Answered { attempt }) => {
                cx.let_sleep();
                cx.connect(attempt);
                *state = State::Talking;
                Step::Stay
            }
            (State::Ringing(_), Moment::Failed { failure, .. }) => Step::HangUp(cause_of(failure)),
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

fn start(state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
    let party = Party::Outside {
        number: cx.dialled().clone(),
        present: cx.presented_number(),
        accept: Accept::AtOnce,
    };
    match cx.ring(party) {
        Err(failure) => Step::HangUp(cause_of(failure)),
        Ok(attempt) => {
            *state = State::Ringing(attempt);
            cx.wake_in(RING_TIME);
            Step::Stay
        }
    }
}

fn cause_of(failure: Failure) -> HangupCause {
    match failure {
        Failure::Busy => HangupCause::Busy,
        Failure::Declined => HangupCause::Declined,
        Failure::NoAnswer => HangupCause::NoAnswer,
        Failure::NotFound => HangupCause::NotFound,
        Failure::Incompatible => HangupCause::Incompatible,
        Failure::Rejected => HangupCause::Unavailable,
        Failure::Unavailable | Failure::Timeout | Failure::Unreachable => HangupCause::Congested,
    }
}
