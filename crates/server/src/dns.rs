//! Names to addresses, for webhooks and for trunks (RFC 3263). Built at the first question, so that
//! a server that asks nothing reads no resolver configuration and holds no cache.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use sip::Transport;
use tokio::sync::OnceCell;

/// Addresses given to one question at most.
const MAX_ADDRESSES: usize = 16;
/// Servers of one SRV set that are looked at.
const MAX_SERVERS: usize = 8;
/// An answer is kept at least and at most so long by those who asked.
const SHORTEST_TTL: Duration = Duration::from_secs(30);
const LONGEST_TTL: Duration = Duration::from_hours(1);
/// An answer that says nothing of its age.
const USUAL_TTL: Duration = Duration::from_mins(5);
/// A question is given up after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// The resolver; clones share it.
#[derive(Clone, Default)]
pub struct Dns(Arc<OnceCell<TokioResolver>>);

/// Where a trunk can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In the order they are to be tried.
    pub addresses: Vec<SocketAddr>,
    /// How long this holds.
    pub ttl: Duration,
}

/// Why a name gave no address.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The name system said no, or nothing.
    #[error("`{host}` has no address")]
    NoAddress {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// No answer in time.
    #[error("`{host}` was not resolved within {} seconds", PATIENCE.as_secs())]
    TimedOut {
        /// The name.
        host: String,
    },
}

impl Dns {
    /// The addresses of a host.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let answer = self.within(host, self.lookup(host)).await?;
        Ok(answer.addresses.iter().map(SocketAddr::ip).collect())
    }

    /// Where a SIP host is (RFC 3263 §4.2): a literal address as it is, with a port the host's
    /// addresses, else its SRV records, and without any its addresses at the usual port.
    pub async fn sip(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Transport,
    ) -> Result<Answer, DnsError> {
        let usual = port.unwrap_or(transport.default_port());
        if let Ok(ip) = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
        {
            return Ok(Answer {
                addresses: vec![SocketAddr::new(ip, usual)],
                ttl: LONGEST_TTL,
            });
        }
        self.within(host, async {
            if port.is_none() {
                let servers = self.servers(host, transport).await;
                if !servers.addresses.is_empty() {
                    return Ok(servers);
                }
            }
            let mut answer = self.lookup(host).await?;
            answer
                .addresses
                .iter_mut()
                .for_each(|address| address.set_port(usual));
            Ok(answer)
        })
        .await
    }

    async fn within(
        &self,
        host: &str,
        question: impl Future<Output = Result<Answer, DnsError>>,
    ) -> Result<Answer, DnsError> {
        let timed_out = || DnsError::TimedOut {
            host: host.to_owned(),
        };
        tokio::time::timeout(PATIENCE, question)
            .await
            .map_err(|_| timed_out())?
    }

    /// A and AAAA records; the port is left at zero.
    async fn lookup(&self, host: &str) -> Result<Answer, DnsError> {
        let none = |source| DnsError::NoAddress {
            host: host.to_owned(),
            source,
        };
        let resolver = self
            .resolver()
            .await
            .map_err(|error| none(Some(error.into())))?;
        let found = resolver
            .lookup_ip(host)
            .await
            .map_err(|error| none(Some(error.into())))?;
        let ttl = ttl(found.valid_until());
        let addresses: Vec<SocketAddr> = found
            .iter()
            .take(MAX_ADDRESSES)
            .map(|ip| SocketAddr::new(ip, 0))
            .collect();
        if addresses.is_empty() {
            Err(none(None))
        } else {
            Ok(Answer { addresses, ttl })
        }
    }

    /// The servers of an SRV set by priority, the heavier first, each with its addresses. Empty when
    /// there is no such set: that is no error.
    async fn servers(&self, host: &str, transport: Transport) -> Answer {
        let mut answer = Answer {
            addresses: Vec::new(),
            ttl: USUAL_TTL,
        };
        let Ok(resolver) = self.resolver().await else {
            return answer;
        };
        let Ok(found) = resolver
            .srv_lookup(format!("{}{host}.", srv_prefix(transport)))
            .await
        else {
            return answer;
        };
        answer.ttl = ttl(found.valid_until());
        let mut servers: Vec<_> = found
            .answers()
            .iter()
            .filter_map(|record| {
                let RData::SRV(srv) = &record.data else {
                    return None;
                };
                Some((srv.priority, u16::MAX - srv.weight, srv))
            })
            .collect();
        servers.sort_by_key(|(priority, lightness, _)| (*priority, *lightness));
        for (_, _, server) in servers.into_iter().take(MAX_SERVERS) {
            let Ok(found) = self.lookup(&server.target.to_ascii()).await else {
                continue;
            };
            answer.ttl = answer.ttl.min(found.ttl);
            let room = MAX_ADDRESSES - answer.addresses.len();
            let addresses = found.addresses.into_iter().take(room);
            answer
                .addresses
                .extend(addresses.map(|at| SocketAddr::new(at.ip(), server.port)));
        }
        answer
    }

    async fn resolver(&self) -> Result<&TokioResolver, hickory_resolver::net::NetError> {
        self.0
            .get_or_try_init(async || TokioResolver::builder_tokio()?.build())
            .await
    }
}

fn srv_prefix(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp.",
        Transport::Tcp | Transport::Ws => "_sip._tcp.",
        Transport::Tls | Transport::Wss => "_sips._tcp.",
    }
}

fn ttl(valid_until: std::time::Instant) -> Duration {
    let left = valid_until.saturating_duration_since(std::time::Instant::now());
    left.clamp(SHORTEST_TTL, LONGEST_TTL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_literal_address_needs_no_name_system() {
        let cases = [
            ("192.0.2.1", None, Transport::Udp, "192.0.2.1:5060"),
            ("192.0.2.1", Some(5080), Transport::Tcp, "192.0.2.1:5080"),
            ("192.0.2.1", None, Transport::Tls, "192.0.2.1:5061"),
            ("[2001:db8::1]", None, Transport::Udp, "[2001:db8::1]:5060"),
        ];
        for (host, port, transport, expect) in cases {
            let dns = Dns::default();
            let answer = dns.sip(host, port, transport).await.unwrap();
            assert_eq!(
                answer.addresses,
                [expect.parse::<SocketAddr>().unwrap()],
                "{host}"
            );
            assert!(!dns.0.initialized());
        }
    }
}
