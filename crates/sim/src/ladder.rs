//! What happened in a world, to be read by people: every message, event and deed in its time.

use std::fmt::Write;

use clock::Time;
use media::{Description, Direction};
use pbx::{Event, Fact, UserRef};
use sip::{Framing, Message, Uri};

use crate::network::Peer;
use crate::party::{Act, PartyId};
use crate::world::START;

/// Characters between two columns.
const WIDTH: usize = 26;
/// Characters of the time before them.
const MARGIN: usize = 10;

/// A ladder being written, or not.
#[derive(Default)]
pub(crate) struct Ladder {
    is_wanted: bool,
    rungs: Vec<Rung>,
}

enum Rung {
    Message {
        at: Time,
        from: Peer,
        to: Peer,
        label: String,
        copies: usize,
    },
    Note {
        at: Time,
        text: String,
    },
    Act {
        at: Time,
        party: PartyId,
        text: String,
    },
}

impl Ladder {
    /// A ladder that keeps what happens.
    pub(crate) fn wanted() -> Self {
        Self {
            is_wanted: true,
            rungs: Vec::new(),
        }
    }

    /// Forgets what happened so far.
    pub(crate) fn begin(&mut self) {
        self.is_wanted = true;
        self.rungs.clear();
    }

    /// A message was sent, of which so many copies will arrive.
    pub(crate) fn message(&mut self, at: Time, ends: (Peer, Peer), bytes: &[u8], copies: usize) {
        if self.is_wanted {
            let (from, to) = ends;
            let label = label_of(bytes);
            self.rungs.push(Rung::Message {
                at,
                from,
                to,
                label,
                copies,
            });
        }
    }

    /// The node told something.
    pub(crate) fn event(&mut self, at: Time, event: &Event) {
        if self.is_wanted {
            let text = words_of(&event.fact);
            self.rungs.push(Rung::Note { at, text });
        }
    }

    /// A party does something that is no message.
    pub(crate) fn act(&mut self, at: Time, party: PartyId, act: &Act) {
        if self.is_wanted && matches!(act, Act::Unplug | Act::PowerCut | Act::Return) {
            let text = format!("{act:?}");
            self.rungs.push(Rung::Act { at, party, text });
        }
    }

    /// Anything else.
    pub(crate) fn note(&mut self, at: Time, text: &str) {
        if self.is_wanted {
            let text = text.to_owned();
            self.rungs.push(Rung::Note { at, text });
        }
    }

