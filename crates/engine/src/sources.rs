//! Which trunks a source address may belong to. One carrier serves many accounts, so an address may
//! name many trunks.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pbx::{AccountId, InboundFrom, Plan};

use crate::directory::TrunkRef;

/// Source addresses of all trunks.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Single addresses: nearly all there are.
    addresses: BTreeMap<IpAddr, Vec<Listed>>,
    /// Wider networks: few, and looked through one by one.
    networks: Vec<(InboundFrom, TrunkRef)>,
    /// What each trunk's host has resolved to.
    resolved: BTreeMap<TrunkRef, Vec<IpAddr>>,
}

/// A trunk at a single address.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    trunk: TrunkRef,
    /// `None`: any port.
    port: Option<u16>,
}

impl Sources {
    /// Takes in what a plan lists.
    pub(crate) fn add(&mut self, plan: &Plan) {
        for (from, trunk) in listed_in(plan) {
            match single(&from) {
                Some(address) => self.add_address(address, trunk, from.port),
                None => self.networks.push((from, trunk)),
            }
        }
    }

    /// Takes out what a plan lists, and what its trunks' hosts have resolved to.
    pub(crate) fn remove(&mut self, plan: &Plan) {
        for (from, trunk) in listed_in(plan) {
            if let Some(address) = single(&from) {
                self.remove_address(address, &trunk, from.port);
            }
        }
        self.networks
            .retain(|(_, trunk)| trunk.account != plan.account);
        for name in plan.trunks.iter().map(|trunk| &trunk.name) {
            let trunk = TrunkRef {
                account: plan.account,
                name: name.clone(),
            };
            self.resolved(&trunk, &[]);
        }
    }

    /// The addresses that a trunk's host has resolved to count as the trunk's own.
    pub(crate) fn resolved(&mut self, trunk: &TrunkRef, addresses: &[SocketAddr]) {
        for address in self.resolved.remove(trunk).unwrap_or_default() {
            self.remove_address(address, trunk, None);
        }
        let mut addresses: Vec<IpAddr> = addresses
            .iter()
            .map(|address| address.ip().to_canonical())
            .collect();
        addresses.sort();
        addresses.dedup();
        for address in &addresses {
            self.add_address(*address, trunk.clone(), None);
        }
        if !addresses.is_empty() {
            self.resolved.insert(trunk.clone(), addresses);
        }
    }

    /// The trunks that a request from `source` may belong to.
    pub(crate) fn at(&self, source: SocketAddr) -> impl Iterator<Item = &TrunkRef> {
        let address = source.ip().to_canonical();
        let single = self.addresses.get(&address).into_iter().flatten();
        let single = single
            .filter(move |listed| listed.port.is_none_or(|port| port == source.port()))
            .map(|listed| &listed.trunk);
        let wide = self.networks.iter();
        let wide = wide.filter(move |(from, _)| from.matches(address, source.port()));
        single.chain(wide.map(|(_, trunk)| trunk))
    }

    fn add_address(&mut self, address: IpAddr, trunk: TrunkRef, port: Option<u16>) {
        let listed = Listed { trunk, port };
        self.addresses.entry(address).or_default().push(listed);
    }

    /// Takes one entry out: the same address may be listed and resolved to.
    fn remove_address(&mut self, address: IpAddr, trunk: &TrunkRef, port: Option<u16>) {
        let Some(all) = self.addresses.get_mut(&address) else {
            return;
        };
        let is_it = |listed: &Listed| listed.trunk == *trunk && listed.port == port;
        if let Some(place) = all.iter().position(is_it) {
            all.remove(place);
        }
        if all.is_empty() {
            self.addresses.remove(&address);
        }
    }
}

fn listed_in(plan: &Plan) -> impl Iterator<Item = (InboundFrom, TrunkRef)> + '_ {
    let account: AccountId = plan.account;
    plan.trunks.iter().flat_map(move |trunk| {
        let listed = trunk.inbound_from.iter();
        listed.map(move |from| {
            let name = trunk.name.clone();
            (*from, TrunkRef { account, name })
        })
    })
}

/// The address, if it is only one.
fn single(from: &InboundFrom) -> Option<IpAddr> {
    let address = from.network.address();
    let whole = if address.is_ipv4() { 32 } else { 128 };
    (from.network.prefix() == whole).then(|| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use pbx::draft::Draft;
    use pbx::testing::example;

    use super::*;

    fn plan(account: u32, change: impl FnOnce(&mut Draft)) -> Plan {
        let mut draft = example();
        change(&mut draft);
        draft.compile(AccountId(account), 1).unwrap()
    }

    #[track_caller]
    fn check(sources: &Sources, source: &str, expect: &[(u32, &str)]) {
        let found: Vec<_> = sources
            .at(source.parse().unwrap())
            .map(|trunk| (trunk.account.0, &*trunk.name))
            .collect();
        assert_eq!(found, expect, "{source}");
    }

    #[test]
    fn addresses_ports_and_networks_name_trunks() {
        let mut sources = Sources::default();
        let listed = ["203.0.113.7", "203.0.113.8:5080", "198.51.100.0/24"];
        let one = plan(1, |draft| {
            draft.trunks[1].inbound_from = listed.map(str::to_owned).to_vec();
        });
        let two = plan(2, |draft| {
            draft.trunks[0].inbound_from = vec!["203.0.113.7".to_owned()];
            draft.trunks[1].inbound_from.clear();
        });
        sources.add(&one);
        sources.add(&two);
        check(&sources, "203.0.113.7:9", &[(1, "backup"), (2, "carrier")]);
        check(
            &sources,
            "[::ffff:203.0.113.7]:9",
            &[(1, "backup"), (2, "carrier")],
        );
        check(&sources, "203.0.113.8:5080", &[(1, "backup")]);
        check(&sources, "203.0.113.8:5081", &[]);
        check(&sources, "198.51.100.99:1", &[(1, "backup")]);
        sources.remove(&one);
        check(&sources, "203.0.113.7:9", &[(2, "carrier")]);
        check(&sources, "198.51.100.99:1", &[]);
        sources.remove(&two);
        assert!(sources.addresses.is_empty() && sources.networks.is_empty());
    }

    #[test]
    fn what_a_host_resolves_to_takes_the_place_of_what_it_did() {
        let mut sources = Sources::default();
        let plan = plan(1, |draft| {
            draft.trunks[0].inbound_from = vec!["192.0.2.1".to_owned()];
        });
        let trunk = TrunkRef {
            account: AccountId(1),
            name: "carrier".into(),
        };
        sources.add(&plan);
        let address = |text: &str| text.parse().unwrap();
        sources.resolved(
            &trunk,
            &[address("192.0.2.1:5060"), address("192.0.2.2:5060")],
        );
        check(&sources, "192.0.2.2:40000", &[(1, "carrier")]);
        sources.resolved(&trunk, &[address("192.0.2.3:5060")]);
        check(&sources, "192.0.2.2:40000", &[]);
        // It is listed, whatever the host resolves to.
        check(&sources, "192.0.2.1:40000", &[(1, "carrier")]);
        sources.remove(&plan);
        check(&sources, "192.0.2.3:5060", &[]);
        assert!(sources.resolved.is_empty());
    }
}
