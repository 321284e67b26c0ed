//! What phones, softphones, browsers and gateways send, and what we make of it.

use proptest::prelude::*;

use super::*;
use crate::codec::Codec;
use crate::payload::{PayloadMap, Way};

/// Lines as one writes them, with the line ends of the wire.
fn sdp(lines: &str) -> Vec<u8> {
    lines
        .trim()
        .lines()
        .flat_map(|line| [line.trim(), "\r\n"])
        .collect::<String>()
        .into_bytes()
}

fn parse(lines: &str) -> Description {
    Description::parse(&sdp(lines)).unwrap()
}

fn local() -> Local {
    Local {
        address: "198.51.100.1".parse().unwrap(),
        rtp_port: 20_000,
        session: 7,
        version: 1,
    }
}

/// The lines of a description of ours after the session part, which is checked here.
fn media_lines(bytes: &[u8]) -> Vec<String> {
    let text = str::from_utf8(bytes).unwrap();
    let ours = "v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n";
    let media = text.strip_prefix(ours).unwrap();
    Description::parse(bytes).unwrap();
    media.lines().map(str::to_owned).collect()
}

/// `payload encoding/clock` of each format, the address, and the direction.
fn summary(description: &Description) -> (Vec<String>, String, String, &'static str) {
    let format = |f: &Format| format!("{} {}/{}", f.payload, f.codec.name(), f.clock);
    let MediaAddress { rtp, rtcp } = description.remote();
    let formats = description.formats().iter().map(format).collect();
    (
        formats,
        rtp.to_string(),
        rtcp.to_string(),
        description.direction().name(),
    )
}

fn check(lines: &str, formats: &[&str], rtp: &str, rtcp: &str, direction: &str) {
    let (found, found_rtp, found_rtcp, found_direction) = summary(&parse(lines));
    assert_eq!(found, formats, "{lines}");
    assert_eq!(
        (found_rtp.as_str(), found_rtcp.as_str(), found_direction),
        (rtp, rtcp, direction)
    );
}

const LINPHONE: &str = "
    v=0
    o=alice 3310 2055 IN IP4 192.168.1.20
    s=Talk
    c=IN IP4 192.168.1.20
    t=0 0
    a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
    a=record:off
    m=audio 7078 RTP/AVPF 96 97 98 0 8 101 99 100
    a=rtpmap:96 opus/48000/2
    a=fmtp:96 useinbandfec=1
    a=rtpmap:97 speex/16000
    a=fmtp:97 vbr=on
    a=rtpmap:98 speex/8000
    a=fmtp:98 vbr=on
    a=rtpmap:101 telephone-event/48000
    a=rtpmap:99 telephone-event/16000
    a=rtpmap:100 telephone-event/8000
    a=rtcp-fb:* trr-int 5000
    a=rtcp-fb:* ccm tmmbr
    m=video 9078 RTP/AVPF 96 97
    a=rtpmap:96 VP8/90000
    a=rtpmap:97 H264/90000
    a=fmtp:97 profile-level-id=42801F";

const BARESIP: &str = "
    v=0
    o=- 1184265733 1433284229 IN IP4 192.0.2.5
    s=-
    c=IN IP4 192.0.2.5
    t=0 0
    a=tool:baresip 2.0.1
    m=audio 10042 RTP/AVP 96 9 0 8 101
    b=AS:125
    a=rtpmap:96 opus/48000/2
    a=fmtp:96 stereo=1;sprop-stereo=1
    a=rtpmap:9 G722/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=rtcp:10043
    a=sendrecv
    a=label:1
    a=rtcp-rsize
    a=ssrc:2838426893 cname:sip:bob@192.0.2.5
    a=ptime:20
    a=minptime:10
    a=maxptime:60";

