//! Delivery over real connections to receivers with habits, with a real store behind.

mod tls;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::{Request as AxumRequest, State};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt as _;
use serde_json::{Value, json};
use store::{DeliveryQuery, DeliveryState, Reader, Writer};

use super::*;
use crate::hooks::client::RetryAfter;
use crate::hooks::sign;
use crate::ledger;
use crate::ledger::tests::{ACCOUNT, call_events, directory};
use crate::ready::Readiness;

/// What a receiver does with a request.
#[derive(Clone, Copy)]
enum Habit {
    Takes,
    Answers(u16),
    /// Never answers.
    Hangs,
    /// Wants to be tried again later.
    Busy {
        retry_after: &'static str,
    },
    /// Fails so often, then takes.
    FailsFirst(usize),
    /// Sends a redirect to itself.
    Redirects,
    /// Takes, and sends a long answer.
    Chatters,
}

/// A receiver on a port of its own.
struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    connections: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Got {
    headers: BTreeMap<String, String>,
    path: String,
    body: Vec<u8>,
    at: Instant,
}

impl Receiver {
    async fn start(habit: Habit) -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        Self::serve(listener, habit)
    }

    fn serve(listener: impl axum::serve::Listener<Addr = SocketAddr>, habit: Habit) -> Self {
        let address = listener.local_addr().unwrap();
        let got = Arc::<Mutex<Vec<Got>>>::default();
        let router = Router::new()
            .fallback(receive)
            .with_state((habit, Arc::clone(&got)));
        let connections = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&connections);
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        tokio::spawn(async move { axum::serve(listener, router).await.ok() });
        Self {
            address,
            got,
            connections,
        }
    }

    fn webhook(&self, name: &str) -> Value {
        json!({
            "name": name, "url": format!("http://{}/hooks?x=1", self.address),
            "secret_token": "5up3r", "triggers": "all",
        })
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<Got> {
        eventually(|| self.got().len() >= count).await;
        self.got()
    }
}

type Receiving = (Habit, Arc<Mutex<Vec<Got>>>);

