//! Payload numbers: what a peer's numbers mean, and how they change on the way to the other leg.

use crate::codec::Codec;
use crate::sdp::Description;

/// A negotiated payload number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The number in the RTP header, 0 to 127.
    pub number: u8,
    /// What it carries.
    pub codec: Codec,
    /// Its RTP clock rate in Hz.
    pub clock: u32,
}

/// How packets of one leg pass to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// As they came, but for their payload numbers.
    Relay(PayloadMap),
    /// Decoded and encoded: the two share no voice format. Key presses are made anew.
    Transcode {
        /// What the other leg is sent.
        to: Payload,
    },
}

impl Way {
    /// The way that changes nothing.
    pub const DIRECT: Self = Self::Relay(PayloadMap::IDENTITY);

    /// How what the sender of `from` sends reaches the sender of `to`: unchanged if they share a voice
    /// format. Both always have one, or they would be no descriptions.
    pub fn between(from: &Description, to: &Description) -> Self {
        let target = to.payloads().into_iter().find(|to| to.codec.is_voice());
        match target {
            Some(to_payload) if !from.shares_voice_with(to) => Self::Transcode { to: to_payload },
            Some(_) | None => Self::Relay(PayloadMap::between(from, to)),
        }
    }
}

/// Payload numbers as one side sends them → as the other side expects them. Holds only numbers that
/// differ, so that the usual map is empty and costs nothing per packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadMap {
    pairs: Vec<(u8, u8)>,
}

impl PayloadMap {
    /// The map that changes nothing.
    pub const IDENTITY: Self = Self { pairs: Vec::new() };

    /// The map with these changes.
    pub fn of(pairs: &[(u8, u8)]) -> Self {
        Self {
            pairs: pairs.to_vec(),
        }
    }

    /// From the numbers in `from` to the numbers in `to`, by encoding.
    pub fn between(from: &Description, to: &Description) -> Self {
        let mut pairs = Vec::new();
        for format in from.formats() {
            let Some(wanted) = to
                .formats()
                .iter()
                .find(|other| other.is_same_encoding(format))
            else {
                continue;
            };
            if wanted.payload != format.payload {
                pairs.push((format.payload, wanted.payload));
            }
        }
        Self { pairs }
    }

    /// Whether no number changes.
    pub fn is_identity(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The number on the other side.
    pub fn apply(&self, payload: u8) -> u8 {
        self.pairs
            .iter()
            .find(|(from, _)| *from == payload)
            .map_or(payload, |(_, to)| *to)
    }
}
