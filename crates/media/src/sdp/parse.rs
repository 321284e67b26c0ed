//! Bytes → [`Description`]. Tolerant: order is not checked, unknown lines are skipped, both line
//! ends are taken. Bounded: every list has its limit and nothing is copied until a stream is chosen.

use std::net::IpAddr;
use std::str;

use super::fax::{ERROR_CORRECTIONS, Fax, Image, RATE_MANAGEMENTS, Terms};
use super::{
    Audio, Description, Direction, MAX_DESCRIPTION_BYTES, MAX_FORMATS, MAX_PARAMETERS_BYTES,
    MAX_STREAMS, Profile, RefusedStream, Rtcp, SdpError,
};
use crate::codec::{Codec, Format};

/// The longest kind, transport or format token that a refusal repeats, in bytes.
const MAX_TOKEN_BYTES: usize = 32;

pub(super) fn description(bytes: &[u8]) -> Result<Description, SdpError> {
    let (refused_before, audio, refused_after) = session(bytes, Stream::audio)?;
    Ok(Description {
        refused_before,
        audio: audio.ok_or(SdpError::NoAudio)?,
        refused_after,
    })
}

pub(super) fn fax(bytes: &[u8]) -> Result<Fax, SdpError> {
    let (refused_before, image, refused_after) = session(bytes, Stream::image)?;
    Ok(Fax {
        refused_before,
        image: image.ok_or(SdpError::NoFax)?,
        refused_after,
    })
}

/// The stream in use, between those that are refused.
type Lines<T> = (Vec<RefusedStream>, Option<T>, Vec<RefusedStream>);

/// Reads a session of which we use the first stream that `is_ours` makes something of.
fn session<'a, T>(
    bytes: &'a [u8],
    is_ours: fn(&Stream<'a>, Section) -> Option<T>,
) -> Result<Lines<T>, SdpError> {
    if bytes.len() > MAX_DESCRIPTION_BYTES {
        return Err(SdpError::TooLong { bytes: bytes.len() });
    }
    if !bytes.starts_with(b"v=0") {
        return Err(SdpError::NotSdp);
    }
    let mut reader = Reader {
        is_ours,
        session: Section::default(),
        stream: None,
        streams: 0,
        refused_before: Vec::new(),
        ours: None,
        refused_after: Vec::new(),
    };
    for line in bytes.split(|byte| *byte == b'\n') {
        if let [kind, b'=', value @ ..] = line.trim_ascii_end() {
            reader.line(*kind, value)?;
        }
    }
    reader.close_stream();
    Ok((reader.refused_before, reader.ours, reader.refused_after))
}

/// The description as far as it is read.
struct Reader<'a, T> {
    is_ours: fn(&Stream<'a>, Section) -> Option<T>,
    session: Section,
    stream: Option<Stream<'a>>,
    streams: usize,
    refused_before: Vec<RefusedStream>,
    ours: Option<T>,
    refused_after: Vec<RefusedStream>,
}

/// What may stand at session or at stream level.
#[derive(Clone, Copy, Default)]
struct Section {
    address: Option<Connection>,
    direction: Option<Direction>,
}

/// A `c=` line.
#[derive(Clone, Copy)]
enum Connection {
    /// An address packets may go to.
    To(IpAddr),
    /// `0.0.0.0` or `::`: the old hold.
    Hold(IpAddr),
    /// A host name or a group: we can only wait for the peer's packets.
    Unknown,
}

/// A stream as far as it is read.
struct Stream<'a> {
    kind: &'a [u8],
    port: u16,
    transport: &'a [u8],
    first_format: &'a [u8],
    formats: Vec<Listed<'a>>,
    section: Section,
    rtcp: Rtcp,
    packet_ms: Option<u16>,
    longest_packet_ms: Option<u16>,
    terms: Terms,
}

/// A payload number of the `m=` line and what the attributes say about it.
struct Listed<'a> {
    payload: u8,
    encoding: Option<(Codec, u32)>,
    parameters: Option<&'a [u8]>,
}

impl<'a, T> Reader<'a, T> {
    fn line(&mut self, kind: u8, value: &'a [u8]) -> Result<(), SdpError> {
        match kind {
            b'm' => {
                self.close_stream();
                self.streams += 1;
                if self.streams > MAX_STREAMS {
                    return Err(SdpError::TooManyStreams);
                }
                self.stream = Some(Stream::open(value));
            }
            b'c' => self.section().address = Some(connection(value)),
            b'a' => self.attribute(value),
            _ => {}
        }
        Ok(())
    }

    fn section(&mut self) -> &mut Section {
        match &mut self.stream {
            Some(stream) => &mut stream.section,
            None => &mut self.session,
        }
    }

