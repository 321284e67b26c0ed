//! The server put together: what starts in which order, and how it stops.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use engine::Engine;
use pbx::RecordingId;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sip::{FlowId, RegistrarLimits};
use store::{Reader, Recording, StoreError, Writer};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::account::Seal;
use crate::accounts::{Account, Accounts};
use crate::clock::{self, Clock};
use crate::control::{self, Door};
use crate::directory::{Directory, Live};
use crate::dns::Dns;
use crate::drive::{self, Drive, Message};
use crate::hooks::ask::Asker;
use crate::hooks::deliver;
use crate::hooks::guard::Guard;
use crate::hooks::trust::Trust;
use crate::ledger::{self, Ledger, Recovered};
use crate::metrics::Metrics;
use crate::net::stream::Patience;
use crate::net::tcp::{self, Streams};
use crate::net::udp::UdpPort;
use crate::ready::{Part, Readiness};
use crate::record::Recorder;
use crate::recordings::{Mailer, link};
use crate::rtp::{self, RtpSettings};
use crate::settings::Settings;
use crate::{api, inbox, observe, recordings, retention};

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
    let (to_close, closed) = mpsc::channel(recordings::CAPACITY);
    let (ledger, ledger_thread, delivery) =
        common.keep(settings, (writer, recovered.fold), to_close, &stopped)?;
    let network = Network {
        settings,
        common: &common,
        ledger: &ledger,
    };
    let (drive, sip_udp, sip_tcp) = network.start(opened, not_before)?;
    observe::drive(&common.metrics, &drive.gauges());
    let (http, api) = common.answer(settings, drive.messages(), stopped.clone())?;
    let finish = common.finish((settings, http), &ledger, (unfinished, closed), stopped)?;
    let listening = Listening {
        sip_udp,
        sip_tcp,
        http,
    };
    let door = Arc::new(Door {
        accounts,
        reader: common.reader.clone(),
        ledger: ledger.clone(),
        live: common.live.clone(),
        drive: drive.messages(),
        clock: common.clock.clone(),
        base_url: link::base(&settings.http, http),
        turn: tokio::sync::Mutex::new(()),
    });
    let visitors = common.open_door(settings, &door)?;
    let follow = common.runtime.spawn(follow_wall_time(common.clock.clone()));
    let forget = common.forget(settings, &ledger);
    common.readiness.found(Part::Start);
    let run_file = settings.data_dir.join("run.json");
    write_whole(&run_file, &serde_json::to_vec(&listening)?)?;
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
    let stored = reader.accounts()?;
    let opened: Vec<Account> = stored
        .iter()
        .map(|stored| accounts.open(stored))
        .collect::<Result<_, _>>()?;
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
        closed: mpsc::Sender<RecordingId>,
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
            closed,
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
            recordings: recordings_folder(settings),
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
        (left, closed): (Vec<Recording>, mpsc::Receiver<RecordingId>),
        stopped: watch::Receiver<()>,
    ) -> anyhow::Result<tokio::task::JoinHandle<()>> {
        if settings.http.public_url.is_empty() && http.ip().is_unspecified() {
            tracing::warn!(%http, "links to recordings lead nowhere until http.public_url is set");
        }
        let parts = recordings::Parts {
            folder: recordings_folder(settings),
            clock: self.clock.clone(),
            accounts: self.live.clone(),
            reader: self.reader.clone(),
            ledger: ledger.clone(),
            base_url: link::base(&settings.http, http),
            metrics: Arc::clone(&self.metrics),
            mailer: Mailer::new(&settings.smtp)?,
        };
        let finish = recordings::run(parts, left, closed, stopped);
        Ok(self.runtime.spawn(finish))
    }

    /// Starts forgetting what is old.
    fn forget(&self, settings: &Settings, ledger: &Ledger) -> tokio::task::JoinHandle<()> {
        let (clock, live) = (self.clock.clone(), self.live.clone());
        let forget = retention::run(
            settings.retention.clone(),
            (clock, live),
            ledger.clone(),
            recordings_folder(settings),
        );
        self.runtime.spawn(forget)
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

/// Everything between the network and the ledger.
struct Network<'a> {
    settings: &'a Settings,
    common: &'a Common,
    ledger: &'a Ledger,
}