const YEALINK: &str = "
    v=0
    o=- 20017 20017 IN IP4 10.1.2.3
    s=SDP data
    c=IN IP4 10.1.2.3
    t=0 0
    m=audio 11780 RTP/AVP 9 0 8 18 101
    a=rtpmap:9 G722/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:18 G729/8000
    a=fmtp:18 annexb=no
    a=fmtp:101 0-15
    a=rtpmap:101 telephone-event/8000
    a=ptime:20
    a=sendrecv";

const SIPP: &str = "
    v=0
    o=user1 53655765 2353687637 IN IP4 127.0.0.1
    s=-
    c=IN IP4 127.0.0.1
    t=0 0
    m=audio 6000 RTP/AVP 0
    a=rtpmap:0 PCMU/8000";

const BROWSER: &str = "
    v=0
    o=- 4611731400430051336 2 IN IP4 127.0.0.1
    s=-
    t=0 0
    a=group:BUNDLE 0
    a=msid-semantic: WMS
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
    c=IN IP4 0.0.0.0
    a=rtcp:9 IN IP4 0.0.0.0
    a=ice-ufrag:Xv5f
    a=ice-pwd:asd88fgpdd777uzjYhagZg
    a=fingerprint:sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB
    a=setup:actpass
    a=mid:0
    a=rtcp-mux
    a=rtpmap:111 opus/48000/2
    a=fmtp:111 minptime=10;useinbandfec=1
    a=rtpmap:126 telephone-event/8000";

const FAX: &str = "
    v=0
    o=gw 1 2 IN IP4 192.0.2.9
    s=-
    c=IN IP4 192.0.2.9
    t=0 0
    m=image 49170 udptl t38
    a=T38FaxVersion:0
    a=T38MaxBitRate:14400";

const GATEWAY: &str = "
    v=0
    o=gw 1 1 IN IP6 2001:db8::9
    s=-
    c=IN IP6 2001:db8::9
    t=0 0
    m=image 0 udptl t38
    m=audio 30000/1 RTP/AVP 8 96
    a=rtcp:40001 IN IP6 2001:db8::10
    a=rtpmap:96 Telephone-Event/8000
    m=application 5000 TCP/MRCPv2 1";

#[test]
fn softphones_are_understood() {
    let formats = [
        "96 opus/48000",
        "0 PCMU/8000",
        "8 PCMA/8000",
        "101 telephone-event/48000",
        "99 telephone-event/16000",
        "100 telephone-event/8000",
    ];
    check(
        LINPHONE,
        &formats,
        "192.168.1.20:7078",
        "192.168.1.20:7079",
        "sendrecv",
    );
    let formats = [
        "96 opus/48000",
        "9 G722/8000",
        "0 PCMU/8000",
        "8 PCMA/8000",
        "101 telephone-event/8000",
    ];
    check(
        BARESIP,
        &formats,
        "192.0.2.5:10042",
        "192.0.2.5:10043",
        "sendrecv",
    );
    check(
        SIPP,
        &["0 PCMU/8000"],
        "127.0.0.1:6000",
        "127.0.0.1:6001",
        "sendrecv",
    );
}

#[test]
fn desk_phones_and_gateways_are_understood() {
    let formats = [
        "9 G722/8000",
        "0 PCMU/8000",
        "8 PCMA/8000",
        "101 telephone-event/8000",
    ];
    check(
        YEALINK,
        &formats,
        "10.1.2.3:11780",
        "10.1.2.3:11781",
        "sendrecv",
    );
    let formats = ["8 PCMA/8000", "96 telephone-event/8000"];
    check(
        GATEWAY,
        &formats,
        "[2001:db8::9]:30000",
        "[2001:db8::10]:40001",
        "sendrecv",
    );
}

