//! Calls a number outside, through the account's trunks.

use std::time::Duration;

use serde::Deserialize;

use super::one_party::{OneParty, Ring};
use super::outbound::RING_TIME;
use super::user::exit_for;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::attempt::{Accept, Party};
use crate::core::Destination;
use crate::cx::{Cx, Moment, Step};
use crate::draft::{Compiler, MAX_RING_SECONDS, MIN_RING_SECONDS};
use crate::event::HangupCause;
use crate::number::E164;

/// Calls a number outside.
#[derive(Debug)]
pub(crate) struct ExternalNumber {
    number: E164,
    shows: Shows,
    accept: Accept,
    ring_time: Duration,
}

/// The number that the called party sees.
#[derive(Clone, Copy, Debug)]
enum Shows {
    Caller,
    Account,
    Number(E164),
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    number: String,
    #[serde(default)]
    caller_id: CallerIdPolicy,
    #[serde(default)]
    caller_number: Option<String>,
    #[serde(default)]
    ring_seconds: Option<u32>,
    #[serde(default)]
    accept: AcceptSetting,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CallerIdPolicy {
    #[default]
    Caller,
    Account,
}

/// What takes a call to the outside, as the document says it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AcceptSetting {
    #[default]
    AtOnce,
    ByKey,
}

impl Object for ExternalNumber {
    const KIND: Kind = Kind {
        name: "external_number",
        title: "External number",
        palette: Palette::Basic,
        help: "Calls a number outside by the first trunk that takes the call. Who answers may \
               first be asked to press a key, so that a mailbox cannot take the call.",
        fields: &[
            Field {
                name: "number",
                title: "Number",
                help: "whom to call",
                shape: Shape::Number,
                need: Need::Required,
            },
            Field {
                name: "caller_id",
                title: "Number shown",
                help: "the caller's own, as when absent, or the account's number that was called; \
                       not every carrier lets a foreign number pass",
                shape: Shape::Choice(&["caller", "account"]),
                need: Need::Optional,
            },
            Field {
                name: "caller_number",
                title: "Other number shown",
                help: "a number of the account that is shown whoever calls",
                shape: Shape::Number,
                need: Need::Optional,
            },
            Field {
                name: "ring_seconds",
                title: "Ring time",
                help: "how long it rings, the question included; until the carrier gives up when \
                       absent",
                shape: Shape::Whole {
                    least: MIN_RING_SECONDS,
                    most: MAX_RING_SECONDS,
                },
                need: Need::Optional,
            },
            Field {
                name: "accept",
                title: "Accepted",
                help: "by the answer, as when absent, or by a key: 1 takes the call, 2 declines it",
                shape: Shape::Choice(&["at_once", "by_key"]),
                need: Need::Optional,
            },
        ],
        exits: &[
            Exit {
                name: "no_answer",
                title: "No answer",
                cause: HangupCause::NoAnswer,
                pace: Pace::AfterWaiting,
            },
            Exit {
                name: "busy",
                title: "Busy",
                cause: HangupCause::Busy,
                pace: Pace::AtOnce,
            },
            Exit {
                name: "unavailable",
                title: "Unavailable",
                cause: HangupCause::Unavailable,
                pace: Pace::AtOnce,
            },
        ],
    };

    type Settings = Settings;
    type State = OneParty;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let number = compiler.number("number", &settings.number);
        let shows = match (&settings.caller_number, settings.caller_id) {
            (Some(text), _) => compiler
                .shown_number("caller_number", text)
                .map(Shows::Number),
            (None, CallerIdPolicy::Caller) => Some(Shows::Caller),
            (None, CallerIdPolicy::Account) => Some(Shows::Account),
        };
        Some(Self {
            number: number?,
            shows: shows?,
            accept: settings.accept.into(),
            ring_time: settings
                .ring_seconds
                .map_or(RING_TIME, |seconds| Duration::from_secs(seconds.into())),
        })
    }

    fn handle(&self, state: &mut OneParty, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        state.handle(moment, cx, |cx| self.ring(cx), exit_for)
    }
}

impl From<AcceptSetting> for Accept {
    fn from(setting: AcceptSetting) -> Self {
        match setting {
            AcceptSetting::AtOnce => Self::AtOnce,
            AcceptSetting::ByKey => Self::ByKey,
        }
    }
}

impl ExternalNumber {
    fn ring(&self, cx: &Cx<'_, '_>) -> Ring {
        let present = match self.shows {
            Shows::Caller => cx.presented_number(),
            Shows::Account => cx.own_number(),
            Shows::Number(number) => Some(number),
        };
        Ring {
            party: Party::Outside {
                number: Destination::Number(self.number),
                present,
                accept: self.accept,
            },
            time: self.ring_time,
        }
    }
}
