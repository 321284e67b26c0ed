//! From draft to plan: every part is checked even when another is wrong, so that one try tells
//! all there is to mend.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::de::DeserializeOwned;

use super::document::Draft;
use super::problem::{Problem, Severity};
use super::text::{is_sender, is_word, name_complaint, nearest};
use crate::codes::{Code, Codes, Feature};
use crate::event::{GroupKind, GroupRef, UserRef};
use crate::ids::AccountId;
use crate::number::{E164, Numbering};
use crate::objects::{AnyObject, Door, FeatureCode, Mailbox, Outbound, Park, RingUser, Voicemail};
use crate::plan::{DeviceIndex, Limits, Node, NodeIndex, Parking, Plan, User, UserIndex};

/// Who applies a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who runs the server.
    Operator,
    /// Who uses an account on it.
    Customer,
}

/// What has been found out so far.
#[derive(Debug)]
pub(crate) struct Compiler<'a> {
    pub(super) draft: &'a Draft,
    pub(super) role: Role,
    pub(super) numbering: Numbering,
    pub(super) zone: TimeZone,
    pub(super) problems: Vec<Problem>,
    /// Every user of the draft, also those that have problems, so that positions agree.
    pub(super) users: Vec<User>,
    /// The object that is being compiled: its position and the path of its settings.
    pub(super) node: NodeIndex,
    pub(super) settings_path: String,
    /// What people call it; `flow/object` when nobody has said.
    pub(super) object_name: String,
    /// Its place in the document, `flow/object`.
    pub(super) object_place: String,
    /// Numbers that objects show, each with its path.
    pub(super) shown: Vec<(String, E164)>,
    /// Addresses that objects call, each with its path.
    pub(super) urls: Vec<(String, Arc<str>)>,
    /// Sounds of the account's own that are played, each with its path.
    pub(super) sounds: Vec<(String, Arc<str>)>,
    /// Names of queues and ring groups, each with the path of its object.
    pub(super) groups: BTreeMap<GroupRef, String>,
    pub(super) claimed: BTreeMap<E164, (NodeIndex, String)>,
    /// Internal numbers that objects have, and where.
    pub(super) claimed_inside: BTreeMap<Arc<str>, (NodeIndex, String)>,
    pub(super) parking: Arc<Parking>,
}

impl Draft {
    /// Checks everything and makes the plan, or says all that keeps it from being one. As the
    /// operator, who may do what a customer of the server may not.
    pub fn compile(&self, account: AccountId, version: u64) -> Result<Plan, Vec<Problem>> {
        self.compile_as(Role::Operator, account, version)
    }

    /// Checks everything and makes the plan, or says all that keeps it from being one.
    pub fn compile_as(
        &self,
        role: Role,
        account: AccountId,
        version: u64,
    ) -> Result<Plan, Vec<Problem>> {
        let mut compiler = Compiler::new(self, role);
        compiler.header();
        let users = compiler.people();
        compiler.users.clone_from(&users);
        let trunks = compiler.trunks();
        let dialling = compiler.dialling();
        compiler.parking = Arc::new(compiler.park());
        let codes = compiler.codes();
        let mut nodes = compiler.flows();
        compiler.caller_ids();
        let webhooks = compiler.webhooks();
        let (api_keys, allowed_ips) = compiler.api();
        let music = compiler.music();
        let voicemail = compiler.mailboxes();
        let mut problems = std::mem::take(&mut compiler.problems);
        problems.sort();
        if problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
        {
            return Err(problems);
        }
        let user_nodes = add_user_nodes(&mut nodes, &users);
        let flow_nodes = compiler.numbers_of_flows(&mut nodes);
        let mailbox_nodes = add_mailbox_nodes(&mut nodes, &users);
        let code_nodes = add_code_nodes(&mut nodes, &codes, &compiler.parking);
        let outbound_node = add_node(&mut nodes, AnyObject::Outbound(Outbound));
        Ok(Plan {
            account,
            version,
            name: self.account.as_str().into(),
            domain: self.domain.as_str().into(),
            time_zone: self.time_zone.as_str().into(),
            limits: compiler.limits(),
            lamps: self.lamps,
            dialling,
            mail_from: self.mail.from.as_deref().map(Into::into),
            trunks,
            webhooks,
            object_urls: compiler.urls,
            sounds: compiler.sounds,
            music,
            voicemail,
            api_keys,
            allowed_ips,
            warnings: problems,
            nodes,
            numbers: compiler
                .claimed
                .into_iter()
                .map(|(key, (node, _))| (key, node))
                .collect(),
            user_nodes,
            flow_nodes,
            mailbox_nodes,
            codes,
            code_nodes,
            outbound_node,
            devices: device_index(&users),
            internal_numbers: number_index(&users),
            numbering: compiler.numbering,
            users,
        })
    }
}

