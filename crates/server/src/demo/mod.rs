//! `switchhook demo`: a whole server in a temporary folder, phones and a carrier of our own on real
//! sockets, three calls, and what came of them.
//!
//! Nothing that is printed is prepared: ladders come from the phones' sockets, webhooks from a
//! receiver's, calls from the API. What is not as it should be makes the demo fail.

mod audio;
mod json;
mod ladder;
mod phone;
mod receiver;
mod scenes;
mod stage;

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::ladder::Who;
use self::phone::Order;
use self::receiver::Webhook;
use self::stage::Stage;
use crate::control;
use crate::serve::{self, Server};
use crate::settings::{Hooks, Http, Listen, Settings, Sip};

/// Runs the demo. With `keep` the server stays until Ctrl-C.
pub fn run(keep: bool) -> anyhow::Result<()> {
    // Before there is a folder, so that no signal can leave it behind.
    let watch = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let told = watch.block_on(async { Told::listen() })?;
    let folder = Folder::create(keep)?;
    let interrupted = watch.spawn(interrupted(told, folder.path.clone()));
    let server = serve::start(&settings(&folder)?)?;
    let outcome = play(&server, &folder, &interrupted);
    let stopped = server.stop(Duration::ZERO);
    drop(folder);
    outcome.and(stopped)
}

/// Ends the process when it is told to while calls are played: the folder goes, the rest is not
/// worth finishing.
async fn interrupted(mut told: Told, folder: PathBuf) -> anyhow::Result<()> {
    told.wait().await;
    remove(&folder);
    std::process::exit(INTERRUPTED)
}

fn play(server: &Server, folder: &Folder, interrupted: &Interrupted) -> anyhow::Result<()> {
    let listening = server.listening();
    let carrier = phone::port(CARRIER.into())?;
    let (receiver, webhooks) = receiver::start()?;
    let key = api_key()?;
    let document = account(carrier.local_addr()?, receiver, &key);
    server
        .apply(&document)
        .context("the demo's account was not applied")?;
    say(&format!(
        "A server runs in {}: SIP at {}, HTTP at {}.\nIts account `demo` has John (1010, with a desk \
         phone and a mobile), Ann (1020), a carrier at {},\nthe number +61298765432 that rings John, \
         +61298765433\nwith opening hours, a menu and a queue, and a webhook receiver. Everything below is real traffic.",
        folder.path.display(),
        listening.sip_udp,
        listening.http,
        carrier.local_addr()?,
    ))?;
    let mut stage = Stage::open(listening.sip_udp, carrier)?;
    scenes::play_all(&mut stage)?;
    show_webhooks(&mut stage, &webhooks)?;
    show_calls(&mut stage, listening.http, &key)?;
    let failures = stage.failures();
    if !failures.is_empty() {
        stage.close();
        anyhow::bail!(
            "the demo did not go as it should:\n- {}",
            failures.join("\n- ")
        );
    }
    if folder.keep {
        stay(server, &stage, webhooks, &key, interrupted)?;
    } else {
        say(
            "\nEverything happened as it should. `demo --keep` leaves the server running, for your own phone and curl.",
        )?;
    }
    stage.close();
    Ok(())
}

fn settings(folder: &Folder) -> anyhow::Result<Settings> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let any = Listen(vec![any_port]);
    Ok(Settings {
        data_dir: folder.path.clone(),
        sip: Sip {
            udp: any.clone(),
            tcp: any,
            ..Sip::default()
        },
        http: Http {
            listen: any_port,
            ..Http::default()
        },
        hooks: Hooks {
            allow: vec![
                "127.0.0.0/8"
                    .parse()
                    .map_err(|error| anyhow::anyhow!("{error}"))?,
            ],
            ..Hooks::default()
        },
        ..Settings::default()
    })
}

