//! From a journal to audio, with little memory however long the call was.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::time::Duration;

use super::entry::Entry;
use super::read::{JournalError, Reader, Timeline};
use super::track::{MAX_DRIFT, Piece, REORDERING, Track, samples};
use crate::codec::Rate;
use crate::codec::pcm::clamped;
use crate::record::{Channel, RecordLimits, RecordingId};
use crate::rtp::Packet;

/// Turns a journal into stereo audio, a portion at a time. The same journal gives the same audio, as
/// often as it is asked for.
pub struct Finaliser<R> {
    reader: Reader<R>,
    recording: RecordingId,
    rate: Rate,
    timeline: Timeline,
    tracks: BTreeMap<u8, Track>,
    audio: Audio,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    /// All entries were read; what is left is given out.
    Flushed,
}

/// What was decoded and not given out yet.
#[derive(Default)]
struct Audio {
    /// Left and right; the first is at `begin`.
    frames: VecDeque<[i32; 2]>,
    begin: u64,
}

/// How much is given out at once.
const PORTION: Duration = Duration::from_secs(1);

impl<R: Read> Finaliser<R> {
    /// Begins with a journal, to be decoded at `rate`: what [`survey`](super::survey) recommends.
    pub fn open(source: R, rate: Rate) -> Result<Self, JournalError> {
        let mut reader = Reader::new(source);
        let (began, recording) = reader.begin()?;
        Ok(Self {
            reader,
            recording,
            rate,
            timeline: Timeline::new(began),
            tracks: BTreeMap::new(),
            audio: Audio::default(),
            state: State::Reading,
        })
    }

    /// Which recording it is.
    pub fn recording(&self) -> RecordingId {
        self.recording
    }

    /// Adds the next portion, up to a second of left and right samples, to `out`. `false`: it is over.
    pub fn read(&mut self, out: &mut Vec<[i16; 2]>) -> Result<bool, JournalError> {
        loop {
            let settled = self.settled();
            if self.audio.begin < settled {
                let portion = samples(PORTION, self.rate);
                self.audio
                    .give(portion.min(settled - self.audio.begin), out);
                return Ok(true);
            }
            if self.state == State::Flushed {
                return Ok(false);
            }
            self.take_entry()?;
        }
    }

    /// Nothing more is heard before this sample.
    fn settled(&self) -> u64 {
        let now = self.timeline.now().min(RecordLimits::MAX_LENGTH);
        match self.state {
            State::Reading => samples(now.saturating_sub(REORDERING + MAX_DRIFT), self.rate),
            State::Flushed => samples(now, self.rate),
        }
    }

    fn take_entry(&mut self) -> Result<(), JournalError> {
        let Self {
            reader,
            timeline,
            tracks,
            audio,
            rate,
            ..
        } = self;
        let mut write = |piece: Piece<'_>| audio.add(&piece);
        let Some(entry) = reader.entry()? else {
            for track in tracks.values_mut() {
                track.flush(&mut write);
            }
            self.state = State::Flushed;
            return Ok(());
        };
        timeline.entry(&entry);
        let now = timeline.now();
        for track in tracks.values_mut() {
            track.settle(now, &mut write);
        }
        match entry {
            Entry::Packet {
                leg,
                channel,
                codec,
                packet,
                ..
            } => {
                let is_wanted =
                    codec.is_voice() && timeline.is_heard() && now < RecordLimits::MAX_LENGTH;
                if let Some(packet) = Packet::parse(packet).filter(|_| is_wanted) {
                    let track = tracks
                        .entry(leg)
                        .or_insert_with(|| Track::new(channel, *rate));
                    track.push(now, codec, &packet, &mut write);
                }
            }
            Entry::Pause { .. } | Entry::Resume { .. } => {
                for track in tracks.values_mut() {
                    track.flush(&mut write);
                    track.break_off();
                }
            }
            Entry::Begin { .. } | Entry::Gap { .. } | Entry::End { .. } => {}
        }
        Ok(())
    }
}

impl Audio {
    fn add(&mut self, piece: &Piece<'_>) {
        let late = self.begin.saturating_sub(piece.position);
        let late = usize::try_from(late).unwrap_or(usize::MAX);
        let Some(fresh) = piece.samples.get(late..) else {
            return;
        };
        let first = piece.position.saturating_sub(self.begin);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let wanted = first.saturating_add(fresh.len());
        if self.frames.len() < wanted {
            self.frames.resize(wanted, [0; 2]);
        }
        for ([left, right], sample) in self.frames.range_mut(first..).zip(fresh) {
            let place = match piece.channel {
                Channel::Left => left,
                Channel::Right => right,
            };
            *place += i32::from(*sample);
        }
    }

    /// Gives out so many frames; where nothing was heard there is silence.
    fn give(&mut self, count: u64, out: &mut Vec<[i16; 2]>) {
        self.begin += count;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let known = self.frames.len().min(count);
        out.extend(self.frames.drain(..known).map(|frame| frame.map(clamped)));
        out.extend(std::iter::repeat_n([0; 2], count - known));
    }
}

/// A whole recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finalised {
    /// Which it is.
    pub recording: RecordingId,
    /// Left and right.
    pub frames: Vec<[i16; 2]>,
}

/// Decodes a whole journal, for short ones: an hour takes 115 MB or twice that.
pub fn finalise(journal: &[u8], rate: Rate) -> Result<Finalised, JournalError> {
    let mut finaliser = Finaliser::open(journal, rate)?;
    let mut frames = Vec::new();
    while finaliser.read(&mut frames)? {}
    Ok(Finalised {
        recording: finaliser.recording(),
        frames,
    })
}
