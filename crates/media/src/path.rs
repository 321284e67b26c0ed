//! The plain data between the engine and the media threads.
//!
//! A **path** is one leg's media: a bound port pair on one media thread, the peer it talks to, and
//! what passes through. Media threads bind pairs ahead and hand them up as [`MediaEvent::Ports`];
//! the engine names a path in [`Command`]s until it releases it, and never sees a packet.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codec::{Codec, Format};
use crate::latch::Latch;
use crate::payload::{Payload, Way};
use crate::record::{Channel, RecordEnd, RecordLimits, RecordingId};
use crate::sdp::{Description, Direction, Fax, MediaAddress};
use crate::sound::{PlayId, Playlist};

/// A media thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u8);

/// One leg's media path: its thread, its place there, and how often that place was used before, so
/// that an old id never names a new path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(u64);

impl PathId {
    /// The highest place on a thread.
    pub const MAX_SLOT: u32 = (1 << 24) - 1;

    /// The id of the path at `slot` of `thread` in its `generation`. Only the low 24 bits of `slot` count.
    pub const fn new(thread: ThreadId, slot: u32, generation: u32) -> Self {
        let slot = (slot & Self::MAX_SLOT) as u64;
        Self(((thread.0 as u64) << 56) | ((generation as u64) << 24) | slot)
    }

    /// The id as one number, to be written down.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The id that [`PathId::to_bits`] gave.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The thread that owns the path. Two paths can only be bridged on one thread.
    pub const fn thread(self) -> ThreadId {
        ThreadId((self.0 >> 56) as u8)
    }

    /// The path's place on its thread.
    #[expect(clippy::cast_possible_truncation, reason = "the mask leaves 24 bits")]
    pub const fn slot(self) -> u32 {
        (self.0 & Self::MAX_SLOT as u64) as u32
    }

    /// How many paths used that place before this one.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the middle 32 bits are meant"
    )]
    pub const fn generation(self) -> u32 {
        (self.0 >> 24) as u32
    }
}

/// A bound port pair, ready to be written into a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// What names the pair from now until its [`Command::Release`].
    pub path: PathId,
    /// The even port; RTCP is on the next one.
    pub rtp_port: u16,
}

/// A conference room. It lives on the thread of its first member; see [`Command::Join`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u32);

/// The most members of a room.
pub const MAX_ROOM_MEMBERS: usize = 64;
/// The most keys that wait to be pressed towards a peer.
pub const MAX_DIGITS_QUEUED: usize = 64;

/// What a member of a room may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// It is heard by the others.
    Heard,
    /// It hears the others and is not heard.
    Muted,
}

/// What a peer's packets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// RTP.
    Audio,
    /// UDPTL (ITU-T T.38 §9.1), passed on as it comes and only to a peer that awaits the same.
    Fax,
}

/// What a media thread has to know of a peer's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where its RTP goes until a source is latched. Unspecified address or port 0: nowhere.
    pub rtp: SocketAddr,
    /// Where its RTCP goes; equal to `rtp` when multiplexed (RFC 5761).
    pub rtcp: SocketAddr,
    /// Which sources are believed.
    pub latch: Latch,
    /// What it sends and awaits.
    pub carries: Carries,
    /// The negotiated payload numbers, none for a fax; what we say ourselves is in the first voice format of them.
    pub payloads: Vec<Payload>,
    /// Seen from the peer: the silence watch rests unless it is `SendRecv`.
    pub direction: Direction,
}

impl Remote {
    /// What `description` says about its sender.
    pub fn of(description: &Description, latch: Latch) -> Self {
        let MediaAddress { rtp, rtcp } = description.remote();
        let direction = description.direction();
        Self {
            rtp,
            rtcp,
            latch,
            carries: Carries::Audio,
            payloads: description.payloads(),
            direction,
        }
    }

    /// What `fax` says about its sender.
    pub fn of_fax(fax: &Fax, latch: Latch) -> Self {
        Self {
            rtp: fax.remote(),
            rtcp: fax.remote(),
            latch,
            carries: Carries::Fax,
            payloads: Vec::new(),
            direction: Direction::SendRecv,
        }
    }

    /// What `theirs` says about its sender, with the formats that `ours` names too: an answer leaves
    /// out most of an offer, and what it left out may not be sent (RFC 3264 §6.1).
    pub fn agreed(theirs: &Description, ours: &Description, latch: Latch) -> Self {
        let mut remote = Self::of(theirs, latch);
        remote.payloads = theirs.payloads_shared_with(ours);
        remote
    }
}

