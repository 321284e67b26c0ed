//! Bugs planted on purpose: each is something a wrong engine could do, done to what a right one
//! says. They show that the rules bite.

use std::time::Duration;

use clock::Time;
use engine::Effect;
use media::{Command, PathId};
use pbx::draft::Draft;
use pbx::{Event, Fact};
use sip::{Framing, Message, Method};

use crate::shell::Shell;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The end of an attempt is not told.
    AttemptNeverEnds,
    /// The end of a call is told twice.
    CallEndsTwice,
    /// The end of a call is not told.
    CallNeverEnds,
    /// The caller's number and the called one are exchanged.
    SwappedNumbers,
    /// An answer is told with the time of three seconds before.
    WrongTime,
    /// A call to the outside is told as answered by nobody: its answer is left out.
    AnswerNotTold,
    /// A media path is never given back.
    PathKept,
    /// Strangers hear each other.
    StrangersBridged,
    /// The caller is told the port of another leg.
    WrongPort,
    /// Phones that lost are not told to stop ringing.
    NoCancel,
    /// Nobody is told that the other side hung up.
    NoBye,
    /// Who hangs up is not heard.
    DeafToBye,
    /// Timers fire five seconds late.
    LateTimers,
    /// Who is put on hold is not told to the media threads.
    HoldForgotten,
    /// An offer is not passed on to the other side.
    OfferForgotten,
    /// One of a user's devices is not called.
    DeviceForgotten,
    /// The first message of a call that comes twice makes two calls.
    RepeatedInviteIsNew,
    /// The device that answered is not told that its answer has come.
    NoAck,
    /// Nothing is played to who was picked up for it.
    NothingPlayed,
    /// Who comes into a conference is not mixed.
    NotMixed,
    /// Agents who did not answer, or have talked, are not left alone for as long as their queue says.
    ShortRests,
    /// Who was handed on is not brought together with who takes the call.
    HandedOnToNobody,
    /// Who watches somebody is not told that the call is over.
    LampStays,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::AttemptNeverEnds,
        Self::CallEndsTwice,
        Self::CallNeverEnds,
        Self::SwappedNumbers,
        Self::WrongTime,
        Self::AnswerNotTold,
        Self::PathKept,
        Self::StrangersBridged,
        Self::WrongPort,
        Self::NoCancel,
        Self::NoBye,
        Self::DeafToBye,
        Self::LateTimers,
        Self::HoldForgotten,
        Self::OfferForgotten,
        Self::DeviceForgotten,
        Self::RepeatedInviteIsNew,
        Self::NoAck,
        Self::NothingPlayed,
        Self::NotMixed,
        Self::ShortRests,
        Self::HandedOnToNobody,
        Self::LampStays,
    ];

    /// The bug of that name, as `Debug` writes it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| format!("{bug:?}") == name)
    }
}

/// Plants one bug, or none.
pub(crate) struct Planter {
    planted: Option<Planted>,
    repeated: u64,
}

impl Planter {
    pub(crate) fn new(planted: Option<Planted>) -> Self {
        Self {
            planted,
            repeated: 0,
        }
    }

    fn is(&self, bug: Planted) -> bool {
        self.planted == Some(bug)
    }

    /// When the node is woken.
    pub(crate) fn wakes_at(&self, deadline: Time) -> Time {
        if self.is(Planted::LateTimers) {
            deadline + Duration::from_secs(5)
        } else {
            deadline
        }
    }

    /// A draft as the rules are told of it: the node seems to have read another one.
    pub(crate) fn believed(&self, draft: &Draft) -> Draft {
        let mut draft = draft.clone();
        if self.is(Planted::ShortRests) {
            let objects = draft.flows.iter_mut().flat_map(|flow| &mut flow.objects);
            for queue in objects.filter(|object| object.kind == "queue") {
                for rest in ["retry_seconds", "wrap_up_seconds"] {
                    queue.settings.insert(rest.to_owned(), 600.into());
                }
            }
        }
        draft
    }

    /// Whether a message does not reach the node's ear.
    pub(crate) fn is_deaf_to(&self, bytes: &[u8]) -> bool {
        self.is(Planted::DeafToBye) && method_of(bytes) == Some((Method::Bye, None))
    }

    /// A message as the node hears it.
    pub(crate) fn heard(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let is_invite = method_of(&bytes) == Some((Method::Invite, None));
        if !self.is(Planted::RepeatedInviteIsNew) || !is_invite {
            return bytes;
        }
        self.repeated += 1;
        let text = String::from_utf8_lossy(&bytes);
        let other_branch = format!("branch=z9hG4bKx{}", self.repeated);
        let other_call = format!("Call-ID: x{}", self.repeated);
        text.replacen("branch=z9hG4bK", &other_branch, 1)
            .replacen("Call-ID: ", &other_call, 1)
            .into_bytes()
    }

    /// What the node does, with the bug in it.
    pub(crate) fn spoil(&self, effects: Vec<Effect>, shell: &Shell) -> Vec<Effect> {
        let Some(bug) = self.planted else {
            return effects;
        };
        let live = shell.paths_in_use();
        let handed_on = |path| shell.path(path).is_some_and(|path| path.is_handed_on);
        let is_lost = |effect: &Effect| match effect {
            Effect::Media(Command::Bridge { a, b, .. }) => {
                bug == Planted::HandedOnToNobody && (handed_on(*a) || handed_on(*b))
            }
            _ => false,
        };
        effects
            .into_iter()
            .filter(|effect| !is_lost(effect))
            .flat_map(|effect| spoilt(bug, effect, &live))
            .collect()
    }
}

