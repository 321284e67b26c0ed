//! A random walk: a random account, then anything in any order, sense and nonsense alike.

mod calls;
mod mailbox;
mod phones;

use std::sync::Arc;
use std::time::Duration;

use clock::Time;

use super::document::random_draft_of;
use super::lamps::Lamps;
use super::laws::Laws;
use super::queues::Queues;
use super::random::Random;
use super::standings::Standings;
use crate::account::Account;
use crate::draft::Draft;
use crate::effect::Effect;
use crate::event::HangupCause;
use crate::floor::AgentChange;
use crate::ids::{AccountId, CallId, CallIds, Ids, LegId};
use crate::input::{Failure, Input, TransferTo};
use crate::mailbox::MailboxTold;
use crate::objects::Kind;
use crate::plan::Plan;
use crate::question::{QuestionId, Told};
use crate::recording::{RecordEnd, RecordingId};
use crate::sound::PlayId;

/// After this long without anything but wakes, every call has reached its greatest length.
const LONGEST_CALL: Duration = Duration::from_hours(25);

/// Questions remembered to be answered.
const MAX_QUESTIONS: usize = 8;

/// Legs remembered to say nonsense about.
const MAX_PAST_LEGS: usize = 64;

const START: Time = Time::from_secs(1_569_943_875);

/// What a walk came past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Inputs given.
    pub inputs: u64,
    /// Effects asked for.
    pub effects: u64,
    /// Listed rows.
    pub rows: u64,
    /// Hooks.
    pub hooks: u64,
    /// Messages that were heard or erased by phone.
    pub messages_moved: u64,
}

/// Walks `steps` random steps and lets the account come to rest. `Err` is the law it broke.
/// `spoil` may change the effects before the laws see them, to show that the laws bite.
pub fn walk(
    seed: u64,
    steps: u32,
    spoil: &mut dyn FnMut(Vec<Effect>) -> Vec<Effect>,
) -> Result<Walked, String> {
    let course = Course {
        seed,
        steps,
        kinds: |_| true,
    };
    walk_on_tape(course, spoil, &mut Vec::new())
}

/// Where a walk goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) seed: u64,
    pub(super) steps: u32,
    /// The kinds of object that its flows have.
    pub(super) kinds: fn(&Kind) -> bool,
}

/// What an account was told in a walk.
#[derive(Clone, Debug)]
pub(super) enum Taped {
    /// This draft was applied as that version, with the ids it had to give.
    Draft(Box<Draft>, u64, Time, Ids),
    /// It was given an input, with the ids it had to give.
    Input(Time, Input, Ids),
}

/// Walks, and writes down what the account was told.
pub(super) fn walk_on_tape(
    course: Course,
    spoil: &mut dyn FnMut(Vec<Effect>) -> Vec<Effect>,
    tape: &mut Vec<Taped>,
) -> Result<Walked, String> {
    let Course { seed, steps, kinds } = course;
    let mut random = Random::new(seed);
    let mut queues = Queues::default();
    let ids = Ids::new(CallIds::new(0, START), LegId(1));
    let plan = random_plan((&mut random, 0, kinds), (START, &ids), tape, &mut queues)?;
    let mut standings = Standings::default();
    standings.plan(&plan);
    let mut walker = Walker {
        account: Account::new(Arc::clone(&plan)),
        plan,
        tape,
        queues,
        standings,
        ids,
        now: START,
        laws: Laws::new(),
        lamps: Lamps::default(),
        past_legs: Vec::new(),
        knocked: false,
        visitor: None,
        questions: Vec::new(),
        walked: Walked::default(),
        random,
        kinds,
        spoil,
    };
    for step in 0..steps {
        walker
            .step(step)
            .map_err(|broken| format!("seed {seed} step {step}: {broken}"))?;
    }
    walker
        .come_to_rest()
        .map_err(|broken| format!("seed {seed} at the end: {broken}"))
}

fn random_plan(
    (random, version, kinds): (&mut Random, u64, fn(&Kind) -> bool),
    (now, ids): (Time, &Ids),
    tape: &mut Vec<Taped>,
    queues: &mut Queues,
) -> Result<Arc<Plan>, String> {
    let draft = random_draft_of(kinds, random);
    let plan = draft.compile(AccountId(1), version);
    queues.plan(&draft);
    tape.push(Taped::Draft(Box::new(draft), version, now, ids.clone()));
    plan.map(Arc::new)
        .map_err(|problems| format!("a random draft compiles: {problems:?}"))
}

