//! What a caller hears in line: music, and now and then where in line it is.

use std::time::Duration;

use clock::Time;
use serde::Deserialize;

use crate::cx::Cx;
use crate::sound::{PlayId, Sound, Times};

/// What callers are told, and how often.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) announce: Announce,
    pub(super) announce_every: Duration,
    pub(super) reminder: Option<Sound>,
    pub(super) reminder_every: Duration,
    /// What is heard besides.
    pub(super) music: Sound,
}

/// What is told of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Announce {
    #[default]
    Nothing,
    Place,
    Wait,
    PlaceAndWait,
}

/// What one caller hears.
#[derive(Debug)]
pub(super) struct Hearing {
    /// Words, and music after them; `None` is music already.
    words: Option<PlayId>,
    announce_at: Option<Time>,
    remind_at: Option<Time>,
}

/// What there is to tell a caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// From 1.
    pub(super) position: usize,
    pub(super) wait_ahead: Option<Duration>,
    /// The key that leaves the line.
    pub(super) exit_key: Option<char>,
}

impl Hearing {
    /// The caller is picked up and hears where in line it is, if that is told, then music.
    pub(super) fn begin(program: &Program, news: News, cx: &mut Cx<'_, '_>) -> Self {
        let now = cx.now();
        let mut hearing = Self {
            words: None,
            announce_at: (program.announce != Announce::Nothing).then_some(now),
            remind_at: program
                .reminder
                .as_ref()
                .map(|_| now + program.reminder_every),
        };
        if !hearing.tell(program, news, cx) {
            cx.play(vec![program.music.clone()], Times::Forever);
        }
        hearing
    }

    /// When there is something to tell.
    pub(super) fn due_at(&self) -> Option<Time> {
        [self.announce_at, self.remind_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells what is due, if anything is.
    pub(super) fn tell(&mut self, program: &Program, news: News, cx: &mut Cx<'_, '_>) -> bool {
        let now = cx.now();
        let mut sounds = Vec::new();
        if self.announce_at.is_some_and(|at| at <= now) {
            self.announce_at = Some(now + program.announce_every);
            sounds.extend(program.announce.sounds(news));
        }
        if self.remind_at.is_some_and(|at| at <= now) {
            self.remind_at = Some(now + program.reminder_every);
            sounds.extend(program.reminder.clone());
            if let Some(key) = news.exit_key {
                sounds.push(Sound::Prompt("queue-leave-by-key".into()));
                sounds.push(Sound::Digits(key.into()));
            }
        }
        if sounds.is_empty() {
            return false;
        }
        self.words = Some(cx.play(sounds, Times::Once));
        true
    }

    /// Music follows the words.
    pub(super) fn played(&mut self, play: PlayId, program: &Program, cx: &mut Cx<'_, '_>) {
        if self.words.take_if(|words| *words == play).is_some() {
            cx.play(vec![program.music.clone()], Times::Forever);
        }
    }
}

impl Announce {
    /// Nothing is said of a wait of which nothing is known.
    fn sounds(self, news: News) -> impl Iterator<Item = Sound> {
        let position = u32::try_from(news.position).unwrap_or(u32::MAX);
        let place = Sound::QueuePlace(position);
        let seconds = |wait: Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        let wait = news.wait_ahead.map(|wait| Sound::QueueWait {
            seconds: seconds(wait),
        });
        let (place, wait) = match self {
            Self::Nothing => (None, None),
            Self::Place => (Some(place), None),
            Self::Wait => (None, wait),
            Self::PlaceAndWait => (Some(place), wait),
        };
        place.into_iter().chain(wait)
    }
}
