//! Inside a mailbox: the menu and the messages. Greetings and the PIN are in `greetings`.

use std::time::Duration;

use super::greetings::Doing as Change;
use super::keys::{Entry, Keys};
use super::visit::play;
use super::{KEY_WAIT, MAX_MISSES};
use crate::cx::{Cx, Moment};
use crate::event::{Fact, UserRef};
use crate::mailbox::{MailboxCounts, Message, MessageState};
use crate::recording::RecordingId;
use crate::sound::{PlayId, Sound};

/// A message whose end is not told so long after its length is over.
const GRACE: Duration = Duration::from_mins(1);

/// A caller in a mailbox.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(super) mailbox: UserRef,
    messages: Vec<Message>,
    /// The message that is heard, by position.
    at: usize,
    /// Times that nothing, or something without a meaning, was pressed.
    misses: u32,
    pub(super) doing: Doing,
}

/// What the caller does.
#[derive(Debug)]
pub(super) enum Doing {
    /// Hears the menu.
    Menu,
    /// Hears a message, until this play has ended.
    Hearing(PlayId),
    /// Is asked what becomes of the message.
    Deciding,
    /// Keys in whom the message is forwarded to.
    Forwarding(Keys),
    /// Changes a greeting or the PIN.
    Changing(Change),
}

/// Whether the caller stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Stay,
    Leave,
}

impl Inside {
    /// The caller hears what there is, and the menu.
    pub(super) fn enter(mailbox: UserRef, messages: Vec<Message>, cx: &mut Cx<'_, '_>) -> Self {
        let mut inside = Self {
            mailbox,
            messages,
            at: 0,
            misses: 0,
            doing: Doing::Menu,
        };
        let first = vec![Sound::Mailbox(inside.counts())];
        inside.menu(first, cx);
        inside
    }