struct Walker<'a> {
    account: Account,
    plan: Arc<Plan>,
    ids: Ids,
    now: Time,
    random: Random,
    laws: Laws,
    lamps: Lamps,
    queues: Queues,
    standings: Standings,
    past_legs: Vec<LegId>,
    /// A mailbox was asked just now: it answers soon, or not at all.
    knocked: bool,
    /// Who hears what is in a mailbox, by the play of it: keys are pressed there.
    visitor: Option<(LegId, PlayId)>,
    /// The newest questions, answered or not.
    questions: Vec<(CallId, QuestionId)>,
    walked: Walked,
    kinds: fn(&Kind) -> bool,
    spoil: &'a mut dyn FnMut(Vec<Effect>) -> Vec<Effect>,
    tape: &'a mut Vec<Taped>,
}

impl Walker<'_> {
    fn step(&mut self, step: u32) -> Result<(), String> {
        if std::mem::take(&mut self.knocked) && self.random.percent(80) {
            return self.told();
        }
        if let Some((leg, play)) = self.visitor.filter(|_| self.random.percent(40)) {
            return self.visit(leg, play);
        }
        match self.random.between(0, 99) {
            0..=16 => self.call(),
            17..=19 => self.originate(),
            20..=74 => self.leg(),
            75..=88 => self.time(),
            89 => self.take_over(),
            90 => self.told(),
            91..=92 => self.agent(),
            93 => self.watch(),
            94 => self.mailbox(),
            95 => self.give(Input::Wake),
            96..=98 => {
                let version = u64::from(step) + 1;
                self.apply(version)
            }
            _ => self.give(Input::EndAll {
                cause: HangupCause::AccountFault,
            }),
        }
    }

    fn apply(&mut self, version: u64) -> Result<(), String> {
        self.plan = random_plan(
            (&mut self.random, version, self.kinds),
            (self.now, &self.ids),
            self.tape,
            &mut self.queues,
        )?;
        self.standings.plan(&self.plan);
        let plan = Arc::clone(&self.plan);
        let effects = self.account.apply(plan, self.now, &mut self.ids);
        self.laws.effects(&effects)?;
        // Lines move at the next input.
        self.standings.effects(&effects)
    }

    /// Mostly an open leg, at times one that is over, at times one that never was.
    fn any_leg(&mut self) -> LegId {
        let open: Vec<LegId> = self.laws.open_legs().collect();
        let leg = match self.random.between(0, 19) {
            0 => None,
            1 | 2 => self.random.pick(&self.past_legs).copied(),
            _ => self.random.pick(&open).copied(),
        };
        leg.unwrap_or(LegId(u64::MAX))
    }

    fn leg(&mut self) -> Result<(), String> {
        let leg = self.any_leg();
        let failures = [
            Failure::Busy,
            Failure::Declined,
            Failure::NoAnswer,
            Failure::NotFound,
            Failure::Incompatible,
            Failure::Rejected,
            Failure::Unavailable,
            Failure::Timeout,
            Failure::Unreachable,
        ];
        let failure = self
            .random
            .pick(&failures)
            .copied()
            .unwrap_or(Failure::Busy);
        let digits: Vec<char> = "0123456789*#AX".chars().collect();
        let plays: Vec<(LegId, PlayId)> = self.laws.plays().collect();
        let recordings: Vec<RecordingId> = self.laws.recordings().collect();
        let other = self.any_leg();
        let to = match self.random.between(0, 1) {
            0 => TransferTo::Number(self.called()),
            _ => TransferTo::PeerOf(other),
        };
        let input = match self.random.between(0, 17) {
            16..=17 => Input::Transfer { leg, to },
            0..=2 => Input::Ringing { leg },
            3 => Input::Progress { leg },
            4..=5 => Input::Answered { leg },
            6..=7 => Input::Failed { leg, failure },
            8..=9 => Input::Digit {
                leg,
                digit: self.random.pick(&digits).copied().unwrap_or('0'),
            },
            10..=11 => {
                let heard = self.random.pick(&plays).copied();
                let (leg, play) = heard.unwrap_or((leg, PlayId(self.random.between(0, 9))));
                Input::Played { leg, play }
            }
            12..=13 => {
                let some = RecordingId(self.random.between(0, 9).into());
                let ends = [RecordEnd::Stopped, RecordEnd::Silence, RecordEnd::Failed];
                Input::Recorded {
                    recording: self.random.pick(&recordings).copied().unwrap_or(some),
                    seconds: self.random.between(0, 9),
                    end: self
                        .random
                        .pick(&ends)
                        .copied()
                        .unwrap_or(RecordEnd::HungUp),
                }
            }
            _ => Input::HungUp {
                leg,
                cause: HangupCause::Normal,
            },
        };
        self.give(input)
    }

    fn agent(&mut self) -> Result<(), String> {
        let users = self.plan.users.iter();
        let users: Vec<Arc<str>> = users.map(|user| Arc::clone(&user.who.number)).collect();
        let changes = [
            AgentChange::LogIn,
            AgentChange::LogOut,
            AgentChange::Pause,
            AgentChange::Resume,
        ];
        let change = self.random.pick(&changes).copied();
        let user = self.random.pick(&users).cloned();
        self.give(Input::Agent {
            user: user.unwrap_or_else(|| "nobody".into()),
            change: change.unwrap_or(AgentChange::LogIn),
        })
    }

    /// Time goes on, to the next deadline or by a little less than that.
    fn time(&mut self) -> Result<(), String> {
        let deadline = self.account.deadline();
        match deadline {
            Some(deadline) if self.random.percent(30) => {
                self.now = self.now.max(deadline);
                self.give(Input::Wake)
            }
            Some(_) | None => {
                self.now += Duration::from_millis(self.random.between(0, 4_000).into());
                Ok(())
            }
        }
    }

    fn give(&mut self, input: Input) -> Result<(), String> {
        let woken = matches!(input, Input::Wake);
        self.laws.input(&input);
        self.lamps.input(&input);
        let told = format!("{input:?}");
        let (now, ids) = (self.now, self.ids.clone());
        self.tape.push(Taped::Input(now, input.clone(), ids));
        let effects = self.account.handle(self.now, input, &mut self.ids);
        let effects = (self.spoil)(effects);
        self.walked.inputs += 1;
        self.walked.effects += u64::try_from(effects.len()).unwrap_or_default();
        self.remember(&effects);
        self.check(&effects)
            .map_err(|broken| format!("{broken}, after {told}"))?;
        let stuck = woken
            && self
                .account
                .deadline()
                .is_some_and(|deadline| deadline <= self.now);
        if stuck {
            return Err(format!("the deadline is still due after {told}"));
        }
        Ok(())
    }

    /// An answer to a question, at times a late one or one that nobody understands.
    fn check(&mut self, effects: &[Effect]) -> Result<(), String> {
        self.laws.effects(effects)?;
        self.lamps.effects(effects, &self.account)?;
        self.standings.effects(effects)?;
        self.queues
            .effects(self.now, effects, self.account.deadline())?;
        self.laws.waiting(&self.account, self.now)
    }

    fn told(&mut self) -> Result<(), String> {
        let newest = self.questions.last().filter(|_| self.random.percent(70));
        let Some((call, question)) = newest.or(self.random.pick(&self.questions)).copied() else {
            return Ok(());
        };
        let way = |exit: &str| Told::Way {
            exit: exit.to_owned(),
            caller_name: Some("Somebody else".to_owned()),
        };
        let answers = [
            way("vip"),
            way("usual"),
            way("elsewhere"),
            Told::Nothing,
            Told::TimedOut,
            Told::Mailbox(MailboxTold::Opened(self.messages())),
            Told::Mailbox(MailboxTold::Opened(self.messages())),
            Told::Mailbox(MailboxTold::PinNeeded),
            Told::Mailbox(MailboxTold::PinWrong),
            Told::Mailbox(MailboxTold::Locked),
            Told::Mailbox(MailboxTold::Done),
        ];
        let told = self.random.pick(&answers).cloned();
        self.give(Input::Told {
            call,
            question,
            told: told.unwrap_or(Told::Nothing),
        })
    }

    fn remember(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::HangUp { leg, .. } = effect {
                self.past_legs.push(*leg);
                self.visitor.take_if(|(visitor, _)| visitor == leg);
            }
            self.remember_visit(effect);
            if let Effect::Ask(question) = effect {
                self.questions.push((question.call, question.id));
            }
        }
        let surplus = self.questions.len().saturating_sub(MAX_QUESTIONS);
        self.questions.drain(..surplus);
        let surplus = self.past_legs.len().saturating_sub(MAX_PAST_LEGS);
        self.past_legs.drain(..surplus);
    }

    /// Liveness: with nobody doing anything any more, every call comes to its end by itself.
    fn come_to_rest(mut self) -> Result<Walked, String> {
        let patience = self.now + LONGEST_CALL;
        while let Some(deadline) = self.account.deadline() {
            if deadline > patience {
                return Err("a call outlives the greatest length of a call".to_owned());
            }
            self.now = self.now.max(deadline);
            self.give(Input::Wake)?;
        }
        self.laws.silence()?;
        if !self.account.is_idle() {
            return Err("the account holds on to something".to_owned());
        }
        self.walked.rows = self.laws.rows();
        self.walked.hooks = self.laws.hooks();
        Ok(self.walked)
    }
}

#[cfg(test)]
mod tests;
