//! What a user changes in the own mailbox: greetings and the PIN.

use super::PATIENCE;
use super::inside::{Doing as Where, Inside, Next, wait_on};
use super::keys::{Entry, Keys};
use super::visit::{play, say};
use crate::cx::{Cx, Moment};
use crate::mailbox::{Greeting, MailboxAsk, MailboxTold, PIN_DIGITS};
use crate::question::Told;
use crate::recording::{Purpose, RecordEnd, RecordLimits, RecordingId};
use crate::sound::{PlayId, Sound, Tone};

/// The longest greeting, and the silence that ends it.
const LIMITS: RecordLimits = RecordLimits {
    length_seconds: Some(120),
    silence_seconds: Some(5),
};

/// What is changed, and how far that is.
#[derive(Debug)]
pub(super) enum Doing {
    /// Which greeting.
    Choosing,
    /// The caller hears what to do, until this play has ended, and then speaks.
    Instructed(Greeting, PlayId),
    /// The caller speaks.
    Speaking(Greeting, RecordingId),
    /// The caller has spoken, and decides.
    Deciding(Greeting, RecordingId),
    /// The recording becomes the greeting.
    Keeping(RecordingId),
    /// Our greeting becomes it again.
    Dropping,
    /// The caller keys in a new PIN.
    Pin(Keys),
    /// The caller keys it in again.
    PinAgain(String, Keys),
    /// The PIN is changed.
    ChangingPin,
}

impl Doing {
    /// What was recorded, and is not kept by itself.
    pub(super) const fn recording(&self) -> Option<RecordingId> {
        match self {
            Self::Speaking(_, recording)
            | Self::Deciding(_, recording)
            | Self::Keeping(recording) => Some(*recording),
            Self::Choosing
            | Self::Instructed(..)
            | Self::Dropping
            | Self::Pin(_)
            | Self::PinAgain(..)
            | Self::ChangingPin => None,
        }
    }
}

impl Inside {
    pub(super) fn choose_greeting(&mut self, cx: &mut Cx<'_, '_>) -> Next {
        self.set(Doing::Choosing);
        say("vm-menu-greetings", cx);
        Next::Stay
    }

    pub(super) fn choose_pin(&mut self, cx: &mut Cx<'_, '_>) -> Next {
        self.set(Doing::Pin(Keys::default()));
        say("vm-new-pin", cx);
        Next::Stay
    }

