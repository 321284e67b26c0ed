//! The server: shells of sockets, threads, files and clocks around the pure crates, and the binary.

pub mod clock;
pub mod hooks;
pub mod inbox;
pub mod nearest;
pub mod net;
pub mod settings;
pub mod stamp;
