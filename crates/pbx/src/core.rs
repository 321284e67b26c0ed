//! A call without the object it stands in: the caller, the attempts to reach somebody, the story
//! told about them. Objects work on it through [`crate::cx::Cx`] only.

use std::sync::Arc;

use clock::Time;

use crate::attempt::{Attempt, AttemptId};
use crate::cx::Moment;
use crate::effect::{CallerId, Effect, Speech};
use crate::event::{Direction, Fact, HangupCause, UserRef};
use crate::ids::{CallId, LegId};
use crate::number::E164;
use crate::plan::{Plan, UserIndex};
use crate::question::Questions;
use crate::recordings::Recordings;
use crate::sound::{MAX_SOUNDS_PER_PLAY, PlayId, Sound, Times, Tone};
use crate::transfer::Handing;
use crate::turn::Turn;

/// The caller's side and everything that was set going for it.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) id: CallId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) direction: Direction,
    pub(crate) caller: Caller,
    pub(crate) destination: Destination,
    /// Whom the call was handed on to; what was dialled stays what was dialled.
    pub(crate) dialling: Option<Destination>,
    /// Who has handed the call on, until somebody takes it.
    pub(crate) handing: Option<Handing>,
    /// The slot in which the call is parked.
    pub(crate) slot: Option<Arc<str>>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) last_attempt: AttemptId,
    pub(crate) recordings: Recordings,
    pub(crate) questions: Questions,
    /// When the object wants to be woken.
    pub(crate) wake_at: Option<Time>,
    /// When the call is too long.
    pub(crate) ends_at: Time,
    pub(crate) started_at: Time,
}

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) leg: LegId,
    pub(crate) hears: Hears,
    /// What it hears once it is answered, until it is connected.
    pub(crate) playing: Option<Playing>,
    pub(crate) room: Option<Arc<str>>,
    pub(crate) last_play: PlayId,
    pub(crate) identity: Identity,
    /// The number that phones show instead.
    pub(crate) shown: Option<Identity>,
    pub(crate) name: Option<String>,
    /// The trunk the call came in by.
    pub(crate) trunk: Option<Arc<str>>,
    /// Set when a user of the account calls: the story of this user's call.
    pub(crate) user: Option<CallingUser>,
    /// Set when who calls now was called itself, by a user who has handed the call on: the story of
    /// this user's part.
    pub(crate) was_called: Option<UserIndex>,
    /// The number shown outside, when this call has one of its own.
    pub(crate) presents: Option<E164>,
}

/// What the caller was told so far. Only ever moves down this list, but for early media, which
/// may change from one leg to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    /// Nobody calls yet: the caller's own phones ring.
    Absent,
    /// Nothing.
    Nothing,
    /// That it rings.
    Ringing,
    /// What this leg sends before its answer.
    EarlyMedia(LegId),
    /// The call is answered: by us, or by who it is connected with.
    Answered,
    /// The caller is gone.
    Gone,
}

/// What a caller who is answered, and not connected yet, hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Playing {
    /// What an object plays.
    Sounds(PlayId),
    /// That somebody is rung.
    Ringback(PlayId),
    /// What this leg sends before its answer.
    EarlyMedia(LegId),
}

/// The caller's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Not told, or no number.
    Withheld,
    /// Of this or another account's inside, or a short one that cannot be made international.
    Plain(String),
    /// An international number.
    Number(E164),
}

impl Identity {
    /// As rows and events have it.
    pub(crate) fn digits(&self) -> Option<String> {
        match self {
            Self::Withheld => None,
            Self::Plain(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
        }
    }
}

/// The user who calls.
#[derive(Debug)]
pub(crate) struct CallingUser {
    pub(crate) user: UserIndex,
    pub(crate) who: UserRef,
    pub(crate) answered: bool,
}

/// What the caller dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A subscriber's number.
    Number(E164),
    /// An internal number, a short number, or no number at all.
    Plain(String),
}

