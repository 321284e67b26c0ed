//! The thread's side of recordings: packets are copied into a block per recording, and blocks go to the
//! audio-writer. Nothing here waits for a disk: what finds no room is counted in the journal.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Time;
use media::codec::{Decoder, Rate};
use media::journal::{Entry, Loudness};
use media::{Channel, Codec, PathId, RecordEnd, RecordLimits, RecordingId};

use super::writer::Job;
use crate::inbox::Sender;

/// The recordings of one thread.
pub(super) struct Recordings {
    open: BTreeMap<RecordingId, Recording>,
    /// Over, and not taken by the writer yet.
    closing: Vec<Job>,
    writer: Option<Sender<Job>>,
    flushed: Time,
}

/// A recording in progress.
struct Recording {
    block: Vec<u8>,
    /// Packets in the block.
    packets: u32,
    /// Packets that found no room since the last block that did.
    lost: u32,
    written: u64,
    paths: Vec<PathId>,
    /// How many legs it had.
    legs: u8,
    limits: RecordLimits,
    began: Time,
    paused: Duration,
    paused_since: Option<Time>,
    /// When somebody spoke last.
    spoken: Time,
}

/// What ties a path to a recording.
pub(super) struct Tap {
    pub(super) recording: RecordingId,
    leg: u8,
    channel: Channel,
    /// Listens for silence, if that ends the recording.
    ear: Option<Ear>,
}

#[derive(Default)]
struct Ear {
    decoder: Option<(Codec, Decoder)>,
    loudness: Loudness,
    samples: Vec<i16>,
}

/// A block goes to the writer at this size at the latest, in bytes.
const BLOCK_BYTES: usize = 32 * 1024;
/// A block goes to the writer after this time at the latest; a killed process loses as much.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// The most recordings of a thread.
const MAX_RECORDINGS: usize = 4_096;

/// A recording that is over, and the paths that need not be listened to any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Over(pub(super) Vec<PathId>);

impl Recordings {
    /// Without a writer, every recording fails.
    pub(super) fn new(writer: Option<Sender<Job>>) -> Self {
        Self {
            open: BTreeMap::new(),
            closing: Vec::new(),
            writer,
            flushed: Time::ZERO,
        }
    }

    /// Records a path from now on. `None`: it cannot be, which is told as the recording's end.
    pub(super) fn begin(
        &mut self,
        now: Time,
        path: PathId,
        (recording, channel): (RecordingId, Channel),
        limits: RecordLimits,
    ) -> Option<Tap> {
        if !self.open.contains_key(&recording) && self.open.len() >= MAX_RECORDINGS {
            return None;
        }
        self.writer.as_ref()?;
        let open = self.open.entry(recording).or_insert_with(|| {
            let mut open = Recording::new(now, limits);
            Entry::Begin { at: now, recording }.write(&mut open.block);
            open
        });
        let leg = open.legs;
        open.legs = open.legs.saturating_add(1);
        open.paths.push(path);
        let ear = open.limits.silence.map(|_| Ear::default());
        Some(Tap {
            recording,
            leg,
            channel,
            ear,
        })
    }

    /// Copies a packet.
    pub(super) fn packet(&mut self, now: Time, tap: &mut Tap, codec: Codec, packet: &[u8]) {
        let Some(open) = self.open.get_mut(&tap.recording) else {
            return;
        };
        if open.paused_since.is_some() {
            return;
        }
        let entry = Entry::Packet {
            at: now,
            leg: tap.leg,
            channel: tap.channel,
            codec,
            packet,
        };
        entry.write(&mut open.block);
        open.packets += 1;
        if let Some(ear) = &mut tap.ear
            && ear.hears_speech(codec, packet)
        {
            open.spoken = now;
        }
        if open.block.len() >= BLOCK_BYTES {
            open.flush(now, tap.recording, self.writer.as_ref());
        }
    }

    /// Leaves out what follows.
    pub(super) fn pause(&mut self, now: Time, recording: RecordingId) {
        if let Some(open) = self.open.get_mut(&recording)
            && open.paused_since.is_none()
        {
            open.paused_since = Some(now);
            Entry::Pause { at: now }.write(&mut open.block);
        }
    }

    /// Takes what follows again.
    pub(super) fn resume(&mut self, now: Time, recording: RecordingId) {
        if let Some(open) = self.open.get_mut(&recording)
            && let Some(since) = open.paused_since.take()
        {
            open.paused += now - since;
            open.spoken = now;
            Entry::Resume { at: now }.write(&mut open.block);
        }
    }

    /// A leg is over; with the last one the recording is.
    pub(super) fn leave(&mut self, now: Time, path: PathId, tap: &Tap) {
        let Some(open) = self.open.get_mut(&tap.recording) else {
            return;
        };
        open.paths.retain(|other| *other != path);
        if open.paths.is_empty() {
            self.end(now, tap.recording, RecordEnd::HungUp);
        }
    }

