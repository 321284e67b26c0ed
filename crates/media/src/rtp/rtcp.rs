//! The RTCP header (RFC 3550 §6.1): enough to know that a datagram is one, and to walk it.

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpPacket<'a> {
    /// 200 sender report, 201 receiver report, 202 source description, 203 goodbye, …
    pub kind: u8,
    /// Report or source count, or the subtype.
    pub count: u8,
    /// Without the 4-byte header.
    pub body: &'a [u8],
}

/// The packets of a compound, or `None` if the lengths do not add up to the datagram
/// (RFC 3550 §A.2). Reduced-size compounds (RFC 5506) pass: the first packet may be of any kind.
pub fn rtcp_packets(datagram: &[u8]) -> Option<RtcpPackets<'_>> {
    let mut rest = datagram;
    while !rest.is_empty() {
        rest = split(rest)?.1;
    }
    (!datagram.is_empty()).then_some(RtcpPackets { rest: datagram })
}

/// Walks a compound whose lengths were checked.
#[derive(Clone, Debug)]
pub struct RtcpPackets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RtcpPackets<'a> {
    type Item = RtcpPacket<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (packet, rest) = split(self.rest)?;
        self.rest = rest;
        Some(packet)
    }
}

fn split(datagram: &[u8]) -> Option<(RtcpPacket<'_>, &[u8])> {
    let (header, rest) = datagram.split_first_chunk::<4>()?;
    let [flags, kind @ 192..=223, high, low] = *header else {
        return None;
    };
    if flags >> 6 != 2 {
        return None;
    }
    let words = usize::from(u16::from_be_bytes([high, low]));
    let (body, rest) = rest.split_at_checked(words * 4)?;
    Some((
        RtcpPacket {
            kind,
            count: flags & 0x1f,
            body,
        },
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compound_is_walked() {
        let datagram = [0x81, 201, 0, 1, 1, 2, 3, 4, 0x80, 203, 0, 0];
        let kinds: Vec<_> = rtcp_packets(&datagram)
            .unwrap()
            .map(|p| (p.kind, p.count, p.body.len()))
            .collect();
        assert_eq!(kinds, [(201, 1, 4), (203, 0, 0)]);
    }

    #[test]
    fn lengths_must_add_up() {
        for datagram in [
            &[][..],
            &[0x80, 201, 0],
            &[0x80, 201, 0, 1, 1, 2, 3],
            &[0x80, 201, 0, 0, 9],
            &[0x40, 201, 0, 0],
            &[0x80, 100, 0, 0],
        ] {
            assert!(rtcp_packets(datagram).is_none(), "{datagram:?}");
        }
    }
}
