//! A feature code that changes what stands: an agent's log-in, do not disturb, a forward, a time
//! switch. Says what is so from now on. Not drawn by anybody: the plan has one for each such code.

use std::sync::Arc;

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Kind, Object, Palette};
use crate::codes::Feature;
use crate::core::Destination;
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::{Fact, HangupCause, UserRef};
use crate::floor::{AgentChange, Presence};
use crate::sound::{PlayId, Sound, Times};
use crate::standing::{Forced, ForwardTo, Standing, Switch, When};

/// Said when the number behind a code may not be taken, and when it is none.
const NOT_ALLOWED: &str = "error-not-allowed";
const NOT_A_NUMBER: &str = "error-not-in-service";

/// Changes what stands, and says so.
#[derive(Debug)]
pub(crate) struct FeatureCode {
    pub(crate) feature: Feature,
    /// What is dialled for it; a number may follow.
    pub(crate) code: Arc<str>,
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

impl Object for FeatureCode {
    const KIND: Kind = Kind {
        name: "feature_code",
        title: "Feature code",
        palette: Palette::Hidden,
        help: "Changes what a user has set by phone, and confirms it.",
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
            (State::Outside, Moment::Entered) => self.enter(state, cx),
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

impl FeatureCode {
    fn enter(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let Some(user) = cx.calling_user().cloned() else {
            return Step::HangUp(HangupCause::Forbidden);
        };
        // Who takes a call makes none: there was nothing to take.
        if self.feature == Feature::PickUp {
            return Step::HangUp(HangupCause::NotFound);
        }
        let number = match cx.dialled() {
            Destination::Plain(dialled) => dialled.strip_prefix(&*self.code).unwrap_or_default(),
            Destination::Number(_) => "",
        };
        let number = number.to_owned();
        let words = self.change(&user, &number, cx);
        *state = State::Listening(cx.play(words, Times::Once));
        cx.wake_in(LONGEST_PLAY);
        Step::Stay
    }

    /// Has it changed, and says what is so now, which need not be what was asked for.
    fn change(&self, user: &UserRef, number: &str, cx: &mut Cx<'_, '_>) -> Vec<Sound> {
        let who = Arc::clone(&user.number);
        match self.feature {
            Feature::Agent(change) => {
                let presence = cx.floor().presence(&who).after(change);
                stand(
                    Standing::Agent {
                        user: who,
                        presence,
                    },
                    cx,
                );
                said(words_for_agent(presence, change))
            }
            Feature::DoNotDisturb(switch) => {
                stand(Standing::DoNotDisturb { user: who, switch }, cx);
                said(match switch {
                    Switch::On => "feature-dnd-on",
                    Switch::Off => "feature-dnd-off",
                })
            }
            Feature::Forward(when) => forward(user, when, number, cx),
            Feature::EndForward(when) => {
                let to = None;
                stand(
                    Standing::Forward {
                        user: who,
                        when,
                        to,
                    },
                    cx,
                );
                said("feature-forward-off")
            }
            Feature::Time(forced) => switch_time(number, forced, cx),
            // They have objects of their own, or say nothing.
            Feature::Park | Feature::Record | Feature::Mailbox(_) | Feature::PickUp => {
                said(NOT_A_NUMBER)
            }
        }
    }
}

fn forward(user: &UserRef, when: When, number: &str, cx: &mut Cx<'_, '_>) -> Vec<Sound> {
    let Some(to) = cx.forward_target(&user.number, number) else {
        return said(NOT_ALLOWED);
    };
    let target = match &to {
        ForwardTo::User(number) => Sound::Digits(number.to_string()),
        ForwardTo::Number(number) => Sound::Digits(number.to_string()),
        ForwardTo::Voicemail => Sound::Prompt("feature-your-voicemail".into()),
    };
    let begin = match when {
        When::Always => "feature-forward-to",
        When::Busy => "feature-forward-busy-to",
        When::NoAnswer => "feature-forward-unanswered-to",
    };
    let standing = Standing::Forward {
        user: Arc::clone(&user.number),
        when,
        to: Some(to),
    };
    stand(standing, cx);
    vec![Sound::Prompt(begin.into()), target]
}

fn switch_time(number: &str, forced: Option<Forced>, cx: &mut Cx<'_, '_>) -> Vec<Sound> {
    if !cx.has_time_switch(number) {
        return said(NOT_A_NUMBER);
    }
    let switch = number.into();
    stand(Standing::Time { switch, forced }, cx);
    said(match forced {
        Some(Forced::Match) => "feature-day-on",
        Some(Forced::NoMatch) => "feature-night-on",
        None => "feature-time-by-clock",
    })
}

fn stand(standing: Standing, cx: &mut Cx<'_, '_>) {
    cx.tell(Fact::Stands { standing });
}

fn said(prompt: &'static str) -> Vec<Sound> {
    vec![Sound::Prompt(prompt.into())]
}

const fn words_for_agent(presence: Presence, change: AgentChange) -> &'static str {
    match (presence, change) {
        (Presence::In, AgentChange::Resume) => "queue-agent-back",
        (Presence::In, AgentChange::LogIn | AgentChange::LogOut | AgentChange::Pause) => {
            "queue-agent-in"
        }
        (Presence::Paused, _) => "queue-agent-paused",
        (Presence::Out, _) => "queue-agent-out",
    }
}