    /// The recording is over.
    pub(super) fn end(
        &mut self,
        now: Time,
        recording: RecordingId,
        reason: RecordEnd,
    ) -> Option<Over> {
        let mut open = self.open.remove(&recording)?;
        open.tell_lost(now);
        Entry::End { at: now, reason }.write(&mut open.block);
        let seconds = u32::try_from(open.length(now).as_secs()).unwrap_or(u32::MAX);
        self.closing.push(Job::Close {
            recording,
            block: open.block,
            seconds,
            reason,
        });
        self.hand_over();
        Some(Over(open.paths))
    }

    /// Hands blocks over and ends what is long, large or silent enough.
    pub(super) fn tick(&mut self, now: Time) -> Vec<Over> {
        self.hand_over();
        if now - self.flushed >= FLUSH_EVERY {
            self.flushed = now;
            for (recording, open) in &mut self.open {
                open.flush(now, *recording, self.writer.as_ref());
            }
        }
        let due = self.open.iter();
        let due: Vec<_> = due
            .filter_map(|(id, open)| Some((*id, open.is_due(now)?)))
            .collect();
        let over = due
            .into_iter()
            .filter_map(|(id, reason)| self.end(now, id, reason));
        over.collect()
    }

    /// The thread ends.
    pub(super) fn finish(&mut self, now: Time) {
        let open: Vec<_> = self.open.keys().copied().collect();
        for recording in open {
            self.end(now, recording, RecordEnd::HungUp);
        }
    }

    /// Whether the writer has taken all that is over.
    pub(super) fn is_handed_over(&mut self) -> bool {
        self.hand_over();
        self.closing.is_empty()
    }

    /// What is over must not get lost: it is offered until the writer has room.
    fn hand_over(&mut self) {
        let Some(writer) = &self.writer else { return };
        while let Some(job) = self.closing.pop() {
            if let Err(job) = writer.send(job) {
                self.closing.push(job);
                return;
            }
        }
    }
}

impl Recording {
    fn new(now: Time, limits: RecordLimits) -> Self {
        Self {
            block: Vec::new(),
            packets: 0,
            lost: 0,
            written: 0,
            paths: Vec::new(),
            legs: 0,
            limits,
            began: now,
            paused: Duration::ZERO,
            paused_since: None,
            spoken: now,
        }
    }

    fn length(&self, now: Time) -> Duration {
        let until = self.paused_since.unwrap_or(now);
        (until - self.began).saturating_sub(self.paused)
    }

    fn is_due(&self, now: Time) -> Option<RecordEnd> {
        let is_silent = |limit| self.paused_since.is_none() && now - self.spoken >= limit;
        if self.length(now) >= self.limits.length.min(RecordLimits::MAX_LENGTH) {
            Some(RecordEnd::Length)
        } else if self.written >= self.limits.bytes {
            Some(RecordEnd::Size)
        } else if self.limits.silence.is_some_and(is_silent) {
            Some(RecordEnd::Silence)
        } else {
            None
        }
    }

    /// Gives the block to the writer. If it has no room, the packets are lost and nothing else.
    fn flush(&mut self, now: Time, recording: RecordingId, writer: Option<&Sender<Job>>) {
        self.tell_lost(now);
        let Some(writer) = writer.filter(|_| !self.block.is_empty()) else {
            return;
        };
        let block = std::mem::take(&mut self.block);
        self.written += block.len() as u64;
        let Err(refused) = writer.send(Job::Append { recording, block }) else {
            self.packets = 0;
            return;
        };
        let block = refused.into_block();
        self.written -= block.len() as u64;
        self.block = without_packets(&block);
        self.lost += std::mem::take(&mut self.packets);
    }

    fn tell_lost(&mut self, now: Time) {
        let packets = std::mem::take(&mut self.lost);
        if packets > 0 {
            Entry::Gap { at: now, packets }.write(&mut self.block);
        }
    }
}

/// What of a block may not get lost: beginnings, pauses and what was lost before.
fn without_packets(mut block: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    while let Some(entry) = Entry::read(&mut block) {
        if !matches!(entry, Entry::Packet { .. }) {
            entry.write(&mut kept);
        }
    }
    kept
}

impl Ear {
    fn hears_speech(&mut self, codec: Codec, packet: &[u8]) -> bool {
        let Some(packet) = media::rtp::Packet::parse(packet).filter(|_| codec.is_voice()) else {
            return false;
        };
        if self
            .decoder
            .as_ref()
            .is_none_or(|(known, _)| *known != codec)
        {
            self.decoder = Decoder::new(codec, Rate::Narrow).map(|decoder| (codec, decoder));
        }
        self.samples.clear();
        if let Some((_, decoder)) = &mut self.decoder {
            decoder.decode(packet.body, &mut self.samples);
        }
        self.loudness.is_speech(&self.samples)
    }
}

#[cfg(test)]
mod tests {
    use media::ThreadId;
    use media::journal::{seal, survey};

    use super::*;
    use crate::inbox::{Inbox, channel};

    const ID: RecordingId = RecordingId(9);
    const PATH: PathId = PathId::new(ThreadId(0), 1, 0);

    fn at(ms: u64) -> Time {
        Time::from_millis(5_000 + ms)
    }

