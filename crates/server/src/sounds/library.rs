//! The sounds that accounts have of their own: files in the data folder, and a row for each in the
//! store. A file is whole or not there, whatever happens while it is written; it is kept as WAV of one
//! loudness, so that nothing can be wrong with it when a caller is to hear it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use audio::upload::{self, UploadError, UploadLimits};
use audio::{Pcm, level, wav};
use pbx::draft::{Problem, Severity};
use pbx::{AccountId, Plan, RecordingId, is_sound_name};
use serde::{Deserialize, Serialize};
use store::SoundRow;

use crate::recordings::{self, recordings_folder};

/// Sounds of one account.
const MAX_SOUNDS: usize = 2_000;
/// How long they may be together: 700 MB.
const MAX_SECONDS: u32 = 6 * 3_600;

/// What a sound is for, which says how loud it is and how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// A greeting or an announcement.
    Speech,
    /// What callers hear while they wait.
    Music,
}

impl Use {
    /// The largest file that is taken.
    pub const fn limits(self) -> UploadLimits {
        match self {
            Self::Speech => UploadLimits::PROMPT,
            Self::Music => UploadLimits::MUSIC,
        }
    }

    const fn lufs(self) -> f64 {
        match self {
            Self::Speech => level::SPEECH_LUFS,
            Self::Music => level::MUSIC_LUFS,
        }
    }
}

/// Why a sound was not taken, in words for its owner.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// It cannot be called so.
    #[error(
        "a sound cannot be called `{0}`: take 1 to 64 of the characters a-z, 0-9, `-` and `_`, \
         such as welcome"
    )]
    Name(String),
    /// Something is wrong with the file.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// There are many already.
    #[error("the account has {MAX_SOUNDS} sounds already: remove one that is not played")]
    TooMany,
    /// They would be too long together.
    #[error(
        "the sounds of the account would be longer than {} hours together: remove one that is not \
         played",
        MAX_SECONDS / 3_600
    )]
    TooLong,
    /// The disk refuses.
    #[error("the sound cannot be written")]
    Disk(#[from] io::Error),
}

/// The folders of all accounts' sounds.
#[derive(Clone, Debug)]
pub struct Library {
    folder: PathBuf,
    recordings: PathBuf,
}

