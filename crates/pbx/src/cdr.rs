//! The fold from events to call rows and webhook facts. It has no other state than the events,
//! so that a crash loses nothing: the stored events are folded again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use serde::{Deserialize, Serialize};

use crate::event::{Component, Event, Fact, HangupCause, UserRef};
use crate::ids::{AccountId, CallId};
use crate::trigger::Trigger;

mod recording;
mod stay;

pub use recording::{RecordingChange, RecordingNews};
pub use stay::GroupCall;
use stay::Stay;

/// What an event changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write this row of a user. It is told once, when the call has ended, and never changes.
    Row(UserCall),
    /// Write this row of a queue or a ring group. It is told once, and never changes.
    GroupRow(GroupCall),
    /// Tell this to every endpoint that ticked the trigger.
    Hook(HookFacts),
    /// Something changes about a recording.
    Recording(RecordingChange),
    /// Tell this to the component's own address, whatever the endpoints ticked.
    Component(ComponentFacts),
}

/// Which story of a user a row tells: a user who calls himself has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The user was called.
    Inbound,
    /// The user called.
    Outbound,
}

/// The contract's four types of user call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserCallKind {
    /// The user was called and answered.
    UserInboundAnswered,
    /// The user was called and did not answer.
    UserInboundMissed,
    /// The user called and was answered.
    UserOutboundAnswered,
    /// The user called and was not answered.
    UserOutboundUnanswered,
}

/// One row: one user's part in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCall {
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// Its type.
    pub kind: UserCallKind,
    /// E.164 digits without `+`, or an internal number.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What the caller dialled; never empty.
    pub dest_number: String,
    /// The user's name.
    pub user_name: Arc<str>,
    /// The user's internal number.
    pub user_number: Arc<str>,
    /// First ring of the user, or the start of the user's call.
    pub call_start_at: Time,
    /// First answer.
    pub connected_at: Option<Time>,
    /// End of the last attempt.
    pub ended_at: Option<Time>,
    /// Ring and talk of all attempts, whole seconds.
    pub call_duration_seconds: u32,
    /// Talk of all attempts, whole seconds.
    pub conversation_duration_seconds: u32,
}

/// What a webhook body is made of; `server` renders exactly the keys the trigger has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFacts {
    /// Which trigger fires.
    pub trigger: Trigger,
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// When it happened.
    pub at: Time,
    /// E.164 digits without `+`, or an internal number.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What the caller dialled; never empty.
    pub dest_number: String,
    /// Whose story it is; none in a summary that no user answered.
    pub user: Option<UserRef>,
    /// The queue of the attempt.
    pub queue_name: Option<Arc<str>>,
    /// The ring group of the attempt.
    pub ring_group_name: Option<Arc<str>>,
    /// As in the row.
    pub call_start_at: Time,
    /// As in the row.
    pub connected_at: Option<Time>,
    /// As in the row.
    pub call_duration_seconds: u32,
    /// As in the row.
    pub conversation_duration_seconds: u32,
}

/// What the event of a webhook object is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentFacts {
    /// Whose call it is.
    pub account: AccountId,
    /// Which call.
    pub call: CallId,
    /// When the call passed it.
    pub at: Time,
    /// The object.
    pub component: Component,
    /// E.164 digits without `+`, or an internal number.
    pub caller_id: Option<String>,
    /// The caller's name.
    pub caller_name: Option<String>,
    /// What the caller dialled; never empty.
    pub dest_number: String,
    /// When the call reached the PBX.
    pub arrived_at: Time,
}

/// The fold. Holds only calls that have not ended.
#[derive(Debug, Default)]
pub struct Fold {
    calls: BTreeMap<CallId, OpenCall>,
}

/// What is remembered of a call until it ends.
#[derive(Debug)]
struct OpenCall {
    account: AccountId,
    /// As shown now. What has begun keeps what was shown then.
    caller: Shown,
    dest_number: String,
    arrived_at: Time,
    last_event_at: Time,
    stories: BTreeMap<(Side, Arc<str>), Story>,
    /// The queue or ring group the caller is in.
    stay: Option<Stay>,
    /// Stays so far.
    stays: u32,
}

/// Who calls, as shown.
#[derive(Clone, Debug)]
struct Shown {
    id: Option<String>,
    name: Option<String>,
}

