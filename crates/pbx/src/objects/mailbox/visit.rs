//! The way into a mailbox: which one, the PIN, and last words. What is behind the door is `inside`.

use super::inside::{Inside, Next};
use super::keys::{Entry, Keys};
use super::{KEY_WAIT, MAX_MISSES, PATIENCE};
use crate::core::Destination;
use crate::cx::{Cx, Moment, Step};
use crate::event::{HangupCause, UserRef};
use crate::mailbox::{AskedBy, MailboxAsk, MailboxTold};
use crate::objects::play_audio::LONGEST_PLAY;
use crate::question::Told;
use crate::sound::{PlayId, Sound, Times};

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum Visit {
    /// It has not come yet.
    #[default]
    Outside,
    /// The caller keys in whose mailbox it is.
    Naming(Keys),
    /// The mailbox is asked to open.
    Knocking(Door),
    /// The caller keys in the PIN.
    Pin(Door, Keys),
    /// The caller is in.
    Inside(Box<Inside>),
    /// The caller hears last words.
    Leaving(PlayId),
}

/// A mailbox, and who stands before it.
#[derive(Debug)]
pub(crate) struct Door {
    mailbox: UserRef,
    by: AskedBy,
    /// PINs that were wrong.
    misses: u32,
}

impl Visit {
    /// The caller dialled for the own mailbox.
    pub(super) fn enter_own(&mut self, cx: &mut Cx<'_, '_>) -> Step {
        match cx.calling_user().cloned() {
            Some(user) => self.knock(user, None, cx),
            None => Step::HangUp(HangupCause::Forbidden),
        }
    }

    /// The caller dialled a number after the code, or is asked for one.
    pub(super) fn enter_any(&mut self, code: &str, cx: &mut Cx<'_, '_>) -> Step {
        let number = match cx.dialled() {
            Destination::Plain(dialled) => dialled.strip_prefix(code).unwrap_or_default(),
            Destination::Number(_) => "",
        };
        let number = number.to_owned();
        if !number.is_empty() {
            return self.named(&number, cx);
        }
        *self = Self::Naming(Keys::default());
        say("vm-enter-mailbox", cx);
        Step::Stay
    }

    /// The mailbox of that user is asked to open.
    pub(in crate::objects) fn knock(
        &mut self,
        mailbox: UserRef,
        pin: Option<String>,
        cx: &mut Cx<'_, '_>,
    ) -> Step {
        let is_own = cx.calling_user().is_some_and(|user| *user == mailbox);
        let by = if is_own { AskedBy::Own } else { AskedBy::Other };
        let door = Door {
            mailbox,
            by,
            misses: 0,
        };
        self.ask(door, pin, cx)
    }

    fn ask(&mut self, door: Door, pin: Option<String>, cx: &mut Cx<'_, '_>) -> Step {
        let asks = MailboxAsk::Open { by: door.by, pin };
        cx.ask_mailbox(door.mailbox.number.clone(), asks);
        cx.wake_in(PATIENCE);
        *self = Self::Knocking(door);
        Step::Stay
    }

    /// Takes a moment in.
    pub(in crate::objects) fn handle(&mut self, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *self, moment) {
            (Self::Naming(keys), Moment::Digit(key)) => match keys.press(key) {
                Entry::GoesOn => wait_on(cx),
                Entry::Ended(number) => self.named(&number, cx),
                Entry::Cancelled => self.last_words("goodbye", cx),
            },
            (Self::Naming(keys), Moment::Woken) => {
                let number = keys.end();
                self.named(&number, cx)
            }
            (Self::Pin(_, keys), Moment::Digit(key)) => match keys.press(key) {
                Entry::GoesOn => wait_on(cx),
                Entry::Ended(pin) => self.try_pin(pin, cx),
                Entry::Cancelled => self.last_words("goodbye", cx),
            },
            (Self::Pin(_, keys), Moment::Woken) => {
                let pin = keys.end();
                self.try_pin(pin, cx)
            }
            (Self::Naming(_) | Self::Pin(..), Moment::Played { .. }) => wait_on(cx),
            (Self::Knocking(_), Moment::Told) => self.answered(cx),
            (Self::Knocking(_), Moment::Woken) => self.last_words("error-problem", cx),
            (Self::Inside(inside), moment) => match inside.handle(moment, cx) {
                Next::Stay => Step::Stay,
                Next::Leave => self.last_words("goodbye", cx),
            },
            (Self::Leaving(heard), Moment::Played { play }) if *heard == play => over(),
            (Self::Leaving(_), Moment::Woken) => over(),
            (
                Self::Outside
                | Self::Naming(_)
                | Self::Knocking(_)
                | Self::Pin(..)
                | Self::Leaving(_),
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Step::Stay,
        }
    }

