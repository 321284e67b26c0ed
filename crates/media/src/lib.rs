//! Audio as the PBX understands it, without a socket: session descriptions, RTP and RTCP headers,
//! telephone events, reception statistics, source latching, frame coders, sounds, mixing, journals of
//! recordings, and the plain data that passes between the engine and the media threads.
//!
//! Nothing here reads a clock, opens a socket or keeps a global; `server/src/rtp` is the shell.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod codec;
pub mod dtmf;
pub mod journal;
pub mod latch;
pub mod leg;
pub mod listener;
pub mod mix;
pub mod path;
pub mod payload;
pub mod player;
pub mod record;
pub mod rtp;
pub mod sdp;
pub mod sound;
#[cfg(test)]
mod testing;
pub mod tone;

pub use codec::{Codec, Format};
pub use latch::Latch;
pub use path::{
    Carries, Command, LegReport, MAX_ROOM_MEMBERS, MediaEvent, PathId, Port, Remote, RoomId,
    Speech, ThreadId, tie,
};
pub use payload::{Payload, PayloadMap, Way};
pub use record::{Channel, RecordEnd, RecordLimits, RecordingId};
pub use sdp::{
    Description, Direction, Fax, Incompatible, Local, MediaAddress, SdpError, VOICES, answer_fax,
    answer_from, offer_again, offer_fax, offer_from, own_answer, own_offer,
};
pub use sound::{PlayId, Playlist, Repeat, Sound};
