//! Finds the audio of what call control names: spoken prompts, numbers, tones, music.
//!
//! A sound is made when it is first needed, by a thread of its own: decoding takes milliseconds, too
//! long for the loop that asks. The phone is silent for as long, and whoever needs it next has it.

use std::collections::BTreeMap;
use std::io;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use audio::{Language, Part, Tones, music};
use engine::{Engine, Play};
use media::codec::Codec;
use media::{Command, Playlist, Repeat};
use pbx::{Sound, Times, Tone};

/// What sounds are kept in. A phone that speaks something else has them encoded while they play.
const CODEC: Codec = Codec::Pcma;
/// What tells that a conversation is recorded: of the usual pitch, and short.
const RECORDED: media::tone::Tone = media::tone::Tone {
    hertz: [1_400.0, 0.0],
    cadence: &[Duration::from_millis(240), Duration::from_millis(160)],
};
/// Until an account can choose one.
const LANGUAGE: &str = "en";
/// Sounds that wait to be made, at most. There are fewer than so many.
const MAX_WAITING: usize = 1_024;

/// Every sound that was needed so far: as many as there are prompts, and tones of countries.
#[derive(Debug)]
pub struct Sounds {
    made: BTreeMap<Name, Arc<media::Sound>>,
    maker: SyncSender<Order>,
}

/// What is kept once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Prompt(&'static str),
    Tone { country: String, tone: Tone },
    Music,
}

/// A sound to be made, and where it is waited for.
type Order = (Name, Arc<media::Sound>);

impl Sounds {
    /// No sound yet; the thread that makes them ends with it.
    pub fn start() -> io::Result<Self> {
        let (maker, orders) = sync_channel(MAX_WAITING);
        std::thread::Builder::new()
            .name("sounds".to_owned())
            .spawn(move || make_all(&orders))?;
        let made = BTreeMap::new();
        Ok(Self { made, maker })
    }

    /// The media threads' part of a play.
    pub fn command(&mut self, play: &Play, engine: &Engine) -> Command {
        let plan = engine.plan(play.account);
        let country = plan.map_or("", |plan| plan.numbering.country());
        Command::Play {
            path: play.path,
            play: play.play,
            playlist: self.playlist(&play.sounds, play.times, country),
        }
    }

    /// What a phone is to hear. What is not to be found is left out and said in the log; the rest,
    /// also when it is nothing, is played to its end, so that no call waits in vain.
    fn playlist(&mut self, sounds: &[Sound], times: Times, country: &str) -> Playlist {
        let found = sounds.iter().flat_map(|sound| self.find(sound, country));
        Playlist {
            sounds: found.collect(),
            repeat: match times {
                Times::Once => Repeat::Once,
                Times::Forever => Repeat::Forever,
            },
        }
    }

    fn find(&mut self, sound: &Sound, country: &str) -> Vec<Arc<media::Sound>> {
        let names = match sound {
            Sound::Prompt(id) => words(Part::Prompt(id)),
            Sound::Number(number) => words(Part::Number(*number)),
            Sound::Digits(digits) => words(Part::Digits(digits)),
            Sound::QueuePlace(place) => words(Part::QueuePlace(*place)),
            Sound::QueueWait { seconds } => words(Part::QueueWait { seconds: *seconds }),
            Sound::Music => vec![Name::Music],
            Sound::Tone(tone) => vec![Name::Tone {
                country: country.to_owned(),
                tone: *tone,
            }],
        };
        if names.is_empty() {
            tracing::warn!(?sound, "a sound is missing and was left out");
        }
        names.into_iter().map(|name| self.named(name)).collect()
    }

