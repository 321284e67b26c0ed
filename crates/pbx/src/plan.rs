//! A plan: an applied configuration, checked once and then immutable. A call keeps the plan it
//! began under. Only [`crate::draft::Draft::compile`] makes one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codes::{Codes, Feature};
use crate::dialling::Dialling;
use crate::draft::Problem;
use crate::event::{HangupCause, UserRef};
use crate::hash;
use crate::ids::AccountId;
use crate::network::Network;
use crate::number::{E164, Numbering};
use crate::objects::{AnyObject, Exit, Queue};
use crate::sound::Sound;
use crate::standing::Standing;
use crate::trigger::Trigger;

/// Position of a user in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserIndex(pub usize);

/// Position of a device in its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceIndex(pub usize);

/// Position of a trunk in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrunkIndex(pub usize);

/// Position of an object in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeIndex(pub(crate) usize);

/// An applied configuration of one account.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Whose it is.
    pub account: AccountId,
    /// Which of the account's plans it is.
    pub version: u64,
    /// The account's unique name.
    pub name: Arc<str>,
    /// Domain of its users and realm of their digests.
    pub domain: Arc<str>,
    /// IANA name of the time zone its people live in.
    pub time_zone: Arc<str>,
    /// How numbers are read and dialled.
    pub numbering: Numbering,
    /// What it may use at most.
    pub limits: Limits,
    /// What lamps show.
    pub lamps: Lamps,
    /// What may be dialled outside.
    pub(crate) dialling: Dialling,
    /// Whom its mails are from.
    pub mail_from: Option<Arc<str>>,
    /// Users, by internal number.
    pub users: Vec<User>,
    /// Trunks, in the order they are tried.
    pub trunks: Vec<Trunk>,
    /// Webhook endpoints.
    pub webhooks: Vec<Endpoint>,
    /// Addresses that objects of the flows call, each with its path in the document.
    pub object_urls: Vec<(String, Arc<str>)>,
    /// Sounds of the account's own that are played, each with its path in the document.
    pub sounds: Vec<(String, Arc<str>)>,
    /// The account's own music on hold.
    pub music: Option<Sound>,
    /// The rules of its mailboxes.
    pub voicemail: VoicemailRules,
    /// API keys.
    pub api_keys: Vec<ApiKey>,
    /// Addresses the API may be used from.
    pub allowed_ips: Vec<Network>,
    /// What is odd, but did not keep the plan from being made.
    pub warnings: Vec<Problem>,
    pub(crate) nodes: Vec<Node>,
    /// Where calls to a number begin.
    pub(crate) numbers: BTreeMap<E164, NodeIndex>,
    /// Where calls to a user's internal number begin, by the user's position.
    pub(crate) user_nodes: Vec<NodeIndex>,
    /// Where users' calls to the internal number of a flow begin.
    pub(crate) flow_nodes: BTreeMap<Arc<str>, NodeIndex>,
    /// Where calls to a user's mailbox begin, by the user's position.
    pub(crate) mailbox_nodes: Vec<NodeIndex>,
    /// Its feature codes.
    pub codes: Codes,
    /// Where calls to a feature begin that is called like a number.
    pub(crate) code_nodes: BTreeMap<Feature, NodeIndex>,
    /// Where calls to the outside begin.
    pub(crate) outbound_node: NodeIndex,
    pub(crate) devices: BTreeMap<Arc<str>, (UserIndex, DeviceIndex)>,
    pub(crate) internal_numbers: BTreeMap<Arc<str>, UserIndex>,
}

impl Plan {
    /// The user at that position.
    pub fn user(&self, index: UserIndex) -> Option<&User> {
        self.users.get(index.0)
    }

    /// The user with that internal number.
    pub fn user_by_number(&self, number: &str) -> Option<(UserIndex, &User)> {
        let index = *self.internal_numbers.get(number)?;
        Some((index, self.user(index)?))
    }

