//! From the end of a recording to its audio, its mail and its webhook.
//!
//! A recording that is over is a row and a journal. Its audio is made from the journal, its mail is
//! handed to a mail server, then one event tells that it is kept: with the event the row is final and
//! the webhook owed. Only then is the journal deleted, so whatever a crash cuts off is done again at the
//! next start. A mail may thus come twice, under the same message id.

pub mod link;
mod mail;
mod make;
mod words;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use audio::Channels;
use clock::Time;
use pbx::{
    Discarded, Event, Fact, Finished, LEAST_MESSAGE_SECONDS, MailOutcome, Purpose, RecordingId,
};
use store::{Reader, Recording, RecordingState, StoreError};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::directory::Live;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::rtp::JOURNAL_SUFFIX;
use mail::Mail;
pub use mail::{Mailer, MailerError};
use make::AUDIO_SUFFIX;
use make::{Content, Made, MakeError};
pub(crate) use make::{audio_path, pcm};
use words::Words;

/// Recordings that may wait to be taken in.
pub const CAPACITY: usize = 4_096;
/// Recordings that are worked on at a time. Most of them wait, for the processor or a mail server.
const MAX_AT_ONCE: usize = 256;
/// Audio that is made at a time: the processors are for calls.
const MADE_AT_ONCE: usize = 1;
/// How much less than everything else the processor is for making audio.
const NICENESS: i32 = 10;
/// How long a disk that refuses is left alone.
const DISK_PAUSE: Duration = Duration::from_mins(1);
/// How long a ledger that has no room, or a store that cannot be read, is left alone.
const LEDGER_PAUSE: Duration = Duration::from_secs(1);
/// What a journal that cannot be read is called, for a person to look at.
const UNREADABLE_SUFFIX: &str = "unreadable";

/// What it works with.
pub struct Parts {
    /// The folder of journals and audio.
    pub folder: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// Whose mails are from whom.
    pub accounts: Live,
    /// Where recordings stand.
    pub reader: Reader,
    /// Who keeps what becomes of them.
    pub ledger: Ledger,
    /// The beginning of every link.
    pub base_url: String,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who sends mails, if anybody does.
    pub mailer: Option<Mailer>,
}

/// Where journals and audio of a data folder are.
pub fn recordings_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("recordings")
}

/// What is to be done with a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It is over: its audio is to be made.
    Finish(RecordingId),
    /// Nothing of it is to be left.
    Erase(RecordingId),
}

/// Finishes recordings until `stop` changes: first `left`, which a process before left unfinished, then
/// those that are told over `work`. What is cut off by the stop is done after the next start.
pub async fn run(
    parts: Parts,
    left: Vec<Recording>,
    mut work: mpsc::Receiver<Work>,
    mut stop: watch::Receiver<()>,
) {
    for recording in &left {
        adopt(&parts.folder, recording);
    }
    if let Err(error) = sweep(&parts.folder, &parts.reader) {
        tracing::warn!(%error, "the folder of recordings could not be looked through");
    }
    let studio = Arc::new(Studio {
        parts,
        places: Semaphore::new(MADE_AT_ONCE),
    });
    let mut left = left.into_iter().map(|recording| recording.recording);
    let mut tasks = JoinSet::new();
    loop {
        while tasks.len() < MAX_AT_ONCE
            && let Some(recording) = left.next()
        {
            tasks.spawn(Arc::clone(&studio).finish(recording));
        }
        tokio::select! {
            _ = stop.changed() => break,
            told = work.recv(), if tasks.len() < MAX_AT_ONCE => match told {
                None => break,
                Some(Work::Finish(recording)) => {
                    studio.adopt(recording).await;
                    tasks.spawn(Arc::clone(&studio).finish(recording));
                }
                Some(Work::Erase(recording)) => studio.erase(recording).await,
            },
            Some(done) = tasks.join_next() => if let Err(error) = done {
                tracing::error!(%error, "a recording was not finished");
            },
        }
    }
    tasks.shutdown().await;
}

/// Deletes what a crash has left: journals of finished recordings, and audio of erased ones.
fn sweep(folder: &Path, reader: &Reader) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        let name = path.file_stem().and_then(|name| name.to_str());
        let (Some(suffix), Some(id)) = (suffix, name.and_then(|name| name.parse().ok())) else {
            continue;
        };
        let state = || anyhow::Ok(reader.recording(RecordingId(id))?.map(|found| found.state));
        match suffix {
            JOURNAL_SUFFIX => match state()? {
                Some(RecordingState::Kept | RecordingState::Gone) => make::forget(&path)?,
                Some(RecordingState::Open | RecordingState::Closed) => {}
                None => tracing::warn!(path = %path.display(), "a journal of no known recording"),
            },
            AUDIO_SUFFIX if state()? == Some(RecordingState::Gone) => make::forget(&path)?,
            _ => {}
        }
    }
    Ok(())
}

