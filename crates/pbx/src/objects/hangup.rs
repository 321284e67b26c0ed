//! Ends the call, with last words or without.

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Field, Kind, Need, Object, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::sound::{ANNOUNCEMENTS, PlayId, Sound, Times};

/// Ends the call with a cause.
#[derive(Debug)]
pub(crate) struct HangUp {
    cause: HangupCause,
    words: Option<Sound>,
}

/// As the document has them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    cause: Cause,
    sound: Option<String>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It hears the last words.
    Listening(PlayId),
}

/// What the caller is told.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cause {
    #[default]
    Normal,
    Busy,
    Declined,
    NotFound,
    Unavailable,
    Congested,
}

impl From<Cause> for HangupCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Normal => Self::Normal,
            Cause::Busy => Self::Busy,
            Cause::Declined => Self::Declined,
            Cause::NotFound => Self::NotFound,
            Cause::Unavailable => Self::Unavailable,
            Cause::Congested => Self::Congested,
        }
    }
}

impl Object for HangUp {
    const KIND: Kind = Kind {
        name: "hangup",
        title: "Hang up",
        palette: Palette::Basic,
        help: "Ends the call. A caller who was not answered yet hears what the cause says; with \
               an announcement the caller is answered, and hears that instead.",
        fields: &[
            Field {
                name: "cause",
                title: "Cause",
                help: "what the caller is told; normal when absent",
                shape: Shape::Choice(&[
                    "normal",
                    "busy",
                    "declined",
                    "not_found",
                    "unavailable",
                    "congested",
                ]),
                need: Need::Optional,
            },
            Field {
                name: "sound",
                title: "Announcement",
                help: "what the caller hears before the end; nothing when absent",
                shape: Shape::Sound(ANNOUNCEMENTS),
                need: Need::Optional,
            },
        ],
        exits: &[],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        Some(Self {
            cause: settings.cause.into(),
            words: settings.sound.map(|sound| compiler.sound("sound", &sound)),
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment, &self.words) {
            (State::Outside, Moment::Entered, Some(words)) => {
                let words = vec![words.clone()];
                *state = State::Listening(cx.play(words, Times::Once));
                cx.wake_in(LONGEST_PLAY);
                Step::Stay
            }
            (State::Listening(heard), Moment::Played { play }, _) if *heard != play => Step::Stay,
            (
                State::Listening(_),
                Moment::Entered
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
                _,
            ) => Step::Stay,
            (State::Listening(_), Moment::Played { .. } | Moment::Woken, _)
            | (State::Outside, _, _) => Step::HangUp(self.cause),
        }
    }
}
