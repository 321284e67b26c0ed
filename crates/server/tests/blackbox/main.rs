//! The built program from outside: real phones and carriers (sipp, baresip) on loopback, a webhook
//! receiver that checks the wire contract, and the API as a client sees it.
//!
//! `cargo nextest run -p switchhook --test blackbox` runs them; a failed test names the folder with
//! its traces and log.

mod common;

mod accounts;
mod agents;
mod api;
mod audio;
mod click;
mod conference;
mod directory;
mod fax;
mod hold;
mod inbound;
mod internal;
mod kept;
mod kills;
mod load;
mod mailbox;
mod menus;
mod outage;
mod outbound;
mod park;
mod phones;
mod process;
mod queue;
mod recordings;
mod registration;
mod replay;
mod ring_group;
mod sounds;
mod standing;
mod streams;
mod transfer;
mod waiting;
mod webhook_object;
mod webhooks;