    /// One line for each thing that happened.
    pub(crate) fn list(&self, names: &[String]) -> String {
        let mut text = String::new();
        for rung in &self.rungs {
            let line = match rung {
                Rung::Message {
                    at,
                    from,
                    to,
                    label,
                    copies,
                } => {
                    let (from, to) = (name_of(*from, names), name_of(*to, names));
                    let fate = fate_of(*copies);
                    format!("{}  {from} → {to}  {label}{fate}", seconds(*at))
                }
                Rung::Note { at, text } => format!("{}  · {text}", seconds(*at)),
                Rung::Act { at, party, text } => {
                    let name = name_of(Peer::Party(*party), names);
                    format!("{}  · {name}: {text}", seconds(*at))
                }
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Columns with arrows between them, the node where `order` has it.
    pub(crate) fn draw(&self, order: &[Peer], names: &[String]) -> String {
        let mut text = " ".repeat(MARGIN);
        for peer in order {
            let _written = write!(text, "{:^WIDTH$}", name_of(*peer, names));
        }
        text = format!("{}\n", text.trim_end());
        for rung in &self.rungs {
            let line = match rung {
                Rung::Message {
                    at,
                    from,
                    to,
                    label,
                    ..
                } => {
                    let place = |peer: &Peer| order.iter().position(|other| other == peer);
                    let (Some(from), Some(to)) = (place(from), place(to)) else {
                        continue;
                    };
                    let rails = rails(order.len());
                    format!("{} {}", seconds(*at), arrow(rails, from, to, label))
                }
                Rung::Note { at, text } | Rung::Act { at, text, .. } => {
                    format!("{}    · {text}", seconds(*at))
                }
            };
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A vertical line for each column.
fn rails(columns: usize) -> Vec<char> {
    let mut rails = vec![' '; columns * WIDTH];
    for column in 0..columns {
        if let Some(place) = rails.get_mut(column * WIDTH + WIDTH / 2) {
            *place = '│';
        }
    }
    rails
}

/// An arrow over the lines, with its label in the middle of the last gap.
fn arrow(mut rails: Vec<char>, from: usize, to: usize, label: &str) -> String {
    let middle = |column: usize| column * WIDTH + WIDTH / 2;
    let (low, high) = (middle(from.min(to)), middle(from.max(to)));
    let mut put = |place: usize, mark: char| {
        if let Some(cell) = rails.get_mut(place) {
            *cell = mark;
        }
    };
    for place in low + 1..high {
        put(place, '─');
    }
    put(
        if from < to { high - 1 } else { low + 1 },
        if from < to { '▶' } else { '◀' },
    );
    let room = WIDTH - 5;
    let label: Vec<char> = label.chars().take(room).collect();
    // Beside the far end, where it does not lie over another column.
    let gap = if from.abs_diff(to) == 1 || from < to {
        high - WIDTH
    } else {
        low
    };
    let start = gap + 1 + (WIDTH - 1 - label.len()) / 2;
    for (offset, letter) in label.into_iter().enumerate() {
        put(start + offset, letter);
    }
    rails.into_iter().collect()
}

fn seconds(at: Time) -> String {
    let micros = (at - START).as_micros();
    format!("{:>5}.{:03}", micros / 1_000_000, micros / 1_000 % 1_000)
}

fn fate_of(copies: usize) -> &'static str {
    match copies {
        0 => "  (lost)",
        1 => "",
        _ => "  (twice)",
    }
}

fn name_of(peer: Peer, names: &[String]) -> String {
    match peer {
        Peer::Node => "pbx".to_owned(),
        Peer::Party(id) => names.get(id.0).cloned().unwrap_or_default(),
        Peer::Stranger(address) => address.to_string(),
    }
}

/// A message in a few words: what it is, whom it is for, which way its audio would flow.
fn label_of(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes, Framing::Datagram) else {
        return format!("{} bytes that are no SIP", bytes.len());
    };
    let method = message.method().as_str();
    let mut label = match (message.request_line(), message.status_line()) {
        (Some(line), _) => {
            let user = Uri::parse(line.uri).and_then(|uri| uri.user_decoded());
            let user = user.map(|user| String::from_utf8_lossy(&user).into_owned());
            match user
                .filter(|_| method == "INVITE" && message.to().is_some_and(|to| to.tag().is_none()))
            {
                Some(user) => format!("{method} {user}"),
                None => method.to_owned(),
            }
        }
        (None, Some(line)) => format!("{} {method}", line.code),
        (None, None) => method.to_owned(),
    };
    if let Ok(description) = Description::parse(message.body()) {
        let is_early = message.status_line().is_some_and(|line| line.code < 200);
        match description.direction() {
            Direction::SendRecv if is_early => label.push_str(" with audio"),
            Direction::SendRecv => {}
            other => {
                let _written = write!(label, " {}", other.name());
            }
        }
    }
    label
}

fn words_of(fact: &Fact) -> String {
    let user = |user: &UserRef, what: &str| format!("user {} {what}", user.number);
    match fact {
        Fact::Arrived {
            direction,
            caller_id,
            dest_number,
            ..
        } => {
            let caller = caller_id.as_deref().unwrap_or("somebody");
            format!("{direction:?} call: {caller} calls {dest_number}")
        }
        Fact::UserRinging { user: who, .. } => user(who, "rings"),
        Fact::UserAnswered { user: who } => user(who, "has answered"),
        Fact::UserEnded { user: who } => user(who, "is done"),
        Fact::OutboundStarted { user: who } => user(who, "calls"),
        Fact::OutboundAnswered { user: who } => user(who, "is answered"),
        Fact::OutboundEnded { user: who } => user(who, "is done calling"),
        Fact::GroupEntered { group } => format!("enters {}", group.name),
        Fact::GroupAnswered { group, .. } => format!("is answered by {}", group.name),
        Fact::GroupLeft { group } => format!("leaves {}", group.name),
        Fact::ComponentPassed { component } => format!("passes {}", component.name),
        Fact::RecordingStarted { recording, .. } => format!("recording {recording} begins"),
        Fact::RecordingClosed { recording, end, .. } => {
            format!("recording {recording} is over: {end:?}")
        }
        Fact::RecordingFinished { finished } => {
            format!("recording {} is kept", finished.recording)
        }
        Fact::MessageMoved { recording, to, .. } => format!("{recording} is {to:?}"),
        Fact::RecordingDiscarded { recording, .. } => format!("nothing is left of {recording}"),
        Fact::CallerShown { caller_id, .. } => {
            format!(
                "the caller is shown as {}",
                caller_id.as_deref().unwrap_or("nobody")
            )
        }
        Fact::Stands { standing } => format!("from now on {}", standing.subject()),
        Fact::LegClosed { role, .. } => format!("media closed: {role}"),
        Fact::Ended { cause } => format!("call ended: {}", cause.name()),
    }
}
