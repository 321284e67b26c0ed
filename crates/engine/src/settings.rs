//! What an engine is made from, and what it says of itself.

use std::net::IpAddr;
use std::time::Duration;

use clock::Time;
use sip::{RegistrarLimits, UaConfig};

/// What an engine is made from. Nothing here changes while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This node, 0 to 99: part of each call id.
    pub node: u8,
    /// Call ids lie at or after this: one second past the last one stored.
    pub first_call_at: Time,
    /// Start of all randomness: branches, tags, Call-IDs.
    pub seed: u64,
    /// Key of nonces and owner tokens.
    pub secret: [u8; 32],
    /// How the node presents itself in SIP, and its limits there.
    pub user_agent: UaConfig,
    /// Limits of registrations.
    pub registrar: RegistrarLimits,
    /// The address in session descriptions.
    pub media_address: IpAddr,
    /// How long a talking peer may send nothing; `None`: for ever.
    pub silence: Option<Duration>,
    /// How often a phone behind a NAT is asked whether it is there, so that its NAT keeps the way in
    /// open.
    pub keepalive: Duration,
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accounts with a plan.
    pub accounts: usize,
    /// Calls in progress.
    pub calls: usize,
    /// Legs.
    pub legs: usize,
    /// Registered contacts.
    pub registrations: usize,
    /// Bound port pairs that wait for a leg.
    pub ports_in_stock: usize,
    /// Transactions and dialogs.
    pub user_agent: sip::Counts,
    /// Steps of an account that failed by a fault of ours.
    pub faults: u64,
    /// Digests made with a wrong password or an unknown user.
    pub refused_passwords: u64,
    /// Digests that were not looked at, because too many wrong ones came before.
    pub locked_out: u64,
    /// Media paths that were released and have not reported.
    pub closing_paths: usize,
    /// Recordings that have begun and not ended.
    pub recordings: usize,
    /// Names and mailboxes that some phone watches.
    pub watched: usize,
    /// Conference rooms that somebody is in.
    pub rooms: usize,
}