async fn receive(State((habit, got)): State<Receiving>, request: AxumRequest) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let headers = parts.headers.iter().map(header).collect();
    let path = parts.uri.to_string();
    let count = {
        let mut got = got.lock().unwrap();
        got.push(Got {
            headers,
            path,
            body: body.to_vec(),
            at: Instant::now(),
        });
        got.len()
    };
    match habit {
        Habit::Takes => StatusCode::OK.into_response(),
        Habit::Answers(code) => StatusCode::from_u16(code).unwrap().into_response(),
        Habit::Hangs => std::future::pending().await,
        Habit::Busy { retry_after } => {
            let header = [("retry-after", retry_after)];
            (StatusCode::SERVICE_UNAVAILABLE, header).into_response()
        }
        Habit::FailsFirst(times) if count <= times => StatusCode::BAD_GATEWAY.into_response(),
        Habit::FailsFirst(_) => StatusCode::NO_CONTENT.into_response(),
        Habit::Redirects => (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
        Habit::Chatters => "x".repeat(1 << 20).into_response(),
    }
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Ledger and delivery over a folder.
struct Server {
    ledger: Ledger,
    thread: JoinHandle<()>,
    task: tokio::task::JoinHandle<()>,
    stop: watch::Sender<()>,
    reader: Reader,
    metrics: Arc<Metrics>,
}

fn hooks() -> Hooks {
    Hooks {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..Hooks::default()
    }
}

fn start(folder: &tempfile::TempDir, webhooks: &[Value], settings: Hooks) -> Server {
    let path = folder.path().join("db");
    let writer = Writer::open(&path).unwrap();
    let reader = Reader::open(&path, 2).unwrap();
    let accounts = Live::new(directory(&json!(webhooks)));
    let (deliver, messages) = mpsc::channel(CAPACITY_MESSAGES);
    let seal = ledger::tests::seal(folder);
    let metrics = Arc::<Metrics>::default();
    let backlogs = reader.backlogs().unwrap();
    deliver.try_send(Message::Backlogs(backlogs)).unwrap();
    let (ledger, thread) = ledger::start(ledger::Parts {
        writer,
        reader: reader.clone(),
        fold: pbx::cdr::Fold::new(),
        clock: Clock::start(),
        accounts: accounts.clone(),
        seal: Arc::clone(&seal),
        deliver,
        studio: mpsc::channel(1).0,
        mailboxes: Box::new(|_| {}),
        readiness: Readiness::default(),
        metrics: Arc::clone(&metrics),
    })
    .unwrap();
    let (stop, stopped) = watch::channel(());
    let parts = Parts {
        clock: Clock::start(),
        accounts,
        ledger: ledger.clone(),
        metrics: Arc::clone(&metrics),
        dns: Dns::default(),
        trust: Arc::new(Trust::load(&settings.ca_file).unwrap()),
        seal,
    };
    let task = tokio::spawn(run(parts, settings, messages, stopped));
    Server {
        ledger,
        thread,
        task,
        stop,
        reader,
        metrics,
    }
}

impl Server {
    /// Delivery first, so that its results are still kept.
    async fn end(self) -> Reader {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        self.ledger.stop();
        tokio::task::spawn_blocking(|| self.thread.join().unwrap())
            .await
            .unwrap();
        self.reader
    }
}

fn in_state(reader: &Reader, state: DeliveryState) -> Vec<store::DeliveryRecord> {
    let query = DeliveryQuery {
        account: ACCOUNT,
        state,
        before: None,
        limit: 1_000,
    };
    reader.deliveries(&query).unwrap()
}

#[tokio::test]
async fn a_call_is_told_in_order_with_token_and_signature() {
    let folder = tempfile::tempdir().unwrap();
    let crm = Receiver::start(Habit::Takes).await;
    let server = start(&folder, &[crm.webhook("crm")], hooks());
    let call = CallId(1_569_943_875_010_000);
    server.ledger.push(call_events(call));
    let got = crm.wait_for(3).await;
    let types: Vec<String> = got
        .iter()
        .map(|got| serde_json::from_slice::<Value>(&got.body).unwrap()["type"].to_string())
        .collect();
    let told = [
        "user_inbound",
        "user_inbound_answered",
        "user_inbound_completed",
    ];
    assert_eq!(types, told.map(|name| format!("\"{name}\"")));
    for (index, got) in got.iter().enumerate() {
        let header = |name: &str| got.headers[name].as_str();
        assert_eq!(got.path, "/hooks?x=1");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("x-pbx-token"), "5up3r");
        assert_eq!(header("host"), crm.address.to_string());
        let id = format!("{call}-{}", index + 1);
        assert_eq!(
            (header("x-pbx-delivery"), header("webhook-id")),
            (id.as_str(), id.as_str())
        );
        let at = Time::from_secs(header("webhook-timestamp").parse().unwrap());
        let expect = sign::signature("5up3r", &id, at, &got.body);
        assert_eq!(header("webhook-signature"), expect);
    }
    assert_eq!(
        crm.connections.load(Ordering::Relaxed),
        1,
        "the connection is kept"
    );
    let reader = server.end().await;
    assert_eq!(in_state(&reader, DeliveryState::Delivered).len(), 3);
}

#[tokio::test]
async fn answers_mean_what_the_contract_says() {
    let cases = [
        (Habit::Answers(204), DeliveryState::Delivered, Some(204)),
        (Habit::Chatters, DeliveryState::Delivered, Some(200)),
        (Habit::Answers(404), DeliveryState::Failed, Some(404)),
        (Habit::Redirects, DeliveryState::Failed, Some(302)),
        (Habit::Answers(500), DeliveryState::Pending, Some(500)),
        (Habit::Answers(429), DeliveryState::Pending, Some(429)),
    ];
    for (habit, state, status) in cases {
        let folder = tempfile::tempdir().unwrap();
        let crm = Receiver::start(habit).await;
        let server = start(&folder, &[crm.webhook("crm")], hooks());
        server
            .ledger
            .push(call_events(CallId(1)).into_iter().take(2));
        crm.wait_for(1).await;
        let reader = server.reader.clone();
        let is_kept = || {
            let records = in_state(&reader, state);
            records
                .first()
                .is_some_and(|record| record.status == status)
        };
        eventually(is_kept).await;
        server.end().await;
        assert_eq!(crm.got().len(), 1, "{status:?}: no redirect is followed");
    }
}

