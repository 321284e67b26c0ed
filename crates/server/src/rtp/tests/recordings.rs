//! Recordings from the packet to the file and back to audio.

use std::fs;
use std::path::Path;

use media::codec::Rate;
use media::journal::{Channels, Survey, finalise, survey};
use media::{Channel, RecordEnd, RecordLimits, RecordingId};

use super::voices::{FRAME, Talker, has, payload};
use super::*;

const ID: RecordingId = RecordingId(1_700_000_000_010_001);

fn server(host: u8, folder: &Path) -> Server {
    let folder = folder.to_owned();
    Server::start(host, |settings| settings.recordings = Some(folder))
}

fn closed(event: &MediaEvent) -> Option<(RecordingId, u32, RecordEnd)> {
    let MediaEvent::RecordClosed {
        recording,
        seconds,
        reason,
    } = event
    else {
        return None;
    };
    Some((*recording, *seconds, *reason))
}

fn record(path: PathId, channel: Channel) -> Command {
    Command::Record {
        path,
        recording: ID,
        channel,
        limits: RecordLimits::CALL,
    }
}

fn journal(folder: &Path) -> Vec<u8> {
    fs::read(journal_path(folder, ID)).unwrap()
}

/// Each says its tone for so many frames, at the pace of speech.
fn talk(talkers: &mut [(&mut Talker, SocketAddr, f64)], frames: u32) {
    let begun = Instant::now();
    for frame in 1..=frames {
        for (talker, to, hertz) in &mut *talkers {
            talker.say(*to, *hertz);
        }
        std::thread::sleep((FRAME * frame).saturating_sub(begun.elapsed()));
    }
}

/// Where a tone is first heard in a channel, in 100 ms.
fn first(frames: &[[i16; 2]], channel: usize, hertz: f64) -> Option<usize> {
    let samples: Vec<i16> = frames.iter().map(|frame| frame[channel]).collect();
    samples
        .chunks(800)
        .position(|part| part.len() == 800 && has(part, hertz))
}

/// Begun before the answer; then a call, hold, a transfer to another codec, and the end.
#[test]
fn a_recording_survives_what_happens_to_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(30, folder.path());
    let (mut a, mut b, mut c) = (
        Talker::new(Codec::Pcmu),
        Talker::new(Codec::Pcmu),
        Talker::new(Codec::Opus),
    );
    let pcmu = [payload(Codec::Pcmu)];
    let (at_a, at_b) = (a.at(&mut server, &pcmu), b.at(&mut server, &pcmu));
    let at_c = c.at(&mut server, &[payload(Codec::Opus)]);
    let [to_a, to_b, to_c] = [at_a, at_b, at_c].map(|port| server.rtp_of(port));
    server.send(record(at_a.path, Channel::Left));
    talk(&mut [(&mut a, to_a, 500.0)], 15);
    server.send(record(at_b.path, Channel::Right));
    server.bridge(at_a.path, at_b.path);
    talk(&mut [(&mut a, to_a, 500.0), (&mut b, to_b, 900.0)], 25);
    server.send(record(at_c.path, Channel::Right));
    server.send(Command::Bridge {
        a: at_a.path,
        b: at_c.path,
        a_to_b: Way::Transcode {
            to: payload(Codec::Opus),
        },
        b_to_a: Way::Transcode {
            to: payload(Codec::Pcmu),
        },
    });
    server.release(at_b.path);
    talk(&mut [(&mut a, to_a, 700.0), (&mut c, to_c, 1_400.0)], 25);
    server.release(at_c.path);
    server.release(at_a.path);
    let (recording, _, reason) = server.expect(closed);
    assert_eq!((recording, reason), (ID, RecordEnd::HungUp));

    let bytes = journal(folder.path());
    let Survey {
        channels,
        packets,
        missing,
        end,
        is_wide,
        ..
    } = survey(bytes.as_slice()).unwrap();
    assert_eq!(
        (channels, missing, end),
        (Channels::Stereo, 0, Some(RecordEnd::HungUp))
    );
    assert_eq!((packets, is_wide), (15 + 2 * 25 + 2 * 25, true));
    let frames = finalise(&bytes, Rate::Narrow).unwrap().frames;
    let found = [(0, 500.0), (1, 900.0), (0, 700.0), (1, 1_400.0)]
        .map(|(channel, hertz)| first(&frames, channel, hertz).unwrap());
    assert!(
        found.is_sorted() && found[1] >= 2 && found[2] > found[1],
        "{found:?}"
    );
    assert_eq!(first(&frames, 1, 500.0), None, "the sides are apart");
    assert_eq!(first(&frames, 0, 1_400.0), None);
}

