//! Conference room: whoever comes into the room of that name hears everybody else who is in it.

mod kind;
mod seat;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Kind, Object};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::floor::{News, Refusal, Role};
use crate::sound::{PlayId, Sound, Times};
use seat::{Announce, Seat, Starts};

/// How often a caller may be wrong about the PIN.
const MAX_TRIES: u32 = 3;
/// Keys of a PIN.
pub(super) const MAX_PIN_DIGITS: u32 = 12;
/// How long the next key of the PIN is waited for.
const KEY_WAIT: Duration = Duration::from_secs(10);
const END_KEY: char = '#';
const DEFAULT_MEMBERS: u32 = 32;

/// A room, and who may come in how.
#[derive(Debug)]
pub(crate) struct Conference {
    room: Arc<str>,
    pin: Option<String>,
    owner_pin: Option<String>,
    owners: Vec<Arc<str>>,
    starts: Starts,
    announce: Announce,
    most: usize,
    length: Option<Duration>,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    room: String,
    #[serde(default)]
    pin: Option<String>,
    #[serde(default)]
    owner_pin: Option<String>,
    #[serde(default)]
    owners: Vec<String>,
    #[serde(default)]
    starts: Starts,
    #[serde(default)]
    announce: Announce,
    #[serde(default)]
    max_members: Option<u32>,
    #[serde(default)]
    max_minutes: Option<u32>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It is asked for the PIN.
    Asked { keys: String, tries: u32 },
    /// It is in the room.
    Inside(Seat),
    /// It hears why it leaves, and by which exit it will.
    Leaving { play: PlayId, exit: &'static str },
}

impl Object for Conference {
    const KIND: Kind = kind::KIND;

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let mut owners = Vec::new();
        for (place, number) in settings.owners.iter().enumerate() {
            let (user, _) = compiler.user(&format!("owners[{place}]"), number)?;
            owners.extend(compiler.user_ref(user).map(|user| user.number));
        }
        let has_owner = settings.owner_pin.is_some() || !owners.is_empty();
        if settings.starts == Starts::WithOwner && !has_owner {
            compiler.warn(
                "starts",
                "waits for an owner, and there is none: give an `owner_pin` or `owners`",
            );
        }
        if settings.pin.is_some() && settings.pin == settings.owner_pin {
            compiler.warn("pin", "is the `owner_pin` too, so everybody is an owner");
        }
        let most = settings.max_members.unwrap_or(DEFAULT_MEMBERS);
        let minutes = settings.max_minutes;
        Some(Self {
            room: settings.room.into(),
            pin: settings.pin,
            owner_pin: settings.owner_pin,
            owners,
            starts: settings.starts,
            announce: settings.announce,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            length: minutes.map(|minutes| Duration::from_mins(minutes.into())),
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *state, moment) {
            (State::Outside, Moment::Entered) => self.arrive(state, cx),
            (State::Asked { .. }, Moment::Played { .. }) => {
                cx.wake_in(KEY_WAIT);
                Step::Stay
            }
            (State::Asked { .. }, Moment::Woken | Moment::Digit(END_KEY)) => {
                self.try_pin(state, cx)
            }
            (State::Asked { keys, .. }, Moment::Digit(key)) => {
                // What is longer than any PIN is wrong however it goes on.
                if keys.len() <= MAX_PIN_DIGITS as usize {
                    keys.push(key);
                }
                cx.stop_playing();
                cx.wake_in(KEY_WAIT);
                Step::Stay
            }
            (State::Inside(_), Moment::Woken | Moment::InRoom(News::Ended)) => {
                self.dismiss(state, cx)
            }
            (State::Inside(seat), Moment::InRoom(news)) => {
                self.hear_of(news, seat, cx);
                Step::Stay
            }
            (State::Inside(seat), Moment::Played { play }) => {
                seat.heard(play, cx);
                Step::Stay
            }
            (State::Inside(seat), Moment::Digit(key)) => match self.key(key, seat, cx) {
                seat::Wish::Stay => Step::Stay,
                seat::Wish::Leave => Step::exit("next"),
                seat::Wish::End => {
                    let call = cx.call();
                    cx.floor().rooms().end(&self.room, call);
                    self.dismiss(state, cx)
                }
            },
            (State::Leaving { play, exit }, Moment::Played { play: heard }) if *play == heard => {
                Step::exit(exit)
            }
            (State::Leaving { exit, .. }, Moment::Woken) => Step::exit(exit),
            (
                State::Outside | State::Asked { .. } | State::Inside(_) | State::Leaving { .. },
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
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
        if let State::Inside(_) = state {
            let call = cx.call();
            cx.floor().rooms().leave(&self.room, call);
        }
    }
}

/// On the way in and out.
impl Conference {
    fn arrive(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let user = cx.calling_user().map(|user| &user.number);
        if user.is_some_and(|user| self.owners.contains(user)) {
            return self.enter(Role::Owner, state, cx);
        }
        if self.pin.is_none() && self.owner_pin.is_none() {
            return self.enter(Role::Guest, state, cx);
        }
        *state = ask(&[], 1, cx);
        Step::Stay
    }

    fn try_pin(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let State::Asked { keys, tries } = state else {
            return Step::Stay;
        };
        if let Some(role) = self.role_of(keys) {
            return self.enter(role, state, cx);
        }
        *state = if *tries < MAX_TRIES {
            ask(&["conf-wrong-pin"], *tries + 1, cx)
        } else {
            leave_hearing("conf-wrong-pin", "wrong_pin", cx)
        };
        Step::Stay
    }

    /// What the keys make of who presses them. Without a PIN for guests they need none.
    fn role_of(&self, keys: &str) -> Option<Role> {
        if self.owner_pin.as_deref() == Some(keys) {
            return Some(Role::Owner);
        }
        let guests = self.pin.as_deref().unwrap_or_default();
        (guests == keys).then_some(Role::Guest)
    }

    fn enter(&self, role: Role, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let (now, call) = (cx.now(), cx.call());
        let rooms = cx.floor().rooms();
        let entered = rooms.enter(&self.room, (call, role), self.most, now);
        cx.let_sleep();
        *state = match entered {
            Ok(opened_at) => {
                if let Some(length) = self.length {
                    cx.wake_in((opened_at + length).since(now));
                }
                State::Inside(self.take_seat(role, cx))
            }
            Err(Refusal::Full) => leave_hearing("conf-full", "full", cx),
            Err(Refusal::Locked) => leave_hearing("conf-locked", "full", cx),
        };
        Step::Stay
    }

    /// The conference is over for the caller.
    fn dismiss(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let call = cx.call();
        cx.floor().rooms().leave(&self.room, call);
        cx.leave_room();
        *state = leave_hearing("conf-ended", "next", cx);
        Step::Stay
    }
}

fn ask(before: &[&'static str], tries: u32, cx: &mut Cx<'_, '_>) -> State {
    let words = before.iter().chain(&["conf-enter-pin"]);
    let words = words.map(|words| Sound::Prompt((*words).into()));
    cx.play(words.collect(), Times::Once);
    cx.wake_in(LONGEST_PLAY);
    State::Asked {
        keys: String::new(),
        tries,
    }
}

fn leave_hearing(words: &'static str, exit: &'static str, cx: &mut Cx<'_, '_>) -> State {
    let play = cx.play(vec![Sound::Prompt(words.into())], Times::Once);
    cx.wake_in(LONGEST_PLAY);
    State::Leaving { play, exit }
}
