//! Digital receptionist: plays a prompt and lets the caller choose with a key.

use std::time::Duration;

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::plan::UserIndex;
use crate::sound::{ANNOUNCEMENTS, Sound, Times};

const DEFAULT_WAIT_SECONDS: u32 = 5;
const DEFAULT_REPEATS: u32 = 2;
const DEFAULT_KEY_SECONDS: u32 = 3;

/// Lets the caller choose.
#[derive(Debug)]
pub(crate) struct Ivr {
    prompt: Sound,
    wait: Duration,
    repeats: u32,
    direct_dial: DirectDial,
    key_wait: Duration,
}

/// Whether a caller may dial an internal number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DirectDial {
    #[default]
    Off,
    Users,
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
    #[serde(default)]
    direct_dial: DirectDial,
    #[serde(default)]
    key_seconds: Option<u32>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It hears the prompt, or is waited for.
    Choosing(Choice),
}

/// How far a caller has come.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Prompts in vain.
    misses: u32,
    /// Keys that may become an internal number.
    keys: String,
}

/// What keys mean.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Exit(&'static str),
    User(UserIndex),
    /// An internal number has more of them.
    Unfinished,
    Nothing,
}

/// Whether more keys may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    GoesOn,
    Ended,
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
               told so and asked again. Callers may also be let dial an internal number; a key \
               that one begins with then waits for the next.",
        fields: &[
            Field {
                name: "prompt",
                title: "Prompt",
                help: "what the caller hears",
                shape: Shape::Sound(ANNOUNCEMENTS),
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
            Field {
                name: "direct_dial",
                title: "Direct dial",
                help: "whether callers may dial the internal number of a user; off when absent",
                shape: Shape::Choice(&["off", "users"]),
                need: Need::Optional,
            },
            Field {
                name: "key_seconds",
                title: "Wait between keys",
                help: "how long the next key of an internal number is waited for, which # ends at \
                       once; 3 when absent",
                shape: Shape::Whole { least: 1, most: 10 },
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

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let wait_seconds = settings.wait_seconds.unwrap_or(DEFAULT_WAIT_SECONDS);
        Some(Self {
            prompt: compiler.sound("prompt", &settings.prompt),
            wait: Duration::from_secs(wait_seconds.into()),
            repeats: settings.repeats.unwrap_or(DEFAULT_REPEATS),
            direct_dial: settings.direct_dial,
            key_wait: Duration::from_secs(
                settings.key_seconds.unwrap_or(DEFAULT_KEY_SECONDS).into(),
            ),
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *state, moment) {
            (State::Outside, Moment::Entered) => {
                *state = State::Choosing(Choice::default());
                self.ask(None, cx)
            }
            (State::Choosing(_), Moment::Played { .. }) => {
                cx.wake_in(self.wait);
                Step::Stay
            }
            (State::Choosing(choice), Moment::Digit('#')) if !choice.keys.is_empty() => {
                self.decide(choice, Entry::Ended, cx)
            }
            (State::Choosing(choice), Moment::Digit(key)) => {
                choice.keys.push(key);
                self.decide(choice, Entry::GoesOn, cx)
            }
            (State::Choosing(choice), Moment::Woken) if choice.keys.is_empty() => {
                self.missed(choice, Miss::NoInput, cx)
            }
            (State::Choosing(choice), Moment::Woken) => self.decide(choice, Entry::Ended, cx),
            (
                State::Outside | State::Choosing(_),
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
}

impl Ivr {
    fn ask(&self, miss: Option<Miss>, cx: &mut Cx<'_, '_>) -> Step {
        let why = miss.map(|miss| match miss {
            Miss::Invalid => "ivr-invalid",
            Miss::NoInput => "ivr-no-input",
        });
        let prompt = self.prompt.clone();
        let why = why.map(|why| Sound::Prompt(why.into()));
        cx.play(why.into_iter().chain([prompt]).collect(), Times::Once);
        // Until the end of the prompt is told; a key is waited for from then on.
        cx.wake_in(LONGEST_PLAY);
        Step::Stay
    }

    /// Does what the keys say, if they say enough.
    fn decide(&self, choice: &mut Choice, entry: Entry, cx: &mut Cx<'_, '_>) -> Step {
        match self.meaning(&choice.keys, entry, cx) {
            Meaning::Exit(exit) => Step::exit(exit),
            Meaning::User(user) => Step::User(user),
            Meaning::Unfinished => {
                cx.stop_playing();
                cx.wake_in(self.key_wait);
                Step::Stay
            }
            Meaning::Nothing => self.missed(choice, Miss::Invalid, cx),
        }
    }

    /// A whole internal number comes before a single key, and before both the longer numbers
    /// that begin with it, as long as keys may follow.
    fn meaning(&self, keys: &str, entry: Entry, cx: &Cx<'_, '_>) -> Meaning {
        let (user, is_longer) = match self.direct_dial {
            DirectDial::Off => (None, false),
            DirectDial::Users => cx.internal_number(keys),
        };
        let mut single = keys.chars();
        let key = single.next().filter(|_| single.as_str().is_empty());
        let exit = key.and_then(exit_of).filter(|exit| cx.leads_on(exit));
        match (user, exit) {
            _ if is_longer && entry == Entry::GoesOn => Meaning::Unfinished,
            (Some(user), _) => Meaning::User(user),
            (None, Some(exit)) => Meaning::Exit(exit),
            (None, None) => Meaning::Nothing,
        }
    }

    fn missed(&self, choice: &mut Choice, miss: Miss, cx: &mut Cx<'_, '_>) -> Step {
        choice.keys.clear();
        choice.misses += 1;
        if choice.misses <= self.repeats {
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
