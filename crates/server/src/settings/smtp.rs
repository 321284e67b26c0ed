//! The mail server that voicemail and recordings are sent by.

use serde::{Deserialize, Serialize};

use super::SettingsError;

/// The mail server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Smtp {
    /// Its name; empty: no mails are sent.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept secret.
    pub encryption: Encryption,
    /// Whom it knows us as; empty: nobody.
    pub username: String,
    /// The password.
    pub password: String,
    /// Whom mails are from whose account does not say.
    pub from: String,
    /// How long it may take for each step.
    pub timeout_seconds: u32,
}

/// How a connection to a mail server is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// It is not.
    None,
    /// By TLS, which is demanded after the greeting (RFC 3207).
    #[default]
    Starttls,
    /// By TLS from the first byte (RFC 8314 §3.3).
    Tls,
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            encryption: Encryption::default(),
            username: String::new(),
            password: String::new(),
            from: "Switchhook <switchhook@localhost>".to_owned(),
            timeout_seconds: 30,
        }
    }
}

impl std::fmt::Debug for Smtp {
    /// The password is a secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Smtp({}:{})", self.host, self.port)
    }
}

impl Smtp {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let rule = |holds: bool, key, rule: &str| {
            let rule = rule.to_owned();
            holds.then_some(()).ok_or(SettingsError::Rule { key, rule })
        };
        let sender = self.from.parse::<lettre::message::Mailbox>();
        rule(
            sender.is_ok(),
            "smtp.from",
            "must be a mail address, or a name and an address in angle brackets",
        )?;
        rule(
            (1..=120).contains(&self.timeout_seconds),
            "smtp.timeout_seconds",
            "must be 1 to 120",
        )
    }
}
