//! The server's settings: a TOML file and `SWITCHHOOK_*` variables become one typed value.
//!
//! `switchhook.example.toml` documents every key with its default, and a test proves that it does.
//! The keys that exist are derived from [`Settings::default`], so no second list can go stale.

mod smtp;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::nearest;
use crate::net::cidr::Cidr;
pub use smtp::{Encryption, Smtp};

/// The documented default file, as `switchhook config` prints it.
pub const EXAMPLE: &str = include_str!("../../../switchhook.example.toml");

/// Variables with this prefix are settings.
const ENVIRONMENT_PREFIX: &str = "SWITCHHOOK_";
/// Names the settings file itself, so it is no setting.
pub const CONFIG_VARIABLE: &str = "SWITCHHOOK_CONFIG";
/// The longest time-out that a webhook receiver may be given (contract §2.3).
pub const MAX_HOOK_TIMEOUT_SECONDS: u32 = 600;
/// More relay threads than this help nobody.
const MAX_RTP_THREADS: u8 = 64;

/// Everything the operator can set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Folder of everything that must be kept.
    pub data_dir: PathBuf,
    /// Filter of the log.
    pub log: String,
    /// Whether the engine's inputs are written down for a replay.
    pub record_inputs: bool,
    /// Signalling.
    pub sip: Sip,
    /// Audio.
    pub rtp: Rtp,
    /// API and health.
    pub http: Http,
    /// Webhook delivery.
    pub hooks: Hooks,
    /// Mails.
    pub smtp: Smtp,
    /// What is kept how long.
    pub retention: Retention,
}

/// Signalling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sip {
    /// UDP addresses listened on.
    pub udp: Listen,
    /// TCP addresses listened on.
    pub tcp: Listen,
    /// The address by which others reach us.
    pub advertise: Advertise,
    /// Session-Expires that we ask for.
    pub session_expires_seconds: u32,
    /// Time that calls in progress have to end after the server was told to stop.
    pub drain_seconds: u32,
    /// What one server takes.
    pub limits: Limits,
}

/// Limits of signalling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Calls of all accounts at one time.
    pub calls: u32,
    /// TCP connections of everybody.
    pub tcp_connections: u32,
    /// TCP connections of one address.
    pub tcp_connections_per_address: u32,
    /// Silence after which a connection is closed.
    pub tcp_idle_seconds: u32,
    /// Time from a message's first byte to its last.
    pub tcp_message_seconds: u32,
    /// Time a peer has to take what we write.
    pub tcp_write_seconds: u32,
}

/// Audio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rtp {
    /// The address in SDP.
    pub address: Advertise,
    /// UDP ports.
    pub ports: PortRange,
    /// Relay threads; 0 means by the number of cores.
    pub threads: u8,
    /// Silence that ends a call; 0 means never.
    pub silence_seconds: u32,
}

/// API and health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Http {
    /// Address listened on.
    pub listen: SocketAddr,
    /// The beginning of links that people outside can reach; empty: the address listened on.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Sustained rate of one API key.
    pub requests_per_second: u32,
    /// Burst of one API key.
    pub requests_at_once: u32,
}

/// Webhook delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// Networks allowed besides public ones.
    pub allow: Vec<Cidr>,
    /// PEM file of authorities believed besides the public ones; empty means none.
    pub ca_file: PathBuf,
    /// Time-out of an ordinary delivery.
    pub timeout_seconds: u32,
    /// Time-out of recording and voicemail deliveries.
    pub recording_timeout_seconds: u32,
}

/// Days after which something is forgotten; 0 means never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Calls as the API lists them, with all that is known of them.
    pub calls_days: u32,
    /// Recordings with their audio.
    pub recordings_days: u32,
    /// What happened in a call, step by step.
    pub events_days: u32,
    /// Webhooks that were delivered or given up.
    pub deliveries_days: u32,
}

/// One listening address or several: a string (commas between) or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OneOrMany", into = "Vec<SocketAddr>")]
pub struct Listen(pub Vec<SocketAddr>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<OneOrMany> for Listen {
    type Error = String;

    fn try_from(written: OneOrMany) -> Result<Self, String> {
        let addresses = match written {
            OneOrMany::One(text) => text.split(',').map(str::to_owned).collect(),
            OneOrMany::Many(list) => list,
        };
        let parse = |text: &String| {
            let text = text.trim();
            text.parse()
                .map_err(|_| format!("`{text}` is not an address with a port"))
        };
        let given = addresses.iter().filter(|text| !text.trim().is_empty());
        Ok(Self(given.map(parse).collect::<Result<_, _>>()?))
    }
}

impl From<Listen> for Vec<SocketAddr> {
    fn from(listen: Listen) -> Self {
        listen.0
    }
}

/// An address told to others; an empty string leaves the choice to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Advertise(pub Option<IpAddr>);

impl TryFrom<String> for Advertise {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse()
            .map(|ip| Self(Some(ip)))
            .map_err(|_| format!("`{text}` is not an IP address"))
    }
}

