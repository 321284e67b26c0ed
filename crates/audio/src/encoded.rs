//! A sound's encodings, each made when the first phone needs it and kept from then on.

use std::sync::{Arc, OnceLock};

use media::codec::Codec;
use media::sound::Sound;

use crate::pcm::Pcm;

/// The encodings of one sound, by their place in [`Codec`].
pub(crate) struct Encoded([OnceLock<Arc<Sound>>; CODECS]);

/// One more than the last codec.
const CODECS: usize = Codec::TelephoneEvent as usize + 1;

impl Encoded {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; CODECS])
    }

    /// The sound in this encoding; `pcm` is asked for it the first time. Two who ask at the same time
    /// wait for one another, and it is made once.
    pub(crate) fn of(&self, codec: Codec, pcm: impl Fn() -> Pcm) -> Arc<Sound> {
        let encode = || Arc::new(pcm().sound(&[codec]));
        match self.0.get(codec as usize) {
            Some(place) => place.get_or_init(encode).clone(),
            None => encode(),
        }
    }
}
