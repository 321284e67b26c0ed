//! Stands for the media threads: hands up ports, takes commands, answers releases; and holds every
//! command against what a real thread could do with it.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::Time;
use media::{
    Command, LegReport, MAX_ROOM_MEMBERS, MediaEvent, PathId, Port, Remote, RoomId, ThreadId,
};

use crate::Broken;
use crate::random::{Random, millis};
use crate::recordings::Recordings;

/// The first RTP port; pairs follow one another.
const FIRST_PORT: u16 = 20_000;
/// How long a port rests. Longer than a message may be repeated, so that a port number names one
/// path wherever it turns up.
const QUARANTINE: Duration = Duration::from_secs(100);

/// A path as its thread sees it.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) stage: Stage,
    /// Where the peer is, as told last.
    pub(crate) remote: Option<Remote>,
    /// The path it is bridged with.
    pub(crate) bridge: Option<PathId>,
    /// The room it is in.
    pub(crate) room: Option<RoomId>,
    /// The longest silence allowed.
    pub(crate) watch: Option<Duration>,
    /// When we first played to it, and when last.
    pub(crate) voiced: Option<(Time, Time)>,
    /// When it was last bridged or parted.
    pub(crate) changed_at: Time,
    /// Every path it was ever bridged with, and when that began.
    pub(crate) bridges: Vec<(Time, PathId)>,
    /// Whether it was parted from another that goes on: somebody was handed on.
    pub(crate) is_handed_on: bool,
}

impl Path {
    /// Whether it is bridged with no other and in no room, and we have played nothing since to it.
    pub(crate) fn is_alone(&self) -> bool {
        let voiced = self.voiced.is_some_and(|(_, last)| last >= self.changed_at);
        self.bridge.is_none() && self.room.is_none() && !voiced
    }
}

/// How far a path has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Bound and handed up.
    Stock,
    /// A leg's.
    InUse,
    /// Over.
    Released,
}

/// News of the threads, and when the node hears them.
pub(crate) type News = Vec<(Duration, MediaEvent)>;

/// All media threads.
pub(crate) struct Shell {
    paths: BTreeMap<PathId, Path>,
    /// The newest path at each port.
    by_port: BTreeMap<u16, PathId>,
    recordings: Recordings,
    /// Generation of each slot, and since when it rests.
    slots: Vec<Slot>,
    random: Random,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    free_at: Option<Time>,
}

const THREADS: usize = 2;

/// Slots take turns.
fn thread_of(slot: usize) -> ThreadId {
    ThreadId(u8::try_from(slot % THREADS).unwrap_or_default())
}

impl Shell {
    /// Threads with so many port pairs in all.
    pub(crate) fn new(pairs: usize, random: Random) -> Self {
        let slot = || Slot {
            generation: 0,
            free_at: Some(Time::ZERO),
        };
        Self {
            paths: BTreeMap::new(),
            by_port: BTreeMap::new(),
            recordings: Recordings::default(),
            slots: std::iter::repeat_with(slot).take(pairs).collect(),
            random,
        }
    }

    /// Binds up to `count` pairs that are free and hands them up.
    pub(crate) fn bind(&mut self, now: Time, count: usize) -> Option<MediaEvent> {
        let mut ports = Vec::new();
        for index in 0..self.slots.len() {
            if ports.len() == count {
                break;
            }
            ports.extend(self.bind_slot(now, index));
        }
        (!ports.is_empty()).then_some(MediaEvent::Ports { ports })
    }

    fn bind_slot(&mut self, now: Time, index: usize) -> Option<Port> {
        let slot = self.slots.get_mut(index)?;
        slot.free_at.take_if(|at| *at <= now)?;
        slot.generation += 1;
        let number = u32::try_from(index).ok()?;
        let path = PathId::new(thread_of(index), number, slot.generation);
        let port = FIRST_PORT + 2 * u16::try_from(index).ok()?;
        let bound = Path {
            stage: Stage::Stock,
            remote: None,
            bridge: None,
            room: None,
            watch: None,
            voiced: None,
            changed_at: now,
            bridges: Vec::new(),
            is_handed_on: false,
        };
        self.paths.insert(path, bound);
        self.by_port.insert(port, path);
        Some(Port {
            path,
            rtp_port: port,
        })
    }

    /// Takes a command.
    pub(crate) fn take(&mut self, now: Time, command: &Command) -> Result<News, Broken> {
        match command {
            Command::Claim { path } => self.claim(now, *path),
            Command::Remote { path, remote } => {
                self.in_use(*path, "is pointed")?.remote = Some(remote.clone());
                Ok(News::new())
            }
            Command::Bridge { a, b, .. } => self.bridge(now, *a, *b),
            Command::Unbridge { path } => {
                let other = self.in_use(*path, "is unbridged")?.bridge;
                for path in [Some(*path), other].into_iter().flatten() {
                    self.in_use(path, "is parted")?.is_handed_on = true;
                }
                self.unbridge(now, *path);
                Ok(News::new())
            }
            Command::Watch { path, silence } => {
                self.in_use(*path, "is watched")?.watch = *silence;
                Ok(News::new())
            }
            // No audio flows here: what is said about it must name a path that is in use.
            Command::Play { path, .. }
            | Command::Stop { path }
            | Command::SendDtmf { path, .. }
            | Command::PauseRecord { path, .. }
            | Command::ResumeRecord { path, .. } => {
                self.in_use(*path, "is played to or paused")?;
                Ok(News::new())
            }
            Command::Join { path, room, .. } => self.join(now, *path, *room),
            Command::Leave { path } => {
                let left = self.in_use(*path, "leaves a room")?.room.take();
                Broken::unless(left.is_some(), || {
                    format!("{path:?} leaves a room and is in none")
                })?;
                Ok(News::new())
            }
            Command::Record {
                path, recording, ..
            } => {
                self.in_use(*path, "is recorded")?;
                self.recordings.join(*path, *recording)
            }
            Command::StopRecord { path, recording } => {
                self.in_use(*path, "ends a recording")?;
                Ok(self.recordings.stop(*recording))
            }
            Command::Release { path } => self.release(now, *path),
        }
    }

