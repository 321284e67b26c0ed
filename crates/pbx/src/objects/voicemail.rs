//! Voicemail: plays a greeting and records what the caller says. `*` during the greeting lets the
//! mailbox's user in.

use std::sync::Arc;

use serde::Deserialize;

use super::mailbox::Visit;
use super::play_audio::LONGEST_PLAY;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::{HangupCause, UserRef};
use crate::mailbox::Greeting;
use crate::recording::{LEAST_MESSAGE_SECONDS, Purpose, RecordEnd, RecordLimits, RecordingId};
use crate::sound::{PlayId, Sound, Times, Tone};

const DEFAULT_MAX_SECONDS: u32 = 180;
const DEFAULT_SILENCE_SECONDS: u32 = 8;
/// How often a caller is let try again whose message was too short.
const MAX_TRIES: u32 = 3;
/// Ends the greeting, and the message.
const END_KEY: char = '#';
/// Lets the mailbox's user in.
const OWNERS_KEY: char = '*';
/// Words that choose a greeting.
const UNAVAILABLE: &str = "unavailable";
const BUSY: &str = "busy";
const NONE: &str = "none";

/// Takes a message.
#[derive(Debug)]
pub(crate) struct Voicemail {
    mailbox: UserRef,
    emails: Vec<Arc<str>>,
    /// What callers are told before the tone.
    greeting: Option<Sound>,
    limits: RecordLimits,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    mailbox: String,
    #[serde(default)]
    greeting: Option<String>,
    #[serde(default)]
    max_seconds: Option<u32>,
    #[serde(default)]
    silence_seconds: Option<u32>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It hears the greeting and the tone, for the so manieth time.
    Greeted { play: PlayId, tries: u32 },
    /// It speaks.
    Speaking { message: RecordingId, tries: u32 },
    /// It hears that this was all.
    Thanked(PlayId),
    /// It is the mailbox's user, or says so.
    Owner(Visit),
}

