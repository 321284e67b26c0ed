//! Journals as calls write them, and what is heard of them; torn and damaged ones.

use std::time::Duration;

use clock::Time;

use super::*;
use crate::codec::{Codec, Encoder, Rate};
use crate::record::{Channel, RecordEnd, RecordingId};
use crate::testing::{level_at, sine};

const BEGAN: u64 = 1_700_000_000_000;

fn at(ms: u64) -> Time {
    Time::from_millis(BEGAN + ms)
}

/// A journal with a block per entry.
struct Writer(Vec<u8>);

impl Writer {
    fn new() -> Self {
        let mut writer = Self(Vec::new());
        writer.entry(Entry::Begin {
            at: at(0),
            recording: RecordingId(42),
        });
        writer
    }

    fn entry(&mut self, entry: Entry<'_>) {
        let mut block = Vec::new();
        entry.write(&mut block);
        self.0.extend(seal(&block));
        self.0.extend(block);
    }

    fn packet(&mut self, ms: u64, from: &Voice, frame: &Frame) {
        self.entry(Entry::Packet {
            at: at(ms),
            leg: from.leg,
            channel: from.channel,
            codec: from.codec,
            packet: frame,
        });
    }

    fn end(mut self, ms: u64) -> Vec<u8> {
        self.entry(Entry::End {
            at: at(ms),
            reason: RecordEnd::HungUp,
        });
        self.0
    }
}

type Frame = Vec<u8>;

/// A leg that says a tone.
struct Voice {
    leg: u8,
    channel: Channel,
    codec: Codec,
}

impl Voice {
    /// Packets of 20 ms with these numbers and timestamps.
    fn packets(&self, hertz: f64, count: u16, first: u16) -> Vec<Frame> {
        let mut encoder = Encoder::new(self.codec, Rate::Narrow).unwrap();
        let samples = sine(hertz, 8_000, 8_000, u32::from(count) * 20);
        let step = if self.codec == Codec::Opus { 960 } else { 160 };
        let packet = |(n, frame): (u16, &[i16])| {
            let sequence = first.wrapping_add(n);
            let mut packet = vec![0x80, 0];
            packet.extend(sequence.to_be_bytes());
            packet.extend((u32::from(n) * step).wrapping_sub(500).to_be_bytes());
            packet.extend([0, 0, 0, self.leg]);
            encoder.encode(frame, &mut packet);
            packet
        };
        (0..).zip(samples.chunks(160)).map(packet).collect()
    }
}

const CALLER: Voice = Voice {
    leg: 0,
    channel: Channel::Left,
    codec: Codec::Pcma,
};
const CALLEE: Voice = Voice {
    leg: 1,
    channel: Channel::Right,
    codec: Codec::Opus,
};

/// Whether the tone is in a channel between two milliseconds.
fn has(frames: &[[i16; 2]], channel: usize, (from, to): (usize, usize), hertz: f64) -> bool {
    let samples: Vec<i16> = frames[from * 8..to * 8]
        .iter()
        .map(|frame| frame[channel])
        .collect();
    level_at(hertz, &samples, 8_000) > 4_000.0
}

fn loudest(frames: &[[i16; 2]], channel: usize, (from, to): (usize, usize)) -> u16 {
    frames[from * 8..to * 8]
        .iter()
        .map(|frame| frame[channel].unsigned_abs())
        .max()
        .unwrap()
}

fn frames(journal: &[u8]) -> Vec<[i16; 2]> {
    finalise(journal, Rate::Narrow).unwrap().frames
}

/// Two seconds: the caller from the start with 600 Hz, the callee after one second with 1,000 Hz.
fn call() -> Vec<u8> {
    let mut writer = Writer::new();
    let (left, right) = (
        CALLER.packets(600.0, 100, 65_500),
        CALLEE.packets(1_000.0, 50, 3),
    );
    for n in 0..100 {
        writer.packet(n * 20, &CALLER, &left[usize::try_from(n).unwrap()]);
        if n >= 50 {
            writer.packet(
                n * 20 + 7,
                &CALLEE,
                &right[usize::try_from(n - 50).unwrap()],
            );
        }
    }
    writer.end(2_000)
}

