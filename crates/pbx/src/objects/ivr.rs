//! Digital receptionist: plays a prompt and lets the caller choose with a key.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::sound::{ANNOUNCEMENTS, Sound, Times};

const DEFAULT_WAIT_SECONDS: u32 = 5;
const DEFAULT_REPEATS: u32 = 2;

/// Lets the caller choose.
#[derive(Debug)]
pub(crate) struct Ivr {
    prompt: Arc<str>,
    wait: Duration,
    repeats: u32,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    prompt: String,
    #[serde(default)]
    wait_seconds: Option<u32>,
    #[serde(default)]
    repeats: Option<u32>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It hears the prompt, or is waited for, after so many prompts in vain.
    Choosing { misses: u32 },
}

/// Why a prompt was in vain.
#[derive(Clone, Copy, Debug)]
enum Miss {
    Invalid,
    NoInput,
}

const fn key(name: &'static str, title: &'static str) -> Exit {
    exit(name, title, HangupCause::Normal)
}

const fn exit(name: &'static str, title: &'static str, cause: HangupCause) -> Exit {
    Exit {
        name,
        title,
        cause,
        pace: Pace::AfterWaiting,
    }
}

impl Object for Ivr {
    const KIND: Kind = Kind {
        name: "ivr",
        title: "Digital receptionist",
        palette: Palette::Basic,
        help: "Answers the call, plays a prompt and waits for a key, which may also be pressed \
               while the prompt plays. A key whose exit leads nowhere is invalid: the caller is \
               told so and asked again.",
        fields: &[
            Field {
                name: "prompt",
                title: "Prompt",
                help: "what the caller hears",
                shape: Shape::Choice(ANNOUNCEMENTS),
                need: Need::Required,
            },
            Field {
                name: "wait_seconds",
                title: "Wait",
                help: "how long a key is waited for after the prompt; 5 when absent",
                shape: Shape::Whole { least: 1, most: 60 },
                need: Need::Optional,
            },
            Field {
                name: "repeats",
                title: "Repeats",
                help: "how often the caller is asked again; twice when absent",
                shape: Shape::Whole { least: 0, most: 9 },
                need: Need::Optional,
            },
        ],
        exits: &[
            key("key_0", "0"),
            key("key_1", "1"),
            key("key_2", "2"),
            key("key_3", "3"),
            key("key_4", "4"),
            key("key_5", "5"),
            key("key_6", "6"),
            key("key_7", "7"),
            key("key_8", "8"),
            key("key_9", "9"),
            key("key_star", "*"),
            key("key_hash", "#"),
            exit("invalid", "Invalid key", HangupCause::Normal),
            exit("no_input", "No key", HangupCause::Normal),
        ],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, _compiler: &mut Compiler<'_>) -> Option<Self> {
        let wait_seconds = settings.wait_seconds.unwrap_or(DEFAULT_WAIT_SECONDS);
        Some(Self {
            prompt: settings.prompt.into(),
            wait: Duration::from_secs(wait_seconds.into()),
            repeats: settings.repeats.unwrap_or(DEFAULT_REPEATS),
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *state, moment) {
            (State::Outside, Moment::Entered) => {
                *state = State::Choosing { misses: 0 };
                self.ask(None, cx)
            }
            (State::Choosing { .. }, Moment::Played { .. }) => {
                cx.wake_in(self.wait);
                Step::Stay
            }
            (State::Choosing { misses }, Moment::Digit(digit)) => match exit_of(digit) {
                Some(exit) if cx.leads_on(exit) => Step::exit(exit),
                Some(_) | None => self.missed(misses, Miss::Invalid, cx),
            },
            (State::Choosing { misses }, Moment::Woken) => self.missed(misses, Miss::NoInput, cx),
            (
                State::Outside | State::Choosing { .. },
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_),
            ) => Step::Stay,
        }
    }
}

impl Ivr {
    fn ask(&self, miss: Option<Miss>, cx: &mut Cx<'_, '_>) -> Step {
        let why = miss.map(|miss| match miss {
            Miss::Invalid => "ivr-invalid",
            Miss::NoInput => "ivr-no-input",
        });
        let prompt = Sound::Prompt(Arc::clone(&self.prompt));
        let why = why.map(|why| Sound::Prompt(why.into()));
        cx.play(why.into_iter().chain([prompt]).collect(), Times::Once);
        // Until the end of the prompt is told; a key is waited for from then on.
        cx.wake_in(LONGEST_PLAY);
        Step::Stay
    }

    fn missed(&self, misses: &mut u32, miss: Miss, cx: &mut Cx<'_, '_>) -> Step {
        *misses += 1;
        if *misses <= self.repeats {
            return self.ask(Some(miss), cx);
        }
        match miss {
            Miss::Invalid => Step::exit("invalid"),
            Miss::NoInput => Step::exit("no_input"),
        }
    }
}

fn exit_of(digit: char) -> Option<&'static str> {
    Some(match digit {
        '0' => "key_0",
        '1' => "key_1",
        '2' => "key_2",
        '3' => "key_3",
        '4' => "key_4",
        '5' => "key_5",
        '6' => "key_6",
        '7' => "key_7",
        '8' => "key_8",
        '9' => "key_9",
        '*' => "key_star",
        '#' => "key_hash",
        _ => return None,
    })
}
