//! Objects, their settings and their exits.

use super::*;

#[test]
fn objects_and_exits() {
    let object = |key: &str| format!("/flows/0/objects/1/{key}");
    let path = "flows[0].objects[1]";
    let in_path = |key: &str| format!("{path}.{key}");
    check_error(
        &object("kind"),
        json!("usr"),
        &in_path("kind"),
        "`user` may be meant",
    );
    check_error(
        &object("exits/bsy"),
        json!("bye"),
        &in_path("exits.bsy"),
        "no exit of user",
    );
    check_error(
        &object("exits/busy"),
        json!("by"),
        &in_path("exits.busy"),
        "`bye` may be meant",
    );
    check_error(
        "/flows/0/objects/3/exits",
        json!({"next": "in"}),
        "flows[0].objects[3].exits.next",
        "which has none",
    );
    check(
        &[(&object("id"), json!("bye"))],
        Severity::Error,
        &[
            ("flows[0].objects[0].exits.next", "leads to `john`"),
            ("flows[0].objects[3].id", &in_path("id")),
        ],
    );
    check_error(
        "/flows/-",
        json!({"id": "main"}),
        "flows[1].id",
        "must be unique",
    );
}

#[test]
fn settings_are_checked_by_the_kinds_own_fields() {
    let settings = |key: &str| format!("/flows/0/objects/1/settings/{key}");
    let path = |key: &str| format!("flows[0].objects[1].settings.{key}");
    let seconds = path("ring_seconds");
    check_error(
        &settings("ring_seconds"),
        json!(1),
        &seconds,
        "from 3 to 600",
    );
    check_error(
        &settings("ring_seconds"),
        json!("25"),
        &seconds,
        "whole number",
    );
    check_error(
        &settings("ring_second"),
        json!(25),
        &path("ring_second"),
        "`ring_seconds`",
    );
    check_error(
        &settings("user"),
        json!("101"),
        &path("user"),
        "`1010` may be meant",
    );
    check_error(&settings("user"), json!(1010), &path("user"), "in quotes");
    check_error(
        "/flows/0/objects/1/settings",
        json!({}),
        &path("user"),
        "is missing",
    );
    let cause = "flows[0].objects[3].settings.cause";
    check_error(
        "/flows/0/objects/3/settings",
        json!({"cause": "rude"}),
        cause,
        "one of: normal",
    );
}

#[test]
fn numbers_begin_in_one_place() {
    let numbers = "/flows/0/objects/0/settings/numbers";
    let path = "flows[0].objects[0].settings.numbers";
    let twice = json!(["+61298765432", "(02) 9876 5432"]);
    check_error(
        numbers,
        twice,
        &format!("{path}[1]"),
        "flows[0].objects[0].settings.numbers[0]",
    );
    let bad = json!(["+61298765432", "front desk"]);
    check_error(numbers, bad, &format!("{path}[1]"), "country code");
    check(
        &[(numbers, json!([])), ("/users/0/caller_id", Value::Null)],
        Severity::Warning,
        &[
            (path, "add a number"),
            ("flows[0].objects[2].exits", "where the call ends"),
            ("users[2].devices", "add a device"),
        ],
    );
}

#[test]
fn internal_numbers_are_one_objects_or_users() {
    let objects = |numbers: Value| {
        json!({"id": "inside", "objects": [{"id": "in", "kind": "internal_number",
            "settings": {"numbers": numbers}}]})
    };
    let path = "flows[1].objects[0].settings.numbers";
    let check = |numbers: Value, place: &str, rule: &str| {
        check_error(
            "/flows/-",
            objects(numbers),
            &format!("{path}{place}"),
            rule,
        );
    };
    check(json!(["800", "1010"]), "[1]", "John Smith");
    check(json!(["800", "800"]), "[1]", "used at");
    check(json!(["*80"]), "", "internal numbers in quotes");
    check(json!([]), "", "internal numbers in quotes");
}

