//! A phone's audio: a tone in packets of 20 ms out, a count of packets in.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use ::clock::Time;
use media::rtp::Packet;

/// One phone's RTP port.
pub(super) struct Audio {
    socket: UdpSocket,
    tone: Vec<u8>,
    call: Option<Talk>,
}

/// Packets of one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packets {
    /// Packets sent.
    pub(super) sent: u32,
    /// Packets received.
    pub(super) heard: u32,
}

struct Talk {
    peer: SocketAddr,
    next: Time,
    packets: Packets,
    sequence: u16,
    timestamp: u32,
}

impl Audio {
    /// Opens a port beside `sip`, for a tone of so many hertz; 50 and its multiples make whole
    /// periods in every packet.
    pub(super) fn open(sip: &UdpSocket, hertz: u32) -> io::Result<Self> {
        let socket = UdpSocket::bind((sip.local_addr()?.ip(), 0))?;
        socket.set_nonblocking(true)?;
        let tone = (0..SAMPLES_PER_PACKET)
            .map(|sample| mu_law(sine(sample, hertz)))
            .collect();
        Ok(Self {
            socket,
            tone,
            call: None,
        })
    }

    /// Its port.
    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Begins to talk to `peer`.
    pub(super) fn start(&mut self, now: Time, peer: SocketAddr) {
        if self.call.is_none() {
            let packets = Packets::default();
            self.call = Some(Talk {
                peer,
                next: now,
                packets,
                sequence: 0,
                timestamp: 0,
            });
        }
    }

    /// Is silent from now on; what was sent and heard.
    pub(super) fn stop(&mut self) -> Packets {
        self.call
            .take()
            .map(|call| call.packets)
            .unwrap_or_default()
    }

    /// Sends what is due and counts what came.
    pub(super) fn turn(&mut self, now: Time) {
        let heard = self.hear();
        let Some(call) = &mut self.call else { return };
        call.packets.heard += heard;
        while call.next <= now {
            // What the system does not take is missing at the other end, as on any network.
            if self
                .socket
                .send_to(&call.packet(&self.tone), call.peer)
                .is_ok()
            {
                call.packets.sent += 1;
            }
            call.next += PACKET;
        }
    }

    fn hear(&self) -> u32 {
        let mut packet = [0; 2048];
        let mut heard = 0;
        while let Ok(length) = self.socket.recv(&mut packet) {
            let voice = packet.get(..length).and_then(Packet::parse);
            heard += u32::from(voice.is_some_and(|packet| packet.payload == PCMU));
        }
        heard
    }
}

impl Talk {
    /// The next packet (RFC 3550 §5.1).
    fn packet(&mut self, tone: &[u8]) -> Vec<u8> {
        let marker = u8::from(self.sequence == 0) << 7;
        let mut packet = vec![0x80, marker | PCMU];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(u32::from(self.peer.port()).to_be_bytes());
        packet.extend(tone);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES_PER_PACKET);
        packet
    }
}

fn sine(sample: u32, hertz: u32) -> i16 {
    let turns = f64::from(sample * hertz) / f64::from(SAMPLES_PER_SECOND);
    #[expect(clippy::cast_possible_truncation, reason = "the amplitude fits")]
    let value = ((turns * std::f64::consts::TAU).sin() * AMPLITUDE) as i16;
    value
}

/// G.711 µ-law: sign, position of the highest bit, the four bits after it, all inverted.
fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let biased = sample.unsigned_abs().min(32_635) + 132;
    let exponent = 8 - biased.leading_zeros().min(8);
    let mantissa = (biased >> (exponent + 3)) & 0x0f;
    let [_, code] = (u16::try_from(exponent << 4).unwrap_or(0x70) | mantissa).to_be_bytes();
    !(sign | code)
}

const SAMPLES_PER_SECOND: u32 = 8_000;
const SAMPLES_PER_PACKET: u32 = 160;
const PACKET: Duration = Duration::from_millis(20);
/// A quarter of full scale, -12 dB.
const AMPLITUDE: f64 = 8_000.0;
/// The payload number of G.711 µ-law (RFC 3551 §6).
const PCMU: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_is_that_of_g_711() {
        let cases = [
            (0, 0xff),
            (-1, 0x7f),
            (1_000, 0xce),
            (-1_000, 0x4e),
            (i16::MAX, 0x80),
            (i16::MIN, 0x00),
        ];
        for (sample, expect) in cases {
            assert_eq!(mu_law(sample), expect, "{sample}");
        }
    }
}
