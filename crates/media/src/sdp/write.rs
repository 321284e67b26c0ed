//! Offers and answers of ours. Everything is written anew with our address; from the peers come only
//! payload numbers, checked format parameters, packet times and the kinds of refused streams.

use std::fmt::Write;
use std::net::IpAddr;

use super::fax::{ERROR_CORRECTIONS, RATE_MANAGEMENTS, Terms};
use super::{Audio, Description, Direction, Incompatible, Profile, RefusedStream, Rtcp};
use crate::codec::{Codec, Format};

/// Our side of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The address the peer sends to.
    pub address: IpAddr,
    /// The RTP port there; RTCP is on the next one.
    pub rtp_port: u16,
    /// The session id of the `o=` line: one per leg.
    pub session: u64,
    /// The version of the `o=` line: one more for each description that differs (RFC 3264 §8).
    pub version: u64,
}

/// The caller's offer made anew for another leg: its known formats under its numbers, its direction,
/// our address, no other stream. Behind its voices stand those that we translate from.
pub fn offer_from(caller: &Description, local: Local) -> Vec<u8> {
    let audio = &caller.audio;
    let formats = with_all_voices(audio.formats.clone(), &[]);
    Session::new(local)
        .audio(&Stream::like(audio, formats.iter(), audio.direction))
        .finish()
}

/// An offer within a session that has been negotiated: what `other` wants, for the peer whose newest
/// description is `previous`. Keeps that session's streams in their places and its payload numbers in
/// their meaning (RFC 3264 §8).
pub fn offer_again(other: &Description, previous: &Description, local: Local) -> Vec<u8> {
    let previous_formats = &previous.audio.formats;
    let formats = renumbered(&other.audio.formats, previous_formats);
    let formats = with_all_voices(formats, previous_formats);
    let mut stream = Stream::like(&other.audio, formats.iter(), other.audio.direction);
    stream.profile = previous.audio.profile;
    Session::new(local)
        .refused(&previous.refused_before)
        .audio(&stream)
        .refused(&previous.refused_after)
        .finish()
}

/// The answer to the caller with what the callee chose, in the caller's payload numbers; with the
/// caller's own first choice if that is nothing it knows, to be translated
/// ([`Way::between`](crate::Way::between)). Streams that are not ours are refused in their places
/// (RFC 3264 §6).
pub fn answer_from(
    callee_answer: &Description,
    caller_offer: &Description,
    local: Local,
) -> Result<Vec<u8>, Incompatible> {
    let answer = &callee_answer.audio;
    let offered = &caller_offer.audio;
    let formats: Vec<Format> = answer
        .formats
        .iter()
        .filter_map(|f| in_terms_of(f, offered))
        .collect();
    let direction = answer.direction.as_answer_to(offered.direction);
    if callee_answer.shares_voice_with(caller_offer) {
        let stream = Stream::like(answer, formats.iter(), direction);
        return answer_with(stream, caller_offer, local);
    }
    let formats = own_choice(&VOICES, offered)?;
    let stream = Stream::like(offered, formats.into_iter(), direction);
    answer_with(stream, caller_offer, local)
}

/// An offer for a leg that ends at the PBX itself.
pub fn own_offer(codecs: &[Codec], local: Local) -> Vec<u8> {
    let formats: Vec<Format> = codecs.iter().copied().map(Format::usual).collect();
    let stream = Stream {
        profile: Profile::Avp,
        formats: formats.iter().collect(),
        packet_ms: Some(OWN_PACKET_MS),
        longest_packet_ms: None,
        direction: Direction::SendRecv,
        multiplexed: false,
    };
    Session::new(local).audio(&stream).finish()
}

/// An answer for a leg that ends at the PBX itself: the caller's first voice format among `codecs`,
/// and its telephone events.
pub fn own_answer(
    codecs: &[Codec],
    offer: &Description,
    local: Local,
) -> Result<Vec<u8>, Incompatible> {
    let audio = &offer.audio;
    let formats = own_choice(codecs, audio)?;
    answer_with(
        Stream::like(audio, formats.into_iter(), audio.direction.reversed()),
        offer,
        local,
    )
}

/// A session whose stream is a fax on these terms, between lines that are not in use.
pub(super) fn fax(
    terms: &Terms,
    (before, after): (&[RefusedStream], &[RefusedStream]),
    local: Local,
) -> Vec<u8> {
    Session::new(local)
        .refused(before)
        .image(terms)
        .refused(after)
        .finish()
}