impl Object for Voicemail {
    const KIND: Kind = Kind {
        name: "voicemail",
        title: "Voicemail",
        palette: Palette::Basic,
        help: "Plays a greeting and a tone, and records the caller's message until the caller \
               hangs up, presses #, or says nothing any more. The message is kept in the user's \
               mailbox and mailed to the user. # cuts the greeting short. The user may press * \
               instead, key in the PIN, and hear the messages. Greetings are the user's own, \
               recorded by phone or handed in, or ours.",
        fields: &[
            Field {
                name: "mailbox",
                title: "Mailbox",
                help: "the user whom messages are for",
                shape: Shape::User,
                need: Need::Required,
            },
            Field {
                name: "greeting",
                title: "Greeting",
                help: "what is said before the tone: the user's greeting for that case, nothing, or \
                       a sound; that the user is not available, when absent",
                shape: Shape::Sound(&[UNAVAILABLE, BUSY, NONE]),
                need: Need::Optional,
            },
            Field {
                name: "max_seconds",
                title: "Longest message",
                help: "how long a message may get; 180 when absent",
                shape: Shape::Whole {
                    least: 10,
                    most: 3_600,
                },
                need: Need::Optional,
            },
            Field {
                name: "silence_seconds",
                title: "Silence",
                help: "the message ends after so long without a word; 8 when absent",
                shape: Shape::Whole { least: 3, most: 60 },
                need: Need::Optional,
            },
        ],
        exits: &[
            Exit {
                name: "next",
                title: "Afterwards",
                cause: HangupCause::Normal,
                pace: Pace::AfterWaiting,
            },
            Exit {
                name: "key_0",
                title: "0 during the greeting",
                cause: HangupCause::Normal,
                pace: Pace::AfterWaiting,
            },
            Exit {
                name: "mailbox_full",
                title: "Mailbox is full",
                cause: HangupCause::Busy,
                pace: Pace::AtOnce,
            },
        ],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let (mailbox, emails) = compiler.mailbox("mailbox", &settings.mailbox)?;
        let length = settings.max_seconds.unwrap_or(DEFAULT_MAX_SECONDS);
        let silence = settings.silence_seconds.unwrap_or(DEFAULT_SILENCE_SECONDS);
        let own = |greeting| {
            let mailbox = mailbox.number.clone();
            Some(Sound::Greeting { mailbox, greeting })
        };
        let greeting = match settings.greeting.as_deref() {
            None | Some(UNAVAILABLE) => own(Greeting::Unavailable),
            Some(BUSY) => own(Greeting::Busy),
            Some(NONE) => None,
            Some(word) => Some(compiler.sound("greeting", word)),
        };
        Some(Self {
            mailbox,
            emails,
            greeting,
            limits: RecordLimits {
                length_seconds: Some(length),
                silence_seconds: Some(silence),
            },
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *state, moment) {
            (State::Owner(visit), moment) => visit.handle(moment, cx),
            (State::Outside, Moment::Entered) if cx.is_mailbox_full(&self.mailbox.number) => {
                full(state, cx)
            }
            (State::Outside, Moment::Entered) => {
                *state = greet(self.greeting.clone(), 1, cx);
                Step::Stay
            }
            (State::Greeted { .. }, Moment::Digit(OWNERS_KEY)) => {
                let mut visit = Visit::default();
                let step = visit.knock(self.mailbox.clone(), None, cx);
                *state = State::Owner(visit);
                step
            }
            (State::Greeted { play, tries }, Moment::Played { play: heard }) if *play == heard => {
                let tries = *tries;
                self.record(tries, state, cx)
            }
            (State::Greeted { tries, .. }, Moment::Woken) => {
                let tries = *tries;
                self.record(tries, state, cx)
            }
            (State::Greeted { tries, .. }, Moment::Digit(END_KEY)) => {
                *state = greet(None, *tries, cx);
                Step::Stay
            }
            (State::Greeted { .. }, Moment::Digit('0')) if cx.leads_on("key_0") => {
                Step::exit("key_0")
            }
            (State::Speaking { .. }, Moment::Digit(END_KEY)) => {
                cx.stop_message();
                Step::Stay
            }
            (
                State::Speaking { message, tries },
                Moment::Recorded {
                    recording,
                    seconds,
                    end,
                },
            ) if *message == recording => {
                *state = after(seconds, end, *tries, cx);
                Step::Stay
            }
            (State::Thanked(play), Moment::Played { play: heard }) if *play == heard => {
                Step::exit("next")
            }
            (State::Speaking { .. } | State::Thanked(_), Moment::Woken)
            | (State::Thanked(_), Moment::Digit(END_KEY)) => Step::exit("next"),
            (
                State::Outside | State::Greeted { .. } | State::Speaking { .. } | State::Thanked(_),
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
        if let State::Owner(visit) = state {
            visit.leave(cx);
        }
    }
}

impl Voicemail {
    /// The mailbox of a user that the document has not drawn.
    pub(crate) fn of_user(mailbox: UserRef, emails: Vec<Arc<str>>) -> Self {
        let greeting = Sound::Greeting {
            mailbox: mailbox.number.clone(),
            greeting: Greeting::Unavailable,
        };
        Self {
            mailbox,
            emails,
            greeting: Some(greeting),
            limits: RecordLimits {
                length_seconds: Some(DEFAULT_MAX_SECONDS),
                silence_seconds: Some(DEFAULT_SILENCE_SECONDS),
            },
        }
    }

    /// The tone is over: what is said now is the message.
    fn record(&self, tries: u32, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let purpose = Purpose::Voicemail {
            mailbox: self.mailbox.clone(),
            emails: self.emails.clone(),
            copy_of: None,
        };
        let Some(message) = cx.record_message(purpose, self.limits) else {
            return Step::exit("next");
        };
        cx.wake_in(self.limits.longest());
        *state = State::Speaking { message, tries };
        Step::Stay
    }
}

/// Who cannot leave a message is told so, unless the flow knows better.
fn full(state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
    if cx.leads_on("mailbox_full") {
        return Step::exit("mailbox_full");
    }
    *state = State::Thanked(say("vm-mailbox-full", cx));
    Step::Stay
}

fn greet(words: Option<Sound>, tries: u32, cx: &mut Cx<'_, '_>) -> State {
    let sounds = words.into_iter().chain([Sound::Tone(Tone::Beep)]);
    let play = cx.play(sounds.collect(), Times::Once);
    cx.wake_in(LONGEST_PLAY);
    State::Greeted { play, tries }
}

/// Who pressed the key too early may speak again. Who could not be recorded is told so.
fn after(seconds: u32, end: RecordEnd, tries: u32, cx: &mut Cx<'_, '_>) -> State {
    let is_too_short = end == RecordEnd::Stopped && seconds < LEAST_MESSAGE_SECONDS;
    if is_too_short && tries < MAX_TRIES {
        let words = Sound::Prompt("vm-message-short".into());
        return greet(Some(words), tries + 1, cx);
    }
    let words = match end {
        RecordEnd::Failed => "error-problem",
        RecordEnd::Stopped
        | RecordEnd::HungUp
        | RecordEnd::Length
        | RecordEnd::Silence
        | RecordEnd::Size => "vm-message-saved",
    };
    State::Thanked(say(words, cx))
}

fn say(words: &'static str, cx: &mut Cx<'_, '_>) -> PlayId {
    let play = cx.play(vec![Sound::Prompt(words.into())], Times::Once);
    cx.wake_in(LONGEST_PLAY);
    play
}
