//! `get-user-calls` as its clients use it (contract §1), over calls that were really made.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::account::{JOHNS_NUMBER, KEY};
use crate::common::contract::{check_error, text};
use crate::common::http::{self, Request};
use crate::common::instant;
use crate::common::stage::Stage;

const PATH: &str = "/api/integration/v2/get-user-calls";

/// Every route that wants a key.
const ROUTES: [(&str, &str); 6] = [
    ("GET", PATH),
    ("GET", "/api/integration/v2/get-queue-calls"),
    ("GET", "/api/integration/v2/get-ringgroup-calls"),
    ("GET", "/api/integration/v2/get-queues"),
    ("POST", "/api/integration/v2/call-to-number"),
    ("POST", "/api/integration/v2/set-agent-presence"),
];

/// Makes so many answered calls to John.
fn make_calls(stage: &Stage, count: u32) {
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").calls(count, 50).pause_ms(20).start();
    let call = stage.carrier_plays("carrier-calls", "61400000001", JOHNS_NUMBER);
    call.calls(count, 40).pause_ms(50).start().finish_counted();
    called.finish_counted();
    stage.rows(usize::try_from(count).expect("few"));
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| text(row, "unique_call_id")).collect()
}

#[test]
fn without_the_right_key_every_route_is_refused() {
    let stage = Stage::new();
    let address = stage.server.listening().http;
    let wrong = KEY.replace('0', "1");
    for (method, target) in ROUTES {
        for headers in [&[][..], &[("token", "")], &[("token", wrong.as_str())]] {
            let request = Request {
                method,
                target,
                headers,
                body: "",
            };
            let answer = request.send(address);
            assert_eq!(answer.status, 401, "{target} {headers:?}");
            check_error(&answer.json(), 401);
            assert_eq!(answer.json()["message"], "Not authorised");
        }
    }
    // A key in the query is no key.
    let answer = http::get(address, &format!("{PATH}?token={KEY}"), &[]);
    assert_eq!(answer.status, 401);
}

#[test]
fn an_address_that_is_not_listed_is_refused_and_an_empty_list_blocks_all() {
    for allowed in ["[\"192.0.2.1\"]", "[]"] {
        let stage = Stage::with(&[], |account| account.allowed_ips = allowed);
        let answer = stage.server.get(PATH);
        assert_eq!(answer.status, 401, "{allowed}");
        check_error(&answer.json(), 401);
        assert_eq!(
            answer.json()["message"],
            "Your IP address is not in the white list"
        );
    }
}

#[test]
fn a_forwarded_address_is_believed_from_a_trusted_proxy_only() {
    let allowed = "[\"192.0.2.7\"]";
    let headers = [("token", KEY), ("X-Forwarded-For", "192.0.2.7")];
    let stage = Stage::with(&[], |account| account.allowed_ips = allowed);
    assert_eq!(
        http::get(stage.server.listening().http, PATH, &headers).status,
        401
    );
    let trusted = [("SWITCHHOOK_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]")];
    let stage = Stage::with(&trusted, |account| account.allowed_ips = allowed);
    assert_eq!(
        http::get(stage.server.listening().http, PATH, &headers).status,
        200
    );
}

#[test]
fn what_is_wrong_is_named() {
    let stage = Stage::new();
    let wrong = [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=ten", "limit"),
        ("offset=-1", "offset"),
        ("from_date=2026-13-01", "from_date"),
        ("to_date=yesterday", "to_date"),
        ("sort_by=random", "sort_by"),
    ];
    for (query, named) in wrong {
        let answer = stage.server.get(&format!("{PATH}?{query}"));
        assert_eq!(answer.status, 422, "{query}: {}", answer.body);
        let body = answer.json();
        check_error(&body, 422);
        assert!(text(&body, "message").contains(named), "{query}: {body}");
    }
    let unknown = stage.server.get("/api/integration/v2/get-nothing");
    assert_eq!(unknown.status, 404);
    check_error(&unknown.json(), 404);
    let request = Request {
        method: "POST",
        target: PATH,
        headers: &[("token", KEY)],
        body: "",
    };
    let post = request.send(stage.server.listening().http);
    assert_eq!(post.status, 405);
    check_error(&post.json(), 405);
}

