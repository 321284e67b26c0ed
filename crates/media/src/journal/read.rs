//! From a file's bytes to entries, as far as they are whole.

use std::io::{self, Read};
use std::time::Duration;

use clock::Time;

use super::entry::{Entry, MAX_BLOCK_BYTES};
use crate::record::{Channel, RecordEnd, RecordingId};

/// Why a journal cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It is empty, torn within its first block, or something else.
    #[error("the file does not begin as the journal of a recording")]
    NotAJournal,
    /// It cannot be read.
    #[error("the journal cannot be read")]
    Read(#[from] io::Error),
}

/// Reads a journal block by block.
pub struct Reader<R> {
    source: R,
    block: Vec<u8>,
    /// How much of the block was taken.
    taken: usize,
}

impl<R: Read> Reader<R> {
    /// From the beginning of a file.
    pub fn new(source: R) -> Self {
        Self {
            source,
            block: Vec::new(),
            taken: 0,
        }
    }

    /// The next entry; `None` at the end and where the file is torn.
    pub fn entry(&mut self) -> io::Result<Option<Entry<'_>>> {
        if self.taken >= self.block.len() && !self.read_block()? {
            return Ok(None);
        }
        let before = self.block.get(self.taken..).unwrap_or_default();
        let mut rest = before;
        let entry = Entry::read(&mut rest);
        // An entry that makes no sense is the last of its block: it is not known where it ends.
        self.taken += entry.map_or(before.len(), |_| before.len() - rest.len());
        Ok(entry)
    }

    fn read_block(&mut self) -> io::Result<bool> {
        self.taken = 0;
        self.block.clear();
        let Some(header) = self.read_up_to(8)? else {
            return Ok(false);
        };
        let Some(length) = header.first_chunk() else {
            return Ok(false);
        };
        let length = u32::from_be_bytes(*length) as usize;
        let fits = (1..=MAX_BLOCK_BYTES).contains(&length);
        let Some(block) = (if fits { self.read_up_to(length)? } else { None }) else {
            return Ok(false);
        };
        self.block = block;
        let is_whole = super::seal(&self.block).as_slice() == header;
        if !is_whole {
            self.block.clear();
        }
        Ok(is_whole)
    }

    /// So many bytes, or `None` if the file ends before.
    fn read_up_to(&mut self, bytes: usize) -> io::Result<Option<Vec<u8>>> {
        let mut read = Vec::with_capacity(bytes);
        self.source
            .by_ref()
            .take(bytes as u64)
            .read_to_end(&mut read)?;
        Ok((read.len() == bytes).then_some(read))
    }

    /// The first entry, which says what the journal is.
    pub(super) fn begin(&mut self) -> Result<(Time, RecordingId), JournalError> {
        match self.entry()? {
            Some(Entry::Begin { at, recording }) => Ok((at, recording)),
            Some(_) | None => Err(JournalError::NotAJournal),
        }
    }
}

/// How many channels a recording needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// All legs are left.
    Mono,
    /// There are legs on both sides.
    Stereo,
}

/// What a journal holds, found without decoding anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Which recording it is.
    pub recording: RecordingId,
    /// When it began.
    pub began: Time,
    /// How long it is, without its pauses.
    pub length: Duration,
    /// Where legs are heard.
    pub channels: Channels,
    /// Whether anything in it is better than a telephone, and 16 kHz worth it.
    pub is_wide: bool,
    /// Packets of voice in it.
    pub packets: u64,
    /// Packets that found no room.
    pub missing: u64,
    /// Why it ended; `None` if it was torn.
    pub end: Option<RecordEnd>,
}

/// Looks through a journal.
pub fn survey(source: impl Read) -> Result<Survey, JournalError> {
    let mut reader = Reader::new(source);
    let (began, recording) = reader.begin()?;
    let mut survey = Survey {
        recording,
        began,
        length: Duration::ZERO,
        channels: Channels::Mono,
        is_wide: false,
        packets: 0,
        missing: 0,
        end: None,
    };
    let mut timeline = Timeline::new(began);
    while let Some(entry) = reader.entry()? {
        timeline.entry(&entry);
        match entry {
            Entry::Packet { codec, channel, .. } if codec.is_voice() && timeline.is_heard() => {
                survey.packets += 1;
                survey.is_wide |= codec.is_wide();
                if channel == Channel::Right {
                    survey.channels = Channels::Stereo;
                }
            }
            Entry::Gap { packets, .. } => survey.missing += u64::from(packets),
            Entry::End { reason, .. } => survey.end = Some(reason),
            Entry::Packet { .. }
            | Entry::Begin { .. }
            | Entry::Pause { .. }
            | Entry::Resume { .. } => {}
        }
    }
    survey.length = timeline.now();
    Ok(survey)
}

/// The time of a recording: that of the call without the pauses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    began: Time,
    paused: Duration,
    since: Option<Time>,
    latest: Time,
}

impl Timeline {
    pub(super) fn new(began: Time) -> Self {
        Self {
            began,
            paused: Duration::ZERO,
            since: None,
            latest: began,
        }
    }

    /// Goes on to an entry.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) {
        self.latest = self.latest.max(entry.at());
        match entry {
            Entry::Pause { .. } if self.since.is_none() => self.since = Some(self.latest),
            Entry::Resume { .. } => {
                let since = self.since.take().unwrap_or(self.latest);
                self.paused += self.latest - since;
            }
            Entry::Pause { .. }
            | Entry::Begin { .. }
            | Entry::Packet { .. }
            | Entry::Gap { .. }
            | Entry::End { .. } => {}
        }
    }

    /// Whether it is not in a pause.
    pub(super) fn is_heard(&self) -> bool {
        self.since.is_none()
    }

    /// How much of the recording lies before the latest entry.
    pub(super) fn now(&self) -> Duration {
        let until = self.since.unwrap_or(self.latest);
        (until - self.began).saturating_sub(self.paused)
    }
}