/// For the parts of a draft.
impl<'a> Compiler<'a> {
    fn new(draft: &'a Draft, role: Role) -> Self {
        let numbering = Numbering::new(&draft.country, draft.area_code.as_deref());
        Self {
            draft,
            role,
            numbering: numbering.unwrap_or_else(Numbering::anywhere),
            zone: TimeZone::UTC,
            problems: Vec::new(),
            users: Vec::new(),
            node: NodeIndex(0),
            settings_path: String::new(),
            object_name: String::new(),
            object_place: String::new(),
            shown: Vec::new(),
            urls: Vec::new(),
            sounds: Vec::new(),
            groups: BTreeMap::new(),
            claimed: BTreeMap::new(),
            claimed_inside: BTreeMap::new(),
            parking: Arc::new(Parking::default()),
        }
    }

    pub(super) fn error(&mut self, path: impl Into<String>, rule: impl Into<String>) {
        self.problem(path.into(), rule.into(), Severity::Error);
    }

    pub(super) fn warning(&mut self, path: impl Into<String>, rule: impl Into<String>) {
        self.problem(path.into(), rule.into(), Severity::Warning);
    }

    fn problem(&mut self, path: String, rule: String, severity: Severity) {
        self.problems.push(Problem {
            path,
            rule,
            severity,
        });
    }

    /// Reports what keeps a name from being one.
    pub(super) fn name(&mut self, path: &str, name: &str) {
        if let Some(complaint) = name_complaint(name) {
            self.error(path, complaint);
        }
    }

    fn header(&mut self) {
        let draft = self.draft;
        let is_slug = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '-');
        if !is_word(&draft.account, 32, is_slug) {
            self.error(
                "account",
                "must be 1 to 32 of the characters a-z, 0-9 and `-`: it names the account in \
                 commands and files",
            );
        }
        if Numbering::new(&draft.country, None).is_none() {
            self.error(
                "country",
                format!(
                    "`{}` is no ISO 3166 code such as AU: without it national numbers cannot be \
                     read",
                    draft.country
                ),
            );
        }
        if draft
            .area_code
            .as_deref()
            .is_some_and(|code| !is_word(code, 6, is_digit))
        {
            self.error(
                "area_code",
                "must be 1 to 6 digits, without the trunk prefix: \"2\" for Sydney",
            );
        }
        self.mail_from();
        self.domain();
        self.time_zone();
        self.limit("limits.calls", draft.limits.calls);
        self.limit("limits.calls_per_user", draft.limits.calls_per_user);
        self.limit("limits.call_minutes", draft.limits.call_minutes);
    }

    fn mail_from(&mut self) {
        if let Some(from) = &self.draft.mail.from
            && !is_sender(from)
        {
            self.error(
                "mail.from",
                "must be a mail address, such as pbx@acme.example.com, or a name and an address \
                 in angle brackets, such as Acme <pbx@acme.example.com>",
            );
        }
    }

    /// From the database in the program: the machine's may be older, or missing.
    fn time_zone(&mut self) {
        let known = TimeZoneDatabase::bundled();
        let name = &self.draft.time_zone;
        if let Ok(zone) = known.get(name) {
            self.zone = zone;
            return;
        }
        let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = match nearest(name, &names) {
            Some(near) => format!("; `{near}` may be meant"),
            None => ": write an IANA name such as Australia/Sydney".to_owned(),
        };
        self.error("time_zone", format!("there is no time zone `{name}`{hint}"));
    }

    fn domain(&mut self) {
        let is_host = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '.');
        if !is_word(&self.draft.domain, 253, is_host) || self.draft.domain.starts_with('.') {
            self.error(
                "domain",
                "must be a domain name in lower case such as acme.example.com: phones register \
                 there and it is the realm of their passwords",
            );
        }
    }

    fn limit(&mut self, path: &str, limit: Option<u32>) {
        if limit == Some(0) {
            self.error(
                path,
                "is 0, which lets no call through: leave it out for no limit",
            );
        }
    }

    fn limits(&self) -> Limits {
        let limits = self.draft.limits;
        Limits {
            calls: limits.calls,
            calls_per_user: limits.calls_per_user,
            call_length: limits
                .call_minutes
                .map(|minutes| Duration::from_mins(minutes.into())),
        }
    }
}

