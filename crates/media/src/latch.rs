//! Which source of packets is believed: the rule, and the state machine that learns it.
//!
//! A phone behind a NAT announces an address that nothing can reach, so its packets say where it
//! really is; but whoever is believed too easily gets the call's audio. Hence the restricted rule:
//! the source must have the address of the description or of the signalling, and unless it is
//! exactly the announced one, three packets of one SSRC must agree. Afterwards only it is heard,
//! until the peer announces another address or has been silent for a while.

use std::net::{IpAddr, SocketAddr};

/// Which sources of a leg's RTP may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latch {
    /// Only the address and port of the peer's description: trunks.
    Exact,
    /// The address of the peer's description, or the one its signalling comes from, at any port:
    /// phones, which may be behind a NAT.
    Restricted {
        /// Where the peer's SIP messages come from.
        signalling: IpAddr,
    },
}

/// What to do with a packet, by its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It comes from the known source.
    Accept,
    /// It made its source the known one: accept it, and listen to nobody else.
    Latch,
    /// Its source may turn out to be the peer, but has not yet.
    Wait,
    /// Its source may not be believed.
    Reject,
}

/// What one leg knows about its peer's source.
#[derive(Clone, Copy, Debug)]
pub struct Latching {
    announced: SocketAddr,
    rule: Latch,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody is known; `last` is where packets go meanwhile.
    Learning {
        last: SocketAddr,
        candidate: Option<Candidate>,
    },
    /// Only this source is heard.
    Latched { source: SocketAddr },
}

/// A source that may be the peer.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    packets: u8,
}

/// So many packets of one SSRC make a source that was not announced believable.
const PACKETS_TO_LATCH: u8 = 3;

impl Latching {
    /// Nobody is known yet; the peer `announced` this address.
    pub fn new(announced: SocketAddr, rule: Latch) -> Self {
        Self {
            announced,
            rule,
            state: State::Learning {
                last: announced,
                candidate: None,
            },
        }
    }

    /// Where packets to the peer go.
    pub fn destination(&self) -> SocketAddr {
        match self.state {
            State::Learning { last, .. } => last,
            State::Latched { source } => source,
        }
    }

    /// The only source that is heard, once there is one.
    pub fn source(&self) -> Option<SocketAddr> {
        match self.state {
            State::Learning { .. } => None,
            State::Latched { source } => Some(source),
        }
    }

    /// Judges a packet of a negotiated payload by its source, and learns from it.
    pub fn packet(&mut self, source: SocketAddr, ssrc: u32) -> Verdict {
        match &mut self.state {
            State::Latched { source: known } if *known == source => Verdict::Accept,
            State::Latched { .. } => Verdict::Reject,
            State::Learning { candidate, .. } => {
                let is_believed = source == self.announced
                    || self.rule.permits(self.announced, source)
                        && Candidate::confirmed(candidate, source, ssrc);
                if is_believed {
                    self.state = State::Latched { source };
                    Verdict::Latch
                } else if self.rule.permits(self.announced, source) {
                    Verdict::Wait
                } else {
                    Verdict::Reject
                }
            }
        }
    }

    /// Whether a report (RTCP) from this source may be believed: ports differ from those of RTP, so
    /// only the address counts, and once the peer is known it must be its own.
    pub fn permits_report(&self, source: SocketAddr) -> bool {
        match self.state {
            State::Learning { .. } => {
                source.ip() == self.announced.ip() || self.rule.permits(self.announced, source)
            }
            State::Latched { source: known } => known.ip() == source.ip(),
        }
    }

    /// Forgets the source but keeps sending there: the peer has been silent and may have moved.
    pub fn relearn(&mut self) {
        self.state = State::Learning {
            last: self.destination(),
            candidate: None,
        };
    }

    /// Whether this is still what the peer announces; if so, what was learned stays valid.
    pub fn is_for(&self, announced: SocketAddr, rule: Latch) -> bool {
        self.announced == announced && self.rule == rule
    }
}

impl Latch {
    fn permits(self, announced: SocketAddr, source: SocketAddr) -> bool {
        match self {
            Self::Exact => source == announced,
            Self::Restricted { signalling } => {
                source.ip() == announced.ip() || source.ip() == signalling
            }
        }
    }
}

