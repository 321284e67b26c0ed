//! Finds the audio of what call control names: spoken prompts, numbers, tones, music, and the sounds
//! that accounts have of their own.
//!
//! A sound is made when it is first needed, by a thread of its own: decoding takes milliseconds, too
//! long for the loop that asks. The phone is silent for as long, and whoever needs it next has it. What
//! lies in files takes longer, and has another thread, so that no prompt waits for it.

mod library;

use std::collections::BTreeMap;
use std::io;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use audio::{Language, Part, Pcm, Prompt, Tones, music};
use clock::Time;
use engine::{Engine, Play};
use media::codec::Codec;
use media::{Command, Playlist, Repeat};
use pbx::{AccountId, Greeting, Plan, RecordingId, Sound, Times, Tone};

pub use library::{Library, SoundError, Use, list, missing, used_at};

/// What sounds are kept in. A phone that speaks something else has them encoded while they play.
const CODEC: Codec = Codec::Pcma;
/// What tells that a conversation is recorded: of the usual pitch, and short.
const RECORDED: media::tone::Tone = media::tone::Tone {
    hertz: [1_400.0, 0.0],
    cadence: &[Duration::from_millis(240), Duration::from_millis(160)],
};
/// Somebody has come into a room.
const JOINED: media::tone::Tone = media::tone::Tone {
    hertz: [880.0, 0.0],
    cadence: &[Duration::from_millis(200), Duration::from_millis(40)],
};
/// Somebody has left it.
const LEFT: media::tone::Tone = media::tone::Tone {
    hertz: [523.0, 0.0],
    cadence: &[Duration::from_millis(200), Duration::from_millis(40)],
};
/// Until an account can choose one.
const LANGUAGE: &str = "en";
/// Sounds that wait to be made, at most. There are fewer than so many.
const MAX_WAITING: usize = 1_024;

/// Audio of accounts that is remembered, in frames of 20 ms: 100 minutes, or 48 MB.
const MAX_FILE_FRAMES: usize = 300_000;

/// Every sound that was needed so far: as many as there are prompts, and tones of countries; of the
/// sounds of accounts those that were needed last.
#[derive(Debug)]
pub struct Sounds {
    made: BTreeMap<Name, Arc<media::Sound>>,
    /// Sounds of accounts, the one that was needed last at the end.
    files: Vec<(Name, Arc<media::Sound>)>,
    maker: SyncSender<Order>,
    reader: SyncSender<Order>,
}

/// What is kept once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Prompt(&'static str),
    Tone {
        country: String,
        tone: Tone,
    },
    Music,
    File {
        account: AccountId,
        name: Arc<str>,
        instead: Instead,
    },
    Recording(RecordingId),
}

/// What is heard when an account has no sound of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Instead {
    Nothing,
    Music,
    Spelled(String),
    Greeting {
        mailbox: Arc<str>,
        greeting: Greeting,
    },
}

/// A sound to be made, and where it is waited for.
type Order = (Name, Arc<media::Sound>);

impl Sounds {
    /// No sound yet; the threads that make them end with it.
    pub fn start(library: Library) -> io::Result<Self> {
        let start = |name: &str, library: Library| {
            let (maker, orders) = sync_channel(MAX_WAITING);
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn(move || make_all(&orders, &library))?;
            io::Result::Ok(maker)
        };
        Ok(Self {
            made: BTreeMap::new(),
            files: Vec::new(),
            maker: start("sounds", library.clone())?,
            reader: start("sound-files", library)?,
        })
    }

    /// Sounds of an account have changed: who plays one from now on hears the new one.
    pub fn forget(&mut self, account: AccountId) {
        self.files.retain(|(name, _)| match name {
            Name::File { account: of, .. } => *of != account,
            Name::Prompt(_) | Name::Tone { .. } | Name::Music | Name::Recording(_) => true,
        });
    }

    /// The media threads' part of a play.
    pub fn command(&mut self, play: &Play, engine: &Engine, now: Time) -> Command {
        let plan = engine.plan(play.account);
        let home = plan.map_or_else(Home::default, |plan| Home::of(plan, now));
        Command::Play {
            path: play.path,
            play: play.play,
            playlist: self.playlist(&play.sounds, play.times, &home),
        }
    }

