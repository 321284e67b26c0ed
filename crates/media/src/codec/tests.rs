//! Tones through every coder, lost packets, hostile payloads.

use super::*;
use crate::rtp::Packet;
use crate::testing::{level_at, sine};

const VOICES: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

/// One second of a tone, encoded.
fn tone(codec: Codec, hertz: f64, rate: Rate) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, rate).unwrap();
    let samples = sine(hertz, 8_000, rate.hertz(), 1_000);
    let encode = |frame| {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload);
        payload
    };
    samples.chunks(rate.frame_samples()).map(encode).collect()
}

fn decoded(codec: Codec, frames: &[Vec<u8>], rate: Rate) -> Vec<i16> {
    let mut decoder = Decoder::new(codec, rate).unwrap();
    let mut samples = Vec::new();
    for frame in frames {
        decoder.decode(frame, &mut samples);
    }
    samples
}

fn assert_tone(what: &str, samples: &[i16], hertz: f64, rate: Rate) {
    let settled = &samples[samples.len() / 4..];
    let (wanted, beside) = (
        level_at(hertz, settled, rate.hertz()),
        level_at(hertz * 1.3, settled, rate.hertz()),
    );
    assert!((wanted - 8_000.0).abs() < 1_600.0, "{what}: {wanted}");
    assert!(beside < 400.0, "{what}: {beside} beside the tone");
}

#[test]
fn a_tone_survives_every_codec_at_both_rates() {
    for codec in VOICES {
        for encoded_at in [Rate::Narrow, Rate::Wide] {
            let frames = tone(codec, 1_000.0, encoded_at);
            for decoded_at in [Rate::Narrow, Rate::Wide] {
                let samples = decoded(codec, &frames, decoded_at);
                let what = format!("{codec:?} {encoded_at:?} → {decoded_at:?}");
                assert_eq!(samples.len(), decoded_at.hertz() as usize, "{what}");
                assert_tone(&what, &samples, 1_000.0, decoded_at);
            }
        }
    }
}

#[test]
fn wide_codecs_carry_what_narrow_ones_cannot() {
    for (codec, expect) in [
        (Codec::G722, true),
        (Codec::Opus, true),
        (Codec::Pcma, false),
    ] {
        let samples = decoded(codec, &tone(codec, 6_000.0, Rate::Wide), Rate::Wide);
        let level = level_at(6_000.0, &samples[4_000..], 16_000);
        assert_eq!(level > 2_000.0, expect, "{codec:?}: {level}");
        assert_eq!(codec.is_wide(), expect);
    }
}

/// Packets of one sender with these numbers and timestamps through a transcoder: its frames, and the
/// silence in milliseconds before each.
fn transcoded(
    from: Codec,
    to: Codec,
    packets: impl IntoIterator<Item = (u16, u32, Vec<u8>)>,
) -> Vec<(Vec<u8>, u128)> {
    let clock = if from == Codec::Opus { 48_000 } else { 8_000 };
    let payload = Payload {
        number: 0,
        codec: from,
        clock,
    };
    let (mut transcoder, mut frames) = (Transcoder::new(to), Vec::new());
    for (sequence, timestamp, body) in packets {
        let packet = Packet {
            marker: false,
            payload: 0,
            sequence,
            timestamp,
            ssrc: 1,
            body: &body,
        };
        transcoder.push(payload, &packet, |frame, silent| {
            frames.push((frame.to_vec(), silent.as_millis()));
        });
    }
    frames
}

#[test]
fn every_pair_of_codecs_is_transcoded() {
    for from in VOICES {
        for to in VOICES.into_iter().filter(|to| *to != from) {
            let step = if from == Codec::Opus { 960 } else { 160 };
            let sequences = (65_530_u16..=65_535).chain(0..=43);
            let packets = sequences.zip(0..).zip(tone(from, 700.0, Rate::Narrow));
            let packets = packets.map(|((sequence, n), body)| (sequence, n * step, body));
            let frames = transcoded(from, to, packets);
            assert_eq!(frames.len(), 50, "{from:?} → {to:?}");
            assert!(frames.iter().all(|(_, silent)| *silent == 0));
            let frames: Vec<_> = frames.into_iter().map(|(frame, _)| frame).collect();
            let samples = decoded(to, &frames, Rate::Narrow);
            assert_tone(&format!("{from:?} → {to:?}"), &samples, 700.0, Rate::Narrow);
        }
    }
}

#[test]
fn lost_packets_are_concealed_late_ones_left_out_and_pauses_kept() {
    let check = |packets: &[(u16, u32)], expect: &[u128]| {
        let bodies = packets
            .iter()
            .map(|(sequence, frame)| (*sequence, frame * 160, vec![0xff; 160]));
        let frames = transcoded(Codec::Pcmu, Codec::Pcma, bodies);
        let silent: Vec<_> = frames.iter().map(|(_, silent)| *silent).collect();
        assert_eq!(silent, expect, "{packets:?}");
    };
    check(&[(1, 1), (2, 2), (3, 3)], &[0, 0, 0]);
    check(&[(1, 1), (4, 4)], &[0, 0, 0, 0]);
    check(&[(1, 1), (3, 3), (2, 2)], &[0, 0, 0]);
    check(&[(1, 1), (2, 2), (2, 2)], &[0, 0]);
    check(&[(1, 1), (50, 50), (51, 51)], &[0, 960, 0]);
    // The sender says nothing for a while, or begins anew.
    check(&[(1, 1), (2, 12)], &[0, 200]);
    check(&[(60_000, 9_000), (1, 1), (2, 2)], &[0, 0, 0]);
}

#[test]
fn other_packet_lengths_become_frames_of_20_ms() {
    let packets = (0..4).map(|n: u16| (n, u32::from(n) * 240, vec![0xff; 240]));
    let frames = transcoded(Codec::Pcmu, Codec::G722, packets);
    let lengths: Vec<_> = frames
        .iter()
        .map(|(frame, silent)| (frame.len(), *silent))
        .collect();
    assert_eq!(lengths, [(160, 0); 6]);
}

#[test]
fn concealment_fades_out() {
    for codec in VOICES {
        let mut decoder = Decoder::new(codec, Rate::Narrow).unwrap();
        let mut samples = Vec::new();
        for frame in tone(codec, 500.0, Rate::Narrow) {
            decoder.decode(&frame, &mut samples);
        }
        samples.clear();
        for _ in 0..20 {
            decoder.conceal(&mut samples);
        }
        let loudest = |part: &[i16]| {
            part.iter()
                .map(|sample| sample.unsigned_abs())
                .max()
                .unwrap()
        };
        assert_eq!(samples.len(), 20 * 160, "{codec:?}");
        assert!(loudest(&samples[..160]) > 3_000, "{codec:?}: not a hole");
        assert_eq!(loudest(&samples[10 * 160..]), 0, "{codec:?}: not for ever");
    }
}

#[test]
fn event_packets_are_no_voice() {
    assert!(Decoder::new(Codec::TelephoneEvent, Rate::Narrow).is_none());
    assert!(Encoder::new(Codec::TelephoneEvent, Rate::Narrow).is_none());
}

proptest::proptest! {
    #[test]
    fn any_payload_is_survived(payloads in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..2_040), 1..6)) {
        for codec in VOICES {
            let mut decoder = Decoder::new(codec, Rate::Wide).unwrap();
            for payload in &payloads {
                let mut samples = Vec::new();
                decoder.decode(payload, &mut samples);
                proptest::prop_assert!(samples.len() <= 16 * 120, "{codec:?} {}", samples.len());
            }
        }
    }
}