#[test]
fn a_pause_is_not_recorded_and_a_stop_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(31, folder.path());
    let mut a = Talker::new(Codec::Pcmu);
    let at_a = a.at(&mut server, &[payload(Codec::Pcmu)]);
    let to = server.rtp_of(at_a);
    let (path, recording) = (at_a.path, ID);
    server.send(record(path, Channel::Left));
    talk(&mut [(&mut a, to, 500.0)], 15);
    server.send(Command::PauseRecord { path, recording });
    talk(&mut [(&mut a, to, 900.0)], 15);
    server.send(Command::ResumeRecord { path, recording });
    talk(&mut [(&mut a, to, 1_400.0)], 15);
    server.send(Command::StopRecord { path, recording });
    assert_eq!(server.expect(closed), (ID, 0, RecordEnd::Stopped));
    talk(&mut [(&mut a, to, 500.0)], 1);
    let bytes = journal(folder.path());
    assert_eq!(survey(bytes.as_slice()).unwrap().channels, Channels::Mono);
    let frames = finalise(&bytes, Rate::Narrow).unwrap().frames;
    assert!(first(&frames, 0, 500.0).is_some() && first(&frames, 0, 1_400.0).is_some());
    assert_eq!(first(&frames, 0, 900.0), None);
}

#[test]
fn voicemail_ends_when_nobody_speaks_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(32, folder.path());
    let mut a = Talker::new(Codec::Pcmu);
    let at_a = a.at(&mut server, &[payload(Codec::Pcmu)]);
    let to = server.rtp_of(at_a);
    let limits = RecordLimits {
        silence: Some(Duration::from_secs(1)),
        ..RecordLimits::CALL
    };
    let (path, channel) = (at_a.path, Channel::Left);
    server.send(Command::Record {
        path,
        recording: ID,
        channel,
        limits,
    });
    talk(&mut [(&mut a, to, 500.0)], 50);
    // The phone goes on sending, but silence.
    let begun = Instant::now();
    while server.events.iter().all(|event| closed(event).is_none()) {
        assert!(begun.elapsed() < DEADLINE);
        a.send(to, &[0; 160]);
        std::thread::sleep(FRAME);
        server.drain();
    }
    let (_, seconds, reason) = server.expect(closed);
    assert_eq!(reason, RecordEnd::Silence);
    assert!((1..=3).contains(&seconds), "{seconds}");
}

/// Nobody knows the end of a process: what it wrote half a second before is there.
#[test]
fn what_was_said_is_on_its_way_to_the_disk_while_the_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(33, folder.path());
    let mut a = Talker::new(Codec::Pcmu);
    let at_a = a.at(&mut server, &[payload(Codec::Pcmu)]);
    let to = server.rtp_of(at_a);
    server.send(record(at_a.path, Channel::Left));
    talk(&mut [(&mut a, to, 500.0)], 30);
    wait_until(|| {
        let bytes = fs::read(journal_path(folder.path(), ID)).unwrap_or_default();
        survey(bytes.as_slice()).is_ok_and(|survey| survey.packets == 30)
    });
}

#[test]
fn a_stop_of_the_server_closes_what_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = server(34, folder.path());
    let mut a = Talker::new(Codec::Pcmu);
    let at_a = a.at(&mut server, &[payload(Codec::Pcmu)]);
    let to = server.rtp_of(at_a);
    server.send(record(at_a.path, Channel::Left));
    talk(&mut [(&mut a, to, 500.0)], 5);
    server.send(Command::Watch {
        path: at_a.path,
        silence: None,
    });
    server.expect(|event| matches!(event, MediaEvent::FirstPacket { .. }).then_some(()));
    drop(server);
    let end = survey(journal(folder.path()).as_slice()).unwrap().end;
    assert_eq!(end, Some(RecordEnd::HungUp));
}

#[test]
fn what_cannot_be_written_fails_and_the_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let check = |server: &mut Server| {
        let Call { a, b, at_a, at_b } = server.call();
        server.send(record(at_a.path, Channel::Left));
        a.speak(server.rtp_of(at_a), [1]);
        b.hear(1);
        server.release(at_a.path);
        server.release(at_b.path);
        assert_eq!(server.expect(closed), (ID, 0, RecordEnd::Failed));
    };
    check(&mut Server::start(35, |_| ()));
    // A recording of that name is there already.
    fs::write(journal_path(folder.path(), ID), b"older").unwrap();
    check(&mut server(36, folder.path()));
    assert_eq!(journal(folder.path()), b"older");
}
