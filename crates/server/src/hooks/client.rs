//! One POST to one receiver: resolve, check the address, connect to exactly that address, send, read
//! a little of the answer. Connections are kept for the next delivery of the same endpoint.
//!
//! Redirects are not followed and TLS is verified against the built-in roots.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::guard::{Guard, Host, Refusal, Scheme, Target};
use super::lanes::EndpointKey;
use crate::dns::{Dns, DnsError};

/// Bytes of an answer that are read. Behind them the connection is closed.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// Idle connections kept per endpoint, and for how long.
const MAX_IDLE: usize = 16;
pub(super) const IDLE_TIME: Duration = Duration::from_secs(20);
/// Addresses of a host that are tried.
const MAX_TRIED: usize = 4;
/// Time for one address to accept the connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// The client of one server.
pub(super) struct Client {
    guard: Guard,
    dns: Dns,
    tls: OnceLock<TlsConnector>,
    idle: Mutex<BTreeMap<EndpointKey, Vec<Idle>>>,
}

struct Idle {
    target: Target,
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// What a receiver said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error(transparent)]
    Url(#[from] Refusal),
    #[error(transparent)]
    Dns(#[from] DnsError),
    #[error("cannot connect to {address}")]
    Connect {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("no secure connection to {host}")]
    Tls {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the connection failed")]
    Http(#[from] hyper::Error),
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

impl Client {
    pub(super) fn new(guard: Guard, dns: Dns) -> Self {
        Self {
            guard,
            dns,
            tls: OnceLock::new(),
            idle: Mutex::default(),
        }
    }

    /// Sends the request to `target` and reads the answer, all within `patience`.
    pub(super) async fn post(
        &self,
        key: &EndpointKey,
        target: &Target,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Answer, PostError> {
        let post = self.post_somehow(key, target, request);
        tokio::time::timeout(patience, post)
            .await
            .map_err(|_| PostError::TimedOut(patience))?
    }

    /// Over a kept connection, and over a new one if the receiver had closed that meanwhile.
    async fn post_somehow(
        &self,
        key: &EndpointKey,
        target: &Target,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, PostError> {
        if let Some(mut sender) = self.take_idle(key, target) {
            let sent = sender.send_request(request.clone()).await;
            match sent {
                Ok(response) => return self.finish(key, target, sender, response).await,
                Err(error) => tracing::debug!(%error, "a kept connection was closed"),
            }
        }
        let mut sender = self.connect(target).await?;
        let response = sender.send_request(request).await?;
        self.finish(key, target, sender, response).await
    }

    async fn finish(
        &self,
        key: &EndpointKey,
        target: &Target,
        sender: SendRequest<Full<Bytes>>,
        response: Response<Incoming>,
    ) -> Result<Answer, PostError> {
        let (parts, body) = response.into_parts();
        let retry_after = parts.headers.get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| retry_after_of(value.to_str().ok()?));
        if drained(body).await? == Drained::Whole {
            self.keep(key, target, sender);
        }
        Ok(Answer {
            status: parts.status,
            retry_after,
        })
    }

    fn take_idle(&self, key: &EndpointKey, target: &Target) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.lock();
        let kept = idle.get_mut(key)?;
        while let Some(last) = kept.pop() {
            let is_good = last.target == *target && last.since.elapsed() < IDLE_TIME;
            if is_good && last.sender.is_ready() {
                return Some(last.sender);
            }
        }
        None
    }

    fn keep(&self, key: &EndpointKey, target: &Target, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.lock();
        let kept = idle.entry(key.clone()).or_default();
        if kept.len() < MAX_IDLE {
            kept.push(Idle {
                target: target.clone(),
                sender,
                since: Instant::now(),
            });
        }
    }

    /// Closes connections that nobody used for a while. Returns how many are left.
    pub(super) fn sweep(&self) -> usize {
        let mut idle = self.lock();
        idle.retain(|_, kept| {
            kept.retain(|one| one.since.elapsed() < IDLE_TIME && !one.sender.is_closed());
            !kept.is_empty()
        });
        idle.values().map(Vec::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<EndpointKey, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, target: &Target) -> Result<SendRequest<Full<Bytes>>, PostError> {
        let stream = self.connect_tcp(target).await?;
        match target.scheme {
            Scheme::Http => handshake(stream).await,
            Scheme::Https => {
                let host = target.host.to_string();
                let failed = |source| PostError::Tls {
                    host: host.clone(),
                    source,
                };
                let name = ServerName::try_from(host.clone())
                    .map_err(|error| failed(std::io::Error::other(error)))?;
                let tls = self.tls.get_or_init(verifying_connector);
                handshake(tls.connect(name, stream).await.map_err(failed)?).await
            }
        }
    }

    /// Connects to the first address that accepts. Each is checked just before: the guard and the
    /// connection see the same address, so a name cannot change in between.
    async fn connect_tcp(&self, target: &Target) -> Result<TcpStream, PostError> {
        let addresses = match &target.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.dns.addresses(name).await?,
        };
        let allowed: Vec<IpAddr> = self.allowed(&addresses)?;
        let mut failure = None;
        for ip in allowed.into_iter().take(MAX_TRIED) {
            let address = SocketAddr::new(ip, target.port);
            match tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A body goes out in one piece; it need not wait for more.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Ok(Err(source)) => failure = Some(PostError::Connect { address, source }),
                Err(_) => failure = Some(PostError::TimedOut(CONNECT_PATIENCE)),
            }
        }
        Err(failure.unwrap_or(PostError::TimedOut(CONNECT_PATIENCE)))
    }

    /// The addresses that the guard lets through, or why it lets none through.
    fn allowed(&self, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, PostError> {
        let mut refusal = None;
        let mut allowed = Vec::new();
        for ip in addresses {
            match self.guard.check(*ip) {
                Ok(()) => allowed.push(*ip),
                Err(refused) => refusal = Some(refused),
            }
        }
        match refusal {
            Some(refusal) if allowed.is_empty() => Err(refusal.into()),
            Some(_) | None => Ok(allowed),
        }
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, PostError> {
    let builder = http1::Builder::new();
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // The task ends when the sender is dropped or the receiver closes: its owner is the pool.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a receiver's connection ended");
        }
    });
    Ok(sender)
}

fn verifying_connector() -> TlsConnector {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the ring provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Whether an answer was read to its end.
#[derive(Debug, PartialEq, Eq)]
enum Drained {
    Whole,
    CutOff,
}

async fn drained(mut body: Incoming) -> Result<Drained, PostError> {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame?.data_ref().map_or(0, Bytes::len);
        if read > MAX_ANSWER_BYTES {
            return Ok(Drained::CutOff);
        }
    }
    Ok(Drained::Whole)
}

/// `Retry-After` as seconds. A date is not understood: the usual pause is right often enough.
fn retry_after_of(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}
