//! Any datagram: parsed, read in every part, objected to, answered and registered without a panic;
//! what we write of it parses again.
#![no_main]

use clock::Time;
use libfuzzer_sys::fuzz_target;
use sip::{
    Abilities, Aor, FlowId, Framing, Message, Method, Name, RegisterRequest, Registrar, Source,
    Transport, Uri, Writer,
};

const ABILITIES: Abilities<'static> = Abilities {
    methods: &[Method::Invite, Method::Register, Method::Options],
    extensions: &["timer"],
    content_types: &["application/sdp"],
};

fuzz_target!(|bytes: &[u8]| {
    let source = Source {
        transport: Transport::Udp,
        remote: ([192, 0, 2, 7], 5060).into(),
        flow: FlowId(1),
    };
    for framing in [Framing::Datagram, Framing::Stream] {
        match Message::parse(bytes, framing) {
            Ok(message) => {
                read(&message);
                register(&message, source);
                let _objection = message.objection(&ABILITIES);
                answer(&message, source, Answered::Parses);
            }
            Err(malformed) => {
                if let Some(request) = malformed.request() {
                    read(request);
                    answer(request, source, Answered::Anything);
                }
            }
        }
    }
});

fn read(message: &Message<'_>) {
    for address in [message.from(), message.to(), message.contact()].into_iter().flatten() {
        let _name = address.display_name();
        let _params = address.params.iter().count();
        if let Some(uri) = Uri::parse(address.uri) {
            assert!(uri.is_equivalent(&uri));
            let _decoded = (uri.user_decoded(), uri.socket_address());
        }
    }
    let _numbers = (message.expires(), message.min_se(), message.retry_after());
    let _session = (message.session_expires(), message.max_forwards());
    let _lists = message.routes().chain(message.record_routes()).count();
    let _values = message.fields().map(|field| message.values(field.name).count()).max();
    for via in message.vias() {
        let _via = (via.branch(), via.received(), via.rport());
    }
}

fn register(message: &Message<'_>, source: Source) {
    let Ok(request) = RegisterRequest::parse(message, source) else { return };
    let mut registrar = Registrar::default();
    let now = Time::from_secs(1);
    let Ok(bindings) = registrar.apply(now, Aor(1), &request) else { return };
    let count = bindings.len();
    let shown: usize = bindings.iter().map(|binding| binding.contact_value(now).len()).sum();
    assert_eq!(count == 0, shown == 0);
    assert_eq!(registrar.expire(Time::from_secs(100_000)).len(), count);
    assert!(registrar.is_empty());
}

/// What is known of an answer.
#[derive(PartialEq)]
enum Answered {
    /// The request was in order, so the answer is.
    Parses,
    /// The request was not.
    Anything,
}

fn answer(request: &Message<'_>, source: Source, answered: Answered) {
    if request.request_line().is_none() {
        return;
    }
    let bytes = Writer::response(400, "Bad Request")
        .echo(request, source, Some("tag"))
        .copy(request, Name::RecordRoute)
        .finish();
    let parsed = Message::parse(&bytes, Framing::Stream);
    if answered == Answered::Anything {
        return;
    }
    let Ok(response) = parsed else { panic!("{}", String::from_utf8_lossy(&bytes)) };
    assert_eq!(response.vias().count(), request.vias().count());
    assert_eq!(response.cseq().map(|cseq| cseq.number), request.cseq().map(|cseq| cseq.number));
    assert_eq!(response.header(Name::Authorization), None);
}