/// The first voice of `codecs` in an offer, and its telephone events.
fn own_choice<'a>(codecs: &[Codec], offered: &'a Audio) -> Result<Vec<&'a Format>, Incompatible> {
    let is_ours = |format: &&Format| codecs.contains(&format.codec);
    let mut ours = offered.formats.iter().filter(is_ours);
    let voice = ours.find(|format| format.codec.is_voice());
    let voice = voice.ok_or(Incompatible)?;
    let is_event = |format: &&Format| !format.codec.is_voice() && format.clock == voice.clock;
    let events = offered.formats.iter().filter(is_ours).find(is_event);
    Ok(std::iter::once(voice).chain(events).collect())
}

/// What we can speak and translate ourselves, and telephone events.
pub const VOICES: [Codec; 5] = [
    Codec::Pcma,
    Codec::Pcmu,
    Codec::G722,
    Codec::Opus,
    Codec::TelephoneEvent,
];

/// `formats` with the voices that are missing behind those that are there, so that a peer that knows
/// one of the first takes it and no translation is needed. Avoids the numbers of `previous` formats.
fn with_all_voices(mut formats: Vec<Format>, previous: &[Format]) -> Vec<Format> {
    for codec in VOICES.into_iter().filter(|codec| codec.is_voice()) {
        if formats.iter().any(|format| format.codec == codec) {
            continue;
        }
        let known = previous.iter().find(|format| format.codec == codec);
        let missing = known.cloned().unwrap_or_else(|| Format::usual(codec));
        let voices = formats.iter().rposition(|format| format.codec.is_voice());
        let place = voices.map_or(0, |last| last + 1);
        if let Some(payload) = free_number(&missing, &formats, previous) {
            formats.insert(place, Format { payload, ..missing });
        }
    }
    formats
}

/// What we send when nothing else is asked, in milliseconds (RFC 3551 §4.2).
const OWN_PACKET_MS: u16 = 20;

fn answer_with(
    mut stream: Stream<'_>,
    offer: &Description,
    local: Local,
) -> Result<Vec<u8>, Incompatible> {
    if !stream.formats.iter().any(|format| format.codec.is_voice()) {
        return Err(Incompatible);
    }
    stream.profile = offer.audio.profile;
    stream.multiplexed = offer.audio.rtcp == Rtcp::Multiplexed;
    Ok(Session::new(local)
        .refused(&offer.refused_before)
        .audio(&stream)
        .refused(&offer.refused_after)
        .finish())
}

/// The answered format under the number that the offerer gave it.
fn in_terms_of(answered: &Format, offered: &Audio) -> Option<Format> {
    let same = offered
        .formats
        .iter()
        .find(|offered| offered.is_same_encoding(answered))?;
    Some(Format {
        payload: same.payload,
        ..answered.clone()
    })
}

/// `formats` under the numbers that `previous` gave them; a format new to the session keeps its
/// number unless that is taken, then it gets a free dynamic one.
fn renumbered(formats: &[Format], previous: &[Format]) -> Vec<Format> {
    let mut result: Vec<Format> = Vec::with_capacity(formats.len());
    for format in formats {
        if let Some(payload) = free_number(format, &result, previous) {
            result.push(Format {
                payload,
                ..format.clone()
            });
        }
    }
    result
}

/// The number of a format that is added to `formats`: the one it had, its own, or a free one.
fn free_number(format: &Format, formats: &[Format], previous: &[Format]) -> Option<u8> {
    let known = previous.iter().find(|known| known.is_same_encoding(format));
    let taken = |number: u8| {
        let mut all = previous.iter().chain(formats);
        all.any(|other| other.payload == number)
    };
    match known {
        Some(known) => Some(known.payload),
        None if !taken(format.payload) => Some(format.payload),
        None => DYNAMIC_PAYLOADS.rev().find(|number| !taken(*number)),
    }
}

/// Payload numbers that mean nothing without an rtpmap (RFC 3551 §3).
const DYNAMIC_PAYLOADS: std::ops::RangeInclusive<u8> = 96..=127;

/// The audio stream that is written.
struct Stream<'a> {
    profile: Profile,
    formats: Vec<&'a Format>,
    packet_ms: Option<u16>,
    longest_packet_ms: Option<u16>,
    direction: Direction,
    multiplexed: bool,
}

