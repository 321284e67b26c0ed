//! Lets callers wait in line, with music, until one of its agents is free and answers.

mod hearing;
mod kind;

use std::sync::Arc;
use std::time::Duration;

use clock::Time;
use serde::Deserialize;

use super::{Kind, Object};
use crate::attempt::{AttemptId, MAX_LEGS_PER_CALL, Party, Via};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::{Fact, GroupKind, GroupRef, HangupCause, UserRef};
use crate::floor::{Comer, Offer, Place, Roster, Spot, Strategy};
use crate::input::Failure;
use crate::plan::UserIndex;
use crate::sound::Sound;
use hearing::{Announce, Hearing, News, Program};

/// Agents of one queue.
pub(crate) const MAX_AGENTS: usize = 200;

/// Callers in one line.
pub(crate) const MAX_CALLERS: u32 = 1_000;

/// How long an agent without a phone that can be reached is left alone at least: each try is told
/// to webhooks, and leads to nothing.
const UNREACHABLE_REST: Duration = Duration::from_secs(30);

const DEFAULT_RING_SECONDS: u32 = 20;
const DEFAULT_RETRY_SECONDS: u32 = 5;
const DEFAULT_MAX_WAIT_SECONDS: u32 = 1_800;
const DEFAULT_MAX_CALLERS: u32 = 100;
const DEFAULT_ANNOUNCE_SECONDS: u32 = 60;
const DEFAULT_REMINDER_SECONDS: u32 = 120;

/// A line, and who answers it.
#[derive(Debug)]
pub(crate) struct Queue {
    group: GroupRef,
    /// As the roster has them.
    agents: Vec<(UserIndex, UserRef)>,
    roster: Arc<Roster>,
    ring_time: Duration,
    retry_pause: Duration,
    wrap_up: Duration,
    max_wait: Duration,
    max_callers: usize,
    priority: u32,
    program: Program,
    exit_key: Option<char>,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    agents: Vec<String>,
    #[serde(default)]
    strategy: Strategy,
    #[serde(default)]
    ring_seconds: Option<u32>,
    #[serde(default)]
    retry_seconds: Option<u32>,
    #[serde(default)]
    wrap_up_seconds: Option<u32>,
    #[serde(default)]
    max_wait_seconds: Option<u32>,
    #[serde(default)]
    max_callers: Option<u32>,
    #[serde(default)]
    priority: Option<u32>,
    #[serde(default)]
    announce: Announce,
    #[serde(default)]
    announce_seconds: Option<u32>,
    #[serde(default)]
    reminder: Option<String>,
    #[serde(default)]
    reminder_seconds: Option<u32>,
    #[serde(default)]
    music: Option<String>,
    #[serde(default)]
    exit_key: Option<char>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// There is no place for it.
    TurnedAway,
    /// It is in line.
    Waiting(Wait),
    /// Somebody talks with the caller: an agent, by position in the roster, or who took the call.
    Talking(Option<usize>),
}

/// A caller in line.
#[derive(Debug)]
pub(crate) struct Wait {
    place: Place,
    ends_at: Time,
    ringing: Vec<Ringing>,
    hearing: Hearing,
}

/// An agent whose phones ring for the caller.
#[derive(Debug)]
struct Ringing {
    attempt: AttemptId,
    agent: usize,
    ends_at: Time,
}

