//! What an object of the call flow can see and do. An object never touches a call, a leg or an
//! effect itself: it is told moments and answers with a step, using these verbs on the way.
//!
//! Verbs: `ring`, `stop`, `connect`, `play`, `stop_playing`, `ask`, `record_message`, `stop_message`,
//! `record_conversation`, `pause_conversation`, `join_room`, `leave_room`, `wake_in`, `let_sleep`,
//! `tell`; and as its step: stay,
//! exit, go to a user, hang up. At most twelve: what an object needs beyond them is a change to the
//! design. What calls share is at `floor`, which has words of its own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use clock::Time;

use crate::arrival::forward_target;
use crate::attempt::{AttemptId, Party};
use crate::core::{Core, Destination, Identity};
use crate::effect::Speech;
use crate::event::{Component, Fact, HangupCause, UserRef};
use crate::floor::{Floor, News, Offer};
use crate::ids::CallId;
use crate::input::Failure;
use crate::mailbox::{MailboxAsk, Message};
use crate::number::E164;
use crate::plan::{NodeExit, UserIndex};
use crate::question::Told;
use crate::recording::{Purpose, RecordEnd, RecordLimits, RecordingId};
use crate::sound::{PlayId, Sound, Times};
use crate::standing::{Forced, ForwardTo, When};
use crate::turn::Turn;

/// An object that asks to be woken at once must not keep the node from everything else.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// What an object is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The call comes in.
    Entered,
    /// The time it asked for has come.
    Woken,
    /// A device answered; nobody is connected yet.
    Answered {
        /// Of this attempt.
        attempt: AttemptId,
    },
    /// Nobody will answer this attempt any more.
    Failed {
        /// The attempt; it is over.
        attempt: AttemptId,
        /// The failure that says most about the party.
        failure: Failure,
    },
    /// The device that had answered is gone.
    Left {
        /// The attempt; it is over.
        attempt: AttemptId,
        /// Why.
        cause: HangupCause,
    },
    /// The caller has heard all of what was played.
    Played {
        /// Which play.
        play: PlayId,
    },
    /// A recording of the call is over.
    Recorded {
        /// Which.
        recording: RecordingId,
        /// How long it is.
        seconds: u32,
        /// Why it ended.
        end: RecordEnd,
    },
    /// The caller pressed a key.
    Digit(char),
    /// What was asked has an answer, which `Cx::take_told` gives.
    Told,
    /// It is the caller's turn in a line.
    InLine(Offer),
    /// Something has happened in the caller's room.
    InRoom(News),
}

/// What an object decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The call stays here.
    Stay,
    /// The call goes on by the exit of this name.
    Exit(Cow<'static, str>),
    /// The call goes on to that user, as if the caller had dialled the internal number.
    User(UserIndex),
    /// The call goes on to that user's mailbox.
    Mailbox(UserIndex),
    /// The call ends.
    HangUp(HangupCause),
}

impl Step {
    /// The call goes on by the exit of this name.
    pub(crate) const fn exit(name: &'static str) -> Self {
        Self::Exit(Cow::Borrowed(name))
    }
}

/// Where a user's calls go instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    /// To another user.
    User(UserIndex),
    /// To a number outside.
    Number(E164),
    /// To the user's mailbox.
    Voicemail,
}

/// An object's hands for the length of one moment.
pub(crate) struct Cx<'a, 'turn> {
    core: &'a mut Core,
    turn: &'a mut Turn<'turn>,
    exits: &'a [NodeExit],
}

impl<'a, 'turn> Cx<'a, 'turn> {
    pub(crate) fn new(
        core: &'a mut Core,
        turn: &'a mut Turn<'turn>,
        exits: &'a [NodeExit],
    ) -> Self {
        Self { core, turn, exits }
    }

    /// Starts to reach a party, or says why that is hopeless from the start.
    pub(crate) fn ring(&mut self, party: Party) -> Result<AttemptId, Failure> {
        self.core.ring(party, self.turn)
    }

    /// Gives an attempt up.
    pub(crate) fn stop(&mut self, attempt: AttemptId, cause: HangupCause) {
        self.core.stop(attempt, cause, self.turn);
    }

    /// Connects the caller with the device that answered; every other attempt is over.
    pub(crate) fn connect(&mut self, attempt: AttemptId) {
        self.core.connect(attempt, self.turn);
    }