impl Destination {
    /// As rows and events have it.
    pub(crate) fn digits(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Caller {
    /// Somebody who calls by that leg, of whom nothing else is known.
    pub(crate) fn on(leg: LegId, identity: Identity) -> Self {
        Self {
            leg,
            hears: Hears::Nothing,
            playing: None,
            room: None,
            last_play: PlayId::default(),
            identity,
            shown: None,
            name: None,
            trunk: None,
            user: None,
            was_called: None,
            presents: None,
        }
    }

    pub(crate) fn next_play(&mut self) -> PlayId {
        self.last_play = self.last_play.next();
        self.last_play
    }
}

impl Core {
    /// The caller as a device of the account shows it: outside numbers with `+`, so that a phone
    /// in any country can call back.
    pub(crate) fn caller_id(&self) -> CallerId {
        let number = match self.shown_identity() {
            Identity::Withheld => None,
            Identity::Plain(text) => Some(text.clone()),
            Identity::Number(number) => Some(format!("+{number}")),
        };
        CallerId {
            number,
            name: self.caller.name.clone(),
        }
    }

    /// The caller's number as phones show it.
    pub(crate) fn shown_identity(&self) -> &Identity {
        let caller = &self.caller;
        caller.shown.as_ref().unwrap_or(&caller.identity)
    }

    /// From here on the caller is shown so. Calls to the outside go on showing the number that is
    /// the caller's or the account's.
    pub(crate) fn show_caller(
        &mut self,
        number: Identity,
        name: Option<String>,
        turn: &mut Turn<'_>,
    ) {
        self.emit(
            Fact::CallerShown {
                caller_id: number.digits(),
                caller_name: name.clone(),
            },
            turn,
        );
        self.caller.shown = Some(number);
        self.caller.name = name;
    }

    /// The number a call to the outside shows: the calling user's, or that of a caller from
    /// outside who is passed on.
    pub(crate) fn presented_number(&self) -> Option<E164> {
        match (&self.caller.user, &self.caller.identity) {
            (Some(caller), _) => self
                .caller
                .presents
                .or_else(|| self.plan.presented_number(caller.user)),
            (None, Identity::Number(number)) => Some(*number),
            (None, Identity::Withheld | Identity::Plain(_)) => self
                .caller
                .was_called
                .and_then(|user| self.plan.presented_number(user)),
        }
    }

    /// The number of the account that was called, or else its first.
    pub(crate) fn own_number(&self) -> Option<E164> {
        match self.destination {
            Destination::Number(number) if self.plan.has_number(number) => Some(number),
            Destination::Number(_) | Destination::Plain(_) => self.plan.numbers().next(),
        }
    }

    /// Has a fact of this call remembered.
    pub(crate) fn emit(&self, fact: Fact, turn: &mut Turn<'_>) {
        turn.emit(self.id, fact);
    }

    /// Tells the first facts and counts the call in.
    pub(crate) fn open(&self, turn: &mut Turn<'_>) {
        if self.caller.hears != Hears::Absent {
            turn.legs.insert(self.caller.leg, self.id);
        }
        self.emit(
            Fact::Arrived {
                direction: self.direction,
                caller_id: self.caller.identity.digits(),
                caller_name: self.caller.name.clone(),
                dest_number: self.destination.digits(),
            },
            turn,
        );
        if let Some(trunk) = &self.caller.trunk {
            turn.floor.trunks().add(trunk);
        }
        if let Some(user) = &self.caller.user {
            turn.floor.users().add(&user.who.number);
            self.emit(
                Fact::OutboundStarted {
                    user: user.who.clone(),
                },
                turn,
            );
        }
    }

    /// The caller hears that it rings, unless more is heard already. Who was picked up cannot be
    /// told by a response any more, and is played the tone.
    pub(crate) fn ring_caller(&mut self, turn: &mut Turn<'_>) {
        match self.caller.hears {
            Hears::Nothing => {
                self.caller.hears = Hears::Ringing;
                turn.push(Effect::Ring {
                    leg: self.caller.leg,
                });
            }
            Hears::Answered if !self.is_connected() => {
                self.play_ringback(turn);
                self.tell_handing_rings(turn);
            }
            Hears::Absent
            | Hears::Answered
            | Hears::Ringing
            | Hears::EarlyMedia(_)
            | Hears::Gone => {}
        }
    }

    /// Who was answered and hears nothing hears that somebody is called.
    pub(crate) fn play_ringback(&mut self, turn: &mut Turn<'_>) {
        if self.caller.playing.is_some() {
            return;
        }
        let play = self.caller.next_play();
        self.caller.playing = Some(Playing::Ringback(play));
        turn.push(Effect::Play {
            leg: self.caller.leg,
            play,
            sounds: vec![Sound::Tone(Tone::Ringback)],
            times: Times::Forever,
        });
    }

    /// The caller hears `from`, unless another leg was first and still sends, or an object speaks.
    pub(crate) fn early_media(&mut self, from: LegId, turn: &mut Turn<'_>) {
        match (self.caller.hears, self.caller.playing) {
            (Hears::Absent | Hears::Gone, _) | (Hears::Answered, Some(Playing::Sounds(_))) => {
                return;
            }
            (Hears::EarlyMedia(other), _) | (Hears::Answered, Some(Playing::EarlyMedia(other)))
                if other == from || self.is_open(other) =>
            {
                return;
            }
            (Hears::Answered, Some(Playing::Ringback(_) | Playing::EarlyMedia(_)) | None) => {
                if self.is_connected() {
                    return;
                }
                self.stop_playing(turn);
                self.caller.playing = Some(Playing::EarlyMedia(from));
            }
            (Hears::EarlyMedia(_) | Hears::Nothing | Hears::Ringing, _) => {
                self.caller.hears = Hears::EarlyMedia(from);
            }
        }
        turn.push(Effect::EarlyMedia {
            leg: self.caller.leg,
            from,
        });
    }

    /// What a leg sent before its answer is not heard any more.
    pub(crate) fn early_media_over(&mut self, from: LegId) {
        if self.caller.hears == Hears::EarlyMedia(from) {
            self.caller.hears = Hears::Nothing;
        }
        if self.caller.playing == Some(Playing::EarlyMedia(from)) {
            self.caller.playing = None;
        }
    }

    /// The caller talks with `with`, and hears nothing else.
    pub(crate) fn connect_caller(&mut self, with: LegId, turn: &mut Turn<'_>) {
        if self.caller.hears == Hears::Gone {
            return;
        }
        self.stop_playing(turn);
        self.handed_on(turn);
        self.caller.hears = Hears::Answered;
        turn.push(Effect::Connect {
            leg: self.caller.leg,
            with,
        });
        self.record_connected(with, turn);
    }

    /// The caller is answered by ourselves, once. What it called has answered then.
    pub(crate) fn pick_up(&mut self, turn: &mut Turn<'_>) {
        match self.caller.hears {
            Hears::Gone => return,
            Hears::Answered => self.handed_on(turn),
            Hears::Absent | Hears::Nothing | Hears::Ringing | Hears::EarlyMedia(_) => {
                self.caller.hears = Hears::Answered;
                turn.push(Effect::PickUp {
                    call: self.id,
                    leg: self.caller.leg,
                });
            }
        }
        self.tell_answered(turn);
    }

    /// The caller hears these sounds, and nothing that was played before.
    pub(crate) fn play(
        &mut self,
        mut sounds: Vec<Sound>,
        times: Times,
        turn: &mut Turn<'_>,
    ) -> PlayId {
        self.pick_up(turn);
        let play = self.caller.next_play();
        if self.caller.hears == Hears::Gone {
            return play;
        }
        sounds.truncate(MAX_SOUNDS_PER_PLAY);
        self.caller.playing = Some(Playing::Sounds(play));
        turn.push(Effect::Play {
            leg: self.caller.leg,
            play,
            sounds,
            times,
        });
        play
    }

    /// Ends what is played to the caller.
    pub(crate) fn stop_playing(&mut self, turn: &mut Turn<'_>) {
        match self.caller.playing.take() {
            Some(Playing::Sounds(_) | Playing::Ringback(_)) => turn.push(Effect::StopPlaying {
                leg: self.caller.leg,
            }),
            // It ends with its leg, or becomes the conversation.
            Some(Playing::EarlyMedia(_)) | None => {}
        }
    }

    /// The caller hears whoever else is in the room, and is heard there, if it may be.
    pub(crate) fn join_room(&mut self, room: &Arc<str>, speech: Speech, turn: &mut Turn<'_>) {
        self.pick_up(turn);
        if self.caller.hears == Hears::Gone {
            return;
        }
        self.caller.room = Some(Arc::clone(room));
        turn.push(Effect::JoinRoom {
            leg: self.caller.leg,
            room: Arc::clone(room),
            speech,
        });
    }

    /// The caller is in no room any more.
    pub(crate) fn leave_room(&mut self, turn: &mut Turn<'_>) {
        if self.caller.room.take().is_some() {
            turn.push(Effect::LeaveRoom {
                leg: self.caller.leg,
            });
        }
    }

    /// The caller has heard all of a play. The end of one that was replaced is no news.
    pub(crate) fn played(&mut self, play: PlayId) -> Option<Moment> {
        let ended = self.caller.playing.take_if(|playing| {
            *playing == Playing::Sounds(play) || *playing == Playing::Ringback(play)
        })?;
        match ended {
            Playing::Sounds(play) => Some(Moment::Played { play }),
            Playing::Ringback(_) | Playing::EarlyMedia(_) => None,
        }
    }

    /// The caller's own story reaches its answer, once.
    pub(crate) fn tell_answered(&mut self, turn: &mut Turn<'_>) {
        let Some(user) = &mut self.caller.user else {
            return;
        };
        if user.answered {
            return;
        }
        user.answered = true;
        let who = user.who.clone();
        self.emit(Fact::OutboundAnswered { user: who }, turn);
    }

    /// The caller is gone by itself.
    pub(crate) fn caller_gone(&mut self, turn: &mut Turn<'_>) {
        self.caller.hears = Hears::Gone;
        self.caller.playing = None;
        self.caller.room = None;
        turn.forget_leg(self.caller.leg);
    }

    /// The last words: the caller is hung up, the story told to its end, the floor left.
    pub(crate) fn close(&mut self, cause: HangupCause, turn: &mut Turn<'_>) {
        match self.caller.hears {
            // The leg may be another call's by now.
            Hears::Absent | Hears::Gone => {}
            Hears::Nothing | Hears::Ringing | Hears::EarlyMedia(_) | Hears::Answered => {
                turn.push(Effect::HangUp {
                    leg: self.caller.leg,
                    cause: self.told_to_caller(cause),
                });
                self.caller_gone(turn);
            }
        }
        if let Some(trunk) = &self.caller.trunk {
            turn.floor.trunks().remove(trunk);
        }
        self.close_caller_story(turn);
        self.emit(Fact::Ended { cause }, turn);
    }

    /// A caller from outside is told "busy" when the account is full: carriers understand it and
    /// do not try elsewhere. Our own users are told the truth.
    fn told_to_caller(&self, cause: HangupCause) -> HangupCause {
        match (cause, self.direction) {
            (HangupCause::LimitReached, Direction::Inbound) => HangupCause::Busy,
            _ => cause,
        }
    }
}
