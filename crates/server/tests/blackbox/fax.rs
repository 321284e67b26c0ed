//! Faxes between two machines: by T.38, and in G.711 of which no bit may change.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::common::account::JOHN;
use crate::common::sipp::{Playing, Sipp};
use crate::common::stage::{Phone, Stage};
use crate::common::trace::{Trace, Way};
use crate::common::{address, wait_for};

/// Where a fax machine sends and receives; its signalling is sipp's.
struct Machine {
    audio: UdpSocket,
    fax: UdpSocket,
}

/// Longer than a datagram takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(5);

impl Machine {
    fn beside(phone: &Phone) -> Self {
        let socket = || {
            let at = address::free_port(phone.address.ip());
            let socket = UdpSocket::bind(at).expect("the port was free");
            let deadline = socket.set_read_timeout(Some(DEADLINE));
            deadline.expect("a deadline is not zero");
            socket
        };
        Self {
            audio: socket(),
            fax: socket(),
        }
    }

    fn signals(&self, sipp: Sipp) -> Sipp {
        let port = |socket: &UdpSocket| socket.local_addr().expect("it is bound").port();
        let (audio, fax) = (port(&self.audio), port(&self.fax));
        sipp.key("audio_port", &audio.to_string())
            .key("fax_port", &fax.to_string())
    }
}

/// Where the server wants the packets of the party with this trace: its newest description of that
/// kind (`m=image `).
fn wanted(trace: &Trace, line: &str) -> Option<SocketAddr> {
    let received = trace.messages.iter().rev();
    let mut received = received.filter(|message| message.way == Way::Received);
    received.find_map(|message| {
        let behind = |start: &str| {
            message
                .text
                .lines()
                .find_map(|text| text.strip_prefix(start))
        };
        let port = behind(line)?.split(' ').next()?.parse().ok()?;
        let host = behind("c=IN IP4 ")?.trim().parse().ok()?;
        Some(SocketAddr::new(host, port))
    })
}

/// Waits until the server has described so many streams of that kind to that party.
fn described(sipp: &Playing, line: &str, times: usize) -> SocketAddr {
    wait_for(&format!("{times} times {line}"), DEADLINE, || {
        let trace = sipp.trace();
        let received = trace.messages.iter().filter(|message| {
            message.way == Way::Received && message.text.contains(&format!("\n{line}"))
        });
        (received.count() >= times).then(|| wanted(&trace, line))?
    })
}

/// One sends, the other must receive exactly that.
fn passes(from: &UdpSocket, via: SocketAddr, to: &UdpSocket, datagram: &[u8]) {
    from.send_to(datagram, via).expect("loopback takes it");
    let mut buffer = [0; 2_048];
    let bytes = to.recv(&mut buffer).expect("it arrives");
    assert_eq!(&buffer[..bytes], datagram);
}

/// A packet of PCMA, numbered, whose samples run through all values.
fn voice(sequence: u16) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let [t0, t1, t2, t3] = (u32::from(sequence) * 160).to_be_bytes();
    let mut packet = vec![0x80, 8, high, low, t0, t1, t2, t3, 0, 0, 0, 9];
    packet.extend((0..160).map(|place: u8| place.wrapping_mul(3).wrapping_add(low)));
    packet
}

/// A piece of a fax, as far as anybody between the machines can tell.
fn piece(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let mut piece = vec![high, low];
    piece.resize(4 + usize::from(number) % 300, low ^ 0xc3);
    piece
}

#[test]
fn a_fax_goes_over_to_t38_and_back() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (to, from) = (Machine::beside(&john), Machine::beside(&ann));
    let called = to.signals(john.play("answers-faxes").pause_ms(100)).start();
    let calling = stage.phone_plays(&ann, "phone-faxes", JOHN);
    // Long enough for what is sent meanwhile, on a busy machine too.
    let calling = calling.variable("talk", 2_000).pause_ms(3_000);
    let calling = from.signals(calling).start();

    // The tones in which the machines find one another are audio.
    let (to_caller, to_called) = (
        described(&calling, "m=audio ", 1),
        described(&called, "m=audio ", 1),
    );
    for sequence in 1..=100 {
        passes(&from.audio, to_caller, &to.audio, &voice(sequence));
        passes(&to.audio, to_called, &from.audio, &voice(sequence));
    }
    let (to_caller, to_called) = (
        described(&calling, "m=image ", 1),
        described(&called, "m=image ", 1),
    );
    for number in (0..50).chain(0x80c0..0x80d0) {
        passes(&from.fax, to_caller, &to.fax, &piece(number));
        passes(&to.fax, to_called, &from.fax, &piece(number));
    }
    // The audio is described again, and takes the numbers up where they were.
    let (to_caller, to_called) = (
        described(&calling, "m=audio ", 2),
        described(&called, "m=audio ", 2),
    );
    for sequence in 101..=150 {
        passes(&from.audio, to_caller, &to.audio, &voice(sequence));
        passes(&to.audio, to_called, &from.audio, &voice(sequence));
    }
    calling.finish();
    called.finish();
    stage.follows("fax::a_fax_goes_over_to_t38_and_back");
}

#[test]
fn who_has_no_t38_goes_on_in_g711_of_which_no_bit_changes() {
    let stage = Stage::new();
    let (john, ann) = (stage.phone("1010-desk"), stage.phone("1020-desk"));
    let (to, from) = (Machine::beside(&john), Machine::beside(&ann));
    let called = to
        .signals(john.play("answers-has-no-fax").pause_ms(100))
        .start();
    let calling = stage.phone_plays(&ann, "phone-faxes-in-vain", JOHN);
    let calling = calling.variable("talk", 1_000).pause_ms(2_000);
    let calling = from.signals(calling).start();
    let (to_caller, to_called) = (
        described(&calling, "m=audio ", 1),
        described(&called, "m=audio ", 1),
    );
    passes(&from.audio, to_caller, &to.audio, &voice(1));
    calling.wait_for_received("SIP/2.0 488");
    for sequence in 2..=256 {
        passes(&from.audio, to_caller, &to.audio, &voice(sequence));
        passes(&to.audio, to_called, &from.audio, &voice(sequence));
    }
    calling.finish();
    called.finish();
    stage.follows("fax::who_has_no_t38_goes_on_in_g711_of_which_no_bit_changes");
}