/// One user's part in a call, over all attempts.
#[derive(Debug)]
struct Story {
    user: UserRef,
    /// As shown in the last attempt.
    caller: Shown,
    call_start_at: Time,
    connected_at: Option<Time>,
    ended_at: Option<Time>,
    /// Of attempts that are over.
    call_duration: Duration,
    conversation_duration: Duration,
    attempt: Option<Attempt>,
    /// Of the last attempt.
    queue: Option<Arc<str>>,
    ring_group: Option<Arc<str>>,
}

/// An attempt that is not over.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    started_at: Time,
    answered_at: Option<Time>,
}

impl Fold {
    /// A fold that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event in. What cannot follow what was seen changes nothing.
    pub fn apply(&mut self, event: &Event) -> Vec<Change> {
        match &event.fact {
            Fact::Arrived {
                caller_id,
                caller_name,
                dest_number,
                ..
            } => {
                let call = OpenCall {
                    account: event.account,
                    caller: Shown {
                        id: caller_id.clone(),
                        name: caller_name.clone(),
                    },
                    dest_number: dest_number.clone(),
                    arrived_at: event.at,
                    last_event_at: event.at,
                    stories: BTreeMap::new(),
                    stay: None,
                    stays: 0,
                };
                self.calls.entry(event.call).or_insert(call);
                Vec::new()
            }
            Fact::Ended { .. } => {
                let ended = self.calls.remove(&event.call);
                ended.map_or_else(Vec::new, |call| call.into_rows(event))
            }
            // Media may be closed after the call has ended, and what stands is no part of one.
            Fact::LegClosed { .. } | Fact::Stands { .. } => Vec::new(),
            Fact::RecordingFinished { .. }
            | Fact::RecordingClosed { .. }
            | Fact::RecordingDiscarded { .. }
            | Fact::MessageMoved { .. } => {
                let change = recording::ended(event);
                change.into_iter().map(Change::Recording).collect()
            }
            Fact::CallerShown { .. }
            | Fact::UserRinging { .. }
            | Fact::UserAnswered { .. }
            | Fact::UserEnded { .. }
            | Fact::OutboundStarted { .. }
            | Fact::OutboundAnswered { .. }
            | Fact::OutboundEnded { .. }
            | Fact::GroupEntered { .. }
            | Fact::GroupAnswered { .. }
            | Fact::GroupLeft { .. }
            | Fact::ComponentPassed { .. }
            | Fact::RecordingStarted { .. } => {
                let open = self.calls.get_mut(&event.call);
                open.map_or_else(Vec::new, |call| call.apply(event))
            }
        }
    }

    /// The calls that have not ended, oldest first.
    pub fn open_calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.calls.keys().copied()
    }

    /// The events that close every open call when the node died at `at`. They are not applied:
    /// store them and fold them like any other.
    pub fn close_lost(&self, at: Time) -> Vec<Event> {
        self.calls
            .iter()
            .flat_map(|(call, open)| open.close_lost(*call, at))
            .collect()
    }
}

impl OpenCall {
    fn apply(&mut self, event: &Event) -> Vec<Change> {
        self.last_event_at = self.last_event_at.max(event.at);
        let Some((side, user, step)) = step_of(&event.fact) else {
            return self.apply_beside_users(event);
        };
        let key = (side, Arc::clone(&user.number));
        if !self.stories.contains_key(&key) && !matches!(step, StoryStep::Start { .. }) {
            return Vec::new();
        }
        let story = self
            .stories
            .entry(key)
            .or_insert_with(|| Story::new(user.clone(), self.caller.clone(), event.at));
        if matches!(step, StoryStep::Start { .. }) {
            story.caller.clone_from(&self.caller);
        }
        story.apply(step, event.at);
        let hook = self.hook(side, &user.number, event);
        hook.map(Change::Hook).into_iter().collect()
    }

