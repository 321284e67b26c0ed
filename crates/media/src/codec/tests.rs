use super::*;
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

#[test]
fn every_pair_of_codecs_is_transcoded() {
    for from in VOICES {
        for to in VOICES.into_iter().filter(|to| *to != from) {
            let mut transcoder = Transcoder::new(to);
            let mut frames = Vec::new();
            for (sequence, payload) in
                (65_530_u16..=65_535)
                    .chain(0..=43)
                    .zip(tone(from, 700.0, Rate::Narrow))
            {
                transcoder.push(from, sequence, &payload, |frame| {
                    frames.push(frame.to_vec());
                });
            }
            assert_eq!(frames.len(), 50, "{from:?} → {to:?}");
            let samples = decoded(to, &frames, Rate::Narrow);
            assert_tone(&format!("{from:?} → {to:?}"), &samples, 700.0, Rate::Narrow);
        }
    }
}

#[test]
fn lost_packets_are_concealed_and_late_ones_left_out() {
    let check = |sequences: &[u16], expect: usize| {
        let mut transcoder = Transcoder::new(Codec::Pcma);
        let mut frames = 0;
        for sequence in sequences {
            transcoder.push(Codec::Pcmu, *sequence, &[0xff; 160], |_| frames += 1);
        }
        assert_eq!(frames, expect, "{sequences:?}");
    };
    check(&[1, 2, 3], 3);
    check(&[1, 4], 4);
    check(&[1, 3, 2], 3);
    check(&[1, 2, 2], 2);
    check(&[1, 50, 51], 3);
    check(&[60_000, 1, 2], 3);
}

#[test]
fn other_packet_lengths_become_frames_of_20_ms() {
    let mut transcoder = Transcoder::new(Codec::G722);
    let mut frames = Vec::new();
    for sequence in 0..4 {
        transcoder.push(Codec::Pcmu, sequence, &[0xff; 240], |frame| {
            frames.push(frame.len());
        });
    }
    assert_eq!(frames, [160; 6]);
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
