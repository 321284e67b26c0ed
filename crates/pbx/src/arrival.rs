//! How a call begins: who calls, what was dialled, where in the plan it starts, and whether there
//! is room for it.

use std::sync::Arc;
use std::time::Duration;

use crate::account::MAX_CALLS_PER_ACCOUNT;
use crate::attempt::AttemptId;
use crate::call::Call;
use crate::core::{Caller, CallingUser, Core, Destination, Hears, Identity};
use crate::event::{Direction, HangupCause};
use crate::ids::LegId;
use crate::input::Origin;
use crate::number::{Dialled, E164};
use crate::origination::Placeable;
use crate::plan::{NodeIndex, Plan, Trunk, User, UserIndex};
use crate::question::Questions;
use crate::recordings::Recordings;
use crate::standing::ForwardTo;
use crate::turn::Turn;

/// Length of a call when the account sets no limit.
const MAX_CALL_LENGTH: Duration = Duration::from_hours(24);

/// Characters kept of a dialled text or a caller's number or name.
const MAX_TEXT_CHARS: usize = 64;

/// What is kept as dialled when nothing was: rows always name a destination.
const NOTHING_DIALLED: &str = "unknown";

/// Somebody calls.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) leg: LegId,
    pub(crate) origin: Origin,
    pub(crate) called: String,
    pub(crate) caller_number: Option<String>,
    pub(crate) caller_name: Option<String>,
}

/// A call that has not started, and why it must not, if so.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) call: Call,
    pub(crate) refusal: Option<HangupCause>,
}

/// Where a call goes.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) direction: Direction,
    pub(crate) destination: Destination,
    /// Where it starts, or why it does not.
    pub(crate) start: Result<NodeIndex, HangupCause>,
}

impl Arrival {
    /// The call this is the beginning of; `None` when the plan does not know who calls.
    pub(crate) fn admit(
        self,
        plan: &Arc<Plan>,
        calls: usize,
        turn: &mut Turn<'_>,
    ) -> Option<Admission> {
        let (caller, route) = match &self.origin {
            Origin::Device { username } => {
                let (index, user, _) = plan.device(username)?;
                let route = route_of_user(plan, &self.called);
                let user = (index, user);
                let identity = identity_of_user(plan, user, None, route.direction);
                (Caller::user(self.leg, user, identity), route)
            }
            Origin::Trunk { name } => {
                let (_, trunk) = plan.trunk(name)?;
                (
                    self.outside_caller(trunk, plan),
                    route_of_trunk(plan, trunk, &self.called),
                )
            }
        };
        let full = is_full(plan, &caller, &route, calls, turn);
        let refusal = if full {
            Some(HangupCause::LimitReached)
        } else {
            route.start.err()
        };
        Some(Admission {
            call: new_call(plan, caller, route, turn),
            refusal,
        })
    }

    fn outside_caller(&self, trunk: &Trunk, plan: &Plan) -> Caller {
        let identity = identity(self.caller_number.as_deref(), plan, trunk);
        Caller {
            name: self
                .caller_name
                .as_deref()
                .map(shortened)
                .filter(|name| !name.is_empty()),
            trunk: Some(Arc::clone(&trunk.name)),
            ..Caller::on(self.leg, identity)
        }
    }
}

impl Caller {
    /// A user who calls from `leg`.
    fn user(leg: LegId, (index, user): (UserIndex, &User), identity: Identity) -> Self {
        Self {
            name: Some(user.who.name.to_string()),
            user: Some(CallingUser {
                user: index,
                who: user.who.clone(),
                answered: false,
            }),
            ..Self::on(leg, identity)
        }
    }
}

impl Placeable<'_> {
    /// The call it becomes, whose caller is not there yet; `None` when a limit keeps it out.
    pub(crate) fn admit(
        self,
        plan: &Arc<Plan>,
        calls: usize,
        turn: &mut Turn<'_>,
    ) -> Option<(Call, UserIndex)> {
        let Placeable {
            user,
            index,
            route,
            present,
            identity,
        } = self;
        let leg = turn.ids.leg();
        let caller = Caller {
            hears: Hears::Absent,
            presents: present,
            ..Caller::user(leg, (index, user), identity)
        };
        let full = is_full(plan, &caller, &route, calls, turn);
        (!full).then(|| (new_call(plan, caller, route, turn), index))
    }
}

/// Inside the account a user is known by the internal number, outside by the one presented.
pub(crate) fn identity_of_user(
    plan: &Plan,
    (index, user): (UserIndex, &User),
    presents: Option<E164>,
    direction: Direction,
) -> Identity {
    let inside = Identity::Plain(user.who.number.to_string());
    match direction {
        Direction::Outbound => presents
            .or_else(|| plan.presented_number(index))
            .map_or(inside, Identity::Number),
        Direction::Internal | Direction::Inbound => inside,
    }
}

fn new_call(plan: &Arc<Plan>, caller: Caller, route: Route, turn: &mut Turn<'_>) -> Call {
    let node = route.start.unwrap_or(plan.outbound_node);
    let length = plan
        .limits
        .call_length
        .unwrap_or(MAX_CALL_LENGTH)
        .min(MAX_CALL_LENGTH);
    let core = Core {
        id: turn.ids.calls.next(turn.now),
        plan: Arc::clone(plan),
        direction: route.direction,
        caller,
        destination: route.destination,
        dialling: None,
        handing: None,
        slot: None,
        attempts: Vec::new(),
        last_attempt: AttemptId::default(),
        recordings: Recordings::default(),
        questions: Questions::default(),
        wake_at: None,
        ends_at: turn.now + length,
        started_at: turn.now,
    };
    Call::new(core, node)
}

