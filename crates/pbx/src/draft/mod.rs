//! The draft: what people edit, one document per account. It may be incomplete; compiling it
//! finds out, and makes a [`Plan`](crate::Plan).

mod clash;
mod codes;
mod compile;
mod dialling;
mod document;
mod export;
mod flows;
mod http;
mod inside;
mod outside;
mod parking;
mod people;
mod problem;
mod secret;
mod sounds;
mod text;
mod triggers;
mod trunks;

pub(crate) use compile::{Compiler, is_digit};
pub(crate) use http::{headers_complaint, token_complaint, url_complaint};
pub(crate) use people::{MAX_INTERNAL_DIGITS, MAX_RING_SECONDS, MIN_RING_SECONDS};
pub(crate) use text::{MAX_EMAILS, MAX_NAME_CHARS, is_email, is_word, nearest};

pub use compile::Role;
pub use document::{
    Api, ApiKey, CodeSetting, Device, Draft, Flow, Ha1, Limits, Mail, Object, Register, Trunk,
    User, Voicemail, Webhook,
};
pub use export::Secrets;
pub use problem::{Problem, Severity};
pub use secret::Secret;
pub use triggers::Triggers;

#[cfg(test)]
mod tests;