#[test]
fn without_plain_audio_there_is_nothing_to_speak() {
    let video_only = SIPP.replace("m=audio", "m=video");
    let encrypted = SIPP.replace("RTP/AVP", "RTP/SAVP");
    let disabled = SIPP.replace("6000", "0");
    let unknown = SIPP
        .replace("AVP 0", "AVP 18")
        .replace("rtpmap:0 PCMU", "rtpmap:18 G729");
    let only_keys = SIPP.replace("rtpmap:0 PCMU", "rtpmap:0 telephone-event");
    let no_address = SIPP.replace("c=IN", "x=IN");
    let no_stream = "v=0\ns=-";
    for lines in [
        BROWSER,
        FAX,
        &video_only,
        &encrypted,
        &disabled,
        &unknown,
        &only_keys,
        &no_address,
        no_stream,
    ] {
        assert_eq!(
            Description::parse(&sdp(lines)),
            Err(SdpError::NoAudio),
            "{lines}"
        );
    }
}

#[test]
fn hostile_sizes_are_refused_or_cut() {
    let long = [sdp(SIPP), vec![b'x'; MAX_DESCRIPTION_BYTES]].concat();
    assert_eq!(
        Description::parse(&long),
        Err(SdpError::TooLong { bytes: long.len() })
    );
    let streams = format!("{SIPP}{}", "\nm=audio 1 RTP/AVP 0".repeat(MAX_STREAMS));
    assert_eq!(
        Description::parse(&sdp(&streams)),
        Err(SdpError::TooManyStreams)
    );
    for noise in [&b""[..], b"\0", b"v=1", b"o=x\r\nv=0", &[0xff; 40]] {
        assert_eq!(Description::parse(noise), Err(SdpError::NotSdp));
    }
    let parameters = format!(
        "{BARESIP}\na=fmtp:101 {}",
        "x".repeat(MAX_PARAMETERS_BYTES + 1)
    );
    let events = parse(&parameters).formats().last().unwrap().clone();
    assert_eq!(
        (events.codec, events.parameters),
        (Codec::TelephoneEvent, None)
    );
}

#[test]
fn holding_is_understood_in_all_its_forms() {
    for (attribute, address, expect) in [
        ("", "127.0.0.1", Direction::SendRecv),
        ("a=sendonly", "127.0.0.1", Direction::SendOnly),
        ("a=recvonly", "127.0.0.1", Direction::RecvOnly),
        ("a=inactive", "127.0.0.1", Direction::Inactive),
        ("", "0.0.0.0", Direction::SendOnly),
        ("a=sendrecv", "0.0.0.0", Direction::SendOnly),
        ("a=recvonly", "0.0.0.0", Direction::Inactive),
    ] {
        let lines = SIPP.replace("c=IN IP4 127.0.0.1", &format!("c=IN IP4 {address}"));
        let description = parse(&format!("{lines}\n{attribute}"));
        assert_eq!(description.direction(), expect, "{attribute} {address}");
    }
    let of_session = SIPP.replace("t=0 0", "t=0 0\na=inactive");
    assert_eq!(parse(&of_session).direction(), Direction::Inactive);
    let of_stream = format!("{of_session}\na=sendrecv");
    assert_eq!(parse(&of_stream).direction(), Direction::SendRecv);
}

#[test]
fn addresses_nothing_can_be_sent_to_mean_nowhere() {
    for address in [
        "phone.example.com",
        "224.2.1.1/127",
        "255.255.255.255",
        "ff02::1",
        "",
    ] {
        let lines = SIPP.replace("c=IN IP4 127.0.0.1", &format!("c=IN IP4 {address}"));
        let description = parse(&lines);
        assert!(description.remote().rtp.ip().is_unspecified(), "{address}");
        assert_eq!(description.direction(), Direction::SendRecv);
    }
    let last_port = parse(&SIPP.replace("6000", "65535"));
    assert_eq!(last_port.remote().rtcp.port(), 0);
}

#[test]
fn common_mistakes_are_forgiven() {
    let lines = YEALINK
        .replace("G722/8000", "g722/16000")
        .replace("ptime:20", "ptime:20.0")
        .replace("m=audio 11780 ", "m=audio  11780  ");
    let bytes = String::from_utf8(sdp(&lines))
        .unwrap()
        .replace("\r\n", "\n");
    assert_eq!(Description::parse(bytes.as_bytes()), Ok(parse(YEALINK)));
    let mono = parse(&BARESIP.replace("opus/48000/2", "opus/48000"));
    assert_eq!(mono, parse(BARESIP));
}

