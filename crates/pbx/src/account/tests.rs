//! Ladders: what happens to a call, and every effect it has, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::draft::Draft;
use crate::effect::Target;
use crate::event::{Event, Fact};
use crate::ids::{AccountId, CallIds};
use crate::input::{Failure, Origin};
use crate::mailbox::{MailboxAsk, MailboxQuestion};
use crate::recording::Purpose;
use crate::sound::PlayId;
use crate::testing::{Laws, example};
use crate::watch::Line;

const START: Time = Time::from_secs(1_569_943_875);

/// An account with names for its legs: `caller`, a device's username, a trunk's name.
struct Desk {
    account: Account,
    ids: Ids,
    now: Time,
    laws: Laws,
    legs: BTreeMap<String, LegId>,
    ladder: Vec<String>,
    last_play: PlayId,
    events: Vec<Event>,
    question: Option<(CallId, crate::question::QuestionId)>,
}

impl Desk {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Draft)) -> Self {
        Self {
            account: Account::new(plan(change)),
            ids: Ids::new(CallIds::new(0, START), LegId(1)),
            now: START,
            laws: Laws::new(),
            legs: BTreeMap::new(),
            ladder: Vec::new(),
            last_play: PlayId::default(),
            events: Vec::new(),
            question: None,
        }
    }

    fn comes_in(&mut self, called: &str) {
        self.arrives(
            "caller",
            Origin::Trunk {
                name: "carrier".into(),
            },
            called,
        );
    }

    fn dials(&mut self, device: &str, called: &str) {
        self.arrives(
            "caller",
            Origin::Device {
                username: device.into(),
            },
            called,
        );
    }

    fn arrives(&mut self, name: &str, origin: Origin, called: &str) {
        let leg = self.ids.leg();
        self.legs.insert(name.to_owned(), leg);
        self.give(Input::Incoming {
            leg,
            origin,
            called: called.to_owned(),
            caller_number: Some("61300000000".to_owned()),
            caller_name: None,
        });
    }

    fn leg(&self, name: &str) -> LegId {
        *self
            .legs
            .get(name)
            .unwrap_or_else(|| panic!("no leg {name}"))
    }

    fn rings(&mut self, name: &str) {
        let leg = self.leg(name);
        self.give(Input::Ringing { leg });
    }

    fn progresses(&mut self, name: &str) {
        let leg = self.leg(name);
        self.give(Input::Progress { leg });
    }

    fn answers(&mut self, name: &str) {
        let leg = self.leg(name);
        self.give(Input::Answered { leg });
    }

    fn fails(&mut self, name: &str, failure: Failure) {
        let leg = self.leg(name);
        self.give(Input::Failed { leg, failure });
    }

    fn hangs_up(&mut self, name: &str, cause: HangupCause) {
        let leg = self.leg(name);
        self.give(Input::HungUp { leg, cause });
    }

    fn presses(&mut self, digit: char) {
        let leg = self.leg("caller");
        self.give(Input::Digit { leg, digit });
    }

    fn has_heard_it(&mut self) {
        let (leg, play) = (self.leg("caller"), self.last_play);
        self.give(Input::Played { leg, play });
    }

    /// Time goes on, and every deadline on the way is met.
    fn passes(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(deadline) = self
            .account
            .deadline()
            .filter(|deadline| *deadline <= until)
        {
            self.now = deadline;
            self.give(Input::Wake);
        }
        self.now = until;
    }

    fn give(&mut self, input: Input) {
        self.laws.input(&input);
        let effects = self.account.handle(self.now, input, &mut self.ids);
        for effect in &effects {
            self.note(effect);
        }
        self.laws.effects(&effects).unwrap();
    }

    /// A newer plan is applied.
    fn apply(&mut self, plan: Arc<Plan>) {
        let effects = self.account.apply(plan, self.now, &mut self.ids);
        for effect in &effects {
            self.note(effect);
        }
        self.laws.effects(&effects).unwrap();
    }

    fn note(&mut self, effect: &Effect) {
        let line = match effect {
            Effect::Dial {
                leg,
                target,
                caller,
                ..
            } => {
                let (name, whom) = match target {
                    Target::Device { username } => (username, username.to_string()),
                    Target::Trunk { name, number } => (name, format!("{number} by {name}")),
                };
                self.legs.insert(name.to_string(), *leg);
                format!(
                    "dial {whom} as {}",
                    caller.number.as_deref().unwrap_or("nobody")
                )
            }
            Effect::Ring { leg } => format!("ring {}", self.name(*leg)),
            Effect::EarlyMedia { leg, from } => {
                format!("{} hears {}", self.name(*leg), self.name(*from))
            }
            Effect::PickUp { leg, .. } => format!("pick up {}", self.name(*leg)),
            Effect::Connect { leg, with } => {
                format!("connect {} with {}", self.name(*leg), self.name(*with))
            }
            Effect::Play {
                leg,
                play,
                sounds,
                times,
            } => {
                self.last_play = *play;
                format!("play {sounds:?} to {} {times:?}", self.name(*leg))
            }
            Effect::StopPlaying { leg } => format!("stop playing to {}", self.name(*leg)),
            Effect::Record { leg, voice, .. } => {
                format!("record {} as {voice:?}", self.name(*leg)).to_lowercase()
            }
            Effect::PauseRecording { .. } => "pause the recording".to_owned(),
            Effect::ResumeRecording { .. } => "resume the recording".to_owned(),
            Effect::StopRecording { recording, .. } => format!("stop recording {recording}"),
            Effect::HangUp { leg, cause } => {
                format!("hang up {}: {}", self.name(*leg), cause.name())
            }
            Effect::Emit(event) => {
                self.events.push(event.clone());
                said(&event.fact)
            }
            Effect::JoinRoom { leg, room, speech } => {
                format!("{} is in {room}, {speech:?}", self.name(*leg))
            }
            Effect::LeaveRoom { leg } => format!("{} is in no room", self.name(*leg)),
            Effect::Part { leg } => format!("part {}", self.name(*leg)),
            Effect::Referral { leg, progress } => {
                format!("tell {} of the transfer: {progress:?}", self.name(*leg))
            }
            Effect::Watched { name, lines } => shown(name, lines),
            Effect::Ask(question) => format!("ask {}", question.asks.url),
            Effect::AskMailbox(question) => {
                self.question = Some((question.call, question.id));
                knocked(question)
            }
            Effect::Originated { outcome: Ok(_) } => "begun".to_owned(),
            Effect::Originated { outcome: Err(why) } => format!("not begun: {why:?}"),
        };
        self.ladder.push(line);
    }

    fn name(&self, leg: LegId) -> &str {
        let found = self.legs.iter().find(|(_, known)| **known == leg);
        found.map_or("somebody", |(name, _)| name)
    }

    /// What happened since the last look.
    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.ladder), expected);
    }

    #[track_caller]
    fn is_over(&self) {
        self.laws.silence().unwrap();
        assert!(self.account.is_idle(), "{:?}", self.account);
    }
}

