//! Rings several members for one caller: all at once, or one after the other.

use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use serde::Deserialize;

use super::external_number::AcceptSetting;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::attempt::{Accept, AttemptId, Party, Via};
use crate::core::Destination;
use crate::cx::{Cx, Moment, Step};
use crate::draft::{Compiler, MAX_RING_SECONDS, MIN_RING_SECONDS};
use crate::event::{Fact, GroupKind, GroupRef, HangupCause, UserRef};
use crate::hash::mix;
use crate::input::Failure;
use crate::number::E164;
use crate::plan::UserIndex;

/// Members of one group: more would not fit into the legs of a call.
pub(crate) const MAX_MEMBERS: usize = 32;

/// How long it rings when nothing is said.
const DEFAULT_RING_SECONDS: u32 = 25;

/// Rings members.
#[derive(Debug)]
pub(crate) struct RingGroup {
    group: GroupRef,
    members: Vec<Member>,
    strategy: Strategy,
    busy_members: BusyMembers,
    ring_time: Duration,
}

#[derive(Debug)]
struct Member {
    whom: Whom,
    delay: Duration,
    /// What takes the call of a number outside.
    accept: Accept,
}

#[derive(Debug, PartialEq, Eq)]
enum Whom {
    User(UserIndex, UserRef),
    Outside(E164),
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    members: Vec<MemberSettings>,
    #[serde(default)]
    strategy: Strategy,
    #[serde(default)]
    busy_members: BusyMembers,
    #[serde(default)]
    ring_seconds: Option<u32>,
}

/// A member as the document has it: a user, or a number outside.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberSettings {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    delay_seconds: u32,
    #[serde(default)]
    accept: Option<AcceptSetting>,
}

/// Who rings when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Strategy {
    #[default]
    All,
    InOrder,
    Random,
}

/// What is done with members who are on the phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BusyMembers {
    #[default]
    Ring,
    Skip,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// Members ring, or are about to.
    Ringing(Round),
    /// A member talks with the caller.
    Talking,
}

/// How far the ringing has got.
#[derive(Debug)]
pub(crate) struct Round {
    /// Members not rung yet, by position, and when it is their turn; the next is the last.
    waiting: Vec<(Time, usize)>,
    ringing: Vec<(AttemptId, usize)>,
    /// When those who ring have rung long enough.
    ends_at: Time,
    /// Whether anybody could have answered.
    outcome: Outcome,
}

/// What the members' failures have in common so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    AllBusy,
    NoAnswer,
}

