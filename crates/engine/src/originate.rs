//! Calls that a program asks for: whether they can begin at all.

use clock::Time;
use pbx::{AccountId, Origination, Unplaced};

use crate::{Effect, Engine, Work};

impl Engine {
    /// Begins a call from a user's phones to a number, or says why not. Either is told at once.
    pub(crate) fn originate(&mut self, now: Time, account: AccountId, asked: Origination) {
        match self.can_originate(now, account, &asked) {
            Ok(()) => {
                let input = pbx::Input::Originate(asked);
                self.work.push_back(Work::Pbx(account, input));
            }
            Err(why) => self.effects.push(Effect::Originated { outcome: Err(why) }),
        }
    }

    /// A call that no phone can ring for is not begun: the program is told so instead of everybody
    /// who hears of calls.
    fn can_originate(
        &mut self,
        now: Time,
        account: AccountId,
        asked: &Origination,
    ) -> Result<(), Unplaced> {
        let plan = self.plan(account).cloned().ok_or(Unplaced::Unavailable)?;
        let mut devices = plan.placeable(asked)?.user.devices.iter();
        let is_registered = devices.any(|device| {
            let aor = self.directory.aor(account, &device.username);
            self.registrar.bindings(aor, now).next().is_some()
        });
        if !is_registered {
            return Err(Unplaced::NotRegistered);
        }
        if !self.can_take_call() {
            return Err(Unplaced::Unavailable);
        }
        Ok(())
    }
}
