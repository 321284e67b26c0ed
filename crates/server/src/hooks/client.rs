//! One POST to one receiver: resolve, check the address, connect to exactly that address, send, read
//! a little of the answer. Connections are kept for the next delivery of the same endpoint.
//!
//! Redirects are not followed and TLS is verified.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clock::Time;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::guard::{Guard, Host, Refusal, Scheme, Target};
use super::lanes::EndpointKey;
use super::trust::Trust;
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
    trust: Arc<Trust>,
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
    pub(super) retry_after: Option<RetryAfter>,
}

/// When a receiver wants to be tried again (RFC 9110 §10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryAfter {
    Pause(Duration),
    At(Time),
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
    #[error("the answer cannot be read: {0}")]
    Answer(String),
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

impl Client {
    pub(super) fn new(guard: Guard, dns: Dns, trust: Arc<Trust>) -> Self {
        Self {
            guard,
            dns,
            trust,
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

    /// Sends the request to `target` over a connection of its own and reads all of a short answer,
    /// all within `patience`.
    pub(super) async fn fetch(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), PostError> {
        let fetch = async {
            let mut sender = self.connect(target).await?;
            let (parts, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| PostError::Answer(error.to_string()))?;
            Ok((parts.status, body.to_bytes()))
        };
        tokio::time::timeout(patience, fetch)
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
        let retry_after = retry_after.and_then(|value| RetryAfter::read(value.to_str().ok()?));
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
                let secured = self.trust.connector().connect(name, stream).await;
                handshake(secured.map_err(failed)?).await
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

impl RetryAfter {
    /// Seconds, or a date in any of the three forms of RFC 9110 §5.6.7.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Self::Pause(Duration::from_secs(seconds)));
        }
        let date: SystemTime = httpdate::parse_http_date(text).ok()?;
        let since_1970 = date.duration_since(UNIX_EPOCH).ok()?;
        Some(Self::At(Time::from_secs(since_1970.as_secs())))
    }

    /// How long that is from now.
    pub(super) fn from(self, now: Time) -> Duration {
        match self {
            Self::Pause(pause) => pause,
            Self::At(time) => time.since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Time::from_secs(784_111_777 - 90);
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(90)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(90)),
            ("Sun Nov  6 08:49:37 1994", Some(90)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ];
        for (text, expect) in cases {
            let pause = RetryAfter::read(text).map(|after| after.from(now).as_secs());
            assert_eq!(pause, expect, "{text}");
        }
    }
}
