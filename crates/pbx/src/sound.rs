//! What a caller is to hear, by name: whoever plays it finds the audio. A call names sounds and
//! waits for their end; it never holds one.

use std::sync::Arc;

use clock::Time;
use serde::{Deserialize, Serialize};

use crate::mailbox::{Greeting, MailboxCounts};
use crate::recording::RecordingId;

/// The most sounds of one play; what is over is left out.
pub const MAX_SOUNDS_PER_PLAY: usize = 32;

/// One play of a call, so that the end of an earlier one is not taken for it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PlayId(pub u32);

impl PlayId {
    /// The one after it.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Something that can be played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sound {
    /// A spoken prompt, by its id.
    Prompt(Arc<str>),
    /// A sound of the account's own, by its name.
    File(Arc<str>),
    /// A number, spoken as one.
    Number(u32),
    /// Digits, spoken one by one.
    Digits(String),
    /// A caller's place in a line, from 1, in a sentence.
    QueuePlace(u32),
    /// How long a caller is going to wait, in a sentence.
    QueueWait {
        /// About so long.
        seconds: u32,
    },
    /// Who somebody is: the name that the user has recorded, or else this one, letter by letter.
    Person {
        /// The user's internal number.
        number: Arc<str>,
        /// The name.
        name: String,
    },
    /// Where a call was parked, in a sentence.
    ParkedAt(String),
    /// How many are in a conference, in a sentence.
    ConferenceSize(u32),
    /// What a mailbox holds, in a sentence.
    Mailbox(MailboxCounts),
    /// A time, as people of the account say it now.
    Moment(Time),
    /// What a user says to callers of the mailbox, or what we say instead.
    Greeting {
        /// The user's internal number.
        mailbox: Arc<str>,
        /// Which greeting.
        greeting: Greeting,
    },
    /// A recording of the account.
    Recording(RecordingId),
    /// Music on hold.
    Music,
    /// A tone, as the account's country has it.
    Tone(Tone),
}

/// Stands before the name of a sound of the account's own where a document says what is heard.
pub(crate) const FILE_PREFIX: &str = "file:";

/// The longest name of a sound.
const MAX_NAME_CHARS: usize = 64;

/// Whether a sound of an account may be called so.
pub fn is_sound_name(name: &str) -> bool {
    let is_name_char = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '_');
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(is_name_char)
}

impl Sound {
    /// What a document means by a word: a sound of the account's own, or a prompt.
    pub(crate) fn written(word: &str) -> Self {
        match word.strip_prefix(FILE_PREFIX) {
            Some(name) => Self::File(name.into()),
            None => Self::Prompt(word.into()),
        }
    }
}

/// A tone that tells the caller something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// It rings at the other end.
    Ringback,
    /// The other end is busy.
    Busy,
    /// Speak now.
    Beep,
    /// Somebody has come into the room.
    Joined,
    /// Somebody has left it.
    Left,
    /// Those who talk are recorded from here on; twice: they are not any more.
    Recorded,
}

/// How often sounds are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// Once; their end is told.
    Once,
    /// Over and over until they are stopped.
    Forever,
}

/// The prompts that an object may be told to play: complete sentences, none of them a part of one.
pub const ANNOUNCEMENTS: &[&str] = &[
    "please-wait",
    "thank-you",
    "goodbye",
    "call-recorded",
    "call-may-be-recorded",
    "error-not-in-service",
    "error-cannot-complete",
    "error-lines-busy",
    "error-not-allowed",
    "error-no-answer",
    "error-busy",
    "error-closed",
    "error-problem",
];