#[test]
fn both_sides_are_heard_in_their_place() {
    let journal = call();
    let audio = frames(&journal);
    assert_eq!(audio.len(), 16_000);
    assert!(has(&audio, 0, (0, 1_000), 600.0) && has(&audio, 0, (1_000, 1_990), 600.0));
    assert!(
        !has(&audio, 0, (1_000, 1_990), 1_000.0),
        "the sides are apart"
    );
    assert_eq!(loudest(&audio, 1, (0, 1_000)), 0);
    assert!(has(&audio, 1, (1_050, 1_990), 1_000.0));
    let expect = Survey {
        recording: RecordingId(42),
        began: at(0),
        length: Duration::from_secs(2),
        channels: Channels::Stereo,
        is_wide: true,
        packets: 150,
        missing: 0,
        end: Some(RecordEnd::HungUp),
    };
    assert_eq!(survey(journal.as_slice()).unwrap(), expect);
}

#[test]
fn the_same_journal_gives_the_same_audio() {
    let journal = call();
    assert_eq!(frames(&journal), frames(&journal));
}

#[test]
fn wide_audio_is_there_when_asked_for() {
    let audio = finalise(&call(), Rate::Wide).unwrap().frames;
    assert_eq!(audio.len(), 32_000);
}

#[test]
fn jitter_reordering_and_doubles_change_nothing() {
    let packets = CALLER.packets(600.0, 100, 7);
    let mut even = Writer::new();
    let mut uneven = Writer::new();
    for (n, packet) in (0..).zip(&packets) {
        even.packet(n * 20, &CALLER, packet);
    }
    let mut order: Vec<usize> = (0..100).collect();
    for pair in order[10..].chunks_mut(7) {
        pair.reverse();
    }
    for (n, place) in (0..).zip(order) {
        // Always in time, now and then late.
        let late = if n % 13 == 0 { 15 } else { 0 };
        uneven.packet(n * 20 + late, &CALLER, &packets[place]);
        if n % 5 == 0 {
            uneven.packet(n * 20 + late, &CALLER, &packets[place]);
        }
    }
    // The very first packet came 15 ms late, and everything is placed by it.
    let (even, uneven) = (frames(&even.end(2_000)), frames(&uneven.end(2_000)));
    assert_eq!(even[..15_000], uneven[120..15_120]);
}

#[test]
fn lost_packets_are_filled_and_long_holes_are_silent() {
    let packets = CALLER.packets(600.0, 150, 7);
    let mut writer = Writer::new();
    for (n, packet) in (0..).zip(&packets) {
        let is_lost = (30..32).contains(&n) || (60..100).contains(&n);
        if !is_lost {
            writer.packet(n * 20, &CALLER, packet);
        }
    }
    let audio = frames(&writer.end(3_000));
    assert!(loudest(&audio, 0, (600, 640)) > 1_500, "two packets");
    assert_eq!(loudest(&audio, 0, (1_210, 1_990)), 0, "800 ms");
    assert!(has(&audio, 0, (2_000, 2_990), 600.0));
}

#[test]
fn a_pause_is_cut_out() {
    let packets = CALLER.packets(600.0, 50, 7);
    let after = CALLER.packets(1_500.0, 50, 500);
    let mut writer = Writer::new();
    for (n, packet) in (0..).zip(&packets) {
        writer.packet(n * 20, &CALLER, packet);
    }
    writer.entry(Entry::Pause { at: at(1_000) });
    writer.packet(5_000, &CALLER, &CALLER.packets(900.0, 1, 300)[0]);
    writer.entry(Entry::Resume { at: at(61_000) });
    for (n, packet) in (0..).zip(&after) {
        writer.packet(61_000 + n * 20, &CALLER, packet);
    }
    let journal = writer.end(62_000);
    let audio = frames(&journal);
    assert_eq!(audio.len(), 16_000);
    assert!(has(&audio, 0, (0, 990), 600.0) && has(&audio, 0, (1_010, 1_990), 1_500.0));
    assert_eq!(
        survey(journal.as_slice()).unwrap().length,
        Duration::from_secs(2)
    );
}

/// After a transfer another leg has the right side, in another codec, and the caller was on hold.
#[test]
fn another_leg_takes_the_channel_over() {
    let third = Voice {
        leg: 2,
        codec: Codec::G722,
        ..CALLEE
    };
    let mut writer = Writer::new();
    for (n, packet) in (0..).zip(&CALLEE.packets(600.0, 50, 7)) {
        writer.packet(n * 20, &CALLEE, packet);
    }
    for (n, packet) in (0..).zip(&third.packets(1_500.0, 50, 9)) {
        writer.packet(2_000 + n * 20, &third, packet);
    }
    let audio = frames(&writer.end(3_000));
    assert!(has(&audio, 1, (20, 990), 600.0) && has(&audio, 1, (2_010, 2_990), 1_500.0));
    assert_eq!(loudest(&audio, 1, (1_100, 1_990)), 0);
}