    /// Takes a moment in while something is changed.
    pub(super) fn change(&mut self, moment: Moment, cx: &mut Cx<'_, '_>) -> Next {
        let Where::Changing(doing) = &mut self.doing else {
            return Next::Stay;
        };
        match (doing, moment) {
            (Doing::Choosing, Moment::Digit(key)) => match key {
                '1' => self.instruct(Greeting::Unavailable, cx),
                '2' => self.instruct(Greeting::Busy, cx),
                '3' => self.instruct(Greeting::Name, cx),
                _ => self.menu(Vec::new(), cx),
            },
            (Doing::Instructed(greeting, heard), Moment::Played { play }) if *heard == play => {
                let greeting = *greeting;
                self.record(greeting, cx)
            }
            (Doing::Instructed(greeting, _), Moment::Woken) => {
                let greeting = *greeting;
                self.record(greeting, cx)
            }
            (Doing::Speaking(..), Moment::Digit('#')) => {
                cx.stop_message();
                Next::Stay
            }
            (Doing::Speaking(greeting, speaks), Moment::Recorded { recording, end, .. })
                if *speaks == recording =>
            {
                let greeting = *greeting;
                self.spoken(greeting, recording, end, cx)
            }
            (Doing::Deciding(greeting, recording), Moment::Digit(key)) => {
                let (greeting, recording) = (*greeting, *recording);
                self.take((greeting, recording), key, cx)
            }
            (Doing::Pin(_) | Doing::PinAgain(..), Moment::Digit(key)) => self.pin_key(key, cx),
            (Doing::Keeping(_) | Doing::Dropping | Doing::ChangingPin, Moment::Told) => {
                self.told(cx)
            }
            (
                Doing::Speaking(..) | Doing::Keeping(_) | Doing::Dropping | Doing::ChangingPin,
                Moment::Woken,
            ) => self.back("error-problem", cx),
            (
                Doing::Choosing | Doing::Deciding(..) | Doing::Pin(_) | Doing::PinAgain(..),
                Moment::Woken,
            ) => self.give_up(cx),
            (
                Doing::Choosing | Doing::Deciding(..) | Doing::Pin(_) | Doing::PinAgain(..),
                Moment::Played { .. },
            ) => wait_on(cx),
            (
                Doing::Choosing
                | Doing::Instructed(..)
                | Doing::Speaking(..)
                | Doing::Deciding(..)
                | Doing::Keeping(_)
                | Doing::Dropping
                | Doing::Pin(_)
                | Doing::PinAgain(..)
                | Doing::ChangingPin,
                Moment::Entered
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Next::Stay,
        }
    }

    /// A key of a new PIN.
    fn pin_key(&mut self, key: char, cx: &mut Cx<'_, '_>) -> Next {
        let Where::Changing(doing) = &mut self.doing else {
            return Next::Stay;
        };
        match doing {
            Doing::Pin(keys) => match keys.press(key) {
                Entry::GoesOn => wait_on(cx),
                Entry::Ended(pin) => self.pin_keyed(pin, cx),
                Entry::Cancelled => self.menu(Vec::new(), cx),
            },
            Doing::PinAgain(first, keys) => match keys.press(key) {
                Entry::GoesOn => wait_on(cx),
                Entry::Ended(again) if again == *first => self.change_pin(again, cx),
                Entry::Ended(_) | Entry::Cancelled => self.back("vm-pin-not-changed", cx),
            },
            Doing::Choosing
            | Doing::Instructed(..)
            | Doing::Speaking(..)
            | Doing::Deciding(..)
            | Doing::Keeping(_)
            | Doing::Dropping
            | Doing::ChangingPin => Next::Stay,
        }
    }

    fn set(&mut self, doing: Doing) {
        self.doing = Where::Changing(doing);
    }

    /// The recording that is not kept is erased, and the caller is back in the menu.
    fn back(&mut self, words: &'static str, cx: &mut Cx<'_, '_>) -> Next {
        self.discard(cx);
        self.menu(vec![Sound::Prompt(words.into())], cx)
    }

    fn discard(&mut self, cx: &mut Cx<'_, '_>) {
        if let Where::Changing(doing) = &self.doing
            && let Some(recording) = doing.recording()
        {
            self.erase(recording, cx);
        }
    }

    fn give_up(&mut self, cx: &mut Cx<'_, '_>) -> Next {
        self.discard(cx);
        self.missed(cx)
    }

    fn instruct(&mut self, greeting: Greeting, cx: &mut Cx<'_, '_>) -> Next {
        self.discard(cx);
        let words = match greeting {
            Greeting::Unavailable | Greeting::Busy => "vm-record-greeting",
            Greeting::Name => "vm-record-name",
        };
        let heard = play(
            vec![Sound::Prompt(words.into()), Sound::Tone(Tone::Beep)],
            cx,
        );
        self.set(Doing::Instructed(greeting, heard));
        Next::Stay
    }

    fn record(&mut self, greeting: Greeting, cx: &mut Cx<'_, '_>) -> Next {
        let purpose = Purpose::Greeting {
            mailbox: self.mailbox.clone(),
        };
        match cx.record_message(purpose, LIMITS) {
            Some(recording) => {
                cx.wake_in(LIMITS.longest());
                self.set(Doing::Speaking(greeting, recording));
                Next::Stay
            }
            None => self.back("error-problem", cx),
        }
    }

    fn spoken(
        &mut self,
        greeting: Greeting,
        recording: RecordingId,
        end: RecordEnd,
        cx: &mut Cx<'_, '_>,
    ) -> Next {
        match end {
            RecordEnd::Failed => self.back("error-problem", cx),
            RecordEnd::Stopped
            | RecordEnd::HungUp
            | RecordEnd::Length
            | RecordEnd::Silence
            | RecordEnd::Size => {
                self.set(Doing::Deciding(greeting, recording));
                say("vm-menu-greeting", cx);
                Next::Stay
            }
        }
    }

    /// What becomes of what was spoken.
    fn take(
        &mut self,
        (greeting, recording): (Greeting, RecordingId),
        key: char,
        cx: &mut Cx<'_, '_>,
    ) -> Next {
        match key {
            '1' => {
                let menu = Sound::Prompt("vm-menu-greeting".into());
                play(vec![Sound::Recording(recording), menu], cx);
            }
            '2' => {
                let asks = MailboxAsk::KeepGreeting {
                    greeting,
                    recording,
                };
                self.ask(Doing::Keeping(recording), asks, cx);
            }
            '3' => return self.instruct(greeting, cx),
            '4' => {
                self.discard(cx);
                self.ask(Doing::Dropping, MailboxAsk::DropGreeting { greeting }, cx);
            }
            '*' => {
                self.discard(cx);
                return self.menu(Vec::new(), cx);
            }
            _ => {
                say("vm-menu-greeting", cx);
            }
        }
        Next::Stay
    }

    fn pin_keyed(&mut self, pin: String, cx: &mut Cx<'_, '_>) -> Next {
        if !PIN_DIGITS.contains(&pin.len()) {
            return self.back("vm-pin-not-changed", cx);
        }
        self.set(Doing::PinAgain(pin, Keys::default()));
        say("vm-new-pin-again", cx);
        Next::Stay
    }

    fn change_pin(&mut self, pin: String, cx: &mut Cx<'_, '_>) -> Next {
        self.ask(Doing::ChangingPin, MailboxAsk::ChangePin { pin }, cx);
        Next::Stay
    }

    fn ask(&mut self, doing: Doing, asks: MailboxAsk, cx: &mut Cx<'_, '_>) {
        self.set(doing);
        cx.stop_playing();
        cx.ask_mailbox(self.mailbox.number.clone(), asks);
        cx.wake_in(PATIENCE);
    }

    fn told(&mut self, cx: &mut Cx<'_, '_>) -> Next {
        let is_done = cx.take_told() == Some(Told::Mailbox(MailboxTold::Done));
        let words = match &self.doing {
            Where::Changing(Doing::Keeping(_)) => "vm-greeting-saved",
            Where::Changing(Doing::Dropping) => "vm-greeting-standard",
            Where::Changing(_)
            | Where::Menu
            | Where::Hearing(_)
            | Where::Deciding
            | Where::Forwarding(_) => "vm-pin-changed",
        };
        self.back(if is_done { words } else { "error-problem" }, cx)
    }
}
