//! Calls that a program asks for: the user's own phones ring first, and whoever picks one up has
//! dialled the number with it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::arrival::{Route, identity_of_user, route_of_user};
use crate::attempt::AttemptId;
use crate::call::{Call, Life};
use crate::core::{Core, Destination, Hears, Identity};
use crate::cx::Moment;
use crate::effect::CallerId;
use crate::event::HangupCause;
use crate::input::Failure;
use crate::number::E164;
use crate::plan::{NumberFormat, Plan, User, UserIndex};
use crate::turn::Turn;

/// What a program asks for, as it wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origination {
    /// The internal number of the user whose phones ring.
    pub user: String,
    /// Whom to call then: an international number, with or without `+`, or an internal one.
    pub number: String,
    /// What the called party is shown: a number of the account. An internal number stands for the
    /// user's own choice, as nothing does.
    pub caller_id: Option<String>,
}

/// Why a program's call was not begun. Nothing was remembered of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unplaced {
    /// No user has that number.
    UnknownUser,
    /// It is neither an international number nor an internal one of the account.
    NotDiallable,
    /// The account does not allow calls there.
    Forbidden,
    /// It is no number of the account, and showing another's is spoofing.
    NotPresentable,
    /// None of the user's devices is registered.
    NotRegistered,
    /// The account or the user has as many calls as allowed.
    LimitReached,
    /// The server takes no new calls at the moment.
    Unavailable,
}

/// A program's call that may begin.
#[derive(Debug)]
pub struct Placeable<'a> {
    /// Whose phones ring.
    pub user: &'a User,
    pub(crate) index: UserIndex,
    pub(crate) route: Route,
    pub(crate) present: Option<E164>,
    pub(crate) identity: Identity,
}

impl Placeable<'_> {
    /// Who is said to call, as rows have it.
    pub fn caller_id(&self) -> Option<String> {
        self.identity.digits()
    }

    /// Who is called, as rows have it.
    pub fn dest_number(&self) -> String {
        self.route.destination.digits()
    }
}

impl Plan {
    /// Reads what a program asks for under this plan, or says which field is wrong and why.
    pub fn placeable(&self, asked: &Origination) -> Result<Placeable<'_>, Unplaced> {
        let (index, user) = self
            .user_by_number(asked.user.trim())
            .ok_or(Unplaced::UnknownUser)?;
        let number = asked.number.trim();
        let is_inside =
            self.user_by_number(number).is_some() || self.flow_nodes.contains_key(number);
        let dialled = if is_inside {
            number.to_owned()
        } else {
            // Programs write international numbers, whatever the same digits mean on a phone.
            self.numbering
                .carried(number, NumberFormat::E164)
                .map(|number| format!("+{number}"))
                .ok_or(Unplaced::NotDiallable)?
        };
        let route = route_of_user(self, &dialled);
        if route.start == Err(HangupCause::Forbidden) {
            return Err(Unplaced::Forbidden);
        }
        let present = self.presentable(asked.caller_id.as_deref())?;
        let identity = identity_of_user(self, (index, user), present, route.direction);
        Ok(Placeable {
            user,
            index,
            route,
            present,
            identity,
        })
    }

    fn presentable(&self, caller_id: Option<&str>) -> Result<Option<E164>, Unplaced> {
        let Some(text) = caller_id.map(str::trim) else {
            return Ok(None);
        };
        if self.user_by_number(text).is_some() {
            return Ok(None);
        }
        self.numbering
            .carried(text, NumberFormat::E164)
            .filter(|number| self.has_number(*number))
            .map(Some)
            .ok_or(Unplaced::NotPresentable)
    }
}

impl Call {
    /// Tells the call's beginning and rings the caller's own phones.
    pub(crate) fn summon(&mut self, user: UserIndex, turn: &mut Turn<'_>) -> Life {
        self.core.open(turn);
        match self.core.ring_caller_phones(user, turn) {
            Ok(_) => Life::Goes,
            Err(failure) => self.finish(cause_of(failure), turn),
        }
    }

    /// What happens before the caller has picked up: the first phone is the caller's, and the call
    /// enters its first object as if it had been dialled there.
    pub(crate) fn without_caller(&mut self, moment: Moment, turn: &mut Turn<'_>) -> Life {
        match moment {
            Moment::Answered { attempt } => {
                self.core.wake_at = None;
                self.core.take_as_caller(attempt);
                self.enter_first(turn)
            }
            Moment::Failed { failure, .. } => self.finish(cause_of(failure), turn),
            Moment::Left { cause, .. } => self.finish(cause, turn),
            Moment::Woken => self.finish(HangupCause::NoAnswer, turn),
            Moment::Entered
            | Moment::Played { .. }
            | Moment::Recorded { .. }
            | Moment::Digit(_)
            | Moment::Told
            | Moment::InLine(_)
            | Moment::InRoom(_) => Life::Goes,
        }
    }
}

impl Core {
    /// The phones show whom the call is for.
    fn ring_caller_phones(
        &mut self,
        index: UserIndex,
        turn: &mut Turn<'_>,
    ) -> Result<AttemptId, Failure> {
        let plan = Arc::clone(&self.plan);
        let user = plan.user(index).ok_or(Failure::NotFound)?;
        let shown = match &self.destination {
            Destination::Number(number) => CallerId {
                number: Some(format!("+{number}")),
                name: None,
            },
            Destination::Plain(number) => CallerId {
                number: Some(number.clone()),
                name: plan
                    .user_by_number(number)
                    .map(|(_, called)| called.who.name.to_string()),
            },
        };
        self.wake_at = Some(turn.now + user.ring_time);
        self.ring_own_phones(user, &shown, turn)
    }

    /// The phone that answered is the caller's leg from now on. Nobody has answered the call yet.
    fn take_as_caller(&mut self, id: AttemptId) {
        if let Some(leg) = self.take_answered(id) {
            self.caller.leg = leg;
            self.caller.hears = Hears::Answered;
        }
    }
}

fn cause_of(failure: Failure) -> HangupCause {
    match failure {
        Failure::Busy => HangupCause::Busy,
        Failure::Declined => HangupCause::Declined,
        Failure::NoAnswer => HangupCause::NoAnswer,
        Failure::Incompatible => HangupCause::Incompatible,
        Failure::NotFound
        | Failure::Rejected
        | Failure::Unavailable
        | Failure::Timeout
        | Failure::Unreachable => HangupCause::Unavailable,
    }
}
