//! What of one call is recorded: its conversation, and the message that its caller leaves.
//!
//! The conversation is one recording however often the caller is connected anew: whoever comes joins
//! it. It begins when somebody answers, for before nobody talks, and pauses rather than ends when the
//! flow says so, so that a call has one link.

use std::sync::Arc;
use std::time::Duration;

use clock::Time;

use crate::codes::{Codes, Feature, MAX_CODE_CHARS};
use crate::core::{Core, Hears};
use crate::cx::Moment;
use crate::effect::Effect;
use crate::event::{Fact, UserRef};
use crate::ids::LegId;
use crate::mailbox::Message;
use crate::plan::{Record, UserIndex};
use crate::recording::{MAX_PER_CALL, Purpose, RecordEnd, RecordLimits, RecordingId, Voice};
use crate::sound::{Sound, Times, Tone};
use crate::turn::Turn;

/// The longest pause between the keys of a code.
const BETWEEN_KEYS: Duration = Duration::from_secs(3);

/// The recordings of a call.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    last: u16,
    conversation: Conversation,
    /// Whose voice the caller's leg is in it: a leg keeps its side when it becomes the caller.
    callers_voice: Voice,
    /// The keys that were pressed last, one soon after the other.
    typed: Option<Typed>,
    /// What the caller leaves just now, and an object waits for.
    message: Option<RecordingId>,
}

/// Keys that may become a code.
#[derive(Debug)]
struct Typed {
    by: LegId,
    at: Time,
    keys: String,
}

/// Whether the conversation is recorded.
#[derive(Debug, Default)]
enum Conversation {
    #[default]
    Off,
    /// From the next answer on.
    Wanted(Purpose),
    Rolling(RecordingId),
    Paused(RecordingId),
}

/// A recording that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) recording: RecordingId,
    pub(crate) seconds: u32,
    pub(crate) end: RecordEnd,
}

impl Recordings {
    /// Who was called is the caller from now on, by the same leg.
    pub(crate) fn sides_change(&mut self) {
        self.callers_voice = self.callers_voice.other();
    }

    /// One key more; the feature whose code it makes whole.
    fn typed(&mut self, by: LegId, key: char, at: Time, codes: &Codes) -> Option<Feature> {
        let before = self.typed.take();
        let before = before.filter(|typed| typed.by == by && at - typed.at <= BETWEEN_KEYS);
        let mut keys = before.map(|typed| typed.keys).unwrap_or_default();
        keys.push(key);
        let feature = codes.pressed(&keys);
        if feature.is_none() {
            if keys.len() > MAX_CODE_CHARS {
                keys.remove(0);
            }
            self.typed = Some(Typed { by, at, keys });
        }
        feature
    }
}

impl Core {
    /// Has the conversation recorded from here on.
    pub(crate) fn record_conversation(&mut self, purpose: Purpose, turn: &mut Turn<'_>) {
        match self.recordings.conversation {
            Conversation::Off | Conversation::Wanted(_) => {
                self.recordings.conversation = Conversation::Wanted(purpose);
            }
            Conversation::Rolling(_) => {}
            Conversation::Paused(recording) => {
                let leg = self.caller.leg;
                self.recordings.conversation = Conversation::Rolling(recording);
                turn.push(Effect::ResumeRecording { leg, recording });
            }
        }
    }

    /// A call of, or to, a user whose calls are recorded is, unless the flow has it recorded anyway.
    pub(crate) fn record_as_users_want(&mut self, called: Option<&UserRef>) {
        if !matches!(self.recordings.conversation, Conversation::Off) {
            return;
        }
        let record = |number: &str| {
            let user = self.plan.user_by_number(number);
            user.map_or_else(Record::default, |(_, user)| user.record)
        };
        let purpose = match (&self.caller.user, called) {
            (Some(caller), _) if record(&caller.who.number).outbound => Purpose::Outbound {
                user: caller.who.clone(),
                emails: Vec::new(),
            },
            (_, Some(called)) if record(&called.number).inbound => {
                Purpose::Inbound { emails: Vec::new() }
            }
            _ => return,
        };
        self.recordings.conversation = Conversation::Wanted(purpose);
    }

    /// Somebody presses a key. The code for it switches the recording of the conversation, of a user
    /// who may do so, and both hear it. The keys reach the other side all the same.
    pub(crate) fn key_while_talking(&mut self, leg: LegId, key: char, turn: &mut Turn<'_>) {
        let pressed = self.recordings.typed(leg, key, turn.now, &self.plan.codes);
        if pressed == Some(Feature::Record)
            && let Some((with, called)) = self.connected()
            && self.may_switch_recording(leg, called.filter(|_| leg == with))
        {
            self.switch_recording(with, turn);
        }
    }

    fn may_switch_recording(&self, leg: LegId, called: Option<UserIndex>) -> bool {
        let caller = self.caller.user.as_ref().map(|caller| caller.user);
        let user = caller.filter(|_| leg == self.caller.leg).or(called);
        let user = user.and_then(|user| self.plan.user(user));
        user.is_some_and(|user| user.record.on_demand)
    }

    fn switch_recording(&mut self, with: LegId, turn: &mut Turn<'_>) {
        let times = match self.recordings.conversation {
            Conversation::Off | Conversation::Wanted(_) => {
                let purpose = self.conversation(Vec::new());
                self.recordings.conversation = Conversation::Wanted(purpose);
                self.record_connected(with, turn);
                1
            }
            Conversation::Rolling(_) => {
                self.pause_conversation(turn);
                2
            }
            Conversation::Paused(_) => {
                let purpose = self.conversation(Vec::new());
                self.record_conversation(purpose, turn);
                1
            }
        };
        for leg in [self.caller.leg, with] {
            turn.push(Effect::Play {
                leg,
                play: self.caller.next_play(),
                sounds: vec![Sound::Tone(Tone::Recorded); times],
                times: Times::Once,
            });
        }
    }

