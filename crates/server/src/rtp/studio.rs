//! What a path needs beyond relaying. A plain call has none of it, so that its packets pass by.

use media::codec::{Decoder, Rate, Transcoder};
use media::dtmf::Detector;
use media::player::Speaker;
use media::rtp::KeyPress;
use media::{Codec, Payload, RoomId};

use super::recordings::Tap;

/// One path's further work.
#[derive(Default)]
pub(super) struct Studio {
    /// What we say to the peer.
    pub(super) speaker: Speaker,
    /// Whether the wheel knows the speaker.
    pub(super) turn: Turning,
    /// How the peer's packets go on to the other leg.
    pub(super) onward: Onward,
    /// How the peer's keys go on to the other leg.
    pub(super) keys: Keys,
    /// Made with the first packet that is translated.
    pub(super) translator: Option<Transcoder>,
    /// Hears keys in the audio of a peer that does not know them as events.
    pub(super) tones: Option<Tones>,
    pub(super) room: Option<RoomId>,
    pub(super) tap: Option<Tap>,
}

/// Whether the speaker has a place in the wheel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turning {
    #[default]
    No,
    Yes,
}

/// How packets of voice go on to the other leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Onward {
    /// As they came.
    #[default]
    Direct,
    /// As they came, unless they are in one of the encodings that the other leg does not know.
    Partly,
    /// Translated into this.
    Translated(Payload),
}

/// How keys go on to the other leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Keys {
    /// As the packets that came.
    #[default]
    Passed,
    /// Pressed anew in the way the other leg understands.
    Anew,
}

impl Studio {
    /// Whether there is no work in it.
    pub(super) fn is_empty(&self) -> bool {
        let is_plain = self.onward == Onward::Direct && self.keys == Keys::Passed;
        let is_quiet = self.turn == Turning::No && !self.speaker.is_speaking();
        let is_alone = self.room.is_none() && self.tap.is_none() && self.tones.is_none();
        is_plain && is_quiet && is_alone
    }
}

/// Listens for keys in audio.
#[derive(Default)]
pub(super) struct Tones {
    decoder: Option<(Codec, Decoder)>,
    detector: Detector,
    samples: Vec<i16>,
}

impl Tones {
    /// Takes a payload and tells the keys in it.
    pub(super) fn hear(&mut self, codec: Codec, body: &[u8], tell: impl FnMut(KeyPress)) {
        if self
            .decoder
            .as_ref()
            .is_none_or(|(known, _)| *known != codec)
        {
            self.decoder = Decoder::new(codec, Rate::Narrow).map(|decoder| (codec, decoder));
        }
        self.samples.clear();
        if let Some((_, decoder)) = &mut self.decoder {
            decoder.decode(body, &mut self.samples);
        }
        self.detector.push(&self.samples, tell);
    }
}
