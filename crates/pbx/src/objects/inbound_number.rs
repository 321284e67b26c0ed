//! Calls to these numbers begin here.

use serde::Deserialize;

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;

/// The entry of a call flow.
#[derive(Debug)]
pub(crate) struct InboundNumber;

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    numbers: Vec<String>,
}

impl Object for InboundNumber {
    const KIND: Kind = Kind {
        name: "inbound_number",
        title: "Inbound number",
        palette: Palette::Entry,
        help: "Calls to these numbers begin here. A number belongs to one object only.",
        fields: &[Field {
            name: "numbers",
            title: "Numbers",
            help: "the numbers that carriers deliver to this account, with country code",
            shape: Shape::Numbers,
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
        if settings.numbers.is_empty() {
            compiler.warn(
                "numbers",
                "is empty, so no call comes in here: add a number",
            );
        }
        compiler.claim_numbers("numbers", &settings.numbers);
        Some(Self)
    }

    fn handle(&self, _state: &mut (), _moment: Moment, _cx: &mut Cx<'_, '_>) -> Step {
        Step::exit("next")
    }
}
