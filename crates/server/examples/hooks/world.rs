//! Ledger, delivery and a receiver, put together as the server does it.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, ensure};
use pbx::draft::Draft;
use pbx::{AccountId, CallId, Event, Fact};
use store::{Reader, Writer};
use switchhook::account::Seal;
use switchhook::clock::Clock;
use switchhook::directory::{Directory, Live};
use switchhook::dns::Dns;
use switchhook::hooks::deliver;
use switchhook::ledger::{self, Ledger};
use switchhook::metrics::Metrics;
use switchhook::ready::Readiness;
use switchhook::settings::Hooks;
use tokio::sync::{mpsc, watch};

use crate::receiver::{Arrival, Receiver};

const ACCOUNT: AccountId = AccountId(1);
/// Threads by whose names their processor time is found.
const LEDGER: &str = "ledger";
const DELIVERY: &str = "delivery";

/// What the endpoint wants to be told.
#[derive(Clone, Copy)]
pub(crate) enum Ticks {
    Completed,
    All,
}

impl Ticks {
    /// As the account document says it.
    pub(crate) fn json(self) -> &'static str {
        match self {
            Self::Completed => r#"["user_inbound_completed"]"#,
            Self::All => r#""all""#,
        }
    }

    /// Webhooks of one call.
    pub(crate) fn per_call(self) -> u32 {
        match self {
            Self::Completed => 1,
            Self::All => 3,
        }
    }
}

pub(crate) struct World {
    ledger: Ledger,
    ledger_thread: JoinHandle<()>,
    delivery: JoinHandle<()>,
    stop: watch::Sender<()>,
    receiver: Receiver,
    clock: Clock,
    metrics: Arc<Metrics>,
    _folder: tempfile::TempDir,
}

impl World {
    /// Starts all of it, with a new store in a folder of its own below `parent`.
    pub(crate) fn start(parent: &Path, ticks: Ticks) -> Result<Self> {
        let folder = tempfile::tempdir_in(parent)?;
        let database = folder.path().join("switchhook.db");
        let receiver = Receiver::start()?;
        let accounts = Live::new(directory(&receiver, ticks)?);
        let clock = Clock::start();
        let seal = Arc::new(Seal::open_or_create(&folder.path().join("secret.key"))?);
        let metrics = Arc::<Metrics>::default();
        let (deliver, messages) = mpsc::channel(deliver::CAPACITY_MESSAGES);
        let (ledger, ledger_thread) = ledger::start(ledger::Parts {
            writer: Writer::open(&database)?,
            reader: Reader::open(&database, 1)?,
            fold: pbx::cdr::Fold::new(),
            clock: clock.clone(),
            accounts: accounts.clone(),
            seal: Arc::clone(&seal),
            deliver,
            studio: mpsc::channel(1).0,
            mailboxes: Box::new(|_| {}),
            readiness: Readiness::default(),
            metrics: Arc::clone(&metrics),
        })?;
        let parts = deliver::Parts {
            clock: clock.clone(),
            accounts,
            ledger: ledger.clone(),
            metrics: Arc::clone(&metrics),
            dns: Dns::default(),
            trust: Arc::default(),
            seal,
        };
        let (stop, stopped) = watch::channel(());
        Ok(Self {
            ledger,
            ledger_thread,
            delivery: start_delivery(parts, messages, stopped)?,
            stop,
            receiver,
            clock,
            metrics,
            _folder: folder,
        })
    }

    /// Tells the ledger what happened to a call.
    pub(crate) fn emit(&self, call: u64, fact: Fact) {
        self.ledger.push([Event {
            at: self.clock.now(),
            account: ACCOUNT,
            call: CallId(call),
            fact,
        }]);
    }

    /// How many webhooks have come.
    pub(crate) fn received(&self) -> u32 {
        self.receiver.count()
    }

    /// Waits for so many webhooks and takes them.
    pub(crate) fn wait_for(&self, count: u32) -> Result<Vec<Arrival>> {
        self.receiver.wait_for(count)
    }

    /// Prints what so many calls cost and ends everything.
    pub(crate) fn end(self, calls: u32) -> Result<()> {
        let calls = f64::from(calls);
        let ledger = cpu_seconds(LEDGER)? * 1_000.0 / calls;
        let delivery = cpu_seconds(DELIVERY)? * 1_000.0 / calls;
        let commits = f64::from(u32::try_from(self.metrics.commits.value())?);
        println!(
            "    per 1,000 calls: ledger {ledger:.3} CPU-s, delivery {delivery:.3} CPU-s; \
             {:.2} commits a call",
            commits / calls
        );
        ensure!(self.stop.send(()).is_ok(), "delivery had ended");
        ensure!(self.delivery.join().is_ok(), "delivery had panicked");
        self.ledger.stop();
        ensure!(self.ledger_thread.join().is_ok(), "the ledger had panicked");
        Ok(())
    }
}

/// Delivery on a thread of its own, so that its processor time can be told from the receiver's.
fn start_delivery(
    parts: deliver::Parts,
    messages: mpsc::Receiver<deliver::Message>,
    stopped: watch::Receiver<()>,
) -> Result<JoinHandle<()>> {
    let loopback = "127.0.0.0/8".parse().map_err(anyhow::Error::msg)?;
    let settings = Hooks {
        allow: vec![loopback],
        ..Hooks::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let work = move || runtime.block_on(deliver::run(parts, settings, messages, stopped));
    Ok(std::thread::Builder::new()
        .name(DELIVERY.to_owned())
        .spawn(work)?)
}

fn directory(receiver: &Receiver, ticks: Ticks) -> Result<Directory> {
    let draft: Draft = serde_json::from_str(&format!(
        r#"{{"account": "bench", "country": "AU", "domain": "bench.test",
            "users": [{{"number": "1010", "name": "John Smith"}}],
            "webhooks": [{{"name": "crm", "url": "http://{}/", "secret_token": "s",
                "triggers": {}}}]}}"#,
        receiver.address(),
        ticks.json()
    ))?;
    let plan = draft
        .compile(ACCOUNT, 1)
        .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    Ok(Directory::new([Arc::new(plan)]))
}

/// Processor time of the thread of that name.
fn cpu_seconds(name: &str) -> Result<f64> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == name {
            // The first number is nanoseconds on the processor.
            let schedule = std::fs::read_to_string(task.join("schedstat"))?;
            let nanoseconds = schedule.split_whitespace().next().context("no schedstat")?;
            return Ok(nanoseconds.parse::<f64>()? / 1e9);
        }
    }
    anyhow::bail!("there is no thread {name}")
}