#[test]
fn a_new_timeline_of_the_same_leg_is_placed_by_its_arrival() {
    let mut writer = Writer::new();
    let mut packets = CALLER.packets(600.0, 100, 7);
    for packet in &mut packets[50..] {
        packet[4] ^= 0x55;
    }
    for (n, packet) in (0..).zip(&packets) {
        writer.packet(n * 20 + if n < 50 { 0 } else { 3_000 }, &CALLER, packet);
    }
    let audio = frames(&writer.end(5_000));
    assert!(has(&audio, 0, (0, 990), 600.0) && has(&audio, 0, (4_010, 4_990), 600.0));
    assert_eq!(loudest(&audio, 0, (1_200, 3_990)), 0);
}

#[test]
fn events_are_not_heard_and_gaps_are_counted() {
    let mut writer = Writer::new();
    let event = Voice {
        codec: Codec::TelephoneEvent,
        ..CALLER
    };
    writer.packet(20, &event, &vec![0x80; 16]);
    writer.entry(Entry::Gap {
        at: at(900),
        packets: 31,
    });
    let journal = writer.end(1_000);
    assert_eq!(loudest(&frames(&journal), 0, (0, 1_000)), 0);
    let survey = survey(journal.as_slice()).unwrap();
    assert_eq!(
        (survey.missing, survey.packets, survey.channels),
        (31, 0, Channels::Mono)
    );
}

/// kill −9 at any byte: all whole blocks are there, and the rest is nothing.
#[test]
fn a_torn_journal_loses_its_tail_only() {
    let mut writer = Writer::new();
    let packets = CALLER.packets(600.0, 6, 7);
    let mut whole_at = vec![writer.0.len()];
    for (n, packet) in (0..).zip(&packets) {
        writer.packet(n * 20, &CALLER, packet);
        whole_at.push(writer.0.len());
    }
    let journal = writer.0;
    for cut in 0..=journal.len() {
        let whole = whole_at.iter().filter(|end| **end <= cut).count();
        match survey(&journal[..cut]) {
            Ok(survey) => assert_eq!(survey.packets, whole as u64 - 1, "cut at {cut}"),
            Err(error) => assert_eq!(whole, 0, "cut at {cut}: {error}"),
        }
    }
}

#[test]
fn what_is_no_journal_is_said_to_be_none() {
    for bytes in [&b""[..], b"RIFF....WAVE", &[0; 100], &[0xff; 100]] {
        assert!(matches!(
            finalise(bytes, Rate::Narrow),
            Err(JournalError::NotAJournal)
        ));
    }
}

proptest::proptest! {
    #[test]
    fn damage_anywhere_does_no_harm(place in 0_usize..4_000, byte: u8) {
        let mut journal = call();
        let before = frames(&journal).len();
        let place = place * journal.len() / 4_000;
        journal[place] = byte;
        if let Ok(audio) = finalise(&journal, Rate::Narrow) {
            proptest::prop_assert!(audio.frames.len() <= before);
        }
    }

    #[test]
    fn any_entries_are_survived(entries in proptest::collection::vec((0_u64..1 << 40, 0_u8..5, proptest::num::u8::ANY, proptest::collection::vec(proptest::num::u8::ANY, 0..60)), 0..40)) {
        let mut writer = Writer::new();
        for (at, codec, kind, packet) in &entries {
            let at = Time::from_micros(BEGAN * 1_000 + at % 5_000_000);
            let codec = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus, Codec::TelephoneEvent][usize::from(*codec)];
            let mut packet = packet.clone();
            if let Some(first) = packet.first_mut() {
                *first = 0x80;
            }
            writer.entry(match kind % 8 {
                0 => Entry::Pause { at },
                1 => Entry::Resume { at },
                2 => Entry::Gap { at, packets: 7 },
                kind => Entry::Packet { at, leg: kind % 3, channel: Channel::Right, codec, packet: &packet },
            });
        }
        let audio = finalise(&writer.0, Rate::Narrow).unwrap();
        proptest::prop_assert!(audio.frames.len() <= 5 * 8_000);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let sealed = [&seal(&bytes)[..], &bytes].concat();
        for bytes in [bytes, sealed] {
            survey(bytes.as_slice()).ok();
            finalise(&bytes, Rate::Narrow).ok();
        }
    }
}