#[test]
fn what_cannot_be_reached_is_told() {
    check(
        &[("/flows/0/objects/0/exits", json!({"next": "bye"}))],
        Severity::Warning,
        &[
            ("flows[0].objects[1]", "cannot be reached"),
            ("flows[0].objects[2]", "cannot be reached"),
            ("flows[0].objects[2].exits", "where the call ends"),
            ("users[2].devices", ""),
        ],
    );
}

#[test]
fn a_circle_that_never_waits_is_an_error_and_one_that_waits_is_not() {
    let exits = "/flows/0/objects/2/exits";
    let circle = json!({"no_answer": "john", "busy": "mary"});
    check_error(exits, circle, "flows[0].objects[2]", "without ever waiting");
    let waits = json!({"no_answer": "john"});
    check(&[(exits, waits)], Severity::Error, &[]);
}

#[test]
fn what_an_object_calls_is_an_address_with_a_token() {
    let check = |settings: Value, key: &str, part: &str| {
        let object = json!({"id": "told", "kind": "webhook", "settings": settings});
        let path = format!("flows[0].objects[4].settings.{key}");
        check_error("/flows/0/objects/-", object, &path, part);
    };
    let url = "https://crm.example.com/";
    check(json!({"secret_token": "x"}), "url", "is missing");
    check(json!({"url": url}), "secret_token", "is missing");
    check(
        json!({"url": "ftp://crm.example.com/", "secret_token": "x"}),
        "url",
        "must begin with https://",
    );
    check(
        json!({"url": "https://me@crm.example.com/", "secret_token": "x"}),
        "url",
        "user name",
    );
    check(
        json!({"url": url, "secret_token": "a b"}),
        "secret_token",
        "visible ASCII",
    );
    check(
        json!({"url": url, "secret_token": "x", "headers": {"Host": "a"}}),
        "headers",
        "`Host` is a header that is made by the server",
    );
    check(
        json!({"url": url, "secret_token": "x", "headers": ["Host"]}),
        "headers",
        "must be headers",
    );
}

#[test]
fn time_groups_name_exits_and_times() {
    let when = |settings: Value, exits: Value| json!({"id": "when", "kind": "time_conditions", "settings": settings, "exits": exits});
    let path = "flows[0].objects[4]";
    let check = |settings: Value, exits: Value, key: &str, part: &str| {
        let path = [path, key].join(if key.is_empty() { "" } else { "." });
        check_error("/flows/0/objects/-", when(settings, exits), &path, part);
    };
    let group = |group: Value| json!({"groups": [group]});
    let open = json!({"exit": "open", "hours": ["09:00-17:00"]});
    check(json!({}), json!({}), "settings.groups", "is missing");
    check(
        json!({"groups": []}),
        json!({}),
        "settings.groups",
        "list of groups",
    );
    check(
        group(json!({"hours": ["09:00-17:00"]})),
        json!({}),
        "settings.groups",
        "group 1 has none",
    );
    check(
        group(json!({"exit": "Open now", "hours": ["09:00-17:00"]})),
        json!({}),
        "settings.groups",
        "characters a-z",
    );
    check(
        group(json!({"exit": "open"})),
        json!({}),
        "settings.groups[0]",
        "names no hours",
    );
    check(
        group(json!({"exit": "open", "hour": ["09:00-17:00"]})),
        json!({}),
        "settings",
        "unknown field `hour`",
    );
    check(
        group(json!({"exit": "open", "hours": ["09:00-17:00", "9-5"]})),
        json!({}),
        "settings.groups[0].hours[1]",
        "`9-5` cannot be read",
    );
    check(
        group(json!({"exit": "no_match", "days": [1]})),
        json!({}),
        "settings.groups[0].exit",
        "name another exit",
    );
    check(
        json!({"groups": [open], "override": "closed"}),
        json!({}),
        "settings.override",
        "neither a group's exit",
    );
    check(
        group(open.clone()),
        json!({"opn": "bye"}),
        "exits.opn",
        "which has: no_match, open",
    );
    check(
        group(open),
        json!({"open": "when"}),
        "",
        "without ever waiting",
    );
}