/// What the engine tells a media thread. A command for a path that is gone is counted and ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The engine has taken this port from its stock: another one is bound for it. Any other
    /// command about the path implies it, but an offer may wait a minute for its answer.
    Claim {
        /// The port's path.
        path: PathId,
    },
    /// Where the leg's peer is, as its newest description says. Forgets what was latched before
    /// unless the address is the same as last time.
    Remote {
        /// The leg's path.
        path: PathId,
        /// What the description says.
        remote: Remote,
    },
    /// What arrives on `a` leaves on `b` and the other way round. Both must be on one thread; legs of
    /// two threads are joined by a pair of paths that are each other's phone, see [`tie`]. An earlier
    /// bridge of either is taken apart; each phone goes on hearing one unbroken stream.
    Bridge {
        /// One leg.
        a: PathId,
        /// The other leg.
        b: PathId,
        /// How packets pass from `a` to `b`.
        a_to_b: Way,
        /// How packets pass from `b` to `a`.
        b_to_a: Way,
    },
    /// The path's bridge, if any, is taken apart; packets are counted and dropped. What is played,
    /// recorded or mixed goes on.
    Unbridge {
        /// Either leg.
        path: PathId,
    },
    /// How long the peer may send nothing before [`MediaEvent::Silent`]; `None` ends the watch.
    Watch {
        /// The leg's path.
        path: PathId,
        /// The longest silence allowed.
        silence: Option<Duration>,
    },
    /// The peer hears these sounds instead of its bridge or room until they end or are stopped. It
    /// is still heard itself. An earlier playlist of the path is replaced, without an event.
    Play {
        /// The leg's path.
        path: PathId,
        /// What [`MediaEvent::PlayEnded`] will name.
        play: PlayId,
        /// What is played.
        playlist: Playlist,
    },
    /// Nothing is played any more, without an event; the peer hears its bridge or room again.
    Stop {
        /// The leg's path.
        path: PathId,
    },
    /// Presses keys towards the peer: as named events if it knows them, else as tones. At most
    /// [`MAX_DIGITS_QUEUED`] wait; what is no key is left out.
    SendDtmf {
        /// The leg's path.
        path: PathId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digits: String,
    },
    /// The peer hears everybody else in the room, and is heard unless muted. A path that is in another
    /// room or bridged is so no more; one that is in this room has its speech changed. All members must
    /// be on one thread; others come in over a [`tie`]. A room holds [`MAX_ROOM_MEMBERS`]: who comes
    /// later hears nothing.
    Join {
        /// The leg's path.
        path: PathId,
        /// The room, made by its first member and gone with its last.
        room: RoomId,
        /// Whether it is heard.
        speech: Speech,
    },
    /// The path is in no room any more.
    Leave {
        /// The leg's path.
        path: PathId,
    },
    /// What arrives on the path is recorded from now on until [`MediaEvent::RecordClosed`]. The first
    /// leg opens the recording; further ones, such as the target of a transfer, join it and may use
    /// a channel that had another leg before. All legs must be on one thread, and a path is in one
    /// recording at a time. Bridges, hold and codecs may change meanwhile.
    Record {
        /// The leg's path.
        path: PathId,
        /// The recording, unused before.
        recording: RecordingId,
        /// Where the leg is heard in it.
        channel: Channel,
        /// When it ends by itself; those of the first leg count.
        limits: RecordLimits,
    },
    /// What is said meanwhile is left out, and the time too.
    PauseRecord {
        /// Any leg of the recording.
        path: PathId,
        /// The recording.
        recording: RecordingId,
    },
    /// Records again.
    ResumeRecord {
        /// Any leg of the recording.
        path: PathId,
        /// The recording.
        recording: RecordingId,
    },
    /// The recording is over. It also ends by itself with the release of its last leg.
    StopRecord {
        /// Any leg of the recording.
        path: PathId,
        /// The recording.
        recording: RecordingId,
    },
    /// The path is over: [`MediaEvent::Closed`] follows, the ports rest before they are used again.
    Release {
        /// The leg's path.
        path: PathId,
    },
}

impl Command {
    /// The path that the command is about; of a bridge, the first.
    pub fn path(&self) -> PathId {
        match self {
            Self::Claim { path }
            | Self::Remote { path, .. }
            | Self::Bridge { a: path, .. }
            | Self::Unbridge { path }
            | Self::Watch { path, .. }
            | Self::Play { path, .. }
            | Self::Stop { path }
            | Self::SendDtmf { path, .. }
            | Self::Join { path, .. }
            | Self::Leave { path }
            | Self::Record { path, .. }
            | Self::PauseRecord { path, .. }
            | Self::ResumeRecord { path, .. }
            | Self::StopRecord { path, .. }
            | Self::Release { path } => *path,
        }
    }
}

