//! Call recording: from here on the conversation is recorded, or is not any more.

use std::sync::Arc;

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::sound::{PlayId, Sound, Times};

/// Switches recording on or off.
#[derive(Debug)]
pub(crate) struct CallRecording {
    recording: Switch,
    announcement: Announcement,
    emails: Vec<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Switch {
    On,
    Off,
}

/// What the caller is told of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Announcement {
    #[default]
    None,
    IsRecorded,
    MayBeRecorded,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    recording: Switch,
    #[serde(default)]
    announcement: Announcement,
    #[serde(default)]
    emails: Vec<String>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It hears that it is recorded.
    Told(PlayId),
}

impl Object for CallRecording {
    const KIND: Kind = Kind {
        name: "call_recording",
        title: "Call recording",
        palette: Palette::Basic,
        help: "Records the conversation from the next answer on, the caller on the left and who \
               is called on the right, wherever the call goes. Switched off, it leaves out what \
               is said until it is switched on again.",
        fields: &[
            Field {
                name: "recording",
                title: "Recording",
                help: "whether the call is recorded from here on",
                shape: Shape::Choice(&["on", "off"]),
                need: Need::Required,
            },
            Field {
                name: "announcement",
                title: "Announcement",
                help: "what callers are told, who are answered for it; nothing when absent",
                shape: Shape::Choice(&["none", "is_recorded", "may_be_recorded"]),
                need: Need::Optional,
            },
            Field {
                name: "emails",
                title: "Mails",
                help: "who is mailed the recording; nobody when absent",
                shape: Shape::Emails,
                need: Need::Optional,
            },
        ],
        exits: &[Exit {
            name: "next",
            title: "Next",
            cause: HangupCause::Normal,
            pace: Pace::AtOnce,
        }],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        if settings.recording == Switch::Off && !settings.emails.is_empty() {
            compiler.warn("emails", "is of no use where recording is switched off");
        }
        Some(Self {
            recording: settings.recording,
            announcement: settings.announcement,
            emails: settings.emails.into_iter().map(Into::into).collect(),
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment) {
            (State::Outside, Moment::Entered) => {
                match self.recording {
                    Switch::On => cx.record_conversation(self.emails.clone()),
                    Switch::Off => cx.pause_conversation(),
                }
                let Some(words) = self.announcement.words() else {
                    return Step::exit("next");
                };
                let play = cx.play(vec![Sound::Prompt(words.into())], Times::Once);
                cx.wake_in(LONGEST_PLAY);
                *state = State::Told(play);
                Step::Stay
            }
            (State::Told(play), Moment::Played { play: heard }) if *play == heard => {
                Step::exit("next")
            }
            (State::Told(_), Moment::Woken) => Step::exit("next"),
            (
                State::Outside | State::Told(_),
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

impl Announcement {
    fn words(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::IsRecorded => Some("call-recorded"),
            Self::MayBeRecorded => Some("call-may-be-recorded"),
        }
    }
}