#[test]
fn an_offer_is_the_callers_made_anew() {
    let expect = [
        "m=audio 20000 RTP/AVP 96 9 0 8 101",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 stereo=1;sprop-stereo=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=maxptime:60",
        "a=sendrecv",
    ];
    assert_eq!(media_lines(&offer_from(&parse(BARESIP), local())), expect);
    let held = parse(&YEALINK.replace("a=sendrecv", "a=sendonly"));
    let lines = media_lines(&offer_from(&held, local()));
    // Its own voices first, then what we translate from, then the keys.
    assert_eq!(
        lines.first().unwrap(),
        "m=audio 20000 RTP/AVP 9 0 8 111 101"
    );
    assert_eq!(lines.last().unwrap(), "a=sendonly");
}

#[test]
fn an_answer_speaks_the_callers_numbers_and_refuses_the_rest_in_place() {
    let callee = parse(
        "v=0
        o=- 1 1 IN IP4 192.0.2.8
        s=-
        c=IN IP4 192.0.2.8
        t=0 0
        m=audio 4000 RTP/AVP 8 120
        a=rtpmap:120 telephone-event/8000
        a=fmtp:120 0-16
        a=ptime:30",
    );
    let answer = answer_from(&callee, &parse(GATEWAY), local()).unwrap();
    let expect = [
        "m=image 0 udptl t38",
        "m=audio 20000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-16",
        "a=ptime:30",
        "a=sendrecv",
        "m=application 0 TCP/MRCPv2 1",
    ];
    assert_eq!(media_lines(&answer), expect);
    let map = PayloadMap::between(&parse(GATEWAY), &callee);
    assert_eq!((map.apply(96), map.apply(8), map.apply(0)), (120, 8, 0));
}

#[test]
fn an_answer_repeats_profile_and_multiplexing() {
    let offer = parse(&LINPHONE.replace("a=rtcp-fb:* ccm tmmbr", "a=rtcp-mux"));
    assert_eq!(offer.remote().rtcp, offer.remote().rtp);
    let answer = media_lines(&answer_from(&parse(SIPP), &offer, local()).unwrap());
    let expect = [
        "m=audio 20000 RTP/AVPF 0",
        "a=rtpmap:0 PCMU/8000",
        "a=sendrecv",
        "a=rtcp-mux",
        "m=video 0 RTP/AVPF 96",
    ];
    assert_eq!(answer, expect);
}

#[test]
fn an_answers_direction_stays_within_the_offer() {
    let held = parse(&format!("{SIPP}\na=sendonly"));
    let answer = media_lines(&answer_from(&parse(SIPP), &held, local()).unwrap());
    assert_eq!(answer.last().unwrap(), "a=recvonly");
}

#[test]
fn an_offer_numbers_the_added_voices_without_a_clash() {
    let busy = SIPP.replace("AVP 0", "AVP 0 111 8").replace(
        "0 PCMU/8000",
        "0 PCMU/8000\na=rtpmap:111 telephone-event/8000",
    );
    let lines = media_lines(&offer_from(&parse(&busy), local()));
    assert_eq!(lines[0], "m=audio 20000 RTP/AVP 0 111 8 9 127");
    // In a session that knows them, they keep their numbers.
    let (sipp, baresip) = (parse(SIPP), parse(BARESIP));
    let lines = media_lines(&offer_again(&sipp, &baresip, local()));
    assert_eq!(lines[0], "m=audio 20000 RTP/AVP 0 8 9 96");
}

