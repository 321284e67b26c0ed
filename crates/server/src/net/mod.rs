//! Sockets and addresses.

pub mod cidr;
pub mod stream;
pub mod tcp;
pub mod udp;
