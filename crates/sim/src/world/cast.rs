//! A random world: who is in it, and what they are going to do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use engine::Load;
use media::Codec;
use pbx::AccountId;
use pbx::codes::{self, After, CODES};
use pbx::draft::{Draft, Register, Trunk};
use pbx::testing::random_draft;
use pbx::{CallerIds, NumberFormat, Transport as TrunkTransport};
use serde_json::Value;
use sip::Transport;

use super::{Intervention, World};
use crate::Broken;
use crate::agenda::Happening;
use crate::party::{
    Act, Call, Calls, Carrier, Cast, Party, PartyId, Phone, Place, Role, Temper, moody_talk,
};
use crate::random::{Random, fork, millis, seconds};

/// What every device of a random account has.
fn password_of(office: u32) -> String {
    format!("correct-horse-{office}")
}

const TRUNK_PASSWORD: &str = "s3cret-s3cret";

impl World {
    /// Takes a party in.
    pub(crate) fn add(&mut self, cast: Cast) -> PartyId {
        let id = PartyId(self.parties.len());
        self.by_address.insert(cast.place.outside, id);
        let random = fork(&mut self.random);
        self.parties.push(Party::new(id, cast, random));
        id
    }

    /// A party will do something.
    pub(crate) fn later(&mut self, after: Duration, party: PartyId, act: Act) {
        self.agenda
            .add(self.now + after, Happening::Acts(party, act));
    }

    /// Accounts, phones, carriers and what they do for `length`, at random.
    pub(crate) fn populate(&mut self, length: Duration) -> Result<(), Broken> {
        let offices = self.random.between(1, 2);
        for number in 0..offices {
            let draft = office(number, &mut self.random);
            self.carriers(number, &draft);
            self.phones(number, &draft);
            self.apply(AccountId(number + 1), draft)?;
        }
        for _ in 0..self.random.between(0, 2) {
            self.burglars();
        }
        let parties: Vec<PartyId> = self.parties.iter().map(|party| party.id).collect();
        for party in parties {
            self.plan_day(party, length);
        }
        self.plan_asks(length);
        self.plan_operator(length);
        let ticks = u64::try_from(length.as_millis()).unwrap_or_default() / LISTEN_EVERY_MS;
        for tick in 1..ticks + 120 {
            let at = self.now + Duration::from_millis(tick * LISTEN_EVERY_MS);
            self.agenda.add(at, Happening::Listen);
        }
        Ok(())
    }