impl Network<'_> {
    fn start(
        &self,
        accounts: Vec<Account>,
        not_before: ::clock::Time,
    ) -> anyhow::Result<(Drive, SocketAddr, Option<SocketAddr>)> {
        let (messages, inbox) = inbox::channel(drive::INBOX_LIMIT)?;
        let udp = self.bind_udp()?;
        let sip_udp = udp
            .first()
            .map(UdpPort::local)
            .context("sip.udp names no address")?;
        let first_stream = FlowId(udp.len() as u64 + 1);
        let streams = self.streams(messages.clone(), first_stream);
        let tcp: Vec<SocketAddr> = self
            .settings
            .sip
            .tcp
            .0
            .iter()
            .map(|address| streams.listen(*address))
            .collect::<Result<_, _>>()?;
        let advertised = self
            .settings
            .sip
            .advertise
            .0
            .unwrap_or_else(|| reachable_at(sip_udp.ip()));
        let contacts = sip::Contacts {
            udp: SocketAddr::new(advertised, sip_udp.port()),
            tcp: SocketAddr::new(
                advertised,
                tcp.first().map_or(sip_udp.port(), SocketAddr::port),
            ),
        };
        let engine_settings = self.engine_settings(contacts, not_before)?;
        let recorder = self.recorder(&engine_settings)?;
        let wake = messages.clone();
        let rtp = rtp::start(
            &self.rtp_settings(sip_udp.ip()),
            &self.common.clock,
            move || {
                if wake.send(Message::MediaNews).is_err() {
                    tracing::error!(
                        "the drive loop is too far behind to hear of the media threads"
                    );
                }
            },
        )?;
        for account in accounts {
            let message = Message::Apply {
                draft: account.draft,
                plan: account.plan,
            };
            if messages.send(message).is_err() {
                anyhow::bail!("more accounts than fit into the drive loop's inbox");
            }
        }
        let drive = drive::start(drive::Parts {
            engine: Engine::new(engine_settings),
            udp,
            clock: self.common.clock.clone(),
            inbox,
            rtp: Arc::new(rtp),
            streams,
            ledger: self.ledger.clone(),
            dns: self.common.dns.clone(),
            asker: Asker::new(
                Guard::new(self.settings.hooks.allow.clone()),
                self.common.dns.clone(),
                Arc::new(Trust::load(&self.settings.hooks.ca_file)?),
            ),
            runtime: self.common.runtime.handle().clone(),
            recorder,
        })?;
        Ok((drive, sip_udp, tcp.first().copied()))
    }

    fn bind_udp(&self) -> anyhow::Result<Vec<UdpPort>> {
        let bind = |(flow, address): (u64, &SocketAddr)| UdpPort::bind(*address, FlowId(flow));
        Ok((1..)
            .zip(&self.settings.sip.udp.0)
            .map(bind)
            .collect::<Result<_, _>>()?)
    }

    fn streams(&self, messages: inbox::Sender<Message>, first_flow: FlowId) -> Streams {
        let limits = &self.settings.sip.limits;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Streams::new(
            self.common.runtime.handle().clone(),
            messages,
            first_flow,
            tcp::Limits {
                connections: limits.tcp_connections as usize,
                per_address: limits.tcp_connections_per_address as usize,
            },
            Patience {
                idle: seconds(limits.tcp_idle_seconds),
                message: seconds(limits.tcp_message_seconds),
                write: seconds(limits.tcp_write_seconds),
            },
        )
    }

    fn engine_settings(
        &self,
        contacts: sip::Contacts,
        not_before: ::clock::Time,
    ) -> anyhow::Result<engine::Settings> {
        let random = SystemRandom::new();
        let (mut seed, mut secret) = ([0; 8], [0; 32]);
        random
            .fill(&mut seed)
            .map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
        random
            .fill(&mut secret)
            .map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
        let sip = &self.settings.sip;
        let silence = self.settings.rtp.silence_seconds;
        let calls = sip.limits.calls as usize;
        Ok(engine::Settings {
            node: 0,
            first_call_at: not_before,
            seed: u64::from_ne_bytes(seed),
            secret,
            user_agent: sip::UaConfig {
                product: concat!("switchhook/", env!("CARGO_PKG_VERSION")).to_owned(),
                contacts,
                session_expires_seconds: sip.session_expires_seconds,
                limits: sip::Limits {
                    max_dialogs: calls * LEGS_PER_CALL,
                    ..sip::Limits::default()
                },
            },
            registrar: RegistrarLimits::default(),
            media_address: self.settings.rtp.address.0.unwrap_or(contacts.udp.ip()),
            silence: (silence > 0).then(|| Duration::from_secs(silence.into())),
            keepalive: KEEPALIVE,
        })
    }

    fn rtp_settings(&self, sip_address: IpAddr) -> RtpSettings {
        RtpSettings {
            threads: self.settings.rtp.threads,
            address: sip_address,
            ports: self.settings.rtp.ports.0.clone(),
            recordings: Some(recordings_folder(self.settings)),
            ..RtpSettings::default()
        }
    }

    fn recorder(&self, settings: &engine::Settings) -> anyhow::Result<Option<Recorder>> {
        if !self.settings.record_inputs {
            return Ok(None);
        }
        let name = format!("inputs-{}.jsonl", self.common.clock.now().as_millis());
        let path = self.settings.data_dir.join(name);
        tracing::info!(path = %path.display(), "inputs are recorded");
        let recorder = Recorder::create(&path, settings)
            .with_context(|| format!("cannot record inputs to {}", path.display()))?;
        Ok(Some(recorder))
    }
}

/// Where journals and audio are.
fn recordings_folder(settings: &Settings) -> PathBuf {
    settings.data_dir.join("recordings")
}

/// The address by which others reach a socket bound to `bound`: itself, or for a wildcard the one
/// that packets to the outside leave from. Nothing is sent to find out.
fn reachable_at(bound: IpAddr) -> IpAddr {
    if !bound.is_unspecified() {
        return bound;
    }
    let outside = SocketAddr::from(([192, 0, 2, 1], 9));
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(outside)?;
        socket.local_addr()
    });
    probe.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
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
/// A call with a ring group has more, most have two.
const LEGS_PER_CALL: usize = 4;
/// NAT mappings for UDP live at least 30 seconds on what is in use.
const KEEPALIVE: Duration = Duration::from_secs(25);