    /// Lets the caller, who is picked up for it, hear these sounds instead of what was played
    /// before. Nothing more is played once the caller is connected or the call leaves.
    pub(crate) fn play(&mut self, sounds: Vec<Sound>, times: Times) -> PlayId {
        self.core.play(sounds, times, self.turn)
    }

    /// Asks an address, instead of what was asked before; `Moment::Told` follows, unless the call
    /// has left.
    pub(crate) fn ask(&mut self, asks: Component, patience: Duration) {
        self.core.ask(asks, patience, self.turn);
    }

    /// Asks a mailbox, alike.
    pub(crate) fn ask_mailbox(&mut self, mailbox: Arc<str>, asks: MailboxAsk) {
        self.core.ask_mailbox(mailbox, asks, self.turn);
    }

    /// What was answered, once.
    pub(crate) fn take_told(&mut self) -> Option<Told> {
        self.core.take_told()
    }

    /// Ends what is played to the caller.
    pub(crate) fn stop_playing(&mut self) {
        self.core.stop_playing(self.turn);
    }

    /// Records what the caller, who is picked up for it, says, until the call leaves or it ends by
    /// itself. `None`: nothing more of this call can be recorded.
    pub(crate) fn record_message(
        &mut self,
        purpose: Purpose,
        limits: RecordLimits,
    ) -> Option<RecordingId> {
        self.core.record_message(purpose, limits, self.turn)
    }

    /// Has a message lie in another user's mailbox too. `None`: this call can have no more recordings.
    pub(crate) fn copy_message(&mut self, message: &Message, to: UserRef) -> Option<RecordingId> {
        self.core.copy_message(message, to, self.turn)
    }

    /// Whether the user's mailbox takes no more messages.
    pub(crate) fn is_mailbox_full(&self, user: &str) -> bool {
        self.turn.floor.mailbox(user).all() >= self.core.plan.voicemail.max_messages
    }

    /// Ends what the caller says; `Moment::Recorded` follows.
    pub(crate) fn stop_message(&mut self) {
        self.core.stop_message(self.turn);
    }

    /// Has the conversation recorded from here on, wherever the call goes.
    pub(crate) fn record_conversation(&mut self, emails: Vec<Arc<str>>) {
        let purpose = self.core.conversation(emails);
        self.core.record_conversation(purpose, self.turn);
    }

    /// Has no more of the conversation recorded from here on.
    pub(crate) fn pause_conversation(&mut self) {
        self.core.pause_conversation(self.turn);
    }

    /// Lets the caller, who is picked up for it, hear everybody else in the room of that name until
    /// the call leaves, or changes whether it is heard there itself.
    pub(crate) fn join_room(&mut self, room: &Arc<str>, speech: Speech) {
        self.core.join_room(room, speech, self.turn);
    }

    /// The caller hears the room no more.
    pub(crate) fn leave_room(&mut self) {
        self.core.leave_room(self.turn);
    }

    /// Asks for `Moment::Woken`, instead of what was asked for before.
    pub(crate) fn wake_in(&mut self, wait: Duration) {
        self.core.wake_at = Some(self.turn.now + wait.max(SHORTEST_WAIT));
    }

    /// Takes back what was asked of `wake_in`.
    pub(crate) fn let_sleep(&mut self) {
        self.core.wake_at = None;
    }

    /// Whether an exit of the object leads to another object.
    pub(crate) fn leads_on(&self, exit: &str) -> bool {
        let exit = self.exits.iter().find(|known| known.name == exit);
        exit.is_some_and(|exit| exit.target.is_some())
    }

    /// The user with that internal number, and whether a longer one begins with these digits.
    pub(crate) fn internal_number(&self, digits: &str) -> (Option<UserIndex>, bool) {
        self.core.plan.internal_number(digits)
    }

    /// The user who has handed the call on and holds on.
    pub(crate) fn handed_on_by(&self) -> Option<UserIndex> {
        self.core.handing.map(|handing| handing.user)
    }

    /// Lets that user hear something before the call is taken over.
    pub(crate) fn tell_who_hands_on(&mut self, sounds: Vec<Sound>) {
        self.core.tell_who_hands_on(sounds, self.turn);
    }

    /// Phones that watch the slot see that the call waits there, until it leaves the slot.
    pub(crate) fn show_in(&mut self, slot: Option<Arc<str>>) {
        self.core.slot = slot;
    }

