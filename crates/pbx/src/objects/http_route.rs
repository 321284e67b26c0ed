//! Asks an address which way a call goes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::{Compiler, MAX_NAME_CHARS, Secret};
use crate::event::{Component, HangupCause};
use crate::question::Told;

const DEFAULT_TIMEOUT_SECONDS: u32 = 3;

/// Asks an address.
#[derive(Debug)]
pub(crate) struct HttpRoute {
    asks: Component,
    timeout: Duration,
    exits: Vec<String>,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    url: String,
    secret_token: Secret,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    timeout_seconds: Option<u32>,
    exits: Vec<String>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// The answer is waited for.
    Waiting,
}

impl Object for HttpRoute {
    const KIND: Kind = Kind {
        name: "http_route",
        title: "HTTP route",
        palette: Palette::Advanced,
        help: "Asks an address which exit a call takes, and waits for the answer: a JSON object \
               with the name of one of the exits, such as {\"exit\": \"vip\"}, and, if the caller \
               is to be shown by another name, {\"exit\": \"vip\", \"caller_name\": \"Ann\"}. \
               Without an answer in time, or with one that names no exit, the call goes on by the \
               exits for that.",
        fields: &[
            Field {
                name: "url",
                title: "Address",
                help: "what is asked, by https or http",
                shape: Shape::Url,
                need: Need::Required,
            },
            Field {
                name: "secret_token",
                title: "Secret token",
                help: "is sent in the header X-Pbx-Token, so that the address knows who asks",
                shape: Shape::Secret,
                need: Need::Required,
            },
            Field {
                name: "headers",
                title: "Headers",
                help: "further headers that the address wants; none when absent",
                shape: Shape::Headers,
                need: Need::Optional,
            },
            Field {
                name: "timeout_seconds",
                title: "Time-out",
                help: "how long the caller waits for the answer; 3 when absent",
                shape: Shape::Whole { least: 1, most: 15 },
                need: Need::Optional,
            },
            Field {
                name: "exits",
                title: "Exits",
                help: "the names that an answer may give, such as [\"vip\", \"usual\"]",
                shape: Shape::ExitNames,
                need: Need::Required,
            },
        ],
        exits: &[
            Exit {
                name: "time_out",
                title: "Time-out",
                cause: HangupCause::Unavailable,
                pace: Pace::AfterWaiting,
            },
            Exit {
                name: "error",
                title: "Error",
                cause: HangupCause::Unavailable,
                pace: Pace::AtOnce,
            },
        ],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let mut fixed = Self::KIND.exits.iter().map(|exit| exit.name);
        if let Some(taken) = fixed.find(|fixed| settings.exits.iter().any(|exit| exit == fixed)) {
            compiler.fault(
                "exits",
                format!("has `{taken}`, which is there anyway: take it out"),
            );
            return None;
        }
        let headers = settings.headers.iter();
        let seconds = settings.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
        Some(Self {
            asks: Component {
                name: compiler.object_name().into(),
                place: compiler.object_place().into(),
                url: settings.url.into(),
                secret_token: settings.secret_token.reveal().into(),
                headers: headers
                    .map(|(name, value)| (name.as_str().into(), value.reveal().into()))
                    .collect(),
            },
            timeout: Duration::from_secs(seconds.into()),
            exits: settings.exits,
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment) {
            (State::Outside, Moment::Entered) => {
                cx.ask(self.asks.clone(), self.timeout);
                cx.wake_in(self.timeout);
                *state = State::Waiting;
                Step::Stay
            }
            (State::Waiting, Moment::Told) => self.follow(cx),
            (State::Waiting, Moment::Woken) => Step::exit("time_out"),
            (
                State::Outside | State::Waiting,
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::InLine(_)
                | Moment::InRoom(_)
                | Moment::Digit(_)
                | Moment::Told,
            ) => Step::Stay,
        }
    }
}

impl HttpRoute {
    fn follow(&self, cx: &mut Cx<'_, '_>) -> Step {
        match cx.take_told() {
            Some(Told::Way { exit, caller_name }) if self.exits.contains(&exit) => {
                if let Some(name) = caller_name.as_deref().and_then(shown_name) {
                    cx.show_caller(cx.shown_number().clone(), Some(name));
                }
                Step::Exit(exit.into())
            }
            Some(Told::TimedOut) => Step::exit("time_out"),
            Some(Told::Way { .. } | Told::Mailbox(_) | Told::Nothing) | None => Step::exit("error"),
        }
    }
}

/// What phones can show of a name that came from outside.
fn shown_name(name: &str) -> Option<String> {
    let visible = name.trim().chars().filter(|char| !char.is_control());
    let name: String = visible.take(MAX_NAME_CHARS).collect();
    (!name.is_empty()).then_some(name)
}
