//! Tables: one thing changed in a sound document, and what is said about it.

mod exports;
mod flows;

use serde_json::{Value, json};

use super::*;
use crate::ids::AccountId;
use crate::plan::{Plan, UserIndex};
use crate::testing::{Random, example, random_draft};
use crate::trigger::Trigger;

fn document() -> Value {
    serde_json::to_value(example()).unwrap()
}

/// Puts `value` at a JSON pointer, making the last key when it is not there.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    if let Some(array) = parent.as_array_mut() {
        match key.parse::<usize>() {
            Ok(index) => array[index] = value,
            Err(_) => array.push(value),
        }
        return;
    }
    parent[key] = value;
}

fn compile(document: Value) -> Result<Plan, Vec<Problem>> {
    serde_json::from_value::<Draft>(document)
        .unwrap()
        .compile(AccountId(1), 1)
}

/// What is wrong once `changes` are made: path and a part of the rule, in order.
#[track_caller]
fn check(changes: &[(&str, Value)], severity: Severity, expected: &[(&str, &str)]) {
    let mut document = document();
    for (pointer, value) in changes {
        put(&mut document, pointer, value.clone());
    }
    let problems = match compile(document) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems,
    };
    let found: Vec<&Problem> = problems
        .iter()
        .filter(|problem| problem.severity == severity)
        .collect();
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    let wanted: Vec<&str> = expected.iter().map(|(path, _)| *path).collect();
    assert_eq!(paths, wanted, "{problems:#?}");
    for (problem, (_, part)) in found.iter().zip(expected) {
        assert!(problem.rule.contains(part), "{part:?} in {problem}");
    }
}

#[track_caller]
fn check_error(pointer: &str, value: Value, path: &str, part: &str) {
    check(&[(pointer, value)], Severity::Error, &[(path, part)]);
}

#[track_caller]
fn check_warning(pointer: &str, value: Value, path: &str, part: &str) {
    // The example itself has two: a user without devices, and exits that lead nowhere.
    let own = [
        ("flows[0].objects[2].exits", "`no_answer`, `busy`"),
        ("users[2].devices", "add a device"),
    ];
    let mut expected = vec![(path, part)];
    expected.extend(own);
    expected.sort_unstable();
    check(&[(pointer, value)], Severity::Warning, &expected);
}

#[test]
fn the_example_compiles_to_what_it_says() {
    let plan = compile(document()).unwrap();
    assert_eq!(plan.warnings.len(), 2);
    assert_eq!(
        plan.numbers()
            .map(|number| number.to_string())
            .collect::<Vec<_>>(),
        ["61298765432"]
    );
    let (index, user) = plan.user_by_number("1010").unwrap();
    assert_eq!(index, UserIndex(0));
    assert_eq!(user.caller_id.unwrap().to_string(), "61298765432");
    let (_, owner, device) = plan.device("1010-mobile").unwrap();
    assert_eq!((&*owner.who.name, &*device.name), ("John Smith", "mobile"));
    assert_eq!(plan.trunk("backup").unwrap().1.port, Some(5080));
    assert_eq!(plan.webhooks[0].triggers.len(), Trigger::ALL.len());
    assert_eq!(plan.api_keys.len(), 1);
    assert!(plan.allowed_ips[1].contains("10.9.8.7".parse().unwrap()));
    assert!(plan.device("1011").is_none() && plan.user_by_number("9").is_none());
}

#[test]
fn ha1_is_what_rfc_7616_says() {
    let plan = compile(document()).unwrap();
    let (_, _, device) = plan.device("1010-desk").unwrap();
    let expected = crate::hash::md5("1010-desk:acme.example.com:correct-horse");
    assert_eq!(device.ha1.md5, expected);
    assert_eq!(
        format!("{:?}", device.ha1),
        "Ha1(..)",
        "secrets stay out of logs"
    );
}

#[test]
fn the_head_of_a_document() {
    check_error("/account", json!("Acme Ltd"), "account", "a-z, 0-9");
    check_error("/account", json!("x".repeat(33)), "account", "1 to 32");
    check_error("/country", json!("Australia"), "country", "ISO 3166");
    check_error("/area_code", json!("two"), "area_code", "digits");
    check_error("/domain", json!("Acme.example"), "domain", "lower case");
    check_error(
        "/time_zone",
        json!("Australia/Sidney"),
        "time_zone",
        "`Australia/Sydney` may be meant",
    );
    check_error(
        "/limits",
        json!({"calls": 0}),
        "limits.calls",
        "leave it out",
    );
}