/// For the objects of a flow.
impl Compiler<'_> {
    /// Something is wrong with that setting.
    pub(crate) fn fault(&mut self, setting: &str, rule: impl Into<String>) {
        self.error(self.path_of(setting), rule);
    }

    /// Something is odd about that setting.
    pub(crate) fn warn(&mut self, setting: &str, rule: impl Into<String>) {
        self.warning(self.path_of(setting), rule);
    }

    pub(super) fn path_of(&self, setting: &str) -> String {
        format!("{}.{setting}", self.settings_path)
    }

    /// Settings in the object's own type.
    pub(crate) fn settings<T: DeserializeOwned>(&mut self, value: serde_json::Value) -> Option<T> {
        serde_json::from_value(value)
            .map_err(|error| self.error(self.settings_path.clone(), error.to_string()))
            .ok()
    }

    /// The user that a setting names, and how long this user's devices ring by themselves.
    pub(crate) fn user(&mut self, setting: &str, number: &str) -> Option<(UserIndex, Duration)> {
        let found = self
            .users
            .iter()
            .enumerate()
            .find(|(_, user)| *user.who.number == *number);
        if let Some((index, user)) = found {
            return Some((UserIndex(index), user.ring_time));
        }
        let known: Vec<&str> = self.users.iter().map(|user| &*user.who.number).collect();
        let hint = match nearest(number, &known) {
            Some(near) => format!("; `{near}` may be meant"),
            None => String::new(),
        };
        self.fault(
            setting,
            format!("`{number}` is no user's internal number{hint}"),
        );
        None
    }

    /// The mailbox that a setting names by its user, and where its messages are mailed.
    pub(crate) fn mailbox(
        &mut self,
        setting: &str,
        number: &str,
    ) -> Option<(UserRef, Vec<Arc<str>>)> {
        let (index, _) = self.user(setting, number)?;
        let user = self.users.get(index.0)?;
        Some((user.who.clone(), user.voicemail_emails.clone()))
    }

    /// What people call the object that is being compiled.
    pub(crate) fn object_name(&self) -> &str {
        &self.object_name
    }

    /// Its place in the document, `flow/object`.
    pub(crate) fn object_place(&self) -> &str {
        &self.object_place
    }

    /// Where the account's people live.
    pub(crate) fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// Every user, with its position.
    pub(crate) fn everybody(&self) -> Vec<(UserIndex, UserRef)> {
        let users = self.users.iter().enumerate();
        let users = users.map(|(index, user)| (UserIndex(index), user.who.clone()));
        users.collect()
    }

    /// That user as told to the outside.
    pub(crate) fn user_ref(&self, index: UserIndex) -> Option<UserRef> {
        self.users.get(index.0).map(|user| user.who.clone())
    }

    /// How many devices that user has.
    pub(crate) fn device_count(&self, index: UserIndex) -> usize {
        self.users.get(index.0).map_or(0, |user| user.devices.len())
    }

    /// The number outside that a setting names.
    pub(crate) fn number(&mut self, setting: &str, text: &str) -> Option<E164> {
        let number = self.numbering.normalise(text);
        if number.is_none() {
            self.fault(setting, not_a_number(text));
        }
        number
    }

    /// The number of the account that a setting has shown.
    pub(crate) fn shown_number(&mut self, setting: &str, text: &str) -> Option<E164> {
        let number = self.number(setting, text)?;
        self.shown.push((self.path_of(setting), number));
        Some(number)
    }

    /// The numbers outside that a setting lists, unless one of them is none.
    pub(crate) fn outside_numbers(
        &mut self,
        setting: &str,
        texts: &[String],
    ) -> Option<BTreeSet<E164>> {
        let texts = texts.iter().enumerate();
        let numbers: Vec<_> = texts
            .map(|(place, text)| self.number(&format!("{setting}[{place}]"), text))
            .collect();
        numbers.into_iter().collect()
    }

    /// The object as a queue or ring group: rows are searched by its name, so that no other of
    /// its kind may have it.
    pub(crate) fn group(&mut self, kind: GroupKind) -> Option<GroupRef> {
        let path = self.settings_path.replace(".settings", ".name");
        if let Some(complaint) = name_complaint(&self.object_name) {
            self.error(path, complaint);
            return None;
        }
        let name = self.object_name.as_str().into();
        let group = GroupRef { kind, name };
        if let Some(other) = self.groups.insert(group.clone(), path.clone()) {
            let rule = format!(
                "`{}` is the name at {other} too, and rows are searched by it: rename one",
                group.name
            );
            self.error(path, rule);
            return None;
        }
        Some(group)
    }

    /// Takes numbers for the object: calls to them begin here.
    pub(crate) fn claim_numbers(&mut self, setting: &str, texts: &[String]) {
        for (position, text) in texts.iter().enumerate() {
            let setting = format!("{setting}[{position}]");
            match self.numbering.normalise(text) {
                Some(number) => self.claim(&setting, number),
                None => self.fault(&setting, not_a_number(text)),
            }
        }
    }

    fn claim(&mut self, setting: &str, number: E164) {
        let path = self.path_of(setting);
        if let Some((_, other)) = self.claimed.get(&number) {
            let rule = format!(
                "+{number} is used at {other} too, and a call can begin in one place only: take \
                 one of them out"
            );
            self.error(path, rule);
            return;
        }
        self.claimed.insert(number, (self.node, path));
    }
}