    /// What a phone is to hear. What is not to be found is left out and said in the log; the rest,
    /// also when it is nothing, is played to its end, so that no call waits in vain.
    fn playlist(&mut self, sounds: &[Sound], times: Times, home: &Home<'_>) -> Playlist {
        let found = sounds
            .iter()
            .flat_map(|sound| self.find(sound, times, home));
        Playlist {
            sounds: found.collect(),
            repeat: match times {
                Times::Once => Repeat::Once,
                Times::Forever => Repeat::Forever,
            },
        }
    }

    fn find(&mut self, sound: &Sound, times: Times, home: &Home<'_>) -> Vec<Arc<media::Sound>> {
        let names = match sound {
            Sound::Prompt(id) => words(Part::Prompt(id)),
            Sound::Number(number) => words(Part::Number(*number)),
            Sound::Digits(digits) => words(Part::Digits(digits)),
            Sound::QueuePlace(place) => words(Part::QueuePlace(*place)),
            Sound::QueueWait { seconds } => words(Part::QueueWait { seconds: *seconds }),
            Sound::ParkedAt(slot) => words(Part::ParkedAt(slot)),
            Sound::ConferenceSize(people) => words(Part::ConferenceSize(*people)),
            Sound::Mailbox(counts) => words(Part::Mailbox {
                new: counts.new,
                saved: counts.saved,
            }),
            Sound::Moment(at) => words(Part::Moment {
                at: home.local(*at),
                today: home.local(home.now).date(),
            }),
            Sound::Recording(recording) => vec![Name::Recording(*recording)],
            Sound::Greeting { mailbox, greeting } => vec![Name::File {
                account: home.account,
                name: greeting.sound_name(mailbox).into(),
                instead: Instead::Greeting {
                    mailbox: Arc::clone(mailbox),
                    greeting: *greeting,
                },
            }],
            Sound::Person { number, name } => vec![Name::File {
                account: home.account,
                name: Greeting::Name.sound_name(number).into(),
                instead: Instead::Spelled(name.clone()),
            }],
            Sound::Music => match home.music {
                Some(own) => return self.find(own, Times::Forever, &home.without_music()),
                None => vec![Name::Music],
            },
            Sound::File(name) => vec![Name::File {
                account: home.account,
                name: Arc::clone(name),
                instead: match times {
                    Times::Once => Instead::Nothing,
                    // Who waits hears something.
                    Times::Forever => Instead::Music,
                },
            }],
            Sound::Tone(tone) => vec![Name::Tone {
                country: home.country.to_owned(),
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
        match name {
            Name::Prompt(_) | Name::Tone { .. } | Name::Music => self.made_once(name),
            Name::File { .. } => self.file(name),
            // Heard once or twice, and by one.
            Name::Recording(_) => order(&self.reader, &name),
        }
    }

    fn made_once(&mut self, name: Name) -> Arc<media::Sound> {
        if let Some(made) = self.made.get(&name) {
            return Arc::clone(made);
        }
        let promise = order(&self.maker, &name);
        if !promise.is_made() {
            self.made.insert(name, Arc::clone(&promise));
        }
        promise
    }

    /// The sounds that were not needed for longest are forgotten; who plays one has it still.
    fn file(&mut self, name: Name) -> Arc<media::Sound> {
        let known = self.files.iter().position(|(known, _)| *known == name);
        let sound = match known {
            Some(place) => self.files.remove(place).1,
            None => order(&self.reader, &name),
        };
        if known.is_none() && sound.is_made() {
            return sound;
        }
        self.files.push((name, Arc::clone(&sound)));
        while self.files.len() > 1
            && self
                .files
                .iter()
                .map(|(_, sound)| sound.frames())
                .sum::<usize>()
                > MAX_FILE_FRAMES
        {
            self.files.remove(0);
        }
        sound
    }
}

/// What the account says of its sounds.
#[derive(Clone, Copy, Debug)]
struct Home<'a> {
    account: AccountId,
    country: &'a str,
    time_zone: &'a str,
    now: Time,
    music: Option<&'a Sound>,
}

impl Default for Home<'_> {
    fn default() -> Self {
        Self {
            account: AccountId(0),
            country: "",
            time_zone: "UTC",
            now: Time::ZERO,
            music: None,
        }
    }
}

impl<'a> Home<'a> {
    fn of(plan: &'a Plan, now: Time) -> Self {
        Self {
            account: plan.account,
            country: plan.numbering.country(),
            time_zone: &plan.time_zone,
            now,
            music: plan.music.as_ref(),
        }
    }

