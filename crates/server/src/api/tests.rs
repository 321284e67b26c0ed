//! The contract's golden assertions and refusals, over the whole router and a real store.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use clock::Time;
use pbx::cdr::{UserCall, UserCallKind};
use pbx::draft::Draft;
use pbx::{AccountId, CallId};
use serde_json::{Value, json};
use store::{Batch, Reader, Writer};
use tower::ServiceExt;

use super::*;
use crate::directory::Directory;

mod queues;
mod stays;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const PATH: &str = "/api/integration/v2/get-user-calls";
const LISTED: &str = "203.0.113.7:40000";
/// 2019-10-01T00:00:00Z
const MIDNIGHT_MS: u64 = 1_569_888_000_000;
const DAY_MS: u64 = 86_400_000;

struct Server {
    router: Router,
    writer: Writer,
    inbox: crate::inbox::Inbox<Message>,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

fn draft(account: &str, key: &str, ips: &[&str]) -> Draft {
    serde_json::from_value(json!({
        "account": account, "country": "AU", "domain": format!("{account}.example"),
        "users": [{"number": "1010", "name": "John Smith"}, {"number": "1020", "name": "Jane"}],
        "api": {"keys": [{"name": "crm", "key": key}], "allowed_ips": ips},
    }))
    .unwrap()
}

fn server(http: &Http) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let writer = Writer::open(&path).unwrap();
    let plans = [
        draft("acme", KEY, &["203.0.113.7"]).compile(AccountId(1), 1),
        draft("other", OTHER_KEY, &[]).compile(AccountId(2), 1),
    ];
    let (drive, inbox) = crate::inbox::channel(1).unwrap();
    let parts = Parts {
        clock: Clock::start(),
        accounts: Live::new(Directory::new(plans.map(|plan| Arc::new(plan.unwrap())))),
        reader: Reader::open(&path, 2).unwrap(),
        readiness: Readiness::default(),
        metrics: Arc::default(),
        drive,
        recordings: folder.path().to_owned(),
    };
    Server {
        inbox,
        router: router(parts, http),
        writer,
        _folder: folder,
    }
}

fn lenient() -> Http {
    Http {
        requests_per_second: 10_000,
        requests_at_once: 10_000,
        ..Http::default()
    }
}

fn row(call: u64, user: &str, start_ms: u64) -> UserCall {
    UserCall {
        account: AccountId(1),
        call: CallId(call),
        kind: UserCallKind::UserInboundAnswered,
        caller_id: Some("61300000000".to_owned()),
        caller_name: None,
        dest_number: "61298765432".to_owned(),
        user_name: if user == "1010" { "John Smith" } else { "Jane" }.into(),
        user_number: user.into(),
        call_start_at: Time::from_millis(start_ms),
        connected_at: Some(Time::from_millis(start_ms + 5_000)),
        ended_at: Some(Time::from_millis(start_ms + 65_000)),
        call_duration_seconds: 65,
        conversation_duration_seconds: 60,
    }
}

impl Server {
    fn keep(&mut self, rows: Vec<UserCall>) {
        self.writer
            .commit(&Batch {
                rows,
                ..Batch::default()
            })
            .unwrap();
    }

