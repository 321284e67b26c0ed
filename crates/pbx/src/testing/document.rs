//! Account documents: one that a person could have written, and any number of random ones made
//! from the registry of objects, so that a new object is tried without a word said about it.

use serde_json::{Map, Value, json};

use super::random::Random;
use crate::draft::{Device, Draft, Flow, Limits, Object, Register, Trunk, User, Voicemail};
use crate::objects::{Field, Kind, Need, Pace, Palette, Shape, offered, own_exits};
use crate::plan::{CallerIds, NumberFormat, Record, Transport};

/// An account with a flow, three users (two devices, one device, none) and two trunks.
pub fn example() -> Draft {
    let document = json!({
        "account": "acme",
        "name": "Acme Pty Ltd",
        "country": "AU",
        "area_code": "2",
        "time_zone": "Australia/Sydney",
        "domain": "acme.example.com",
        "users": [
            {"number": "1010", "name": "John Smith", "caller_id": "+61298765432",
             "ring_seconds": 25, "devices": [
                {"name": "desk", "username": "1010-desk", "password": "correct-horse"},
                {"name": "mobile", "username": "1010-mobile", "password": "battery-staple"}]},
            {"number": "1011", "name": "Mary Jones", "devices": [
                {"name": "desk", "username": "1011-desk", "password": "tall-giraffe"}]},
            {"number": "1012", "name": "Nobody Home"}
        ],
        "trunks": [
            {"name": "carrier", "host": "sip.carrier.example", "number_format": "e164",
             "register": {"username": "acme", "password": "s3cret-s3cret"}},
            {"name": "backup", "host": "203.0.113.9:5080", "number_format": "national",
             "inbound_from": ["203.0.113.0/24"]}
        ],
        "flows": [{"id": "main", "name": "Main line", "objects": [
            {"id": "in", "kind": "inbound_number", "name": "Main line",
             "settings": {"numbers": ["+61298765432"]}, "exits": {"next": "john"}},
            {"id": "john", "kind": "user", "name": "John", "at": [320, 0],
             "settings": {"user": "1010"},
             "exits": {"no_answer": "mary", "busy": "bye", "unavailable": "bye"}},
            {"id": "mary", "kind": "user", "name": "Mary", "at": [640, 0],
             "settings": {"user": "1011", "ring_seconds": 10}},
            {"id": "bye", "kind": "hangup", "name": "Busy", "at": [960, 0],
             "settings": {"cause": "busy"}}
        ]}],
        "webhooks": [{"name": "crm", "url": "https://crm.example.com/hooks",
                      "secret_token": "5up3r", "triggers": "all"}],
        "api": {"keys": [{"name": "crm",
                          "key": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01"}],
                "allowed_ips": ["203.0.113.7", "10.0.0.0/8"]}
    });
    serde_json::from_value(document).unwrap_or_else(|error| unreachable!("{error}"))
}

/// A draft that compiles, with every kind of object, in any arrangement.
pub fn random_draft(random: &mut Random) -> Draft {
    random_draft_of(|_| true, random)
}

/// A draft that compiles, of those kinds of object that are wanted.
pub fn random_draft_of(is_wanted: impl Fn(&Kind) -> bool, random: &mut Random) -> Draft {
    let kinds: Vec<&Kind> = offered()
        .filter(|kind| kind.palette != Palette::Entry && is_wanted(kind))
        .collect();
    let mut draft = example();
    let users = random.between(1, 5);
    draft.limits = limits(random);
    draft.users = (0..users).map(|index| user(index, random)).collect();
    draft.trunks = (0..random.between(0, 3))
        .map(|index| trunk(index, random))
        .collect();
    draft.flows = (0..random.between(1, 3))
        .map(|index| flow(index, users, &kinds, random))
        .collect();
    draft.webhooks.clear();
    draft
}

fn limits(random: &mut Random) -> Limits {
    Limits {
        calls: random.percent(30).then(|| random.between(1, 8)),
        calls_per_user: random.percent(30).then(|| random.between(1, 3)),
        call_minutes: random.percent(30).then(|| random.between(1, 20)),
    }
}

fn user(index: u32, random: &mut Random) -> User {
    let number = format!("10{index:02}");
    let devices = (0..random.between(0, 3)).map(|device| Device {
        name: format!("phone {device}"),
        username: format!("{number}-{device}"),
        password: Some("correct-horse".into()),
        ha1: None,
    });
    User {
        name: format!("User {number}"),
        email: None,
        voicemail: Voicemail::default(),
        caller_id: None,
        ring_seconds: random.percent(50).then(|| random.between(3, 60)),
        record: Record {
            inbound: random.percent(20),
            outbound: random.percent(20),
            on_demand: random.percent(50),
        },
        devices: devices.collect(),
        number,
    }
}

fn trunk(index: u32, random: &mut Random) -> Trunk {
    let formats = [
        NumberFormat::E164,
        NumberFormat::E164Plus,
        NumberFormat::National,
    ];
    Trunk {
        name: format!("trunk {index}"),
        host: "sip.carrier.example".to_owned(),
        transport: Transport::Udp,
        register: random.percent(50).then(|| Register {
            username: "acme".to_owned(),
            password: "s3cret-s3cret".into(),
            expires_seconds: None,
        }),
        inbound_from: vec!["203.0.113.9".to_owned()],
        number_format: random.pick(&formats).copied().unwrap_or_default(),
        calls: random.percent(30).then(|| random.between(1, 4)),
        caller_ids: CallerIds::default(),
    }
}

/// One entry, then objects of random kinds. An exit that may be taken at once leads forward
/// only, so that there is no circle; one that comes after a wait may lead anywhere.
fn flow(index: u32, users: u32, kinds: &[&Kind], random: &mut Random) -> Flow {
    // Calls come in by the first kind of entry, and now and then by the others too.
    let mut entries = offered().filter(|kind| kind.palette == Palette::Entry);
    let entry = entries.next();
    let others: Vec<&Kind> = entries.filter(|_| random.percent(40)).collect();
    let drawn = (0..random.between(1, 6)).filter_map(|_| random.pick(kinds).copied());
    let drawn: Vec<&Kind> = drawn.collect();
    let chosen: Vec<&Kind> = entry.into_iter().chain(others).chain(drawn).collect();
    let count = chosen.len();
    let objects = chosen.into_iter().enumerate().map(|(place, kind)| {
        let mut object = Object {
            id: format!("object{place}"),
            kind: kind.name.to_owned(),
            name: String::new(),
            at: (0, 0),
            settings: settings(kind.fields, index, users, random),
            exits: std::collections::BTreeMap::new(),
        };
        let exits = kind.exits.iter().map(|exit| (exit.name, exit.pace));
        let own = own_exits(kind.fields, &object.settings);
        let own = own.into_iter().map(|exit| (exit, Pace::AtOnce));
        for (exit, pace) in exits.chain(own) {
            if random.percent(15) {
                continue;
            }
            let first = if pace == Pace::AtOnce { place + 1 } else { 0 };
            if first < count {
                let target = first + random.below(count - first);
                let target = format!("object{target}");
                object.exits.insert(exit.to_owned(), target);
            }
        }
        object
    });
    Flow {
        id: format!("flow{index}"),
        name: String::new(),
        objects: objects.collect(),
    }
}

fn settings(fields: &[Field], flow: u32, users: u32, random: &mut Random) -> Map<String, Value> {
    let mut settings = Map::new();
    for field in fields {
        if field.need == Need::Required || random.percent(60) {
            settings.insert(
                field.name.to_owned(),
                value(field.shape, flow, users, random),
            );
        }
    }
    settings
}

/// Users of the account in their order.
fn some_users(users: u32, random: &mut Random) -> Value {
    let first = random.between(0, users.saturating_sub(1));
    (first..users)
        .map(|user| json!(format!("10{user:02}")))
        .collect()
}

/// Users of the account in their order, and a number outside now and then.
fn members(users: u32, random: &mut Random) -> Value {
    let first = random.between(0, users.saturating_sub(1));
    let mut members: Vec<Value> = (first..users)
        .map(|user| json!({"user": format!("10{user:02}"), "delay_seconds": random.between(0, 9)}))
        .collect();
    if random.percent(30) {
        let accept = random.pick(&["at_once", "by_key"]);
        members.push(json!({"number": "+61400000001", "accept": accept}));
    }
    members.into()
}

/// Some of them hold at the time the walks and worlds have, some never do.
fn time_groups(random: &mut Random) -> Value {
    let hours = ["00:00-12:00", "09:00-17:00", "16:00-04:00", "00:00-24:00"];
    let weekdays = ["mon-fri", "sat-sun", "tue"];
    let groups = (0..random.between(1, 3)).map(|group| {
        json!({
            "exit": format!("group_{group}"),
            "hours": [random.pick(&hours)],
            "weekdays": [random.pick(&weekdays)],
        })
    });
    groups.collect()
}

fn value(shape: Shape, flow: u32, users: u32, random: &mut Random) -> Value {
    match shape {
        Shape::Whole { least, most } => json!(random.between(least, most.min(least + 60))),
        Shape::Choice(words) => json!(random.pick(words)),
        Shape::Sound(prompts) if random.percent(70) && !prompts.is_empty() => {
            json!(random.pick(prompts))
        }
        Shape::Sound(_) => json!("file:welcome"),
        Shape::User => json!(format!(
            "10{:02}",
            random.between(0, users.saturating_sub(1))
        )),
        // The number of a flow, so that it may be shown too.
        Shape::Number => json!(format!("+6129876543{flow}")),
        Shape::Users => some_users(users, random),
        Shape::InternalNumbers => json!([format!("8{flow}")]),
        Shape::Members => members(users, random),
        Shape::Emails => json!(["john@acme.example.com"]),
        Shape::Numbers => json!([format!("+6129876543{flow}")]),
        Shape::Url => json!("https://crm.example.com/passed"),
        Shape::Secret => json!(format!("t0ken-{flow}")),
        Shape::Headers => json!({"X-Flow": flow.to_string()}),
        Shape::TimeGroups => time_groups(random),
        Shape::ExitNames => json!(["vip", "usual"]),
        // The one that every kind with such a setting has.
        Shape::OwnExit => json!("no_match"),
        Shape::Text { .. } => json!("Sales: "),
        Shape::Digits { .. } | Shape::Pin { .. } => json!("0"),
        Shape::CallerRules => json!([{"begins_with": "+613", "name": "Melbourne"}]),
    }
}
