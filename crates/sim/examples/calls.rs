//! P14: how many calls per second one core carries, in call control alone and with SIP bytes.
//!
//! `cargo run --release -p sim --example calls`
//!
//! `pbx`: inbound calls to a user with two devices, told to `Account::handle` and folded to rows.
//! `engine`: the same as SIP. A world is played once with its phones and carriers while everything
//! the node is told is written down; then fresh nodes are told it again, and only they are timed.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures needs a clock and tells what it found"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::Time;
use pbx::cdr::Fold;
use pbx::{
    Account, AccountId, CallIds, Effect, HangupCause, Ids, Input, LegId, Origin, Plan, Target,
};
use sim::scenario::{Record, Scenario, Setting, node_of};
use sim::{Broken, Call, Reception, Recorded, Talk, Then};

/// Calls of one round in call control alone.
const PBX_CALLS: u64 = 100_000;
/// Calls of one round with SIP, and how many begin each second of the world.
const SIP_CALLS: u64 = 2_000;
const CALLS_PER_SECOND: u64 = 50;
/// Rounds, of which the median counts.
const ROUNDS: usize = 5;

fn main() -> Result<(), Broken> {
    let plan = plan();
    let pbx = median(|| pbx_round(&plan));
    println!("pbx: {} calls/s", per_second(PBX_CALLS, pbx));
    let (setting, recorded) = play()?;
    let bytes: usize = recorded.inputs.iter().map(|(_, input)| input.size()).sum();
    let engine = median(|| engine_round(setting, &recorded));
    println!(
        "engine: {} calls/s, {} inputs and {} SIP bytes per call",
        per_second(SIP_CALLS, engine),
        recorded.inputs.len() as u64 / SIP_CALLS,
        bytes as u64 / SIP_CALLS,
    );
    Ok(())
}

fn per_second(calls: u64, took: Duration) -> u128 {
    u128::from(calls) * 1_000_000 / took.as_micros().max(1)
}

fn median(mut round: impl FnMut() -> Duration) -> Duration {
    let mut took: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    took.sort();
    took.get(ROUNDS / 2).copied().unwrap_or_default()
}

fn plan() -> Arc<Plan> {
    let plan = pbx::testing::example().compile(AccountId(1), 1);
    Arc::new(plan.unwrap_or_else(|problems| unreachable!("the example compiles: {problems:?}")))
}

fn pbx_round(plan: &Arc<Plan>) -> Duration {
    let mut office = Office {
        account: Account::new(Arc::clone(plan)),
        ids: Ids::new(CallIds::new(0, Time::from_secs(1)), LegId(1)),
        now: Time::from_secs(1_700_000_000),
        fold: Fold::new(),
    };
    let began = Instant::now();
    for _ in 0..PBX_CALLS {
        office.call();
    }
    began.elapsed()
}

/// An account that is called.
struct Office {
    account: Account,
    ids: Ids,
    now: Time,
    fold: Fold,
}

impl Office {
    fn call(&mut self) {
        let caller = self.ids.leg();
        let effects = self.tell(Input::Incoming {
            leg: caller,
            origin: Origin::Trunk {
                name: "backup".into(),
            },
            called: "61298765432".to_owned(),
            caller_number: Some("61300000000".to_owned()),
            caller_name: None,
        });
        let device = effects.iter().find_map(|effect| match effect {
            Effect::Dial {
                leg,
                target: Target::Device { .. },
                ..
            } => Some(*leg),
            Effect::Dial { .. }
            | Effect::JoinRoom { .. }
            | Effect::LeaveRoom { .. }
            | Effect::Ring { .. }
            | Effect::EarlyMedia { .. }
            | Effect::PickUp { .. }
            | Effect::Connect { .. }
            | Effect::Play { .. }
            | Effect::StopPlaying { .. }
            | Effect::Record { .. }
            | Effect::PauseRecording { .. }
            | Effect::ResumeRecording { .. }
            | Effect::StopRecording { .. }
            | Effect::HangUp { .. }
            | Effect::Emit(_)
            | Effect::Part { .. }
            | Effect::Referral { .. }
            | Effect::Originated { .. }
            | Effect::Watched { .. }
            | Effect::Ask(_)
            | Effect::AskMailbox(_) => None,
        });
        let Some(leg) = device else { return };
        self.tell(Input::Ringing { leg });
        self.tell(Input::Answered { leg });
        let cause = HangupCause::Normal;
        self.tell(Input::HungUp { leg: caller, cause });
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        self.now += Duration::from_micros(10);
        let effects = self.account.handle(self.now, input, &mut self.ids);
        for effect in &effects {
            if let Effect::Emit(event) = effect {
                self.fold.apply(event);
            }
        }
        effects
    }
}

/// Plays the calls once and writes down what the node is told.
fn play() -> Result<(Setting, Recorded), Broken> {
    let setting = Setting {
        port_pairs: 8_000,
        record: Record::Everything,
        ..Setting::default()
    };
    let mut scenario = Scenario::with(setting, |_| {})?
        .takes_calls(
            "desk",
            Reception::answers(Duration::from_millis(500), Talk::default()),
        )
        .takes_calls("mobile", Reception::rings(Then::Ignore))
        .with_lines("desk", usize::MAX)
        .with_lines("mobile", usize::MAX);
    for number in 0..SIP_CALLS {
        let call = Call {
            dialled: "61298765432".to_owned(),
            caller: Some("61300000000".to_owned()),
            patience: Duration::from_mins(1),
            talk: Talk {
                hangs_up_after: Some(Duration::from_secs(2)),
                ..Talk::default()
            },
        };
        let at = Duration::from_millis(number * 1_000 / CALLS_PER_SECOND);
        scenario = scenario.calls(at, "carrier", call);
    }
    let length = Duration::from_secs(SIP_CALLS / CALLS_PER_SECOND + 50);
    scenario.run(length)?;
    if scenario.ended_calls() != SIP_CALLS || scenario.rows().contains("missed") {
        println!("not every call was answered");
    }
    Ok((setting, scenario.take_recorded()))
}

fn engine_round(setting: Setting, recorded: &Recorded) -> Duration {
    let mut engine = node_of(setting);
    let mut fold = Fold::new();
    let began = Instant::now();
    for (now, input) in &recorded.inputs {
        for effect in engine.handle(*now, input.as_input()) {
            if let engine::Effect::Emit(event) = effect {
                fold.apply(&event);
            }
        }
    }
    began.elapsed()
}
