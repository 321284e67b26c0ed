//! Sockets and addresses.

pub mod cidr;
