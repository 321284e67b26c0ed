//! What the operator does to a running node: new plans, accounts that go, drains and stops.

use std::sync::Arc;

use engine::{Input, Load};
use pbx::AccountId;
use pbx::draft::Draft;

use super::{Office, World};
use crate::Broken;
use crate::check::Cause;
use crate::network::{Packet, Peer, Way};

/// Something from outside that is no call.
#[derive(Clone, Debug)]
pub(crate) enum Intervention {
    /// A draft is applied.
    Apply(AccountId, Box<Draft>),
    /// An account is taken away.
    Remove(AccountId),
    /// New calls are taken, or not.
    Load(Load),
    /// Every call ends.
    HangUpAll,
    /// Somebody sends something that is no SIP, or only its beginning.
    Garbage(std::net::SocketAddr, Vec<u8>),
}

impl World {
    /// Opens an account, or gives it a new plan.
    pub(crate) fn apply(&mut self, account: AccountId, draft: Draft) -> Result<(), Broken> {
        let known = self.office(account).map_or(0, |office| office.plan.version);
        let plan = draft
            .compile(account, known + 1)
            .map_err(|problems| Broken::new(format!("a draft does not compile: {problems:?}")))?;
        let plan = Arc::new(plan);
        self.story.knows(account, &self.planter.believed(&draft));
        let office = Office {
            draft,
            plan: Arc::clone(&plan),
        };
        match self
            .offices
            .iter_mut()
            .find(|known| known.plan.account == account)
        {
            Some(known) => *known = office,
            None => self.offices.push(office),
        }
        self.node(Input::Apply(plan), &Cause::Other)
    }

    /// An account.
    pub(crate) fn office(&self, account: AccountId) -> Option<&Office> {
        self.offices
            .iter()
            .find(|office| office.plan.account == account)
    }

    pub(super) fn intervene(&mut self, intervention: Intervention) -> Result<(), Broken> {
        if let Intervention::Garbage(from, bytes) = intervention {
            self.send(Packet {
                from: Peer::Stranger(from),
                to: Peer::Node,
                way: Way::Datagram,
                bytes,
            });
            return Ok(());
        }
        if self.is_closing {
            return Ok(());
        }
        self.intervened = true;
        self.ladder
            .note(self.now, &format!("operator: {}", name_of(&intervention)));
        match intervention {
            Intervention::Apply(account, draft) => self.apply(account, *draft),
            Intervention::Remove(account) => {
                self.node(Input::Remove(account), &Cause::Other)?;
                self.story.forgets(account);
                Ok(())
            }
            Intervention::Load(load) => self.node(Input::Load(load), &Cause::Other),
            Intervention::HangUpAll => self.node(Input::HangUpAll, &Cause::Other),
            Intervention::Garbage(..) => Ok(()),
        }
    }
}

fn name_of(intervention: &Intervention) -> String {
    match intervention {
        Intervention::Apply(account, _) => format!("applies a plan of account {account}"),
        Intervention::Remove(account) => format!("removes account {account}"),
        Intervention::Load(load) => format!("{load:?}"),
        Intervention::HangUpAll => "hangs up all calls".to_owned(),
        Intervention::Garbage(from, _) => format!("garbage from {from}"),
    }
}