    async fn ask(&self, request: Request<Body>, peer: &str) -> Answer {
        let mut request = request;
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    async fn get(&self, query: &str) -> Answer {
        self.get_from(PATH, query).await
    }

    async fn get_from(&self, path: &str, query: &str) -> Answer {
        let request = Request::get(format!("{path}?{query}")).header("token", KEY);
        self.ask(request.body(Body::empty()).unwrap(), LISTED).await
    }

    async fn post_to(&self, path: &str, content_type: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("token", KEY)
            .header("content-type", content_type)
            .body(Body::from(body.to_owned()));
        self.ask(request.unwrap(), LISTED).await
    }

    /// What the drive loop is asked next.
    async fn asked_of_drive(&self) -> Message {
        let mut messages = Vec::new();
        loop {
            self.inbox.drain(&mut messages);
            if let Some(message) = messages.pop() {
                return message;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn ids(&self, query: &str) -> Vec<u64> {
        let answer = self.get(query).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let rows = answer.body["data"].as_array().unwrap();
        rows.iter()
            .map(|row| row["unique_call_id"].as_str().unwrap().parse().unwrap())
            .collect()
    }
}

/// Each of the one with each of the other.
fn product<'a, A, B>(one: &'a [A], other: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    one.iter()
        .flat_map(move |a| other.iter().map(move |b| (a, b)))
}

mod calls;

/// Real ids have 16 digits; these start there and count up.
fn id(index: u64) -> u64 {
    1_569_888_000_010_000 + index
}

#[tokio::test]
async fn golden_assertions() {
    let mut server = server(&lenient());
    let mut missed = row(id(2), "1020", MIDNIGHT_MS + 1);
    missed.kind = UserCallKind::UserInboundMissed;
    (missed.connected_at, missed.conversation_duration_seconds) = (None, 0);
    missed.caller_id = None;
    server.keep(vec![row(id(1), "1010", MIDNIGHT_MS), missed]);
    let answer = server.get("").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-total-count"], "2");
    assert_eq!(answer.headers["content-type"], "application/json");
    insta::assert_json_snapshot!(answer.body);
}

#[tokio::test]
async fn every_route_refuses_wrong_keys_and_addresses() {
    let server = server(&lenient());
    let wrong = KEY.replace('F', "E");
    let cases = [
        (None, LISTED, "Not authorised"),
        (Some(""), LISTED, "Not authorised"),
        (Some(wrong.as_str()), LISTED, "Not authorised"),
        (
            Some(KEY),
            "203.0.113.8:1",
            "Your IP address is not in the white list",
        ),
        (
            Some(OTHER_KEY),
            LISTED,
            "Your IP address is not in the white list",
        ),
        (
            Some(OTHER_KEY),
            "127.0.0.1:1",
            "Your IP address is not in the white list",
        ),
    ];
    for ((method, path, _), (key, peer, message)) in product(&routes(), &cases) {
        let request = Request::builder().method(method);
        let mut request = request.uri(format!("{BASE}{path}?token={KEY}"));
        if let Some(key) = key {
            request = request.header("token", *key);
        }
        let answer = server.ask(request.body(Body::empty()).unwrap(), peer).await;
        let expect = json!({"status": "error", "message": message, "code": 401, "data": null});
        assert_eq!(
            (answer.status.as_u16(), answer.body),
            (401, expect),
            "{method} {path} {key:?} {peer}"
        );
    }
}

#[tokio::test]
async fn guessers_are_told_to_wait_and_nobody_else() {
    let server = server(&lenient());
    let ask = async |key: Option<&str>, peer: &str| {
        let mut request = Request::get(PATH);
        if let Some(key) = key {
            request = request.header("token", key);
        }
        let answer = server.ask(request.body(Body::empty()).unwrap(), peer).await;
        let wait = answer.headers.get("retry-after").cloned();
        assert_eq!(answer.body["code"], answer.status.as_u16());
        (answer.status.as_u16(), wait.is_some())
    };
    let wrong = KEY.replace('F', "E");
    for _ in 0..auth::GUESSES_AT_ONCE {
        assert_eq!(ask(Some(&wrong), LISTED).await, (401, false));
        assert_eq!(ask(Some(&wrong), "[2001:db8::1]:1").await, (401, false));
    }
    let cases = [
        (Some(wrong.as_str()), LISTED, (429, true)),
        (Some(&wrong), "203.0.113.7:50000", (429, true)),
        (None, LISTED, (429, true)),
        (Some(KEY), LISTED, (200, false)),
        (Some(&wrong), "203.0.113.8:1", (401, false)),
        (Some(&wrong), "[2001:db8::2]:1", (429, true)),
        (Some(&wrong), "[2001:db8:0:1::1]:1", (401, false)),
        // The right key from a place that is not listed is no guess.
        (Some(OTHER_KEY), LISTED, (401, false)),
    ];
    for (key, peer, expect) in cases {
        assert_eq!(ask(key, peer).await, expect, "{key:?} {peer}");
    }
}

#[tokio::test]
async fn a_bad_field_is_422_and_named() {
    let server = server(&lenient());
    for query in [
        "limit=0",
        "limit=10001",
        "offset=-1",
        "sort_by=x",
        "from_date=1",
        "to_date=x",
    ] {
        let answer = server.get(query).await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(answer.body["code"], 422);
        assert_eq!(answer.body["status"], "error");
        assert_eq!(answer.body["data"], Value::Null);
        let name = query.split('=').next().unwrap();
        assert!(
            answer.body["message"].as_str().unwrap().starts_with(name),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_in_the_envelope() {
    let server = server(&lenient());
    let cases = [
        ("GET", "/api/integration/v2/get-nothing", 404),
        ("GET", "/", 404),
        ("POST", PATH, 405),
        ("DELETE", PATH, 405),
        ("POST", "/healthz", 405),
    ];
    for (method, path, status) in cases {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("token", KEY);
        let answer = server
            .ask(request.body(Body::empty()).unwrap(), LISTED)
            .await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.body["code"], status, "{method} {path}");
        assert_eq!(answer.body["status"], "error");
    }
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back() {
    let server = server(&Http {
        requests_per_second: 1,
        requests_at_once: 2,
        ..Http::default()
    });
    assert_eq!(server.get("").await.status, 200);
    assert_eq!(server.get("").await.status, 200);
    let answer = server.get("").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (429, &json!(429))
    );
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn offset_50_and_limit_30_are_calls_51_to_80_in_both_orders() {
    let mut server = server(&lenient());
    server.keep(
        (0..100)
            .map(|index| row(id(index), "1010", MIDNIGHT_MS + index * 1000))
            .collect(),
    );
    let newest: Vec<u64> = (20..50).rev().map(id).collect();
    assert_eq!(server.ids("offset=50&limit=30").await, newest);
    let oldest: Vec<u64> = (50..80).map(id).collect();
    assert_eq!(
        server.ids("offset=50&limit=30&sort_by=oldest_first").await,
        oldest
    );
    assert_eq!(server.ids("offset=100").await, Vec::<u64>::new());
}

#[tokio::test]
async fn both_days_of_a_range_are_whole() {
    let mut server = server(&lenient());
    let starts = [
        MIDNIGHT_MS - 1,
        MIDNIGHT_MS,
        MIDNIGHT_MS + DAY_MS - 1,
        MIDNIGHT_MS + DAY_MS,
        MIDNIGHT_MS + 2 * DAY_MS - 1,
        MIDNIGHT_MS + 2 * DAY_MS,
    ];
    let rows = starts
        .iter()
        .zip(0..)
        .map(|(start, index)| row(id(index), "1010", *start));
    server.keep(rows.collect());
    let cases: [(&str, &[u64]); 6] = [
        ("from_date=2019-10-01&to_date=2019-10-02", &[1, 2, 3, 4]),
        ("from_date=2019-10-01&to_date=2019-10-01", &[1, 2]),
        ("from_date=2019-10-02", &[3, 4, 5]),
        ("to_date=2019-09-30", &[0]),
        ("from_date=2019-10-02&to_date=2019-10-01", &[]),
        (
            "from_date=2019-10-01T23:59:59.999Z&to_date=2019-10-02T00:00:00Z",
            &[2, 3],
        ),
    ];
    for (query, expect) in cases {
        let expect: Vec<u64> = expect.iter().copied().map(id).collect();
        assert_eq!(
            server.ids(&format!("sort_by=oldest_first&{query}")).await,
            expect,
            "{query}"
        );
    }
}

#[tokio::test]
async fn filters_by_user_and_call() {
    let mut server = server(&lenient());
    let first = row(id(1), "1010", MIDNIGHT_MS);
    server.keep(vec![
        first,
        row(id(2), "1020", MIDNIGHT_MS + 1),
        row(id(2), "1010", MIDNIGHT_MS + 2),
    ]);
    let one = format!("unique_call_id={}", id(2));
    let cases: [(&str, &[u64]); 7] = [
        ("users_numbers=1020", &[2]),
        ("users_names=John%20Smith", &[2, 1]),
        ("user[]=1010&user[]=1020", &[2, 2, 1]),
        ("users=9999", &[]),
        ("users=9999,1020", &[2]),
        (&one, &[2, 2]),
        ("unique_call_id=nonsense", &[]),
    ];
    for (query, expect) in cases {
        let expect: Vec<u64> = expect.iter().copied().map(id).collect();
        assert_eq!(server.ids(query).await, expect, "{query}");
    }
}

#[tokio::test]
async fn the_next_links_give_each_row_once() {
    let mut server = server(&lenient());
    server.keep(
        (0..25)
            .map(|index| row(id(index), "1010", MIDNIGHT_MS + index / 3))
            .collect(),
    );
    for sort in ["newest_first", "oldest_first"] {
        let mut seen = Vec::new();
        let mut query = format!("limit=10&sort_by={sort}&users=1010");
        for _ in 0..5 {
            let answer = server.get(&query).await;
            assert_eq!(answer.headers["x-total-count"], "25");
            seen.extend(server.ids(&query).await);
            let Some(link) = answer.headers.get("link") else {
                break;
            };
            let link = link.to_str().unwrap();
            let (url, rest) = link[1..].split_once('>').unwrap();
            assert_eq!(rest, "; rel=\"next\"");
            query = url.strip_prefix(&format!("{PATH}?")).unwrap().to_owned();
        }
        let mut expect: Vec<u64> = (0..25).map(id).collect();
        if sort == "newest_first" {
            expect.reverse();
        }
        assert_eq!(seen, expect, "{sort}");
    }
}

#[tokio::test]
async fn health_readiness_and_metrics_need_no_key() {
    let server = server(&lenient());
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(
            server.ask(request, "127.0.0.1:1").await.status,
            status,
            "{path}"
        );
    }
}