#[tokio::test]
async fn a_receiver_says_when_it_is_tried_again() {
    let minutes = |count| Duration::from_mins(count);
    let cases = [
        ("1800", minutes(30)),
        // No date is waited for longer than this.
        ("Fri, 31 Dec 2100 23:59:59 GMT", minutes(6 * 60)),
    ];
    for (retry_after, pause) in cases {
        let folder = tempfile::tempdir().unwrap();
        let crm = Receiver::start(Habit::Busy { retry_after }).await;
        let server = start(&folder, &[crm.webhook("crm")], hooks());
        server
            .ledger
            .push(call_events(CallId(1)).into_iter().take(2));
        eventually(|| server.metrics.attempts_retried.value() == 1).await;
        let reader = server.end().await;
        let record = in_state(&reader, DeliveryState::Pending).remove(0);
        let tried_at = record.tried_at.unwrap();
        let waits = record.delivery.due.since(tried_at);
        assert_eq!(waits.as_secs(), pause.as_secs(), "{retry_after}");
    }
}

#[tokio::test]
async fn where_webhooks_may_not_go_none_goes() {
    let folder = tempfile::tempdir().unwrap();
    let crm = Receiver::start(Habit::Takes).await;
    let server = start(&folder, &[crm.webhook("crm")], Hooks::default());
    server
        .ledger
        .push(call_events(CallId(1)).into_iter().take(2));
    let reader = server.reader.clone();
    let refused = || {
        let records = in_state(&reader, DeliveryState::Pending);
        let error = records.first().and_then(|record| record.error.clone());
        error.is_some_and(|error| error.starts_with("127.0.0.1 is not a public address"))
    };
    eventually(refused).await;
    server.end().await;
    assert!(crm.got().is_empty());
}

#[tokio::test]
async fn hanging_and_failing_endpoints_delay_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let good = Receiver::start(Habit::Takes).await;
    let hangs = Receiver::start(Habit::Hangs).await;
    let fails = Receiver::start(Habit::Answers(500)).await;
    let webhooks = [
        hangs.webhook("a-hangs"),
        fails.webhook("b-fails"),
        good.webhook("c-good"),
    ];
    let server = start(&folder, &webhooks, hooks());
    let calls = 100;
    let begun = Instant::now();
    for call in 0..calls {
        server.ledger.push(call_events(CallId(call)));
    }
    let got = good.wait_for(3 * 100).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    let last = got.iter().map(|got| got.at - begun).max().unwrap();
    println!("300 deliveries beside a hanging and a failing endpoint: {last:?}");
    // One at a time for each call, and a window that closed.
    assert!(hangs.got().len() <= 8, "{}", hangs.got().len());
    assert_eq!(server.metrics.attempts_failed.value(), 0);
    server.end().await;
}

#[tokio::test]
async fn after_a_restart_what_was_not_taken_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let hangs = Receiver::start(Habit::Hangs).await;
    let server = start(&folder, &[hangs.webhook("crm")], hooks());
    server.ledger.push(call_events(CallId(5)));
    hangs.wait_for(1).await;
    server.end().await;

    let good = Receiver::start(Habit::FailsFirst(0)).await;
    let server = start(&folder, &[good.webhook("crm")], hooks());
    let got = good.wait_for(3).await;
    let ids: Vec<&str> = got
        .iter()
        .map(|got| got.headers["x-pbx-delivery"].as_str())
        .collect();
    let first = hangs.got()[0].headers["x-pbx-delivery"].clone();
    assert_eq!(
        ids,
        [
            "0000000000000005-1",
            "0000000000000005-2",
            "0000000000000005-3"
        ]
    );
    assert_eq!(
        first, ids[0],
        "the id of a delivery is the same in every attempt"
    );
    server.end().await;
}

/// A call that passes webhook objects, one at each of these addresses.
fn passing_events(call: CallId, objects: &[(&str, SocketAddr)]) -> Vec<pbx::Event> {
    let mut events = call_events(call);
    let passed = objects.iter().map(|(place, address)| pbx::Event {
        at: events[0].at,
        account: ACCOUNT,
        call,
        fact: pbx::Fact::ComponentPassed {
            component: pbx::Component {
                name: "Out of time".into(),
                place: (*place).into(),
                url: format!("http://{address}/object").into(),
                secret_token: "0bject".into(),
                headers: vec![("X-Campaign".into(), "spring".into())],
            },
        },
    });
    let passed: Vec<_> = passed.collect();
    events.splice(1..1, passed);
    events
}

