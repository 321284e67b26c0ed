//! What a call should be told as, by what was dialled and by whom.

use pbx::number::Dialled;
use pbx::{Direction, NumberFormat, Origination, Plan};

use crate::party::{Party, Role, Side};

/// The first fact of a call, as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) direction: Direction,
    pub(crate) caller_id: Option<String>,
    pub(crate) dest_number: String,
}

impl Expected {
    /// What a party's call should be told as under that plan.
    pub(crate) fn of(plan: &Plan, party: &Party, side: &Side) -> Option<Self> {
        let Side::Calling { dialled, caller } = side else {
            return None;
        };
        match &party.role {
            Role::Phone(phone) => of_phone(plan, &phone.username, dialled),
            Role::Carrier(_) => of_carrier(plan, dialled, caller.as_deref()),
        }
    }
}

impl Expected {
    /// What a program's call should be told as: as if the user had dialled it.
    pub(crate) fn of_asked(plan: &Plan, asked: &Origination) -> Option<Self> {
        let (_, user) = plan.user_by_number(&asked.user)?;
        let device = user.devices.first()?;
        let expected = of_phone(plan, &device.username, &asked.number)?;
        let shown = asked
            .caller_id
            .as_deref()
            .map(|shown| shown.trim_start_matches('+').to_owned());
        let caller_id = match expected.direction {
            Direction::Outbound => shown.or(expected.caller_id),
            Direction::Internal | Direction::Inbound => expected.caller_id,
        };
        Some(Self {
            caller_id,
            ..expected
        })
    }
}

fn of_phone(plan: &Plan, username: &str, dialled: &str) -> Option<Expected> {
    let (_, user, _) = plan.device(username)?;
    let inside = user.who.number.to_string();
    let lowest = plan.numbers().next();
    let outside = user.caller_id.or(lowest);
    let outside = outside.map_or_else(|| inside.clone(), |number| number.to_string());
    let is_code = plan.codes.dialled(dialled).is_some();
    let is_internal = is_code || plan.user_by_number(dialled).is_some();
    let (direction, dest_number) = match plan.numbering.dialled(dialled) {
        _ if is_internal => (Direction::Internal, dialled.to_owned()),
        Dialled::Number(number) if plan.has_number(number) => {
            (Direction::Internal, number.to_string())
        }
        Dialled::Number(number) => (Direction::Outbound, number.to_string()),
        Dialled::Local(digits) => (Direction::Outbound, digits),
        Dialled::Other => (Direction::Outbound, dialled.to_owned()),
    };
    let caller_id = Some(match direction {
        Direction::Outbound => outside,
        Direction::Internal | Direction::Inbound => inside,
    });
    Some(Expected {
        direction,
        caller_id,
        dest_number,
    })
}

fn of_carrier(plan: &Plan, dialled: &str, caller: Option<&str>) -> Option<Expected> {
    let called = plan.numbering.carried(dialled, NumberFormat::E164)?;
    let caller_id = caller.and_then(|caller| {
        let carried = plan.numbering.carried(caller, NumberFormat::E164);
        match (carried, plan.numbering.dialled(caller)) {
            (Some(number), _) | (None, Dialled::Number(number)) => Some(number.to_string()),
            (None, Dialled::Local(digits)) => Some(digits),
            (None, Dialled::Other) => None,
        }
    });
    Some(Expected {
        direction: Direction::Inbound,
        caller_id,
        dest_number: called.to_string(),
    })
}
