//! What phones hear from us: prompts, music, keys, translations, rooms; checked by number and spectrum.

use std::f64::consts::TAU;

use clock::Time;
use media::codec::{Decoder, Encoder, Rate};
use media::dtmf::KeyTone;
use media::rtp::{Packet, TelephoneEvents};
use media::{PlayId, Playlist, RoomId, Sound, Speech, tie};

use super::*;

pub(super) const FRAME: Duration = Duration::from_millis(20);

pub(super) fn payload(codec: Codec) -> Payload {
    media::Format::usual(codec).payload()
}

/// A phone that speaks one codec.
pub(super) struct Talker {
    pub(super) phone: Phone,
    codec: Codec,
    encoder: Encoder,
    sequence: u16,
    sample: u32,
}

impl Talker {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            phone: Phone::new(),
            codec,
            encoder: Encoder::new(codec, Rate::Narrow).unwrap(),
            sequence: 0,
            sample: 0,
        }
    }

    /// A port of the server whose phone this is.
    pub(super) fn at(&self, server: &mut Server, payloads: &[Payload]) -> Port {
        let port = server.port();
        server.remote(port.path, &self.phone, |remote| {
            remote.payloads = payloads.to_vec();
        });
        port
    }

    /// Sends the next 20 ms of a tone.
    pub(super) fn say(&mut self, to: SocketAddr, hertz: f64) {
        let samples: Vec<i16> = (0..160).map(|n| sine(hertz, self.sample + n)).collect();
        self.send(to, &samples);
    }

    pub(super) fn send(&mut self, to: SocketAddr, samples: &[i16]) {
        let payload = payload(self.codec);
        let timestamp = self.sample / 160 * (payload.clock / 50);
        let mut packet = packet(payload.number, self.sequence, &[]);
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        self.encoder.encode(samples, &mut packet);
        self.sequence = self.sequence.wrapping_add(1);
        self.sample += 160;
        self.phone.rtp.send_to(&packet, to).unwrap();
    }

    /// The next packet.
    pub(super) fn hear(&self) -> Heard {
        Heard::of(&received(&self.phone.rtp))
    }

    /// So many packets, decoded.
    pub(super) fn listen(&self, packets: usize) -> Vec<i16> {
        let mut decoder = Decoder::new(self.codec, Rate::Narrow).unwrap();
        let mut samples = Vec::new();
        for _ in 0..packets {
            decoder.decode(&self.hear().body, &mut samples);
        }
        samples
    }
}

/// A packet as a phone sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    marker: bool,
    payload: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    body: Vec<u8>,
}

impl Heard {
    fn of(datagram: &[u8]) -> Self {
        let packet = Packet::parse(datagram).expect("a phone is sent RTP");
        Self {
            marker: packet.marker,
            payload: packet.payload,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
            body: packet.body.to_vec(),
        }
    }