impl Object for RingGroup {
    const KIND: Kind = Kind {
        name: "ring_group",
        title: "Ring group",
        palette: Palette::Basic,
        help: "Rings its members, all at once or one after the other. The first to answer takes \
               the call. Calls through it are listed and told under its name.",
        fields: &[
            Field {
                name: "members",
                title: "Members",
                help: "users, or numbers outside, each with a delay before it rings when all \
                       ring at once; `accept: by_key` asks a number outside for a key, so that no \
                       mailbox takes the call",
                shape: Shape::Members,
                need: Need::Required,
            },
            Field {
                name: "strategy",
                title: "Order",
                help: "all at once when absent; or one after the other, in order or at random",
                shape: Shape::Choice(&["all", "in_order", "random"]),
                need: Need::Optional,
            },
            Field {
                name: "busy_members",
                title: "Members on the phone",
                help: "whether users who are on the phone are rung too, which they are when \
                       absent, or skipped",
                shape: Shape::Choice(&["ring", "skip"]),
                need: Need::Optional,
            },
            Field {
                name: "ring_seconds",
                title: "Ring time",
                help: "how long the group rings, or each member in its turn; 25 when absent",
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
                pace: Pace::AtOnce,
            },
            Exit {
                name: "busy",
                title: "All busy",
                cause: HangupCause::Busy,
                pace: Pace::AtOnce,
            },
        ],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let group = compiler.group(GroupKind::RingGroup)?;
        let members = settings.members.iter().enumerate();
        let members: Vec<_> = members
            .map(|(place, member)| member.compile(&format!("members[{place}]"), compiler))
            .collect();
        let members: Vec<Member> = members.into_iter().collect::<Option<_>>()?;
        if has_anybody_twice(&members) {
            compiler.fault(
                "members",
                "has a member twice, who cannot ring twice at once",
            );
            return None;
        }
        let ring_seconds = settings.ring_seconds.unwrap_or(DEFAULT_RING_SECONDS);
        Some(Self {
            group,
            members,
            strategy: settings.strategy,
            busy_members: settings.busy_members,
            ring_time: Duration::from_secs(ring_seconds.into()),
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *state, moment) {
            (State::Outside, Moment::Entered) => {
                cx.tell(Fact::GroupEntered {
                    group: self.group.clone(),
                });
                let mut round = self.round(cx);
                let step = self.go_on(&mut round, cx);
                *state = State::Ringing(round);
                step
            }
            (State::Ringing(round), Moment::Woken) => {
                if cx.now() >= round.ends_at {
                    round.outcome = Outcome::NoAnswer;
                    for (attempt, _) in std::mem::take(&mut round.ringing) {
                        cx.stop(attempt, HangupCause::NoAnswer);
                    }
                    if self.strategy == Strategy::All {
                        return Step::exit("no_answer");
                    }
                }
                self.go_on(round, cx)
            }
            (State::Ringing(round), Moment::Failed { attempt, failure }) => {
                round.ringing.retain(|(ringing, _)| *ringing != attempt);
                round.note(failure);
                self.go_on(round, cx)
            }
            (State::Ringing(_), Moment::Answered { attempt }) => {
                let user = cx.user_of(attempt);
                cx.let_sleep();
                cx.connect(attempt);
                cx.tell(Fact::GroupAnswered {
                    group: self.group.clone(),
                    user,
                });
                *state = State::Talking;
                Step::Stay
            }
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
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Step::Stay,
        }
    }

    fn leave(&self, state: State, cx: &mut Cx<'_, '_>) {
        match state {
            State::Outside => {}
            State::Ringing(_) | State::Talking => cx.tell(Fact::GroupLeft {
                group: self.group.clone(),
            }),
        }
    }
}

impl RingGroup {
    /// Whose turn it is when.
    fn round(&self, cx: &Cx<'_, '_>) -> Round {
        let now = cx.now();
        let places = self.members.iter().enumerate();
        let mut waiting: Vec<_> = match self.strategy {
            Strategy::All => places
                .map(|(place, member)| (now + member.delay, place))
                .collect(),
            Strategy::InOrder | Strategy::Random => places.map(|(place, _)| (now, place)).collect(),
        };
        match self.strategy {
            Strategy::All | Strategy::InOrder => waiting.sort_unstable(),
            Strategy::Random => shuffle(&mut waiting, cx.seed()),
        }
        waiting.reverse();
        Round {
            waiting,
            ringing: Vec::new(),
            ends_at: now + self.ring_time,
            outcome: Outcome::AllBusy,
        }
    }

    /// Rings whose turn it is, and waits for what comes first.
    fn go_on(&self, round: &mut Round, cx: &mut Cx<'_, '_>) -> Step {
        while let Some((_, place)) = round.waiting.pop_if(|(starts_at, _)| match self.strategy {
            Strategy::All => *starts_at <= cx.now(),
            Strategy::InOrder | Strategy::Random => round.ringing.is_empty(),
        }) {
            match self.ring(place, cx) {
                Ok(attempt) => round.ringing.push((attempt, place)),
                Err(failure) => round.note(failure),
            }
            if self.strategy != Strategy::All {
                round.ends_at = cx.now() + self.ring_time;
            }
        }
        let mut wake_at = round.ends_at;
        match (self.strategy, round.waiting.last()) {
            (_, None) if round.ringing.is_empty() => return round.outcome.exit(),
            (Strategy::All, Some((starts_at, _))) => wake_at = wake_at.min(*starts_at),
            (Strategy::All | Strategy::InOrder | Strategy::Random, _) => {}
        }
        cx.wake_in(wake_at.since(cx.now()));
        Step::Stay
    }

