//! Any body: read without a panic; what can be read can be offered and answered, and what we write of
//! it reads back with the same formats.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{
    Codec, Description, Local, PayloadMap, answer_from, offer_again, offer_from, own_answer,
};

const OTHER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.8\r\ns=-\r\nc=IN IP4 192.0.2.8\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8 9 96 120\r\na=rtpmap:96 opus/48000/2\r\n\
    a=rtpmap:120 telephone-event/8000\r\n";

fuzz_target!(|bytes: &[u8]| {
    let Ok(description) = Description::parse(bytes) else {
        return;
    };
    let other = Description::parse(OTHER).expect("it is right");
    let local = Local {
        address: [198, 51, 100, 1].into(),
        rtp_port: 20_000,
        session: 7,
        version: 1,
    };
    let offer = offer_from(&description, local);
    let read_back = Description::parse(&offer).expect("our offer reads back");
    // Behind the peer's voices stand those that we translate from.
    let known = description.formats();
    let kept = read_back
        .formats()
        .iter()
        .filter(|format| known.contains(format));
    assert!(
        kept.eq(known),
        "our offer has the peer's formats in their order"
    );
    let again = offer_again(&other, &description, local);
    Description::parse(&again).expect("our later offer reads back");
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::TelephoneEvent];
    for answer in [
        answer_from(&other, &description, local),
        answer_from(&description, &other, local),
        own_answer(&codecs, &description, local),
    ] {
        let read_back = answer.map(|answer| Description::parse(&answer));
        assert!(
            matches!(read_back, Ok(Ok(_)) | Err(_)),
            "our answer reads back"
        );
    }
    let map = PayloadMap::between(&description, &other);
    assert!((0..128).all(|number| map.apply(number) < 128));
});