    /// The call leaves: what was recorded and not kept is erased.
    pub(in crate::objects) fn leave(self, cx: &mut Cx<'_, '_>) {
        match self {
            Self::Inside(inside) => inside.leave(cx),
            Self::Outside
            | Self::Naming(_)
            | Self::Knocking(_)
            | Self::Pin(..)
            | Self::Leaving(_) => {}
        }
    }

    /// A number that is nobody's is asked for a PIN like any other: who guesses learns nothing.
    fn named(&mut self, number: &str, cx: &mut Cx<'_, '_>) -> Step {
        if number.is_empty() {
            return self.last_words("goodbye", cx);
        }
        let user = cx.user_by_number(number);
        let mailbox = user.unwrap_or_else(|| UserRef {
            number: number.into(),
            name: number.into(),
        });
        self.knock(mailbox, None, cx)
    }

    fn try_pin(&mut self, pin: String, cx: &mut Cx<'_, '_>) -> Step {
        match std::mem::take(self) {
            Self::Pin(door, _) => self.ask(door, Some(pin), cx),
            other @ (Self::Outside
            | Self::Naming(_)
            | Self::Knocking(_)
            | Self::Inside(_)
            | Self::Leaving(_)) => {
                *self = other;
                Step::Stay
            }
        }
    }

    fn answered(&mut self, cx: &mut Cx<'_, '_>) -> Step {
        let told = cx.take_told();
        let Self::Knocking(door) = std::mem::take(self) else {
            return over();
        };
        match told {
            Some(Told::Mailbox(MailboxTold::Opened(messages))) => {
                *self = Self::Inside(Box::new(Inside::enter(door.mailbox, messages, cx)));
                Step::Stay
            }
            Some(Told::Mailbox(MailboxTold::PinNeeded)) => {
                *self = Self::Pin(door, Keys::default());
                say("vm-enter-pin", cx);
                Step::Stay
            }
            Some(Told::Mailbox(MailboxTold::PinWrong)) => self.pin_wrong(door, cx),
            Some(Told::Mailbox(MailboxTold::Locked)) => self.last_words("vm-pin-locked", cx),
            Some(
                Told::Mailbox(MailboxTold::Done)
                | Told::Way { .. }
                | Told::TimedOut
                | Told::Nothing,
            )
            | None => self.last_words("error-problem", cx),
        }
    }

    fn pin_wrong(&mut self, door: Door, cx: &mut Cx<'_, '_>) -> Step {
        let misses = door.misses + 1;
        if misses >= MAX_MISSES {
            return self.last_words("vm-pin-wrong", cx);
        }
        *self = Self::Pin(Door { misses, ..door }, Keys::default());
        say_all(&["vm-pin-wrong", "vm-enter-pin"], cx);
        Step::Stay
    }

    fn last_words(&mut self, words: &'static str, cx: &mut Cx<'_, '_>) -> Step {
        if let Self::Inside(inside) = std::mem::take(self) {
            inside.leave(cx);
        }
        *self = Self::Leaving(say(words, cx));
        Step::Stay
    }
}

fn over() -> Step {
    Step::HangUp(HangupCause::Normal)
}

/// The next key is waited for.
fn wait_on(cx: &mut Cx<'_, '_>) -> Step {
    cx.wake_in(KEY_WAIT);
    Step::Stay
}

pub(super) fn say(words: &'static str, cx: &mut Cx<'_, '_>) -> PlayId {
    say_all(&[words], cx)
}

pub(super) fn say_all(words: &[&'static str], cx: &mut Cx<'_, '_>) -> PlayId {
    let words = words.iter().map(|words| Sound::Prompt((*words).into()));
    play(words.collect(), cx)
}

/// What is played may be cut short by a key; its end is told, or taken for granted after a while.
pub(super) fn play(sounds: Vec<Sound>, cx: &mut Cx<'_, '_>) -> PlayId {
    cx.wake_in(LONGEST_PLAY);
    cx.play(sounds, Times::Once)
}
