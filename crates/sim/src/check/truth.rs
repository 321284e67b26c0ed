//! When everything has come to rest: the node's record against what the parties saw. Who talked
//! with whom, from when to when, under which numbers; and nothing that nobody saw.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Time;
use media::PathId;
use pbx::cdr::{Change, Fold, Side as RowSide, UserCall};
use pbx::{CallId, Direction, Fact, HangupCause};

use super::asked::AskedCase;
use super::expected::Expected;
use super::{LegTold, Told};
use crate::Broken;
use crate::party::{Belief, End, Party, PartyId, Role, Side};
use crate::shell::Path;
use crate::world::World;

/// How long an INVITE is sent again, after its first copy has arrived.
const INVITE_LIVES: Duration = Duration::from_secs(16);

/// A party's belief about one of its calls.
#[derive(Clone, Copy)]
pub(super) struct Witness<'a> {
    pub(super) party: &'a Party,
    pub(super) belief: &'a Belief,
}

/// Everything that is known of one call.
struct Case<'a> {
    world: &'a World,
    told: &'a Told,
    caller: Witness<'a>,
    /// Who was told of each path.
    by_path: &'a BTreeMap<PathId, Vec<Witness<'a>>>,
    rows: Vec<UserCall>,
}

impl World {
    /// Holds the record against the beliefs.
    pub(crate) fn truth(&self) -> Result<(), Broken> {
        let witnesses = || {
            self.parties.iter().flat_map(|party| {
                let beliefs = party.beliefs.iter();
                beliefs.map(move |belief| Witness { party, belief })
            })
        };
        let mut by_path: BTreeMap<PathId, Vec<Witness<'_>>> = BTreeMap::new();
        for witness in witnesses() {
            for path in &witness.belief.paths {
                by_path.entry(*path).or_default().push(witness);
            }
        }
        let mut accounted: BTreeMap<PathId, CallId> = BTreeMap::new();
        for (id, told) in self.story.calls() {
            let say = |broken: String| Broken::new(format!("call {id}: {broken}"));
            accounted.extend(told.legs.iter().map(|leg| (leg.path, id)));
            let checked = match &told.asked {
                Some(asked) => {
                    let by_path = &by_path;
                    let world = self;
                    AskedCase {
                        world,
                        told,
                        asked,
                        by_path,
                    }
                    .check()
                }
                None => self.case(told, &by_path).and_then(|case| case.check()),
            };
            checked.map_err(say)?;
        }
        witnesses().try_for_each(|witness| self.is_accounted(witness, &accounted))
    }

    fn case<'a>(
        &'a self,
        told: &'a Told,
        by_path: &'a BTreeMap<PathId, Vec<Witness<'a>>>,
    ) -> Result<Case<'a>, String> {
        let caller = told.caller.as_ref().and_then(|(party, call_id)| {
            let party = self.parties.get(party.0)?;
            let is_it = |belief: &&Belief| {
                belief.call_id == *call_id && matches!(belief.side, Side::Calling { .. })
            };
            let belief = party.beliefs.iter().find(is_it)?;
            Some(Witness { party, belief })
        });
        Ok(Case {
            world: self,
            told,
            caller: caller.ok_or("nobody made it")?,
            by_path,
            rows: rows_of(told),
        })
    }

    /// What a party saw is in the record.
    fn is_accounted(
        &self,
        witness: Witness<'_>,
        accounted: &BTreeMap<PathId, CallId>,
    ) -> Result<(), Broken> {
        let Witness { party, belief } = witness;
        let unknown = belief
            .paths
            .iter()
            .find(|path| !accounted.contains_key(path));
        Broken::unless(unknown.is_none(), || {
            format!(
                "{} was told of {unknown:?}, which is in no record",
                party.name
            )
        })?;
        let has_arrived = self.story.has_arrived(party.id, &belief.call_id);
        let answered_by_nobody = matches!(belief.side, Side::Calling { .. })
            && belief.answered_at().is_some()
            && !has_arrived;
        Broken::unless(!answered_by_nobody, || {
            format!("{} talks in a call that is in no record", party.name)
        })?;
        let turned_away = matches!(belief.end(), Some((_, End::Refused(401 | 403))));
        Broken::unless(
            !turned_away || !party.is_of(&self.offices) || has_arrived || self.intervened,
            || {
                format!(
                    "{} was turned away though it is known: {belief:?}",
                    party.name
                )
            },
        )
    }
}