/// A lamp, in words.
fn shown(name: &str, lines: &[Line]) -> String {
    let line = |line: &Line| {
        let words = format!("{:?} {:?}", line.direction, line.state).to_lowercase();
        let other = line.other.as_ref().map(|other| other.number.as_deref());
        let other = other.map(|number| format!(" {}", number.unwrap_or("nobody")));
        words + &other.unwrap_or_default()
    };
    let lines: Vec<String> = lines.iter().map(line).collect();
    format!("{name}: {lines:?}").replace('"', "")
}

fn knocked(question: &MailboxQuestion) -> String {
    match &question.asks {
        MailboxAsk::Open { by, pin } => {
            let pin = pin.as_deref().unwrap_or("no PIN");
            format!("ask mailbox {} for {by:?}, {pin}", question.mailbox)
        }
        MailboxAsk::ChangePin { pin } => format!("change the PIN to {pin}"),
        MailboxAsk::KeepGreeting {
            greeting,
            recording,
        } => format!("keep {recording} as {greeting:?}"),
        MailboxAsk::DropGreeting { greeting } => format!("drop {greeting:?}"),
    }
}

fn plan(change: impl FnOnce(&mut Draft)) -> Arc<Plan> {
    let mut draft = example();
    change(&mut draft);
    Arc::new(draft.compile(AccountId(1), 1).unwrap())
}