    /// Whether it is the next of the stream that `before` belongs to.
    fn follows(&self, before: &Self) -> bool {
        self.ssrc == before.ssrc && self.sequence == before.sequence.wrapping_add(1)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an amplitude of 8,000")]
fn sine(hertz: f64, sample: u32) -> i16 {
    ((f64::from(sample) * TAU * hertz / 8_000.0).sin() * 8_000.0) as i16
}

/// Whether a tone is in the audio.
pub(super) fn has(samples: &[i16], hertz: f64) -> bool {
    let (mut real, mut imaginary, mut angle) = (0.0, 0.0, 0.0_f64);
    for sample in samples {
        real += f64::from(*sample) * angle.cos();
        imaginary += f64::from(*sample) * angle.sin();
        angle += TAU * hertz / 8_000.0;
    }
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    2.0 * f64::hypot(real, imaginary) / count > 2_500.0
}

pub(super) fn tone(hertz: f64, milliseconds: u32) -> Arc<Sound> {
    let samples: Vec<i16> = (0..milliseconds * 8).map(|n| sine(hertz, n)).collect();
    Arc::new(Sound::encode(&samples, Rate::Narrow, &[Codec::Pcmu]))
}

fn pressed(event: &MediaEvent) -> Option<(PathId, char)> {
    let MediaEvent::Dtmf { path, digit, .. } = event else {
        return None;
    };
    Some((*path, *digit))
}

/// How much of a stand-still may be made up for.
const CAUGHT_UP: Duration = Duration::from_millis(80);

#[test]
fn a_prompt_is_heard_without_a_gap_and_its_end_told() {
    let mut server = Server::start(20, |_| ());
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let talker = Talker::new(codec);
        let port = talker.at(&mut server, &[payload(codec)]);
        let playlist = Playlist::once(vec![tone(600.0, 300), tone(600.0, 300)]);
        let begun = Instant::now();
        server.send(Command::Play {
            path: port.path,
            play: PlayId(5),
            playlist,
        });
        let packets: Vec<Heard> = (0..30).map(|_| talker.hear()).collect();
        let took = begun.elapsed();
        assert!(took >= 28 * FRAME, "at the pace of speech");
        let ended = server.expect(|event| {
            let MediaEvent::PlayEnded { path, play } = event else {
                return None;
            };
            Some((*path, *play))
        });
        assert_eq!(ended, (port.path, PlayId(5)));
        let step = payload(codec).clock / 50;
        let mut stood_still = 0;
        for pair in packets.windows(2) {
            assert!(pair[1].follows(&pair[0]));
            assert_eq!(pair[1].payload, payload(codec).number);
            let steps = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            if pair[1].marker {
                // A busy machine let the thread wait: that is a pause, and said to be one.
                assert!(steps >= 5 * step, "{codec:?}: {steps}");
                stood_still += steps - step;
            } else {
                assert_eq!(steps, step);
            }
        }
        // Nothing else is: the clock of the audio is never ahead of ours.
        let said = 29 * FRAME + FRAME * stood_still / step;
        assert!(said <= took + CAUGHT_UP, "{codec:?}: {said:?} in {took:?}");
        assert!(packets[0].marker);
        let mut decoder = Decoder::new(codec, Rate::Narrow).unwrap();
        let mut samples = Vec::new();
        for packet in &packets {
            decoder.decode(&packet.body, &mut samples);
        }
        assert!(has(&samples[1_000..], 600.0), "{codec:?}");
        server.release(port.path);
    }
}

/// What a phone hears, packet by packet: always the next one of one stream.
struct Stream<'a> {
    phone: &'a Phone,
    last: Option<Heard>,
}

impl Stream<'_> {
    /// Listens until a packet of that byte comes; `say` speaks before each.
    fn until(&mut self, byte: u8, mut say: impl FnMut()) {
        loop {
            say();
            let packet = Heard::of(&received(&self.phone.rtp));
            if let Some(last) = &self.last {
                assert!(packet.follows(last), "{packet:?} after {last:?}");
            }
            let is_it = packet.body[0] == byte;
            self.last = Some(packet);
            if is_it {
                return;
            }
        }
    }
}

/// A sound of one byte.
fn sound_of(byte: u8) -> Playlist {
    let samples = [media::codec::g711::ulaw_to_linear(byte); 160];
    let sound = Sound::encode(&samples, Rate::Narrow, &[Codec::Pcmu]);
    Playlist::forever(Arc::new(sound))
}

/// Ringing, the call, music on hold, the call again, another party: one stream for the phone.
#[test]
fn a_phone_hears_one_stream_whoever_speaks() {
    let mut server = Server::start(21, |_| ());
    let [a, b, c] = [0; 3].map(|_| Phone::new());
    let [at_a, at_b, at_c] = [&a, &b, &c].map(|phone| {
        let port = server.port();
        server.remote(port.path, phone, |_| ());
        port
    });
    let (to_b, to_c) = (server.rtp_of(at_b), server.rtp_of(at_c));
    let play = |byte: u8| Command::Play {
        path: at_a.path,
        play: PlayId(byte.into()),
        playlist: sound_of(byte),
    };
    let stop = Command::Stop { path: at_a.path };
    let mut heard = Stream {
        phone: &a,
        last: None,
    };
    // Each with numbers of its own.
    let mut numbers = 700..;
    let mut say_b = |byte| {
        let number = numbers.next().unwrap();
        b.rtp
            .send_to(&packet(0, number, &[byte; 160]), to_b)
            .unwrap();
    };

    server.send(play(0xa0));
    heard.until(0xa0, || ());
    heard.until(0xa0, || ());
    server.bridge(at_a.path, at_b.path);
    server.send(stop.clone());
    heard.until(0xb0, || say_b(0xb0));
    heard.until(0xb1, || say_b(0xb1));
    // On hold: music, whatever the other leg says.
    server.send(play(0xa1));
    heard.until(0xa1, || say_b(0xb2));
    for _ in 0..5 {
        say_b(0xb3);
        heard.until(0xa1, || ());
    }
    server.send(stop.clone());
    heard.until(0xb4, || say_b(0xb4));
    // Transferred.
    server.bridge(at_a.path, at_c.path);
    let mut others = 40_000..;
    heard.until(0xc0, || {
        let number = others.next().unwrap();
        c.rtp
            .send_to(&packet(0, number, &[0xc0; 160]), to_c)
            .unwrap();
    });
    assert!(
        server.release(at_b.path).packets_dropped >= 5,
        "what was said to the music"
    );
}

