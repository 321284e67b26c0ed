//! What stands in a journal, and how.

use clock::Time;

use crate::codec::Codec;
use crate::record::{Channel, RecordEnd, RecordingId};

/// The longest block, in bytes. A writer begins another one before.
pub const MAX_BLOCK_BYTES: usize = 128 * 1024;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The first of all.
    Begin {
        /// When the recording began.
        at: Time,
        /// Which it is.
        recording: RecordingId,
    },
    /// A packet, as it arrived.
    Packet {
        /// When.
        at: Time,
        /// The number of the leg it came from, within the recording.
        leg: u8,
        /// Where that leg is heard.
        channel: Channel,
        /// What its payload number means.
        codec: Codec,
        /// The RTP packet.
        packet: &'a [u8],
    },
    /// Packets were not written because the disk was too slow.
    Gap {
        /// When the last of them came.
        at: Time,
        /// How many.
        packets: u32,
    },
    /// What follows is left out.
    Pause {
        /// From when on.
        at: Time,
    },
    /// What follows is heard again.
    Resume {
        /// From when on.
        at: Time,
    },
    /// The last of all. After a crash it is missing.
    End {
        /// When.
        at: Time,
        /// Why.
        reason: RecordEnd,
    },
}

const VERSION: u8 = 1;
const BEGIN: u8 = 1;
const PACKET: u8 = 2;
const GAP: u8 = 3;
const PAUSE: u8 = 4;
const RESUME: u8 = 5;
const END: u8 = 6;

const CHANNELS: [Channel; 2] = [Channel::Left, Channel::Right];
const CODECS: [Codec; 5] = [
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::Opus,
    Codec::TelephoneEvent,
];
const REASONS: [RecordEnd; 6] = [
    RecordEnd::Stopped,
    RecordEnd::HungUp,
    RecordEnd::Length,
    RecordEnd::Silence,
    RecordEnd::Size,
    RecordEnd::Failed,
];

impl<'a> Entry<'a> {
    /// Adds the entry to a block.
    pub fn write(&self, block: &mut Vec<u8>) {
        let (kind, at) = match self {
            Self::Begin { at, .. } => (BEGIN, at),
            Self::Packet { at, .. } => (PACKET, at),
            Self::Gap { at, .. } => (GAP, at),
            Self::Pause { at } => (PAUSE, at),
            Self::Resume { at } => (RESUME, at),
            Self::End { at, .. } => (END, at),
        };
        block.push(kind);
        block.extend(at.as_micros().to_be_bytes());
        match self {
            Self::Begin { recording, .. } => {
                block.push(VERSION);
                block.extend(recording.0.to_be_bytes());
            }
            Self::Packet {
                leg,
                channel,
                codec,
                packet,
                ..
            } => {
                let packet = packet.get(..usize::from(u16::MAX)).unwrap_or(packet);
                let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
                block.extend([*leg, number(&CHANNELS, *channel), number(&CODECS, *codec)]);
                block.extend(length.to_be_bytes());
                block.extend_from_slice(packet);
            }
            Self::Gap { packets, .. } => block.extend(packets.to_be_bytes()),
            Self::Pause { .. } | Self::Resume { .. } => {}
            Self::End { reason, .. } => block.push(number(&REASONS, *reason)),
        }
    }

    /// Takes the first entry off a block; `None` if there is none that makes sense.
    pub fn read(block: &mut &'a [u8]) -> Option<Self> {
        let [kind] = take(block)?;
        let at = Time::from_micros(u64::from_be_bytes(take(block)?));
        Some(match kind {
            BEGIN => {
                let [VERSION] = take(block)? else { return None };
                let recording = RecordingId(u64::from_be_bytes(take(block)?));
                Self::Begin { at, recording }
            }
            PACKET => {
                let [leg, channel, codec] = take(block)?;
                let length = u16::from_be_bytes(take(block)?);
                let (packet, rest) = block.split_at_checked(length.into())?;
                *block = rest;
                Self::Packet {
                    at,
                    leg,
                    channel: *CHANNELS.get(usize::from(channel))?,
                    codec: *CODECS.get(usize::from(codec))?,
                    packet,
                }
            }
            GAP => Self::Gap {
                at,
                packets: u32::from_be_bytes(take(block)?),
            },
            PAUSE => Self::Pause { at },
            RESUME => Self::Resume { at },
            END => {
                let [reason] = take(block)?;
                let reason = *REASONS.get(usize::from(reason))?;
                Self::End { at, reason }
            }
            _ => return None,
        })
    }

    /// When it was written.
    pub fn at(&self) -> Time {
        match self {
            Self::Begin { at, .. }
            | Self::Packet { at, .. }
            | Self::Gap { at, .. }
            | Self::Pause { at }
            | Self::Resume { at }
            | Self::End { at, .. } => *at,
        }
    }
}

/// What precedes a block in the file: its length and its checksum.
pub fn seal(block: &[u8]) -> [u8; 8] {
    let length = u32::try_from(block.len()).unwrap_or(u32::MAX).to_be_bytes();
    let checksum = crc32fast::hash(block).to_be_bytes();
    let ([l0, l1, l2, l3], [c0, c1, c2, c3]) = (length, checksum);
    [l0, l1, l2, l3, c0, c1, c2, c3]
}

fn number<T: PartialEq + Copy>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|other| *other == one);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(u8::MAX)
}

fn take<const BYTES: usize>(block: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (taken, rest) = block.split_first_chunk()?;
    *block = rest;
    Some(*taken)
}