impl Object for Queue {
    const KIND: Kind = kind::KIND;

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let group = compiler.group(GroupKind::Queue)?;
        let agents = agents(&settings, compiler)?;
        let numbers = agents.iter().map(|(_, who)| Arc::clone(&who.number));
        let roster = Roster {
            agents: numbers.collect(),
            strategy: settings.strategy,
        };
        let seconds =
            |chosen: Option<u32>, usual: u32| Duration::from_secs(chosen.unwrap_or(usual).into());
        let mut optional =
            |setting, word: Option<&str>| word.map(|word| compiler.sound(setting, word));
        let max_callers = settings.max_callers.unwrap_or(DEFAULT_MAX_CALLERS);
        Some(Self {
            group,
            agents,
            roster: Arc::new(roster),
            ring_time: seconds(settings.ring_seconds, DEFAULT_RING_SECONDS),
            retry_pause: seconds(settings.retry_seconds, DEFAULT_RETRY_SECONDS),
            wrap_up: seconds(settings.wrap_up_seconds, 0),
            max_wait: seconds(settings.max_wait_seconds, DEFAULT_MAX_WAIT_SECONDS),
            max_callers: usize::try_from(max_callers).unwrap_or(usize::MAX),
            priority: settings.priority.unwrap_or_default(),
            program: Program {
                announce: settings.announce,
                announce_every: seconds(settings.announce_seconds, DEFAULT_ANNOUNCE_SECONDS),
                reminder: optional("reminder", settings.reminder.as_deref()),
                reminder_every: seconds(settings.reminder_seconds, DEFAULT_REMINDER_SECONDS),
                music: optional("music", settings.music.as_deref()).unwrap_or(Sound::Music),
            },
            exit_key: settings.exit_key,
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *state, moment) {
            (State::Outside, Moment::Entered) => self.enter(state, cx),
            (State::Waiting(_), Moment::InLine(Offer::NobodyIn)) => Step::exit("nobody"),
            (State::Waiting(wait), Moment::InLine(Offer::Agent(agent))) => {
                self.ring(wait, agent, cx);
                wait.sleep(cx)
            }
            (State::Waiting(wait), Moment::Failed { attempt, failure }) => {
                self.missed(wait, attempt, failure, cx);
                wait.sleep(cx)
            }
            (State::Waiting(wait), Moment::Answered { attempt }) => {
                *state = State::Talking(self.answered(wait.place, attempt, cx));
                Step::Stay
            }
            (State::Waiting(wait), Moment::Woken) => self.woken(wait, cx),
            (State::Waiting(wait), Moment::Played { play }) => {
                wait.hearing.played(play, &self.program, cx);
                wait.sleep(cx)
            }
            (State::Waiting(_), Moment::Digit(digit)) if self.exit_by(digit, cx) => {
                Step::exit("key")
            }
            (_, Moment::Left { cause, .. }) => Step::HangUp(cause),
            (
                State::Outside | State::TurnedAway | State::Waiting(_) | State::Talking(_),
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Step::Stay,
        }
    }

    fn leave(&self, state: State, cx: &mut Cx<'_, '_>) {
        match state {
            State::Outside => return,
            State::TurnedAway => {}
            State::Waiting(wait) => cx.floor().leave_line(&self.group.name, wait.place),
            State::Talking(agent) => {
                let (now, wrap_up) = (cx.now(), self.wrap_up);
                if let Some(agent) = agent.and_then(|agent| self.roster.agents.get(agent)) {
                    cx.floor().wrap_up(agent, wrap_up, now);
                }
            }
        }
        cx.tell(Fact::GroupLeft {
            group: self.group.clone(),
        });
    }
}

impl Queue {
    /// Its name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.group.name
    }

