//! The RTP header (RFC 3550 §5.1) and what kind of datagram shares the port with it.

/// What a datagram on a media port is, by its first two bytes (RFC 5761 §4, RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Audio.
    Rtp,
    /// Reports about it.
    Rtcp,
    /// STUN, DTLS, keep-alives, noise.
    Other,
}

/// What kind of datagram this is. Says nothing about the rest of it.
pub fn kind(datagram: &[u8]) -> Kind {
    match datagram {
        [0x80..=0xbf, 192..=223, ..] => Kind::Rtcp,
        [0x80..=0xbf, ..] => Kind::Rtp,
        _ => Kind::Other,
    }
}

/// An RTP packet that borrows from its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The marker: the first packet of a talk spurt or of an event.
    pub marker: bool,
    /// The payload number, 0 to 127.
    pub payload: u8,
    /// Counts packets, modulo 2^16.
    pub sequence: u16,
    /// Counts samples, modulo 2^32.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
    /// What follows the header, without padding.
    pub body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` unless header, extension and padding fit the datagram (RFC 3550 §A.1).
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, rest) = datagram.split_first_chunk::<12>()?;
        let [flags, marked, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *header;
        if flags >> 6 != 2 {
            return None;
        }
        Some(Self {
            marker: marked & 0x80 != 0,
            payload: marked & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            body: body(flags, rest)?,
        })
    }
}

/// What remains after contributing sources, extension and padding, as `flags` announce them.
fn body(flags: u8, rest: &[u8]) -> Option<&[u8]> {
    let mut rest = rest.get(usize::from(flags & 0x0f) * 4..)?;
    if flags & 0x10 != 0 {
        let (extension, after) = rest.split_first_chunk::<4>()?;
        let [_, _, high, low] = *extension;
        rest = after.get(usize::from(u16::from_be_bytes([high, low])) * 4..)?;
    }
    if flags & 0x20 != 0 {
        let padding = usize::from(*rest.last()?);
        rest = rest.get(..rest.len().checked_sub(padding).filter(|_| padding > 0)?)?;
    }
    Some(rest)
}

/// Writes another payload number into a packet and leaves the marker as it is.
pub fn set_payload(packet: &mut [u8], payload: u8) {
    if let Some(byte) = packet.get_mut(1) {
        *byte = (*byte & 0x80) | (payload & 0x7f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 2, the given flags, marker and payload 8, sequence 0x0102, and so on.
    fn packet(flags: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80 | flags, 0x88, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn header_fields_are_read() {
        let bytes = packet(0, b"xyz");
        let expect = Packet {
            marker: true,
            payload: 8,
            sequence: 0x0102,
            timestamp: 0x0304_0506,
            ssrc: 0x0708_090a,
            body: b"xyz",
        };
        assert_eq!(Packet::parse(&bytes), Some(expect));
    }

    #[test]
    fn body_is_what_header_extension_and_padding_leave() {
        let check = |flags, rest: &[u8], expect: Option<&[u8]>| {
            let bytes = packet(flags, rest);
            assert_eq!(
                Packet::parse(&bytes).map(|packet| packet.body),
                expect,
                "{flags} {rest:?}"
            );
        };
        check(0x00, b"", Some(b""));
        check(0x02, b"csrcCSRCxy", Some(b"xy"));
        check(0x02, b"csrcCSR", None);
        check(0x10, &[0, 0, 0, 1, 9, 9, 9, 9, 7], Some(&[7]));
        check(0x10, &[0, 0, 0, 2, 9, 9, 9, 9, 7], None);
        check(0x10, &[0, 0, 0], None);
        check(0x20, &[1, 2, 0, 2], Some(&[1, 2]));
        check(0x20, &[1, 2, 0, 0], None);
        check(0x20, &[1, 5], None);
        check(0x20, &[], None);
    }

    #[test]
    fn strangers_are_told_apart() {
        for (bytes, expect) in [
            (&[0x80u8, 0x00][..], Kind::Rtp),
            (&[0x80, 0xe5], Kind::Rtp),
            (&[0x81, 200], Kind::Rtcp),
            (&[0x80, 207], Kind::Rtcp),
            (&[0x00, 0x01], Kind::Other),
            (&[0x16, 0xfe], Kind::Other),
            (b"\r\n", Kind::Other),
            (b"", Kind::Other),
        ] {
            assert_eq!(kind(bytes), expect, "{bytes:?}");
        }
        assert_eq!(Packet::parse(&[0x40; 40]), None, "version 1");
        assert_eq!(Packet::parse(&[0x80; 11]), None, "short");
    }

    #[test]
    fn a_new_payload_number_keeps_the_marker() {
        let mut bytes = packet(0, b"");
        set_payload(&mut bytes, 0x65);
        assert_eq!(bytes[1], 0x80 | 0x65);
        set_payload(&mut [], 101);
    }
}
