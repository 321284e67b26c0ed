//! Programs that ask for calls: the user's phones ring first.

use std::time::Duration;

use engine::{Effect, Input};
use media::Description;
use pbx::{AccountId, Origination};
use sip::{Framing, Message, Method};

use super::World;
use crate::Broken;
use crate::agenda::Happening;
use crate::check::Cause;
use crate::random::millis;

impl World {
    /// A program asks for a call after a while.
    pub(crate) fn asks_later(&mut self, after: Duration, account: AccountId, asked: Origination) {
        let asks = Happening::Asks(account, asked);
        self.agenda.add(self.now + after, asks);
    }

    /// What programs are going to ask for, at random.
    pub(super) fn plan_asks(&mut self, length: Duration) {
        let whole = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        if !self.random.percent(40) {
            return;
        }
        for _ in 0..self.random.between(1, 6) {
            let after = millis(&mut self.random, 3_000, whole);
            if let Some((account, asked)) = self.any_origination() {
                self.asks_later(after, account, asked);
            }
        }
    }

    fn any_origination(&mut self) -> Option<(AccountId, Origination)> {
        let office = self.random.between(0, 1);
        let office = usize::try_from(office).ok()?;
        let office = self.offices.get(office).or(self.offices.first())?;
        let users: Vec<String> = office
            .draft
            .users
            .iter()
            .map(|user| user.number.clone())
            .collect();
        let own: Vec<String> = office
            .plan
            .numbers()
            .map(|number| format!("+{number}"))
            .collect();
        let account = office.plan.account;
        let user = self.random.pick(&users).cloned()?;
        let number = match self.random.between(0, 9) {
            0..=3 => self.random.pick(&users).cloned(),
            4..=5 => self.random.pick(&own).cloned(),
            _ => None,
        };
        let caller_id = self.random.pick(&own).cloned();
        let asked = Origination {
            user,
            number: number.unwrap_or_else(|| "+61412345678".to_owned()),
            caller_id: caller_id.filter(|_| self.random.percent(30)),
        };
        Some((account, asked))
    }

    /// A program asks now.
    pub(super) fn asks(&mut self, account: AccountId, asked: Origination) -> Result<(), Broken> {
        if self.is_closing {
            return Ok(());
        }
        self.ladder
            .note(self.now, &format!("a program asks for {asked:?}"));
        let cause = Cause::Asked(asked.clone());
        self.node(Input::Originate { account, asked }, &cause)
    }

    /// The paths of phones that were rung for a program: who picks one up is alone for a while.
    pub(super) fn summons(&mut self, effects: &[Effect]) {
        let invites = effects.iter().filter_map(|effect| match effect {
            Effect::Send(transmit) => Message::parse(&transmit.bytes, Framing::Stream).ok(),
            _ => None,
        });
        let offers = invites.filter(|message| {
            message
                .request_line()
                .is_some_and(|line| line.method == Method::Invite)
        });
        for offer in offers {
            let described = Description::parse(offer.body()).ok();
            let port = described.map(|described| described.remote().rtp.port());
            let path = port.and_then(|port| self.shell.path_at(port));
            self.summoned.extend(path);
        }
    }
}
