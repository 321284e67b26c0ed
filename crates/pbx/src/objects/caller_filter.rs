//! Lets callers through by their number, or turns them away.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::core::Identity;
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::number::E164;

/// Numbers that are allowed and blocked.
#[derive(Debug)]
pub(crate) struct CallerFilter {
    allow: BTreeSet<E164>,
    block: BTreeSet<E164>,
    anonymous: Verdict,
}

/// As the document has them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    allow: Vec<String>,
    block: Vec<String>,
    anonymous: Verdict,
}

/// What becomes of a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    #[default]
    Allow,
    Block,
}

impl Object for CallerFilter {
    const KIND: Kind = Kind {
        name: "caller_filter",
        title: "Caller filter",
        palette: Palette::Basic,
        help: "Parts callers by their number. A number to allow is allowed, one to block is \
               blocked. Any other is allowed, unless there are numbers to allow and none to \
               block: then only those are.",
        fields: &[
            Field {
                name: "allow",
                title: "Numbers to allow",
                help: "these callers are allowed, also when they are blocked too",
                shape: Shape::Numbers,
                need: Need::Optional,
            },
            Field {
                name: "block",
                title: "Numbers to block",
                help: "these callers are blocked",
                shape: Shape::Numbers,
                need: Need::Optional,
            },
            Field {
                name: "anonymous",
                title: "Callers without a number",
                help: "whether who shows no number is allowed, as when absent, or blocked",
                shape: Shape::Choice(&["allow", "block"]),
                need: Need::Optional,
            },
        ],
        exits: &[
            Exit {
                name: "allowed",
                title: "Allowed",
                cause: HangupCause::Unavailable,
                pace: Pace::AtOnce,
            },
            Exit {
                name: "blocked",
                title: "Blocked",
                cause: HangupCause::Declined,
                pace: Pace::AtOnce,
            },
        ],
    };

    type Settings = Settings;
    type State = ();

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let allow = compiler.outside_numbers("allow", &settings.allow);
        let block = compiler.outside_numbers("block", &settings.block);
        Some(Self {
            allow: allow?,
            block: block?,
            anonymous: settings.anonymous,
        })
    }

    fn handle(&self, _state: &mut (), _moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match self.verdict(cx.caller()) {
            Verdict::Allow => Step::exit("allowed"),
            Verdict::Block => Step::exit("blocked"),
        }
    }
}

impl CallerFilter {
    fn verdict(&self, caller: &Identity) -> Verdict {
        match caller {
            Identity::Withheld => self.anonymous,
            Identity::Number(number) if self.allow.contains(number) => Verdict::Allow,
            Identity::Number(number) if self.block.contains(number) => Verdict::Block,
            Identity::Number(_) | Identity::Plain(_) => self.otherwise(),
        }
    }

    /// For whom no list names.
    fn otherwise(&self) -> Verdict {
        if !self.allow.is_empty() && self.block.is_empty() {
            Verdict::Block
        } else {
            Verdict::Allow
        }
    }
}
