//! From a journal to an MP3 file. The same journal gives the same file, however often it is made: what a
//! crash leaves half done is done again.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use audio::{Channels, Pcm, UploadLimits, mp3};
use media::codec::Rate;
use media::journal::{self, Finaliser, JournalError, Loudness, survey};
use pbx::RecordingId;

use crate::rtp::journal_path;

/// What every recording is kept in: some players know no lower rate.
const RATE: Rate = Rate::Wide;

/// A message and a greeting are far shorter.
const LONGEST: UploadLimits = UploadLimits {
    bytes: 256 << 20,
    seconds: 2 * 3_600,
};

/// Audio that is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) seconds: u32,
    /// Whether anybody can be heard.
    pub(super) content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Speech,
    Silence,
}

/// Why there is no audio.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    /// Nothing was written down.
    #[error("there is no journal of it, or nothing in it")]
    NoAudio,
    /// What was written down is no journal.
    #[error("its journal cannot be read")]
    Unreadable,
    /// The disk refuses. It may do better later.
    #[error("its audio cannot be written")]
    Disk(#[from] io::Error),
    /// The encoder refuses.
    #[error("its audio cannot be encoded")]
    Encoder(#[from] mp3::Mp3Error),
}

impl MakeError {
    fn missing(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::NoAudio
        } else {
            Self::Disk(error)
        }
    }
}

impl From<JournalError> for MakeError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::NotAJournal => Self::Unreadable,
            JournalError::Read(error) => Self::Disk(error),
        }
    }
}

/// What the files of audio end in.
pub(super) const AUDIO_SUFFIX: &str = "mp3";

/// Where the audio of a recording is kept.
pub(crate) fn audio_path(folder: &Path, recording: RecordingId) -> PathBuf {
    folder.join(format!("{recording}.{AUDIO_SUFFIX}"))
}

/// Where its journal is.
pub(super) fn journal_of(folder: &Path, recording: RecordingId) -> PathBuf {
    journal_path(folder, media::RecordingId(recording.0))
}

/// Makes the audio of a recording. A conversation is stereo also when one side sent nothing: else nobody
/// could tell whose the other is. Takes as long as a processor needs; nothing waits for it but
/// whoever wants to hear the recording.
pub(super) fn make(
    folder: &Path,
    recording: RecordingId,
    channels: Channels,
) -> Result<Made, MakeError> {
    let journal = journal_of(folder, recording);
    let open = || {
        let file = File::open(&journal).map_err(MakeError::missing)?;
        Ok::<_, MakeError>(BufReader::new(file))
    };
    let found = survey(open()?)?;
    if found.packets == 0 {
        return Err(MakeError::NoAudio);
    }
    let path = audio_path(folder, recording);
    let part = path.with_extension("part");
    let content = write(&part, Finaliser::open(open()?, RATE)?, channels)?;
    std::fs::rename(&part, &path)?;
    // The name must survive a power cut too.
    File::open(folder)?.sync_all()?;
    Ok(Made {
        seconds: u32::try_from(found.length.as_secs()).unwrap_or(u32::MAX),
        content,
    })
}

/// The audio of a recording that was made before, as that of the message it is a copy of.
pub(super) fn made_before(folder: &Path, recording: RecordingId) -> Result<Made, MakeError> {
    let seconds = decoded(folder, recording)?.duration().as_secs();
    Ok(Made {
        seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        content: Content::Speech,
    })
}

/// What of a recording is to be heard, also when its audio is still in the making.
pub(crate) fn pcm(folder: &Path, recording: RecordingId) -> Result<Pcm, MakeError> {
    match decoded(folder, recording) {
        Err(MakeError::NoAudio) => {}
        done => return done,
    }
    match of_journal(folder, recording) {
        // It was made in this moment.
        Err(MakeError::NoAudio) => decoded(folder, recording),
        done => done,
    }
}

fn decoded(folder: &Path, recording: RecordingId) -> Result<Pcm, MakeError> {
    let file = std::fs::read(audio_path(folder, recording)).map_err(MakeError::missing)?;
    let decoded = audio::upload::decode(&file, RATE.hertz(), &LONGEST);
    decoded.map_err(|_| MakeError::Unreadable)
}

fn of_journal(folder: &Path, recording: RecordingId) -> Result<Pcm, MakeError> {
    let file = File::open(journal_of(folder, recording)).map_err(MakeError::missing)?;
    let mut source = Finaliser::open(BufReader::new(file), RATE)?;
    let mut frames = Vec::new();
    while source.read(&mut frames)? {}
    let mixed = |[left, right]: &[i16; 2]| left.saturating_add(*right);
    Ok(Pcm::new(RATE.hertz(), frames.iter().map(mixed).collect()))
}

/// What was made once is not made again.
pub(super) fn forget(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write<R: io::Read>(
    part: &Path,
    mut source: Finaliser<R>,
    channels: Channels,
) -> Result<Content, MakeError> {
    let mut file = File::create(part)?;
    let mut encoder = mp3::Writer::new(RATE.hertz(), channels)?;
    let mut ear = Ear::default();
    let (mut frames, mut bytes) = (Vec::new(), Vec::new());
    while source.read(&mut frames)? {
        ear.listen(&frames);
        encoder.push(&frames, &mut bytes)?;
        file.write_all(&bytes)?;
        frames.clear();
        bytes.clear();
    }
    let mp3::End { tail, head } = encoder.finish()?;
    file.write_all(&tail)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&head)?;
    file.sync_all()?;
    Ok(ear.heard)
}

