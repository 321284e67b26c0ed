//! Who and where: from what a request says to the account it belongs to.
//!
//! Domains, usernames of devices, inbound numbers and source addresses of trunks, over all accounts
//! of the node. It decides nothing about calls; `design: how things meet` is told in ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pbx::number::E164;
use pbx::{AccountId, InboundFrom, Plan};
use sip::Aor;

/// Everything needed to find an account.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    domains: BTreeMap<Arc<str>, AccountId>,
    /// Accounts in which the username is a device's.
    devices: BTreeMap<Arc<str>, Vec<AccountId>>,
    numbers: BTreeMap<E164, AccountId>,
    trunks: Vec<TrunkSource>,
    /// Survives a new plan, so that a phone stays registered.
    aors: BTreeMap<(AccountId, Arc<str>), Aor>,
    next_aor: u64,
}

/// Addresses that belong to a trunk.
#[derive(Debug)]
struct TrunkSource {
    account: AccountId,
    name: Arc<str>,
    from: From,
}

#[derive(Debug)]
enum From {
    /// The account's owner listed them.
    Listed(InboundFrom),
    /// The trunk's host resolved to them.
    Resolved(IpAddr),
}

/// A trunk, by account and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TrunkRef {
    pub(crate) account: AccountId,
    pub(crate) name: Arc<str>,
}

impl Directory {
    /// Takes in an account's plan in place of the one before. Gives the registrations of devices
    /// that are no more.
    pub(crate) fn apply(&mut self, plan: &Plan) -> Vec<Aor> {
        self.forget(plan.account);
        self.domains.insert(plan.domain.clone(), plan.account);
        for device in plan.users.iter().flat_map(|user| &user.devices) {
            self.devices
                .entry(device.username.clone())
                .or_default()
                .push(plan.account);
        }
        for number in plan.numbers() {
            self.numbers.insert(number, plan.account);
        }
        for trunk in &plan.trunks {
            let listed = trunk.inbound_from.iter().map(|from| TrunkSource {
                account: plan.account,
                name: trunk.name.clone(),
                from: From::Listed(*from),
            });
            self.trunks.extend(listed);
        }
        self.drop_aors(|account, username| {
            account == plan.account && plan.device(username).is_none()
        })
    }

    /// Takes an account out. Gives the registrations of its devices.
    pub(crate) fn remove(&mut self, account: AccountId) -> Vec<Aor> {
        self.forget(account);
        self.drop_aors(|owner, _| owner == account)
    }

    fn forget(&mut self, account: AccountId) {
        self.domains.retain(|_, owner| *owner != account);
        self.devices.retain(|_, owners| {
            owners.retain(|owner| *owner != account);
            !owners.is_empty()
        });
        self.numbers.retain(|_, owner| *owner != account);
        self.trunks.retain(|source| source.account != account);
    }

    fn drop_aors(&mut self, mut gone: impl FnMut(AccountId, &str) -> bool) -> Vec<Aor> {
        let mut dropped = Vec::new();
        self.aors.retain(|(account, username), aor| {
            let is_gone = gone(*account, username);
            if is_gone {
                dropped.push(*aor);
            }
            !is_gone
        });
        dropped
    }

    /// The addresses a trunk's host has resolved to count as the trunk's own.
    pub(crate) fn trunk_resolved(&mut self, trunk: &TrunkRef, addresses: &[SocketAddr]) {
        let is_old = |source: &TrunkSource| {
            source.account == trunk.account
                && source.name == trunk.name
                && matches!(source.from, From::Resolved(_))
        };
        self.trunks.retain(|source| !is_old(source));
        self.trunks
            .extend(addresses.iter().map(|address| TrunkSource {
                account: trunk.account,
                name: trunk.name.clone(),
                from: From::Resolved(address.ip()),
            }));
    }

    /// The account that has this domain.
    pub(crate) fn account_of_domain(&self, domain: &[u8]) -> Option<(&Arc<str>, AccountId)> {
        let domain = std::str::from_utf8(domain).ok()?.to_ascii_lowercase();
        self.domains
            .get_key_value(&*domain)
            .map(|(name, account)| (name, *account))
    }

    /// The account that has a device of this name, if there is just one on the server.
    pub(crate) fn account_of_device(&self, username: &str) -> Option<AccountId> {
        match self.devices.get(username)?.as_slice() {
            [account] => Some(*account),
            _ => None,
        }
    }

    /// One of the domains, always the same for the same text: an unknown user gets a challenge that
    /// looks like everybody's.
    pub(crate) fn any_domain(&self, text: &[u8]) -> Option<&Arc<str>> {
        let sum = text.iter().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add((*byte).into())
        });
        self.domains
            .keys()
            .nth(sum.checked_rem(self.domains.len())?)
    }

    /// The trunks that a request from `source` may belong to.
    pub(crate) fn trunks_at(&self, source: SocketAddr) -> impl Iterator<Item = TrunkRef> + '_ {
        let matches = move |candidate: &&TrunkSource| match candidate.from {
            From::Listed(listed) => listed.matches(source.ip(), source.port()),
            From::Resolved(address) => address == source.ip(),
        };
        self.trunks.iter().filter(matches).map(|found| TrunkRef {
            account: found.account,
            name: found.name.clone(),
        })
    }

    /// The account that an inbound number belongs to.
    pub(crate) fn account_of_number(&self, number: E164) -> Option<AccountId> {
        self.numbers.get(&number).copied()
    }

    /// Under which key a device's registrations are kept.
    pub(crate) fn aor(&mut self, account: AccountId, username: &Arc<str>) -> Aor {
        *self
            .aors
            .entry((account, username.clone()))
            .or_insert_with(|| {
                self.next_aor += 1;
                Aor(self.next_aor)
            })
    }
}
