//! Where a webhook may go: public addresses, and the networks that the operator allows.
//!
//! Without it an account's owner could make the server speak to its own neighbours. The rule is asked
//! when an account is saved (literal addresses) and again at every connect (whatever the name resolved
//! to, and that address is the one connected to, so that a name cannot change in between).

use std::net::IpAddr;

use pbx::Network;

use crate::net::cidr::Cidr;

/// The guard of one server.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Vec<Cidr>,
    closed: Vec<Network>,
    embedding: Vec<(Network, u32)>,
}

/// Why no request goes there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a URL that webhooks can use.
    #[error("`{url}` is not an http:// or https:// URL with a host")]
    NotAUrl {
        /// As written.
        url: String,
    },
    /// An address that is not public, and not allowed.
    #[error("{ip} is not a public address; the operator can allow it with hooks.allow")]
    Closed {
        /// The address.
        ip: IpAddr,
    },
}

/// Networks that are not the public Internet (RFC 6890 and its registries), plus multicast.
const CLOSED: [&str; 27] = [
    "0.0.0.0/8",       // "This network"; 0.0.0.0 reaches the own host.
    "10.0.0.0/8",      // Private, RFC 1918.
    "100.64.0.0/10",   // Carrier-grade NAT, RFC 6598.
    "127.0.0.0/8",     // Loopback.
    "169.254.0.0/16",  // Link-local, where clouds serve credentials.
    "172.16.0.0/12",   // Private.
    "192.0.0.0/24",    // IETF protocol assignments.
    "192.0.2.0/24",    // Documentation.
    "192.88.99.0/24",  // Former 6to4 relays.
    "192.168.0.0/16",  // Private.
    "198.18.0.0/15",   // Benchmarks.
    "198.51.100.0/24", // Documentation.
    "203.0.113.0/24",  // Documentation.
    "224.0.0.0/4",     // Multicast.
    "240.0.0.0/4",     // Reserved, and broadcast.
    "::/96",           // Unspecified, loopback, v4-compatible.
    "64:ff9b:1::/48",  // Local NAT64, RFC 8215.
    "100::/64",        // Discard.
    "2001::/23",       // IETF protocol assignments, Teredo among them.
    "2001:db8::/32",   // Documentation.
    "3fff::/20",       // Documentation.
    "5f00::/16",       // Segment routing.
    "fc00::/7",        // Unique local.
    "fe80::/10",       // Link-local.
    "fec0::/10",       // Former site-local.
    "ff00::/8",        // Multicast.
    "::ffff:0:0:0/96", // SIIT, RFC 2765: a v4 address inside.
];

/// NAT64 (RFC 6052) and 6to4 (RFC 3056): the v4 address inside is what counts. How many bits
/// stand behind it is the second value.
const EMBEDDING: [(&str, u32); 2] = [("64:ff9b::/96", 0), ("2002::/16", 80)];

impl Guard {
    /// A guard that lets `allow` through besides public addresses.
    pub fn new(allow: Vec<Cidr>) -> Self {
        let network = |text: &str| text.parse::<Network>().expect("a constant, and tested");
        let closed = CLOSED.into_iter().map(network).collect();
        let embedding = EMBEDDING
            .map(|(text, behind)| (network(text), behind))
            .into();
        Self {
            allow,
            closed,
            embedding,
        }
    }

    /// Whether a request may be sent to `ip`.
    pub fn check(&self, ip: IpAddr) -> Result<(), Refusal> {
        let allowed = self.allow.iter().any(|network| network.contains(ip));
        let closed = self
            .closed
            .iter()
            .any(|network| network.contains(self.meant(ip)));
        if allowed || !closed {
            Ok(())
        } else {
            Err(Refusal::Closed { ip })
        }
    }

    /// The address that `ip` stands for.
    fn meant(&self, ip: IpAddr) -> IpAddr {
        let IpAddr::V6(v6) = ip.to_canonical() else {
            return ip.to_canonical();
        };
        let Some((_, behind)) = self
            .embedding
            .iter()
            .find(|(network, _)| network.contains(ip))
        else {
            return ip;
        };
        let low = (v6.to_bits() >> behind) & u128::from(u32::MAX);
        IpAddr::V4(u32::try_from(low).expect("masked to 32 bits").into())
    }

