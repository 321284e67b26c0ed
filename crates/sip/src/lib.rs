//! SIP without input or output: bytes of the network to user-agent events, and back.
//!
//! The message half parses, prints, frames, authenticates and registers; the user-agent half keeps
//! transactions and dialogs. Nothing here opens a socket, reads a clock or draws a random number:
//! time comes as `now`, randomness from a seed of the owner.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod digest;
pub mod documents;
pub mod identity;
pub mod registrar;
pub mod stream;

mod bytes;
mod dialog;
mod dtmf;
mod header;
mod message;
mod method;
mod name;
mod objection;
mod params;
mod parse;
mod session_timer;
mod transaction;
mod transport;
mod ua;
mod uri;
mod write;

pub use digest::client::{Challenge, Credentials};
pub use digest::server::{Authorization, Challenger, DigestError, Stale};
pub use digest::{Algorithm, Ha1};
pub use dtmf::KeyPress;
pub use header::{CSeq, Contact, NameAddr, Refresher, SessionExpires, Values, Via};
pub use message::{Field, Message, RequestLine, StatusLine};
pub use method::{Method, reason_phrase};
pub use name::Name;
pub use objection::{Abilities, Objection};
pub use params::{Param, Params, unquote};
pub use parse::{Framing, MAX_BODY_BYTES, MAX_HEADER_LINES, Malformed};
pub use registrar::{Aor, Binding, RegisterError, RegisterRequest, Registrar, RegistrarLimits};
pub use stream::{Frame, FrameError, Framer};
pub use transport::{Destination, FlowId, Source, Transmit, Transport};
pub use ua::{
    Answer, Contacts, Counts, DialogId, EndCause, Event, Incoming, Invite, Limits, NatPolicy,
    OutRequest, Output, Package, Party, Reason, Referral, Refusal, ReplaceScope, Replaced,
    Replaces, Reply, RequestId, Series, SubscriptionEnd, SubscriptionId, SubscriptionNews,
    Termination, Ua, UaConfig, Withdrawal,
};
pub use uri::{Scheme, Uri, percent_decode};
pub use write::Writer;