    /// A time as the account's people read it off their clocks.
    fn local(&self, at: Time) -> jiff::civil::DateTime {
        let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        let instant = jiff::Timestamp::from_millisecond(millis);
        let zone = jiff::tz::TimeZone::get(self.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let instant = instant.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        instant.to_zoned_datetime(zone).datetime()
    }

    const fn without_music(&self) -> Self {
        Self {
            music: None,
            ..*self
        }
    }
}

/// Has a sound made. What cannot be is left out this time, and asked for again the next.
fn order(maker: &SyncSender<Order>, name: &Name) -> Arc<media::Sound> {
    let promise = Arc::new(media::Sound::promised());
    if let Err(error) = maker.try_send((name.clone(), Arc::clone(&promise))) {
        tracing::error!(%error, ?name, "a sound could not be made");
        promise.keep(silence());
    }
    promise
}

fn language() -> Option<&'static Language> {
    Language::named(LANGUAGE)
}

fn words(part: Part<'_>) -> Vec<Name> {
    let prompts = language().map(|language| language.say(&[part]));
    let prompts = prompts.into_iter().flatten();
    prompts.map(|prompt| Name::Prompt(prompt.id)).collect()
}

fn make_all(orders: &Receiver<Order>, library: &Library) {
    for (name, promise) in orders {
        let made = catch_unwind(|| make(&name, library)).unwrap_or_else(|_| {
            tracing::error!(?name, "a sound could not be made");
            silence()
        });
        promise.keep(made);
    }
}

fn make(name: &Name, library: &Library) -> media::Sound {
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
                Tone::Joined => JOINED,
                Tone::Left => LEFT,
            };
            tone.sound(&[CODEC])
        }
        Name::Music => music::on_hold(CODEC),
        Name::File {
            account,
            name,
            instead,
        } => match library.read(*account, name) {
            Some(pcm) => pcm.sound(&[CODEC]),
            None => make_instead((*account, name), instead, library),
        },
        Name::Recording(recording) => library.recording(*recording).map_or_else(
            || {
                tracing::error!(%recording, "a recording cannot be played");
                silence()
            },
            |pcm| pcm.sound(&[CODEC]),
        ),
    }
}

/// What is heard when there is no sound of that name.
fn make_instead(
    (account, name): (AccountId, &str),
    instead: &Instead,
    library: &Library,
) -> media::Sound {
    match instead {
        Instead::Nothing => {
            tracing::warn!(%name, account = account.0, "a sound is missing and was left out");
            silence()
        }
        Instead::Music => {
            tracing::warn!(%name, account = account.0, "a sound is missing; ours is played");
            music::on_hold(CODEC)
        }
        Instead::Spelled(name) => spelled(name),
        Instead::Greeting { mailbox, greeting } => {
            let own = library.read(account, &Greeting::Name.sound_name(mailbox));
            let words = match (greeting, &own) {
                (Greeting::Unavailable | Greeting::Name, Some(_)) => "vm-is-not-available",
                (Greeting::Busy, Some(_)) => "vm-is-on-the-phone",
                (Greeting::Unavailable | Greeting::Name, None) => "vm-greeting",
                (Greeting::Busy, None) => "vm-greeting-busy",
            };
            let words = language().and_then(|language| language.prompt(words));
            let words = words.map(Prompt::pcm);
            together(own.into_iter().chain(words))
        }
    }
}

fn spelled(name: &str) -> media::Sound {
    let prompts = language().map(|language| language.say(&[Part::Spelled(name)]));
    together(prompts.into_iter().flatten().map(Prompt::pcm))
}

/// One after the other.
fn together(spoken: impl Iterator<Item = Pcm>) -> media::Sound {
    let spoken = spoken.reduce(|mut first, then| {
        first.append(&then);
        first
    });
    spoken.map_or_else(silence, |pcm| pcm.sound(&[CODEC]))
}