    /// Checks a URL as far as that goes without resolving its name.
    pub fn check_url(&self, url: &str) -> Result<(), Refusal> {
        let target = Target::parse(url)?;
        match target.host {
            Host::Ip(ip) => self.check(ip),
            Host::Name(_) => Ok(()),
        }
    }
}

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// In the clear or over TLS.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port, the scheme's own if none was written.
    pub port: u16,
    /// The `Host` header.
    pub authority: String,
    /// Path and query, what the request line holds.
    pub path: String,
}

/// In the clear or over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

/// A host of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, to be resolved.
    Name(String),
}

impl Target {
    /// Reads an `http` or `https` URL. User names in URLs are refused: they hide where it leads.
    pub fn parse(url: &str) -> Result<Self, Refusal> {
        Self::read(url).ok_or_else(|| Refusal::NotAUrl {
            url: url.to_owned(),
        })
    }

    fn read(url: &str) -> Option<Self> {
        let uri: axum::http::Uri = url.parse().ok()?;
        let scheme = match uri.scheme_str()? {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let default_port = if scheme == Scheme::Http { 80 } else { 443 };
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" | ":" => default_port,
            written => written
                .strip_prefix(':')?
                .parse()
                .ok()
                .filter(|port| *port > 0)?,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Some(Self {
            scheme,
            host: Host::parse(host)?,
            port,
            authority: authority.as_str().to_owned(),
            path: path.to_owned(),
        })
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl Host {
    fn parse(host: &str) -> Option<Self> {
        if let Ok(ip) = host.parse() {
            return Some(Self::Ip(ip));
        }
        // `0x7f.1`, `2130706433` and the like are addresses to some resolvers: no name ends in a number.
        let last = host
            .trim_end_matches('.')
            .rsplit('.')
            .next()
            .filter(|label| !label.is_empty())?;
        let numeric = last.chars().all(|letter| letter.is_ascii_digit()) || last.starts_with("0x");
        (!numeric).then(|| Self::Name(host.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        let cases = [
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::127.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::8.8.8.8", true),
            ("2002:7f00:1::", false),
            ("2001:0:1::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
        ];
        let guard = Guard::new(Vec::new());
        for (ip, expect) in cases {
            assert_eq!(guard.check(ip.parse().unwrap()).is_ok(), expect, "{ip}");
        }
    }

    #[test]
    fn the_operator_can_open_a_network() {
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(guard.check("127.0.0.1".parse().unwrap()).is_ok());
        assert!(guard.check("::ffff:127.0.0.1".parse().unwrap()).is_ok());
        assert!(guard.check("10.0.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn urls_are_checked_as_far_as_they_say_where_they_lead() {
        let cases = [
            ("https://crm.example.com/hooks", Ok(())),
            ("http://8.8.8.8:8080/x?y=z", Ok(())),
            (
                "http://127.0.0.1/",
                Err("127.0.0.1 is not a public address"),
            ),
            ("http://[::1]:80/", Err("::1 is not a public address")),
            (
                "http://2130706433/",
                Err("`http://2130706433/` is not an http://"),
            ),
            ("http://0x7f.1/", Err("`http://0x7f.1/` is not an http://")),
            ("http://127.1/", Err("`http://127.1/` is not an http://")),
            (
                "http://user@8.8.8.8/",
                Err("`http://user@8.8.8.8/` is not an http://"),
            ),
            (
                "ftp://example.com/",
                Err("`ftp://example.com/` is not an http://"),
            ),
            ("/path", Err("`/path` is not an http://")),
            (
                "http://example.com:0/",
                Err("`http://example.com:0/` is not an http://"),
            ),
            (
                "http://example.com:99999/",
                Err("`http://example.com:99999/` is not an http://"),
            ),
        ];
        for (url, expect) in cases {
            let got = Guard::new(Vec::new())
                .check_url(url)
                .map_err(|refusal| refusal.to_string());
            match (&got, expect) {
                (Ok(()), Ok(())) => {}
                (Err(text), Err(start)) => assert!(text.starts_with(start), "{url}: {text}"),
                _ => panic!("{url}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_url_gives_its_parts() {
        let target = Target::parse("https://[2001:db8::1]:8443/a/b?c=d").unwrap();
        assert_eq!(target.scheme, Scheme::Https);
        assert_eq!(target.host, Host::Ip("2001:db8::1".parse().unwrap()));
        assert_eq!((target.port, target.path.as_str()), (8443, "/a/b?c=d"));
        assert_eq!(target.authority, "[2001:db8::1]:8443");
        assert_eq!(Target::parse("http://crm.example").unwrap().path, "/");
    }
}