impl<'a> Case<'a> {
    fn check(&self) -> Result<(), String> {
        self.numbers()?;
        self.answer()?;
        self.rows_tell_the_same()?;
        // A leg that was handed on is in the record of the call that it came to.
        if !self.told.is_handed_on {
            self.winner()?;
            self.everybody_rang()?;
        }
        self.end()
    }

    fn slack(&self) -> Duration {
        self.world.weather.slack()
    }

    fn is_steady(&self, party: PartyId) -> bool {
        self.world.story.was_steady(party)
    }

    fn numbers(&self) -> Result<(), String> {
        let Some(plan) = &self.told.plan else {
            return Err("its account is unknown".to_owned());
        };
        let Some(Fact::Arrived {
            direction,
            caller_id,
            dest_number,
            ..
        }) = self.told.events.first().map(|event| &event.fact)
        else {
            return Err("it does not begin with its arrival".to_owned());
        };
        let told = Expected {
            direction: *direction,
            caller_id: caller_id.clone(),
            dest_number: dest_number.clone(),
        };
        let expected = Expected::of(plan, self.caller.party, &self.caller.belief.side);
        let expected = expected.ok_or("nobody could make it")?;
        same("arrival", &told, &expected)?;
        for row in &self.rows {
            let shown = self.shown_until(Time::from_micros(u64::MAX));
            if !shown.contains(&row.caller_id.as_deref()) {
                return Err(format!("a row has the caller {:?}", row.caller_id));
            }
            same("destination of a row", &row.dest_number, dest_number)?;
        }
        self.displays(*direction)
    }

    /// What phones may have shown of the caller by then: a flow may have it shown otherwise.
    fn shown_until(&self, at: Time) -> Vec<Option<&str>> {
        let events = self.told.events.iter().filter(|event| event.at <= at);
        let shown = events.filter_map(|event| match &event.fact {
            Fact::Arrived { caller_id, .. } | Fact::CallerShown { caller_id, .. } => {
                Some(caller_id.as_deref())
            }
            _ => None,
        });
        shown.collect()
    }

