//! The messages of RFC 4475, each with what must come of it, and the same messages broken in every
//! place: nothing may panic.

use sip::{Abilities, Framing, Malformed, Message, Method, Name, Objection};

/// What must come of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// Taken, and nothing speaks against serving it.
    Accepted,
    /// Taken, and this is the answer it deserves.
    Objected(Objection),
    /// Refused, and answered with this code.
    Rejected(u16),
    /// Refused without an answer: a response, or nobody to answer to.
    Dropped,
}

use Expect::{Accepted, Dropped, Objected, Rejected};

/// The 27 valid ones.
const VALID: [(&str, &[u8], Expect); 27] = [
    ("wsinv", include_bytes!("torture/wsinv.dat"), Accepted),
    (
        "intmeth",
        include_bytes!("torture/intmeth.dat"),
        Objected(Objection::UnknownMethod),
    ),
    ("esc01", include_bytes!("torture/esc01.dat"), Accepted),
    ("escnull", include_bytes!("torture/escnull.dat"), Accepted),
    (
        "esc02",
        include_bytes!("torture/esc02.dat"),
        Objected(Objection::UnknownMethod),
    ),
    ("lwsdisp", include_bytes!("torture/lwsdisp.dat"), Accepted),
    ("longreq", include_bytes!("torture/longreq.dat"), Accepted),
    ("dblreq", include_bytes!("torture/dblreq.dat"), Accepted),
    ("semiuri", include_bytes!("torture/semiuri.dat"), Accepted),
    (
        "transports",
        include_bytes!("torture/transports.dat"),
        Accepted,
    ),
    (
        "mpart01",
        include_bytes!("torture/mpart01.dat"),
        Objected(Objection::MethodNotAllowed),
    ),
    ("unreason", include_bytes!("torture/unreason.dat"), Accepted),
    ("noreason", include_bytes!("torture/noreason.dat"), Accepted),
    (
        "badbranch",
        include_bytes!("torture/badbranch.dat"),
        Accepted,
    ),
    ("cparam01", include_bytes!("torture/cparam01.dat"), Accepted),
    ("cparam02", include_bytes!("torture/cparam02.dat"), Accepted),
    ("regescrt", include_bytes!("torture/regescrt.dat"), Accepted),
    ("sdp01", include_bytes!("torture/sdp01.dat"), Accepted),
    ("inv2543", include_bytes!("torture/inv2543.dat"), Accepted),
    (
        "bext01",
        include_bytes!("torture/bext01.dat"),
        Objected(Objection::UnknownExtension),
    ),
    (
        "unkscm",
        include_bytes!("torture/unkscm.dat"),
        Objected(Objection::UnknownScheme),
    ),
    (
        "novelsc",
        include_bytes!("torture/novelsc.dat"),
        Objected(Objection::UnknownScheme),
    ),
    ("unksm2", include_bytes!("torture/unksm2.dat"), Accepted),
    ("regaut01", include_bytes!("torture/regaut01.dat"), Accepted),
    (
        "invut",
        include_bytes!("torture/invut.dat"),
        Objected(Objection::UnknownContentType),
    ),
    ("regbadct", include_bytes!("torture/regbadct.dat"), Accepted),
    (
        "zeromf",
        include_bytes!("torture/zeromf.dat"),
        Objected(Objection::NoHopsLeft),
    ),
];

/// The 15 invalid ones.
const INVALID: [(&str, &[u8], Expect); 15] = [
    (
        "badinv01",
        include_bytes!("torture/badinv01.dat"),
        Rejected(400),
    ),
    ("clerr", include_bytes!("torture/clerr.dat"), Rejected(400)),
    ("ncl", include_bytes!("torture/ncl.dat"), Rejected(400)),
    (
        "scalar02",
        include_bytes!("torture/scalar02.dat"),
        Rejected(400),
    ),
    ("scalarlg", include_bytes!("torture/scalarlg.dat"), Dropped),
    (
        "quotbal",
        include_bytes!("torture/quotbal.dat"),
        Rejected(400),
    ),
    (
        "ltgtruri",
        include_bytes!("torture/ltgtruri.dat"),
        Rejected(400),
    ),
    (
        "lwsruri",
        include_bytes!("torture/lwsruri.dat"),
        Rejected(400),
    ),
    (
        "badvers",
        include_bytes!("torture/badvers.dat"),
        Rejected(505),
    ),
    (
        "mismatch01",
        include_bytes!("torture/mismatch01.dat"),
        Rejected(400),
    ),
    (
        "mismatch02",
        include_bytes!("torture/mismatch02.dat"),
        Rejected(400),
    ),
    ("bigcode", include_bytes!("torture/bigcode.dat"), Dropped),
    ("insuf", include_bytes!("torture/insuf.dat"), Rejected(400)),
    (
        "multi01",
        include_bytes!("torture/multi01.dat"),
        Rejected(400),
    ),
    ("mcl01", include_bytes!("torture/mcl01.dat"), Rejected(400)),
];

