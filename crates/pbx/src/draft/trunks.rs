//! Trunks.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::compile::{Compiler, Role};
use super::document;
use super::export::is_hashed;
use super::text::is_word;
use crate::network::Network;
use crate::plan::{InboundFrom, Register, Trunk};

const DEFAULT_EXPIRES_SECONDS: u32 = 300;
const MIN_EXPIRES_SECONDS: u32 = 60;
const MAX_EXPIRES_SECONDS: u32 = 86_400;

/// Wider networks than these take in strangers, who could then call as this trunk.
const WIDEST_IPV4_PREFIX: u8 = 24;
const WIDEST_IPV6_PREFIX: u8 = 48;

impl Compiler<'_> {
    /// Every trunk, in the draft's order.
    pub(super) fn trunks(&mut self) -> Vec<Trunk> {
        let draft = self.draft;
        let mut names = BTreeMap::new();
        draft
            .trunks
            .iter()
            .enumerate()
            .map(|(index, trunk)| self.trunk(&format!("trunks[{index}]"), trunk, &mut names))
            .collect()
    }

    fn trunk(
        &mut self,
        path: &str,
        trunk: &document::Trunk,
        names: &mut BTreeMap<String, String>,
    ) -> Trunk {
        let name_path = format!("{path}.name");
        self.name(&name_path, &trunk.name);
        self.unique(&name_path, &trunk.name, names, "name");
        let (host, port) = self.host(&format!("{path}.host"), &trunk.host);
        self.zero_calls(&format!("{path}.calls"), trunk.calls);
        if trunk.register.is_none() && trunk.inbound_from.is_empty() {
            self.warning(
                path,
                "has neither `register` nor `inbound_from`, so no call can come in by it: add \
                 the carrier's addresses if it should",
            );
        }
        let inbound_from = trunk
            .inbound_from
            .iter()
            .enumerate()
            .filter_map(|(index, text)| {
                self.inbound_from(&format!("{path}.inbound_from[{index}]"), text)
            });
        let inbound_from = inbound_from.collect();
        Trunk {
            name: trunk.name.as_str().into(),
            host: host.into(),
            port,
            transport: trunk.transport,
            register: trunk
                .register
                .as_ref()
                .map(|register| self.register(&format!("{path}.register"), register)),
            inbound_from,
            number_format: trunk.number_format,
            calls: trunk.calls,
            caller_ids: trunk.caller_ids,
        }
    }

    fn host(&mut self, path: &str, text: &str) -> (String, Option<u16>) {
        let (host, port) = split_host(text);
        let is_host = |char: char| char.is_ascii_alphanumeric() || "-._:".contains(char);
        let port = port.map(str::parse::<u16>);
        if !is_word(host, 253, is_host) || matches!(port, Some(Err(_) | Ok(0))) {
            self.error(
                path,
                "must be a host name or address, with `:port` where it is not the usual one",
            );
        }
        (host.to_owned(), port.and_then(Result::ok))
    }

    fn zero_calls(&mut self, path: &str, calls: Option<u32>) {
        if calls == Some(0) {
            self.error(
                path,
                "is 0, which lets no call through: leave it out for no limit",
            );
        }
    }

    fn register(&mut self, path: &str, register: &document::Register) -> Register {
        if register.username.is_empty() {
            self.error(
                format!("{path}.username"),
                "is empty: the carrier has given you one",
            );
        }
        let password = register.password.reveal();
        if password.is_empty() || is_hashed(password) {
            self.error(
                format!("{path}.password"),
                "must be the password itself: a carrier's challenge cannot be answered with a \
                 hash",
            );
        }
        let expires_seconds = register.expires_seconds.unwrap_or(DEFAULT_EXPIRES_SECONDS);
        if !(MIN_EXPIRES_SECONDS..=MAX_EXPIRES_SECONDS).contains(&expires_seconds) {
            self.error(
                format!("{path}.expires_seconds"),
                format!("must be {MIN_EXPIRES_SECONDS} to {MAX_EXPIRES_SECONDS}"),
            );
        }
        Register {
            username: register.username.as_str().into(),
            password: password.into(),
            expires_seconds,
        }
    }

    fn inbound_from(&mut self, path: &str, text: &str) -> Option<InboundFrom> {
        let from = match parse_inbound_from(text) {
            Ok(from) => from,
            Err(complaint) => {
                self.error(path, format!("`{text}` {complaint}"));
                return None;
            }
        };
        let widest = match from.network.address() {
            IpAddr::V4(_) => WIDEST_IPV4_PREFIX,
            IpAddr::V6(_) => WIDEST_IPV6_PREFIX,
        };
        if from.network.prefix() < widest {
            let rule = format!(
                "is wider than /{widest}: everyone in it could call as this carrier. Name the \
                 carrier's own addresses"
            );
            match self.role {
                Role::Operator => self.warning(path, rule),
                Role::Customer => self.error(path, rule + ", or ask the operator"),
            }
        }
        Some(from)
    }
}

/// An address, a network, or `ip:port`.
fn parse_inbound_from(text: &str) -> Result<InboundFrom, &'static str> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        let network = Network::from(socket.ip());
        return Ok(InboundFrom {
            network,
            port: Some(socket.port()),
        });
    }
    text.parse().map(|network| InboundFrom {
        network,
        port: None,
    })
}

/// `host`, `host:port`, `[v6]:port`, or a bare IPv6 address.
fn split_host(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (host, port.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        Some(_) | None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_split_where_the_port_begins() {
        let table = [
            ("sip.example", "sip.example", None),
            ("sip.example:5070", "sip.example", Some("5070")),
            ("203.0.113.1:5060", "203.0.113.1", Some("5060")),
            ("[2001:db8::1]:5060", "2001:db8::1", Some("5060")),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("2001:db8::1", "2001:db8::1", None),
        ];
        for (text, host, port) in table {
            assert_eq!(split_host(text), (host, port), "{text}");
        }
    }

    #[test]
    fn a_carrier_is_an_address_a_network_or_one_port() {
        let matches = |text: &str, address: &str, port| {
            parse_inbound_from(text)
                .unwrap()
                .matches(address.parse().unwrap(), port)
        };
        assert!(matches("203.0.113.7", "203.0.113.7", 9));
        assert!(matches("203.0.113.0/24", "203.0.113.9", 9));
        assert!(matches("127.0.0.2:5080", "127.0.0.2", 5080));
        assert!(!matches("127.0.0.2:5080", "127.0.0.2", 5081));
        assert!(parse_inbound_from("carrier.example").is_err());
    }
}
