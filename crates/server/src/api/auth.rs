//! Who asks: the key in the `token` header, and the address the request comes from.
//!
//! The key is never taken from the query, where proxies would log it. An empty white list blocks
//! everybody (contract §1.6).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use pbx::Plan;
use sha2::{Digest, Sha256};

use super::Api;
use super::envelope::ApiError;
use crate::net::cidr::Cidr;

/// Header of the API key.
const TOKEN: &str = "token";
/// Header in which proxies say whom they speak for.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Wrong keys of one address that are answered as such: sustained, and at once. Further ones are
/// told to wait. A right key from the same address is let in all the same.
pub(super) const GUESSES_PER_SECOND: u32 = 1;
pub(super) const GUESSES_AT_ONCE: u32 = 20;

/// SHA-256 of an API key.
pub(super) type KeyHash = [u8; 32];

/// An account's program that may ask.
pub(super) struct Caller {
    /// The account's plan.
    pub(super) plan: Arc<Plan>,
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // Without an address nobody is on a white list.
        let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(peer)| peer.ip());
        admit(api, peer, &parts.headers)
    }
}

fn admit(api: &Api, peer: IpAddr, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let source = source(peer, headers, &api.trusted_proxies);
    let now = api.clock.now();
    let key = headers.get(TOKEN).and_then(|value| value.to_str().ok());
    let directory = api.accounts.current();
    let Some((key, plan)) = key.and_then(|key| Some((key, directory.owner_of_key(key)?))) else {
        let guess = api.guesses.take(now, household(source));
        return Err(guess.map_or_else(ApiError::too_many, |()| ApiError::not_authorised()));
    };
    if !plan
        .allowed_ips
        .iter()
        .any(|network| network.contains(source))
    {
        return Err(ApiError::address_not_listed());
    }
    let hash: KeyHash = Sha256::digest(key.as_bytes()).into();
    api.limiter.take(now, hash).map_err(ApiError::too_many)?;
    Ok(Caller {
        plan: Arc::clone(plan),
    })
}

/// The address a request really comes from. Each proxy appends the peer that it saw, so the list is
/// read from its end for as long as those who wrote it are trusted.
fn source(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    let lines = headers.get_all(FORWARDED_FOR).iter();
    let texts: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let mut named = texts.iter().rev().flat_map(|line| line.rsplit(','));
    let mut source = peer;
    while is_trusted(source) {
        // What cannot be read ends the chain at the last one that could.
        let Some(before) = named.next().and_then(parse_address) else {
            break;
        };
        source = before;
    }
    source.to_canonical()
}

/// Whoever has an IPv6 address has its whole /64 (RFC 6177 §2).
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
    }
}

/// `203.0.113.7`, `203.0.113.7:1234`, `2001:db8::1` or `[2001:db8::1]:1234`.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip()).ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let cases: [(&str, &[&str], &str); 9] = [
            ("203.0.113.7", &[], "203.0.113.7"),
            ("203.0.113.7", &["10.9.9.9"], "203.0.113.7"),
            ("127.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("127.0.0.1", &["1.2.3.4, 203.0.113.7"], "203.0.113.7"),
            (
                "127.0.0.1",
                &["1.2.3.4, 203.0.113.7, 127.0.0.2"],
                "203.0.113.7",
            ),
            ("127.0.0.1", &["203.0.113.7", "127.0.0.3:99"], "203.0.113.7"),
            ("127.0.0.1", &["[2001:db8::1]:99"], "2001:db8::1"),
            ("127.0.0.1", &["203.0.113.7, nonsense"], "127.0.0.1"),
            ("::ffff:127.0.0.1", &["203.0.113.7"], "203.0.113.7"),
        ];
        let trusted = ["127.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, expect) in cases {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            let got = source(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(
                got,
                expect.parse::<IpAddr>().unwrap(),
                "{peer} {forwarded:?}"
            );
        }
    }
}
