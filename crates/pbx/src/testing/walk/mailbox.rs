//! Mailboxes in a walk: they fill and empty, and who is in one goes on pressing keys.

use std::sync::Arc;

use super::Walker;
use crate::effect::Effect;
use crate::event::Fact;
use crate::ids::LegId;
use crate::input::Input;
use crate::mailbox::{MailboxCounts, Message, MessageState};
use crate::recording::RecordingId;
use crate::sound::{PlayId, Sound};

impl Walker<'_> {
    /// A mailbox has got fuller or emptier.
    pub(super) fn mailbox(&mut self) -> Result<(), String> {
        let users = self.plan.users.iter();
        let users: Vec<Arc<str>> = users.map(|user| Arc::clone(&user.who.number)).collect();
        let user = self.random.pick(&users).cloned();
        let counts = MailboxCounts {
            new: self.random.between(0, 60),
            saved: self.random.between(0, 60),
        };
        self.give(Input::Mailbox {
            user: user.unwrap_or_else(|| "nobody".into()),
            counts,
        })
    }

    /// Somebody in a mailbox hears all of it, or presses a key.
    pub(super) fn visit(&mut self, leg: LegId, play: PlayId) -> Result<(), String> {
        if self.random.percent(40) {
            return self.give(Input::Played { leg, play });
        }
        let keys = ['1', '2', '3', '4', '5', '#', '*'];
        let digit = self.random.pick(&keys).copied().unwrap_or('1');
        self.give(Input::Digit { leg, digit })
    }

    /// What lies in a mailbox.
    pub(super) fn messages(&mut self) -> Vec<Message> {
        let messages = (0..self.random.between(0, 4)).map(|number| Message {
            recording: RecordingId(1_569_943_875_000_001_000 + u64::from(number)),
            state: if number % 2 == 0 {
                MessageState::New
            } else {
                MessageState::Saved
            },
            at: self.now,
            caller_id: (number > 0).then(|| "61400000001".to_owned()),
            seconds: number,
        });
        messages.collect()
    }

    /// Who comes into a mailbox, and what becomes of messages.
    pub(super) fn remember_visit(&mut self, effect: &Effect) {
        if let Effect::Play {
            leg, play, sounds, ..
        } = effect
        {
            let enters = matches!(sounds.first(), Some(Sound::Mailbox(_)));
            let goes_on = self.visitor.is_some_and(|(visitor, _)| visitor == *leg);
            if enters || goes_on {
                self.visitor = Some((*leg, *play));
            }
        }
        if let Effect::AskMailbox(question) = effect {
            self.knocked = true;
            self.questions.push((question.call, question.id));
        }
        if let Effect::Emit(event) = effect
            && matches!(event.fact, Fact::MessageMoved { .. })
        {
            self.walked.messages_moved += 1;
        }
    }
}