impl From<Advertise> for String {
    fn from(advertise: Advertise) -> Self {
        advertise.0.map(|ip| ip.to_string()).unwrap_or_default()
    }
}

/// Ports from `first` to `last`, written `first-last`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange(pub RangeInclusive<u16>);

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (first, last) = text.split_once('-')?;
            Some((
                first.trim().parse::<u16>().ok()?,
                last.trim().parse::<u16>().ok()?,
            ))
        };
        let (first, last) =
            parse().ok_or_else(|| format!("`{text}` is not of the form 16384-32767"))?;
        if first < 1024 || last.saturating_sub(first) < 3 {
            return Err(format!(
                "`{text}`: ports start at 1024 or later and are at least four"
            ));
        }
        Ok(Self(first..=last))
    }
}

impl From<PortRange> for String {
    fn from(PortRange(range): PortRange) -> Self {
        format!("{}-{}", range.start(), range.end())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("switchhook-data"),
            log: "info".to_owned(),
            record_inputs: false,
            sip: Sip::default(),
            rtp: Rtp::default(),
            http: Http::default(),
            hooks: Hooks::default(),
            smtp: Smtp::default(),
            retention: Retention::default(),
        }
    }
}

impl Default for Sip {
    fn default() -> Self {
        let everywhere = Listen(vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060))]);
        Self {
            udp: everywhere.clone(),
            tcp: everywhere,
            advertise: Advertise(None),
            session_expires_seconds: 1800,
            drain_seconds: 15,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 10_000,
            tcp_connections: 10_000,
            tcp_connections_per_address: 200,
            tcp_idle_seconds: 3600,
            tcp_message_seconds: 10,
            tcp_write_seconds: 10,
        }
    }
}

impl Default for Rtp {
    fn default() -> Self {
        Self {
            address: Advertise(None),
            ports: PortRange(16384..=32767),
            threads: 0,
            silence_seconds: 120,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            requests_per_second: 20,
            requests_at_once: 100,
        }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ca_file: PathBuf::new(),
            timeout_seconds: 30,
            recording_timeout_seconds: 330,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            calls_days: 0,
            recordings_days: 0,
            events_days: 0,
            deliveries_days: 30,
        }
    }
}