    /// Who answers.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &UserRef> {
        self.agents.iter().map(|(_, who)| who)
    }

    fn enter(&self, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        cx.tell(Fact::GroupEntered {
            group: self.group.clone(),
        });
        *state = State::TurnedAway;
        if !cx.floor().is_anybody_in(&self.roster) {
            return Step::exit("nobody");
        }
        if cx.floor().line_length(&self.group.name) >= self.max_callers {
            return Step::exit("full");
        }
        let (call, now) = (cx.call(), cx.now());
        let comer = Comer {
            call,
            queue: &self.group.name,
            roster: &self.roster,
            priority: self.priority,
        };
        let place = cx.floor().enter_line(comer, now);
        let wait = Wait {
            place,
            ends_at: now + self.max_wait,
            ringing: Vec::new(),
            hearing: Hearing::begin(&self.program, self.news(place, cx), cx),
        };
        let step = wait.sleep(cx);
        *state = State::Waiting(wait);
        step
    }

    /// Rings an agent, who counts as offered until told otherwise.
    fn ring(&self, wait: &mut Wait, agent: usize, cx: &mut Cx<'_, '_>) {
        let user = self.agents.get(agent).map(|(user, _)| *user);
        let via = Via {
            queue: Some(Arc::clone(&self.group.name)),
            ring_group: None,
        };
        let rung = user.map(|user| cx.ring(Party::User { user, via }));
        match rung.unwrap_or(Err(Failure::NotFound)) {
            Ok(attempt) => wait.ringing.push(Ringing {
                attempt,
                agent,
                ends_at: cx.now() + self.ring_time,
            }),
            Err(failure) => self.rest(wait.place, agent, failure, cx),
        }
    }

    fn missed(&self, wait: &mut Wait, attempt: AttemptId, failure: Failure, cx: &mut Cx<'_, '_>) {
        let place = wait.place;
        for one in wait.ringing.extract_if(.., |one| one.attempt == attempt) {
            self.rest(place, one.agent, failure, cx);
        }
    }

    fn rest(&self, place: Place, agent: usize, failure: Failure, cx: &mut Cx<'_, '_>) {
        let rest = match failure {
            Failure::Unreachable => self.retry_pause.max(UNREACHABLE_REST),
            Failure::Busy
            | Failure::Declined
            | Failure::NoAnswer
            | Failure::NotFound
            | Failure::Incompatible
            | Failure::Rejected
            | Failure::Unavailable
            | Failure::Timeout => self.retry_pause,
        };
        let now = cx.now();
        cx.floor().missed(self.spot(place, agent), rest, now);
    }

    /// Somebody has answered: the agent, by position, unless the call was taken from all of them.
    fn answered(&self, place: Place, attempt: AttemptId, cx: &mut Cx<'_, '_>) -> Option<usize> {
        let now = cx.now();
        let user = cx.user_of(attempt);
        let by = |agent: &Arc<str>| user.as_ref().is_some_and(|user| user.number == *agent);
        let agent = self.roster.agents.iter().position(by);
        cx.let_sleep();
        cx.connect(attempt);
        let by = agent.and_then(|agent| self.roster.agents.get(agent));
        cx.floor().answered(&self.group.name, place, by, now);
        cx.tell(Fact::GroupAnswered {
            group: self.group.clone(),
            user,
        });
        agent
    }

    fn woken(&self, wait: &mut Wait, cx: &mut Cx<'_, '_>) -> Step {
        let now = cx.now();
        if now >= wait.ends_at {
            return Step::exit("time_out");
        }
        let place = wait.place;
        for one in wait.ringing.extract_if(.., |one| one.ends_at <= now) {
            cx.stop(one.attempt, HangupCause::NoAnswer);
            self.rest(place, one.agent, Failure::NoAnswer, cx);
        }
        if wait.hearing.due_at().is_some_and(|due_at| due_at <= now) {
            wait.hearing.tell(&self.program, self.news(place, cx), cx);
        }
        wait.sleep(cx)
    }

    fn news(&self, place: Place, cx: &mut Cx<'_, '_>) -> News {
        let queue = &self.group.name;
        News {
            position: cx.floor().position(queue, place),
            wait_ahead: cx.floor().wait_ahead(queue, place),
            exit_key: self.exit_key.filter(|key| self.exit_by(*key, cx)),
        }
    }

    fn exit_by(&self, digit: char, cx: &Cx<'_, '_>) -> bool {
        self.exit_key == Some(digit) && cx.leads_on("key")
    }

    fn spot(&self, place: Place, agent: usize) -> Spot<'_> {
        Spot {
            queue: &self.group.name,
            place,
            roster: &self.roster,
            agent,
        }
    }
}

impl Wait {
    /// Sleeps until the first of what is due by time.
    fn sleep(&self, cx: &mut Cx<'_, '_>) -> Step {
        let rings = self.ringing.iter().map(|one| one.ends_at);
        let others = [Some(self.ends_at), self.hearing.due_at()];
        let due_at = rings.chain(others.into_iter().flatten()).min();
        cx.wake_in(due_at.unwrap_or(self.ends_at).since(cx.now()));
        Step::Stay
    }
}

/// The agents who have a phone at all. `None` when one of them is wrong.
fn agents(settings: &Settings, compiler: &mut Compiler<'_>) -> Option<Vec<(UserIndex, UserRef)>> {
    let mut agents: Vec<(UserIndex, UserRef)> = Vec::new();
    let mut is_sound = true;
    let mut devices = 0;
    for (place, number) in settings.agents.iter().enumerate() {
        let setting = format!("agents[{place}]");
        let found = compiler.user(&setting, number);
        let Some((index, who)) =
            found.and_then(|(index, _)| Some((index, compiler.user_ref(index)?)))
        else {
            is_sound = false;
            continue;
        };
        if agents.iter().any(|(other, _)| *other == index) {
            compiler.fault(&setting, "is in the list already");
            is_sound = false;
        }
        match compiler.device_count(index) {
            0 => compiler.warn(
                &setting,
                format!("`{number}` has no device: the queue never rings this agent"),
            ),
            count => {
                devices += count;
                agents.push((index, who));
            }
        }
    }
    if settings.strategy == Strategy::RingAll && devices > MAX_LEGS_PER_CALL {
        compiler.fault(
            "strategy",
            format!(
                "rings {devices} devices at once, and a call can ring {MAX_LEGS_PER_CALL}: take \
                 another strategy, or fewer agents"
            ),
        );
        is_sound = false;
    }
    is_sound.then_some(agents)
}