    /// The user with that internal number, and whether a longer one begins with these digits.
    pub(crate) fn internal_number(&self, digits: &str) -> (Option<UserIndex>, bool) {
        let from = (Bound::Included(digits), Bound::Unbounded);
        let mut numbers = self.internal_numbers.range::<str, _>(from).peekable();
        let exact = numbers.next_if(|(number, _)| ***number == *digits);
        let is_longer = numbers
            .next()
            .is_some_and(|(number, _)| number.starts_with(digits));
        (exact.map(|(_, user)| *user), is_longer)
    }

    /// The device with that username, and whose it is.
    pub fn device(&self, username: &str) -> Option<(UserIndex, &User, &Device)> {
        let (index, device) = *self.devices.get(username)?;
        let user = self.user(index)?;
        Some((index, user, user.devices.get(device.0)?))
    }

    /// The trunk with that name.
    pub fn trunk(&self, name: &str) -> Option<(TrunkIndex, &Trunk)> {
        let index = self.trunks.iter().position(|trunk| &*trunk.name == name)?;
        Some((TrunkIndex(index), self.trunks.get(index)?))
    }

    /// The number shown on a user's calls to the outside: the user's own choice, else the
    /// account's lowest.
    pub(crate) fn presented_number(&self, index: UserIndex) -> Option<E164> {
        let chosen = self.user(index).and_then(|user| user.caller_id);
        chosen.or_else(|| self.numbers().next())
    }

    /// The object at that position.
    pub(crate) fn node(&self, index: NodeIndex) -> Option<&Node> {
        self.nodes.get(index.0)
    }

    /// The international form of a number that the trunk sent, called or calling.
    pub fn carried_number(&self, trunk: &Trunk, text: &str) -> Option<E164> {
        self.numbering.carried(text, trunk.number_format)
    }

    /// Whether `called` has the look of this account's internal numbers without being one. Three
    /// digits never have: they may be a call for help.
    pub(crate) fn looks_internal(&self, called: &str) -> bool {
        const MIN_DIGITS: usize = 4;
        let users = self.users.iter().map(|user| &*user.who.number);
        let mut numbers = users.chain(self.flow_nodes.keys().map(|number| &**number));
        called.len() >= MIN_DIGITS
            && numbers.any(|number| {
                number.len() == called.len() && number.bytes().next() == called.bytes().next()
            })
    }

    /// The slot for parked calls of that number.
    pub fn park_slot(&self, number: &str) -> Option<&Arc<str>> {
        let (slot, node) = self.flow_nodes.get_key_value(number)?;
        self.is_park(*node).then_some(slot)
    }

    /// Whether calls are parked there.
    pub(crate) fn is_park(&self, node: NodeIndex) -> bool {
        let node = self.node(node);
        node.is_some_and(|node| matches!(node.object, AnyObject::Park(_)))
    }

    /// Where a call to that feature code begins, whatever number follows it.
    pub(crate) fn code_node(&self, dialled: &str) -> Option<NodeIndex> {
        let (code, _) = self.codes.dialled(dialled)?;
        self.code_nodes.get(&code.feature).copied()
    }

    /// Whether there still is what stands so.
    pub(crate) fn has_subject_of(&self, standing: &Standing) -> bool {
        match standing {
            Standing::Agent { user, .. }
            | Standing::DoNotDisturb { user, .. }
            | Standing::Forward { user, .. } => self.user_by_number(user).is_some(),
            Standing::Time { switch, .. } => self.has_time_switch(switch),
        }
    }

    /// Whether there are time conditions with that switch.
    pub(crate) fn has_time_switch(&self, number: &str) -> bool {
        let mut nodes = self.nodes.iter();
        nodes.any(|node| {
            if let AnyObject::TimeConditions(conditions) = &node.object {
                conditions.switch() == Some(number)
            } else {
                false
            }
        })
    }

