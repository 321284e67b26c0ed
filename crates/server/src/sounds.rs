//! Finds the audio of what call control names: spoken prompts, numbers, tones, music.
//!
//! Prompts are decoded when they are first needed, which takes some milliseconds for each: too long
//! for the loop that asks. [`Sounds::start`] has a thread do it for all of them ahead.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use audio::{Language, Part, Tones, music};
use engine::{Engine, Play};
use media::codec::Codec;
use media::{Command, Playlist, Repeat};
use pbx::{Sound, Times, Tone};

/// What sounds are kept in. A phone that speaks something else has them encoded while they play.
const CODEC: Codec = Codec::Pcma;
/// Until an account can choose one.
const LANGUAGE: &str = "en";

/// Every sound there is, ready to be played.
#[derive(Debug, Default)]
pub struct Sounds {
    /// Tones made so far, by country: as many as there are countries.
    tones: BTreeMap<(String, Tone), Arc<media::Sound>>,
}

impl Sounds {
    /// The sounds; a thread that ends by itself makes them ready.
    pub fn start() -> io::Result<Self> {
        let prepare = || {
            music::on_hold(CODEC);
            for prompt in language().into_iter().flat_map(Language::prompts) {
                prompt.sound(CODEC);
            }
        };
        // Without a handle: it touches nothing but the cache, and the process may end under it.
        std::thread::Builder::new()
            .name("sounds".to_owned())
            .spawn(prepare)?;
        Ok(Self::default())
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
            from_frame: 0,
        }
    }

    fn find(&mut self, sound: &Sound, country: &str) -> Vec<Arc<media::Sound>> {
        let found = match sound {
            Sound::Prompt(id) => say(Part::Prompt(id)),
            Sound::Number(number) => say(Part::Number(*number)),
            Sound::Digits(digits) => say(Part::Digits(digits)),
            Sound::Music => vec![music::on_hold(CODEC)],
            Sound::Tone(tone) => vec![self.tone(*tone, country)],
        };
        if found.is_empty() {
            tracing::warn!(?sound, "a sound is missing and was left out");
        }
        found
    }

    fn tone(&mut self, tone: Tone, country: &str) -> Arc<media::Sound> {
        let make = || {
            let tones = Tones::of(country);
            let made = match tone {
                Tone::Ringback => tones.ringing,
                Tone::Busy => tones.busy,
            };
            Arc::new(made.sound(&[CODEC]))
        };
        let key = (country.to_owned(), tone);
        Arc::clone(self.tones.entry(key).or_insert_with(make))
    }
}

fn language() -> Option<&'static Language> {
    Language::named(LANGUAGE)
}

fn say(part: Part<'_>) -> Vec<Arc<media::Sound>> {
    let prompts = language().map(|language| language.say(&[part]));
    let prompts = prompts.into_iter().flatten();
    prompts.map(|prompt| prompt.sound(CODEC)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(sound: &Sound) -> usize {
        let playlist = Sounds::default().playlist(std::slice::from_ref(sound), Times::Once, "AU");
        playlist.sounds.iter().map(|sound| sound.frames()).sum()
    }

    #[test]
    fn every_announcement_has_words() {
        let said_by_menus = ["ivr-invalid", "ivr-no-input"];
        for id in pbx::ANNOUNCEMENTS.iter().copied().chain(said_by_menus) {
            assert!(frames(&Sound::Prompt(id.into())) > 10, "{id}");
        }
    }

    #[test]
    fn what_is_named_is_found() {
        for sound in [
            Sound::Number(21),
            Sound::Digits("1010".to_owned()),
            Sound::Music,
            Sound::Tone(Tone::Ringback),
            Sound::Tone(Tone::Busy),
        ] {
            assert!(frames(&sound) > 10, "{sound:?}");
        }
    }

    #[test]
    fn what_is_missing_is_left_out_of_the_rest() {
        let sounds = [Sound::Prompt("no-such-words".into()), Sound::Number(1)];
        let playlist = Sounds::default().playlist(&sounds, Times::Once, "AU");
        assert_eq!(playlist.sounds.len(), 1);
    }
}