    fn attribute(&mut self, attribute: &'a [u8]) {
        let (name, value) = split_once(attribute, b':');
        if let Some(direction) = Direction::from_attribute(name) {
            self.section().direction = Some(direction);
        } else if let Some(stream) = &mut self.stream {
            stream.attribute(name, value);
        }
    }

    /// The open stream is ours if it is the first that we can use, else it will be refused.
    fn close_stream(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        if self.ours.is_none() {
            self.ours = (self.is_ours)(&stream, self.session);
            if self.ours.is_none() {
                self.refused_before.push(stream.refused());
            }
        } else {
            self.refused_after.push(stream.refused());
        }
    }
}

impl<'a> Stream<'a> {
    /// `audio 49170 RTP/AVP 0 8 101`. What is missing stays empty, and such a stream is refused.
    fn open(value: &'a [u8]) -> Self {
        let mut words = value
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty());
        let kind = words.next().unwrap_or_default();
        let port = split_once(words.next().unwrap_or_default(), b'/').0;
        let transport = words.next().unwrap_or_default();
        let mut words = words.peekable();
        let first_format = words.peek().copied().unwrap_or_default();
        Self {
            kind,
            port: number(port).unwrap_or(0),
            transport,
            first_format,
            formats: if kind == b"audio" {
                listed(words)
            } else {
                Vec::new()
            },
            section: Section::default(),
            rtcp: Rtcp::NextPort,
            packet_ms: None,
            longest_packet_ms: None,
            terms: Terms::default(),
        }
    }

    fn attribute(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"rtpmap" => self.rtpmap(value),
            b"fmtp" => {
                let (payload, parameters) = split_once(value, b' ');
                if let Some(listed) = self.listed(payload) {
                    listed.parameters = Some(parameters.trim_ascii());
                }
            }
            b"ptime" => self.packet_ms = milliseconds(value),
            b"maxptime" => self.longest_packet_ms = milliseconds(value),
            b"rtcp-mux" => self.rtcp = Rtcp::Multiplexed,
            b"rtcp" if self.rtcp != Rtcp::Multiplexed => self.rtcp = rtcp_attribute(value),
            _ => self.terms.read(name, value),
        }
    }

    /// `101 telephone-event/8000`, `111 opus/48000/2`.
    fn rtpmap(&mut self, value: &[u8]) {
        let (payload, encoding) = split_once(value, b' ');
        let Some(listed) = self.listed(payload) else {
            return;
        };
        let mut parts = encoding.trim_ascii().split(|byte| *byte == b'/');
        let name = parts.next().unwrap_or_default();
        let clock = parts.next().and_then(number::<u32>).unwrap_or(0);
        let channels = parts.next().map_or(Some(1), number::<u8>).unwrap_or(0);
        listed.encoding = Codec::from_rtpmap(name, clock, channels);
    }

    fn listed(&mut self, payload: &[u8]) -> Option<&mut Listed<'a>> {
        let payload: u8 = number(payload)?;
        self.formats
            .iter_mut()
            .find(|listed| listed.payload == payload)
    }

    fn audio(&self, session: Section) -> Option<Audio> {
        let profile = match self.transport {
            b"RTP/AVP" => Profile::Avp,
            b"RTP/AVPF" => Profile::Avpf,
            _ => return None,
        };
        let formats: Vec<Format> = self.formats.iter().filter_map(Listed::format).collect();
        let speaks = formats.iter().any(|format| format.codec.is_voice());
        if self.port == 0 || !speaks {
            return None;
        }
        let said = self
            .section
            .direction
            .or(session.direction)
            .unwrap_or_default();
        let (address, direction) = match self.section.address.or(session.address)? {
            Connection::To(address) => (Some(address), said),
            Connection::Hold(address) => (Some(address), said.without_receiving()),
            Connection::Unknown => (None, said),
        };
        Some(Audio {
            profile,
            address,
            port: self.port,
            rtcp: self.rtcp,
            formats,
            packet_ms: self.packet_ms,
            longest_packet_ms: self.longest_packet_ms,
            direction,
        })
    }

    fn image(&self, session: Section) -> Option<Image> {
        let is_fax = self.kind == b"image"
            && self.transport.eq_ignore_ascii_case(b"udptl")
            && self.first_format.eq_ignore_ascii_case(b"t38");
        if !is_fax || self.port == 0 {
            return None;
        }
        let address = match self.section.address.or(session.address)? {
            Connection::To(address) | Connection::Hold(address) => Some(address),
            Connection::Unknown => None,
        };
        Some(Image {
            address,
            port: self.port,
            terms: self.terms,
        })
    }

    fn refused(&self) -> RefusedStream {
        let kind = token(self.kind).unwrap_or("audio");
        let transport = token(self.transport).unwrap_or("RTP/AVP");
        let format = token(self.first_format).unwrap_or("0");
        RefusedStream {
            kind: kind.to_owned(),
            transport: format!("{transport} {format}"),
        }
    }
}