#[test]
fn legs_without_a_common_codec_understand_one_another() {
    let mut server = Server::start(22, |_| ());
    for (near, far) in [
        (Codec::Pcma, Codec::Opus),
        (Codec::G722, Codec::Pcmu),
        (Codec::Opus, Codec::G722),
    ] {
        let (mut a, mut b) = (Talker::new(near), Talker::new(far));
        let (at_a, at_b) = (
            a.at(&mut server, &[payload(near)]),
            b.at(&mut server, &[payload(far)]),
        );
        server.send(Command::Bridge {
            a: at_a.path,
            b: at_b.path,
            a_to_b: Way::Transcode { to: payload(far) },
            b_to_a: Way::Transcode { to: payload(near) },
        });
        let (to_a, to_b) = (server.rtp_of(at_a), server.rtp_of(at_b));
        for _ in 0..30 {
            a.say(to_a, 500.0);
            b.say(to_b, 900.0);
        }
        let (heard_by_a, heard_by_b) = (a.listen(30), b.listen(30));
        assert!(
            has(&heard_by_b[1_600..], 500.0) && !has(&heard_by_b[1_600..], 900.0),
            "{near:?}"
        );
        assert!(
            has(&heard_by_a[1_600..], 900.0) && !has(&heard_by_a[1_600..], 500.0),
            "{far:?}"
        );
        server.release(at_a.path);
        server.release(at_b.path);
    }
    assert_eq!(server.rtp.counts().relayed, 0, "nothing passed as it came");
}

/// The callee answered with more than the caller knows, and uses it.
#[test]
fn a_codec_that_only_one_side_knows_is_translated_when_it_comes() {
    let mut server = Server::start(23, |_| ());
    let caller = Talker::new(Codec::Pcmu);
    let (mut plain, mut wide) = (Talker::new(Codec::Pcmu), Talker::new(Codec::G722));
    wide.phone = Phone {
        rtp: plain.phone.rtp.try_clone().unwrap(),
        rtcp: plain.phone.rtcp.try_clone().unwrap(),
    };
    let at_caller = caller.at(&mut server, &[payload(Codec::Pcmu)]);
    let at_callee = plain.at(&mut server, &[payload(Codec::Pcmu), payload(Codec::G722)]);
    server.bridge(at_caller.path, at_callee.path);
    let to = server.rtp_of(at_callee);
    for _ in 0..10 {
        plain.say(to, 500.0);
    }
    assert!(has(&caller.listen(10), 500.0));
    wide.sequence = 10;
    wide.sample = 1_600;
    for _ in 0..30 {
        wide.say(to, 900.0);
    }
    let heard = caller.listen(30);
    assert!(has(&heard[1_600..], 900.0));
    assert_eq!(server.rtp.counts().relayed, 10);
}

