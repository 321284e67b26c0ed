//! What is true of every run of an account, whatever happens to it.

mod parks;
mod rooms;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clock::Time;

use crate::account::Account;
use crate::cdr::{Change, Fold};
use crate::effect::{Effect, Progress};
use crate::event::{Event, Fact};
use crate::ids::{CallId, LegId};
use crate::input::Input;
use crate::recording::RecordingId;
use crate::sound::{PlayId, Sound, Tone};

use rooms::Rooms;
use told::Told;

/// Legs a call may have open at once, the caller's own not counted.
const MAX_OPEN_LEGS: usize = crate::attempt::MAX_LEGS_PER_CALL;

/// Watches inputs and effects go by. Every method says which law is broken, if one is.
#[derive(Debug, Default)]
pub struct Laws {
    legs: BTreeMap<LegId, Leg>,
    calls: BTreeMap<CallId, Told>,
    ended_legs: BTreeSet<LegId>,
    /// What is played to whom.
    plays: BTreeMap<LegId, PlayId>,
    /// Who talks with which caller.
    connected: BTreeMap<LegId, LegId>,
    rooms: Rooms,
    /// Recordings that were told to have begun, and those of them that are over.
    recordings: BTreeSet<RecordingId>,
    closed_recordings: BTreeSet<RecordingId>,
    ended_calls: BTreeSet<CallId>,
    fold: Fold,
    rows: u64,
    hooks: u64,
    last_event_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    /// It came in, and what it was told.
    Caller {
        answered: bool,
        call: Option<CallId>,
    },
    /// We dialled it, and whether it answered.
    Called { answered: bool, call: CallId },
    /// We dialled it to be the caller, which it is once it has answered.
    Summoned { answered: bool, call: CallId },
}

pub(super) type Verdict = Result<(), String>;

pub(super) fn law(kept: bool, broken: impl FnOnce() -> String) -> Verdict {
    if kept { Ok(()) } else { Err(broken()) }
}