fn spoilt(bug: Planted, effect: Effect, live: &[PathId]) -> Vec<Effect> {
    match effect {
        Effect::Emit(event) => spoilt_event(bug, event),
        Effect::Media(command) => spoilt_command(bug, command, live)
            .map(Effect::Media)
            .into_iter()
            .collect(),
        Effect::Send(transmit) => {
            let (method, code) = method_of(&transmit.bytes).unwrap_or((Method::Other, None));
            let is_lost = match bug {
                Planted::NoCancel => (method, code) == (Method::Cancel, None),
                Planted::NoBye => (method, code) == (Method::Bye, None),
                Planted::NoAck => (method, code) == (Method::Ack, None),
                Planted::OfferForgotten => is_invite_to(&transmit.bytes, |to| to.contains(";tag=")),
                Planted::DeviceForgotten => is_invite_to(&transmit.bytes, |to| to.contains("-1@")),
                Planted::LampStays => {
                    (method, code) == (Method::Notify, None) && is_dark(&transmit.bytes)
                }
                _ => false,
            };
            if is_lost {
                return Vec::new();
            }
            let mut transmit = transmit;
            if bug == Planted::WrongPort && (method, code) == (Method::Invite, Some(200)) {
                transmit.bytes = other_port(&transmit.bytes);
            }
            vec![Effect::Send(transmit)]
        }
        Effect::Play(_) if bug == Planted::NothingPlayed => Vec::new(),
        other @ (Effect::Play(_)
        | Effect::Originated { .. }
        | Effect::Ask(_)
        | Effect::AskMailbox(_)
        | Effect::Resolve { .. }
        | Effect::CloseCalls { .. }) => {
            vec![other]
        }
    }
}

fn spoilt_event(bug: Planted, mut event: Event) -> Vec<Effect> {
    let is_lost = matches!(
        (bug, &event.fact),
        (Planted::AttemptNeverEnds, Fact::UserEnded { .. })
            | (Planted::CallNeverEnds, Fact::Ended { .. })
            | (
                Planted::AnswerNotTold,
                Fact::UserAnswered { .. } | Fact::OutboundAnswered { .. }
            )
    );
    if is_lost {
        return Vec::new();
    }
    let again = (bug == Planted::CallEndsTwice && matches!(event.fact, Fact::Ended { .. }))
        .then(|| Effect::Emit(event.clone()));
    match &mut event.fact {
        Fact::Arrived {
            caller_id,
            dest_number,
            ..
        } if bug == Planted::SwappedNumbers => {
            let called = std::mem::take(dest_number);
            *dest_number = caller_id.replace(called).unwrap_or_default();
        }
        Fact::UserAnswered { .. } if bug == Planted::WrongTime => {
            event.at = Time::from_micros(event.at.as_micros().saturating_sub(3_000_000));
        }
        _ => {}
    }
    [Effect::Emit(event)].into_iter().chain(again).collect()
}

fn spoilt_command(bug: Planted, command: Command, live: &[PathId]) -> Option<Command> {
    match (bug, command) {
        (Planted::PathKept, Command::Release { .. })
        | (Planted::NotMixed, Command::Join { .. }) => None,
        (Planted::HoldForgotten, Command::Remote { remote, .. })
            if remote.direction != media::Direction::SendRecv =>
        {
            None
        }
        (
            Planted::StrangersBridged,
            Command::Bridge {
                a,
                b,
                a_to_b,
                b_to_a,
            },
        ) => {
            let is_stranger =
                |path: &&PathId| ![a, b].contains(path) && path.thread() == a.thread();
            let b = live.iter().find(is_stranger).copied().unwrap_or(b);
            Some(Command::Bridge {
                a,
                b,
                a_to_b,
                b_to_a,
            })
        }
        (_, command) => Some(command),
    }
}

/// The message with the port before the one it names.
fn other_port(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Some((before, after)) = text.split_once("m=audio ") else {
        return bytes.to_vec();
    };
    let (port, rest) = after.split_once(' ').unwrap_or((after, ""));
    let port = port.parse::<u16>().unwrap_or_default();
    let other = if port > 20_001 { port - 2 } else { port + 2 };
    format!("{before}m=audio {other} {rest}").into_bytes()
}

/// Whether it is an INVITE with such a To header.
fn is_invite_to(bytes: &[u8], is_it: impl FnOnce(&str) -> bool) -> bool {
    let Ok(message) = Message::parse(bytes, Framing::Datagram) else {
        return false;
    };
    let to = message.header(sip::Name::To).unwrap_or_default();
    let is_request = message.request_line().is_some();
    is_request && message.method() == Method::Invite && is_it(&String::from_utf8_lossy(to))
}

/// Whether it tells that somebody has no call any more.
fn is_dark(notify: &[u8]) -> bool {
    let text = String::from_utf8_lossy(notify);
    text.contains("<dialog-info") && !text.contains("<dialog ") && !text.contains("version=\"0\"")
}

fn method_of(bytes: &[u8]) -> Option<(Method, Option<u16>)> {
    let message = Message::parse(bytes, Framing::Datagram).ok()?;
    Some((
        message.method(),
        message.status_line().map(|line| line.code),
    ))
}
