//! Fax over IP: the one stream of a session that is `image`, `udptl`, `t38` (RFC 3362, ITU-T T.38
//! Annex D), offered in place of the audio once two fax machines have met (RFC 3264 §8.3.3).
//!
//! The two machines agree on the terms; we pass on what we understand of them, written anew.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Description, Local, RefusedStream, SdpError, parse, write};

/// What a peer said of the fax it sends and receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fax {
    pub(super) refused_before: Vec<RefusedStream>,
    pub(super) image: Image,
    pub(super) refused_after: Vec<RefusedStream>,
}

/// The stream that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) terms: Terms,
}

/// ITU-T T.38 §D.2.3. What is `None` was not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) version: Option<u8>,
    /// In bit/s.
    pub(super) max_bit_rate: Option<u32>,
    pub(super) fill_bit_removal: bool,
    pub(super) transcoding_mmr: bool,
    pub(super) transcoding_jbig: bool,
    pub(super) rate_management: Option<RateManagement>,
    /// In bytes.
    pub(super) max_buffer: Option<u32>,
    /// In bytes.
    pub(super) max_datagram: Option<u32>,
    pub(super) error_correction: Option<ErrorCorrection>,
}

/// Where the training check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RateManagement {
    /// Beside each machine; for TCP.
    Local,
    /// Between the machines.
    Transferred,
}

/// How lost packets are made good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorCorrection {
    None,
    Redundancy,
    Forward,
}

/// The names on the wire.
pub(super) const RATE_MANAGEMENTS: [(RateManagement, &str); 2] = [
    (RateManagement::Local, "localTCF"),
    (RateManagement::Transferred, "transferredTCF"),
];
/// The names on the wire.
pub(super) const ERROR_CORRECTIONS: [(ErrorCorrection, &str); 3] = [
    (ErrorCorrection::None, "t38UDPNoEC"),
    (ErrorCorrection::Redundancy, "t38UDPRedundancy"),
    (ErrorCorrection::Forward, "t38UDPFEC"),
];

impl Fax {
    /// Reads what a peer sent. [`Description::parse`] comes first: of a description that offers audio
    /// too, the audio is taken.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        parse::fax(bytes)
    }

    /// Where the peer wants its packets.
    pub fn remote(&self) -> SocketAddr {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        SocketAddr::new(self.image.address.unwrap_or(nowhere), self.image.port)
    }

    /// The peer's session once `audio`, which it described before, is spoken again: lines never vanish
    /// from a session (RFC 3264 §8), so the audio takes the place it had, or that of the fax.
    #[must_use]
    pub fn back_to(&self, audio: &Description) -> Description {
        let lines = (&self.refused_before, &self.refused_after);
        let (refused_before, refused_after) = with_place_for(AUDIO, lines, IMAGE);
        Description {
            refused_before,
            audio: audio.audio.clone(),
            refused_after,
        }
    }
}

/// The fax that `other` offers, offered to the peer whose newest description is `previous`.
pub fn offer_fax(other: &Fax, previous: &Description, local: Local) -> Vec<u8> {
    let lines = (&previous.refused_before, &previous.refused_after);
    let (before, after) = with_place_for(IMAGE, lines, AUDIO);
    write::fax(&other.image.terms, (&before, &after), local)
}

/// The answer to `offer` with what the other side has accepted.
pub fn answer_fax(accepted: &Fax, offer: &Fax, local: Local) -> Vec<u8> {
    let lines = (&*offer.refused_before, &*offer.refused_after);
    write::fax(&accepted.image.terms, lines, local)
}

/// What a line of a session is for: its kind, transport and first format.
type Kind = (&'static str, &'static str);

const IMAGE: Kind = ("image", "udptl t38");
const AUDIO: Kind = ("audio", "RTP/AVP 0");