    /// We play something to a path.
    pub(crate) fn plays(&mut self, now: Time, path: PathId) -> Result<(), Broken> {
        let path = self.in_use(path, "is played to")?;
        let (first, _) = path.voiced.unwrap_or((now, now));
        path.voiced = Some((first, now));
        Ok(())
    }

    fn claim(&mut self, now: Time, id: PathId) -> Result<News, Broken> {
        let path = self.paths.get_mut(&id);
        let path = path.ok_or_else(|| Broken::new(format!("{id:?} is claimed but not bound")))?;
        Broken::unless(path.stage == Stage::Stock, || {
            format!("{id:?} is claimed while {:?}", path.stage)
        })?;
        path.stage = Stage::InUse;
        let again = millis(&mut self.random, 0, 5);
        // The thread that gave a port away binds another one.
        let slots = (0..self.slots.len()).filter(|slot| thread_of(*slot) == id.thread());
        let slots: Vec<usize> = slots.collect();
        let port = slots.into_iter().find_map(|slot| self.bind_slot(now, slot));
        let ports = port.map(|port| (again, MediaEvent::Ports { ports: vec![port] }));
        Ok(ports.into_iter().collect())
    }

    fn bridge(&mut self, now: Time, a: PathId, b: PathId) -> Result<News, Broken> {
        Broken::unless(a != b && a.thread() == b.thread(), || {
            format!("{a:?} and {b:?} cannot be bridged")
        })?;
        self.in_use(a, "is bridged")?;
        self.in_use(b, "is bridged")?;
        self.unbridge(now, a);
        self.unbridge(now, b);
        for (one, other) in [(a, b), (b, a)] {
            if let Some(path) = self.paths.get_mut(&one) {
                path.room = None;
                path.bridge = Some(other);
                path.changed_at = now;
                path.bridges.push((now, other));
            }
        }
        Ok(News::new())
    }

    /// All members of a room must be on one thread, and there may be only so many.
    fn join(&mut self, now: Time, id: PathId, room: RoomId) -> Result<News, Broken> {
        self.unbridge(now, id);
        let path = self.in_use(id, "joins a room")?;
        path.room = Some(room);
        path.changed_at = now;
        let members = self.paths.iter();
        let members = members.filter(|(_, path)| path.room == Some(room));
        let members: Vec<PathId> = members.map(|(id, _)| *id).collect();
        let far = members.iter().find(|other| other.thread() != id.thread());
        Broken::unless(far.is_none(), || {
            format!("{id:?} and {far:?} cannot be in one room")
        })?;
        Broken::unless(members.len() <= MAX_ROOM_MEMBERS, || {
            format!("{} are in {room:?}", members.len())
        })?;
        Ok(News::new())
    }

    fn unbridge(&mut self, now: Time, id: PathId) {
        let other = self.paths.get(&id).and_then(|path| path.bridge);
        for id in [Some(id), other].into_iter().flatten() {
            if let Some(path) = self.paths.get_mut(&id) {
                path.bridge = None;
                path.changed_at = now;
            }
        }
    }

    fn release(&mut self, now: Time, id: PathId) -> Result<News, Broken> {
        let path = self.in_use(id, "is released")?;
        path.stage = Stage::Released;
        path.room = None;
        self.unbridge(now, id);
        let slot = usize::try_from(id.slot()).unwrap_or_default();
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.free_at = Some(now + QUARANTINE);
        }
        let soon = millis(&mut self.random, 0, 20);
        let closed = MediaEvent::Closed {
            path: id,
            report: LegReport::default(),
        };
        let mut news = self.recordings.leave(id);
        news.push((soon, closed));
        Ok(news)
    }

    fn in_use(&mut self, id: PathId, what: &str) -> Result<&mut Path, Broken> {
        match self.paths.get_mut(&id) {
            Some(path) if path.stage == Stage::InUse => Ok(path),
            other => Err(Broken::new(format!("{id:?} {what} while {other:?}"))),
        }
    }

    /// The path that a port number in a description means now.
    pub(crate) fn path_at(&self, port: u16) -> Option<PathId> {
        self.by_port.get(&port).copied()
    }

    /// A path, also one that is over.
    pub(crate) fn path(&self, id: PathId) -> Option<&Path> {
        self.paths.get(&id)
    }

    /// Whether we ever played something to a path.
    pub(crate) fn was_voiced(&self, id: PathId) -> bool {
        self.path(id).is_some_and(|path| path.voiced.is_some())
    }

    /// Every path that is a leg's.
    pub(crate) fn paths_in_use(&self) -> Vec<PathId> {
        let in_use = |(id, path): (&PathId, &Path)| (path.stage == Stage::InUse).then_some(*id);
        self.paths.iter().filter_map(in_use).collect()
    }

    /// When nothing goes on any more.
    pub(crate) fn at_rest(&self) -> Result<(), Broken> {
        let kept = self
            .paths
            .iter()
            .find(|(_, path)| path.stage == Stage::InUse);
        Broken::unless(kept.is_none(), || format!("a path is kept: {kept:?}"))
    }
}
