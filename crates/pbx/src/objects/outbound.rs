//! A user's call to the outside: the trunks in their order, until one takes it. Not drawn by
//! anybody: the plan has one for the numbers nobody in the account has.

use std::time::Duration;

use serde::Deserialize;

use super::one_party::{OneParty, Ring};
use super::{Kind, Object, Palette};
use crate::attempt::{Accept, Party};
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
    type State = OneParty;

    fn compile(_settings: Settings, _compiler: &mut Compiler<'_>) -> Option<Self> {
        Some(Self)
    }

    fn handle(&self, state: &mut OneParty, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        state.handle(moment, cx, ring, |failure| Step::HangUp(cause_of(failure)))
    }
}

fn ring(cx: &Cx<'_, '_>) -> Ring {
    Ring {
        party: Party::Outside {
            number: cx.dialled().clone(),
            present: cx.presented_number(),
            accept: Accept::AtOnce,
        },
        time: RING_TIME,
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
