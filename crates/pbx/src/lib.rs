//! The product: accounts, plans, call flows, calls and what is told about them.
//!
//! Pure: `Account::handle(now, Input) -> Vec<Effect>` is a deterministic state machine. It knows
//! nothing of SIP, sockets, files or SQL; a leg is an id, an instant is an argument.

#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

pub mod cdr;
pub mod codes;
pub mod draft;
pub mod number;
pub mod objects;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

mod account;
mod arrival;
mod attempt;
mod calendar;
mod call;
mod core;
mod cx;
mod dialling;
mod effect;
mod event;
mod floor;
mod hash;
mod ids;
mod input;
mod mailbox;
mod network;
mod origination;
mod pickup;
mod plan;
mod question;
mod recording;
mod recordings;
mod sound;
mod standing;
mod transfer;
mod trigger;
mod turn;
mod watch;

pub use account::{Account, CallView, Stage};
pub use effect::{CallerId, Effect, Progress, Speech, Target};
pub use event::{
    Component, Direction, Event, Fact, GroupKind, GroupRef, HangupCause, LegReport, UserRef,
};
pub use floor::{AgentChange, AgentState, AgentView, CallerView, Presence, QueueView, RoomView};
pub use ids::{AccountId, CallId, CallIds, Ids, LegId};
pub use input::{Failure, Input, Origin, TransferTo};
pub use mailbox::{
    AskedBy, Greeting, MAX_MESSAGES, MailboxAsk, MailboxCounts, MailboxQuestion, MailboxTold,
    Message, MessageState, PIN_DIGITS, pin_hash,
};
pub use network::Network;
pub use origination::{Origination, Placeable, Unplaced};
pub use plan::{
    ApiKey, CallerIds, Device, DeviceIndex, Endpoint, Ha1, InboundFrom, Lamps, Limits,
    NumberFormat, OwnPhone, Parking, Plan, Register, Transport, Trunk, TrunkIndex, User, UserIndex,
    VoicemailRules,
};
pub use question::{Question, QuestionId, Told};
pub use recording::{
    Discarded, Finished, LEAST_MESSAGE_SECONDS, MailOutcome, Purpose, RecordEnd, RecordLimits,
    RecordingId, Voice,
};
pub use sound::{ANNOUNCEMENTS, MAX_SOUNDS_PER_PLAY, PlayId, Sound, Times, Tone, is_sound_name};
pub use standing::{Forced, ForwardTo, Standing, Switch, When};
pub use trigger::Trigger;
pub use watch::{Line, LineDirection, LineState};