    /// What is no user's story: stays, components and recordings.
    fn apply_beside_users(&mut self, event: &Event) -> Vec<Change> {
        match &event.fact {
            Fact::CallerShown {
                caller_id,
                caller_name,
            } => {
                self.caller = Shown {
                    id: caller_id.clone(),
                    name: caller_name.clone(),
                };
                Vec::new()
            }
            Fact::GroupEntered { group } => {
                if self.stay.is_none() {
                    self.stays = self.stays.saturating_add(1);
                    let caller = self.caller.clone();
                    self.stay = Some(Stay::new(self.stays, group.clone(), caller, event.at));
                }
                Vec::new()
            }
            Fact::GroupAnswered { group, user } => {
                let stay = self.stay.as_mut().filter(|stay| stay.is_in(group));
                if let Some(stay) = stay {
                    stay.answer(user.as_ref(), event.at);
                }
                Vec::new()
            }
            Fact::GroupLeft { group } => {
                self.stay
                    .take_if(|stay| stay.is_in(group))
                    .map_or_else(Vec::new, |stay| {
                        let row = self.group_row(stay, event);
                        let hook = Self::summary(&row, event.at);
                        vec![Change::GroupRow(row), Change::Hook(hook)]
                    })
            }
            Fact::ComponentPassed { component } => {
                vec![Change::Component(self.component(component, event))]
            }
            Fact::RecordingStarted { recording, purpose } => {
                let started = self.recording_started(*recording, purpose, event);
                vec![Change::Recording(started)]
            }
            Fact::Arrived { .. }
            | Fact::UserRinging { .. }
            | Fact::UserAnswered { .. }
            | Fact::UserEnded { .. }
            | Fact::OutboundStarted { .. }
            | Fact::OutboundAnswered { .. }
            | Fact::OutboundEnded { .. }
            | Fact::RecordingClosed { .. }
            | Fact::RecordingFinished { .. }
            | Fact::RecordingDiscarded { .. }
            | Fact::Stands { .. }
            | Fact::MessageMoved { .. }
            | Fact::LegClosed { .. }
            | Fact::Ended { .. } => Vec::new(),
        }
    }

    fn component(&self, component: &Component, event: &Event) -> ComponentFacts {
        ComponentFacts {
            account: self.account,
            call: event.call,
            at: event.at,
            component: component.clone(),
            caller_id: self.caller.id.clone(),
            caller_name: self.caller.name.clone(),
            dest_number: self.dest_number.clone(),
            arrived_at: self.arrived_at,
        }
    }

    fn row(&self, side: Side, story: &Story, call: CallId) -> UserCall {
        UserCall {
            account: self.account,
            call,
            kind: UserCallKind::of(side, story.connected_at),
            caller_id: story.caller.id.clone(),
            caller_name: story.caller.name.clone(),
            dest_number: self.dest_number.clone(),
            user_name: Arc::clone(&story.user.name),
            user_number: Arc::clone(&story.user.number),
            call_start_at: story.call_start_at,
            connected_at: story.connected_at,
            ended_at: story.ended_at,
            call_duration_seconds: whole_seconds(story.call_duration),
            conversation_duration_seconds: whole_seconds(story.conversation_duration),
        }
    }

    fn hook(&self, side: Side, number: &Arc<str>, event: &Event) -> Option<HookFacts> {
        let trigger = event.fact.trigger()?;
        let story = self.stories.get(&(side, Arc::clone(number)))?;
        Some(HookFacts {
            trigger,
            account: self.account,
            call: event.call,
            at: event.at,
            caller_id: story.caller.id.clone(),
            caller_name: story.caller.name.clone(),
            dest_number: self.dest_number.clone(),
            user: Some(story.user.clone()),
            queue_name: story.queue.clone(),
            ring_group_name: story.ring_group.clone(),
            call_start_at: story.call_start_at,
            connected_at: story.connected_at,
            call_duration_seconds: whole_seconds(story.call_duration),
            conversation_duration_seconds: whole_seconds(story.conversation_duration),
        })
    }

    /// Every row as it stays for ever.
    fn into_rows(mut self, event: &Event) -> Vec<Change> {
        for story in self.stories.values_mut() {
            story.apply(StoryStep::End, event.at);
        }
        let stay = self.stay.take();
        let group_row = stay.map(|stay| Change::GroupRow(self.group_row(stay, event)));
        let stories = self.stories.iter();
        stories
            .map(|((side, _), story)| Change::Row(self.row(*side, story, event.call)))
            .chain(group_row)
            .collect()
    }

    /// A heartbeat may be older than the call's last event: the end never lies before it.
    fn close_lost(&self, call: CallId, at: Time) -> Vec<Event> {
        let at = at.max(self.last_event_at);
        let running = |wanted: Side| {
            self.stories
                .iter()
                .filter(move |((side, _), story)| *side == wanted && story.attempt.is_some())
                .map(move |(_, story)| end_of(wanted, story.user.clone()))
        };
        let left = self.stay.as_ref().map(Stay::left);
        let last = Fact::Ended {
            cause: HangupCause::NodeLost,
        };
        let event = |fact| Event {
            at,
            account: self.account,
            call,
            fact,
        };
        running(Side::Inbound)
            .chain(left)
            .chain(running(Side::Outbound))
            .chain([last])
            .map(event)
            .collect()
    }
}

