//! Faxes: T.38 as datagrams of which we know nothing, and G.711 of which no bit may change.

use super::*;

impl Server {
    fn faxes(&self, path: PathId, phone: &Phone) {
        self.remote(path, phone, |remote| {
            remote.carries = Carries::Fax;
            remote.payloads.clear();
        });
    }
}

/// Like UDPTL with the number at its beginning.
fn piece(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let length = 4 + usize::from(number) % 300;
    let mut bytes = vec![high, low];
    bytes.resize(length, low ^ 0x5a);
    bytes
}

#[test]
fn a_fax_passes_both_ways_and_the_audio_comes_back() {
    let mut server = Server::start(31, |_| ());
    let Call { a, b, at_a, at_b } = server.call();
    let (to_a, to_b) = (server.rtp_of(at_a), server.rtp_of(at_b));
    a.speak(to_a, [1]);
    b.hear(1);
    // One leg is first: neither is sent what it does not await.
    server.faxes(at_a.path, &a);
    b.speak(to_b, [1]);
    a.rtp.send_to(&piece(7), to_a).unwrap();
    wait_until(|| server.rtp.counts().dropped == 2);
    server.faxes(at_b.path, &b);
    server.bridge(at_a.path, at_b.path);
    for number in [0, 1, 2, 0x7fff, 0x8000, 0x8008, 0x80c9, 0xffff] {
        a.rtp.send_to(&piece(number), to_a).unwrap();
        assert_eq!(received(&b.rtp), piece(number));
        b.rtp.send_to(&piece(number), to_b).unwrap();
        assert_eq!(received(&a.rtp), piece(number));
    }
    server.remote(at_a.path, &a, |_| ());
    server.remote(at_b.path, &b, |_| ());
    server.bridge(at_a.path, at_b.path);
    a.speak(to_a, [2]);
    let heard = received(&b.rtp);
    assert_eq!(heard[12..], voice(2)[12..]);
    let report = server.release(at_a.path);
    assert_eq!((report.packets_received, report.packets_dropped), (11, 1));
}

#[test]
fn no_bit_of_a_fax_in_g711_changes() {
    for (host, number, codec) in [(32, 0, Codec::Pcmu), (33, 8, Codec::Pcma)] {
        let mut server = Server::start(host, |_| ());
        let Call { a, b, at_a, at_b } = server.call();
        let payload = Payload {
            number,
            codec,
            clock: 8_000,
        };
        for (path, phone) in [(at_a.path, &a), (at_b.path, &b)] {
            server.remote(path, phone, |remote| remote.payloads = vec![payload]);
        }
        server.bridge(at_a.path, at_b.path);
        for sequence in 1..=256_u16 {
            // Every byte at every place, loud and silent.
            let [_, first] = sequence.to_be_bytes();
            let body: Vec<u8> = (0..160)
                .map(|place: u8| first.wrapping_add(place))
                .collect();
            let sent = packet(number, sequence, &body);
            a.rtp.send_to(&sent, server.rtp_of(at_a)).unwrap();
            assert_eq!(received(&b.rtp), sent);
        }
    }
}
