//! A webhook receiver that keeps what it gets, and can be as bad as receivers are.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{contract, instant, wait_for};

/// How a path of the receiver treats its deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Habit {
    /// Answers 200 at once.
    Accept,
    /// Answers with that status at once.
    Answer(u16),
    /// Answers 200 after so long.
    Hang(Duration),
    /// Answers 200 with that body.
    Say(&'static str),
}

/// One POST.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) at_ms: i64,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) raw: String,
    pub(crate) body: Value,
}

impl Delivery {
    pub(crate) fn kind(&self) -> &str {
        contract::text(&self.body, "type")
    }

    pub(crate) fn call(&self) -> &str {
        contract::text(&self.body, "unique_call_id")
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }
}

/// A receiver on a loopback port.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    habits: Mutex<BTreeMap<String, Habit>>,
    received: Mutex<Vec<Delivery>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        // The thread ends with the test's process.
        thread::spawn(move || accept(&listener, &of_thread));
        Self { address, shared }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn set(&self, path: &str, habit: Habit) {
        lock(&self.shared.habits).insert(path.to_owned(), habit);
    }

    /// What has come to a path so far, in order.
    pub(crate) fn received(&self, path: &str) -> Vec<Delivery> {
        let received = lock(&self.shared.received);
        received
            .iter()
            .filter(|delivery| delivery.path == path)
            .cloned()
            .collect()
    }

    /// Waits until so many have come to a path.
    pub(crate) fn wait_for(&self, path: &str, count: usize, deadline: Duration) -> Vec<Delivery> {
        let what = format!("{count} deliveries to {path}");
        let enough = || (self.received(path).len() >= count).then_some(());
        wait_for(&what, deadline, enough);
        self.received(path)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(stream, &shared));
    }
}

/// Takes requests from one connection until it closes.
fn serve(stream: TcpStream, shared: &Shared) {
    let Ok(mut answers) = stream.try_clone() else {
        return;
    };
    let mut requests = BufReader::new(stream);
    while let Some(delivery) = read(&mut requests) {
        let habit = lock(&shared.habits)
            .get(&delivery.path)
            .copied()
            .unwrap_or(Habit::Accept);
        lock(&shared.received).push(delivery);
        let (status, body) = match habit {
            Habit::Accept => (200, "ok"),
            Habit::Answer(status) => (status, "ok"),
            Habit::Hang(duration) => {
                thread::sleep(duration);
                (200, "ok")
            }
            Habit::Say(body) => (200, body),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: {length}\r\n\r\n{body}");
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(from: &mut impl BufRead) -> Option<Delivery> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    assert_eq!(
        words.next().filter(|method| !method.is_empty())?,
        "POST",
        "{line}"
    );
    let path = words.next()?.to_owned();
    let headers: BTreeMap<String, String> = from
        .lines()
        .map_while(|line| line.ok().filter(|line| !line.is_empty()))
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect();
    let length = headers.get("content-length")?.parse().ok()?;
    let mut raw = Vec::new();
    from.take(length).read_to_end(&mut raw).ok()?;
    let raw = String::from_utf8(raw).ok()?;
    let body = serde_json::from_str(&raw).ok()?;
    Some(Delivery {
        at_ms: instant::now_ms(),
        path,
        headers,
        raw,
        body,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("no thread panics while it holds the lock")
}