/// The lines before and after the one in use when that is for `wanted` from now on, and was for
/// `left`. It stays where it is unless the session has a line of the wanted kind already.
fn with_place_for(
    wanted: Kind,
    (before, after): (&Vec<RefusedStream>, &Vec<RefusedStream>),
    left: Kind,
) -> (Vec<RefusedStream>, Vec<RefusedStream>) {
    let left = RefusedStream {
        kind: left.0.to_owned(),
        transport: left.1.to_owned(),
    };
    let mut lines = before.clone();
    lines.push(left);
    lines.extend(after.iter().cloned());
    let is_wanted = |line: &RefusedStream| line.kind == wanted.0;
    let place = lines.iter().position(is_wanted).unwrap_or(before.len());
    let after = lines.split_off(place).split_off(1);
    (lines, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Direction, VOICES, offer_again, own_answer};

    const HEAD: &str = "v=0\r\no=gw 1 2 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n";
    const OURS: &str =
        "v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n";

    fn local() -> Local {
        Local {
            address: "198.51.100.1".parse().unwrap(),
            rtp_port: 20_000,
            session: 7,
            version: 1,
        }
    }

    fn fax(lines: &[&str]) -> Fax {
        Fax::parse(text(HEAD, lines).as_bytes()).unwrap()
    }

    fn audio(lines: &[&str]) -> Description {
        Description::parse(text(HEAD, lines).as_bytes()).unwrap()
    }

    fn text(head: &str, lines: &[&str]) -> String {
        let lines = lines.iter().flat_map(|line| [*line, "\r\n"]);
        std::iter::once(head).chain(lines).collect()
    }

    /// The `m=` lines without their formats.
    fn lines(sdp: &[u8]) -> Vec<&str> {
        let lines = str::from_utf8(sdp).unwrap().lines();
        let media = lines.filter_map(|line| line.strip_prefix("m="));
        media
            .map(|line| line.split(" RTP").next().unwrap())
            .collect()
    }

    #[test]
    fn what_gateways_say_is_said_anew() {
        let everything = [
            "m=image 49170 udptl t38",
            "a=T38FaxVersion:3",
            "a=T38MaxBitRate:14400",
            "a=T38FaxFillBitRemoval",
            "a=T38FaxTranscodingMMR",
            "a=T38FaxTranscodingJBIG",
            "a=T38FaxRateManagement:transferredTCF",
            "a=T38FaxMaxBuffer:260",
            "a=T38FaxMaxDatagram:316",
            "a=T38FaxUdpEC:t38UDPRedundancy",
        ];
        let written = |rest: &[&str]| {
            let image = ["m=image 20000 udptl t38"];
            text(OURS, &[&image, rest].concat()).into_bytes()
        };
        let check = |lines: &[&str], expect: &[&str]| {
            let fax = fax(lines);
            let previous = audio(&["m=audio 4000 RTP/AVP 8"]);
            assert_eq!(offer_fax(&fax, &previous, local()), written(expect));
            assert_eq!(answer_fax(&fax, &fax, local()), written(expect));
        };
        check(&everything, &everything[1..]);
        check(&["m=image 49170 udptl t38"], &[]);
        // Old gateways write numbers behind what is said by being there, and all kinds of letters.
        let old = [
            "m=image 49170 UDPTL T38",
            "a=T38FaxFillBitRemoval:0",
            "a=T38FaxTranscodingMMR:1",
            "a=t38faxversion:0",
            "a=T38FaxUdpEC:T38udpFEC",
        ];
        let new = [
            "a=T38FaxVersion:0",
            "a=T38FaxTranscodingMMR",
            "a=T38FaxUdpEC:t38UDPFEC",
        ];
        check(&old, &new);
        // What is not understood goes no further.
        let strange = [
            "m=image 49170 udptl t38",
            "a=T38VendorInfo:0xb5 0x00 0x01",
            "a=T38MaxBitRate:fast",
            "a=T38FaxUdpEC:\u{fffd}",
            "a=sendrecv",
            "a=candidate:1 1 UDP 1 192.0.2.9 4000 typ host",
        ];
        check(&strange, &[]);
    }

    #[test]
    fn only_a_live_image_over_udptl_is_a_fax() {
        for (line, is_fax) in [
            ("m=image 49170 udptl t38", true),
            ("m=image 0 udptl t38", false),
            ("m=image 49170 tcp t38", false),
            ("m=image 49170 udptl", false),
            ("m=audio 49170 RTP/AVP 8", false),
            ("m=image", false),
        ] {
            let parsed = Fax::parse(text(HEAD, &[line]).as_bytes());
            assert_eq!(parsed.is_ok(), is_fax, "{line}");
        }
        let somewhere = fax(&["m=image 49170 udptl t38", "c=IN IP4 192.0.2.9"]);
        assert_eq!(somewhere.remote(), "192.0.2.9:49170".parse().unwrap());
        let nobody = fax(&["m=image 49170 udptl t38", "c=IN IP4 224.0.0.1"]);
        assert!(nobody.remote().ip().is_unspecified());
    }

    #[test]
    fn an_image_beside_audio_is_refused_politely() {
        let both = audio(&["m=audio 4000 RTP/AVP 8", "m=image 4002 udptl t38"]);
        let answer = own_answer(&VOICES, &both, local()).unwrap();
        assert_eq!(lines(&answer), ["audio 20000", "image 0 udptl t38"]);
    }

    /// To a fax and back, by offers that others made and that we make.
    #[test]
    fn a_session_keeps_its_lines() {
        let other = fax(&["m=image 4002 udptl t38"]);
        let spoken = audio(&["m=audio 4000 RTP/AVP 8"]);
        let check = |previous: &[&str], to_fax: &[&str], described: &[&str], back: &[&str]| {
            let previous = audio(previous);
            assert_eq!(lines(&offer_fax(&other, &previous, local())), to_fax);
            let back_to = fax(described).back_to(&previous);
            let offer = offer_again(&spoken, &back_to, local());
            assert_eq!(lines(&offer), back);
            assert_eq!(back_to.direction(), Direction::SendRecv);
        };
        // The fax takes the place of the audio.
        check(
            &["m=audio 4000 RTP/AVP 8"],
            &["image 20000 udptl t38"],
            &["m=image 4002 udptl t38"],
            &["audio 20000"],
        );
        // The peer has taken a line of its own for it.
        check(
            &["m=audio 4000 RTP/AVP 8"],
            &["image 20000 udptl t38"],
            &["m=audio 0 RTP/AVP 8", "m=image 4002 udptl t38"],
            &["audio 20000", "image 0 udptl t38"],
        );
        // There was one that was refused.
        check(
            &[
                "m=video 5000 RTP/AVP 96",
                "m=audio 4000 RTP/AVP 8",
                "m=image 0 udptl t38",
            ],
            &["video 0", "audio 0", "image 20000 udptl t38"],
            &[
                "m=video 0 RTP/AVP 96",
                "m=audio 0 RTP/AVP 8",
                "m=image 4002 udptl t38",
            ],
            &["video 0", "audio 20000", "image 0 udptl t38"],
        );
    }
}
