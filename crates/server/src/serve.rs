//! The server put together: what starts in which order, and how it stops.

mod network;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use store::{MailboxFill, Reader, Recording, StoreError, Writer};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::account::Seal;
use crate::accounts::{Account, Accounts};
use crate::clock::{self, Clock};
use crate::control::{self, Door};
use crate::directory::{Directory, Live};
use crate::dns::Dns;
use crate::drive::{self, Drive, Message};
use crate::hooks::deliver;
use crate::hooks::trust::Trust;
use crate::ledger::{self, Ledger, Recovered};
use crate::metrics::Metrics;
use crate::ready::{Part, Readiness};
use crate::recordings::{Mailer, Work, link, recordings_folder};
use crate::settings::Settings;
use crate::sounds::Library;
use crate::{api, inbox, observe, recordings, retention};
use network::Network;

/// Where a running server listens, as written to `run.json` in the data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// The first UDP address.
    pub sip_udp: SocketAddr,
    /// The first TCP address, if any.
    pub sip_tcp: Option<SocketAddr>,
    /// API, health and metrics.
    pub http: SocketAddr,
}

/// A running server.
pub struct Server {
    listening: Listening,
    door: Arc<Door>,
    readiness: Readiness,
    drive: Drive,
    ledger: Ledger,
    ledger_thread: JoinHandle<()>,
    stop: watch::Sender<()>,
    delivery: tokio::task::JoinHandle<()>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    runtime: Runtime,
    run_file: PathBuf,
}

/// Starts everything. When it returns, phones and clients are served.
pub fn start(settings: &Settings) -> anyhow::Result<Server> {
    let clock = Clock::start();
    let readiness = Readiness::default();
    readiness.lost(Part::Start, "the server is starting");
    let Memory {
        writer,
        reader,
        accounts,
        opened,
        live,
        recovered,
        unfinished,
    } = remember(settings)?;
    let common = Common {
        clock,
        live,
        metrics: Arc::new(Metrics::default()),
        dns: Dns::default(),
        runtime: runtime()?,
        readiness,
        reader,
        seal: Arc::clone(accounts.sealing()),
    };
    let (stop, stopped) = watch::channel(());
    let not_before = recovered.not_before;
    let (studio, work) = mpsc::channel(recordings::CAPACITY);
    let (messages, inbox) = inbox::channel(drive::INBOX_LIMIT)?;
    let ours = (studio, messages.clone());
    let (ledger, ledger_thread, delivery) =
        common.keep(settings, (writer, recovered.fold), ours, &stopped)?;
    let network = Network {
        settings,
        common: &common,
        ledger: &ledger,
    };
    let (drive, sip_udp, sip_tcp) = network.start((messages, inbox), opened, not_before)?;
    observe::drive(&common.metrics, &drive.gauges());
    let (http, api) = common.answer(settings, drive.messages(), stopped.clone())?;
    let finish = common.finish((settings, http), &ledger, (unfinished, work), stopped)?;
    let door = Arc::new(common.door(settings, (accounts, &ledger), (drive.messages(), http)));
    let visitors = common.open_door(settings, &door)?;
    let follow = common.runtime.spawn(follow_wall_time(common.clock.clone()));
    let forget = common.forget(settings, &ledger);
    common.readiness.found(Part::Start);
    let listening = Listening {
        sip_udp,
        sip_tcp,
        http,
    };
    let run_file = write_run_file(settings, &listening)?;
    Ok(Server {
        listening,
        door,
        readiness: common.readiness,
        drive,
        ledger,
        ledger_thread,
        stop,
        delivery,
        tasks: vec![api, visitors, follow, forget, finish],
        runtime: common.runtime,
        run_file,
    })
}

/// What the data folder holds.
struct Memory {
    writer: Writer,
    reader: Reader,
    accounts: Accounts,
    opened: Vec<Account>,
    live: Live,
    recovered: Recovered,
    /// Recordings that the process before left unfinished.
    unfinished: Vec<Recording>,
}

