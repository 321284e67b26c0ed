//! Plays an announcement to the caller, then the call goes on.

use std::time::Duration;

use serde::Deserialize;

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::sound::{ANNOUNCEMENTS, PlayId, Sound, Times};

/// A play whose end is not told by then is over: no announcement is longer.
pub(crate) const LONGEST_PLAY: Duration = Duration::from_mins(10);

/// Plays an announcement.
#[derive(Debug)]
pub(crate) struct PlayAudio {
    sound: Sound,
    keys: Keys,
}

/// What a key does meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Keys {
    #[default]
    Ignore,
    Skip,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    sound: String,
    #[serde(default)]
    keys: Keys,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It hears the announcement.
    Listening(PlayId),
}

impl Object for PlayAudio {
    const KIND: Kind = Kind {
        name: "play_audio",
        title: "Play audio",
        palette: Palette::Basic,
        help: "Answers the call and plays an announcement. Then the call goes on.",
        fields: &[
            Field {
                name: "sound",
                title: "Announcement",
                help: "what the caller hears",
                shape: Shape::Sound(ANNOUNCEMENTS),
                need: Need::Required,
            },
            Field {
                name: "keys",
                title: "Keys",
                help: "whether the caller may skip the announcement with a key; ignored when absent",
                shape: Shape::Choice(&["ignore", "skip"]),
                need: Need::Optional,
            },
        ],
        exits: &[Exit {
            name: "next",
            title: "Afterwards",
            cause: HangupCause::Normal,
            pace: Pace::AfterWaiting,
        }],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        Some(Self {
            sound: compiler.sound("sound", &settings.sound),
            keys: settings.keys,
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment) {
            (State::Outside, Moment::Entered) => {
                let sound = vec![self.sound.clone()];
                *state = State::Listening(cx.play(sound, Times::Once));
                cx.wake_in(LONGEST_PLAY);
                Step::Stay
            }
            (State::Listening(heard), Moment::Played { play }) if *heard == play => {
                Step::exit("next")
            }
            (State::Listening(_), Moment::Woken) => Step::exit("next"),
            (State::Listening(_), Moment::Digit(_)) if self.keys == Keys::Skip => {
                Step::exit("next")
            }
            (
                State::Outside | State::Listening(_),
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