/// Listens whether anybody speaks, on either side.
struct Ear {
    sides: [Loudness; 2],
    heard: Content,
}

impl Default for Ear {
    fn default() -> Self {
        Self {
            sides: <[journal::Loudness; 2]>::default(),
            heard: Content::Silence,
        }
    }
}

impl Ear {
    fn listen(&mut self, frames: &[[i16; 2]]) {
        for portion in frames.chunks_exact(RATE.frame_samples()) {
            for (side, loudness) in self.sides.iter_mut().enumerate() {
                let samples: Vec<i16> = portion.iter().map(|frame| frame[side]).collect();
                if loudness.is_speech(&samples) {
                    self.heard = Content::Speech;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clock::Time;
    use media::Codec;
    use media::journal::{Entry, seal};

    use super::*;

    const ID: RecordingId = RecordingId(1_569_943_875_010_000_001);

    /// Seconds of PCMU with this amplitude on the left, and on the right if there is a second.
    fn journal(folder: &Path, seconds: u64, sides: &[u8]) {
        let mut block = Vec::new();
        let at = |ms: u64| Time::from_millis(1_569_943_875_000 + ms);
        let recording = media::RecordingId(ID.0);
        Entry::Begin {
            at: at(0),
            recording,
        }
        .write(&mut block);
        for number in 0..seconds * 50 {
            for (leg, loud) in (0_u8..).zip(sides) {
                // RFC 3550 §5.1: version 2, PCMU.
                let mut packet = vec![0x80, 0];
                packet.extend(u16::try_from(number).unwrap().to_be_bytes());
                packet.extend(u32::try_from(number * 160).unwrap().to_be_bytes());
                packet.extend([0, 0, 0, leg]);
                packet.extend((0..160_u8).map(|n| if n % 16 < 8 { *loud } else { loud ^ 0x80 }));
                let channel = if leg == 0 {
                    media::Channel::Left
                } else {
                    media::Channel::Right
                };
                let entry = Entry::Packet {
                    at: at(number * 20),
                    leg,
                    channel,
                    codec: Codec::Pcmu,
                    packet: &packet,
                };
                entry.write(&mut block);
            }
        }
        let file = seal(&block).into_iter().chain(block).collect::<Vec<u8>>();
        std::fs::write(journal_of(folder, ID), file).unwrap();
    }

    fn decoded(folder: &Path) -> audio::Pcm {
        let bytes = std::fs::read(audio_path(folder, ID)).unwrap();
        audio::upload::decode(&bytes, 16_000, &audio::UploadLimits::PROMPT).unwrap()
    }

    const LOUD: u8 = 0x10;
    const SILENT: u8 = 0xff;

    #[test]
    fn a_journal_becomes_audio_that_plays_as_often_as_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        journal(folder.path(), 3, &[LOUD]);
        let made = make(folder.path(), ID, Channels::Mono).unwrap();
        assert_eq!((made.seconds, made.content), (2, Content::Speech));
        let first = std::fs::read(audio_path(folder.path(), ID)).unwrap();
        let length = decoded(folder.path()).samples().len();
        assert!((15_000 * 3..17_000 * 3).contains(&length), "{length}");
        // A crash may have left this behind.
        std::fs::write(audio_path(folder.path(), ID).with_extension("part"), "half").unwrap();
        make(folder.path(), ID, Channels::Mono).unwrap();
        let again = std::fs::read(audio_path(folder.path(), ID)).unwrap();
        assert_eq!(first, again);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_conversation_is_stereo_when_one_side_sent_nothing() {
        let folder = tempfile::tempdir().unwrap();
        journal(folder.path(), 2, &[LOUD]);
        for (channels, count) in [(Channels::Mono, 1), (Channels::Stereo, 2)] {
            make(folder.path(), ID, channels).unwrap();
            let bytes = std::fs::read(audio_path(folder.path(), ID)).unwrap();
            let made = audio::upload::channels(&bytes, &audio::UploadLimits::PROMPT).unwrap();
            assert_eq!(made.len(), count);
        }
    }

    #[test]
    fn silence_is_told_from_speech_on_either_side() {
        for (sides, content) in [
            (&[SILENT][..], Content::Silence),
            (&[SILENT, SILENT], Content::Silence),
            (&[SILENT, LOUD], Content::Speech),
        ] {
            let folder = tempfile::tempdir().unwrap();
            journal(folder.path(), 2, sides);
            assert_eq!(
                make(folder.path(), ID, Channels::Stereo).unwrap().content,
                content,
                "{sides:?}"
            );
        }
    }

    #[test]
    fn what_is_no_journal_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let error = || make(folder.path(), ID, Channels::Mono).unwrap_err();
        assert!(matches!(error(), MakeError::NoAudio));
        journal(folder.path(), 1, &[]);
        assert!(matches!(error(), MakeError::NoAudio));
        std::fs::write(journal_of(folder.path(), ID), b"something else").unwrap();
        assert!(matches!(error(), MakeError::Unreadable));
    }
}