/// A message that was forwarded has the audio of the one it is a copy of, whatever becomes of that one.
fn adopt(folder: &Path, recording: &Recording) {
    let Purpose::Voicemail {
        copy_of: Some(of), ..
    } = recording.purpose
    else {
        return;
    };
    let audio = audio_path(folder, recording.recording);
    match std::fs::hard_link(audio_path(folder, of), &audio) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            tracing::error!(%error, recording = %recording.recording, "a message is not forwarded");
        }
        Ok(()) | Err(_) => {}
    }
}

/// Deletes the audio of recordings whose calls began before.
pub fn delete_before(folder: &Path, before: Time) -> io::Result<()> {
    let first_kept = RecordingId::first_of(before);
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let is_audio = path
            .extension()
            .is_some_and(|suffix| suffix == AUDIO_SUFFIX);
        let name = path.file_stem().and_then(|name| name.to_str());
        let id = name.filter(|_| is_audio).and_then(|name| name.parse().ok());
        if id.is_some_and(|id| RecordingId(id) < first_kept) {
            make::forget(&path)?;
        }
    }
    Ok(())
}

/// Everything that works on recordings.
struct Studio {
    parts: Parts,
    places: Semaphore,
}

/// What came of a journal.
enum Outcome {
    Audio(Made),
    Nothing(Discarded),
}

impl Studio {
    /// Takes one recording to its end. Cut off anywhere, it may be begun anew.
    async fn finish(self: Arc<Self>, id: RecordingId) {
        let Some(recording) = self.find(id).await else {
            return self.erase(id).await;
        };
        let metrics = &self.parts.metrics;
        metrics.recordings_taken.increment();
        let outcome = self.audio(&recording).await;
        let fact = match &outcome {
            Outcome::Audio(made) => Fact::RecordingFinished {
                finished: Box::new(self.told(&recording, *made).await),
            },
            Outcome::Nothing(why) => Fact::RecordingDiscarded {
                recording: id,
                why: *why,
            },
        };
        self.keep(&recording, fact).await;
        let state = self.find_any(id).await.map(|recording| recording.state);
        if matches!(state, Some(RecordingState::Kept | RecordingState::Gone)) {
            match outcome {
                Outcome::Audio(_) => metrics.recordings_kept.increment(),
                Outcome::Nothing(_) => metrics.recordings_discarded.increment(),
            }
            self.clean_up(id, &outcome);
        }
        // It may have been erased meanwhile.
        if let Outcome::Audio(_) = outcome {
            self.erase(id).await;
        }
    }

    async fn adopt(&self, id: RecordingId) {
        if let Some(recording) = self.find(id).await {
            adopt(&self.parts.folder, &recording);
        }
    }

    /// Deletes the audio of a recording of which nothing is to be left.
    async fn erase(&self, id: RecordingId) {
        let state = self.find_any(id).await.map(|recording| recording.state);
        if state != Some(RecordingState::Gone) {
            return;
        }
        let folder = &self.parts.folder;
        let done = make::forget(&audio_path(folder, id))
            .and_then(|()| make::forget(&make::journal_of(folder, id)));
        if let Err(error) = done {
            tracing::error!(%error, recording = %id, "the audio of an erased recording is left");
        }
    }

    /// The recording, if it is not finished.
    async fn find(&self, id: RecordingId) -> Option<Recording> {
        let found = self.find_any(id).await;
        found.filter(|recording| match recording.state {
            RecordingState::Open | RecordingState::Closed => true,
            RecordingState::Kept | RecordingState::Gone => false,
        })
    }

    async fn find_any(&self, id: RecordingId) -> Option<Recording> {
        loop {
            let reader = self.parts.reader.clone();
            let found = tokio::task::spawn_blocking(move || reader.recording(id)).await;
            match found {
                Ok(Ok(found)) => return found,
                Ok(Err(error)) => {
                    let error: &StoreError = &error;
                    tracing::error!(%error, recording = %id, "a recording could not be looked up");
                }
                Err(_) => return None,
            }
            tokio::time::sleep(LEDGER_PAUSE).await;
        }
    }

    /// Makes the audio. A disk that refuses is tried again.
    async fn audio(&self, recording: &Recording) -> Outcome {
        let id = recording.recording;
        loop {
            let error = match self.make(recording).await {
                Ok(made) if recording.purpose.is_message() && is_nothing(made) => {
                    return Outcome::Nothing(Discarded::TooShort);
                }
                Ok(made) => return Outcome::Audio(made),
                Err(error) => error,
            };
            match error {
                MakeError::NoAudio => return Outcome::Nothing(Discarded::NoAudio),
                MakeError::Unreadable | MakeError::Encoder(_) => {
                    tracing::error!(%error, recording = %id, "a recording is lost");
                    return Outcome::Nothing(Discarded::Unreadable);
                }
                MakeError::Disk(source) => {
                    tracing::error!(%source, recording = %id, "audio cannot be written yet");
                }
            }
            tokio::time::sleep(DISK_PAUSE).await;
        }
    }