impl Terms {
    /// ITU-T T.38 §D.2.3.1. The names come in all kinds of letters.
    fn read(&mut self, name: &[u8], value: &[u8]) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("T38FaxVersion") {
            self.version = number(value);
        } else if is("T38MaxBitRate") {
            self.max_bit_rate = number(value);
        } else if is("T38FaxFillBitRemoval") {
            self.fill_bit_removal = is_said(value);
        } else if is("T38FaxTranscodingMMR") {
            self.transcoding_mmr = is_said(value);
        } else if is("T38FaxTranscodingJBIG") {
            self.transcoding_jbig = is_said(value);
        } else if is("T38FaxRateManagement") {
            self.rate_management = named(value, &RATE_MANAGEMENTS);
        } else if is("T38FaxMaxBuffer") {
            self.max_buffer = number(value);
        } else if is("T38FaxMaxDatagram") {
            self.max_datagram = number(value);
        } else if is("T38FaxUdpEC") {
            self.error_correction = named(value, &ERROR_CORRECTIONS);
        }
    }
}

/// Whether an attribute that says something by being there is meant: old gateways write `:0`.
fn is_said(value: &[u8]) -> bool {
    value.trim_ascii() != b"0"
}

fn named<T: Copy>(value: &[u8], names: &[(T, &str)]) -> Option<T> {
    let is_it = |(_, name): &&(T, &str)| value.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    names.iter().find(is_it).map(|(known, _)| *known)
}

impl Listed<'_> {
    fn format(&self) -> Option<Format> {
        let (codec, clock) = self.encoding?;
        let parameters = self.parameters.and_then(parameters).map(str::to_owned);
        Some(Format {
            payload: self.payload,
            codec,
            clock,
            parameters,
        })
    }
}

/// The payload numbers of an `m=` line, each once.
fn listed<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<Listed<'a>> {
    let mut formats: Vec<Listed<'a>> = Vec::with_capacity(8);
    for payload in words.filter_map(number::<u8>).take(MAX_FORMATS) {
        if payload < 128 && formats.iter().all(|listed| listed.payload != payload) {
            let encoding = Codec::from_static_payload(payload);
            formats.push(Listed {
                payload,
                encoding,
                parameters: None,
            });
        }
    }
    formats
}

/// `IN IP4 192.0.2.1/127`: the address type is not looked at, the address says it itself.
fn connection(value: &[u8]) -> Connection {
    let word = value
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .nth(2);
    let Some(address) = word.and_then(|word| parsed::<IpAddr>(split_once(word, b'/').0)) else {
        return Connection::Unknown;
    };
    if address.is_unspecified() {
        Connection::Hold(address)
    } else if is_single(address) {
        Connection::To(address)
    } else {
        Connection::Unknown
    }
}

/// `53020` or `53020 IN IP4 192.0.2.1` (RFC 3605).
fn rtcp_attribute(value: &[u8]) -> Rtcp {
    let mut words = value
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let Some(port) = words.next().and_then(number::<u16>) else {
        return Rtcp::NextPort;
    };
    let address = words.nth(2).and_then(parsed::<IpAddr>);
    Rtcp::At {
        port,
        address: address.filter(|address| is_single(*address)),
    }
}

/// Whether packets to the address reach one host; a group or a broadcast would amplify them.
fn is_single(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_multicast() && !address.is_broadcast() && !address.is_unspecified()
        }
        IpAddr::V6(address) => !address.is_multicast() && !address.is_unspecified(),
    }
}

/// A packet length; Yealink and others write it with a fraction (`20.0`).
fn milliseconds(value: &[u8]) -> Option<u16> {
    number::<u16>(split_once(value, b'.').0).filter(|ms| (1..=1_000).contains(ms))
}

/// Format parameters that may be repeated on a line of ours: short and printable.
fn parameters(value: &[u8]) -> Option<&str> {
    let fits = (1..=MAX_PARAMETERS_BYTES).contains(&value.len());
    let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if fits && printable {
        str::from_utf8(value).ok()
    } else {
        None
    }
}

/// A word that may be repeated on a line of ours.
fn token(word: &[u8]) -> Option<&str> {
    let fits = (1..=MAX_TOKEN_BYTES).contains(&word.len());
    if fits && word.iter().all(u8::is_ascii_graphic) {
        str::from_utf8(word).ok()
    } else {
        None
    }
}

fn number<T: str::FromStr>(word: &[u8]) -> Option<T> {
    if word.iter().all(u8::is_ascii_digit) {
        parsed(word)
    } else {
        None
    }
}

fn parsed<T: str::FromStr>(word: &[u8]) -> Option<T> {
    str::from_utf8(word.trim_ascii()).ok()?.parse().ok()
}

/// What is before and after the first `separator`; without one, all of it and nothing.
fn split_once(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == separator);
    (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    )
}
