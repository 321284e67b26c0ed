//! The account that the tests use, as the document that `switchhook account apply` reads.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::sipp::DOMAIN;

/// Every device's password.
pub(crate) const PASSWORD: &str = "correct-horse";
/// The secret token of every webhook endpoint.
pub(crate) const TOKEN: &str = "5up3r";
/// The account's API key.
pub(crate) const KEY: &str = "0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123";

/// John Smith has two devices, `1010-desk` and `1010-mobile`; Ann Lee one, `1020-desk`.
pub(crate) const JOHN: &str = "1010";
pub(crate) const ANN: &str = "1020";
/// The number that reaches John through the flow `main`, as carriers and the API write it.
pub(crate) const JOHNS_NUMBER: &str = "61298765432";
/// A number that leads to a flow whose only object hangs up, busy.
pub(crate) const BUSY_NUMBER: &str = "61298765433";

/// A number that rings the group `Sales`: John and Ann together for 3 s, then busy.
pub(crate) const SALES_NUMBER: &str = "61298765434";

/// A number that leads to Ann's voicemail, without a greeting.
pub(crate) const VOICEMAIL_NUMBER: &str = "61298765435";
/// A number that records the call and rings John.
pub(crate) const RECORDED_NUMBER: &str = "61298765436";
/// Where Ann's messages are mailed.
pub(crate) const ANNS_EMAIL: &str = "ann@acme.test";

/// A webhook endpoint of the account.
pub(crate) struct Endpoint {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    /// `all`, or a list as YAML writes it.
    pub(crate) triggers: &'static str,
    pub(crate) timeout_seconds: u32,
}

/// A trunk of the account.
pub(crate) struct Trunk {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) registration: Registration,
}

/// Whether a trunk is known by its address, or by our registering there.
#[derive(Clone, Copy)]
pub(crate) enum Registration {
    None,
    AsAcme,
}

/// What varies between tests.
pub(crate) struct Account {
    pub(crate) ring_seconds: u32,
    pub(crate) trunks: Vec<Trunk>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) allowed_ips: &'static str,
    /// What it may use at most, as YAML writes it.
    pub(crate) limits: &'static str,
    /// What Ann has besides number, name and devices, as YAML writes it in her entry.
    pub(crate) anns_settings: String,
    /// Further parts of the document, as YAML writes them.
    pub(crate) more_parts: &'static str,
    /// Flows besides the usual ones, as YAML writes them below `flows:`.
    pub(crate) more_flows: String,
}

impl Account {
    /// The document.
    pub(crate) fn yaml(&self) -> String {
        let mut yaml = self.head();
        yaml += &list("trunks", self.trunks.iter().map(Trunk::yaml));
        yaml += FLOWS;
        yaml += &self.more_flows;
        yaml += self.more_parts;
        yaml += &list("webhooks", self.endpoints.iter().map(Endpoint::yaml));
        yaml += "api:\n  keys:\n    - {name: crm, key: ";
        yaml + KEY + "}\n  allowed_ips: " + self.allowed_ips + "\n"
    }

    fn head(&self) -> String {
        let mut yaml = format!(
            "account: acme\n\
             name: Acme Pty Ltd\n\
             country: AU\n\
             area_code: \"2\"\n\
             time_zone: Australia/Sydney\n\
             domain: {DOMAIN}\n\
             mail: {{from: \"Acme <pbx@acme.test>\"}}\n\
             limits: {}\n\
             users:\n",
            self.limits
        );
        yaml += &user(
            JOHN,
            "John Smith",
            self.ring_seconds,
            &["1010-desk", "1010-mobile"],
        );
        yaml += &user(ANN, "Ann Lee", self.ring_seconds, &["1020-desk"]);
        yaml + &self.anns_settings
    }
}

impl Trunk {
    fn yaml(&self) -> String {
        let (name, address, ip) = (self.name, self.address, self.address.ip());
        let register = match self.registration {
            Registration::None => "",
            Registration::AsAcme => {
                "    register: {username: acme, password: s3cret, expires_seconds: 300}\n"
            }
        };
        format!(
            "  - name: {name}\n    host: {address}\n    transport: udp\n{register}    \
             inbound_from: [{ip}]\n    number_format: e164\n"
        )
    }
}

impl Endpoint {
    fn yaml(&self) -> String {
        let Self {
            name,
            url,
            triggers,
            timeout_seconds,
        } = self;
        format!(
            "  - {{name: {name}, url: \"{url}\", secret_token: {TOKEN}, triggers: {triggers}, \
             timeout_seconds: {timeout_seconds}}}\n"
        )
    }
}

/// A list under its key; the document leaves out what is empty.
fn list(key: &str, entries: impl Iterator<Item = String>) -> String {
    let entries: String = entries.collect();
    if entries.is_empty() {
        entries
    } else {
        format!("{key}:\n{entries}")
    }
}

fn user(number: &str, name: &str, ring_seconds: u32, devices: &[&str]) -> String {
    let mut yaml = format!(
        "  - number: \"{number}\"\n    name: {name}\n    caller_id: \"+{JOHNS_NUMBER}\"\n    \
         ring_seconds: {ring_seconds}\n    devices:\n"
    );
    for device in devices {
        writeln!(
            yaml,
            "      - {{name: {device}, username: {device}, password: {PASSWORD}}}"
        )
        .expect("a string takes every write");
    }
    yaml
}

const FLOWS: &str = r#"flows:
  - id: main
    name: Main line
    objects:
      - {id: in, kind: inbound_number, name: Main line, at: [0, 0], settings: {numbers: ["+61298765432"]}, exits: {next: john}}
      - {id: john, kind: user, name: John, at: [320, 0], settings: {user: "1010"}, exits: {no_answer: nobody, busy: busy, unavailable: nobody}}
      - {id: nobody, kind: hangup, name: Nobody there, at: [640, 0], settings: {cause: unavailable}}
      - {id: busy, kind: hangup, name: Busy, at: [640, 80], settings: {cause: busy}}
  - id: engaged
    name: Engaged
    objects:
      - {id: in, kind: inbound_number, name: Engaged line, at: [0, 0], settings: {numbers: ["+61298765433"]}, exits: {next: busy}}
      - {id: busy, kind: hangup, name: Busy, at: [320, 0], settings: {cause: busy}}
  - id: sales
    name: Sales
    objects:
      - {id: in, kind: inbound_number, name: Sales line, at: [0, 0], settings: {numbers: ["+61298765434"]}, exits: {next: group}}
      - {id: group, kind: ring_group, name: Sales, at: [320, 0], settings: {members: [{user: "1010"}, {user: "1020"}], ring_seconds: 3}, exits: {no_answer: busy, busy: busy}}
      - {id: busy, kind: hangup, name: Busy, at: [640, 0], settings: {cause: busy}}
  - id: messages
    name: Messages
    objects:
      - {id: in, kind: inbound_number, name: Messages line, at: [0, 0], settings: {numbers: ["+61298765435"]}, exits: {next: box}}
      - {id: box, kind: voicemail, name: Messages for Ann, at: [320, 0], settings: {mailbox: "1020", greeting: none}}
  - id: recorded
    name: Recorded
    objects:
      - {id: in, kind: inbound_number, name: Recorded line, at: [0, 0], settings: {numbers: ["+61298765436"]}, exits: {next: tape}}
      - {id: tape, kind: call_recording, name: Recording, at: [320, 0], settings: {recording: "on"}, exits: {next: john}}
      - {id: john, kind: user, name: John, at: [640, 0], settings: {user: "1010"}}
"#;
