//! Who and where: from what a request says to the account it belongs to.
//!
//! Domains, usernames of devices, inbound numbers and source addresses of trunks, over all accounts
//! of the node. It decides nothing about calls; `design: how things meet` is told in ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use pbx::number::E164;
use pbx::{AccountId, Plan};
use sip::Aor;

use crate::sources::Sources;

/// Everything needed to find an account.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// What each account brought in, so that it can be taken out without looking through the others.
    plans: BTreeMap<AccountId, Arc<Plan>>,
    domains: BTreeMap<Arc<str>, AccountId>,
    /// Accounts in which the username is a device's.
    devices: BTreeMap<Arc<str>, Vec<AccountId>>,
    numbers: BTreeMap<E164, AccountId>,
    sources: Sources,
    /// Survives a new plan, so that a phone stays registered.
    aors: BTreeMap<(AccountId, Arc<str>), Aor>,
    next_aor: u64,
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
    pub(crate) fn apply(&mut self, plan: &Arc<Plan>) -> Vec<Aor> {
        self.forget(plan.account);
        self.domains.insert(plan.domain.clone(), plan.account);
        for username in usernames(plan) {
            let owners = self.devices.entry(username.clone()).or_default();
            owners.push(plan.account);
        }
        for number in plan.numbers() {
            self.numbers.insert(number, plan.account);
        }
        self.sources.add(plan);
        self.plans.insert(plan.account, Arc::clone(plan));
        self.drop_aors(plan.account, |username| plan.device(username).is_none())
    }

    /// Takes an account out. Gives the registrations of its devices.
    pub(crate) fn remove(&mut self, account: AccountId) -> Vec<Aor> {
        self.forget(account);
        self.drop_aors(account, |_| true)
    }

    fn forget(&mut self, account: AccountId) {
        let Some(plan) = self.plans.remove(&account) else {
            return;
        };
        if self.domains.get(&plan.domain) == Some(&account) {
            self.domains.remove(&plan.domain);
        }
        for username in usernames(&plan) {
            if let Some(owners) = self.devices.get_mut(username) {
                owners.retain(|owner| *owner != account);
                if owners.is_empty() {
                    self.devices.remove(username);
                }
            }
        }
        for number in plan.numbers() {
            if self.numbers.get(&number) == Some(&account) {
                self.numbers.remove(&number);
            }
        }
        self.sources.remove(&plan);
    }

    fn drop_aors(&mut self, account: AccountId, is_gone: impl Fn(&str) -> bool) -> Vec<Aor> {
        let first = (account, Arc::from(""));
        let of_account = self
            .aors
            .range(first..)
            .take_while(|((owner, _), _)| *owner == account);
        let gone: Vec<_> = of_account
            .filter(|((_, username), _)| is_gone(username))
            .map(|(key, aor)| (key.clone(), *aor))
            .collect();
        for (key, _) in &gone {
            self.aors.remove(key);
        }
        gone.into_iter().map(|(_, aor)| aor).collect()
    }

    /// The addresses a trunk's host has resolved to count as the trunk's own.
    pub(crate) fn trunk_resolved(&mut self, trunk: &TrunkRef, addresses: &[SocketAddr]) {
        self.sources.resolved(trunk, addresses);
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
    pub(crate) fn trunks_at(&self, source: SocketAddr) -> impl Iterator<Item = &TrunkRef> {
        self.sources.at(source)
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

fn usernames(plan: &Plan) -> impl Iterator<Item = &Arc<str>> {
    let devices = plan.users.iter().flat_map(|user| &user.devices);
    devices.map(|device| &device.username)
}

#[cfg(test)]
mod tests {
    use pbx::draft::Draft;
    use pbx::testing::example;

    use super::*;

    fn plan(account: u32, change: impl FnOnce(&mut Draft)) -> Arc<Plan> {
        let mut draft = example();
        change(&mut draft);
        Arc::new(draft.compile(AccountId(account), 1).unwrap())
    }

    fn other_domain(draft: &mut Draft) {
        draft.domain = "other.example.com".to_owned();
        draft.flows.clear();
        draft.users[0].caller_id = None;
    }

    #[test]
    fn a_device_is_found_by_its_name_while_only_one_account_has_it() {
        let mut directory = Directory::default();
        directory.apply(&plan(1, |_| {}));
        assert_eq!(directory.account_of_device("1010-desk"), Some(AccountId(1)));
        directory.apply(&plan(2, other_domain));
        assert_eq!(directory.account_of_device("1010-desk"), None);
        directory.remove(AccountId(1));
        assert_eq!(directory.account_of_device("1010-desk"), Some(AccountId(2)));
        assert_eq!(directory.account_of_device("nobody"), None);
    }

    #[test]
    fn a_new_plan_takes_the_place_of_the_old_one() {
        let mut directory = Directory::default();
        let first = plan(1, |_| {});
        directory.apply(&first);
        let (desk, mobile) = ("1010-desk".into(), "1010-mobile".into());
        let kept = directory.aor(AccountId(1), &desk);
        let gone = directory.aor(AccountId(1), &mobile);
        let number = first.numbers().next().unwrap();
        assert_eq!(directory.account_of_number(number), Some(AccountId(1)));

        let dropped = directory.apply(&plan(1, |draft| {
            other_domain(draft);
            draft.users[0].devices.remove(1);
        }));
        assert_eq!(dropped, [gone]);
        assert_eq!(directory.aor(AccountId(1), &desk), kept);
        assert_eq!(directory.account_of_number(number), None);
        assert_eq!(directory.account_of_domain(b"acme.example.com"), None);
        let found = directory.account_of_domain(b"OTHER.example.com");
        assert_eq!(found.map(|(_, account)| account), Some(AccountId(1)));
    }

    #[test]
    fn nothing_stays_of_an_account_that_goes() {
        let mut directory = Directory::default();
        directory.apply(&plan(1, |_| {}));
        let aor = directory.aor(AccountId(1), &"1010-desk".into());
        assert_eq!(directory.remove(AccountId(1)), [aor]);
        let empty = Directory {
            next_aor: directory.next_aor,
            ..Directory::default()
        };
        assert_eq!(format!("{directory:?}"), format!("{empty:?}"));
    }
}