impl Laws {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Legs that are open: the caller's and the called ones.
    pub fn open_legs(&self) -> impl Iterator<Item = LegId> + '_ {
        self.legs.keys().copied()
    }

    /// What is being played, and to whom.
    pub fn plays(&self) -> impl Iterator<Item = (LegId, PlayId)> + '_ {
        self.plays.iter().map(|(leg, play)| (*leg, *play))
    }

    /// Recordings that have begun, also those that are over.
    pub fn recordings(&self) -> impl Iterator<Item = RecordingId> + '_ {
        self.recordings.iter().copied()
    }

    /// Listed rows seen so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Hooks seen so far.
    pub fn hooks(&self) -> u64 {
        self.hooks
    }

    /// Calls that have not ended.
    pub fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// Before the account takes it.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Incoming { leg, .. } | Input::TakeOver { leg, .. } if !self.is_known(*leg) => {
                self.legs.insert(
                    *leg,
                    Leg::Caller {
                        answered: false,
                        call: None,
                    },
                );
            }
            Input::Answered { leg } => {
                if let Some(Leg::Called { answered, .. } | Leg::Summoned { answered, .. }) =
                    self.legs.get_mut(leg)
                {
                    *answered = true;
                }
            }
            Input::Played { leg, play } if self.plays.get(leg) == Some(play) => {
                self.plays.remove(leg);
            }
            Input::Failed { leg, .. } | Input::HungUp { leg, .. } => self.leg_over(*leg),
            Input::Incoming { .. }
            | Input::TakeOver { .. }
            | Input::Originate(_)
            | Input::Transfer { .. }
            | Input::Told { .. }
            | Input::Mailbox { .. }
            | Input::Ringing { .. }
            | Input::Progress { .. }
            | Input::Digit { .. }
            | Input::Played { .. }
            | Input::Recorded { .. }
            | Input::Agent { .. }
            | Input::Watch { .. }
            | Input::Unwatch { .. }
            | Input::Wake
            | Input::EndAll { .. } => {}
        }
    }

    /// What the account answered with.
    pub fn effects(&mut self, effects: &[Effect]) -> Verdict {
        for effect in effects {
            self.effect(effect)
                .map_err(|broken| format!("{broken}, at {effect:?}"))?;
        }
        Ok(())
    }

    /// Once the account has said all, those in a room that its owner has come to hear one another.
    /// Parked calls hear something.
    pub fn waiting(&self, account: &Account, now: Time) -> Verdict {
        let is_played_to = |leg| self.plays.contains_key(&leg);
        self.rooms.settled(account, is_played_to)?;
        parks::settled(account, now, |leg| self.rooms.hears_music(leg))
    }

    /// When nothing goes on any more.
    pub fn silence(&self) -> Verdict {
        law(self.legs.is_empty(), || {
            format!("legs stay open: {:?}", self.legs)
        })?;
        law(self.calls.is_empty(), || {
            format!("calls stay open: {:?}", self.calls.keys())
        })?;
        law(self.fold.open_calls().count() == 0, || {
            "the fold holds on to calls".to_owned()
        })
    }

    fn is_known(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg) || self.ended_legs.contains(&leg)
    }

    fn leg_over(&mut self, leg: LegId) {
        self.plays.remove(&leg);
        self.rooms.forget(leg);
        self.connected
            .retain(|one, other| *one != leg && *other != leg);
        if self.legs.remove(&leg).is_some() {
            self.ended_legs.insert(leg);
        }
    }

    fn asks(&self, call: CallId) -> Verdict {
        law(self.calls.contains_key(&call), || {
            "only a call that goes on asks".to_owned()
        })
    }

    fn effect(&mut self, effect: &Effect) -> Verdict {
        match effect {
            Effect::Dial {
                call, leg, for_leg, ..
            } => self.dial(*call, *leg, *for_leg),
            Effect::Ring { leg } => self.ring(*leg),
            Effect::EarlyMedia { leg, from } => self.early_media(*leg, *from),
            Effect::PickUp { call, leg } => self.pick_up(*call, *leg),
            Effect::Connect { leg, with } => self.connect(*leg, *with),
            Effect::Play { leg, sounds, .. } if is_notice(sounds) => {
                law(self.legs.contains_key(leg), || {
                    "who is told of a recording is there".to_owned()
                })
            }
            Effect::Play {
                leg, play, sounds, ..
            } => {
                self.rooms.plays(*leg, sounds);
                self.play(*leg, *play)
            }
            Effect::StopPlaying { leg } => {
                self.rooms.plays(*leg, &[]);
                law(self.plays.remove(leg).is_some(), || {
                    "only what is played is stopped".to_owned()
                })
            }
            Effect::Record { leg, recording, .. } => self.record(*leg, *recording),
            Effect::PauseRecording { leg, recording }
            | Effect::ResumeRecording { leg, recording }
            | Effect::StopRecording { leg, recording } => {
                let fits = self.recordings.contains(recording) && self.legs.contains_key(leg);
                law(fits, || {
                    "what is recorded goes on by a leg that is there".to_owned()
                })
            }
            Effect::JoinRoom { leg, room, .. } => self.join_room(*leg, room),
            Effect::LeaveRoom { leg } => self.rooms.leave(*leg),
            Effect::HangUp { leg, .. } => self.hang_up(*leg),
            Effect::Emit(event) => self.event(event),
            Effect::Part { leg } => self.part(*leg),
            Effect::Referral { leg, progress } => law(
                matches!(progress, Progress::Refused(_)) || self.has_answered(*leg),
                || "who is told of a transfer is there".to_owned(),
            ),
            // Of lamps, `Lamps` knows.
            Effect::Watched { .. } => Ok(()),
            Effect::AskMailbox(question) => self.asks(question.call),
            Effect::Ask(question) => self.asks(question.call),
            Effect::Originated { outcome } => law(
                outcome.is_err() || outcome.is_ok_and(|call| !self.is_told(call)),
                || "a program hears of its call before anybody".to_owned(),
            ),
        }
    }

    fn ring(&self, leg: LegId) -> Verdict {
        let fits = matches!(
            self.legs.get(&leg),
            Some(Leg::Caller {
                answered: false,
                ..
            })
        );
        law(fits, || {
            "only a caller who is not answered hears it ring".to_owned()
        })
    }

    fn early_media(&self, leg: LegId, from: LegId) -> Verdict {
        let rings = matches!(
            self.legs.get(&from),
            Some(Leg::Called {
                answered: false,
                ..
            })
        );
        law(rings && self.is_caller(leg), || {
            "early media go from a ringing leg to a waiting caller".to_owned()
        })
    }

    fn join_room(&mut self, leg: LegId, room: &Arc<str>) -> Verdict {
        let is_alone = self.has_answered(leg) && !self.is_connected(leg);
        law(is_alone, || {
            "who joins a room is there, and talks with nobody".to_owned()
        })?;
        self.rooms.join(leg, room)
    }

    fn hang_up(&mut self, leg: LegId) -> Verdict {
        self.rooms.outside(leg)?;
        law(!self.plays.contains_key(&leg), || {
            "a play is stopped before its leg is hung up".to_owned()
        })?;
        // A leg that nobody has may be hung up again: it may have answered late.
        self.leg_over(leg);
        Ok(())
    }

    fn is_told(&self, call: CallId) -> bool {
        self.calls.contains_key(&call) || self.ended_calls.contains(&call)
    }

    /// Whether somebody calls by that leg.
    fn is_caller(&self, leg: LegId) -> bool {
        matches!(
            self.legs.get(&leg),
            Some(
                Leg::Caller { .. }
                    | Leg::Called { answered: true, .. }
                    | Leg::Summoned { answered: true, .. }
            )
        )
    }

    fn dial(&mut self, call: CallId, leg: LegId, for_leg: Option<LegId>) -> Verdict {
        law(!self.is_known(leg), || "a dialled leg is new".to_owned())?;
        law(for_leg.is_none_or(|caller| self.is_caller(caller)), || {
            "it is dialled for a caller who is there".to_owned()
        })?;
        if let Some(Leg::Caller { call: of, .. }) =
            for_leg.and_then(|caller| self.legs.get_mut(&caller))
        {
            *of = Some(call);
        }
        let answered = false;
        let dialled = match for_leg {
            Some(_) => Leg::Called { answered, call },
            None => Leg::Summoned { answered, call },
        };
        self.legs.insert(leg, dialled);
        let open = self
            .legs
            .values()
            .filter(|leg| is_called_by(leg, call))
            .filter(|leg| !matches!(leg, Leg::Summoned { answered: true, .. }))
            .count();
        law(open <= MAX_OPEN_LEGS, || format!("a call has {open} legs"))
    }

    fn pick_up(&mut self, call: CallId, leg: LegId) -> Verdict {
        match self.legs.get_mut(&leg) {
            Some(Leg::Caller { answered, call: of }) if !*answered => {
                *answered = true;
                *of = Some(call);
                Ok(())
            }
            Some(_) | None => Err("a caller is answered once, while there".to_owned()),
        }
    }

    fn is_connected(&self, leg: LegId) -> bool {
        let mut pairs = self.connected.iter();
        pairs.any(|(one, other)| *one == leg || *other == leg)
    }

    fn connect(&mut self, leg: LegId, with: LegId) -> Verdict {
        self.rooms.outside(leg)?;
        self.rooms.outside(with)?;
        law(self.has_answered(with), || {
            "a caller is connected with a leg that answered".to_owned()
        })?;
        let is_played_to = |leg| self.plays.contains_key(leg);
        law(!is_played_to(&leg) && !is_played_to(&with), || {
            "who is connected hears the other side".to_owned()
        })?;
        law(self.connected.insert(with, leg) != Some(leg), || {
            "a leg is connected once".to_owned()
        })?;
        let call = self.call_of(leg);
        if let (Some(new), Some(Leg::Called { call, .. } | Leg::Summoned { call, .. })) =
            (call, self.legs.get_mut(&with))
        {
            *call = new;
        }
        if let Some(Leg::Caller { answered, .. }) = self.legs.get_mut(&leg) {
            *answered = true;
        }
        law(self.has_answered(leg), || {
            "a caller is connected while there".to_owned()
        })
    }

    fn part(&mut self, leg: LegId) -> Verdict {
        let before = self.connected.len();
        self.connected
            .retain(|one, other| *one != leg && *other != leg);
        law(self.connected.len() + 1 == before, || {
            "two who talk are parted".to_owned()
        })
    }

    fn has_answered(&self, leg: LegId) -> bool {
        match self.legs.get(&leg) {
            Some(
                Leg::Caller { answered, .. }
                | Leg::Called { answered, .. }
                | Leg::Summoned { answered, .. },
            ) => *answered,
            None => false,
        }
    }

    fn call_of(&self, leg: LegId) -> Option<CallId> {
        match self.legs.get(&leg)? {
            Leg::Caller { call, .. } => *call,
            Leg::Called { call, .. } | Leg::Summoned { call, .. } => Some(*call),
        }
    }

    fn play(&mut self, leg: LegId, play: PlayId) -> Verdict {
        let answered = matches!(
            self.legs.get(&leg),
            Some(
                Leg::Caller { answered: true, .. }
                    | Leg::Called { answered: true, .. }
                    | Leg::Summoned { answered: true, .. }
            )
        );
        law(answered && !self.connected.contains_key(&leg), || {
            "sounds are played to who was answered or has, is there and not connected".to_owned()
        })?;
        law(self.plays.insert(leg, play) != Some(play), || {
            "a play has a number of its own".to_owned()
        })
    }

    fn record(&mut self, leg: LegId, recording: RecordingId) -> Verdict {
        law(self.recordings.contains(&recording), || {
            "a recording is told before it begins".to_owned()
        })?;
        let answered = matches!(
            self.legs.get(&leg),
            Some(
                Leg::Caller { answered: true, .. }
                    | Leg::Called { answered: true, .. }
                    | Leg::Summoned { answered: true, .. }
            )
        );
        law(answered, || {
            "who is recorded was answered, or answered".to_owned()
        })
    }

    fn recording_started(&mut self, recording: RecordingId, event: &Event) -> Verdict {
        law(recording.call() == event.call, || {
            "a recording names its call".to_owned()
        })?;
        law(self.recordings.insert(recording), || {
            "a recording begins once".to_owned()
        })
    }

    fn recording_closed(&mut self, recording: RecordingId) -> Verdict {
        let closes = self.recordings.contains(&recording);
        law(closes && self.closed_recordings.insert(recording), || {
            "a recording that has begun ends once".to_owned()
        })
    }

    fn event(&mut self, event: &Event) -> Verdict {
        law(event.at >= self.last_event_at, || {
            "events come in the order of time".to_owned()
        })?;
        self.last_event_at = event.at;
        if let Fact::RecordingClosed { recording, .. } = event.fact {
            return self.recording_closed(recording);
        }
        law(!self.ended_calls.contains(&event.call), || {
            "nothing follows the end of a call".to_owned()
        })?;
        if matches!(event.fact, Fact::Stands { .. }) {
            return Ok(());
        }
        let arrives = matches!(event.fact, Fact::Arrived { .. });
        law(arrives != self.calls.contains_key(&event.call), || {
            "a call arrives first and once".to_owned()
        })?;
        if let Fact::RecordingStarted { recording, .. } = event.fact {
            self.recording_started(recording, event)?;
        }
        let told = self.calls.entry(event.call).or_default();
        told.fact(&event.fact)?;
        for change in self.fold.apply(event) {
            match change {
                Change::Hook(hook) => {
                    self.hooks += 1;
                    *told.hooks.entry(hook.trigger).or_default() += 1;
                }
                Change::Row(row) => {
                    self.rows += 1;
                    told.row(row)?;
                }
                Change::Recording(_) => {}
                Change::GroupRow(row) => {
                    self.rows += 1;
                    told.group_row(&row)?;
                }
                Change::Component(_) => self.hooks += 1,
            }
        }
        if matches!(event.fact, Fact::Ended { .. }) {
            self.call_over(event.call)?;
        }
        Ok(())
    }

    fn call_over(&mut self, call: CallId) -> Verdict {
        let Some(told) = self.calls.remove(&call) else {
            return Ok(());
        };
        self.ended_calls.insert(call);
        told.over()?;
        let open: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, leg)| is_called_by(leg, call))
            .map(|(id, _)| *id)
            .collect();
        law(open.is_empty(), || {
            format!("called legs outlive their call: {open:?}")
        })
    }
}

/// What is heard beside the conversation and waited for by nobody.
fn is_notice(sounds: &[Sound]) -> bool {
    sounds
        .iter()
        .all(|sound| *sound == Sound::Tone(Tone::Recorded))
}

fn is_called_by(leg: &Leg, wanted: CallId) -> bool {
    matches!(leg, Leg::Called { call, .. } | Leg::Summoned { call, .. } if *call == wanted)
}