    /// A user's internal number.
    pub(crate) fn user_number(&self, user: UserIndex) -> Option<Arc<str>> {
        let user = self.core.plan.user(user)?;
        Some(Arc::clone(&user.who.number))
    }

    /// How long that user's phones ring when nothing else is said.
    pub(crate) fn ring_time_of(&self, user: UserIndex) -> Option<Duration> {
        Some(self.core.plan.user(user)?.ring_time)
    }

    /// Where such calls of that user go instead.
    pub(crate) fn forward(&self, user: UserIndex, when: When) -> Option<Forward> {
        let plan = &self.core.plan;
        let number = &plan.user(user)?.who.number;
        match self.turn.floor.standings().forward(number, when)? {
            ForwardTo::User(other) => Some(Forward::User(plan.user_by_number(other)?.0)),
            ForwardTo::Number(number) => Some(Forward::Number(*number)),
            ForwardTo::Voicemail => Some(Forward::Voicemail),
        }
    }

    /// Where that user may have calls forwarded to by dialling this.
    pub(crate) fn forward_target(&self, user: &str, dialled: &str) -> Option<ForwardTo> {
        forward_target(&self.core.plan, user, dialled)
    }

    /// Whether there are time conditions with that switch.
    pub(crate) fn has_time_switch(&self, number: &str) -> bool {
        self.core.plan.has_time_switch(number)
    }

    /// What somebody has decided for that time switch.
    pub(crate) fn forced(&self, switch: &str) -> Option<Forced> {
        self.turn.floor.standings().forced(switch)
    }

    /// The user with that internal number, by name.
    pub(crate) fn user_by_number(&self, number: &str) -> Option<UserRef> {
        let found = self.core.plan.user_by_number(number);
        found.map(|(_, user)| user.who.clone())
    }

    /// What the caller dialled, or was handed on to.
    pub(crate) fn dialled(&self) -> &Destination {
        self.core
            .dialling
            .as_ref()
            .unwrap_or(&self.core.destination)
    }

    /// Who calls, by number.
    pub(crate) fn caller(&self) -> &Identity {
        &self.core.caller.identity
    }

    /// The user whom an attempt is to reach, or who has taken its call.
    pub(crate) fn user_of(&self, attempt: AttemptId) -> Option<UserRef> {
        self.core.user_of(attempt)
    }

    /// The user who calls, when it is one.
    pub(crate) fn calling_user(&self) -> Option<&UserRef> {
        self.core.caller.user.as_ref().map(|caller| &caller.who)
    }

    /// The number that phones show.
    pub(crate) fn shown_number(&self) -> &Identity {
        self.core.shown_identity()
    }

    /// The name that phones show.
    pub(crate) fn shown_name(&self) -> Option<&str> {
        self.core.caller.name.as_deref()
    }

    /// Has the caller shown so from here on.
    pub(crate) fn show_caller(&mut self, number: Identity, name: Option<String>) {
        self.core.show_caller(number, name, self.turn);
    }

    /// The instant of this moment.
    pub(crate) fn now(&self) -> Time {
        self.turn.now
    }

    /// The same number for all of a call, and another for each.
    pub(crate) fn seed(&self) -> u64 {
        self.core.id.0
    }

    /// Which call it is.
    pub(crate) fn call(&self) -> CallId {
        self.core.id
    }

    /// What the calls of the account share.
    pub(crate) fn floor(&mut self) -> &mut Floor {
        self.turn.floor
    }

    /// Whether a user takes part in a call, a ringing one too.
    pub(crate) fn is_busy(&mut self, user: &UserRef) -> bool {
        self.turn.floor.users().is_full(&user.number, Some(1))
    }

    /// Whether a user's phones ring for nobody.
    pub(crate) fn is_undisturbed(&self, user: &UserRef) -> bool {
        self.turn.floor.standings().is_undisturbed(&user.number)
    }

    /// Has a fact of this call remembered.
    pub(crate) fn tell(&mut self, fact: Fact) {
        self.core.emit(fact, self.turn);
    }

    /// The number of the account that was called, or else its first.
    pub(crate) fn own_number(&self) -> Option<E164> {
        self.core.own_number()
    }

    /// The number a call to the outside shows.
    pub(crate) fn presented_number(&self) -> Option<E164> {
        self.core.presented_number()
    }
}