/// Opens the store, reads the accounts and closes the calls that died with the process before.
fn remember(settings: &Settings) -> anyhow::Result<Memory> {
    control::prepare_data_dir(&settings.data_dir)?;
    let database = control::database_path(&settings.data_dir);
    let mut writer = open_writer(&database)?;
    let reader = Reader::open(&database, READERS)?;
    let accounts = control::open_accounts(settings)?;
    let opened = accounts.open_all(&reader)?;
    let live = Live::new(Directory::new(
        opened.iter().map(|account| Arc::clone(&account.plan)),
    ));
    let recovered = ledger::recover(&mut writer, &live.current(), accounts.sealing())?;
    if recovered.lost_calls > 0 {
        let calls = recovered.lost_calls;
        tracing::warn!(calls, "calls that died with the process before were closed");
    }
    // All calls are over by now, so nothing of these goes on.
    let unfinished = reader.unfinished_recordings()?;
    Ok(Memory {
        writer,
        reader,
        accounts,
        opened,
        live,
        recovered,
        unfinished,
    })
}

fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(RUNTIME_THREADS).thread_name("shell");
    builder
        .enable_all()
        .build()
        .context("cannot start the threads of the shell")
}

/// What most parts work with.
struct Common {
    clock: Clock,
    live: Live,
    metrics: Arc<Metrics>,
    dns: Dns,
    runtime: Runtime,
    readiness: Readiness,
    reader: Reader,
    seal: Arc<Seal>,
}

impl Common {
    /// Starts the ledger and the delivery of what it commits.
    fn keep(
        &self,
        settings: &Settings,
        (writer, fold): (Writer, pbx::cdr::Fold),
        (studio, drive): (mpsc::Sender<Work>, inbox::Sender<Message>),
        stopped: &watch::Receiver<()>,
    ) -> anyhow::Result<(Ledger, JoinHandle<()>, tokio::task::JoinHandle<()>)> {
        let (to_deliver, inbox) = mpsc::channel(deliver::CAPACITY_MESSAGES);
        let (ledger, thread) = ledger::start(ledger::Parts {
            writer,
            reader: self.reader.clone(),
            fold,
            clock: self.clock.clone(),
            accounts: self.live.clone(),
            seal: Arc::clone(&self.seal),
            studio,
            mailboxes: Box::new(move |fill| tell_of_mailbox(&drive, fill)),
            deliver: to_deliver.clone(),
            readiness: self.readiness.clone(),
            metrics: Arc::clone(&self.metrics),
        })?;
        let parts = deliver::Parts {
            clock: self.clock.clone(),
            accounts: self.live.clone(),
            ledger: ledger.clone(),
            metrics: Arc::clone(&self.metrics),
            dns: self.dns.clone(),
            trust: Arc::new(Trust::load(&settings.hooks.ca_file)?),
            seal: Arc::clone(&self.seal),
        };
        let deliver = deliver::run(parts, settings.hooks.clone(), inbox, stopped.clone());
        let task = self.runtime.spawn(deliver);
        to_deliver
            .blocking_send(deliver::Message::Backlogs(self.reader.backlogs()?))
            .context("webhook delivery ended at once")?;
        Ok((ledger, thread, task))
    }

    /// Starts API, health and metrics. Gives the address bound.
    fn answer(
        &self,
        settings: &Settings,
        drive: inbox::Sender<Message>,
        stopped: watch::Receiver<()>,
    ) -> anyhow::Result<(SocketAddr, tokio::task::JoinHandle<()>)> {
        let address = settings.http.listen;
        let listener = self
            .runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .with_context(|| format!("cannot listen for HTTP at {address}"))?;
        let local = listener.local_addr()?;
        let parts = api::Parts {
            clock: self.clock.clone(),
            accounts: self.live.clone(),
            reader: self.reader.clone(),
            readiness: self.readiness.clone(),
            metrics: Arc::clone(&self.metrics),
            drive,
            recordings: recordings_folder(&settings.data_dir),
        };
        let router = api::router(parts, &settings.http);
        let serve = api::serve::serve(listener, router, Arc::clone(&self.metrics), stopped);
        Ok((local, self.runtime.spawn(serve)))
    }

    /// Starts finishing recordings: those that are left, then those that are closed.
    fn finish(
        &self,
        (settings, http): (&Settings, SocketAddr),
        ledger: &Ledger,
        (left, work): (Vec<Recording>, mpsc::Receiver<Work>),
        stopped: watch::Receiver<()>,
    ) -> anyhow::Result<tokio::task::JoinHandle<()>> {
        if settings.http.public_url.is_empty() && http.ip().is_unspecified() {
            tracing::warn!(%http, "links to recordings lead nowhere until http.public_url is set");
        }
        let parts = recordings::Parts {
            folder: recordings_folder(&settings.data_dir),
            clock: self.clock.clone(),
            accounts: self.live.clone(),
            reader: self.reader.clone(),
            ledger: ledger.clone(),
            base_url: link::base(&settings.http, http),
            metrics: Arc::clone(&self.metrics),
            mailer: Mailer::new(&settings.smtp)?,
        };
        let finish = recordings::run(parts, left, work, stopped);
        Ok(self.runtime.spawn(finish))
    }