    fn begun(room: usize, limits: RecordLimits) -> (Recordings, Inbox<Job>, Tap) {
        let (writer, inbox) = channel(room).unwrap();
        let mut recordings = Recordings::new(Some(writer));
        let tap = recordings
            .begin(at(0), PATH, (ID, Channel::Left), limits)
            .unwrap();
        (recordings, inbox, tap)
    }

    fn packet(byte: u8) -> Vec<u8> {
        let mut packet = vec![0x80; 12];
        packet.resize(172, byte);
        packet
    }

    /// What the writer would have written.
    fn journal(inbox: &Inbox<Job>) -> Vec<u8> {
        let mut jobs = Vec::new();
        inbox.drain(&mut jobs);
        let blocks = jobs.into_iter().map(Job::into_block);
        blocks
            .flat_map(|block| [&seal(&block)[..], &block].concat())
            .collect()
    }

    #[test]
    fn packets_are_handed_over_twice_a_second_and_when_a_block_is_full() {
        let (mut recordings, inbox, mut tap) = begun(100, RecordLimits::CALL);
        for n in 0..25 {
            recordings.packet(at(n * 20), &mut tap, Codec::Pcma, &packet(0xd5));
        }
        recordings.tick(at(500));
        assert_eq!(survey(journal(&inbox).as_slice()).unwrap().packets, 25);
        for _ in 0..1_000 {
            recordings.packet(at(510), &mut tap, Codec::Pcma, &packet(0xd5));
        }
        let mut jobs = Vec::new();
        inbox.drain(&mut jobs);
        assert_eq!(jobs.len(), 1_000 * 186 / BLOCK_BYTES);
    }

    /// The writer stands still: packets are lost and told, pauses and the end are not lost.
    #[test]
    fn a_full_queue_is_a_gap_and_nothing_waits() {
        let (mut recordings, inbox, mut tap) = begun(1, RecordLimits::CALL);
        recordings.packet(at(20), &mut tap, Codec::Pcma, &packet(0xd5));
        recordings.tick(at(500));
        recordings.packet(at(600), &mut tap, Codec::Pcma, &packet(0xd5));
        recordings.pause(at(700), ID);
        recordings.tick(at(1_000));
        recordings.resume(at(1_700), ID);
        recordings.packet(at(1_800), &mut tap, Codec::Pcma, &packet(0xd5));
        recordings.tick(at(2_000));
        let mut bytes = journal(&inbox);
        recordings.packet(at(2_100), &mut tap, Codec::Pcma, &packet(0xd5));
        recordings.tick(at(2_500));
        recordings.end(at(3_000), ID, RecordEnd::Stopped);
        assert!(!recordings.is_handed_over(), "the queue is full");
        bytes.extend(journal(&inbox));
        assert!(recordings.is_handed_over());
        bytes.extend(journal(&inbox));
        let survey = survey(bytes.as_slice()).unwrap();
        assert_eq!((survey.packets, survey.missing), (2, 2));
        assert_eq!(survey.length, Duration::from_secs(2), "without the pause");
        assert_eq!(survey.end, Some(RecordEnd::Stopped));
    }

    #[test]
    fn limits_end_it() {
        let limits = RecordLimits {
            length: Duration::from_secs(10),
            silence: Some(Duration::from_secs(3)),
            bytes: 5_000,
        };
        // The byte that is sent every 20 ms, until when, and why and when it ends.
        let large = RecordLimits {
            bytes: 1 << 20,
            ..limits
        };
        for (byte, limits, reason, expect) in [
            (0x2a, large, RecordEnd::Length, 10_000),
            (0xd5, large, RecordEnd::Silence, 3_000),
            (0x2a, limits, RecordEnd::Size, 500),
        ] {
            let (mut recordings, inbox, mut tap) = begun(1_000, limits);
            let mut ended = None;
            for ms in (0..20_000).step_by(10) {
                let byte = if ms % 20 == 0 { byte } else { byte ^ 0x80 };
                recordings.packet(at(ms), &mut tap, Codec::Pcma, &packet(byte));
                if ms % 250 == 0 && ended.is_none() && !recordings.tick(at(ms)).is_empty() {
                    ended = Some(ms);
                }
            }
            assert_eq!(ended, Some(expect), "{reason:?}");
            assert_eq!(
                survey(journal(&inbox).as_slice()).unwrap().end,
                Some(reason)
            );
        }
    }

    #[test]
    fn it_ends_with_its_last_leg() {
        let (mut recordings, inbox, tap) = begun(10, RecordLimits::CALL);
        let other = PathId::new(ThreadId(0), 2, 0);
        let second = recordings
            .begin(at(5), other, (ID, Channel::Right), RecordLimits::CALL)
            .unwrap();
        recordings.leave(at(100), PATH, &tap);
        assert!(recordings.open.contains_key(&ID));
        recordings.leave(at(200), other, &second);
        assert_eq!(
            survey(journal(&inbox).as_slice()).unwrap().end,
            Some(RecordEnd::HungUp)
        );
    }
}
