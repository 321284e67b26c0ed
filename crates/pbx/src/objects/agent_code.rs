//! A feature code by which an agent of queues logs in or out, pauses or comes back. Not drawn by
//! anybody: the plan has one for each such code.

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Kind, Object, Palette};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::floor::{AgentChange, Presence};
use crate::sound::{PlayId, Sound, Times};

/// Changes whether the caller takes calls from queues, and says so.
#[derive(Debug)]
pub(crate) struct AgentCode {
    pub(crate) change: AgentChange,
}

/// It has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It hears what has become of it.
    Listening(PlayId),
}

impl Object for AgentCode {
    const KIND: Kind = Kind {
        name: "agent_code",
        title: "Agent code",
        palette: Palette::Hidden,
        help: "Logs an agent in or out, or lets the agent pause, and confirms it.",
        fields: &[],
        exits: &[],
    };

    type Settings = Settings;
    type State = State;

    fn compile(_settings: Settings, _compiler: &mut Compiler<'_>) -> Option<Self> {
        None
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment) {
            (State::Outside, Moment::Entered) => self.change(state, cx),
            (State::Listening(heard), Moment::Played { play }) if *heard == play => {
                Step::HangUp(HangupCause::Normal)
            }
            (State::Listening(_), Moment::Woken) => Step::HangUp(HangupCause::Normal),
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

impl AgentCode {
    fn change(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let Some(user) = cx.calling_user().cloned() else {
            return Step::HangUp(HangupCause::Forbidden);
        };
        let now = cx.now();
        let presence = cx.floor().change_agent(&user.number, self.change, now);
        let words = Sound::Prompt(words(presence, self.change).into());
        *state = State::Listening(cx.play(vec![words], Times::Once));
        cx.wake_in(LONGEST_PLAY);
        Step::Stay
    }
}

/// What is so now, which need not be what was asked for.
const fn words(presence: Presence, change: AgentChange) -> &'static str {
    match (presence, change) {
        (Presence::In, AgentChange::Resume) => "queue-agent-back",
        (Presence::In, AgentChange::LogIn | AgentChange::LogOut | AgentChange::Pause) => {
            "queue-agent-in"
        }
        (Presence::Paused, _) => "queue-agent-paused",
        (Presence::Out, _) => "queue-agent-out",
    }
}