#[test]
fn a_page_is_exactly_the_calls_that_its_offset_and_limit_name() {
    let stage = Stage::new();
    make_calls(&stage, 100);
    for order in ["newest_first", "oldest_first"] {
        let all = stage.server.user_calls(&format!("sort_by={order}"));
        assert_eq!(all.len(), 100, "the default limit is 100");
        let page = stage
            .server
            .user_calls(&format!("sort_by={order}&offset=50&limit=30"));
        assert_eq!(ids(&page), ids(&all[50..80]), "{order}");
    }
    let newest = stage.server.user_calls("");
    let mut oldest = stage.server.user_calls("sort_by=oldest_first");
    oldest.reverse();
    assert_eq!(ids(&newest), ids(&oldest), "newest first is the default");
    let paged: Vec<Value> = (0..100)
        .step_by(7)
        .flat_map(|offset| stage.server.user_calls(&format!("offset={offset}&limit=7")))
        .collect();
    assert_eq!(ids(&paged), ids(&newest), "each row once over all pages");
    assert_eq!(ids(&paged).iter().collect::<BTreeSet<_>>().len(), 100);
    assert!(stage.server.user_calls("offset=100").is_empty());
}

#[test]
fn filters_select_what_they_name_and_nothing_else() {
    let stage = Stage::new();
    make_calls(&stage, 3);
    let all = stage.server.user_calls("");
    let count = |query: &str| stage.server.user_calls(query).len();
    for alias in [
        "users_numbers",
        "users_names",
        "user_numbers",
        "user_number",
        "users",
        "user",
    ] {
        assert_eq!(count(&format!("{alias}=1010")), 3, "{alias}");
        assert_eq!(count(&format!("{alias}=1020")), 0, "{alias}");
        assert_eq!(count(&format!("{alias}=1010,1020")), 3, "{alias}");
        assert_eq!(count(&format!("{alias}=")), 3, "an empty value is none");
    }
    assert_eq!(
        count("users_numbers%5B%5D=1010&users_numbers%5B%5D=1020"),
        3
    );
    assert_eq!(count("users_numbers=1020&users_numbers=1010"), 3);
    assert_eq!(count("users_names=John%20Smith"), 3);
    assert_eq!(
        count("users_numbers=9999"),
        0,
        "an unknown user has no calls"
    );
    let id = text(&all[1], "unique_call_id");
    assert_eq!(
        ids(&stage.server.user_calls(&format!("unique_call_id={id}"))),
        [id]
    );
    assert_eq!(count("unique_call_id=1000000000000000"), 0);
    assert_eq!(
        count("something_else=1"),
        3,
        "unknown parameters are ignored"
    );
}

#[test]
fn days_are_whole_utc_days_and_either_may_stand_alone() {
    let stage = Stage::new();
    make_calls(&stage, 2);
    let rows = stage.server.user_calls("");
    let at = |row: &Value| crate::common::contract::instant_ms(row, "call_start_at");
    let first = instant::day(at(rows.last().expect("there are two")));
    let last = instant::day(at(&rows[0]));
    let yesterday = instant::day(at(&rows[1]) - 86_400_000);
    let tomorrow = instant::day(at(&rows[0]) + 86_400_000);
    let count = |query: String| stage.server.user_calls(&query).len();
    assert_eq!(count(format!("from_date={first}&to_date={last}")), 2);
    assert_eq!(count(format!("from_date={first}")), 2);
    assert_eq!(count(format!("to_date={last}")), 2);
    assert_eq!(count(format!("from_date={tomorrow}")), 0);
    assert_eq!(count(format!("to_date={yesterday}")), 0);
}

#[test]
fn a_page_says_how_many_there_are_and_where_the_next_one_is() {
    let stage = Stage::new();
    make_calls(&stage, 5);
    let answer = stage.server.get(&format!("{PATH}?limit=2"));
    assert_eq!(answer.header("X-Total-Count"), Some("5"));
    let link = answer.header("Link").expect("there is a next page");
    assert!(link.contains("rel=\"next\""), "{link}");
}

#[test]
fn a_call_in_progress_is_not_listed() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let called = phone.play("answers").pause_ms(50).start();
    let call = stage
        .carrier_plays("carrier-calls", "61400000001", JOHNS_NUMBER)
        .pause_ms(1_500);
    let calling = call.start();
    stage
        .receiver
        .wait_for("/crm", 2, crate::common::stage::SOON);
    assert!(stage.server.user_calls("").is_empty());
    calling.finish();
    called.finish();
    stage.rows(1);
}
