//! The live configuration: every account's plan, as the API, the ledger and deliveries see it now.
//!
//! It is replaced as a whole when an account is applied; whoever works on a call or a request keeps
//! the one it began with.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use pbx::{AccountId, Endpoint, Plan};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Every account's plan at one moment.
#[derive(Debug, Default)]
pub struct Directory {
    plans: BTreeMap<AccountId, Arc<Plan>>,
    keys: BTreeMap<[u8; 32], AccountId>,
}

impl Directory {
    /// A directory of these plans.
    pub fn new(plans: impl IntoIterator<Item = Arc<Plan>>) -> Self {
        let plans: BTreeMap<_, _> = plans.into_iter().map(|plan| (plan.account, plan)).collect();
        let keys = plans
            .values()
            .flat_map(|plan| plan.api_keys.iter().map(|key| (key.sha256, plan.account)));
        Self {
            keys: keys.collect(),
            plans,
        }
    }

    /// This directory with one plan put in or replaced.
    #[must_use]
    pub fn with(&self, plan: Arc<Plan>) -> Self {
        let account = plan.account;
        let others = self.plans.values().filter(|other| other.account != account);
        Self::new(others.cloned().chain([plan]))
    }

    /// The plans, by account.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plans.values()
    }

    /// The plan of an account.
    pub fn plan(&self, account: AccountId) -> Option<&Arc<Plan>> {
        self.plans.get(&account)
    }

    /// The endpoint of that name, unless it was taken away.
    pub fn endpoint(&self, account: AccountId, name: &str) -> Option<&Endpoint> {
        let plan = self.plans.get(&account)?;
        plan.webhooks
            .iter()
            .find(|endpoint| &*endpoint.name == name)
    }

    /// Whose API key this is. Only its hash is looked up and compared, so that time tells nothing.
    pub fn owner_of_key(&self, key: &str) -> Option<&Arc<Plan>> {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let (stored, account) = self.keys.get_key_value(&hash)?;
        let same: bool = stored.ct_eq(&hash).into();
        if same { self.plans.get(account) } else { None }
    }
}

/// Where the present directory is found; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<RwLock<Arc<Directory>>>);

impl Live {
    /// Starts with this directory.
    pub fn new(directory: Directory) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(directory))))
    }

    /// The directory of this moment.
    pub fn current(&self) -> Arc<Directory> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a plan in; the next look finds it.
    pub fn apply(&self, plan: Arc<Plan>) {
        let mut directory = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *directory = Arc::new(directory.with(plan));
    }
}
