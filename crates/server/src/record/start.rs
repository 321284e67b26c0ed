//! What an engine was made from, as the first line of a recording of inputs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clock::Time;
use serde::{Deserialize, Serialize};

/// What the engine was made from.
#[derive(Serialize, Deserialize)]
pub(super) struct Start {
    node: u8,
    first_call_at: u64,
    seed: u64,
    secret: [u8; 32],
    product: String,
    contact_udp: SocketAddr,
    contact_tcp: SocketAddr,
    session_expires_seconds: u32,
    /// Server transactions, client transactions, dialogs.
    limits: [usize; 3],
    /// Shortest, default and longest registration.
    expires_seconds: [u32; 3],
    bindings: usize,
    media_address: IpAddr,
    silence_ms: Option<u64>,
    keepalive_ms: u64,
}

impl Start {
    pub(super) fn of(settings: &engine::Settings) -> Self {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (user_agent, registrar) = (&settings.user_agent, &settings.registrar);
        let limits = user_agent.limits;
        Self {
            node: settings.node,
            first_call_at: settings.first_call_at.as_micros(),
            seed: settings.seed,
            secret: settings.secret,
            product: user_agent.product.clone(),
            contact_udp: user_agent.contacts.udp,
            contact_tcp: user_agent.contacts.tcp,
            session_expires_seconds: user_agent.session_expires_seconds,
            limits: [
                limits.max_server_transactions,
                limits.max_client_transactions,
                limits.max_dialogs,
            ],
            expires_seconds: [
                registrar.min_expires_seconds,
                registrar.default_expires_seconds,
                registrar.max_expires_seconds,
            ],
            bindings: registrar.bindings,
            media_address: settings.media_address,
            silence_ms: settings.silence.map(milliseconds),
            keepalive_ms: milliseconds(settings.keepalive),
        }
    }

    pub(super) fn settings(self) -> engine::Settings {
        let [
            max_server_transactions,
            max_client_transactions,
            max_dialogs,
        ] = self.limits;
        let [
            min_expires_seconds,
            default_expires_seconds,
            max_expires_seconds,
        ] = self.expires_seconds;
        engine::Settings {
            node: self.node,
            first_call_at: Time::from_micros(self.first_call_at),
            seed: self.seed,
            secret: self.secret,
            user_agent: sip::UaConfig {
                product: self.product,
                contacts: sip::Contacts {
                    udp: self.contact_udp,
                    tcp: self.contact_tcp,
                },
                session_expires_seconds: self.session_expires_seconds,
                limits: sip::Limits {
                    max_server_transactions,
                    max_client_transactions,
                    max_dialogs,
                },
            },
            registrar: sip::RegistrarLimits {
                min_expires_seconds,
                default_expires_seconds,
                max_expires_seconds,
                bindings: self.bindings,
            },
            media_address: self.media_address,
            silence: self.silence_ms.map(Duration::from_millis),
            keepalive: Duration::from_millis(self.keepalive_ms),
        }
    }
}