/// Internal numbers, feature codes and numbers of the account itself come before any trunk.
pub(crate) fn route_of_user(plan: &Plan, called: &str) -> Route {
    if let Some((UserIndex(user), _)) = plan.user_by_number(called) {
        return Route {
            direction: Direction::Internal,
            destination: Destination::Plain(called.to_owned()),
            start: plan
                .user_nodes
                .get(user)
                .copied()
                .ok_or(HangupCause::NotFound),
        };
    }
    let own = plan.flow_nodes.get(called).copied();
    if let Some(node) = own.or_else(|| plan.code_node(called)) {
        return Route {
            direction: Direction::Internal,
            destination: Destination::Plain(as_dialled(called)),
            start: Ok(node),
        };
    }
    match plan.numbering.dialled(called) {
        Dialled::Number(number) => {
            let destination = Destination::Number(number);
            match plan.numbers.get(&number) {
                Some(own) => Route {
                    direction: Direction::Internal,
                    destination,
                    start: Ok(*own),
                },
                None => route_outside(plan, destination),
            }
        }
        Dialled::Local(digits) => {
            let internal = plan.looks_internal(&digits);
            let route = route_outside(plan, Destination::Plain(digits));
            if internal {
                let start = Err(HangupCause::NotFound);
                return Route { start, ..route };
            }
            route
        }
        Dialled::Other => Route {
            direction: Direction::Outbound,
            destination: Destination::Plain(as_dialled(called)),
            start: Err(HangupCause::NotFound),
        },
    }
}

/// Dialled behind the code for a forward: the user's own mailbox.
const MAILBOX: &str = "*";

/// Where a user may have calls forwarded to by dialling this: to a colleague, to a number outside that
/// the account may call, or to the own mailbox. Not to a call for help.
pub(crate) fn forward_target(plan: &Plan, user: &str, dialled: &str) -> Option<ForwardTo> {
    if dialled == MAILBOX {
        return Some(ForwardTo::Voicemail);
    }
    if let Some((_, other)) = plan.user_by_number(dialled) {
        let number = &other.who.number;
        return (**number != *user).then(|| ForwardTo::User(Arc::clone(number)));
    }
    let route = route_of_user(plan, dialled);
    match (route.direction, route.start, route.destination) {
        (Direction::Outbound, Ok(_), Destination::Number(number)) => {
            Some(ForwardTo::Number(number))
        }
        _ => None,
    }
}

fn route_outside(plan: &Plan, destination: Destination) -> Route {
    let is_allowed = plan.dialling.allows(&destination);
    let start = is_allowed.then_some(plan.outbound_node);
    Route {
        direction: Direction::Outbound,
        destination,
        start: start.ok_or(HangupCause::Forbidden),
    }
}

fn route_of_trunk(plan: &Plan, trunk: &Trunk, called: &str) -> Route {
    let number = plan.carried_number(trunk, called);
    let start = number.and_then(|number| plan.numbers.get(&number).copied());
    Route {
        direction: Direction::Inbound,
        destination: number.map_or_else(
            || Destination::Plain(as_dialled(called)),
            Destination::Number,
        ),
        start: start.ok_or(HangupCause::NotFound),
    }
}

/// Whether a limit keeps this caller out: of calls at once, of the user, or of the trunk. Whoever
/// calls for help is kept out by what the server itself can bear only.
fn is_full(plan: &Plan, caller: &Caller, route: &Route, calls: usize, turn: &mut Turn<'_>) -> bool {
    let for_help = route.direction == Direction::Outbound && route.destination.is_call_for_help();
    let limit = plan
        .limits
        .calls
        .filter(|_| !for_help)
        .and_then(|calls| usize::try_from(calls).ok());
    if calls
        >= limit
            .unwrap_or(MAX_CALLS_PER_ACCOUNT)
            .min(MAX_CALLS_PER_ACCOUNT)
    {
        return true;
    }
    if let Some(user) = &caller.user {
        let limit = plan.limits.calls_per_user.filter(|_| !for_help);
        return turn.floor.users().is_full(&user.who.number, limit);
    }
    let trunk = caller.trunk.as_deref().and_then(|name| plan.trunk(name));
    trunk.is_some_and(|(_, trunk)| turn.floor.trunks().is_full(&trunk.name, trunk.calls))
}

/// A caller's number as a carrier sent it. What is neither a number nor digits is withheld:
/// rows and webhooks carry digits or nothing.
fn identity(number: Option<&str>, plan: &Plan, trunk: &Trunk) -> Identity {
    let Some(text) = number else {
        return Identity::Withheld;
    };
    if let Some(number) = plan.carried_number(trunk, text) {
        return Identity::Number(number);
    }
    match plan.numbering.dialled(text) {
        Dialled::Number(number) => Identity::Number(number),
        Dialled::Local(digits) => Identity::Plain(digits),
        Dialled::Other => Identity::Withheld,
    }
}

fn as_dialled(called: &str) -> String {
    let text = shortened(called);
    if text.is_empty() {
        NOTHING_DIALLED.to_owned()
    } else {
        text
    }
}

fn shortened(text: &str) -> String {
    let visible = text.trim().chars().filter(|char| !char.is_control());
    visible.take(MAX_TEXT_CHARS).collect()
}
