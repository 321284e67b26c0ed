//! The rules: what holds after every step ([`Story`], [`Wire`], [`Audio`]), and what the node's
//! record must have in common with what the parties saw ([`truth`]).

mod asked;
mod audio;
mod cause;
mod expected;
mod story;
pub(crate) mod truth;
mod wire;

pub(crate) use audio::Audio;
pub(crate) use cause::Cause;
pub(crate) use story::{LegTold, Story, Told};
pub(crate) use wire::Wire;
