//! Who takes over which call: a phone that names the leg whose place it takes (RFC 3891), or that
//! dials a code for a call that rings. The call that is taken stays one call, and the phone that
//! takes it makes none.

use std::collections::BTreeSet;
use std::sync::Arc;

use clock::Time;

use crate::account::Account;
use crate::arrival::Arrival;
use crate::attempt::{AttemptId, Place, Taker};
use crate::call::{Call, Life};
use crate::codes::Feature;
use crate::effect::Effect;
use crate::event::{HangupCause, UserRef};
use crate::ids::{CallId, Ids, LegId};
use crate::input::Origin;
use crate::objects::AnyObject;
use crate::plan::{Plan, UserIndex};
use crate::turn::Turn;

/// A phone that wants to take a call over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TakesOver<'a> {
    pub(crate) leg: LegId,
    pub(crate) username: &'a str,
}

/// Whose ringing call a code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// That user's.
    Of(&'a str),
    /// Any colleague's.
    Any,
}

impl Account {
    /// The phone takes the place of that leg, or is refused.
    pub(crate) fn replace(&mut self, of: LegId, by: TakesOver<'_>, now: Time, ids: &mut Ids) {
        let call = self.call_of(of);
        let place = call.and_then(|call| Some((call.core.id, call.core.place_of(of)?)));
        let taken = place.is_some_and(|(call, place)| match place {
            Place::Rings(attempt) => self.take((call, attempt), by, now, ids),
            Place::Talks => self.take_place((call, of), by, now, ids),
        });
        if !taken {
            self.effects.push(Effect::HangUp {
                leg: by.leg,
                cause: HangupCause::Forbidden,
            });
        }
    }

    /// Whether somebody who calls has taken a call by it, and calls nobody.
    pub(crate) fn picked_up(&mut self, arrival: &Arrival, now: Time, ids: &mut Ids) -> bool {
        let Origin::Device { username } = &arrival.origin else {
            return false;
        };
        let wanted = match self.plan().codes.dialled(&arrival.called) {
            Some((code, "")) if code.feature == Feature::PickUp => Wanted::Any,
            Some((code, of)) if code.feature == Feature::PickUp => Wanted::Of(of),
            Some(_) | None => return false,
        };
        let leg = arrival.leg;
        self.pick_up(wanted, TakesOver { leg, username }, now, ids)
    }

    /// The phone takes the call that has rung longest of those that are wanted. `false`: there is
    /// none, or it may not.
    fn pick_up(&mut self, wanted: Wanted<'_>, by: TakesOver<'_>, now: Time, ids: &mut Ids) -> bool {
        let Some((taker, _, _)) = self.plan().device(by.username) else {
            return false;
        };
        let colleagues = self.plan().colleagues(taker);
        let is_wanted = |who: &UserRef| match (wanted, &colleagues) {
            (Wanted::Of(number), _) => *who.number == *number,
            (Wanted::Any, Some(colleagues)) => colleagues.contains(&who.number),
            (Wanted::Any, None) => true,
        };
        let number = self
            .plan()
            .user(taker)
            .map(|user| Arc::clone(&user.who.number));
        let calls = self.all_calls().filter_map(|call| {
            let user = number.as_deref().and_then(|number| call.user(number))?;
            let (since, attempt) = call.core.rings_for(is_wanted)?;
            (!call.core.has_part(user, None)).then_some((since, call.core.id, attempt))
        });
        let longest = calls.min().map(|(_, call, attempt)| (call, attempt));
        longest.is_some_and(|place| self.take(place, by, now, ids))
    }

    fn take(
        &mut self,
        (id, attempt): (CallId, AttemptId),
        by: TakesOver<'_>,
        now: Time,
        ids: &mut Ids,
    ) -> bool {
        let taker = self.taker(id, None, by);
        if let Some(taker) = taker {
            self.step(id, now, ids, |call, turn| {
                call.take_ringing(attempt, taker, turn)
            });
        }
        taker.is_some()
    }

    fn take_place(
        &mut self,
        (id, of): (CallId, LegId),
        by: TakesOver<'_>,
        now: Time,
        ids: &mut Ids,
    ) -> bool {
        let taker = self.taker(id, Some(of), by);
        if let Some(taker) = taker {
            self.step(id, now, ids, |call, turn| call.replace(of, taker, turn));
        }
        taker.is_some()
    }

    /// Who takes a call over, by its own plan, unless a part in it or the limit of calls is in the
    /// way. `of` is the leg of who talks, and leaves for it.
    fn taker(&mut self, id: CallId, of: Option<LegId>, by: TakesOver<'_>) -> Option<Taker> {
        let (_, user, _) = self.plan().device(by.username)?;
        let number = Arc::clone(&user.who.number);
        let limit = self.plan().limits.calls_per_user;
        let call = self.call(id)?;
        let user = call.user(&number)?;
        let leaves = of.is_some_and(|of| call.core.talking_user(of) == Some(user));
        let has_room = leaves || call.core.rings_for_user(user);
        if call.core.has_part(user, of)
            || of.is_some_and(|of| call.may_transfer(of).is_none())
            || !has_room && self.floor_mut().users().is_full(&number, limit)
        {
            return None;
        }
        Some(Taker { user, leg: by.leg })
    }
}

impl Call {
    /// The user with that internal number, in the call's own plan.
    fn user(&self, number: &str) -> Option<UserIndex> {
        let user = self.core.plan.user_by_number(number);
        user.map(|(index, _)| index)
    }

    fn take_ringing(&mut self, attempt: AttemptId, taker: Taker, turn: &mut Turn<'_>) -> Life {
        match self.core.take_ringing(attempt, taker, turn) {
            Some(answered) => self.tell(answered, turn),
            None => Life::Goes,
        }
    }

    /// The taker comes, and the user of that leg steps out for it.
    fn replace(&mut self, of: LegId, taker: Taker, turn: &mut Turn<'_>) -> Life {
        let guest = self.core.taker_comes(taker, turn);
        self.give_place(of, guest, turn)
    }
}

impl Plan {
    /// Those who share a ring group or a queue with a user, who is among them; `None` when the user
    /// is in none, and everybody counts.
    fn colleagues(&self, user: UserIndex) -> Option<BTreeSet<Arc<str>>> {
        let own = self.user(user).map(|user| &user.who.number)?;
        let groups = self.nodes.iter().filter_map(|node| {
            if let AnyObject::RingGroup(group) = &node.object {
                Some(group.users())
            } else if let AnyObject::Queue(queue) = &node.object {
                Some(queue.agents().map(|who| Arc::clone(&who.number)).collect())
            } else {
                None
            }
        });
        let own_groups = groups.filter(|members| members.contains(own));
        let colleagues: BTreeSet<Arc<str>> = own_groups.flatten().collect();
        (!colleagues.is_empty()).then_some(colleagues)
    }
}