    /// What a recording of this call's conversation is: the calling user's, or one of a call that
    /// came in.
    pub(crate) fn conversation(&self, emails: Vec<Arc<str>>) -> Purpose {
        match &self.caller.user {
            Some(caller) => Purpose::Outbound {
                user: caller.who.clone(),
                emails,
            },
            None => Purpose::Inbound { emails },
        }
    }

    /// Leaves out of the recording what is said from here on.
    pub(crate) fn pause_conversation(&mut self, turn: &mut Turn<'_>) {
        match self.recordings.conversation {
            Conversation::Off | Conversation::Paused(_) => {}
            Conversation::Wanted(_) => self.recordings.conversation = Conversation::Off,
            Conversation::Rolling(recording) => {
                let leg = self.caller.leg;
                self.recordings.conversation = Conversation::Paused(recording);
                turn.push(Effect::PauseRecording { leg, recording });
            }
        }
    }

    /// The caller has been connected with `with`, who is recorded too if the conversation is.
    pub(crate) fn record_connected(&mut self, with: LegId, turn: &mut Turn<'_>) {
        let recording = match std::mem::take(&mut self.recordings.conversation) {
            Conversation::Off => return,
            Conversation::Wanted(purpose) => {
                let Some(recording) = self.begin_recording(purpose, turn) else {
                    return;
                };
                self.recordings.conversation = Conversation::Rolling(recording);
                self.recordings.callers_voice = Voice::Caller;
                record(self.caller.leg, (recording, Voice::Caller), turn);
                recording
            }
            going @ (Conversation::Rolling(recording) | Conversation::Paused(recording)) => {
                self.recordings.conversation = going;
                recording
            }
        };
        let voice = self.recordings.callers_voice.other();
        record(with, (recording, voice), turn);
    }

    /// Records what the caller, who is picked up for it, says now. A leg is in one recording at a
    /// time, so that of the conversation ends here. `None`: no more can be recorded.
    pub(crate) fn record_message(
        &mut self,
        purpose: Purpose,
        limits: RecordLimits,
        turn: &mut Turn<'_>,
    ) -> Option<RecordingId> {
        self.pick_up(turn);
        if self.caller.hears == Hears::Gone {
            return None;
        }
        let leg = self.caller.leg;
        self.stop_message(turn);
        self.stop_conversation(turn);
        let recording = self.begin_recording(purpose, turn)?;
        self.recordings.message = Some(recording);
        turn.push(Effect::Record {
            leg,
            recording,
            voice: Voice::Caller,
            limits,
        });
        Some(recording)
    }

    /// Ends the message that the caller leaves, if there is one. Its end is told all the same.
    pub(crate) fn stop_message(&mut self, turn: &mut Turn<'_>) {
        if let Some(recording) = self.recordings.message.take()
            && self.caller.hears != Hears::Gone
        {
            let leg = self.caller.leg;
            turn.push(Effect::StopRecording { leg, recording });
        }
    }

    fn stop_conversation(&mut self, turn: &mut Turn<'_>) {
        match std::mem::take(&mut self.recordings.conversation) {
            Conversation::Off => {}
            wanted @ Conversation::Wanted(_) => self.recordings.conversation = wanted,
            Conversation::Rolling(recording) | Conversation::Paused(recording) => {
                let leg = self.caller.leg;
                turn.push(Effect::StopRecording { leg, recording });
            }
        }
    }

    /// Has a message lie in another user's mailbox too: a recording of this call whose audio is there.
    pub(crate) fn copy_message(
        &mut self,
        message: &Message,
        to: UserRef,
        turn: &mut Turn<'_>,
    ) -> Option<RecordingId> {
        let (_, user) = self.plan.user_by_number(&to.number)?;
        let purpose = Purpose::Voicemail {
            emails: user.voicemail_emails.clone(),
            mailbox: to,
            copy_of: Some(message.recording),
        };
        let recording = self.begin_recording(purpose, turn)?;
        let closed = Fact::RecordingClosed {
            recording,
            seconds: message.seconds,
            end: RecordEnd::Stopped,
        };
        self.emit(closed, turn);
        Some(recording)
    }

    fn begin_recording(&mut self, purpose: Purpose, turn: &mut Turn<'_>) -> Option<RecordingId> {
        if self.recordings.last >= MAX_PER_CALL {
            return None;
        }
        self.recordings.last += 1;
        let recording = RecordingId::new(self.id, self.recordings.last);
        self.emit(Fact::RecordingStarted { recording, purpose }, turn);
        Some(recording)
    }

    /// A recording is over by itself or because it was stopped. The object hears of a message.
    pub(crate) fn recorded(&mut self, recorded: Recorded) -> Moment {
        let Recorded {
            recording,
            seconds,
            end,
        } = recorded;
        match self.recordings.conversation {
            Conversation::Rolling(id) | Conversation::Paused(id) if id == recording => {
                self.recordings.conversation = Conversation::Off;
            }
            Conversation::Off
            | Conversation::Wanted(_)
            | Conversation::Rolling(_)
            | Conversation::Paused(_) => {}
        }
        self.recordings.message.take_if(|id| *id == recording);
        Moment::Recorded {
            recording,
            seconds,
            end,
        }
    }
}

fn record(leg: LegId, (recording, voice): (RecordingId, Voice), turn: &mut Turn<'_>) {
    turn.push(Effect::Record {
        leg,
        recording,
        voice,
        limits: RecordLimits::CALL,
    });
}
