//! Ends the call.

use serde::Deserialize;

use super::{Field, Kind, Need, Object, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;

/// Ends the call with a cause.
#[derive(Debug)]
pub(crate) struct HangUp {
    cause: HangupCause,
}

/// As the document has them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    cause: Cause,
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
        help: "Ends the call. A caller who was not answered yet hears what the cause says.",
        fields: &[Field {
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
        }],
        exits: &[],
    };

    type Settings = Settings;
    type State = ();

    fn compile(settings: Settings, _compiler: &mut Compiler<'_>) -> Option<Self> {
        Some(Self {
            cause: settings.cause.into(),
        })
    }

    fn handle(&self, _state: &mut (), _moment: Moment, _cx: &mut Cx<'_, '_>) -> Step {
        Step::HangUp(self.cause)
    }
}
