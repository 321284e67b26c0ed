//! What the engine did, as one number: a replay must come to the same.

use engine::Effect;
use sha2::{Digest, Sha256};

/// SHA-256 over effects, in their order.
#[derive(Default)]
pub(super) struct EffectDigest(Sha256);

impl EffectDigest {
    pub(super) fn add(&mut self, effects: &[Effect]) {
        for effect in effects {
            self.0.update(format!("{effect:?}\n"));
        }
    }

    pub(super) fn so_far(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.0.clone().finalize() {
            // Writing to a String cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
        }
        text
    }
}