fn end_of(side: Side, user: UserRef) -> Fact {
    match side {
        Side::Inbound => Fact::UserEnded { user },
        Side::Outbound => Fact::OutboundEnded { user },
    }
}

/// What a fact means for the story of its user.
enum StoryStep {
    Start {
        queue: Option<Arc<str>>,
        ring_group: Option<Arc<str>>,
    },
    Answer,
    End,
}

fn step_of(fact: &Fact) -> Option<(Side, &UserRef, StoryStep)> {
    match fact {
        Fact::UserRinging {
            user,
            queue,
            ring_group,
        } => {
            let start = StoryStep::Start {
                queue: queue.clone(),
                ring_group: ring_group.clone(),
            };
            Some((Side::Inbound, user, start))
        }
        Fact::UserAnswered { user } => Some((Side::Inbound, user, StoryStep::Answer)),
        Fact::UserEnded { user } => Some((Side::Inbound, user, StoryStep::End)),
        Fact::OutboundStarted { user } => Some((
            Side::Outbound,
            user,
            StoryStep::Start {
                queue: None,
                ring_group: None,
            },
        )),
        Fact::OutboundAnswered { user } => Some((Side::Outbound, user, StoryStep::Answer)),
        Fact::OutboundEnded { user } => Some((Side::Outbound, user, StoryStep::End)),
        Fact::Arrived { .. }
        | Fact::CallerShown { .. }
        | Fact::GroupEntered { .. }
        | Fact::GroupAnswered { .. }
        | Fact::GroupLeft { .. }
        | Fact::ComponentPassed { .. }
        | Fact::RecordingStarted { .. }
        | Fact::RecordingClosed { .. }
        | Fact::RecordingFinished { .. }
        | Fact::RecordingDiscarded { .. }
        | Fact::Stands { .. }
        | Fact::MessageMoved { .. }
        | Fact::LegClosed { .. }
        | Fact::Ended { .. } => None,
    }
}

impl Story {
    fn new(user: UserRef, caller: Shown, at: Time) -> Self {
        Self {
            user,
            caller,
            call_start_at: at,
            connected_at: None,
            ended_at: None,
            call_duration: Duration::ZERO,
            conversation_duration: Duration::ZERO,
            attempt: None,
            queue: None,
            ring_group: None,
        }
    }

    fn apply(&mut self, step: StoryStep, at: Time) {
        match step {
            StoryStep::Start { queue, ring_group } => {
                self.queue = queue;
                self.ring_group = ring_group;
                self.attempt.get_or_insert(Attempt {
                    started_at: at,
                    answered_at: None,
                });
            }
            StoryStep::Answer => {
                if let Some(attempt) = &mut self.attempt {
                    attempt.answered_at.get_or_insert(at);
                    self.connected_at.get_or_insert(at);
                }
            }
            StoryStep::End => {
                let Some(attempt) = self.attempt.take() else {
                    return;
                };
                self.ended_at = Some(at);
                self.call_duration += at - attempt.started_at;
                if let Some(answered_at) = attempt.answered_at {
                    self.conversation_duration += at - answered_at;
                }
            }
        }
    }
}

impl UserCallKind {
    fn of(side: Side, connected_at: Option<Time>) -> Self {
        match (side, connected_at) {
            (Side::Inbound, Some(_)) => Self::UserInboundAnswered,
            (Side::Inbound, None) => Self::UserInboundMissed,
            (Side::Outbound, Some(_)) => Self::UserOutboundAnswered,
            (Side::Outbound, None) => Self::UserOutboundUnanswered,
        }
    }

    /// Which story of the user it is: with call and user number it is the key of a row.
    pub const fn side(self) -> Side {
        match self {
            Self::UserInboundAnswered | Self::UserInboundMissed => Side::Inbound,
            Self::UserOutboundAnswered | Self::UserOutboundUnanswered => Side::Outbound,
        }
    }

    /// The `type` string of the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserInboundAnswered => "user_inbound_answered",
            Self::UserInboundMissed => "user_inbound_missed",
            Self::UserOutboundAnswered => "user_outbound_answered",
            Self::UserOutboundUnanswered => "user_outbound_unanswered",
        }
    }
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
