//! The objects of the call flow: one file each, and one line in the registry below.

mod call_recording;
mod caller_filter;
mod conference;
mod directory;
mod external_number;
mod feature_code;
mod fields;
mod forwards;
mod hangup;
mod http_route;
mod inbound_number;
mod internal_number;
mod ivr;
mod mailbox;
mod one_party;
mod outbound;
mod park;
mod play_audio;
mod queue;
mod ring_group;
mod set_caller_id;
mod time_conditions;
mod user;
mod voicemail;
mod webhook;

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;

pub(crate) use feature_code::FeatureCode;
pub use fields::{Field, Need, Shape};
pub(crate) use fields::{complaints, own_exits, sound_complaint};
pub(crate) use mailbox::Mailbox;
pub use mailbox::Whose;
pub(crate) use outbound::Outbound;
pub(crate) use park::{Door, MAX_PARK_SECONDS, Park};
use queue::MAX_AGENTS;
pub(crate) use queue::Queue;
use ring_group::MAX_MEMBERS;
use set_caller_id::MAX_RULES;
use time_conditions::MAX_GROUPS;
pub(crate) use user::RingUser;
pub(crate) use voicemail::Voicemail;

/// A node kind of the call flow.
pub(crate) trait Object: Sized + Debug {
    /// What is shown of it and asked for it.
    const KIND: Kind;
    /// Its settings as the document has them.
    type Settings: DeserializeOwned;
    /// What it remembers while a call stands in it. The default is: not yet entered.
    type State: Debug + Default;

    /// The object as it runs. What is wrong goes to the compiler, which then has no object.
    fn compile(settings: Self::Settings, compiler: &mut Compiler<'_>) -> Option<Self>;

    /// Takes one moment. Called with [`Moment::Entered`] first.
    fn handle(&self, state: &mut Self::State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step;

    /// The call has left, by an exit or because it ended; the object's attempts are over. The
    /// place to tell a summary.
    fn leave(&self, _state: Self::State, _cx: &mut Cx<'_, '_>) {}
}

/// What is shown of a kind of object, and what the palette, the settings form, the documentation
/// and the simulator's generator are made from.
#[derive(Debug)]
pub struct Kind {
    /// Its word in the document.
    pub name: &'static str,
    /// Its title on the palette.
    pub title: &'static str,
    /// Where it is offered.
    pub palette: Palette,
    /// What it does, for the person who uses it.
    pub help: &'static str,
    /// Its settings.
    pub fields: &'static [Field],
    /// Its exits.
    pub exits: &'static [Exit],
}

/// Where a kind of object is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Calls begin here.
    Entry,
    /// With the usual objects.
    Basic,
    /// Under *advanced options*.
    Advanced,
    /// Nowhere: the plan itself puts it where it is needed.
    Hidden,
}

/// A way out of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its word in the document.
    pub name: &'static str,
    /// Its title on the canvas.
    pub title: &'static str,
    /// Why the call ends when the exit leads nowhere.
    pub cause: HangupCause,
    /// Whether a call may leave by it in the moment it came.
    pub pace: Pace,
}

impl Exit {
    /// Whether the object knows what to do when it leads nowhere: a key is then invalid, and who calls
    /// a full mailbox is told so.
    pub fn is_optional(&self) -> bool {
        self.name.starts_with("key") || self.name == "mailbox_full"
    }
}

/// Whether an exit can be taken without any wait: a circle of such exits would never end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The call may leave in the moment it came.
    AtOnce,
    /// Time has passed.
    AfterWaiting,
}

/// Makes the registry: what is compiled, what is remembered, and who is asked.
macro_rules! objects {
    ($($module:ident :: $object:ident),+ $(,)?) => {
        /// Every kind of object.
        pub static KINDS: &[&Kind] = &[$(&<$module::$object as Object>::KIND),+];

        /// An object of any kind, compiled.
        #[derive(Debug)]
        pub(crate) enum AnyObject {
            $($object($module::$object)),+
        }

        /// What an object of any kind remembers.
        #[derive(Debug)]
        pub(crate) enum AnyState {
            $($object(<$module::$object as Object>::State)),+
        }

        impl AnyObject {
            /// The object of that kind with those settings, already checked by its fields.
            pub(crate) fn compile(
                kind: &str,
                settings: serde_json::Value,
                compiler: &mut Compiler<'_>,
            ) -> Option<Self> {
                $(if kind == <$module::$object as Object>::KIND.name {
                    let settings = compiler.settings(settings)?;
                    return <$module::$object as Object>::compile(settings, compiler)
                        .map(Self::$object);
                })+
                None
            }

            /// What is shown of its kind.
            pub(crate) fn kind(&self) -> &'static Kind {
                match self {
                    $(Self::$object(_) => &<$module::$object as Object>::KIND),+
                }
            }

            /// The state of a call that is about to enter.
            pub(crate) fn begin(&self) -> AnyState {
                match self {
                    $(Self::$object(_) => AnyState::$object(Default::default())),+
                }
            }

            /// Passes a moment on.
            pub(crate) fn handle(
                &self,
                state: &mut AnyState,
                moment: Moment,
                cx: &mut Cx<'_, '_>,
            ) -> Step {
                match (self, state) {
                    $((Self::$object(object), AnyState::$object(state)) => {
                        object.handle(state, moment, cx)
                    })+
                    // A place is only ever made with the state of its own object.
                    _ => Step::HangUp(HangupCause::AccountFault),
                }
            }

            /// Tells it that the call has left.
            pub(crate) fn leave(&self, state: AnyState, cx: &mut Cx<'_, '_>) {
                match (self, state) {
                    $((Self::$object(object), AnyState::$object(state)) => {
                        object.leave(state, cx);
                    })+
                    _ => {}
                }
            }
        }
    };
}

objects! {
    inbound_number::InboundNumber,
    internal_number::InternalNumber,
    user::RingUser,
    ring_group::RingGroup,
    external_number::ExternalNumber,
    queue::Queue,
    play_audio::PlayAudio,
    ivr::Ivr,
    caller_filter::CallerFilter,
    set_caller_id::SetCallerId,
    voicemail::Voicemail,
    conference::Conference,
    park::Park,
    directory::Directory,
    call_recording::CallRecording,
    time_conditions::TimeConditions,
    hangup::HangUp,
    webhook::Webhook,
    http_route::HttpRoute,
    outbound::Outbound,
    feature_code::FeatureCode,
    mailbox::Mailbox,
}

/// The kinds a document may name.
pub(crate) fn offered() -> impl Iterator<Item = &'static Kind> {
    KINDS
        .iter()
        .copied()
        .filter(|kind| kind.palette != Palette::Hidden)
}

/// The kind of that name, if a document may name it.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    offered().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;
