//! What lies between the network and the ledger: sockets, media threads and the loop that owns the
//! engine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use engine::Engine;
use ring::rand::{SecureRandom, SystemRandom};
use sip::{FlowId, RegistrarLimits};

use super::Common;
use crate::accounts::Account;
use crate::drive::{self, Drive, Message};
use crate::hooks::ask::Asker;
use crate::hooks::guard::Guard;
use crate::hooks::trust::Trust;
use crate::inbox::{self, Inbox};
use crate::ledger::Ledger;
use crate::mailboxes::{self, Mailboxes};
use crate::net::stream::Patience;
use crate::net::tcp::{self, Streams};
use crate::net::udp::UdpPort;
use crate::record::Recorder;
use crate::recordings::recordings_folder;
use crate::rtp::{self, RtpSettings};
use crate::settings::Settings;
use crate::sounds::Library;

/// Everything between the network and the ledger.
pub(super) struct Network<'a> {
    pub(super) settings: &'a Settings,
    pub(super) common: &'a Common,
    pub(super) ledger: &'a Ledger,
}

impl Network<'_> {
    pub(super) fn start(
        &self,
        (messages, inbox): (inbox::Sender<Message>, Inbox<Message>),
        accounts: Vec<Account>,
        not_before: ::clock::Time,
    ) -> anyhow::Result<(Drive, SocketAddr, Option<SocketAddr>)> {
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
        let settings = self.rtp_settings(sip_udp.ip());
        let wake = messages.clone();
        let rtp = rtp::start(&settings, &self.common.clock, move || tell_of_news(&wake))?;
        let mailboxes = self.mailboxes(&messages);
        for account in accounts {
            if messages.send(Message::Apply(account)).is_err() {
                anyhow::bail!("more accounts than fit into the drive loop's inbox");
            }
        }
        for fill in self.common.reader.mailboxes()? {
            super::tell_of_mailbox(&messages, fill);
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
            asker: self.asker()?,
            runtime: self.common.runtime.handle().clone(),
            library: Library::of(&self.settings.data_dir),
            mailboxes,
            recorder,
        })?;
        Ok((drive, sip_udp, tcp.first().copied()))
    }

    fn mailboxes(&self, drive: &inbox::Sender<Message>) -> Mailboxes {
        Mailboxes::new(mailboxes::Parts {
            reader: self.common.reader.clone(),
            ledger: self.ledger.clone(),
            accounts: self.common.live.clone(),
            library: Library::of(&self.settings.data_dir),
            recordings: recordings_folder(&self.settings.data_dir),
            clock: self.common.clock.clone(),
            drive: drive.clone(),
        })
    }

    fn asker(&self) -> anyhow::Result<Asker> {
        let hooks = &self.settings.hooks;
        Ok(Asker::new(
            Guard::new(hooks.allow.clone()),
            self.common.dns.clone(),
            Arc::new(Trust::load(&hooks.ca_file)?),
        ))
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
            recordings: Some(recordings_folder(&self.settings.data_dir)),
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

/// The media threads have news for the loop.
fn tell_of_news(drive: &inbox::Sender<Message>) {
    if drive.send(Message::MediaNews).is_err() {
        tracing::error!("the drive loop is too far behind to hear of the media threads");
    }
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

/// A call with a ring group has more, most have two.
const LEGS_PER_CALL: usize = 4;
/// NAT mappings for UDP live at least 30 seconds on what is in use.
const KEEPALIVE: Duration = Duration::from_secs(25);