    fn carriers(&mut self, office: u32, draft: &Draft) {
        for trunk in &draft.trunks {
            let Some(number) = trunk_number(office, &trunk.name) else {
                continue;
            };
            let place = Place::carrier(number);
            if self.by_address.contains_key(&place.outside) {
                continue;
            }
            let carrier = match &trunk.register {
                Some(register) => {
                    let calls = if self.random.percent(50) {
                        Calls::Challenged
                    } else {
                        Calls::Taken
                    };
                    Carrier::with_registrar(&register.username, TRUNK_PASSWORD, number, calls)
                }
                None => Carrier::by_address(),
            };
            if trunk.register.is_some() && trunk.host.contains("example") {
                self.announce(&trunk.host, place.outside);
            }
            let cast = Cast {
                name: format!("{}{office}", trunk.name),
                place,
                role: Role::Carrier(carrier),
                temper: Temper::Moody {
                    ring_seconds: vec![180],
                },
                codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::TelephoneEvent],
            };
            let id = self.add(cast);
            if self.random.percent(10) {
                self.later(Duration::ZERO, id, Act::Unplug);
            }
        }
    }

    /// A carrier's name leads to it, at times by way of a host that is down.
    fn announce(&mut self, host: &str, address: SocketAddr) {
        let mut addresses = vec![address];
        if self.random.percent(30) {
            addresses.insert(0, SocketAddr::new(DEAD_HOST, 5060));
        }
        self.names.insert(host.to_owned(), addresses);
    }

    fn phones(&mut self, office: u32, draft: &Draft) {
        let ring_seconds: Vec<u32> = draft
            .users
            .iter()
            .map(|user| user.ring_seconds.unwrap_or(25))
            .collect();
        for (place, user) in draft.users.iter().enumerate() {
            let colleague = draft.users.get(place + 1).or(draft.users.first());
            for device in &user.devices {
                let copies = if self.random.percent(8) { 2 } else { 1 };
                for _ in 0..copies {
                    let is_wrong = self.random.percent(4);
                    let password = if is_wrong {
                        "wrong-horse".to_owned()
                    } else {
                        password_of(office)
                    };
                    let account = AccountId(office + 1);
                    let phone = Phone::new(account, &draft.domain, &device.username, &password);
                    let phone = match colleague {
                        Some(colleague) => phone.watching(&colleague.number),
                        None => phone,
                    };
                    self.phone(phone, &ring_seconds);
                }
            }
        }
    }

    fn phone(&mut self, phone: Phone, ring_seconds: &[u32]) {
        let number = u8::try_from(self.parties.len()).unwrap_or(u8::MAX);
        let transport = if self.random.percent(15) {
            Transport::Tcp
        } else {
            Transport::Udp
        };
        let place = if self.random.percent(30) {
            Place::behind_nat(number, transport)
        } else {
            Place::desk(number, transport)
        };
        let codecs = match self.random.between(0, 19) {
            0 => vec![Codec::Opus],
            1 => vec![Codec::G722, Codec::TelephoneEvent],
            2 => vec![Codec::Pcmu],
            _ => vec![Codec::Pcma, Codec::Pcmu, Codec::TelephoneEvent],
        };
        let name = format!("{}@{}#{number}", phone.username, phone.account);
        let cast = Cast {
            name,
            place,
            role: Role::Phone(phone),
            temper: Temper::Moody {
                ring_seconds: ring_seconds.to_vec(),
            },
            codecs,
        };
        self.add(cast);
    }

    /// People who know a username, but not its password.
    fn burglars(&mut self) {
        if !self.random.percent(30) {
            return;
        }
        let Some(office) = self.offices.first() else {
            return;
        };
        let domain = office.draft.domain.clone();
        let known = self.parties.iter().find_map(|party| match &party.role {
            Role::Phone(phone) => Some(phone.username.clone()),
            Role::Carrier(_) => None,
        });
        let username = known.unwrap_or_else(|| "admin".to_owned());
        let phone = Phone::new(AccountId(1), &domain, &username, "123456");
        self.phone(phone, &[25]);
    }

    /// What a party does, apart from taking calls.
    fn plan_day(&mut self, id: PartyId, length: Duration) {
        let Some(is_carrier) = self.parties.get(id.0).map(Party::is_carrier) else {
            return;
        };
        let whole = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        if !is_carrier {
            let at = millis(&mut self.random, 0, 2_000);
            self.later(at, id, Act::Register);
            if self.random.percent(10) {
                let at = millis(&mut self.random, 5_000, whole);
                self.later(at, id, Act::Unregister);
            }
        }
        let calls = self.random.between(0, if is_carrier { 7 } else { 3 });
        for _ in 0..calls {
            let call = if is_carrier {
                self.call_from_outside()
            } else {
                self.call_from_inside()
            };
            let at = millis(&mut self.random, 2_500, whole);
            self.later(at, id, Act::Dial(call));
        }
        if self.random.percent(15) {
            let at = millis(&mut self.random, 3_000, whole);
            self.later(at, id, Act::Reconnect);
        }
        if self.random.percent(12) {
            let at = millis(&mut self.random, 3_000, whole);
            let act = if self.random.percent(50) {
                Act::Unplug
            } else {
                Act::PowerCut
            };
            let away = millis(&mut self.random, 500, 60_000);
            self.later(at, id, act);
            self.later(at + away, id, Act::Return);
        }
    }

    fn call_from_outside(&mut self) -> Call {
        let numbers = self.inbound_numbers();
        let number = self.random.pick(&numbers).cloned();
        let number = number.unwrap_or_else(|| "61298760000".to_owned());
        let is_known = self.random.percent(92);
        let dialled = match (is_known, self.random.percent(50)) {
            (true, true) => format!("+{number}"),
            (true, false) => number,
            (false, _) => "+61298760001".to_owned(),
        };
        let callers = [
            "+61398765432",
            "61255501234",
            "0398765432",
            "+4930123456",
            "12",
            "pay%20phone",
        ];
        let caller = self
            .random
            .pick(&callers)
            .map(|caller| (*caller).to_owned());
        Call {
            dialled,
            caller: caller.filter(|_| self.random.percent(85)),
            patience: self.patience(),
            talk: moody_talk(&mut self.random),
        }
    }

    fn call_from_inside(&mut self) -> Call {
        let users = self.offices.iter().flat_map(|office| &office.draft.users);
        let users: Vec<String> = users.map(|user| user.number.clone()).collect();
        let numbers = self.inbound_numbers();
        let others = [
            "0412345678",
            "+61399998888",
            "000",
            "1099",
            "alice",
            "*97",
            "98761234",
        ];
        let dialled = match self.random.between(0, 9) {
            0 => Some(self.feature_code(&users)),
            1..=4 => self.random.pick(&users).cloned(),
            5..=6 => self
                .random
                .pick(&numbers)
                .map(|number| format!("+{number}")),
            _ => self.random.pick(&others).map(|other| (*other).to_owned()),
        };
        Call {
            dialled: dialled.unwrap_or_else(|| "0412345678".to_owned()),
            caller: None,
            patience: self.patience(),
            talk: moody_talk(&mut self.random),
        }
    }

    /// A feature code; behind one that takes a number stands a colleague, mostly.
    fn feature_code(&mut self, users: &[String]) -> String {
        let dialled = CODES
            .iter()
            .filter(|code| code.place == codes::Place::Dialled);
        let dialled: Vec<_> = dialled.collect();
        let Some(code) = self.random.pick(&dialled).copied() else {
            return String::new();
        };
        let others = ["0412345678", "*", "1", ""];
        let number = match code.after {
            After::Nothing => None,
            After::Number if self.random.percent(60) => self.random.pick(users).cloned(),
            After::Number => self.random.pick(&others).map(|other| (*other).to_owned()),
        };
        format!("{}{}", code.usual, number.unwrap_or_default())
    }

    fn inbound_numbers(&self) -> Vec<String> {
        let numbers = self.offices.iter().flat_map(|office| office.plan.numbers());
        numbers.map(|number| number.to_string()).collect()
    }

    fn patience(&mut self) -> Duration {
        match self.random.between(0, 9) {
            0 => millis(&mut self.random, 0, 600),
            1 => seconds(&mut self.random, 1, 10),
            _ => seconds(&mut self.random, 20, 60),
        }
    }

    fn plan_operator(&mut self, length: Duration) {
        let whole = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        if self.random.percent(30) {
            for _ in 0..self.random.between(1, 20) {
                let at = millis(&mut self.random, 0, whole);
                let garbage = garbage(&mut self.random);
                self.agenda.add(self.now + at, Happening::Operator(garbage));
            }
        }
        if self.random.percent(25) {
            for _ in 0..self.random.between(1, 3) {
                let at = millis(&mut self.random, 5_000, whole);
                let does = self.intervention();
                self.agenda.add(self.now + at, Happening::Operator(does));
            }
        }
    }

    fn intervention(&mut self) -> Intervention {
        let offices: Vec<AccountId> = self
            .offices
            .iter()
            .map(|office| office.plan.account)
            .collect();
        let account = self.random.pick(&offices).copied().unwrap_or(AccountId(1));
        match self.random.between(0, 9) {
            0 => Intervention::Remove(account),
            1 => Intervention::HangUpAll,
            2 => Intervention::Load(Load::Shedding),
            3 => Intervention::Load(Load::Open),
            _ => {
                let draft = self.office(account).map(|office| office.draft.clone());
                let draft = draft.unwrap_or_else(|| office(0, &mut self.random));
                let changed = changed(draft, account.0 - 1, &mut self.random);
                Intervention::Apply(account, Box::new(changed))
            }
        }
    }
}

