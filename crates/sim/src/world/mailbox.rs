//! Mailboxes of a world: they answer soon, late or not at all, and let in whoever they please.

use std::time::Duration;

use pbx::{MailboxAsk, MailboxQuestion, MailboxTold, Message, MessageState, RecordingId, Told};

use super::World;
use crate::agenda::Happening;
use crate::random::millis;

impl World {
    /// A mailbox is asked for something.
    pub(super) fn mailbox_is_asked(&mut self, question: &MailboxQuestion) {
        if self.random.percent(5) {
            return;
        }
        let told = match &question.asks {
            MailboxAsk::Open { .. } => match self.random.between(0, 9) {
                0..=5 => MailboxTold::Opened(self.messages()),
                6..=7 => MailboxTold::PinNeeded,
                8 => MailboxTold::PinWrong,
                _ => MailboxTold::Locked,
            },
            MailboxAsk::ChangePin { .. }
            | MailboxAsk::KeepGreeting { .. }
            | MailboxAsk::DropGreeting { .. } => MailboxTold::Done,
        };
        let answer = Happening::Told {
            account: question.account,
            call: question.call,
            question: question.id,
            told: Told::Mailbox(told),
        };
        let after = millis(&mut self.random, 1, 50);
        let late = if self.random.percent(5) {
            Duration::from_secs(6)
        } else {
            Duration::ZERO
        };
        self.agenda.add(self.now + after + late, answer);
    }

    fn messages(&mut self) -> Vec<Message> {
        let messages = (0..self.random.between(0, 3)).map(|number| Message {
            recording: RecordingId(1_000_000_000_000_001_000 + u64::from(number)),
            state: if number == 0 {
                MessageState::New
            } else {
                MessageState::Saved
            },
            at: self.now,
            caller_id: (number > 0).then(|| "61400000001".to_owned()),
            seconds: 5,
        });
        messages.collect()
    }
}
