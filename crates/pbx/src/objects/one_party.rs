//! What objects share that ring one party: whoever answers is connected, and a call that nobody
//! takes goes on as the object says.

use std::time::Duration;

use crate::attempt::{AttemptId, Party};
use crate::cx::{Cx, Moment, Step};
use crate::event::HangupCause;
use crate::input::Failure;

/// What a call does in such an object.
#[derive(Debug, Default)]
pub(crate) enum OneParty {
    /// It has not come yet.
    #[default]
    Outside,
    /// The party is rung.
    Ringing(AttemptId),
    /// The party talks with the caller.
    Talking,
}

/// Whom to ring, and for how long.
pub(super) struct Ring {
    pub(super) party: Party,
    pub(super) time: Duration,
}

impl OneParty {
    /// Takes a moment in; `ring` is asked when the call comes, `failed` when nobody takes it.
    pub(super) fn handle(
        &mut self,
        moment: Moment,
        cx: &mut Cx<'_, '_>,
        ring: impl FnOnce(&Cx<'_, '_>) -> Ring,
        failed: fn(Failure) -> Step,
    ) -> Step {
        match (&*self, moment) {
            (Self::Outside, Moment::Entered) => {
                let ring = ring(cx);
                self.start(ring, cx, failed)
            }
            (Self::Ringing(attempt), Moment::Woken) => {
                cx.stop(*attempt, HangupCause::NoAnswer);
                failed(Failure::NoAnswer)
            }
            (Self::Ringing(_), Moment::Answered { attempt }) => {
                cx.let_sleep();
                cx.connect(attempt);
                *self = Self::Talking;
                Step::Stay
            }
            (Self::Ringing(_), Moment::Failed { failure, .. }) => failed(failure),
            (_, Moment::Left { cause, .. }) => Step::HangUp(cause),
            (
                Self::Outside | Self::Ringing(_) | Self::Talking,
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Step::Stay,
        }
    }

    fn start(&mut self, ring: Ring, cx: &mut Cx<'_, '_>, failed: fn(Failure) -> Step) -> Step {
        match cx.ring(ring.party) {
            Err(failure) => failed(failure),
            Ok(attempt) => {
                *self = Self::Ringing(attempt);
                cx.wake_in(ring.time);
                Step::Stay
            }
        }
    }
}