/// The `number`th random account: its own domain and numbers, and carriers that exist.
fn office(number: u32, random: &mut Random) -> Draft {
    let mut draft = random_draft(random);
    draft.account = format!("office{number}");
    draft.domain = format!("office{number}.example");
    let chosen: BTreeSet<u32> = (0..random.between(0, 3))
        .map(|_| random.between(0, 2))
        .collect();
    draft.trunks = chosen
        .into_iter()
        .map(|kind| trunk(number, kind, random))
        .collect();
    let mut draft = own_numbers(draft, number);
    let own = format!("+61298765{}30", 4 + number);
    for user in &mut draft.users {
        user.caller_id = None;
        for device in &mut user.devices {
            device.password = Some(password_of(number).into());
        }
    }
    // The first flow has a number, which users may show.
    if let Some(user) = draft.users.first_mut().filter(|_| random.percent(50)) {
        user.caller_id = Some(own);
    }
    draft
}

/// Random drafts all have the same inbound numbers; on one server each has one account.
fn own_numbers(mut draft: Draft, office: u32) -> Draft {
    let objects = draft.flows.iter_mut().flat_map(|flow| &mut flow.objects);
    for value in objects.flat_map(|object| object.settings.values_mut()) {
        own_number(value, office);
    }
    draft
}