impl<'a> Stream<'a> {
    fn like(
        audio: &Audio,
        formats: impl Iterator<Item = &'a Format>,
        direction: Direction,
    ) -> Self {
        Self {
            profile: Profile::Avp,
            formats: formats.collect(),
            packet_ms: audio.packet_ms,
            longest_packet_ms: audio.longest_packet_ms,
            direction,
            multiplexed: false,
        }
    }
}

fn name_of<T: Copy + PartialEq>(
    value: Option<T>,
    names: &[(T, &'static str)],
) -> Option<&'static str> {
    let value = value?;
    let name = names.iter().find(|(known, _)| *known == value);
    name.map(|(_, name)| *name)
}

/// A description being written.
struct Session {
    text: String,
    local: Local,
}

impl Session {
    fn new(local: Local) -> Self {
        let mut session = Self {
            text: String::with_capacity(512),
            local,
        };
        let Local {
            address,
            session: id,
            version,
            ..
        } = local;
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        session.line(format_args!("v=0"));
        session.line(format_args!("o=- {id} {version} IN {family} {address}"));
        session.line(format_args!("s=-"));
        session.line(format_args!("c=IN {family} {address}"));
        session.line(format_args!("t=0 0"));
        session
    }

    fn audio(mut self, stream: &Stream<'_>) -> Self {
        self.media_line(stream);
        for format in &stream.formats {
            self.format(format);
        }
        if let Some(packet_ms) = stream.packet_ms {
            self.line(format_args!("a=ptime:{packet_ms}"));
        }
        if let Some(longest) = stream.longest_packet_ms {
            self.line(format_args!("a=maxptime:{longest}"));
        }
        self.line(format_args!("a={}", stream.direction.name()));
        if stream.multiplexed {
            self.line(format_args!("a=rtcp-mux"));
        }
        self
    }

    /// ITU-T T.38 §D.2.3.1. The port of the audio serves: only one of both is in use.
    fn image(mut self, terms: &Terms) -> Self {
        let port = self.local.rtp_port;
        self.line(format_args!("m=image {port} udptl t38"));
        self.said("T38FaxVersion", terms.version);
        self.said("T38MaxBitRate", terms.max_bit_rate);
        let flags = [
            ("T38FaxFillBitRemoval", terms.fill_bit_removal),
            ("T38FaxTranscodingMMR", terms.transcoding_mmr),
            ("T38FaxTranscodingJBIG", terms.transcoding_jbig),
        ];
        for (name, _) in flags.iter().filter(|(_, is_said)| *is_said) {
            self.line(format_args!("a={name}"));
        }
        let management = name_of(terms.rate_management, &RATE_MANAGEMENTS);
        self.said("T38FaxRateManagement", management);
        self.said("T38FaxMaxBuffer", terms.max_buffer);
        self.said("T38FaxMaxDatagram", terms.max_datagram);
        let correction = name_of(terms.error_correction, &ERROR_CORRECTIONS);
        self.said("T38FaxUdpEC", correction);
        self
    }

    fn said(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.line(format_args!("a={name}:{value}"));
        }
    }

    fn media_line(&mut self, stream: &Stream<'_>) {
        let profile = match stream.profile {
            Profile::Avp => "RTP/AVP",
            Profile::Avpf => "RTP/AVPF",
        };
        let port = self.local.rtp_port;
        self.put(format_args!("m=audio {port} {profile}"));
        for format in &stream.formats {
            self.put(format_args!(" {}", format.payload));
        }
        self.text.push_str("\r\n");
    }

    fn format(&mut self, format: &Format) {
        let Format {
            payload,
            codec,
            clock,
            parameters,
        } = format;
        let channels = if *codec == Codec::Opus { "/2" } else { "" };
        self.line(format_args!(
            "a=rtpmap:{payload} {}/{clock}{channels}",
            codec.name()
        ));
        if let Some(parameters) = parameters {
            self.line(format_args!("a=fmtp:{payload} {parameters}"));
        }
    }

    fn refused(mut self, streams: &[RefusedStream]) -> Self {
        for RefusedStream { kind, transport } in streams {
            self.line(format_args!("m={kind} 0 {transport}"));
        }
        self
    }

    fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.put(line);
        self.text.push_str("\r\n");
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.text
            .write_fmt(text)
            .expect("a String takes whatever is written to it");
    }
}