/// Why a text is no telephone number.
pub(super) fn not_a_number(text: impl Display) -> String {
    format!(
        "`{text}` cannot be read as a telephone number: write it with its country code, such as \
         +61298765432"
    )
}

pub(crate) fn is_digit(char: char) -> bool {
    char.is_ascii_digit()
}

pub(super) fn add_node(nodes: &mut Vec<Node>, object: AnyObject) -> NodeIndex {
    nodes.push(Node::unwired(object));
    NodeIndex(nodes.len() - 1)
}

/// One object per user, for calls to the internal number: no exit leads anywhere.
fn add_user_nodes(nodes: &mut Vec<Node>, users: &[User]) -> Vec<NodeIndex> {
    users
        .iter()
        .enumerate()
        .map(|(index, user)| {
            let object = RingUser {
                user: UserIndex(index),
                ring_time: user.ring_time,
            };
            add_node(nodes, AnyObject::RingUser(object))
        })
        .collect()
}

/// One object per user, for calls that are forwarded to the user's mailbox.
fn add_mailbox_nodes(nodes: &mut Vec<Node>, users: &[User]) -> Vec<NodeIndex> {
    let mailboxes = users.iter().map(|user| {
        let mailbox = Voicemail::of_user(user.who.clone(), user.voicemail_emails.clone());
        add_node(nodes, AnyObject::Voicemail(mailbox))
    });
    mailboxes.collect()
}

/// One object for each feature that is called like a number.
fn add_code_nodes(
    nodes: &mut Vec<Node>,
    codes: &Codes,
    parking: &Arc<Parking>,
) -> BTreeMap<Feature, NodeIndex> {
    let node = |(text, code): (&str, &Code)| {
        let object = match code.feature {
            Feature::Mailbox(whose) => AnyObject::Mailbox(Mailbox {
                whose,
                code: text.into(),
            }),
            Feature::Park => AnyObject::Park(Park::behind(Door::Code, parking)),
            Feature::Agent(_)
            | Feature::DoNotDisturb(_)
            | Feature::Forward(_)
            | Feature::EndForward(_)
            | Feature::Time(_)
            | Feature::PickUp
            | Feature::Record => AnyObject::FeatureCode(FeatureCode {
                feature: code.feature,
                code: text.into(),
            }),
        };
        (code.feature, add_node(nodes, object))
    };
    codes.all_dialled().map(node).collect()
}

fn device_index(users: &[User]) -> BTreeMap<Arc<str>, (UserIndex, DeviceIndex)> {
    users
        .iter()
        .enumerate()
        .flat_map(|(user, of)| {
            of.devices.iter().enumerate().map(move |(device, phone)| {
                let at = (UserIndex(user), DeviceIndex(device));
                (phone.username.clone(), at)
            })
        })
        .collect()
}

fn number_index(users: &[User]) -> BTreeMap<Arc<str>, UserIndex> {
    users
        .iter()
        .enumerate()
        .map(|(index, user)| (user.who.number.clone(), UserIndex(index)))
        .collect()
}