fn said(fact: &Fact) -> String {
    match fact {
        Fact::Arrived {
            direction,
            caller_id,
            dest_number,
            ..
        } => {
            let caller = caller_id.as_deref().unwrap_or("nobody");
            format!("[{direction:?} {caller} to {dest_number}]").to_lowercase()
        }
        Fact::UserRinging { user, .. } => format!("[{} rings]", user.number),
        Fact::UserAnswered { user } => format!("[{} answered]", user.number),
        Fact::UserEnded { user } => format!("[{} ended]", user.number),
        Fact::OutboundStarted { user } => format!("[{} calls]", user.number),
        Fact::OutboundAnswered { user } => format!("[{}'s call answered]", user.number),
        Fact::OutboundEnded { user } => format!("[{}'s call ended]", user.number),
        Fact::GroupEntered { group } => format!("[into {}]", group.name),
        Fact::GroupAnswered { group, user } => {
            let who = user.as_ref().map_or("outside", |user| &user.number);
            format!("[{} answered by {who}]", group.name)
        }
        Fact::GroupLeft { group } => format!("[out of {}]", group.name),
        Fact::ComponentPassed { component } => format!("[passes {}]", component.name),
        Fact::RecordingStarted { purpose, .. } => match purpose {
            Purpose::Voicemail {
                mailbox,
                emails,
                copy_of: None,
            } => format!("[message for {} to {emails:?}]", mailbox.number),
            Purpose::Voicemail {
                mailbox,
                copy_of: Some(message),
                ..
            } => format!("[{message} for {} too]", mailbox.number),
            Purpose::Greeting { mailbox } => format!("[greeting of {}]", mailbox.number),
            Purpose::Inbound { emails } => format!("[recording to {emails:?}]"),
            Purpose::Outbound { user, emails } => {
                format!("[recording of {} to {emails:?}]", user.number)
            }
        },
        Fact::MessageMoved { recording, to, .. } => format!("[{recording} is {to:?}]"),
        Fact::RecordingClosed { recording, .. } => format!("[{recording} is closed]"),
        Fact::RecordingFinished { .. } | Fact::RecordingDiscarded { .. } => {
            unreachable!("others tell these")
        }
        Fact::CallerShown {
            caller_id,
            caller_name,
        } => {
            let number = caller_id.as_deref().unwrap_or("nobody");
            let name = caller_name.as_deref().unwrap_or("no name");
            format!("[shown as {number}, {name}]")
        }
        Fact::Stands { standing } => {
            let usual = if standing.is_usual() { " as usual" } else { "" };
            format!("[{} stands{usual}]", standing.subject())
        }
        Fact::LegClosed { .. } => "[leg closed]".to_owned(),
        Fact::Ended { cause } => format!("[over: {}]", cause.name()),
    }
}

const NUMBER: &str = "61298765432";

mod answering;
mod bounds;
mod caller_filter;
mod click_to_call;
mod conference;
mod directory;
mod external_number;
mod forwards;
mod http_route;
mod mailbox;
mod menus;
mod outbound;
mod park;
mod pickup;
mod queue;
mod recordings;
mod ring_group;
mod set_caller_id;
mod time_conditions;
mod transfer;
mod watch;
mod webhook;
