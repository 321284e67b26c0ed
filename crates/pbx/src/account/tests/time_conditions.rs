//! Time conditions: the wall clock of the account's people says where a call goes.

use clock::Time;
use serde_json::{Value, json};

use super::*;

/// Calls to the main line at instants of universal time, and the exits they leave by: `john` when
/// it is open, `mary` on a holiday, else nobody.
#[track_caller]
fn check(zone: &str, settings: &Value, table: &[(&str, &str)]) {
    let groups = settings["groups"].as_array().unwrap().iter();
    let exits: BTreeMap<&str, &str> = groups
        .map(|group| match group["exit"].as_str().unwrap() {
            "open" => ("open", "john"),
            exit => (exit, "mary"),
        })
        .chain([("no_match", "closed")])
        .collect();
    let mut desk = Desk::with(|draft| {
        zone.clone_into(&mut draft.time_zone);
        let objects = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "when"}},
            {"id": "when", "kind": "time_conditions", "settings": settings,
             "exits": exits},
            {"id": "john", "kind": "user", "settings": {"user": "1010"}},
            {"id": "mary", "kind": "user", "settings": {"user": "1011"}},
            {"id": "closed", "kind": "hangup", "settings": {"cause": "declined"}}
        ]);
        draft.flows[0].objects = serde_json::from_value(objects).unwrap();
    });
    for (at, expected) in table {
        let instant: jiff::Timestamp = at.parse().unwrap();
        desk.now = Time::from_micros(u64::try_from(instant.as_microsecond()).unwrap());
        desk.laws = Laws::new();
        desk.comes_in(NUMBER);
        desk.ladder.remove(0);
        let first = desk.ladder.first().map(String::as_str);
        let went = match first {
            Some("[1010 rings]") => "open",
            Some("[1011 rings]") => "holiday",
            Some("hang up caller: declined") => "no_match",
            other => panic!("{other:?}"),
        };
        assert_eq!(went, *expected, "{at}");
        desk.hangs_up("caller", HangupCause::GaveUp);
        desk.ladder.clear();
    }
}

fn office_hours() -> Value {
    json!({"groups": [
        {"exit": "holiday", "dates": ["12-25", "2026-11-25"]},
        {"exit": "open", "hours": ["09:00-17:00"], "weekdays": ["mon-fri"]}]})
}

#[test]
fn the_first_group_that_holds_says_where() {
    // Sydney is ten hours ahead, eleven in summer: from 4 October 2026 on.
    check(
        "Australia/Sydney",
        &office_hours(),
        &[
            ("2026-10-01T22:59:59Z", "no_match"),
            ("2026-10-01T23:00:00Z", "open"),
            ("2026-10-02T06:59:59Z", "open"),
            ("2026-10-02T07:00:00Z", "no_match"),
            ("2026-10-04T21:59:59Z", "no_match"),
            ("2026-10-04T22:00:00Z", "open"),
            ("2026-11-24T12:59:59Z", "no_match"),
            ("2026-11-24T13:00:00Z", "holiday"),
            ("2026-11-25T05:00:00Z", "holiday"),
            ("2026-11-25T13:00:00Z", "no_match"),
            ("2026-12-24T22:00:00Z", "holiday"),
        ],
    );
}

#[test]
fn an_hour_that_the_clock_leaves_out_never_comes_and_one_it_repeats_comes_twice() {
    let night = json!({"groups": [{"exit": "open", "hours": ["02:00-03:00"]}]});
    check(
        "Australia/Sydney",
        &night,
        &[
            ("2026-04-04T14:59:59Z", "no_match"),
            ("2026-04-04T15:00:00Z", "open"),
            ("2026-04-04T15:59:59Z", "open"),
            ("2026-04-04T16:00:00Z", "open"),
            ("2026-04-04T16:59:59Z", "open"),
            ("2026-04-04T17:00:00Z", "no_match"),
            ("2026-10-03T15:59:59Z", "no_match"),
            ("2026-10-03T16:00:00Z", "no_match"),
        ],
    );
    check(
        "America/New_York",
        &night,
        &[
            ("2026-03-08T06:59:59Z", "no_match"),
            ("2026-03-08T07:00:00Z", "no_match"),
            ("2026-11-01T06:59:59Z", "no_match"),
            ("2026-11-01T07:00:00Z", "open"),
            ("2026-11-01T08:00:00Z", "no_match"),
        ],
    );
    check("UTC", &office_hours(), &[("2026-11-24T09:00:00Z", "open")]);
}

#[test]
fn an_override_is_taken_whatever_the_time_is() {
    for exit in ["open", "holiday", "no_match"] {
        let mut settings = office_hours();
        settings["override"] = json!(exit);
        check(
            "Australia/Sydney",
            &settings,
            &[
                ("2026-10-01T23:00:00Z", exit),
                ("2026-10-01T12:00:00Z", exit),
            ],
        );
    }
}

#[test]
fn a_switch_goes_before_the_clock_until_it_is_left_to_it() {
    let mut settings = office_hours();
    settings["switch"] = json!("7");
    settings["override"] = json!("open");
    let mut desk = Desk::with(|draft| {
        let objects = json!([
            {"id": "in", "kind": "inbound_number", "settings": {"numbers": ["+61298765432"]},
             "exits": {"next": "when"}},
            {"id": "when", "kind": "time_conditions", "settings": settings,
             "exits": {"open": "john", "holiday": "mary", "no_match": "closed"}},
            {"id": "john", "kind": "user", "settings": {"user": "1010"}},
            {"id": "mary", "kind": "user", "settings": {"user": "1011"}},
            {"id": "closed", "kind": "hangup", "settings": {"cause": "declined"}}
        ]);
        draft.flows[0].objects = serde_json::from_value(objects).unwrap();
    });
    for (code, words, went) in [
        ("*268", "error-not-in-service", "[1010 rings]"),
        ("*267", "feature-day-on", "[1011 rings]"),
        ("*277", "feature-night-on", "hang up caller: declined"),
        ("*287", "feature-time-by-clock", "[1010 rings]"),
    ] {
        desk.ladder.clear();
        desk.dials("1011-desk", code);
        let said = desk.ladder.iter().any(|line| line.contains(words));
        assert!(said, "{code}: {:?}", desk.ladder);
        desk.has_heard_it();
        desk.ladder.clear();
        desk.comes_in(NUMBER);
        assert_eq!(desk.ladder[1], went, "{code}");
        desk.hangs_up("caller", HangupCause::GaveUp);
    }
    desk.is_over();
}
