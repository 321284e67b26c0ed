//! How many calls one core carries through `Account::handle` and the fold: an inbound call to a
//! user with two devices, rung, answered, hung up, among `IN_PROGRESS` others.
//!
//! `cargo run --release -p pbx --features testing --example calls_per_second`
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures needs a clock and tells what it found"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::Time;
use pbx::cdr::Fold;
use pbx::testing::example;
use pbx::{
    Account, AccountId, CallIds, Effect, HangupCause, Ids, Input, LegId, Origin, Plan, Target,
};

const CALLS: u64 = 200_000;
const IN_PROGRESS: usize = 1_000;

struct Office {
    account: Account,
    ids: Ids,
    now: Time,
    fold: Fold,
    effects: u64,
    changes: u64,
}

impl Office {
    fn give(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.account.handle(self.now, input, &mut self.ids);
        for effect in &effects {
            self.effects += 1;
            if let Effect::Emit(event) = effect {
                self.changes += u64::try_from(self.fold.apply(event).len()).unwrap_or_default();
            }
        }
        effects
    }

    /// A call that is answered; the leg of the device that answered.
    fn begin(&mut self) -> Option<LegId> {
        let leg = self.ids.leg();
        let effects = self.give(Input::Incoming {
            leg,
            origin: Origin::Trunk {
                name: "carrier".into(),
            },
            called: "61298765432".to_owned(),
            caller_number: Some("61300000000".to_owned()),
            caller_name: None,
        });
        let device = effects.iter().find_map(dialled_device)?;
        self.give(Input::Ringing { leg: device });
        self.give(Input::Answered { leg: device });
        Some(device)
    }
}

fn dialled_device(effect: &Effect) -> Option<LegId> {
    if let Effect::Dial {
        leg,
        target: Target::Device { .. },
        ..
    } = effect
    {
        return Some(*leg);
    }
    None
}

fn plan() -> Option<Arc<Plan>> {
    example().compile(AccountId(1), 1).ok().map(Arc::new)
}

fn main() {
    let Some(plan) = plan() else { return };
    let start = Time::from_secs(1_569_943_875);
    let mut office = Office {
        account: Account::new(plan),
        ids: Ids::new(CallIds::new(0, start), LegId(1)),
        now: start,
        fold: Fold::new(),
        effects: 0,
        changes: 0,
    };
    let mut talking = VecDeque::with_capacity(IN_PROGRESS);
    let began = Instant::now();
    for _ in 0..CALLS {
        office.now += Duration::from_micros(25);
        talking.extend(office.begin());
        if talking.len() >= IN_PROGRESS
            && let Some(leg) = talking.pop_front()
        {
            office.give(Input::HungUp {
                leg,
                cause: HangupCause::Normal,
            });
        }
    }
    let took = began.elapsed();
    let per_second = u128::from(CALLS) * 1_000_000 / took.as_micros().max(1);
    println!(
        "{per_second} calls/s ({CALLS} calls in {took:?}, {} effects, {} rows and hooks)",
        office.effects, office.changes
    );
}