#[test]
fn people() {
    check_error(
        "/users/2/number",
        json!("10-12"),
        "users[2].number",
        "digits",
    );
    check_error(
        "/users/0/name",
        json!("Smith, John"),
        "users[0].name",
        "comma",
    );
    check_error("/users/0/name", json!(" "), "users[0].name", "empty");
    check_error(
        "/users/2/number",
        json!("1011"),
        "users[2].number",
        "users[1].number",
    );
    check_error(
        "/users/0/ring_seconds",
        json!(1),
        "users[0].ring_seconds",
        "3 to 600",
    );
    check_error(
        "/users/0/caller_id",
        json!("+61400000000"),
        "users[0].caller_id",
        "spoofing",
    );
    check_error(
        "/users/0/caller_id",
        json!("x"),
        "users[0].caller_id",
        "cannot be read",
    );
    check_error(
        "/users/0/email",
        json!("a@b.example, c@d.example"),
        "users[0].email",
        "one mail",
    );
    check_warning(
        "/users/1/name",
        json!("John Smith"),
        "users[1].name",
        "users[0].name",
    );
    check_warning(
        "/users/2/number",
        json!("112"),
        "users[2].number",
        "emergency",
    );
}

#[test]
fn what_may_be_dialled() {
    let paths = ["dialling.countries[1]", "dialling.blocked[1]"];
    let countries = json!({"countries": ["NZ", "Utopia"]});
    check_error("/dialling", countries, paths[0], "ISO 3166");
    for blocked in ["+61 190", "+", "", "abc"] {
        let blocked = json!({"blocked": ["+61190", blocked]});
        check_error("/dialling", blocked, paths[1], "beginning of a number");
    }
}

#[test]
fn devices() {
    let device = "/users/0/devices/0";
    let path = "users[0].devices[0]";
    let at = |key: &str| format!("{device}/{key}");
    let in_path = |key: &str| format!("{path}.{key}");
    check_error(
        &at("username"),
        json!("a b"),
        &in_path("username"),
        "part of an address",
    );
    check_error(&at("name"), json!(""), &in_path("name"), "empty");
    check_error(&at("password"), Value::Null, path, "neither");
    check_error(&at("ha1"), json!({"md5": "00"}), path, "both");
    check_warning(
        &at("password"),
        json!("short"),
        &in_path("password"),
        "guesses",
    );
    check_error(
        &at("username"),
        json!("1011-desk"),
        "users[1].devices[0].username",
        "users[0].devices[0].username",
    );
}

#[test]
fn a_stored_hash_is_for_one_domain() {
    let mut stored = example();
    stored.hash_passwords();
    assert!(stored.compile(AccountId(1), 1).is_ok());
    stored.domain = "other.example.com".to_owned();
    let problems = stored.compile(AccountId(1), 1).unwrap_err();
    let paths: Vec<&str> = problems
        .iter()
        .filter(|problem| problem.rule.contains("give the password again"))
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "users[0].devices[0].ha1",
            "users[0].devices[1].ha1",
            "users[1].devices[0].ha1"
        ]
    );
    let hash = json!({"md5": "zz", "sha256": "00"});
    check(
        &[(
            "/users/1/devices/0",
            json!({"name": "d", "username": "u", "ha1": hash}),
        )],
        Severity::Error,
        &[
            ("users[1].devices[0].ha1.md5", "32"),
            ("users[1].devices[0].ha1.sha256", "64"),
        ],
    );
}

#[test]
fn trunks() {
    check_error("/trunks/0/name", json!("a,b"), "trunks[0].name", "comma");
    check_error(
        "/trunks/1/name",
        json!("carrier"),
        "trunks[1].name",
        "trunks[0].name",
    );
    check_error("/trunks/0/host", json!(""), "trunks[0].host", "host name");
    check_error(
        "/trunks/0/host",
        json!("a b"),
        "trunks[0].host",
        "host name",
    );
    check_error(
        "/trunks/0/host",
        json!("sip.example:0"),
        "trunks[0].host",
        "port",
    );
    check_error(
        "/trunks/0/calls",
        json!(0),
        "trunks[0].calls",
        "leave it out",
    );
    let password = "/trunks/0/register/password";
    let hash = format!("sha256:{}", "0".repeat(64));
    check_error(
        password,
        json!(hash),
        "trunks[0].register.password",
        "with a hash",
    );
    check_error(password, json!(""), "trunks[0].register.password", "itself");
    let expires = "/trunks/0/register/expires_seconds";
    check_error(
        expires,
        json!(5),
        "trunks[0].register.expires_seconds",
        "60 to 86400",
    );
    check_error(
        "/trunks/1/inbound_from/-",
        json!("x"),
        "trunks[1].inbound_from[1]",
        "address",
    );
    check_warning(
        "/trunks/1/inbound_from",
        json!([]),
        "trunks[1]",
        "no call can come in",
    );
    let wide = "trunks[1].inbound_from[1]";
    check_warning(
        "/trunks/1/inbound_from/-",
        json!("10.0.0.0/8"),
        wide,
        "wider than /24",
    );
}

