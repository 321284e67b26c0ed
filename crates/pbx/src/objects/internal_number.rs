//! Calls of users to these numbers begin here.

use serde::Deserialize;

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;

/// The entry of a call flow for those inside.
#[derive(Debug)]
pub(crate) struct InternalNumber;

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    numbers: Vec<String>,
}

impl Object for InternalNumber {
    const KIND: Kind = Kind {
        name: "internal_number",
        title: "Internal number",
        palette: Palette::Entry,
        help: "Calls of the account's users to these numbers begin here, and calls that they hand \
               on to them. A number belongs to one object or user only.",
        fields: &[Field {
            name: "numbers",
            title: "Numbers",
            help: "what users dial",
            shape: Shape::InternalNumbers,
            need: Need::Required,
        }],
        exits: &[Exit {
            name: "next",
            title: "Next",
            cause: HangupCause::Unavailable,
            pace: Pace::AtOnce,
        }],
    };

    type Settings = Settings;
    type State = ();

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        compiler.claim_internal("numbers", &settings.numbers);
        Some(Self)
    }

    fn handle(&self, _state: &mut (), _moment: Moment, _cx: &mut Cx<'_, '_>) -> Step {
        Step::exit("next")
    }
}