    /// On a thread of its own, which leaves the processor to whoever else wants it.
    async fn make(&self, recording: &Recording) -> Result<Made, MakeError> {
        let id = recording.recording;
        let channels = if recording.purpose.is_message() {
            Channels::Mono
        } else {
            Channels::Stereo
        };
        let is_copy = matches!(
            recording.purpose,
            Purpose::Voicemail {
                copy_of: Some(_),
                ..
            }
        );
        let folder = self.parts.folder.clone();
        let _place = self.places.acquire().await;
        let (reply, made) = oneshot::channel();
        let make = move || {
            if let Err(error) = rustix::process::nice(NICENESS) {
                tracing::debug!(%error, "audio is made as if it were urgent");
            }
            // Who asked may have been stopped; it is made again after the next start.
            let made = if is_copy {
                make::made_before(&folder, id)
            } else {
                make::make(&folder, id, channels)
            };
            drop(reply.send(made));
        };
        let thread = std::thread::Builder::new().name("finaliser".to_owned());
        drop(thread.spawn(make)?);
        made.await.unwrap_or(Err(MakeError::Unreadable))
    }

    /// All there is to tell, after its mail was sent or given up.
    async fn told(&self, recording: &Recording, made: Made) -> Finished {
        let link = link::of(&self.parts.base_url, &recording.token);
        let plan = self.parts.accounts.current();
        let plan = plan.plan(recording.account);
        let zone = plan.map_or("UTC", |plan| &plan.time_zone);
        let words = Words::of(recording, zone, made.seconds, &link);
        let from = plan.and_then(|plan| plan.mail_from.clone());
        let mail = self.mail(recording, from.as_deref(), &words).await;
        Finished {
            recording: recording.recording,
            purpose: recording.purpose.clone(),
            caller_id: recording.caller_id.clone(),
            dest_number: recording.dest_number.clone(),
            recorded_at: recording.began_at,
            seconds: made.seconds,
            link,
            email_subject: words.subject,
            email_message: words.message,
            mail,
        }
    }

    async fn mail(&self, recording: &Recording, from: Option<&str>, words: &Words) -> MailOutcome {
        let to = recording.purpose.emails();
        let (Some(mailer), false) = (&self.parts.mailer, to.is_empty()) else {
            return MailOutcome::None;
        };
        let mail = Mail {
            recording: recording.recording,
            from,
            to,
            words,
            audio: audio_path(&self.parts.folder, recording.recording),
        };
        let metrics = &self.parts.metrics;
        metrics.mails_started.increment();
        let outcome = mailer.deliver(&mail).await;
        match &outcome {
            MailOutcome::Failed(why) => {
                metrics.mails_failed.increment();
                tracing::error!(%why, recording = %recording.recording, "a mail was given up");
            }
            MailOutcome::Sent => metrics.mails_sent.increment(),
            MailOutcome::None => {}
        }
        outcome
    }

    /// Has the end written down, and waits until it is.
    async fn keep(&self, recording: &Recording, fact: Fact) {
        let event = Event {
            at: self.parts.clock.now(),
            account: recording.account,
            call: recording.recording.call(),
            fact,
        };
        while self.parts.ledger.push([event.clone()]) > 0 {
            tokio::time::sleep(LEDGER_PAUSE).await;
        }
        if let Err(error) = self.parts.ledger.settle().await {
            tracing::debug!(%error, "a recording is finished after the next start");
        }
    }

    /// What is written down needs its journal no more.
    fn clean_up(&self, id: RecordingId, outcome: &Outcome) {
        let journal = make::journal_of(&self.parts.folder, id);
        let done = match outcome {
            Outcome::Audio(_) => make::forget(&journal),
            Outcome::Nothing(Discarded::Unreadable) => {
                std::fs::rename(&journal, journal.with_extension(UNREADABLE_SUFFIX))
            }
            Outcome::Nothing(Discarded::TooShort | Discarded::NoAudio) => {
                make::forget(&audio_path(&self.parts.folder, id))
                    .and_then(|()| make::forget(&journal))
            }
        };
        if let Err(error) = done {
            tracing::warn!(%error, recording = %id, "a finished recording left a file behind");
        }
    }
}

/// A message in which nobody says anything is none.
fn is_nothing(made: Made) -> bool {
    made.seconds < LEAST_MESSAGE_SECONDS || made.content == Content::Silence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_deleted_by_the_age_of_its_call_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let before = Time::from_secs(1_569_943_875);
        let files = [
            "1569943874990001001.mp3",
            "1569943875000000001.mp3",
            "1569943874990001002.rtpj",
            "something else.mp3",
        ];
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        delete_before(folder.path(), before).unwrap();
        let left = files.map(|file| folder.path().join(file).exists());
        assert_eq!(left, [false, true, true, true]);
    }
}