impl Library {
    /// That of a data folder.
    pub fn of(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join("sounds"),
            recordings: recordings_folder(data_dir),
        }
    }

    /// Reads a file that was handed in, and keeps its audio under this name. `known` are the sounds
    /// that the account has; what is returned is the row to be kept.
    pub fn import(
        &self,
        (account, name): (AccountId, &str),
        (file, purpose): (&[u8], Use),
        known: &[SoundRow],
        now: clock::Time,
    ) -> Result<SoundRow, SoundError> {
        if !is_sound_name(name) {
            return Err(SoundError::Name(name.to_owned()));
        }
        let pcm = upload::import(file, purpose.lufs(), &purpose.limits())?;
        self.keep((account, name), &pcm, known, now)
    }

    /// Keeps audio under this name.
    pub fn keep(
        &self,
        (account, name): (AccountId, &str),
        pcm: &Pcm,
        known: &[SoundRow],
        now: clock::Time,
    ) -> Result<SoundRow, SoundError> {
        let seconds = u32::try_from(pcm.duration().as_millis().div_ceil(1_000));
        let seconds = seconds.unwrap_or(u32::MAX);
        let others = || known.iter().filter(|row| row.name != name);
        if others().count() >= MAX_SOUNDS {
            return Err(SoundError::TooMany);
        }
        if others()
            .map(|row| row.seconds)
            .fold(seconds, u32::saturating_add)
            > MAX_SECONDS
        {
            return Err(SoundError::TooLong);
        }
        write_whole(&self.path(account, name), &wav::mono(pcm))?;
        Ok(SoundRow {
            account,
            name: name.to_owned(),
            seconds,
            saved_at: now,
        })
    }

    /// The audio, if there is any.
    pub fn read(&self, account: AccountId, name: &str) -> Option<Pcm> {
        let path = self.path(account, name);
        let file = match std::fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "a sound cannot be read");
                return None;
            }
        };
        let channels = wav::read(&file).inspect_err(|error| {
            tracing::error!(%error, path = %path.display(), "a sound is damaged");
        });
        channels.ok()?.into_iter().next()
    }

    /// The audio of a recording, if there is any.
    pub fn recording(&self, recording: RecordingId) -> Option<Pcm> {
        let read = recordings::pcm(&self.recordings, recording);
        let read = read.inspect_err(|error| {
            tracing::error!(%error, %recording, "a recording cannot be read");
        });
        read.ok()
    }

    /// Deletes the audio; what is gone already stays gone.
    pub fn forget(&self, account: AccountId, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(account, name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn path(&self, account: AccountId, name: &str) -> PathBuf {
        self.folder
            .join(account.0.to_string())
            .join(name)
            .with_extension("wav")
    }
}

/// Where a plan plays this sound.
pub fn used_at<'a>(plan: &'a Plan, name: &'a str) -> impl Iterator<Item = &'a str> {
    let used = plan.sounds.iter();
    used.filter(move |(_, used)| **used == *name)
        .map(|(path, _)| path.as_str())
}

/// What a plan plays and nobody has handed in.
pub fn missing(plan: &Plan, known: &[SoundRow]) -> Vec<Problem> {
    let is_known = |name: &str| known.iter().any(|row| row.name == name);
    let missing = plan.sounds.iter().filter(|(_, name)| !is_known(name));
    let problem = |(path, name): &(String, std::sync::Arc<str>)| Problem {
        path: path.clone(),
        rule: format!(
            "there is no sound `{name}` yet, so callers hear nothing: hand it in with `switchhook \
             account sound add {} {name} FILE`",
            plan.name
        ),
        severity: Severity::Warning,
    };
    missing.map(problem).collect()
}

/// The sounds of an account and what plays them, a line for each, in the order of their names.
pub fn list(plan: &Plan, known: &[SoundRow]) -> Vec<String> {
    let line = |row: &SoundRow| {
        let SoundRow { name, seconds, .. } = row;
        let used: Vec<&str> = used_at(plan, name).collect();
        match &*used {
            [] => format!("{name}: {seconds} s"),
            used => format!("{name}: {seconds} s, played by {}", used.join(", ")),
        }
    };
    let missing = missing(plan, known).into_iter().map(|problem| problem.path);
    let missing = missing.map(|path| format!("missing: what is played by {path}"));
    known.iter().map(line).chain(missing).collect()
}

/// Readers of the file see all of it or what was there before, after a power cut too.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use clock::Time;

    use super::*;

    const ACCOUNT: AccountId = AccountId(3);
    const NOW: Time = Time::from_secs(1);

    fn tone(seconds: usize, amplitude: i16) -> Pcm {
        let wave = [0, amplitude, 0, -amplitude];
        let samples = wave.iter().copied().cycle().take(seconds * 8_000);
        Pcm::new(8_000, samples.collect())
    }

    fn row(name: &str, seconds: u32) -> SoundRow {
        SoundRow {
            account: ACCOUNT,
            name: name.to_owned(),
            seconds,
            saved_at: NOW,
        }
    }

    #[test]
    fn what_is_handed_in_is_kept_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::of(folder.path());
        let hand_in =
            |file: &[u8], name| library.import((ACCOUNT, name), (file, Use::Speech), &[], NOW);
        let two_seconds = wav::mono(&tone(2, 9_000));
        assert_eq!(hand_in(&two_seconds, "welcome").unwrap(), row("welcome", 2));
        let refused = hand_in(b"no audio", "welcome").unwrap_err();
        assert!(matches!(refused, SoundError::Upload(_)), "{refused}");
        let kept = library.read(ACCOUNT, "welcome").unwrap();
        assert_eq!(kept.duration().as_secs(), 2, "nothing changes");
        hand_in(&wav::mono(&tone(1, 9_000)), "welcome").unwrap();
        let kept = library.read(ACCOUNT, "welcome").unwrap();
        assert_eq!(kept.duration().as_secs(), 1);
        assert_eq!(library.read(AccountId(4), "welcome"), None);
        library.forget(ACCOUNT, "welcome").unwrap();
        library.forget(ACCOUNT, "welcome").unwrap();
        assert_eq!(library.read(ACCOUNT, "welcome"), None);
    }

    #[test]
    fn what_is_not_taken_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::of(folder.path());
        let file = wav::mono(&tone(2, 9_000));
        let many: Vec<SoundRow> = (0..MAX_SOUNDS)
            .map(|number| row(&format!("sound-{number}"), 1))
            .collect();
        let cases = [
            ("../welcome", vec![], "cannot be called"),
            ("", vec![], "cannot be called"),
            ("welcome", many.clone(), "2000 sounds already"),
            ("sound-7", many, ""),
            ("welcome", vec![row("long", MAX_SECONDS - 1)], "6 hours"),
            ("long", vec![row("long", MAX_SECONDS - 1)], ""),
        ];
        for (name, known, expect) in cases {
            let taken = library.import((ACCOUNT, name), (&file, Use::Speech), &known, NOW);
            let got = taken.map_or_else(|error| error.to_string(), |_| String::new());
            assert!(
                got.contains(expect) && got.is_empty() == expect.is_empty(),
                "{got}"
            );
        }
    }
}
