//! The user agent from outside: whole calls between two of them, and single messages by their text.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that meets what it does not expect has failed"
)]

mod asked;
mod calls;
mod early;
mod floods;
mod made;
mod network;
mod session;
mod subscriptions;
mod transfers;
mod wire;
mod world;
