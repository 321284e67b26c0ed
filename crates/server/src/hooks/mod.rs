//! Webhooks: what is sent, how it is signed, where it may go, and its delivery in order.

pub mod ask;
mod client;
pub mod deliver;
pub mod destination;
pub mod guard;
pub mod lanes;
pub mod payload;
mod request;
pub mod sign;
pub mod trust;