/// The 7 where the RFC leaves the choice, with ours.
const LENIENT: [(&str, &[u8], Expect); 7] = [
    ("badaspec", include_bytes!("torture/badaspec.dat"), Accepted),
    ("baddate", include_bytes!("torture/baddate.dat"), Accepted),
    // This file has no empty line after its headers.
    ("baddn", include_bytes!("torture/baddn.dat"), Rejected(400)),
    // Two Via values in a response to us: the user agent drops it (RFC 3261 §8.1.3.3).
    ("bcast", include_bytes!("torture/bcast.dat"), Accepted),
    ("escruri", include_bytes!("torture/escruri.dat"), Accepted),
    (
        "lwsstart",
        include_bytes!("torture/lwsstart.dat"),
        Rejected(400),
    ),
    ("trws", include_bytes!("torture/trws.dat"), Accepted),
];

const ABILITIES: Abilities<'static> = Abilities {
    methods: &[
        Method::Invite,
        Method::Ack,
        Method::Bye,
        Method::Register,
        Method::Options,
    ],
    extensions: &["timer"],
    content_types: &["application/sdp"],
};

fn outcome(bytes: &[u8]) -> Expect {
    match Message::parse(bytes, Framing::Datagram) {
        Ok(message) => message.objection(&ABILITIES).map_or(Accepted, Objected),
        Err(malformed) => refusal(&malformed),
    }
}

fn refusal(malformed: &Malformed<'_>) -> Expect {
    malformed
        .request()
        .map_or(Dropped, |_| Rejected(malformed.code))
}

fn all() -> impl Iterator<Item = (&'static str, &'static [u8], Expect)> {
    VALID.into_iter().chain(INVALID).chain(LENIENT)
}

#[test]
fn each_message_comes_to_what_the_rfc_wants() {
    for (name, bytes, expect) in all() {
        assert_eq!(outcome(bytes), expect, "{name}");
    }
}

/// Reads whatever can be read of a message, as the rest of the program does.
fn read_everything(message: &Message<'_>) -> usize {
    let addresses = [message.from(), message.to(), message.contact()];
    let named = addresses.iter().flatten().filter(|address| {
        sip::Uri::parse(address.uri).is_some_and(|uri| uri.user_decoded().is_some())
            && address.tag().is_some()
            && address.display_name().is_some()
    });
    let vias = message
        .vias()
        .filter(|via| via.branch().is_some() || via.rport().is_some());
    let numbers = [message.expires(), message.min_se(), message.retry_after()];
    named.count()
        + vias.count()
        + numbers.iter().flatten().count()
        + message.contacts().count()
        + message.routes().chain(message.record_routes()).count()
        + message.values(Name::Accept).count()
        + message.body().len()
}

fn survive(bytes: &[u8], framing: Framing) {
    match Message::parse(bytes, framing) {
        Ok(message) => {
            let _read = read_everything(&message);
            let _objection = message.objection(&ABILITIES);
        }
        Err(malformed) => {
            let _read = malformed.request().map(read_everything);
        }
    }
}

#[test]
fn every_prefix_is_survived() {
    for (_, bytes, _) in all() {
        for end in 0..bytes.len() {
            survive(&bytes[..end], Framing::Datagram);
        }
    }
}

/// What takes the place of each byte: three of these in turn. The fuzzer tries all others.
const REPLACEMENTS: [u8; 12] = [
    b'\n', b' ', b'"', b'<', b'\r', b',', b';', b'>', b':', b'@', 0, 0xff,
];

#[test]
fn every_changed_byte_is_survived() {
    for (_, bytes, _) in all() {
        let mut changed = bytes.to_vec();
        for at in 0..bytes.len() {
            for offset in [0, 4, 8] {
                changed[at] = REPLACEMENTS[(at + offset) % REPLACEMENTS.len()];
                survive(&changed, Framing::Datagram);
            }
            changed[at] = bytes[at];
        }
    }
}
