//! The end of a world. The network becomes perfect, everybody comes back, nobody begins anything
//! new; then every call must come to its end by itself, on every side, and nothing may be left.

use std::time::Duration;

use engine::Input;
use pbx::AccountId;

use super::World;
use crate::Broken;
use crate::check::Cause;
use crate::party::{Act, BeliefId, Lamp, Party, PartyId, Power, Registered, Role, Told};

/// When no request is on its way that was sent in bad weather.
const ONCE_MORE: Duration = Duration::from_secs(45);
/// Until everybody is registered again.
const SETTLES_IN: Duration = Duration::from_secs(55);
/// How often whoever still talks is asked to hang up.
const ROUNDS: u32 = 8;
const ROUND: Duration = Duration::from_mins(1);
/// Longer than any transaction lives, twice.
const ECHOES: Duration = Duration::from_secs(140);

impl World {
    /// Lets the world come to rest and looks at what is left.
    pub(crate) fn come_to_rest(&mut self) -> Result<(), Broken> {
        self.ladder.note(self.now, "the world closes");
        self.everybody_returns();
        self.run_until(self.now + SETTLES_IN)?;
        self.all_registered()?;
        self.nobody_stays();
        for _ in 0..ROUNDS {
            self.everybody_hangs_up();
            self.run_until(self.now + ROUND)?;
        }
        self.no_calls_left()?;
        self.lamps_are_dark()?;
        self.nothing_left()?;
        self.truth()
    }

    fn everybody_returns(&mut self) {
        self.network.clears_up();
        let away: Vec<(PartyId, bool)> = self
            .parties
            .iter()
            .map(|party| (party.id, party.power == Power::On))
            .collect();
        for (party, is_on) in away {
            let act = if is_on { Act::Register } else { Act::Return };
            self.later(Duration::from_secs(1), party, act);
            // A REGISTER that was answered long ago may have its answer only now.
            self.later(ONCE_MORE, party, Act::Register);
        }
        self.is_closing = true;
    }

    /// Who has the right password can be called, and nobody else can.
    fn all_registered(&self) -> Result<(), Broken> {
        for party in &self.parties {
            let Role::Phone(phone) = &party.role else {
                continue;
            };
            let is_right = self.can_register(party);
            let is_registered = phone.registered == Registered::Yes;
            Broken::unless(is_right == is_registered, || {
                format!(
                    "{} is registered: {is_registered}, should be: {is_right}",
                    party.name
                )
            })?;
        }
        let registered = self
            .parties
            .iter()
            .filter(|party| self.can_register(party))
            .count();
        let counted = self.engine.counts().registrations;
        Broken::unless(registered == counted, || {
            format!("{registered} phones are registered, the node knows {counted}")
        })
    }

    fn can_register(&self, party: &Party) -> bool {
        let accounts = self.offices.iter().map(|office| office.plan.account);
        let is_gone = accounts
            .filter(|account| self.engine.plan(*account).is_none())
            .any(|gone| party.is_in(gone));
        !is_gone && party.is_of(&self.offices)
    }

    /// Some phones take their registration back, the others let it expire.
    fn nobody_stays(&mut self) {
        for index in 0..self.parties.len() {
            let id = PartyId(index);
            if let Some(party) = self.parties.get_mut(index) {
                party.lets_expire();
            }
            if self.random.percent(50) {
                self.later(Duration::from_secs(1), id, Act::Unregister);
            }
        }
    }

    fn everybody_hangs_up(&mut self) {
        let talking: Vec<(PartyId, BeliefId)> = self
            .parties
            .iter()
            .flat_map(|party| {
                let calls = party.live_calls().filter(|(_, belief)| belief.is_talking());
                calls.map(|(belief, _)| (party.id, belief))
            })
            .collect();
        for (party, belief) in talking {
            self.later(Duration::from_secs(1), party, Act::Leave(belief));
        }
    }

    fn no_calls_left(&self) -> Result<(), Broken> {
        for party in &self.parties {
            let live = party.live_calls().next();
            Broken::unless(live.is_none(), || {
                format!("{} still believes in {live:?}", party.name)
            })?;
        }
        let counts = self.engine.counts();
        let of_calls = [
            counts.calls,
            counts.legs,
            counts.closing_paths,
            counts.recordings,
        ];
        let is_idle = of_calls == [0; 4];
        Broken::unless(is_idle, || format!("the node still has calls: {counts:?}"))?;
        Broken::unless(counts.registrations == 0, || {
            format!("registrations do not expire: {counts:?}")
        })?;
        self.shell.at_rest()
    }

    /// Who watches somebody has been told that nobody talks. A phone whose registration has expired is
    /// not kept reachable, and behind a NAT it may have missed the last of it.
    fn lamps_are_dark(&self) -> Result<(), Broken> {
        let was_reachable = |party: &&Party| {
            let mut ends = self
                .story
                .last_ends()
                .filter(|(account, _)| party.is_in(*account));
            ends.all(|(_, at)| party.place.lets_in(at))
        };
        let parties = self.parties.iter();
        let watchers = parties.filter(|party| self.can_register(party));
        for party in watchers.filter(was_reachable) {
            let Role::Phone(phone) = &party.role else {
                continue;
            };
            let plan = self.engine.plan(phone.account);
            let is_known =
                |lamp: &&Lamp| plan.is_some_and(|plan| plan.user_by_number(&lamp.name).is_some());
            let Some(lamp) = phone.lamp.as_ref().filter(is_known) else {
                continue;
            };
            let is_dark = |told: &Told| told.calls == 0 && !told.is_over;
            Broken::unless(lamp.shows().is_some_and(is_dark), || {
                format!(
                    "nobody talks, and the lamp of {} shows {lamp:?}",
                    party.name
                )
            })?;
        }
        Ok(())
    }

    /// Without accounts and echoes there is nothing at all.
    fn nothing_left(&mut self) -> Result<(), Broken> {
        let accounts: Vec<AccountId> = self
            .offices
            .iter()
            .map(|office| office.plan.account)
            .collect();
        for account in accounts {
            self.node(Input::Remove(account), &Cause::Other)?;
        }
        self.run_until(self.now + ECHOES)?;
        let counts = self.engine.counts();
        let left = counts.user_agent;
        let is_empty =
            left == sip::Counts::default() && counts.accounts == 0 && counts.watched == 0;
        Broken::unless(is_empty, || format!("the node keeps {counts:?}"))?;
        Broken::unless(self.engine.deadline().is_none(), || {
            "a node with nothing to do wants to be woken".to_owned()
        })?;
        let restless = self.parties.iter().find(|party| {
            let counts = party.counts();
            counts.dialogs > 0
        });
        Broken::unless(restless.is_none(), || {
            let name = restless.map(|party| &*party.name);
            format!("{name:?} keeps a dialog")
        })
    }
}

impl Party {
    /// It no longer refreshes its registration.
    fn lets_expire(&mut self) {
        if let Role::Phone(phone) = &mut self.role {
            phone.stays = crate::party::Stays::NoLonger;
        }
    }
}
