//! Uploads: every kind that is read, and every way in which a file can be wrong.

use super::*;
use crate::level::{SPEECH_LUFS, loudness};
use crate::spectrum::{is_tones, level_db};
use crate::wav;

/// A second of 440 Hz left and 1,000 Hz right, as `tests/files/make.py` wrote it.
const FILES: &[(&str, Kind, &[u8])] = &[
    (
        "mp3",
        Kind::Mp3,
        include_bytes!("../../tests/files/stereo.mp3"),
    ),
    (
        "m4a",
        Kind::Mp4,
        include_bytes!("../../tests/files/stereo.m4a"),
    ),
    (
        "alac",
        Kind::Mp4,
        include_bytes!("../../tests/files/lossless.m4a"),
    ),
    (
        "aac",
        Kind::Aac,
        include_bytes!("../../tests/files/stereo.aac"),
    ),
    (
        "flac",
        Kind::Flac,
        include_bytes!("../../tests/files/stereo.flac"),
    ),
    (
        "vorbis",
        Kind::Ogg,
        include_bytes!("../../tests/files/vorbis.ogg"),
    ),
    (
        "opus",
        Kind::Ogg,
        include_bytes!("../../tests/files/opus.ogg"),
    ),
    (
        "opus mono",
        Kind::Ogg,
        include_bytes!("../../tests/files/mono.opus.ogg"),
    ),
    (
        "webm",
        Kind::Matroska,
        include_bytes!("../../tests/files/browser.webm"),
    ),
    (
        "wav 24",
        Kind::Wav,
        include_bytes!("../../tests/files/linear24.wav"),
    ),
    (
        "wav float",
        Kind::Wav,
        include_bytes!("../../tests/files/float.wav"),
    ),
    (
        "wav alaw",
        Kind::Wav,
        include_bytes!("../../tests/files/alaw.wav"),
    ),
    (
        "wav ulaw",
        Kind::Wav,
        include_bytes!("../../tests/files/ulaw.wav"),
    ),
    (
        "wav adpcm",
        Kind::Wav,
        include_bytes!("../../tests/files/adpcm.wav"),
    ),
    (
        "aiff",
        Kind::Aiff,
        include_bytes!("../../tests/files/linear.aiff"),
    ),
];

fn file(name: &str) -> &'static [u8] {
    FILES.iter().find(|(found, ..)| *found == name).unwrap().2
}

#[test]
fn every_usual_kind_is_heard_whole_and_in_tune() {
    for (name, kind, file) in FILES {
        assert_eq!(Kind::of(file), *kind, "{name}");
        let pcm = decode(file, 16_000, &UploadLimits::PROMPT).unwrap();
        let seconds = pcm.duration().as_secs_f64();
        // Encoders without a note of their own delay add up to two blocks.
        assert!((0.99..1.1).contains(&seconds), "{name}: {seconds} s");
        let middle = &pcm.samples()[3_200..12_800];
        assert!(is_tones(middle, 16_000, &[440.0, 1_000.0]), "{name}");
        for hz in [440.0, 1_000.0] {
            let db = level_db(middle, 16_000, hz);
            assert!((db + 14.0).abs() < 1.5, "{name}: {hz} Hz has {db:.1} dB");
        }
    }
}

#[test]
fn what_is_imported_has_its_loudness_and_no_silence_around_it() {
    for (name, _, file) in FILES {
        let pcm = import(file, SPEECH_LUFS, &UploadLimits::PROMPT).unwrap();
        let lufs = loudness(&pcm).unwrap();
        assert!((lufs - SPEECH_LUFS).abs() < 0.5, "{name}: {lufs} LUFS");
        assert_eq!(pcm.rate_hz(), Pcm::WIDE_HZ, "{name}");
    }
    let mut late = Pcm::new(16_000, vec![0; 48_000]);
    late.append(&decode(file("flac"), 16_000, &UploadLimits::PROMPT).unwrap());
    late.append(&Pcm::new(16_000, vec![0; 48_000]));
    let pcm = import(&wav::mono(&late), SPEECH_LUFS, &UploadLimits::PROMPT).unwrap();
    assert!(pcm.duration().as_secs_f64() < 1.2, "{pcm:?}");
}

#[test]
fn channels_stay_apart() {
    let found = channels(file("flac"), &UploadLimits::PROMPT).unwrap();
    let [left, right] = found.as_slice() else {
        panic!("{} channels", found.len())
    };
    assert_eq!(left.rate_hz(), 48_000);
    assert!(is_tones(left.samples(), 48_000, &[440.0]));
    assert!(is_tones(right.samples(), 48_000, &[1_000.0]));
}

fn check(file: &[u8], limits: &UploadLimits, expect: &UploadError) {
    let found = import(file, SPEECH_LUFS, limits);
    assert_eq!(found.as_ref().err(), Some(expect), "{found:?}");
}

