//! The server: shells of sockets, threads, files and clocks around the pure crates, and the binary.

pub mod account;
pub mod accounts;
pub mod api;
pub mod clock;
pub mod control;
pub mod demo;
pub mod directory;
pub mod dns;
pub mod drive;
pub mod hooks;
pub mod inbox;
pub mod ledger;
pub mod mailboxes;
pub mod metrics;
pub mod nearest;
pub mod net;
mod observe;
pub mod ready;
pub mod record;
pub mod recordings;
pub mod retention;
pub mod rtp;
pub mod serve;
pub mod settings;
pub mod sounds;
pub mod stamp;