fn silence() -> media::Sound {
    media::Sound::encode(&[], media::codec::Rate::Narrow, &[CODEC])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What is played, made here and now.
    fn frames(sound: &Sound) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::of(folder.path());
        let pcm = audio::Pcm::new(8_000, vec![0; 8_000]);
        let row = library.keep((HOME.account, "welcome"), &pcm, &[], Time::ZERO);
        row.unwrap();
        let (maker, orders) = sync_channel(MAX_WAITING);
        let mut sounds = Sounds {
            made: BTreeMap::new(),
            files: Vec::new(),
            reader: maker.clone(),
            maker,
        };
        let playlist = sounds.playlist(std::slice::from_ref(sound), Times::Once, &HOME);
        drop(sounds);
        make_all(&orders, &library);
        playlist.sounds.iter().map(|sound| sound.frames()).sum()
    }

    const HOME: Home<'_> = Home {
        account: AccountId(3),
        country: "AU",
        time_zone: "Australia/Sydney",
        now: Time::ZERO,
        music: None,
    };

    #[test]
    fn every_announcement_has_words() {
        let said_by_objects = [
            "conf-ended",
            "conf-enter-pin",
            "conf-full",
            "conf-guests-muted",
            "conf-guests-unmuted",
            "conf-locked",
            "conf-muted",
            "conf-someone-joined",
            "conf-someone-left",
            "conf-unlocked",
            "conf-unmuted",
            "conf-wait-owner",
            "conf-wrong-pin",
            "directory-enter",
            "directory-internal-number",
            "directory-none",
            "directory-press-one",
            "ivr-invalid",
            "park-full",
            "park-none",
            "ivr-no-input",
            "queue-leave-by-key",
            "queue-still-busy",
            "queue-thank-you",
            "vm-greeting",
            "vm-greeting-busy",
            "vm-is-not-available",
            "vm-is-on-the-phone",
            "vm-message-short",
            "vm-message-saved",
            "vm-mailbox-full",
            "vm-enter-mailbox",
            "vm-enter-pin",
            "vm-pin-wrong",
            "vm-pin-locked",
            "vm-no-messages",
            "vm-no-more-messages",
            "vm-message-number",
            "vm-received",
            "vm-from",
            "vm-unknown-caller",
            "vm-menu-main",
            "vm-menu-message",
            "vm-saved",
            "vm-deleted",
            "vm-forward-to",
            "vm-forwarded",
            "vm-menu-greetings",
            "vm-record-greeting",
            "vm-record-name",
            "vm-menu-greeting",
            "vm-greeting-saved",
            "vm-greeting-standard",
            "vm-new-pin",
            "vm-new-pin-again",
            "vm-pin-changed",
            "vm-pin-not-changed",
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
            Sound::Person {
                number: "1020".into(),
                name: "Lee".to_owned(),
            },
            Sound::ParkedAt("701".to_owned()),
            Sound::ConferenceSize(1),
            Sound::ConferenceSize(3),
            Sound::Music,
            Sound::File("welcome".into()),
            Sound::Mailbox(pbx::MailboxCounts { new: 1, saved: 2 }),
            Sound::Moment(Time::from_secs(1_569_943_875)),
            Sound::Greeting {
                mailbox: "1010".into(),
                greeting: Greeting::Busy,
            },
            Sound::Tone(Tone::Ringback),
            Sound::Tone(Tone::Busy),
            Sound::Tone(Tone::Beep),
            Sound::Tone(Tone::Recorded),
            Sound::Tone(Tone::Joined),
            Sound::Tone(Tone::Left),
        ] {
            assert!(frames(&sound) > 10, "{sound:?}");
        }
    }

    #[test]
    fn what_is_missing_is_left_out_of_the_rest() {
        let sounds = [Sound::Prompt("no-such-words".into()), Sound::Number(1)];
        let mut known = Sounds::start(Library::of(Path::new("nowhere"))).unwrap();
        let playlist = known.playlist(&sounds, Times::Once, &HOME);
        assert_eq!(playlist.sounds.len(), 1);
        let again = known.playlist(&sounds, Times::Once, &HOME);
        assert!(
            Arc::ptr_eq(&playlist.sounds[0], &again.sounds[0]),
            "made once"
        );
    }

    #[test]
    fn a_sound_that_was_replaced_is_made_anew_and_music_may_be_the_accounts_own() {
        let mut known = Sounds::start(Library::of(Path::new("nowhere"))).unwrap();
        let own = Sound::File("waiting".into());
        let home = Home {
            music: Some(&own),
            ..HOME
        };
        let play = |sounds: &mut Sounds, sound: &Sound| {
            let sound = std::slice::from_ref(sound);
            let playlist = sounds.playlist(sound, Times::Forever, &home);
            Arc::clone(&playlist.sounds[0])
        };
        let first = play(&mut known, &own);
        assert!(Arc::ptr_eq(&first, &play(&mut known, &Sound::Music)));
        known.forget(AccountId(4));
        assert!(Arc::ptr_eq(&first, &play(&mut known, &own)));
        known.forget(HOME.account);
        assert!(!Arc::ptr_eq(&first, &play(&mut known, &own)));
    }
}