    /// Takes a moment in.
    pub(super) fn handle(&mut self, moment: Moment, cx: &mut Cx<'_, '_>) -> Next {
        match (&mut self.doing, moment) {
            (Doing::Changing(_), moment) => self.change(moment, cx),
            (Doing::Menu, Moment::Digit(key)) => self.chosen(key, cx),
            (Doing::Hearing(heard), Moment::Played { play }) if *heard == play => {
                self.heard(cx);
                Next::Stay
            }
            (Doing::Hearing(_), Moment::Woken) => {
                self.heard(cx);
                Next::Stay
            }
            (Doing::Hearing(_) | Doing::Deciding, Moment::Digit(key)) => self.decided(key, cx),
            (Doing::Forwarding(keys), Moment::Digit(key)) => match keys.press(key) {
                Entry::GoesOn => wait_on(cx),
                Entry::Ended(number) => self.forward(&number, cx),
                Entry::Cancelled => self.decide(Vec::new(), cx),
            },
            (Doing::Forwarding(keys), Moment::Woken) => {
                let number = keys.end();
                self.forward(&number, cx)
            }
            (Doing::Menu | Doing::Deciding, Moment::Woken) => self.missed(cx),
            (Doing::Menu | Doing::Deciding | Doing::Forwarding(_), Moment::Played { .. }) => {
                wait_on(cx)
            }
            (
                Doing::Menu | Doing::Hearing(_) | Doing::Deciding | Doing::Forwarding(_),
                Moment::Entered
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Next::Stay,
        }
    }

    /// What was recorded and not kept is erased.
    pub(super) fn leave(self, cx: &mut Cx<'_, '_>) {
        match &self.doing {
            Doing::Changing(change) => {
                if let Some(recording) = change.recording() {
                    self.erase(recording, cx);
                }
            }
            Doing::Menu | Doing::Hearing(_) | Doing::Deciding | Doing::Forwarding(_) => {}
        }
    }

    pub(super) fn erase(&self, recording: RecordingId, cx: &mut Cx<'_, '_>) {
        self.tell(recording, MessageState::Erased, cx);
    }

    fn tell(&self, recording: RecordingId, to: MessageState, cx: &mut Cx<'_, '_>) {
        let mailbox = self.mailbox.number.clone();
        cx.tell(Fact::MessageMoved {
            recording,
            mailbox,
            to,
        });
    }

    fn counts(&self) -> MailboxCounts {
        let count = |state| {
            let messages = self.messages.iter();
            let count = messages.filter(|message| message.state == state).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        MailboxCounts {
            new: count(MessageState::New),
            saved: count(MessageState::Saved),
        }
    }

    /// The menu, after these words.
    pub(super) fn menu(&mut self, mut first: Vec<Sound>, cx: &mut Cx<'_, '_>) -> Next {
        self.doing = Doing::Menu;
        first.push(Sound::Prompt("vm-menu-main".into()));
        play(first, cx);
        Next::Stay
    }

    fn chosen(&mut self, key: char, cx: &mut Cx<'_, '_>) -> Next {
        match key {
            '1' => {
                self.at = 0;
                self.hear(Vec::new(), cx)
            }
            '2' => self.choose_greeting(cx),
            '3' => self.choose_pin(cx),
            '*' => Next::Leave,
            _ => self.missed(cx),
        }
    }

    /// The words that were said last are said again, but not for ever.
    pub(super) fn missed(&mut self, cx: &mut Cx<'_, '_>) -> Next {
        self.misses += 1;
        if self.misses >= MAX_MISSES {
            return Next::Leave;
        }
        match &self.doing {
            Doing::Menu | Doing::Changing(_) => self.menu(Vec::new(), cx),
            Doing::Hearing(_) | Doing::Deciding => self.decide(Vec::new(), cx),
            Doing::Forwarding(_) => self.ask_where(cx),
        }
    }

    /// The message at this place, after these words; the menu when there is none.
    fn hear(&mut self, mut first: Vec<Sound>, cx: &mut Cx<'_, '_>) -> Next {
        let Some(message) = self.messages.get(self.at) else {
            let words = if self.messages.is_empty() {
                "vm-no-messages"
            } else {
                "vm-no-more-messages"
            };
            first.push(Sound::Prompt(words.into()));
            return self.menu(first, cx);
        };
        let number = u32::try_from(self.at + 1).unwrap_or(u32::MAX);
        first.extend([
            Sound::Prompt("vm-message-number".into()),
            Sound::Number(number),
            Sound::Prompt("vm-received".into()),
            Sound::Moment(message.at),
            Sound::Prompt("vm-from".into()),
            match &message.caller_id {
                Some(number) => Sound::Digits(number.clone()),
                None => Sound::Prompt("vm-unknown-caller".into()),
            },
            Sound::Recording(message.recording),
        ]);
        let length = Duration::from_secs(message.seconds.into());
        let heard = play(first, cx);
        cx.wake_in(length + GRACE);
        self.doing = Doing::Hearing(heard);
        Next::Stay
    }

    /// The message was heard to its end: it is none of the new ones any more.
    fn heard(&mut self, cx: &mut Cx<'_, '_>) {
        self.save(cx);
        self.decide(Vec::new(), cx);
    }

    fn save(&mut self, cx: &mut Cx<'_, '_>) {
        let message = self.messages.get_mut(self.at);
        let message = message.filter(|message| message.state == MessageState::New);
        if let Some(message) = message {
            message.state = MessageState::Saved;
            let recording = message.recording;
            self.tell(recording, MessageState::Saved, cx);
        }
    }

    fn decide(&mut self, mut first: Vec<Sound>, cx: &mut Cx<'_, '_>) -> Next {
        self.doing = Doing::Deciding;
        first.push(Sound::Prompt("vm-menu-message".into()));
        play(first, cx);
        Next::Stay
    }

    fn decided(&mut self, key: char, cx: &mut Cx<'_, '_>) -> Next {
        match key {
            '1' => self.hear(Vec::new(), cx),
            '2' => {
                self.save(cx);
                self.at += 1;
                self.hear(vec![Sound::Prompt("vm-saved".into())], cx)
            }
            '3' => {
                if self.at < self.messages.len() {
                    let message = self.messages.remove(self.at);
                    self.erase(message.recording, cx);
                }
                self.hear(vec![Sound::Prompt("vm-deleted".into())], cx)
            }
            '4' => self.ask_where(cx),
            '5' => {
                self.at += 1;
                self.hear(Vec::new(), cx)
            }
            '*' => self.menu(Vec::new(), cx),
            _ => self.missed(cx),
        }
    }

    fn ask_where(&mut self, cx: &mut Cx<'_, '_>) -> Next {
        self.doing = Doing::Forwarding(Keys::default());
        play(vec![Sound::Prompt("vm-forward-to".into())], cx);
        Next::Stay
    }

    fn forward(&mut self, number: &str, cx: &mut Cx<'_, '_>) -> Next {
        let message = self.messages.get(self.at).cloned();
        let words = match message {
            Some(message) => forward(&message, number, cx),
            None => "error-problem",
        };
        self.decide(vec![Sound::Prompt(words.into())], cx)
    }
}

/// What has become of it, in words.
fn forward(message: &Message, number: &str, cx: &mut Cx<'_, '_>) -> &'static str {
    let Some(user) = cx.user_by_number(number) else {
        return "error-not-in-service";
    };
    if cx.is_mailbox_full(&user.number) {
        return "vm-mailbox-full";
    }
    match cx.copy_message(message, user) {
        Some(_) => "vm-forwarded",
        None => "error-problem",
    }
}

pub(super) fn wait_on(cx: &mut Cx<'_, '_>) -> Next {
    cx.wake_in(KEY_WAIT);
    Next::Stay
}
