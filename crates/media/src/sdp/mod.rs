//! Session descriptions (RFC 8866) in offer and answer (RFC 3264), as a B2BUA needs them.
//!
//! A [`Description`] is what one peer said, reduced to what we act on: one audio stream we can
//! speak and the streams we refuse; while two fax machines talk it is a [`Fax`]. What we send is always written anew, so nothing a peer wrote
//! passes through except payload numbers and format parameters. ICE, DTLS and SRTP are not spoken.

mod direction;
mod fax;
mod parse;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub use direction::Direction;
pub use fax::{Fax, answer_fax, offer_fax};
pub use write::{Local, VOICES, answer_from, offer_again, offer_from, own_answer, own_offer};

use crate::codec::Format;
use crate::payload::Payload;

/// The longest description that is read, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 16 * 1024;
/// The most streams (`m=`) in a description.
pub const MAX_STREAMS: usize = 16;
/// The most formats of one stream that are looked at; browsers list about 20.
pub const MAX_FORMATS: usize = 48;
/// The longest format parameters that are passed on, in bytes.
pub const MAX_PARAMETERS_BYTES: usize = 256;

/// Where a peer wants its packets. An unspecified address or port 0 means nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaAddress {
    /// For RTP.
    pub rtp: SocketAddr,
    /// For RTCP; the same as `rtp` when both are multiplexed (RFC 5761).
    pub rtcp: SocketAddr,
}

/// Why a description cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Answered with 413.
    #[error("the session description has {bytes} bytes, more than {MAX_DESCRIPTION_BYTES}")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// Answered with 400.
    #[error("the session description does not begin with v=0")]
    NotSdp,
    /// Answered with 488.
    #[error("the session description has more than {MAX_STREAMS} streams")]
    TooManyStreams,
    /// Answered with 488.
    #[error("the session description has no audio stream that we can speak")]
    NoAudio,
    /// Answered with 488.
    #[error("the session description has no fax stream that we can pass on")]
    NoFax,
}

/// Offer and answer have no voice encoding in common; answered with 488.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offer and answer have no voice encoding in common")]
pub struct Incompatible;

/// One side's session as we understand it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    refused_before: Vec<RefusedStream>,
    audio: Audio,
    refused_after: Vec<RefusedStream>,
}

/// The one stream we speak.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Audio {
    /// `RTP/AVP` or `RTP/AVPF`: an answer must repeat it.
    profile: Profile,
    address: Option<IpAddr>,
    port: u16,
    rtcp: Rtcp,
    formats: Vec<Format>,
    packet_ms: Option<u16>,
    longest_packet_ms: Option<u16>,
    direction: Direction,
}

/// The RTP profile of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// RFC 3551.
    Avp,
    /// RFC 4585; taken, though we promise no feedback.
    Avpf,
}

/// Where RTCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rtcp {
    /// One above the RTP port.
    NextPort,
    /// `a=rtcp` (RFC 3605).
    At { port: u16, address: Option<IpAddr> },
    /// `a=rtcp-mux` (RFC 5761).
    Multiplexed,
}

/// A stream that we answer with port 0: what its `m=` line must repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RefusedStream {
    /// `video`, `image`, …
    kind: String,
    /// Transport and first format.
    transport: String,
}

impl Description {
    /// Reads what a peer sent. Unknown lines and attributes are skipped; a description without a
    /// usable audio stream is an error, so that a `Description` can always be spoken to.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        parse::description(bytes)
    }

    /// Where the peer wants its packets.
    pub fn remote(&self) -> MediaAddress {
        let address = self
            .audio
            .address
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let rtp = SocketAddr::new(address, self.audio.port);
        let rtcp = match self.audio.rtcp {
            // Port 65535 has no next one; port 0 means nowhere.
            Rtcp::NextPort => SocketAddr::new(address, self.audio.port.wrapping_add(1)),
            Rtcp::At { port, address: own } => SocketAddr::new(own.unwrap_or(address), port),
            Rtcp::Multiplexed => rtp,
        };
        MediaAddress { rtp, rtcp }
    }

    /// Which way the peer wants audio to flow, seen from the peer. The old hold (`c=0.0.0.0`,
    /// RFC 3264 §8.4) counts as not receiving.
    pub fn direction(&self) -> Direction {
        self.audio.direction
    }

    /// The peer's formats that we know, in its order of preference.
    pub fn formats(&self) -> &[Format] {
        &self.audio.formats
    }

    /// The same as plain payload numbers, for the media thread.
    pub fn payloads(&self) -> Vec<Payload> {
        self.audio.formats.iter().map(Format::payload).collect()
    }

    /// Those of them that `other` names too, whatever their numbers there.
    pub(crate) fn payloads_shared_with(&self, other: &Self) -> Vec<Payload> {
        let is_shared = |format: &&Format| other.names(format);
        let shared = self.audio.formats.iter().filter(is_shared);
        shared.map(Format::payload).collect()
    }

    /// What is left of it once `answer` has left the rest out (RFC 3264 §6.1).
    #[must_use]
    pub fn narrowed_to(&self, answer: &Self) -> Self {
        let mut narrowed = self.clone();
        narrowed.audio.formats.retain(|format| answer.names(format));
        narrowed
    }

    /// The same, with audio that flows this way.
    #[must_use]
    pub fn directed(&self, direction: Direction) -> Self {
        let mut directed = self.clone();
        directed.audio.direction = direction;
        directed
    }

    /// Whether both sides can speak without a translator.
    pub(crate) fn shares_voice_with(&self, other: &Self) -> bool {
        let mut voices = self.audio.formats.iter().filter(|f| f.codec.is_voice());
        voices.any(|format| other.names(format))
    }

    fn names(&self, format: &Format) -> bool {
        let formats = &self.audio.formats;
        formats.iter().any(|own| own.is_same_encoding(format))
    }
}