fn own_number(value: &mut Value, office: u32) {
    match value {
        Value::String(text) => {
            *text = text.replace("+6129876543", &format!("+61298765{}3", 4 + office));
        }
        Value::Array(list) => list.iter_mut().for_each(|one| own_number(one, office)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

fn trunk(office: u32, kind: u32, random: &mut Random) -> Trunk {
    let names = ["ip", "backup", "sip"];
    let name = usize::try_from(kind).ok().and_then(|kind| names.get(kind));
    let name = name.copied().unwrap_or("ip").to_owned();
    let number = trunk_number(office, &name).unwrap_or_default();
    let address = Place::carrier(number).outside;
    let formats = [
        NumberFormat::E164,
        NumberFormat::E164Plus,
        NumberFormat::National,
    ];
    let is_registered = name == "sip";
    Trunk {
        host: if is_registered && random.percent(70) {
            format!("sip{office}.carrier.example")
        } else {
            address.to_string()
        },
        transport: if name == "backup" && random.percent(30) {
            TrunkTransport::Tcp
        } else {
            TrunkTransport::Udp
        },
        register: is_registered.then(|| Register {
            username: format!("office{office}"),
            password: TRUNK_PASSWORD.to_owned().into(),
            expires_seconds: Some(60),
        }),
        inbound_from: if is_registered {
            Vec::new()
        } else {
            vec![address.ip().to_string()]
        },
        number_format: random.pick(&formats).copied().unwrap_or_default(),
        calls: random.percent(20).then(|| random.between(1, 4)),
        caller_ids: CallerIds::default(),
        name,
    }
}

/// Which carrier a trunk leads to. IP carriers serve every account.
fn trunk_number(office: u32, name: &str) -> Option<u8> {
    match name {
        "ip" => Some(1),
        "backup" => Some(2),
        "sip" => u8::try_from(3 + office).ok(),
        _ => None,
    }
}

/// The draft with something else in it.
fn changed(mut draft: Draft, office: u32, random: &mut Random) -> Draft {
    let user = random.below(draft.users.len());
    match (random.between(0, 3), draft.users.get_mut(user)) {
        (0, Some(user)) => drop(user.devices.pop()),
        (1, Some(user)) => user.ring_seconds = Some(random.between(3, 40)),
        (2, _) => drop(draft.trunks.pop()),
        _ => {
            let other = random_draft(random);
            let flows = own_numbers(other, office).flows;
            let changed = Draft {
                flows,
                ..draft.clone()
            };
            // It may name users that this account does not have.
            if changed.compile(pbx::AccountId(1), 1).is_ok() {
                draft = changed;
            }
        }
    }
    draft
}

/// Bytes that are no message, or only the beginning of one.
fn garbage(random: &mut Random) -> Intervention {
    const INVITE: &str = "INVITE sip:1000@office0.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.18.0.9:5060;branch=z9hG4bKgarbage;rport\r\n\
        From: <sip:x@198.18.0.9>;tag=1\r\nTo: <sip:1000@office0.example>\r\n\
        Call-ID: garbage\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    let from = SocketAddr::new(STRANGER, 5_060);
    let bytes = if random.percent(50) {
        let length = random.below(INVITE.len());
        INVITE.bytes().take(length).collect()
    } else {
        let length = random.below(900);
        (0..length)
            .map(|_| u8::try_from(random.below(256)).unwrap_or_default())
            .collect()
    };
    Intervention::Garbage(from, bytes)
}

const DEAD_HOST: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 99));
const STRANGER: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 18, 0, 9));
const LISTEN_EVERY_MS: u64 = 1_000;
