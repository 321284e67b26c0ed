//! The encodings the PBX knows, one line of a peer's format list, and the coders of audio.
//!
//! G.711 is our own; G.722 and Opus are libraries without a line of C, so that a build needs nothing
//! but Cargo. The Opus decoder was compared with libopus in all its modes: equal to the last bit or two.

mod decoder;
mod encoder;
pub mod g711;
pub mod pcm;
#[cfg(test)]
mod tests;
mod transcoder;

use serde::{Deserialize, Serialize};

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use pcm::Rate;
pub use transcoder::Transcoder;

use crate::payload::Payload;

/// An encoding that we pass on. Anything else in an offer is left out of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722, 16 kHz audio on an 8 kHz RTP clock (RFC 3551 §4.5.2).
    G722,
    /// Opus (RFC 7587).
    Opus,
    /// DTMF as named events (RFC 4733).
    TelephoneEvent,
}

impl Codec {
    /// The encoding of an rtpmap and its RTP clock, if we know it. Names are compared without regard
    /// to case (RFC 8866 §6.6). Two common mistakes are understood: G.722 with its sampling rate for
    /// a clock, and Opus without its two channels.
    pub fn from_rtpmap(name: &[u8], clock: u32, channels: u8) -> Option<(Self, u32)> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match (clock, channels) {
            (1.., 1) if is("telephone-event") => Some((Self::TelephoneEvent, clock)),
            (8_000, 1) if is("PCMU") => Some((Self::Pcmu, 8_000)),
            (8_000, 1) if is("PCMA") => Some((Self::Pcma, 8_000)),
            (8_000 | 16_000, 1) if is("G722") => Some((Self::G722, 8_000)),
            (48_000, 1 | 2) if is("opus") => Some((Self::Opus, 48_000)),
            _ => None,
        }
    }

    /// The encoding and clock that a payload number means without an rtpmap (RFC 3551 §6).
    pub fn from_static_payload(payload: u8) -> Option<(Self, u32)> {
        match payload {
            0 => Some((Self::Pcmu, 8_000)),
            8 => Some((Self::Pcma, 8_000)),
            9 => Some((Self::G722, 8_000)),
            _ => None,
        }
    }

    /// The name in an rtpmap.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::TelephoneEvent => "telephone-event",
        }
    }

    /// Whether it carries more than the 3.4 kHz of a telephone.
    pub fn is_wide(self) -> bool {
        matches!(self, Self::G722 | Self::Opus)
    }

    /// Whether it carries speech, not only key presses.
    pub fn is_voice(self) -> bool {
        self != Self::TelephoneEvent
    }
}

/// One format of a peer's list: what it calls the encoding, and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The RTP payload number, 0 to 127.
    pub payload: u8,
    /// The encoding.
    pub codec: Codec,
    /// The RTP clock rate in Hz.
    pub clock: u32,
    /// The value of `a=fmtp`, passed on as it came.
    pub parameters: Option<String>,
}

impl Format {
    /// A format under its usual number, without parameters of its own.
    pub fn usual(codec: Codec) -> Self {
        let (payload, clock, parameters) = match codec {
            Codec::Pcmu => (0, 8_000, None),
            Codec::Pcma => (8, 8_000, None),
            Codec::G722 => (9, 8_000, None),
            Codec::Opus => (111, 48_000, Some("useinbandfec=1")),
            Codec::TelephoneEvent => (101, 8_000, Some("0-15")),
        };
        Self {
            payload,
            codec,
            clock,
            parameters: parameters.map(str::to_owned),
        }
    }

    /// The format as plain numbers, for the media thread.
    pub fn payload(&self) -> Payload {
        Payload {
            number: self.payload,
            codec: self.codec,
            clock: self.clock,
        }
    }

    /// Whether both mean the same encoding, under whatever numbers.
    pub fn is_same_encoding(&self, other: &Self) -> bool {
        self.codec == other.codec && self.clock == other.clock
    }
}