impl Candidate {
    /// Counts a packet for its source and tells whether that has sent enough in a row.
    fn confirmed(candidate: &mut Option<Self>, source: SocketAddr, ssrc: u32) -> bool {
        let packets = match candidate {
            Some(known) if known.source == source && known.ssrc == ssrc => known.packets + 1,
            Some(_) | None => 1,
        };
        *candidate = Some(Self {
            source,
            ssrc,
            packets,
        });
        packets >= PACKETS_TO_LATCH
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Accept, Latch as Latched, Reject, Wait};
    use super::*;

    const ANNOUNCED: &str = "10.0.0.5:4000";
    const SIGNALLING: &str = "203.0.113.9";
    const NATED: &str = "203.0.113.9:61000";
    const STRANGER: &str = "198.51.100.1:4000";

    fn restricted() -> Latching {
        let rule = Latch::Restricted {
            signalling: SIGNALLING.parse().unwrap(),
        };
        Latching::new(ANNOUNCED.parse().unwrap(), rule)
    }

    fn check(mut latching: Latching, packets: &[(&str, u32, Verdict)], destination: &str) {
        for (row, (source, ssrc, expect)) in packets.iter().enumerate() {
            assert_eq!(
                latching.packet(source.parse().unwrap(), *ssrc),
                *expect,
                "row {row}"
            );
        }
        assert_eq!(latching.destination(), destination.parse().unwrap());
    }

    #[test]
    fn the_announced_source_is_believed_at_once() {
        check(
            restricted(),
            &[(ANNOUNCED, 1, Latched), (ANNOUNCED, 2, Accept)],
            ANNOUNCED,
        );
    }

    #[test]
    fn a_source_behind_a_nat_needs_three_packets_of_one_ssrc() {
        let in_a_row = [
            (NATED, 1, Wait),
            (NATED, 1, Wait),
            (NATED, 1, Latched),
            (NATED, 9, Accept),
        ];
        check(restricted(), &in_a_row, NATED);
        let other_ssrc = [
            (NATED, 1, Wait),
            (NATED, 1, Wait),
            (NATED, 2, Wait),
            (NATED, 1, Wait),
        ];
        check(restricted(), &other_ssrc, ANNOUNCED);
        let other_port = "203.0.113.9:61001";
        let ports = [
            (NATED, 1, Wait),
            (NATED, 1, Wait),
            (other_port, 1, Wait),
            (NATED, 1, Wait),
        ];
        check(restricted(), &ports, ANNOUNCED);
    }

    #[test]
    fn a_stranger_is_never_believed_nor_disturbs() {
        let rows = [
            (STRANGER, 1, Reject),
            (STRANGER, 1, Reject),
            (NATED, 7, Wait),
            (STRANGER, 1, Reject),
            (NATED, 7, Wait),
            (NATED, 7, Latched),
            (STRANGER, 7, Reject),
            (ANNOUNCED, 7, Reject),
            (NATED, 7, Accept),
        ];
        check(restricted(), &rows, NATED);
    }

    #[test]
    fn an_exact_peer_is_only_itself() {
        let exact = Latching::new(ANNOUNCED.parse().unwrap(), Latch::Exact);
        let same_address = "10.0.0.5:4002";
        check(
            exact,
            &[
                (same_address, 1, Reject),
                (NATED, 1, Reject),
                (ANNOUNCED, 1, Latched),
            ],
            ANNOUNCED,
        );
    }

    #[test]
    fn after_silence_the_peer_may_have_moved() {
        let mut latching = restricted();
        let (before, after) = ("203.0.113.9:61000", "203.0.113.9:62000");
        for _ in 0..3 {
            latching.packet(before.parse().unwrap(), 1);
        }
        assert_eq!(latching.packet(after.parse().unwrap(), 1), Reject);
        latching.relearn();
        assert_eq!(
            latching.destination(),
            before.parse().unwrap(),
            "meanwhile as before"
        );
        check(
            latching,
            &[(after, 1, Wait), (after, 1, Wait), (after, 1, Latched)],
            after,
        );
    }

    #[test]
    fn reports_must_come_from_the_peers_address() {
        let mut latching = restricted();
        let report = |port| format!("203.0.113.9:{port}").parse().unwrap();
        assert!(latching.permits_report(report(61_001)));
        assert!(latching.permits_report("10.0.0.5:4001".parse().unwrap()));
        assert!(!latching.permits_report(STRANGER.parse().unwrap()));
        for _ in 0..3 {
            latching.packet(NATED.parse().unwrap(), 1);
        }
        assert!(latching.permits_report(report(500)));
        assert!(!latching.permits_report("10.0.0.5:4001".parse().unwrap()));
    }
}
