//! Audio as the PBX understands it, without a socket: session descriptions, RTP and RTCP headers,
//! telephone events, reception statistics, source latching, and the plain data that passes between
//! the engine and the media threads.
//!
//! Nothing here reads a clock, opens a socket or keeps a global; `server/src/rtp` is the shell.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod codec;
pub mod latch;
pub mod leg;
pub mod path;
pub mod payload;
pub mod rtp;
pub mod sdp;

pub use codec::{Codec, Format};
pub use latch::Latch;
pub use path::{Command, LegReport, MediaEvent, PathId, Port, Remote, ThreadId};
pub use payload::{Payload, PayloadMap};
pub use sdp::{
    Description, Direction, Incompatible, Local, MediaAddress, SdpError, answer_from, offer_again,
    offer_from, own_answer, own_offer,
};
