//! One step of the user agent: its instant, and what it leaves to be done.

use clock::Time;

use super::types::{Event, Output};
use crate::{Destination, Transmit};

/// The instant of a step and its outputs so far.
pub(crate) struct Step {
    /// The instant.
    pub(crate) now: Time,
    outputs: Vec<Output>,
}

impl Step {
    /// A step with nothing done yet.
    pub(crate) fn at(now: Time) -> Self {
        Self {
            now,
            outputs: Vec::new(),
        }
    }

    /// Leaves a message to be sent.
    pub(crate) fn send(&mut self, to: Destination, bytes: Vec<u8>) {
        debug_assert!(!bytes.is_empty(), "every message has a first line");
        self.outputs.push(Output::Send(Transmit { to, bytes }));
    }

    /// Leaves news for the owner.
    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push(Output::Event(event));
    }

    /// What was left.
    pub(crate) fn finish(self) -> Vec<Output> {
        self.outputs
    }
}