    /// Every phone that rang showed the caller.
    fn displays(&self, direction: Direction) -> Result<(), String> {
        // Whoever is left of a call that was handed on is shown then, and a phone may have come from
        // another call.
        if self.told.is_handed_on {
            return Ok(());
        }
        for leg in self
            .called_legs()
            .filter(|leg| leg.role.starts_with("device"))
        {
            for witness in self.at(leg.path) {
                let Side::Called { shown } = &witness.belief.side else {
                    continue;
                };
                let shown = shown.as_deref().map(|shown| shown.trim_start_matches('+'));
                let may_show = self.shown_until(witness.belief.began);
                if direction != Direction::Outbound && !may_show.contains(&shown) {
                    return Err(format!(
                        "a display shows {shown:?}, should be of {may_show:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn path_of_caller(&self) -> Option<&'a Path> {
        let leg = self.told.legs.iter().find(|leg| leg.role == "caller")?;
        self.world.shell.path(leg.path)
    }

    /// When we answered the caller ourselves.
    fn picked_up_at(&self) -> Option<Time> {
        self.path_of_caller()?.voiced.map(|(first, _)| first)
    }

    /// When the caller was connected with a number outside that had answered: of who is no user
    /// and calls through no group nothing is told.
    fn outside_answered_at(&self) -> Option<Time> {
        let bridges = &self.path_of_caller()?.bridges;
        let has_answered = |at: Time, path: PathId| {
            let is_trunk = |leg: &&LegTold| leg.path == path && leg.role.starts_with("trunk");
            let mut witnesses = self.at(path);
            self.called_legs().any(|leg| is_trunk(&leg))
                && witnesses.any(|witness| witness.belief.answered_at().is_some_and(|on| on <= at))
        };
        let mut answered = bridges.iter().filter(|(at, path)| has_answered(*at, *path));
        answered.next().map(|(at, _)| *at)
    }

    /// The caller was answered when the record says so, and the other way round.
    fn answer(&self) -> Result<(), String> {
        let picked_up = self.picked_up_at();
        let told = [
            self.told.answered_at(picked_up),
            picked_up,
            self.outside_answered_at(),
        ];
        let told = told.into_iter().flatten().min();
        let seen = self.caller.belief.answered_at();
        let is_steady = self.is_steady(self.caller.party.id);
        match (told, seen) {
            (None, None) => Ok(()),
            (Some(told), Some(seen)) if told <= seen && seen - told <= self.slack() => Ok(()),
            (Some(told), Some(seen)) if told <= seen && !is_steady => Ok(()),
            // The answer and the caller's end have crossed.
            (Some(told), None) => {
                let ended = self.caller.belief.end();
                let crossed = ended.is_some_and(|(at, _)| at <= told + self.slack());
                if crossed || !is_steady {
                    Ok(())
                } else {
                    Err(format!("told as answered, but the caller saw {ended:?}"))
                }
            }
            (Some(_) | None, Some(_)) => {
                Err(format!("told as answered at {told:?}, seen as at {seen:?}"))
            }
        }
    }

    fn rows_tell_the_same(&self) -> Result<(), String> {
        let ended = self.told.events.iter().find_map(|event| match event.fact {
            Fact::Ended { .. } => Some(event.at),
            _ => None,
        });
        let ended = ended.ok_or("it has no end")?;
        for row in &self.rows {
            let is_it = |fact: &Fact| match (fact, row.kind.side()) {
                (Fact::UserAnswered { user }, RowSide::Inbound)
                | (Fact::OutboundAnswered { user }, RowSide::Outbound) => {
                    user.number == row.user_number
                }
                _ => false,
            };
            let events = self.told.events.iter();
            let answered = events
                .clone()
                .find(|event| is_it(&event.fact))
                .map(|event| event.at);
            same("connected_at of a row", &row.connected_at, &answered)?;
            if let (Some(answered), Some(row_ended)) = (answered, row.ended_at) {
                let talked = u64::from(row.conversation_duration_seconds);
                let longest = (row_ended - answered).as_secs();
                if talked > longest || row_ended > ended {
                    return Err(format!("a row says {talked} s of {longest} s"));
                }
            }
        }
        Ok(())
    }

    /// The leg that was bridged when the call was answered is that of who answered it.
    fn winner(&self) -> Result<(), String> {
        let Some(answered) = self.told.answered_at(self.picked_up_at()) else {
            return Ok(());
        };
        let path = self.path_of_caller().ok_or("its caller has no path")?;
        let bridges = &path.bridges;
        // Early media may have begun at the same instant.
        let bridged = bridges.iter().rfind(|(at, _)| *at == answered);
        let (_, bridged) = bridged.ok_or("nobody is bridged when it is answered")?;
        let mut legs = self.called_legs();
        let leg = legs
            .find(|leg| leg.path == *bridged)
            .ok_or("the caller is bridged with a stranger")?;
        self.is_of_who_answered(leg)?;
        // Who was asked has answered long before it takes the call.
        let was_asked = self.world.shell.was_voiced(leg.path);
        let accepts = |witness: &Witness<'a>| {
            let at = witness.belief.answered_at();
            let is_late = was_asked || !self.is_steady(witness.party.id);
            at.is_some_and(|at| at <= answered && (is_late || answered - at <= self.slack()))
        };
        // Two phones at one address share a leg, and the second to answer talks for a moment only.
        let mut talked = self
            .at(leg.path)
            .filter(accepts)
            .map(|witness| self.talk_time(witness, was_asked.then_some(answered)));
        let first = talked.next().ok_or("told as answered, but nobody did")?;
        if first.is_ok() || talked.any(|talked| talked.is_ok()) {
            return Ok(());
        }
        first
    }

    /// Every phone of a user that could be called was.
    fn everybody_rang(&self) -> Result<(), String> {
        let world = self.world;
        if world.weather.loss_percent > 0 || world.intervened || world.is_short_of_ports {
            return Ok(());
        }
        for event in &self.told.events {
            if let Fact::UserRinging { user, .. } = &event.fact
                && !self.told.away.contains(&*user.number)
                && self.rang_for_a_while(&user.number, event.at)
            {
                let silent = world.parties.iter().find(|party| {
                    self.could_ring(party, &user.number, event.at) && !self.rang(party)
                });
                if let Some(party) = silent {
                    return Err(format!("{} did not ring", party.name));
                }
            }
        }
        Ok(())
    }

    /// Not if there was no use in it from the start.
    fn rang_for_a_while(&self, user: &str, since: Time) -> bool {
        let is_end = |fact: &Fact| match fact {
            Fact::UserAnswered { user: who } | Fact::UserEnded { user: who } => {
                &*who.number == user
            }
            _ => false,
        };
        let mut later = self.told.events.iter().filter(|event| event.at >= since);
        later
            .find(|event| is_end(&event.fact))
            .is_some_and(|event| event.at > since)
    }

    fn could_ring(&self, party: &Party, user: &str, at: Time) -> bool {
        let Role::Phone(phone) = &party.role else {
            return false;
        };
        let plan = self.told.plan.as_ref();
        let owner = plan.and_then(|plan| Some(plan.device(&phone.username)?.1));
        plan.is_some_and(|plan| plan.account == phone.account)
            && owner.is_some_and(|owner| &*owner.who.number == user)
            && phone.was_registered_around(at)
            && self.is_steady(party.id)
    }

    fn rang(&self, party: &Party) -> bool {
        let paths = self.called_legs().map(|leg| leg.path);
        paths
            .flat_map(|path| self.at(path))
            .any(|witness| witness.party.id == party.id)
    }

    fn is_of_who_answered(&self, leg: &LegTold) -> Result<(), String> {
        let who = self.told.events.iter().find_map(|event| match &event.fact {
            Fact::UserAnswered { user } => Some(&user.number),
            _ => None,
        });
        let username = leg.role.strip_prefix("device ");
        let plan = self.told.plan.as_ref();
        let owner = username.and_then(|username| {
            let (_, user, _) = plan?.device(username)?;
            Some(&user.who.number)
        });
        // A number outside to which a user forwards calls is as good as a phone of that user.
        let story = &self.world.story;
        if leg.role.starts_with("trunk") && who.is_some_and(|who| story.has_forwarded(who)) {
            return Ok(());
        }
        same("who answered", &who, &owner)
    }

    /// As long as the parties talked, the rows say they did: since the answer, or since who had
    /// answered took the call.
    fn talk_time(&self, called: Witness<'_>, taken_at: Option<Time>) -> Result<(), String> {
        let steady = self.is_steady(called.party.id) && self.is_steady(self.caller.party.id);
        let talked = |belief: &Belief| {
            let (since, (until, _)) = (belief.answered_at()?, belief.end()?);
            Some(until - since)
        };
        let with_called = match (taken_at, called.belief.end()) {
            (Some(taken_at), Some((until, _))) => Some(until - taken_at),
            (Some(_) | None, _) => talked(called.belief),
        };
        let with_us = talked(self.caller.belief);
        for row in self.rows.iter().filter(|row| row.connected_at.is_some()) {
            let told = Duration::from_secs(row.conversation_duration_seconds.into());
            // Who was picked up talks with us first.
            let is_picked_up =
                row.kind.side() == RowSide::Outbound && self.picked_up_at().is_some();
            let seen = if is_picked_up { with_us } else { with_called };
            let Some(seen) = seen else {
                continue;
            };
            let difference = told.abs_diff(seen);
            if steady && difference > self.slack() {
                return Err(format!("a row says {told:?}, but they talked for {seen:?}"));
            }
        }
        Ok(())
    }

    /// When one side is gone the call is over, and when the call is over everybody knows.
    fn end(&self) -> Result<(), String> {
        let last = self.told.events.last();
        let Some((at, Fact::Ended { cause })) = last.map(|event| (event.at, &event.fact)) else {
            return Err("it does not end with its end".to_owned());
        };
        let (caller, slack) = (self.caller.belief, self.slack());
        if self.told.is_handed_on {
            return self.nobody_is_left(at);
        }
        if !self.is_steady(self.caller.party.id) {
            return Ok(());
        }
        let gone = caller.end().ok_or("its caller still waits")?;
        // A copy of an INVITE that was turned away without memory may be taken after a change.
        let was_turned_away = matches!(gone.1, End::Refused(401 | 403));
        if was_turned_away && self.world.intervened {
            return Ok(());
        }
        let is_late = at > gone.0 + slack || gone.0 > at + slack;
        if is_late {
            return Err(format!("it ends at {at}, its caller is gone at {gone:?}"));
        }
        if let (_, End::Refused(code)) = gone {
            self.refused_as(code, *cause)?;
        }
        self.nobody_is_left(at)
    }

    fn nobody_is_left(&self, at: Time) -> Result<(), String> {
        for leg in self.called_legs() {
            for witness in self.at(leg.path) {
                called_is_over(self.world, witness, at)?;
            }
        }
        Ok(())
    }

    /// The caller was told why.
    fn refused_as(&self, code: u16, cause: HangupCause) -> Result<(), String> {
        // A copy of an INVITE that was turned away without memory may be taken after a change.
        if self.world.intervened {
            return Ok(());
        }
        let is_lossy = self.world.weather.loss_percent > 0;
        let is_busy = code == 486 && cause == HangupCause::LimitReached;
        if code == cause.status() || is_busy || (is_lossy && matches!(code, 408 | 503)) {
            return Ok(());
        }
        Err(format!("it ends as {cause:?}, the caller was told {code}"))
    }

    fn called_legs(&self) -> impl Iterator<Item = &'a LegTold> {
        self.told.legs.iter().filter(|leg| leg.role != "caller")
    }

    fn at(&self, path: PathId) -> impl Iterator<Item = Witness<'a>> {
        self.by_path.get(&path).into_iter().flatten().copied()
    }
}

/// When the call is over, everybody who was called knows.
pub(super) fn called_is_over(world: &World, witness: Witness<'_>, at: Time) -> Result<(), String> {
    let end = witness.belief.end();
    let story = &world.story;
    let by = witness.belief.began + INVITE_LIVES;
    let is_excused =
        !story.was_steady(witness.party.id) || !story.has_heard_of(&witness.belief.call_id, by);
    match end {
        Some((until, _)) if until <= at + world.weather.slack() || is_excused => Ok(()),
        _ => Err(format!(
            "it ends at {at}, {} still thinks otherwise: {end:?}",
            witness.party.name
        )),
    }
}

pub(super) fn rows_of(told: &Told) -> Vec<UserCall> {
    let mut fold = Fold::new();
    let changes = told.events.iter().flat_map(|event| fold.apply(event));
    let rows = changes.filter_map(|change| match change {
        Change::Row(row) => Some(row),
        Change::GroupRow(_) | Change::Hook(_) | Change::Recording(_) | Change::Component(_) => None,
    });
    rows.collect()
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    told: &T,
    seen: &T,
) -> Result<(), String> {
    if told == seen {
        return Ok(());
    }
    Err(format!("{what}: told {told:?}, should be {seen:?}"))
}