    /// The sound itself, or the promise of it.
    fn named(&mut self, name: Name) -> Arc<media::Sound> {
        if let Some(made) = self.made.get(&name) {
            return Arc::clone(made);
        }
        let promise = Arc::new(media::Sound::promised());
        if let Err(error) = self.maker.try_send((name.clone(), Arc::clone(&promise))) {
            // Left out this time, and asked for again the next.
            tracing::error!(%error, ?name, "a sound could not be made");
            promise.keep(silence());
            return promise;
        }
        self.made.insert(name, Arc::clone(&promise));
        promise
    }
}

fn language() -> Option<&'static Language> {
    Language::named(LANGUAGE)
}

fn words(part: Part<'_>) -> Vec<Name> {
    let prompts = language().map(|language| language.say(&[part]));
    let prompts = prompts.into_iter().flatten();
    prompts.map(|prompt| Name::Prompt(prompt.id)).collect()
}

fn make_all(orders: &Receiver<Order>) {
    for (name, promise) in orders {
        let made = catch_unwind(|| make(&name)).unwrap_or_else(|_| {
            tracing::error!(?name, "a sound could not be made");
            silence()
        });
        promise.keep(made);
    }
}

fn make(name: &Name) -> media::Sound {
    match name {
        Name::Prompt(id) => {
            let prompt = language().and_then(|language| language.prompt(id));
            prompt.map_or_else(silence, |prompt| prompt.sound(CODEC))
        }
        Name::Tone { country, tone } => {
            let tones = Tones::of(country);
            let tone = match tone {
                Tone::Ringback => tones.ringing,
                Tone::Busy => tones.busy,
                Tone::Beep => media::tone::Tone::BEEP,
                Tone::Recorded => RECORDED,
            };
            tone.sound(&[CODEC])
        }
        Name::Music => music::on_hold(CODEC),
    }
}

fn silence() -> media::Sound {
    media::Sound::encode(&[], media::codec::Rate::Narrow, &[CODEC])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is played, made here and now.
    fn frames(sound: &Sound) -> usize {
        let (maker, orders) = sync_channel(MAX_WAITING);
        let made = BTreeMap::new();
        let mut sounds = Sounds { made, maker };
        let playlist = sounds.playlist(std::slice::from_ref(sound), Times::Once, "AU");
        drop(sounds);
        make_all(&orders);
        playlist.sounds.iter().map(|sound| sound.frames()).sum()
    }

    #[test]
    fn every_announcement_has_words() {
        let said_by_objects = [
            "ivr-invalid",
            "ivr-no-input",
            "queue-leave-by-key",
            "queue-still-busy",
            "queue-thank-you",
            "vm-greeting",
            "vm-greeting-busy",
            "vm-message-short",
            "vm-message-saved",
        ];
        for id in pbx::ANNOUNCEMENTS.iter().copied().chain(said_by_objects) {
            assert!(frames(&Sound::Prompt(id.into())) > 10, "{id}");
        }
    }

    #[test]
    fn what_is_named_is_found() {
        for sound in [
            Sound::Number(21),
            Sound::Digits("1010".to_owned()),
            Sound::QueuePlace(1),
            Sound::QueuePlace(21),
            Sound::QueueWait { seconds: 30 },
            Sound::QueueWait { seconds: 300 },
            Sound::Music,
            Sound::Tone(Tone::Ringback),
            Sound::Tone(Tone::Busy),
            Sound::Tone(Tone::Beep),
            Sound::Tone(Tone::Recorded),
        ] {
            assert!(frames(&sound) > 10, "{sound:?}");
        }
    }

    #[test]
    fn what_is_missing_is_left_out_of_the_rest() {
        let sounds = [Sound::Prompt("no-such-words".into()), Sound::Number(1)];
        let mut known = Sounds::start().unwrap();
        let playlist = known.playlist(&sounds, Times::Once, "AU");
        assert_eq!(playlist.sounds.len(), 1);
        let again = known.playlist(&sounds, Times::Once, "AU");
        assert!(
            Arc::ptr_eq(&playlist.sounds[0], &again.sounds[0]),
            "made once"
        );
    }
}