fn account(carrier: SocketAddr, receiver: SocketAddr, key: &str) -> String {
    include_str!("account.yaml")
        .replace("\"CARRIER\"", &format!("\"{carrier}\""))
        .replace("host: CARRIER", &format!("host: \"{carrier}\""))
        .replace("RECEIVER/", &format!("{receiver}/"))
        .replace("key: KEY", &format!("key: {key}"))
}

fn api_key() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let mut key = String::new();
    for byte in bytes {
        write!(key, "{byte:02x}")?;
    }
    Ok(key)
}

/// Prints the webhooks that came, and checks that they are the expected ones in their order.
fn show_webhooks(stage: &mut Stage, webhooks: &mpsc::Receiver<Webhook>) -> anyhow::Result<()> {
    title("Webhooks, as the receiver got them")?;
    let came = collect(webhooks);
    for webhook in &came {
        say(&json::pretty(&webhook.body.text))?;
    }
    let with_token = came
        .iter()
        .filter(|webhook| webhook.token.as_deref() == Some("demo-token"));
    stage.check(
        with_token.count() == came.len(),
        "a webhook came without the endpoint's X-Pbx-Token",
    );
    for (number, expected) in (1..).zip(scenes::WEBHOOKS) {
        let call = nth_call(&came, number);
        stage.check(
            call == expected,
            &format!("webhooks of call {number}: {call:?}, expected {expected:?}"),
        );
    }
    for link in came.iter().filter_map(Webhook::link) {
        match receiver::follow(link) {
            Ok(bytes) => say(&format!("{link} is an MP3 of {bytes} bytes."))?,
            Err(error) => stage.check(false, &format!("a link of a webhook: {error:#}")),
        }
    }
    let expected: usize = scenes::WEBHOOKS.iter().map(|call| call.len()).sum();
    stage.check(
        came.len() == expected,
        &format!("{} webhooks came, expected {expected}", came.len()),
    );
    Ok(())
}

/// Waits for the webhooks that are expected, and a moment for more.
fn collect(webhooks: &mpsc::Receiver<Webhook>) -> Vec<Webhook> {
    let expected: usize = scenes::WEBHOOKS.iter().map(|call| call.len()).sum();
    let deadline = Instant::now() + PATIENCE;
    let mut came = Vec::new();
    loop {
        let patience = if came.len() < expected {
            deadline.saturating_duration_since(Instant::now())
        } else {
            MOMENT
        };
        match webhooks.recv_timeout(patience) {
            Ok(webhook) => came.push(webhook),
            Err(_) => return came,
        }
    }
}

/// Type and user of the webhooks of the call that began as the `number`-th.
fn nth_call(came: &[Webhook], number: usize) -> Vec<(&str, &str)> {
    let mut calls: Vec<&str> = came
        .iter()
        .map(|webhook| webhook.text("unique_call_id"))
        .collect();
    calls.sort_unstable();
    calls.dedup();
    let call = calls.get(number - 1).copied();
    let of_call = came
        .iter()
        .filter(|webhook| Some(webhook.text("unique_call_id")) == call);
    of_call
        .map(|webhook| (webhook.text("type"), webhook.text("user_number")))
        .collect()
}

/// Prints what the API says of the calls, and checks the rows.
fn show_calls(stage: &mut Stage, http: SocketAddr, key: &str) -> anyhow::Result<()> {
    let path = "/api/integration/v2/get-user-calls?sort_by=oldest_first";
    title(&format!("GET {path}"))?;
    let deadline = Instant::now() + PATIENCE;
    let (status, answer) = loop {
        // Rows are listed within a second of a call's end (contract §1.2).
        let (status, answer) = receiver::ask(http, path, key)?;
        if rows(&answer.json).len() >= scenes::ROWS.len() || Instant::now() > deadline {
            break (status, answer);
        }
        std::thread::sleep(MOMENT);
    };
    say(&json::pretty(&answer.text))?;
    stage.check(
        status.contains(" 200 "),
        &format!("the API answers 200, it said {status}"),
    );
    let mut found = rows(&answer.json);
    found.sort_unstable();
    stage.check(
        found == scenes::ROWS,
        &format!("the API lists {found:?}, expected {:?}", scenes::ROWS),
    );
    Ok(())
}