impl Sip {
    /// Time that calls have to end at the stop.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value is of the wrong kind; the parser shows the line.
    #[error("{origin}: {message}")]
    Malformed {
        /// File or variable.
        origin: String,
        /// What is wrong.
        message: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}`{}", nearest::suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// File with line, or variable.
        origin: String,
        /// The key as written, with its section.
        key: String,
        /// The existing key most like it.
        nearest: Option<String>,
    },
    /// A value that breaks a rule.
    #[error("{key} {rule}")]
    Rule {
        /// The key.
        key: &'static str,
        /// The rule.
        rule: String,
    },
}

/// Reads the settings from `file` (none: the defaults) and from the process's environment.
pub fn load(file: Option<&Path>) -> Result<Settings, SettingsError> {
    let text = match file {
        None => String::new(),
        Some(path) => {
            std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
                path: path.to_owned(),
                source,
            })?
        }
    };
    let origin = file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    merge(&text, &origin, std::env::vars())
}

/// The settings that `text` and the variables give together; a variable wins.
pub fn merge(
    text: &str,
    origin: &str,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Settings, SettingsError> {
    let known = known_keys();
    refuse_unknown_keys(text, origin, &known)?;
    let malformed = |error: toml::de::Error| SettingsError::Malformed {
        origin: origin.to_owned(),
        message: error.to_string(),
    };
    let mut settings: Settings = toml::from_str(text).map_err(malformed)?;
    let mut table: Table = toml::from_str(text).map_err(malformed)?;
    let ours: BTreeMap<String, String> = variables
        .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
        .collect();
    for (variable, value) in ours.iter().filter(|(name, _)| *name != CONFIG_VARIABLE) {
        let key = variable_key(variable, &known)?;
        insert(&mut table, &key, typed_value(value));
        settings = table.clone().try_into().map_err(|error: toml::de::Error| {
            SettingsError::Malformed {
                origin: variable.clone(),
                message: error.message().to_owned(),
            }
        })?;
    }
    settings.check()?;
    Ok(settings)
}

impl Settings {
    /// The rules that no type holds.
    fn check(&self) -> Result<(), SettingsError> {
        let rule = |holds: bool, key, rule: String| {
            if holds {
                Ok(())
            } else {
                Err(SettingsError::Rule { key, rule })
            }
        };
        let timeout = |key, seconds: u32| {
            let holds = (1..=MAX_HOOK_TIMEOUT_SECONDS).contains(&seconds);
            rule(
                holds,
                key,
                format!("must be 1 to {MAX_HOOK_TIMEOUT_SECONDS}, it is {seconds}"),
            )
        };
        timeout("hooks.timeout_seconds", self.hooks.timeout_seconds)?;
        timeout(
            "hooks.recording_timeout_seconds",
            self.hooks.recording_timeout_seconds,
        )?;
        self.smtp.check()?;
        let url = self.http.public_url.as_str();
        rule(
            url.is_empty() || url.starts_with("https://") || url.starts_with("http://"),
            "http.public_url",
            format!("must begin with https:// or http://, it is `{url}`"),
        )?;
        rule(
            self.rtp.threads <= MAX_RTP_THREADS,
            "rtp.threads",
            format!("must be at most {MAX_RTP_THREADS}"),
        )?;
        rule(
            !self.sip.udp.0.is_empty(),
            "sip.udp",
            "needs at least one address".to_owned(),
        )?;
        // RFC 4028 §4: a session interval below 90 seconds is refused by everybody.
        rule(
            self.sip.session_expires_seconds >= 90,
            "sip.session_expires_seconds",
            "must be at least 90".to_owned(),
        )?;
        rule(
            self.http.requests_per_second > 0 && self.http.requests_at_once > 0,
            "http.requests_per_second and http.requests_at_once",
            "must be at least 1".to_owned(),
        )
    }
}

/// Every key that exists, as `section.key`, sections themselves included.
fn known_keys() -> Vec<String> {
    let table = Table::try_from(Settings::default())
        .expect("the defaults are plain strings, numbers, lists and tables");
    let mut keys = Vec::new();
    collect_keys(&table, "", &mut keys);
    keys
}

fn collect_keys(table: &Table, prefix: &str, keys: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        if let Value::Table(inner) = value {
            collect_keys(inner, &format!("{path}."), keys);
        }
        keys.push(path);
    }
}

fn refuse_unknown_keys(text: &str, origin: &str, known: &[String]) -> Result<(), SettingsError> {
    // What is no TOML at all is reported by the typed parse, with the line.
    let Ok(document) = toml::de::DeTable::parse(text) else {
        return Ok(());
    };
    refuse_unknown_in(document.get_ref(), "", known).map_err(|(key, offset)| {
        let line = text
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count()
            + 1;
        let nearest = nearest::nearest(&key, known.iter().map(String::as_str)).map(str::to_owned);
        SettingsError::UnknownKey {
            origin: format!("{origin}:{line}"),
            key,
            nearest,
        }
    })
}

/// The first key below `table` that does not exist, with its offset in the text.
fn refuse_unknown_in(
    table: &toml::de::DeTable<'_>,
    prefix: &str,
    known: &[String],
) -> Result<(), (String, usize)> {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        if !known.contains(&path) {
            return Err((path, key.span().start));
        }
        if let Some(inner) = value.get_ref().as_table() {
            refuse_unknown_in(inner, &format!("{path}."), known)?;
        }
    }
    Ok(())
}

/// `SWITCHHOOK_HTTP__LISTEN` → `http.listen`.
fn variable_key(variable: &str, known: &[String]) -> Result<String, SettingsError> {
    let written = variable
        .trim_start_matches(ENVIRONMENT_PREFIX)
        .to_lowercase();
    let key = written.replace("__", ".");
    if known.contains(&key) {
        return Ok(key);
    }
    let as_variable = |key: &str| {
        format!(
            "{ENVIRONMENT_PREFIX}{}",
            key.replace('.', "__").to_uppercase()
        )
    };
    let nearest = nearest::nearest(&key, known.iter().map(String::as_str)).map(as_variable);
    Err(SettingsError::UnknownKey {
        origin: "environment".to_owned(),
        key: variable.to_owned(),
        nearest,
    })
}

/// Numbers, booleans and lists as TOML writes them; anything else is a string.
fn typed_value(text: &str) -> Value {
    let document = format!("value = {text}");
    let parsed = document
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            // A file that gives a section as a plain value has failed the typed parse before.
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