    /// Its queues.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.nodes.iter().filter_map(|node| {
            if let AnyObject::Queue(queue) = &node.object {
                Some(queue)
            } else {
                None
            }
        })
    }

    /// The names of the queues that the user with that internal number is an agent of.
    pub fn queues_of(&self, user: &str) -> impl Iterator<Item = &Arc<str>> {
        let is_agent = move |who: &UserRef| *who.number == *user;
        let queues = self.queues();
        let queues = queues.filter(move |queue| queue.agents().any(is_agent));
        queues.map(Queue::name)
    }

    /// Its inbound numbers. They must be unique on the server.
    pub fn numbers(&self) -> impl Iterator<Item = E164> + '_ {
        self.numbers.keys().copied()
    }

    /// Whether that number is one of its inbound numbers.
    pub fn has_number(&self, number: E164) -> bool {
        self.numbers.contains_key(&number)
    }
}

/// An object of a flow, and where its exits lead.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) object: AnyObject,
    pub(crate) exits: Vec<NodeExit>,
}

impl Node {
    /// An object whose exits lead nowhere.
    pub(crate) fn unwired(object: AnyObject) -> Self {
        let exits = object.kind().exits.iter().map(NodeExit::unwired).collect();
        Self { object, exits }
    }

    /// With exits that its settings name.
    pub(crate) fn with_own_exits(mut self, names: &BTreeSet<&str>) -> Self {
        let own = names.iter().map(|name| NodeExit {
            name: Cow::Owned((*name).to_owned()),
            cause: HangupCause::Unavailable,
            target: None,
        });
        self.exits.extend(own);
        self
    }
}

/// One exit of an object.
#[derive(Debug)]
pub(crate) struct NodeExit {
    pub(crate) name: Cow<'static, str>,
    /// Why the call ends when there is no target.
    pub(crate) cause: HangupCause,
    pub(crate) target: Option<NodeIndex>,
}

impl NodeExit {
    fn unwired(exit: &Exit) -> Self {
        let Exit { name, cause, .. } = *exit;
        Self {
            name: Cow::Borrowed(name),
            cause,
            target: None,
        }
    }
}

/// What an account may use at most; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub calls: Option<u32>,
    /// Calls at once per user, ringing ones too.
    pub calls_per_user: Option<u32>,
    /// Length of a call.
    pub call_length: Option<Duration>,
}

/// What phones are told that watch somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lamps {
    /// With whom a watched user talks, too: every user of the account can watch every other.
    pub show_callers: bool,
}

/// Parked calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parking {
    /// The numbers of the slots, in the order they are taken.
    pub slots: Vec<Arc<str>>,
    /// How long a call waits before who has parked it is called.
    pub wait: Duration,
    /// How long that one is rung.
    pub return_time: Duration,
}

/// A person (or a desk) with an internal number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Internal number and name, as told to the outside.
    pub who: UserRef,
    /// Where mails go.
    pub email: Option<Arc<str>>,
    /// Where messages for the user are mailed.
    pub voicemail_emails: Vec<Arc<str>>,
    /// What is kept of the PIN of the user's mailbox, unless another one was set by phone.
    pub pin: Option<[u8; 32]>,
    /// The number shown on outbound calls.
    pub caller_id: Option<E164>,
    /// How long the devices ring when nothing else is said.
    pub ring_time: Duration,
    /// Calls to be recorded.
    pub record: Record,
    /// The devices; all ring together.
    pub devices: Vec<Device>,
}

/// What holds for all mailboxes of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoicemailRules {
    /// Messages a mailbox takes.
    pub max_messages: u32,
    /// Days that messages are kept; `None`: as long as the server keeps recordings.
    pub keep_days: Option<u32>,
    /// Whether a phone of the user's own is asked for the PIN too.
    pub own_phone: OwnPhone,
}

/// Whether a phone of the user's own opens the mailbox by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnPhone {
    /// The PIN is asked for all the same, if there is one.
    #[default]
    AskPin,
    /// It does.
    Opens,
}

