//! The shape of the account document. Every unknown key is an error.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::triggers::Triggers;
use crate::plan::{CallerIds, Lamps, NumberFormat, OwnPhone, Record, Transport};

/// An account's draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Unique on the server: `[a-z0-9-]{1,32}`.
    pub account: String,
    /// What people call the account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// ISO 3166 code: numbers are read and dialled as of there.
    pub country: String,
    /// Local numbers are dialled without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<String>,
    /// IANA name.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Domain of its users and realm of their digests; unique on the server.
    pub domain: String,
    /// What it may use at most.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// What phones are told that watch somebody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lamps: Lamps,
    /// What may be dialled outside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dialling: Dialling,
    /// Parked calls.
    #[serde(default, skip_serializing_if = "is_default")]
    pub park: Park,
    /// People.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
    /// Carriers, in the order they are tried for outbound calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trunks: Vec<Trunk>,
    /// Call flows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// What callers on hold and in queues hear: `file:` and the name of a sound; absent: our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<String>,
    /// Codes by the name of their feature, where they are not the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub feature_codes: BTreeMap<String, CodeSetting>,
    /// The rules of all mailboxes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub voicemail: Mailboxes,
    /// Mails with voicemail and recordings.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mail: Mail,
    /// Webhook endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    /// Who may use the API.
    #[serde(default, skip_serializing_if = "Api::is_empty")]
    pub api: Api,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What an account may use at most; absent is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Calls at once per user, ringing ones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_user: Option<u32>,
    /// Length of a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_minutes: Option<u32>,
}

impl Limits {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What may be dialled outside. Calls for help, of at most three digits, always may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialling {
    /// The countries, besides the account's own, whose numbers may be dialled (ISO 3166); absent is
    /// all. Countries that share a country code go together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub countries: Option<Vec<String>>,
    /// Beginnings of numbers that may not be dialled: with `+` of international ones, without of
    /// what is passed on as dialled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<String>,
}

/// Where calls are parked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Park {
    /// The first and the last slot's number, such as `701-709`, or `off`. Absent: those of 701 to
    /// 709 that nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<String>,
    /// How long a call waits before who has parked it is called; 120 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
    /// How long that one is rung; 30 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_seconds: Option<u32>,
}

/// A person (or a desk) with an internal number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Internal number, unique in the account.
    pub number: String,
    /// The name, without a comma.
    pub name: String,
    /// Where mails go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What becomes of messages for the user.
    #[serde(default, skip_serializing_if = "is_default")]
    pub voicemail: Voicemail,
    /// A number of this account, shown on outbound calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// How long the devices ring when the flow does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_seconds: Option<u32>,
    /// Calls to be recorded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub record: Record,
    /// The devices; all ring together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// A user's mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Voicemail {
    /// Where messages are mailed; absent: to the user's own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emails: Option<Vec<String>>,
    /// The PIN, or `sha256:` and its hash, until the user sets another one by phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Secret>,
}

/// The rules of all mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mailboxes {
    /// Messages a mailbox takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_messages: Option<u32>,
    /// How long messages are kept; absent: as long as the server keeps recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
    /// Whether a phone of the user's own is asked for the PIN too.
    #[serde(skip_serializing_if = "is_default")]
    pub own_phone: OwnPhone,
}

/// What is dialled for a feature: a code, or `off`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenCode", into = "String")]
pub enum CodeSetting {
    /// Nothing: nobody has the feature by phone.
    Off,
    /// This.
    Code(String),
}

/// YAML reads a bare `off` as a text or as `false`, by its version.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenCode {
    Text(String),
    Truth(bool),
}

impl From<WrittenCode> for CodeSetting {
    fn from(written: WrittenCode) -> Self {
        match written {
            WrittenCode::Truth(false) => Self::Off,
            WrittenCode::Text(text) if text == "off" => Self::Off,
            WrittenCode::Text(text) => Self::Code(text),
            WrittenCode::Truth(true) => Self::Code("true".to_owned()),
        }
    }
}

impl From<CodeSetting> for String {
    fn from(setting: CodeSetting) -> Self {
        match setting {
            CodeSetting::Off => "off".to_owned(),
            CodeSetting::Code(text) => text,
        }
    }
}

/// How the account's mails look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// Who they are from: an address, or a name and an address in angle brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A phone. It has either a password or what was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// What people call it.
    pub name: String,
    /// What it registers as; unique in the domain.
    pub username: String,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The password's hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ha1: Option<Ha1>,
}

/// H(username ":" realm ":" password) in hexadecimal (RFC 7616 §3.4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ha1 {
    /// With MD5.
    pub md5: Secret,
    /// With SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Secret>,
    /// The realm inside; absent means the account's domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
}

/// A carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Unique in the account.
    pub name: String,
    /// A name with SRV or address records, or `host:port`.
    pub host: String,
    /// How it is spoken to.
    #[serde(default)]
    pub transport: Transport,
    /// Absent: an IP trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<Register>,
    /// Addresses whose calls are taken as this trunk's: address, CIDR or `ip:port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inbound_from: Vec<String>,
    /// How it wants and sends numbers.
    #[serde(default)]
    pub number_format: NumberFormat,
    /// Calls at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Which numbers calls by it may show.
    #[serde(default, skip_serializing_if = "is_default")]
    pub caller_ids: CallerIds,
}

/// What a register trunk is registered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The username.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// The registration's wanted length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<u32>,
}

/// A call flow: objects and how they are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Unique in the account.
    pub id: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
}

/// An object of a flow.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Unique in the flow.
    pub id: String,
    /// What it is: one of the registry's kinds.
    pub kind: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where it stands on the canvas.
    #[serde(default)]
    pub at: (i32, i32),
    /// The kind's own settings.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Exit name to object id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exits: BTreeMap<String, String>,
}

impl fmt::Debug for Object {
    /// Without the settings, which may hold tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Object({} {})", self.kind, self.id)
    }
}

/// A webhook endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Unique in the account.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Sent as `X-Pbx-Token`, and the key of the signature.
    pub secret_token: Secret,
    /// What it is told.
    pub triggers: Triggers,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

/// Who may use the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ApiKey>,
    /// Addresses and networks; empty blocks all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<String>,
}

impl Api {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A key of the API: its 64 characters, or `sha256:` and their hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// What people call it.
    pub name: String,
    /// The key.
    pub key: Secret,
}