#[test]
fn keys_are_pressed_as_events_or_as_tones() {
    let mut server = Server::start(24, |_| ());
    let events = [payload(Codec::Pcmu), payload(Codec::TelephoneEvent)];
    let talker = Talker::new(Codec::Pcmu);
    let port = talker.at(&mut server, &events);
    server.send(Command::SendDtmf {
        path: port.path,
        digits: "1#".into(),
    });
    let (mut keys, mut heard) = (TelephoneEvents::default(), String::new());
    while heard.len() < 2 {
        let datagram = received(&talker.phone.rtp);
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(packet.payload, 101);
        let told = keys.packet(Time::ZERO, &packet, 8_000);
        heard.extend(told.map(|key| key.digit));
    }
    assert_eq!(heard, "1#");
    let talker = Talker::new(Codec::Pcmu);
    let port = talker.at(&mut server, &[payload(Codec::Pcmu)]);
    server.send(Command::SendDtmf {
        path: port.path,
        digits: "5".into(),
    });
    let samples = talker.listen(5);
    assert!(has(&samples, 770.0) && has(&samples, 1_336.0));
}

/// A peer without events: its tones are keys while nobody else is there to hear them.
#[test]
fn keys_are_heard_in_audio_unless_two_phones_talk() {
    let mut server = Server::start(25, |_| ());
    let (mut a, b) = (Talker::new(Codec::Pcma), Talker::new(Codec::Pcma));
    let formats = [payload(Codec::Pcma)];
    let (at_a, at_b) = (a.at(&mut server, &formats), b.at(&mut server, &formats));
    let to = server.rtp_of(at_a);
    let press = |talker: &mut Talker, digit| {
        let mut tone = KeyTone::new(digit, Rate::Narrow).unwrap();
        for _ in 0..5 {
            talker.send(to, &tone.by_ref().take(160).collect::<Vec<_>>());
        }
        for _ in 0..5 {
            talker.send(to, &[0; 160]);
        }
    };
    press(&mut a, '7');
    assert_eq!(server.expect(pressed), (at_a.path, '7'));
    server.bridge(at_a.path, at_b.path);
    press(&mut a, '8');
    b.listen(10);
    server.send(Command::Unbridge { path: at_a.path });
    // It is obeyed before what is sent now is read.
    wait_until(|| {
        press(&mut a, '9');
        server.drain();
        server
            .events
            .iter()
            .any(|event| pressed(event) == Some((at_a.path, '9')))
    });
    let report = server.release(at_a.path);
    assert!(report.dtmf.starts_with("79"), "{}", report.dtmf);
}

/// Keys of a phone that knows events reach one that does not, and one in another codec.
#[test]
fn keys_pass_between_legs_that_understand_them_differently() {
    let mut server = Server::start(26, |_| ());
    let near = [payload(Codec::Pcmu), payload(Codec::TelephoneEvent)];
    let wide = Payload {
        clock: 48_000,
        number: 102,
        codec: Codec::TelephoneEvent,
    };
    for (codec, far) in [
        (Codec::Pcmu, vec![payload(Codec::Pcmu)]),
        (Codec::Opus, vec![payload(Codec::Opus), wide]),
    ] {
        let (a, b) = (Talker::new(Codec::Pcmu), Talker::new(codec));
        let (at_a, at_b) = (a.at(&mut server, &near), b.at(&mut server, &far));
        let ways = if codec == Codec::Opus {
            [far[0], near[0]].map(|to| Way::Transcode { to })
        } else {
            [Way::DIRECT, Way::DIRECT]
        };
        let [a_to_b, b_to_a] = ways;
        server.send(Command::Bridge {
            a: at_a.path,
            b: at_b.path,
            a_to_b,
            b_to_a,
        });
        let end = [3, 0x80, 3, 0x20];
        a.phone
            .rtp
            .send_to(&packet(101, 1, &end), server.rtp_of(at_a))
            .unwrap();
        if codec == Codec::Opus {
            let datagram = received(&b.phone.rtp);
            let packet = Packet::parse(&datagram).unwrap();
            assert_eq!((packet.payload, packet.body[0]), (102, 3));
            assert_eq!(
                packet.body[2..],
                960_u16.to_be_bytes(),
                "on the other clock"
            );
        } else {
            let samples = b.listen(5);
            assert!(has(&samples, 697.0) && has(&samples, 1_477.0));
        }
        server.release(at_a.path);
        server.release(at_b.path);
    }
}