/// Which calls of a user are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Calls to the user.
    pub inbound: bool,
    /// Calls by the user.
    pub outbound: bool,
    /// Whether the user may switch the recording of a conversation on and off, by a code.
    pub on_demand: bool,
}

/// A phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What people call it.
    pub name: Arc<str>,
    /// What it registers as; unique in the domain.
    pub username: Arc<str>,
    /// What its digests are checked with.
    pub ha1: Ha1,
}

/// H(username ":" realm ":" password) (RFC 7616 §3.4.2) for each algorithm it is known for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ha1 {
    /// With MD5.
    pub md5: [u8; 16],
    /// With SHA-256.
    pub sha256: Option<[u8; 32]>,
}

impl Ha1 {
    /// Stands where there is none: no digest matches it.
    pub(crate) const NONE: Self = Self {
        md5: [0; 16],
        sha256: None,
    };

    /// What a password becomes for good.
    pub fn of(username: &str, realm: &str, password: &str) -> Self {
        let secret = format!("{username}:{realm}:{password}");
        Self {
            md5: hash::md5(&secret),
            sha256: Some(hash::sha256(&secret)),
        }
    }
}

impl fmt::Debug for Ha1 {
    /// Says nothing: an HA1 is as good as a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ha1(..)")
    }
}

/// A carrier.
#[derive(Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Unique in the account.
    pub name: Arc<str>,
    /// Domain name or address.
    pub host: Arc<str>,
    /// `None`: SRV records say.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub transport: Transport,
    /// `None`: an IP trunk, which needs no registration.
    pub register: Option<Register>,
    /// Addresses whose calls are taken as this trunk's.
    pub inbound_from: Vec<InboundFrom>,
    /// How it wants and sends numbers.
    pub number_format: NumberFormat,
    /// Calls at once; `None` is no limit.
    pub calls: Option<u32>,
    /// Which numbers calls by it may show.
    pub caller_ids: CallerIds,
}

impl fmt::Debug for Trunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Trunk({})", self.name)
    }
}

/// What a register trunk is registered with. Also answers its challenges.
#[derive(Clone, PartialEq, Eq)]
pub struct Register {
    /// The username.
    pub username: Arc<str>,
    /// The password itself: a client digest cannot be made from less for every realm.
    pub password: Arc<str>,
    /// The registration's wanted length.
    pub expires_seconds: u32,
}

impl fmt::Debug for Register {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Register({})", self.username)
    }
}

/// How a trunk is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// A stream.
    Tcp,
    /// A stream with TLS.
    Tls,
}

/// Source addresses of a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboundFrom {
    /// The addresses.
    pub network: Network,
    /// `None`: any port.
    pub port: Option<u16>,
}

impl InboundFrom {
    /// Whether a request from there is the trunk's.
    pub fn matches(&self, address: IpAddr, port: u16) -> bool {
        self.network.contains(address) && self.port.is_none_or(|wanted| wanted == port)
    }
}

/// Which numbers a carrier lets calls show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerIds {
    /// Any: a call that is passed on shows who calls.
    #[default]
    Any,
    /// The account's own.
    Own,
}

/// How a trunk writes numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberFormat {
    /// `61298765432`
    #[default]
    E164,
    /// `+61298765432`
    E164Plus,
    /// `0298765432`, and `001144…` abroad.
    National,
}

/// A webhook endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Unique in the account.
    pub name: Arc<str>,
    /// Where it is.
    pub url: Arc<str>,
    /// Sent as `X-Pbx-Token`, and the key of the signature.
    pub secret_token: Arc<str>,
    /// What it is told.
    pub triggers: BTreeSet<Trigger>,
    /// How long an answer may take; `None` is the contract's default for the trigger.
    pub timeout: Option<Duration>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Endpoint({})", self.name)
    }
}

/// A key of the API, as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// What people call it.
    pub name: Arc<str>,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
}
