//! Recordings on their way from an account to the media threads, and their ends on the way back.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Time;
use media::{Channel, Command, PathId, ThreadId};
use pbx::{AccountId, LegId, RecordEnd, RecordLimits, RecordingId, Voice};

use crate::{Effect, Engine, Work};

/// Whose recordings have begun and not ended, and on which thread each is. A media thread bounds how
/// many there are.
#[derive(Default)]
pub(crate) struct Recordings(BTreeMap<RecordingId, (AccountId, ThreadId)>);

impl Recordings {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Engine {
    /// Records a leg. One without media adds nothing; if it were the first, there is no recording. Who
    /// talks over a tie line is recorded where it arrives.
    pub(crate) fn record(
        &mut self,
        now: Time,
        (account, leg): (AccountId, LegId),
        (recording, voice): (RecordingId, Voice),
        limits: RecordLimits,
    ) {
        let known = self.recordings.0.get(&recording);
        let thread = known.map(|(_, thread)| *thread);
        let Some(path) = self.heard_at(leg, thread) else {
            if thread.is_none() {
                self.recorded(now, (account, recording), (0, RecordEnd::Failed));
            }
            return;
        };
        self.recordings
            .0
            .insert(recording, (account, path.thread()));
        self.effects.push(Effect::Media(Command::Record {
            path,
            recording: media::RecordingId(recording.0),
            channel: match voice {
                Voice::Caller => Channel::Left,
                Voice::Called => Channel::Right,
            },
            limits: limits_of(limits),
        }));
    }

    /// The path by which a leg is heard on that thread, its own or the end of its tie line there.
    fn heard_at(&self, leg: LegId, thread: Option<ThreadId>) -> Option<PathId> {
        let path = self.path_of(leg)?;
        let Some(thread) = thread.filter(|thread| *thread != path.thread()) else {
            return Some(path);
        };
        let other = self.legs.leg(leg)?.other;
        let legs = [Some(leg), other].into_iter().flatten();
        let ties = legs.filter_map(|leg| self.legs.leg(leg)?.media.tie.as_ref());
        let mut ends = ties.flat_map(|tie| tie.ends.map(|end| end.path));
        ends.find(|end| end.thread() == thread)
    }

    /// Leaves out what is said from now on.
    pub(crate) fn pause_recording(&mut self, leg: LegId, recording: RecordingId) {
        let recording = media::RecordingId(recording.0);
        let path = self.path_of(leg);
        let command = path.map(|path| Command::PauseRecord { path, recording });
        self.effects.extend(command.map(Effect::Media));
    }

    /// Records again.
    pub(crate) fn resume_recording(&mut self, leg: LegId, recording: RecordingId) {
        let recording = media::RecordingId(recording.0);
        let path = self.path_of(leg);
        let command = path.map(|path| Command::ResumeRecord { path, recording });
        self.effects.extend(command.map(Effect::Media));
    }

    /// Ends a recording; its end is told by the media thread.
    pub(crate) fn stop_recording(&mut self, leg: LegId, recording: RecordingId) {
        let recording = media::RecordingId(recording.0);
        let path = self.path_of(leg);
        let command = path.map(|path| Command::StopRecord { path, recording });
        self.effects.extend(command.map(Effect::Media));
    }

    /// A media thread has written all there is of a recording.
    pub(crate) fn record_closed(
        &mut self,
        now: Time,
        recording: media::RecordingId,
        (seconds, reason): (u32, media::RecordEnd),
    ) {
        let recording = RecordingId(recording.0);
        if let Some((account, _)) = self.recordings.0.remove(&recording) {
            self.recorded(now, (account, recording), (seconds, end_of(reason)));
        }
    }

    fn recorded(
        &mut self,
        now: Time,
        (account, recording): (AccountId, RecordingId),
        (seconds, end): (u32, RecordEnd),
    ) {
        self.effects.push(Effect::Emit(pbx::Event {
            at: now,
            account,
            call: recording.call(),
            fact: pbx::Fact::RecordingClosed {
                recording,
                seconds,
                end,
            },
        }));
        let input = pbx::Input::Recorded {
            recording,
            seconds,
            end,
        };
        self.work.push_back(Work::Pbx(account, input));
    }
}

fn limits_of(limits: RecordLimits) -> media::RecordLimits {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let call = media::RecordLimits::CALL;
    media::RecordLimits {
        length: limits.length_seconds.map_or(call.length, seconds),
        silence: limits.silence_seconds.map(seconds),
        bytes: call.bytes,
    }
}

fn end_of(reason: media::RecordEnd) -> RecordEnd {
    match reason {
        media::RecordEnd::Stopped => RecordEnd::Stopped,
        media::RecordEnd::HungUp => RecordEnd::HungUp,
        media::RecordEnd::Length => RecordEnd::Length,
        media::RecordEnd::Silence => RecordEnd::Silence,
        media::RecordEnd::Size => RecordEnd::Size,
        media::RecordEnd::Failed => RecordEnd::Failed,
    }
}
