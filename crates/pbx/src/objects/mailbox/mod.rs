//! The mailbox by phone: a feature code leads here, and so does `*` during the greeting of a voicemail
//! object. Not drawn by anybody.

mod greetings;
mod inside;
mod keys;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Kind, Object, Palette};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
pub(super) use visit::Visit;

/// How long a key is waited for after the words.
const KEY_WAIT: Duration = Duration::from_secs(10);
/// How often a caller who presses nothing, or something that means nothing, is asked again.
const MAX_MISSES: u32 = 3;
/// How long the mailbox may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lets users hear their messages and speak their greetings.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) whose: Whose,
    /// What is dialled for it.
    pub(crate) code: Arc<str>,
}

/// Whose mailbox the code opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// That of the user who dials it.
    Own,
    /// That of the internal number which is dialled after it, or keyed in.
    Any,
}

/// It has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {}

impl Object for Mailbox {
    const KIND: Kind = Kind {
        name: "mailbox",
        title: "Mailbox",
        palette: Palette::Hidden,
        help: "Lets a user hear, save, delete and forward messages, and record greetings.",
        fields: &[],
        exits: &[],
    };

    type Settings = Settings;
    type State = Visit;

    fn compile(_settings: Settings, _compiler: &mut Compiler<'_>) -> Option<Self> {
        None
    }

    fn handle(&self, state: &mut Visit, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&*state, moment, self.whose) {
            (Visit::Outside, Moment::Entered, Whose::Own) => state.enter_own(cx),
            (Visit::Outside, Moment::Entered, Whose::Any) => state.enter_any(&self.code, cx),
            (_, moment, Whose::Own | Whose::Any) => state.handle(moment, cx),
        }
    }

    fn leave(&self, state: Visit, cx: &mut Cx<'_, '_>) {
        state.leave(cx);
    }
}