#[test]
fn an_object_shows_no_foreign_number() {
    let object = json!({"id": "out", "kind": "external_number",
        "settings": {"number": "+61412345678", "caller_number": "+61298760000"}});
    let path = "flows[0].objects[4].settings.caller_number";
    check_error("/flows/0/objects/-", object, path, "spoofing");
}

#[test]
fn what_is_shown_of_a_caller_is_words_and_digits() {
    let check = |settings: Value, key: &str, part: &str| {
        let object = json!({"id": "shown", "kind": "set_caller_id", "settings": settings});
        let path =
            ["flows[0].objects[4].settings", key].join(if key.is_empty() { "" } else { "." });
        check_error("/flows/0/objects/-", object, &path, part);
    };
    check(json!({"name": "a\nb"}), "name", "control characters");
    check(
        json!({"name_prefix": "x".repeat(33)}),
        "name_prefix",
        "1 to 32",
    );
    check(
        json!({"number_prefix": "+0"}),
        "number_prefix",
        "1 to 8 digits",
    );
    check(json!({"number": "desk"}), "number", "country code");
    check(
        json!({"rules": [{"name": "x"}]}),
        "rules",
        "rule 1 without `begins_with`",
    );
    check(
        json!({"rules": [{"begins_with": "+6a"}]}),
        "rules",
        "rule 1 without",
    );
    check(
        json!({"rules": [{"begins_with": "+61", "name": "\u{7}"}]}),
        "rules",
        "rule 1 whose `name` must be",
    );
    check(
        json!({"rules": [{"begins_with": "+61", "number": "desk"}]}),
        "rules[0].number",
        "country code",
    );
    check(
        json!({"rules": [{"begins_with": "+61", "nam": "x"}]}),
        "",
        "unknown field `nam`",
    );
}

#[test]
fn an_exit_that_leads_nowhere_is_told_but_not_a_key() {
    let object = "/flows/0/objects/2";
    let all = json!({"no_answer": "bye", "busy": "bye", "unavailable": "bye"});
    let users = ("users[2].devices", "");
    let exits = format!("{object}/exits");
    check(&[(&exits, all)], Severity::Warning, &[users]);
    let menu = json!({"id": "mary", "kind": "ivr", "settings": {"prompt": "please-wait"},
        "exits": {"key_1": "bye", "no_input": "bye"}});
    let dead = (
        "flows[0].objects[2].exits",
        "has nothing for `invalid`, where",
    );
    check(&[(object, menu)], Severity::Warning, &[dead, users]);
    let when = json!({"id": "mary", "kind": "time_conditions",
        "settings": {"groups": [{"exit": "open", "days": [1]}]}});
    let dead = (
        "flows[0].objects[2].exits",
        "has nothing for `no_match`, `open`, where",
    );
    check(&[(object, when)], Severity::Warning, &[dead, users]);
}

#[test]
fn a_sound_is_one_of_ours_or_of_the_accounts_own() {
    let objects = |sound: &str| {
        json!([{"id": "in", "kind": "inbound_number",
                "settings": {"numbers": ["+61298765432"]}, "exits": {"next": "words"}},
               {"id": "words", "kind": "play_audio", "settings": {"sound": sound}}])
    };
    let path = "flows[0].objects[1].settings.sound";
    for wrong in [
        "file:",
        "file:../x",
        "file:Welcome",
        "vm-welcome",
        "welcome",
    ] {
        let expect = "characters a-z, 0-9";
        check_error("/flows/0/objects", objects(wrong), path, expect);
    }
    check_error("/music", json!("welcome"), "music", "must be file:");
    let mut document = serde_json::to_value(example()).unwrap();
    document["music"] = json!("file:waiting");
    document["flows"][0]["objects"] = objects("file:welcome");
    let draft: Draft = serde_json::from_value(document).unwrap();
    let plan = draft.compile(AccountId(1), 1).unwrap();
    let played = |(path, name): &(String, std::sync::Arc<str>)| (path.clone(), name.to_string());
    let played: Vec<_> = plan.sounds.iter().map(played).collect();
    let expect = [(path, "welcome"), ("music", "waiting")];
    assert_eq!(
        played,
        expect.map(|(path, name)| (path.to_owned(), name.to_owned()))
    );
}
