//! What users have set by phone, held against what is told of it and whose phones ring.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::laws::{Verdict, law};
use crate::effect::{Effect, Target};
use crate::event::Fact;
use crate::plan::Plan;
use crate::standing::{Standing, Switch};

/// Watches what stands in an account.
#[derive(Debug, Default)]
pub struct Standings {
    /// Of every plan so far: a call keeps its own.
    plans: Vec<Arc<Plan>>,
    undisturbed: BTreeSet<Arc<str>>,
}

impl Standings {
    /// A plan is in force.
    pub fn plan(&mut self, plan: &Arc<Plan>) {
        self.plans.push(Arc::clone(plan));
    }

    /// What the account answered with.
    pub fn effects(&mut self, effects: &[Effect]) -> Verdict {
        for effect in effects {
            if let Effect::Emit(event) = effect {
                self.fact(&event.fact);
            }
            // Without a leg it is for, it rings the phones of who calls.
            if let Effect::Dial {
                for_leg: Some(_),
                target: Target::Device { username },
                ..
            } = effect
            {
                self.rings(username)?;
            }
        }
        Ok(())
    }

    fn fact(&mut self, fact: &Fact) {
        if let Fact::Stands {
            standing: Standing::DoNotDisturb { user, switch },
        } = fact
        {
            match switch {
                Switch::On => drop(self.undisturbed.insert(Arc::clone(user))),
                Switch::Off => drop(self.undisturbed.remove(user)),
            }
        }
    }

    fn rings(&self, username: &str) -> Verdict {
        let mut plans = self.plans.iter();
        let is_left_alone = plans.all(|plan| {
            let owner = plan.device(username).map(|(_, user, _)| user);
            owner.is_some_and(|user| self.undisturbed.contains(&user.who.number))
        });
        law(!is_left_alone, || {
            format!("who is not to be disturbed is left alone: {username}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::walk;
    use super::*;

    /// Whoever is to be disturbed again is believed not to be.
    fn never_again(mut effects: Vec<Effect>) -> Vec<Effect> {
        for effect in &mut effects {
            if let Effect::Emit(event) = effect
                && let Fact::Stands {
                    standing: Standing::DoNotDisturb { switch, .. },
                } = &mut event.fact
            {
                *switch = Switch::On;
            }
        }
        effects
    }

    #[test]
    fn a_phone_that_rings_though_it_must_not_is_noticed() {
        let notices = |seed| {
            let walked = walk(seed, 400, &mut never_again);
            walked.is_err_and(|why| why.contains("is left alone"))
        };
        assert!((0..100).any(notices));
    }
}