    /// Starts forgetting what is old.
    fn forget(&self, settings: &Settings, ledger: &Ledger) -> tokio::task::JoinHandle<()> {
        let (clock, live) = (self.clock.clone(), self.live.clone());
        let forget = retention::run(
            settings.retention.clone(),
            (clock, live),
            (ledger.clone(), self.reader.clone()),
            recordings_folder(&settings.data_dir),
        );
        self.runtime.spawn(forget)
    }

    /// The one way to accounts.
    fn door(
        &self,
        settings: &Settings,
        (accounts, ledger): (Accounts, &Ledger),
        (drive, http): (inbox::Sender<Message>, SocketAddr),
    ) -> Door {
        Door {
            accounts,
            reader: self.reader.clone(),
            ledger: ledger.clone(),
            live: self.live.clone(),
            drive,
            clock: self.clock.clone(),
            base_url: link::base(&settings.http, http),
            library: Library::of(&settings.data_dir),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Opens the control socket.
    fn open_door(
        &self,
        settings: &Settings,
        door: &Arc<Door>,
    ) -> anyhow::Result<tokio::task::JoinHandle<()>> {
        let _entered = self.runtime.enter();
        let socket = control::listen(&settings.data_dir)?;
        Ok(self.runtime.spawn(control::serve(socket, Arc::clone(door))))
    }
}

impl Server {
    /// Where it listens.
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// The runtime of its tasks.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Puts a document into force, as the command line does.
    pub fn apply(&self, document: &str) -> anyhow::Result<String> {
        self.runtime.block_on(self.door.apply_document(document))
    }

    /// Takes no new calls, lets those in progress end for at most `drain`, and writes everything down.
    pub fn stop(self, drain: Duration) -> anyhow::Result<()> {
        self.readiness
            .lost(Part::Stop, "the server is being stopped");
        self.drive.stop(drain);
        // In this order: what was delivered is known before the ledger writes its last, and what the
        // last events cause is delivered after the next start.
        drop(self.stop);
        if self.runtime.block_on(self.delivery).is_err() {
            tracing::error!("webhook delivery had panicked");
        }
        self.ledger.stop();
        if self.ledger_thread.join().is_err() {
            tracing::error!("the ledger had panicked");
        }
        for task in self.tasks {
            task.abort();
        }
        self.runtime.shutdown_timeout(RUNTIME_PATIENCE);
        std::fs::remove_file(&self.run_file).context("cannot remove run.json")
    }
}

/// Opens the store for writing. A process that was killed may hold the lock for a moment longer.
fn open_writer(database: &Path) -> Result<Writer, StoreError> {
    let begun = Instant::now();
    loop {
        match Writer::open(database) {
            Err(StoreError::Locked { .. }) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

async fn follow_wall_time(clock: Clock) {
    loop {
        tokio::time::sleep(clock::FOLLOW_EVERY).await;
        let ahead = clock.follow_wall_time();
        if Duration::from_micros(ahead.unsigned_abs()) > clock::WARN_ABOVE {
            tracing::warn!(
                ahead_us = ahead,
                "the wall clock was set; ours follows slowly, a restart takes it at once"
            );
        }
    }
}

/// Lamps and full mailboxes go by it.
fn tell_of_mailbox(drive: &inbox::Sender<Message>, fill: MailboxFill) {
    if drive.send(Message::Mailbox(fill)).is_err() {
        tracing::error!("the drive loop is too far behind to hear of a mailbox");
    }
}

fn write_run_file(settings: &Settings, listening: &Listening) -> anyhow::Result<PathBuf> {
    let run_file = settings.data_dir.join("run.json");
    write_whole(&run_file, &serde_json::to_vec(listening)?)?;
    Ok(run_file)
}

/// Readers of the file see all of it or nothing.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// How long the lock of a data folder is waited for, and how often it is tried.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Connections for reading.
const READERS: usize = 2;
/// Threads of the runtime. Its tasks only wait: HTTP, webhooks, streams, DNS.
const RUNTIME_THREADS: usize = 1;
/// How long tasks that ignore their end are waited for.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(2);