/// Type and user of each row.
fn rows(answer: &Value) -> Vec<(&str, &str)> {
    let rows = answer
        .get("data")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    rows.iter()
        .map(|row| (field(row, "type"), field(row, "user_number")))
        .collect()
}

fn field<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Leaves everything running until Ctrl-C: Ann and the carrier answer, John's devices are free.
fn stay(
    server: &Server,
    stage: &Stage,
    webhooks: mpsc::Receiver<Webhook>,
    key: &str,
    interrupted: &Interrupted,
) -> anyhow::Result<()> {
    for who in [Who::Desk, Who::Mobile] {
        stage.order(who, Order::Register { seconds: 0 });
    }
    for who in [Who::Ann, Who::Carrier] {
        stage.order(who, Order::AnswerAlways);
    }
    title("It stays up until Ctrl-C")?;
    let listening = server.listening();
    say(&format!(
        "Register a phone on this machine: user 1010-desk, password correct-horse, domain \
         demo.example.com,\nserver (outbound proxy) {} over UDP{}.\nDial 1020 for Ann, or any number outside such as \
         0491 570 157: both answer with a tone (G.711 µ-law).\nWebhooks are printed here as they come. The API:\n\n    \
         curl -H 'token: {key}' 'http://{}/api/integration/v2/get-user-calls'\n",
        listening.sip_udp,
        listening
            .sip_tcp
            .map_or_else(String::new, |tcp| format!(", {tcp} over TCP")),
        listening.http,
    ))?;
    std::thread::Builder::new()
        .name("webhooks".to_owned())
        .spawn(move || print_all(&webhooks))?;
    server.runtime().block_on(until_told(stage, interrupted))
}

/// Keeps Ann registered until the process is told to stop.
async fn until_told(stage: &Stage, interrupted: &Interrupted) -> anyhow::Result<()> {
    let mut told = Told::listen()?;
    // From here on the end is an orderly one.
    interrupted.abort();
    loop {
        tokio::select! {
            () = told.wait() => return Ok(()),
            () = tokio::time::sleep(REFRESH) => stage.order(Who::Ann, Order::Register { seconds: REGISTRATION_SECONDS }),
        }
    }
}

/// The signals that tell a process to end.
struct Told {
    interrupt: Signal,
    terminate: Signal,
}

impl Told {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn print_all(webhooks: &mpsc::Receiver<Webhook>) {
    for webhook in webhooks {
        if let Err(error) = say(&json::pretty(&webhook.body.text)) {
            tracing::warn!(%error, "a webhook could not be shown");
        }
    }
}

/// The data folder, which goes when the demo ends.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn create(keep: bool) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("switchhook-demo-{}", std::process::id()));
        control::prepare_data_dir(&path)?;
        Ok(Self { path, keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        tracing::warn!(%error, folder = %folder.display(), "the demo's folder stays");
    }
}

fn title(text: &str) -> anyhow::Result<()> {
    if std::io::stdout().is_terminal() {
        say(&format!("\n\x1b[1m{text}\x1b[0m"))
    } else {
        say(&format!("\n{text}"))
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("cannot print")
}

/// The task that ends the process when it is told to.
type Interrupted = tokio::task::JoinHandle<anyhow::Result<()>>;

/// What a shell reports of a process that was ended by Ctrl-C.
const INTERRUPTED: i32 = 130;
/// Carriers live apart from the phones, so that the trunk is known by its address.
const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// What a phone asks for.
const REGISTRATION_SECONDS: u32 = 3_600;
/// When it asks again.
const REFRESH: Duration = Duration::from_mins(25);
/// How long anything may take that should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long is waited for what should not come.
const MOMENT: Duration = Duration::from_millis(200);