/// Everybody says a tone at the pace of speech until each has heard enough; what they heard last.
fn conversation(server: &Server, members: &mut [(Talker, Port, f64)]) -> Vec<Vec<i16>> {
    let mut heard = vec![Vec::new(); members.len()];
    let mut decoders: Vec<_> = members
        .iter()
        .map(|(talker, ..)| Decoder::new(talker.codec, Rate::Narrow).unwrap())
        .collect();
    let begun = Instant::now();
    for frame in 0..60 {
        for (place, (talker, port, hertz)) in members.iter_mut().enumerate() {
            talker.say(server.rtp_of(*port), *hertz);
            talker.phone.rtp.set_nonblocking(true).unwrap();
            let mut buffer = [0; 2_048];
            while let Ok(bytes) = talker.phone.rtp.recv(&mut buffer) {
                let packet = Heard::of(&buffer[..bytes]);
                decoders[place].decode(&packet.body, &mut heard[place]);
            }
        }
        // Who speaks faster than time would be cut off.
        std::thread::sleep((FRAME * (frame + 1)).saturating_sub(begun.elapsed()));
    }
    heard
        .iter()
        .map(|samples| samples[samples.len().saturating_sub(4_000)..].to_vec())
        .collect()
}

#[test]
fn a_room_of_three_codecs() {
    let mut server = Server::start(27, |_| ());
    let members = [
        (Codec::Pcmu, 500.0),
        (Codec::G722, 900.0),
        (Codec::Opus, 1_400.0),
    ];
    let mut members: Vec<_> = members
        .map(|(codec, hertz)| {
            let talker = Talker::new(codec);
            let port = talker.at(&mut server, &[payload(codec)]);
            (talker, port, hertz)
        })
        .into();
    let join = |path, speech| Command::Join {
        path,
        room: RoomId(8),
        speech,
    };
    for (_, port, _) in &members {
        server.send(join(port.path, Speech::Heard));
    }
    let heard = conversation(&server, &mut members);
    for (place, samples) in heard.iter().enumerate() {
        for (other, (.., hertz)) in members.iter().enumerate() {
            assert_eq!(
                has(samples, *hertz),
                place != other,
                "{place} hears {other}"
            );
        }
    }
    server.send(join(members[0].1.path, Speech::Muted));
    server.send(Command::Leave {
        path: members[1].1.path,
    });
    let heard = conversation(&server, &mut members);
    assert!(
        !has(&heard[2], 500.0) && !has(&heard[2], 900.0),
        "one is muted, one is gone"
    );
    assert!(has(&heard[0], 1_400.0), "who is muted still hears");
}

/// Two media threads, each with a phone, and a pair of paths between the threads.
#[test]
fn a_tie_joins_two_threads() {
    let mut server = Server::start(28, |settings| settings.threads = 2);
    let mut ports: Vec<Vec<Port>> = vec![Vec::new(), Vec::new()];
    while ports.iter().any(|ports| ports.len() < 2) {
        let port = server.port();
        ports[usize::from(port.path.thread().0)].push(port);
    }
    let (mut a, mut b) = (Talker::new(Codec::Pcma), Talker::new(Codec::Opus));
    for (thread, talker) in [&a, &b].into_iter().enumerate() {
        server.remote(ports[thread][0].path, &talker.phone, |remote| {
            remote.payloads = vec![payload(talker.codec)];
        });
    }
    let end = |thread: usize| (ports[thread][1], server.rtp_of(ports[thread][1]));
    for command in tie(end(0), end(1), Some(Codec::Pcma)) {
        server.send(command);
    }
    server.bridge(ports[0][0].path, ports[0][1].path);
    server.send(Command::Bridge {
        a: ports[1][0].path,
        b: ports[1][1].path,
        a_to_b: Way::Transcode {
            to: payload(Codec::Pcma),
        },
        b_to_a: Way::Transcode {
            to: payload(Codec::Opus),
        },
    });
    let (to_a, to_b) = (server.rtp_of(ports[0][0]), server.rtp_of(ports[1][0]));
    // The threads obey on their own: what comes before the last command is not passed on.
    wait_until(|| {
        a.say(to_a, 500.0);
        b.say(to_b, 900.0);
        !a.phone.hears_nothing() && !b.phone.hears_nothing()
    });
    for _ in 0..30 {
        a.say(to_a, 500.0);
        b.say(to_b, 900.0);
    }
    assert!(has(&b.listen(30)[1_600..], 500.0));
    assert!(has(&a.listen(30)[1_600..], 900.0));
}