#[test]
fn a_customer_may_not_take_wide_networks() {
    let mut draft = example();
    draft.trunks[1]
        .inbound_from
        .push("2001:db8::/32".to_owned());
    let problems = draft
        .compile_as(Role::Customer, AccountId(1), 1)
        .unwrap_err();
    assert!(
        problems
            .iter()
            .any(|problem| problem.rule.contains("ask the operator"))
    );
    assert!(draft.compile(AccountId(1), 1).is_ok(), "the operator may");
}

#[test]
fn webhooks() {
    let at = |key: &str| format!("/webhooks/0/{key}");
    let path = |key: &str| format!("webhooks[0].{key}");
    for (url, part) in [
        ("crm.example.com", "https://"),
        ("ftp://crm.example.com", "https://"),
        ("https://", "no host"),
        ("https:///hooks", "no host"),
        ("https://user:pass@crm.example.com", "user name"),
        ("https://crm.example.com/a b", "encode"),
    ] {
        check_error(&at("url"), json!(url), &path("url"), part);
    }
    check_error(
        &at("secret_token"),
        json!(""),
        &path("secret_token"),
        "header",
    );
    check_error(
        &at("secret_token"),
        json!("a b"),
        &path("secret_token"),
        "header",
    );
    check_error(
        &at("timeout_seconds"),
        json!(601),
        &path("timeout_seconds"),
        "1 to 600",
    );
    check_warning(
        &at("triggers"),
        json!([]),
        &path("triggers"),
        "nothing is ever sent",
    );
    let second = json!({"name": "crm", "url": "https://b.example", "secret_token": "x",
                        "triggers": ["user_inbound"]});
    check_error(
        "/webhooks/-",
        second,
        "webhooks[1].name",
        "webhooks[0].name",
    );
}

#[test]
fn api_keys_and_addresses() {
    check_error(
        "/api/keys/0/key",
        json!("short"),
        "api.keys[0].key",
        "64 of the characters",
    );
    check_error(
        "/api/keys/0/key",
        json!("sha256:00"),
        "api.keys[0].key",
        "sha256:",
    );
    check_error(
        "/api/allowed_ips/-",
        json!("10.0.0.0/99"),
        "api.allowed_ips[2]",
        "prefix",
    );
    check_warning(
        "/api/allowed_ips",
        json!([]),
        "api.allowed_ips",
        "blocks every request",
    );
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    for pointer in [
        "/colour",
        "/users/0/colour",
        "/trunks/0/colour",
        "/api/colour",
    ] {
        let mut document = document();
        put(&mut document, pointer, json!("red"));
        let error = serde_json::from_value::<Draft>(document)
            .unwrap_err()
            .to_string();
        assert!(error.contains("`colour`"), "{error}");
    }
    let mut document = document();
    for (triggers, told) in [
        (json!("some"), "expected a list of triggers, or `all`"),
        (json!(["user_inbund"]), "unknown variant `user_inbund`"),
    ] {
        put(&mut document, "/webhooks/0/triggers", triggers);
        let error = serde_json::from_value::<Draft>(document.clone())
            .unwrap_err()
            .to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    check(
        &[
            ("/country", json!("XX")),
            ("/users/0/name", json!("a,b")),
            ("/trunks/0/calls", json!(0)),
            ("/webhooks/0/url", json!("x")),
        ],
        Severity::Error,
        &[
            ("country", "ISO"),
            ("trunks[0].calls", ""),
            ("users[0].name", ""),
            ("webhooks[0].url", ""),
        ],
    );
}

#[test]
fn random_drafts_compile() {
    let mut random = Random::new(1);
    for _ in 0..200 {
        random_draft(&mut random).compile(AccountId(1), 1).unwrap();
    }
}

#[test]
fn codes_are_the_accounts_own_choice() {
    for (codes, path, part) in [
        (json!({"pause": "47"}), "pause", "never an internal number"),
        (json!({"pause": "*45*45*"}), "pause", "up to 5 of the keys"),
        (json!({"puase": "*47"}), "puase", "`pause` may be meant"),
        (
            json!({"log_in": "*11", "log_out": "*11"}),
            "log_out",
            "cannot be told from",
        ),
        (
            json!({"forward_busy": "*5", "pause": "*51"}),
            "pause",
            "cannot be told from",
        ),
    ] {
        check_error(
            "/feature_codes",
            codes,
            &format!("feature_codes.{path}"),
            part,
        );
    }
    let usual = json!({"pause": "*45"});
    check_warning("/feature_codes", usual, "feature_codes", "has none now");
    for off in [json!("off"), json!(false)] {
        let mut document = document();
        let codes = json!({"pause": "*45", "log_in": off});
        put(&mut document, "/feature_codes", codes);
        let codes = compile(document).unwrap().codes;
        let named = |dialled| codes.dialled(dialled).map(|(code, _)| code.name);
        assert_eq!(named("*45"), Some("pause"));
        assert_eq!(named("*47"), None, "it has another code");
    }
}