    fn ring(&self, place: usize, cx: &mut Cx<'_, '_>) -> Result<AttemptId, Failure> {
        let member = self.members.get(place).ok_or(Failure::NotFound)?;
        match &member.whom {
            Whom::User(_, who) if self.busy_members == BusyMembers::Skip && cx.is_busy(who) => {
                Err(Failure::Busy)
            }
            // Nobody has missed a call who is not to be disturbed: there are others.
            Whom::User(_, who) if cx.is_undisturbed(who) => Err(Failure::Busy),
            Whom::User(user, _) => cx.ring(Party::User {
                user: *user,
                via: Via {
                    queue: None,
                    ring_group: Some(self.group.name.clone()),
                },
            }),
            Whom::Outside(number) => cx.ring(Party::Outside {
                number: Destination::Number(*number),
                present: cx.presented_number(),
                accept: member.accept,
            }),
        }
    }

    /// The users among its members, by internal number.
    pub(crate) fn users(&self) -> Vec<Arc<str>> {
        let users = self.members.iter().filter_map(|member| match &member.whom {
            Whom::User(_, who) => Some(Arc::clone(&who.number)),
            Whom::Outside(_) => None,
        });
        users.collect()
    }
}

impl MemberSettings {
    fn compile(&self, setting: &str, compiler: &mut Compiler<'_>) -> Option<Member> {
        let whom = match (&self.user, &self.number) {
            (Some(user), None) => {
                let (index, _) = compiler.user(&format!("{setting}.user"), user)?;
                Whom::User(index, compiler.user_ref(index)?)
            }
            (None, Some(number)) => {
                Whom::Outside(compiler.number(&format!("{setting}.number"), number)?)
            }
            (None, None) | (Some(_), Some(_)) => {
                compiler.fault(setting, "must have either a `user` or a `number`");
                return None;
            }
        };
        if self.delay_seconds > MAX_RING_SECONDS {
            let rule = format!("must be 0 to {MAX_RING_SECONDS}");
            compiler.fault(&format!("{setting}.delay_seconds"), rule);
            return None;
        }
        if self.accept.is_some() && matches!(whom, Whom::User(..)) {
            let rule = "is for members outside: a user's phone has no mailbox that could answer";
            compiler.fault(&format!("{setting}.accept"), rule);
            return None;
        }
        Some(Member {
            whom,
            delay: Duration::from_secs(self.delay_seconds.into()),
            accept: self.accept.unwrap_or_default().into(),
        })
    }
}

impl Round {
    /// One member is out.
    fn note(&mut self, failure: Failure) {
        match failure {
            Failure::Busy | Failure::Declined => {}
            Failure::NoAnswer
            | Failure::NotFound
            | Failure::Incompatible
            | Failure::Rejected
            | Failure::Unavailable
            | Failure::Timeout
            | Failure::Unreachable => self.outcome = Outcome::NoAnswer,
        }
    }
}

impl Outcome {
    const fn exit(self) -> Step {
        match self {
            Self::AllBusy => Step::exit("busy"),
            Self::NoAnswer => Step::exit("no_answer"),
        }
    }
}

fn has_anybody_twice(members: &[Member]) -> bool {
    let mut rest = members;
    while let Some((first, others)) = rest.split_first() {
        if others.iter().any(|other| other.whom == first.whom) {
            return true;
        }
        rest = others;
    }
    false
}

/// Another order for each seed: Fisher and Yates.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = mix(state);
        let drawn = state % (last as u64 + 1);
        items.swap(last, usize::try_from(drawn).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_up_and_each_has_everybody() {
        let mut orders = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut places = [0, 1, 2];
            shuffle(&mut places, seed);
            let mut sorted = places;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            orders.insert(places);
        }
        assert_eq!(orders.len(), 6);
    }
}