/// Joins two threads: `near` and `far` become each other's phone, over the system's own network.
/// A leg beside `near` that is bridged to it, or a room that it joins, thus reaches what `far` is
/// bridged to or has joined. Costs two more hops of a packet; `codec` is what they speak, if it is no
/// fax that passes.
pub fn tie(
    near: (Port, SocketAddr),
    far: (Port, SocketAddr),
    codec: Option<Codec>,
) -> [Command; 2] {
    let end = |(port, _): (Port, SocketAddr), (_, rtp): (Port, SocketAddr)| {
        let payload = |codec| Format::usual(codec).payload();
        let spoken = codec
            .into_iter()
            .flat_map(|codec| [codec, Codec::TelephoneEvent]);
        let remote = Remote {
            rtp,
            // RTCP of a tie line would tell nobody anything.
            rtcp: rtp,
            latch: Latch::Exact,
            carries: codec.map_or(Carries::Fax, |_| Carries::Audio),
            payloads: spoken.map(payload).collect(),
            direction: Direction::SendRecv,
        };
        Command::Remote {
            path: port.path,
            remote,
        }
    };
    [end(near, far), end(far, near)]
}

/// What a media thread tells the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// Freshly bound pairs for the engine's stock.
    Ports {
        /// The pairs.
        ports: Vec<Port>,
    },
    /// The first acceptable RTP packet since the path was opened.
    FirstPacket {
        /// The leg's path.
        path: PathId,
    },
    /// The peer's source is known and from now on the only one heard.
    Latched {
        /// The leg's path.
        path: PathId,
        /// The peer's address.
        remote: SocketAddr,
    },
    /// A packet came from an address that may not be believed. At most one per peer address set.
    Rejected {
        /// The leg's path.
        path: PathId,
        /// Where the packet came from.
        source: SocketAddr,
    },
    /// A key was pressed and let go.
    Dtmf {
        /// The leg's path.
        path: PathId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
        /// How long it was held.
        duration_ms: u32,
    },
    /// The peer has sent nothing for the watched time. Told once per silence.
    Silent {
        /// The leg's path.
        path: PathId,
    },
    /// All sounds of a [`Command::Play`] have been played. Not told when it was stopped or replaced.
    PlayEnded {
        /// The leg's path.
        path: PathId,
        /// Which of its plays.
        play: PlayId,
    },
    /// A recording is over and what there is of it is on the disk.
    RecordClosed {
        /// Which.
        recording: RecordingId,
        /// How long it is, without pauses.
        seconds: u32,
        /// Why it ended.
        reason: RecordEnd,
    },
    /// The answer to [`Command::Release`]; the path's id means nothing any more.
    Closed {
        /// The leg's path.
        path: PathId,
        /// What passed.
        report: LegReport,
    },
}

/// What passed on one leg, kept with the call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegReport {
    /// The encoding the peer sent last.
    pub codec: Option<Codec>,
    /// RTP packets accepted from the peer.
    pub packets_received: u64,
    /// Their bytes, RTP header included.
    pub bytes_received: u64,
    /// RTP packets sent to the peer.
    pub packets_sent: u64,
    /// Their bytes, RTP header included.
    pub bytes_sent: u64,
    /// RTP packets the peer sent that never came (RFC 3550 §A.3).
    pub packets_lost: u64,
    /// The interarrival jitter at the end, in microseconds (RFC 3550 §A.8).
    pub jitter_us: u32,
    /// Datagrams dropped: strange sources, not RTP, or nobody to pass them on to.
    pub packets_dropped: u64,
    /// The keys pressed, in order, at most [`LegReport::MAX_DTMF_DIGITS`].
    pub dtmf: String,
}

impl LegReport {
    /// How many key presses a report holds.
    pub const MAX_DTMF_DIGITS: usize = 64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_id_keeps_its_parts() {
        for (thread, slot, generation) in [(0, 0, 0), (3, 17, 1), (255, PathId::MAX_SLOT, u32::MAX)]
        {
            let id = PathId::new(ThreadId(thread), slot, generation);
            assert_eq!(
                (id.thread().0, id.slot(), id.generation()),
                (thread, slot, generation)
            );
        }
    }

    #[test]
    fn report_survives_json() {
        let report = LegReport {
            codec: Some(Codec::G722),
            dtmf: "12#".into(),
            ..Default::default()
        };
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<LegReport>(&json).unwrap(), report);
    }
}