#[test]
fn without_a_common_voice_each_leg_speaks_its_own() {
    let opus = parse(
        &SIPP
            .replace("AVP 0", "AVP 96")
            .replace("0 PCMU/8000", "96 opus/48000/2"),
    );
    let answer = answer_from(&opus, &parse(SIPP), local()).unwrap();
    assert_eq!(media_lines(&answer)[0], "m=audio 20000 RTP/AVP 0");
    let to = Payload {
        number: 0,
        codec: Codec::Pcmu,
        clock: 8_000,
    };
    assert_eq!(Way::between(&opus, &parse(SIPP)), Way::Transcode { to });
    let direct = Way::between(&parse(SIPP), &parse(BARESIP));
    assert_eq!(direct, Way::DIRECT, "a shared voice is not translated");
    assert_eq!(
        own_answer(&[Codec::Pcma], &parse(SIPP), local()),
        Err(Incompatible)
    );
}

#[test]
fn a_later_offer_keeps_places_and_numbers() {
    let other = parse(&BARESIP.replace("101", "98"));
    let previous = parse(GATEWAY);
    let expect = [
        "m=image 0 udptl t38",
        "m=audio 20000 RTP/AVP 127 9 0 8 96",
        "a=rtpmap:127 opus/48000/2",
        "a=fmtp:127 stereo=1;sprop-stereo=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=maxptime:60",
        "a=sendrecv",
        "m=application 0 TCP/MRCPv2 1",
    ];
    assert_eq!(
        media_lines(&offer_again(&other, &previous, local())),
        expect
    );
}

#[test]
fn the_pbx_itself_offers_and_answers() {
    let codecs = [Codec::Pcma, Codec::TelephoneEvent];
    let expect = [
        "m=audio 20000 RTP/AVP 8 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ];
    assert_eq!(media_lines(&own_offer(&codecs, local())), expect);
    let held = parse(&YEALINK.replace("a=sendrecv", "a=sendonly"));
    let answer = media_lines(&own_answer(&codecs, &held, local()).unwrap());
    assert_eq!(answer.first().unwrap(), "m=audio 20000 RTP/AVP 8 101");
    assert_eq!(answer.last().unwrap(), "a=recvonly");
}

#[test]
fn our_address_may_be_of_either_family() {
    let local = Local {
        address: "2001:db8::1".parse().unwrap(),
        ..local()
    };
    let bytes = own_offer(&[Codec::Pcmu], local);
    let description = Description::parse(&bytes).unwrap();
    assert_eq!(
        description.remote().rtp,
        "[2001:db8::1]:20000".parse().unwrap()
    );
}

/// Descriptions that are nearly right find more than noise does.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let samples = [LINPHONE, BARESIP, YEALINK, SIPP, BROWSER, FAX, GATEWAY].map(sdp);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    (prop::sample::select(samples.to_vec()), changes).prop_map(|(mut bytes, changes)| {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// Whatever can be read can be offered and answered, and what we write can be read.
fn survives(bytes: &[u8]) {
    let Ok(description) = Description::parse(bytes) else {
        return;
    };
    let other = parse(BARESIP);
    let offer = offer_from(&description, local());
    let offered = Description::parse(&offer).unwrap();
    let is_known = |format: &&Format| description.formats().contains(format);
    let known: Vec<_> = offered.formats().iter().filter(is_known).collect();
    assert_eq!(known, description.formats().iter().collect::<Vec<_>>());
    for written in [
        offer_again(&other, &description, local()),
        answer_from(&other, &description, local()).unwrap_or(offer),
    ] {
        Description::parse(&written).unwrap();
        assert!(!written.windows(4).any(|window| window == b"\r\n\r\n"));
    }
}

proptest! {
    #[test]
    fn noise_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
        survives(&[b"v=0\r\nc=IN IP4 1.1.1.1\r\nm=audio 9 RTP/AVP 0\r\n", bytes.as_slice()].concat());
    }

    #[test]
    fn damaged_descriptions_do_no_harm(bytes in nearly_right()) {
        survives(&bytes);
    }
}
