//! Webhooks: what is sent, how it is signed, where it may go, and its delivery in order.

pub mod guard;
pub mod lanes;
pub mod payload;
pub mod sign;