#[test]
fn each_wrong_file_is_told_what_is_wrong_with_it() {
    let limits = UploadLimits {
        bytes: 1 << 20,
        seconds: 2,
    };
    let wav = |samples| wav::mono(&Pcm::new(8_000, samples));
    let flac = file("flac");
    let kinds: [(&[u8], Kind); 9] = [
        (b"%PDF-1.7 and so on", Kind::Pdf),
        (b"PK\x03\x04 a letter", Kind::Archive),
        (b"\x89PNG\r\n\x1a\n", Kind::Picture),
        (b"\xff\xd8\xff\xe0 a photo", Kind::Picture),
        (b"<!doctype html><p>404 Not Found", Kind::Text),
        (b"MThd\0\0\0\x06", Kind::Midi),
        (b"#!AMR\n", Kind::Amr),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind::WindowsMedia),
        (b"\x00\x01\x02\x03 who knows", Kind::Unknown),
    ];
    for (file, kind) in kinds {
        check(file, &limits, &UploadError::OtherKind { kind });
    }
    check(b"", &limits, &UploadError::Empty);
    let (bytes, limit) = (2 << 20, 1 << 20);
    check(
        &vec![0; bytes],
        &limits,
        &UploadError::TooLarge { bytes, limit },
    );
    let long = UploadError::TooLong { limit_seconds: 2 };
    check(&wav(vec![1_000; 17_000]), &limits, &long);
    check(&wav(vec![0; 8_000]), &limits, &UploadError::Silent);
    check(
        &wav(vec![]),
        &limits,
        &UploadError::Damaged { kind: Kind::Wav },
    );
    let click = wav([vec![9_000; 80], vec![0; 20]].concat());
    check(&click, &limits, &UploadError::TooShort { milliseconds: 12 });
    check(
        &flac[..40],
        &limits,
        &UploadError::Damaged { kind: Kind::Flac },
    );
    let cut = UploadError::CutOff {
        seconds: 0,
        announced_seconds: 1,
    };
    check(&flac[..flac.len() / 2], &limits, &cut);
    check(&file("wav alaw")[..5_000], &limits, &cut);
}

#[test]
fn the_texts_say_what_and_why_and_what_to_do() {
    let kind = Kind::WindowsMedia;
    let errors = [
        UploadError::Empty,
        UploadError::TooLarge {
            bytes: 70_000_000,
            limit: 64 << 20,
        },
        UploadError::TooLong { limit_seconds: 600 },
        UploadError::TooShort { milliseconds: 12 },
        UploadError::Silent,
        UploadError::OtherKind { kind },
        UploadError::OtherEncoding { kind: Kind::Mp4 },
        UploadError::NoAudio { kind: Kind::Mp4 },
        UploadError::Damaged { kind: Kind::Mp3 },
        UploadError::CutOff {
            seconds: 61,
            announced_seconds: 120,
        },
    ];
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let expected = [
        "The file is empty. Choose the file again, and check that it plays on your computer",
        "The file has 66.7 MB, and 64.0 MB are the most. Save it as MP3, or make it shorter",
        "The recording is longer than 10 minutes, which is the most. Make it shorter, and try again",
        "The recording is only 12 ms long without the silence around it. Choose one that can be heard",
        "The recording is silent. Check the microphone, and record it again",
        "This is a Windows Media file, which cannot be played on a phone. Save it as MP3, WAV, M4A, \
         Ogg or FLAC",
        "This is an MP4 or M4A file, but the audio in it is encoded in a way that is not known or is \
         copy-protected. Save it as MP3 or WAV",
        "This is an MP4 or M4A file, but there is no audio in it. Choose another file",
        "This is an MP3 file, but it is damaged. Save or download it again, and check that it plays",
        "The file ends after 1 min 1 s of 2 minutes: the rest is missing. Save or download it again",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_damaged_file_is_no_panic() {
    let limits = UploadLimits {
        bytes: 1 << 20,
        seconds: 60,
    };
    // A plain generator, so that every run sees the same damage.
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for (name, _, file) in FILES {
        for _ in 0..8 {
            let mut damaged = file.to_vec();
            for _ in 0..12 {
                let place = random(damaged.len());
                damaged[place] = random(256) as u8;
            }
            damaged.truncate(damaged.len() - random(damaged.len() / 2));
            // Damage may be inaudible; it must only end.
            if let Ok(pcm) = decode(&damaged, 8_000, &limits) {
                assert!(pcm.duration().as_secs() <= 60, "{name}");
            }
        }
    }
}

#[test]
fn a_decoder_that_stumbles_is_a_damaged_file() {
    // So many channels that the reader's arithmetic overflows (fmt chunk of WAVE_FORMAT_EXTENSIBLE).
    let mut file = file("wav 24").to_vec();
    file[22..24].copy_from_slice(&300_u16.to_le_bytes());
    assert!(decode(&file, 8_000, &UploadLimits::PROMPT).is_err());
}
