//! The accounts of a node: their plans come and go, and a fault of ours costs one of them its calls.

use std::sync::Arc;

use clock::Time;
use pbx::{Account, AccountId, HangupCause, Plan, Presence, QueueView, Standing};

use crate::{Effect, Engine};

impl Engine {
    /// The plan in force for an account.
    pub fn plan(&self, account: AccountId) -> Option<&Arc<Plan>> {
        self.accounts.get(&account).map(Account::plan)
    }

    /// The queues of an account as they are now.
    pub fn queues(&self, account: AccountId, now: Time) -> Vec<QueueView> {
        let account = self.accounts.get(&account);
        account.map_or_else(Vec::new, |account| account.queues(now).collect())
    }

    /// Whether a user takes calls from queues; `None`: there is no such account or user.
    pub fn presence(&self, account: AccountId, user: &str) -> Option<Presence> {
        let account = self.accounts.get(&account)?;
        account.plan().user_by_number(user)?;
        Some(account.presence(user))
    }

    /// Takes in what stood before the process began.
    pub(crate) fn restore(&mut self, now: Time, id: AccountId, standings: &[Standing]) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.restore(standings, now);
        }
    }

    pub(crate) fn apply(&mut self, now: Time, plan: Arc<Plan>) {
        for aor in self.directory.apply(&plan) {
            self.registrar.remove(aor);
        }
        self.trunks_changed(now, plan.account, &plan);
        self.review_watchers(now, &plan);
        let id = plan.account;
        match self.accounts.get_mut(&id) {
            Some(account) => {
                for effect in account.apply(plan, now, &mut self.ids) {
                    self.pbx_effect(now, id, effect);
                }
            }
            None => {
                self.accounts.insert(id, Account::new(plan));
            }
        }
    }

    pub(crate) fn remove(&mut self, now: Time, account: AccountId) {
        self.pbx_input(
            now,
            account,
            pbx::Input::EndAll {
                cause: HangupCause::Shutdown,
            },
        );
        for leg in self.legs.of_account(account) {
            self.hang_up(now, leg, HangupCause::Shutdown);
        }
        for aor in self.directory.remove(account) {
            self.registrar.remove(aor);
        }
        self.trunks_removed(now, account);
        self.watchers_removed(now, account);
        self.accounts.remove(&account);
        self.set_wake(account, None);
    }

    pub(crate) fn account_fault(&mut self, now: Time, id: AccountId) {
        self.faults += 1;
        self.set_wake(id, None);
        if let Some(account) = self.accounts.get_mut(&id) {
            *account = account.without_calls();
        }
        for leg in self.legs.of_account(id) {
            self.hang_up(now, leg, HangupCause::AccountFault);
        }
        self.watch_again(id);
        self.effects.push(Effect::CloseCalls {
            account: id,
            at: now,
        });
    }
}