#[tokio::test]
async fn a_webhook_object_is_told_where_it_led_with_its_own_headers() {
    let folder = tempfile::tempdir().unwrap();
    let object = Receiver::start(Habit::Takes).await;
    // Nobody ticked anything, and the account's plan knows of no object.
    let server = start(&folder, &[], hooks());
    let call = CallId(1_569_943_875_010_000);
    let twice = [("main/crm", object.address), ("main/crm", object.address)];
    server.ledger.push(passing_events(call, &twice));
    let got = object.wait_for(2).await;
    for (got, number) in got.iter().zip(1..) {
        let header = |name: &str| got.headers[name].as_str();
        assert_eq!(got.path, "/object");
        assert_eq!(header("x-pbx-token"), "0bject");
        assert_eq!(header("x-campaign"), "spring");
        assert_eq!(header("x-pbx-delivery"), format!("{call}-{number}"));
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(body["type"], "webhook_component_event");
        assert_eq!(body["user_number"], "61300000000");
    }
    let reader = server.end().await;
    assert_eq!(in_state(&reader, DeliveryState::Delivered).len(), 2);
}

#[tokio::test]
async fn a_hanging_webhook_object_delays_nobody_and_is_told_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let hangs = Receiver::start(Habit::Hangs).await;
    let good = Receiver::start(Habit::Takes).await;
    let server = start(&folder, &[good.webhook("crm")], hooks());
    let objects = [("main/a", hangs.address), ("main/b", good.address)];
    server.ledger.push(passing_events(CallId(5), &objects));
    let got = good.wait_for(4).await;
    assert_eq!(got.iter().filter(|got| got.path == "/object").count(), 1);
    hangs.wait_for(1).await;
    server.end().await;

    let server = start(&folder, &[], hooks());
    let again = hangs.wait_for(2).await;
    assert_eq!(again[0].headers["x-pbx-token"], "0bject");
    assert_eq!(
        again[0].headers["webhook-id"],
        again[1].headers["webhook-id"]
    );
    server.end().await;
}

#[tokio::test]
async fn an_object_may_not_lead_where_no_webhook_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let object = Receiver::start(Habit::Takes).await;
    let server = start(&folder, &[], Hooks::default());
    let objects = [("main/crm", object.address)];
    server.ledger.push(passing_events(CallId(5), &objects));
    eventually(|| server.metrics.attempts_retried.value() == 1).await;
    let reader = server.end().await;
    let record = in_state(&reader, DeliveryState::Pending).remove(0);
    assert!(
        record
            .error
            .unwrap()
            .starts_with("127.0.0.1 is not a public")
    );
    assert!(object.got().is_empty());
}

#[tokio::test]
async fn a_kept_connection_that_the_receiver_closed_costs_no_attempt() {
    // The first connection is closed after one answer, without a word.
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let closing = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4096];
            while !String::from_utf8_lossy(&bytes).contains('}') {
                if stream.read(&mut bytes).await.unwrap() == 0 {
                    break;
                }
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let webhook = json!({
        "name": "crm", "url": format!("http://{address}/"), "secret_token": "s", "triggers": "all",
    });
    let server = start(&folder, &[webhook], hooks());
    server.ledger.push(call_events(CallId(5)));
    eventually(|| server.metrics.attempts_delivered.value() == 3).await;
    assert_eq!(server.metrics.attempts_retried.value(), 0);
    closing.await.unwrap();
    server.end().await;
}

#[test]
fn statuses_mean_what_the_contract_says() {
    let now = Time::from_secs(100);
    let answers = [
        RetryAfter::Pause(Duration::from_secs(7)),
        RetryAfter::At(Time::from_secs(107)),
    ];
    let after = Some(Duration::from_secs(7));
    let retry = |after| Outcome::Retry { after };
    let cases = [
        (200, Outcome::Delivered),
        (204, Outcome::Delivered),
        (301, Outcome::Rejected),
        (302, Outcome::Rejected),
        (400, Outcome::Rejected),
        (401, Outcome::Rejected),
        (404, Outcome::Rejected),
        (408, retry(after)),
        (410, Outcome::Rejected),
        (429, retry(after)),
        (500, retry(after)),
        (503, retry(after)),
    ];
    for (code, expect) in cases {
        let status = StatusCode::from_u16(code).unwrap();
        for retry_after in answers.map(Some) {
            let answer = Answer {
                status,
                retry_after,
            };
            let (outcome, told, _) = judge(Ok(answer), now);
            assert_eq!((outcome, told), (expect, Some(code)));
        }
    }
    let timed_out = PostError::TimedOut(Duration::from_secs(30));
    let (outcome, status, error) = judge(Err(timed_out), now);
    assert_eq!((outcome, status), (retry(None), None));
    assert_eq!(error.as_deref(), Some("no answer within 30 seconds"));
}
