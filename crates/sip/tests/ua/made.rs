//! Requests of ours and answers by their text: forks, routes, challenges, session intervals.

use std::time::Duration;

use sip::{
    Answer, Counts, Credentials, Destination, DialogId, EndCause, Event, FlowId, Invite, Limits,
    Method, Name, NatPolicy, OutRequest, Party, RequestId, Series, Transport,
};

use crate::asked::SUPPORTED;
use crate::wire::{PeerAnswer, Wire};
use crate::world::invite;

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
const SDP: &str = "Content-Type: application/sdp\n\nanswer";

fn peer() -> Destination {
    let remote = "192.0.2.9:5062".parse().unwrap();
    Destination {
        transport: Transport::Udp,
        remote,
        flow: Some(FlowId(1)),
    }
}

/// An INVITE of ours has just gone out.
fn calling(invite: Invite) -> (Wire, DialogId) {
    let mut wire = Wire::new();
    let dialog = wire.ua.next_dialog_id();
    assert_eq!(
        wire.does(|ua, now, _| ua.invite(now, dialog, invite)),
        ["INVITE"]
    );
    (wire, dialog)
}

fn with_credentials() -> Invite {
    Invite {
        credentials: Some(Credentials::new("me", "secret")),
        ..invite(peer())
    }
}

/// 200 with a Contact and a session description.
fn ok<'a>(tag: &'a str, more: &'a str) -> PeerAnswer<'a> {
    PeerAnswer {
        status: "200 OK",
        tag,
        more,
    }
}

fn refusal<'a>(status: &'a str, more: &'a str) -> PeerAnswer<'a> {
    PeerAnswer {
        status,
        tag: "t",
        more,
    }
}

#[test]
fn an_invite_says_what_it_must() {
    let more = vec![(
        "P-Asserted-Identity".to_owned(),
        "<sip:+49@c>\r\nX: y".to_owned(),
    )];
    let (wire, _) = calling(Invite {
        headers: more,
        max_forwards: 12,
        ..invite(peer())
    });
    let sent = wire.last();
    let message = sent.message();
    assert_eq!(message.max_forwards(), Some(12));
    assert_eq!(sent.header(Name::Contact), "<sip:alice@192.0.2.1:5060>");
    assert_eq!(sent.header(Name::Supported), SUPPORTED);
    assert_eq!(sent.header(Name::SessionExpires), "1800");
    assert_eq!(sent.header(Name::UserAgent), "test");
    assert_eq!(sent.header(Name::PAssertedIdentity), "<sip:+49@c>  X: y");
    assert!(message.top_via().unwrap().wants_rport());
    assert_eq!(message.body(), b"offer");
}

#[test]
fn a_malformed_address_of_the_owner_is_refused_here() {
    let mut wire = Wire::new();
    let dialog = wire.ua.next_dialog_id();
    let broken = Invite {
        to_party: Party {
            display: None,
            uri: String::new(),
        },
        ..invite(peer())
    };
    assert_eq!(
        wire.does(|ua, now, _| ua.invite(now, dialog, broken)),
        [""; 0]
    );
    assert!(matches!(
        wire.events[..],
        [Event::Refused { code: 400, .. }]
    ));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn an_answer_must_name_the_whole_branch() {
    let (mut wire, _) = calling(invite(peer()));
    let sent = wire.last().branch();
    let (start, _) = sent.split_at(sent.len() - 1);
    let text = format!(
        "SIP/2.0 486 Busy\nVia: SIP/2.0/UDP 192.0.2.1;branch={start}z\nFrom: <sip:a@h>;tag=1\n\
        To: <sip:b@h>\nCall-ID: c\nCSeq: 1 INVITE"
    );
    assert_eq!(wire.hears(&text), [""; 0]);
    assert_eq!(wire.events, []);
}

#[test]
fn recorded_routes_are_reversed_for_who_called() {
    let (mut wire, dialog) = calling(Invite {
        symmetric: NatPolicy::ByContact,
        ..invite(peer())
    });
    let more = "Record-Route: <sip:p3.example;lr>, <sip:192.0.2.70;lr>
        Contact: <sip:bob@192.0.2.50>\n";
    wire.is_answered("INVITE", &ok("t", &(more.to_owned() + SDP)));
    let routes = ["<sip:192.0.2.70;lr>", "<sip:p3.example;lr>"];
    let ack = wire.last_named("ACK");
    assert_eq!(
        (ack.uri().as_str(), ack.headers(Name::Route)),
        ("sip:bob@192.0.2.50", routes.map(str::to_owned).to_vec())
    );
    assert_eq!(ack.to.remote, "192.0.2.70:5060".parse().unwrap());
    assert_eq!(ack.header(Name::CSeq), "1 ACK");
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    let bye = wire.last();
    assert_eq!(bye.headers(Name::Route), routes);
    assert_eq!(bye.header(Name::CSeq), "2 BYE");
    assert_eq!(bye.to.remote, "192.0.2.70:5060".parse().unwrap());
}

#[test]
fn a_phone_is_reached_where_its_answer_came_from() {
    let (mut wire, dialog) = calling(invite(peer()));
    wire.is_answered("INVITE", &ok("t", "Contact: <sip:bob@10.0.0.5>"));
    assert_eq!(wire.last().to.remote, peer().remote);
    assert_eq!(wire.events, [Event::Accepted { dialog, sdp: None }]);
}

#[test]
fn the_first_fork_wins_and_the_others_are_ended() {
    let (mut wire, dialog) = calling(invite(peer()));
    for (tag, code) in [("a", "180 Ringing"), ("b", "183 Progress")] {
        wire.is_answered(
            "INVITE",
            &PeerAnswer {
                status: code,
                tag,
                more: "",
            },
        );
    }
    let (first, second) = (
        "Contact: <sip:b@192.0.2.50>\n",
        "Contact: <sip:b@192.0.2.60>\n",
    );
    let first = first.to_owned() + SDP;
    assert_eq!(wire.is_answered("INVITE", &ok("a", &first)), ["ACK"]);
    assert_eq!(wire.is_answered("INVITE", &ok("b", second)), ["ACK", "BYE"]);
    let bye = wire.last();
    assert_eq!(
        (bye.uri().as_str(), bye.header(Name::CSeq).as_str()),
        ("sip:b@192.0.2.60", "2 BYE")
    );
    assert!(bye.header(Name::To).ends_with(";tag=b"));
    // What comes again is acknowledged again, and not ended twice.
    assert_eq!(wire.is_answered("INVITE", &ok("b", second)), ["ACK"]);
    assert_eq!(wire.is_answered("INVITE", &ok("a", &first)), ["ACK"]);
    assert!(wire.last().header(Name::To).ends_with(";tag=a"));
    let sdp = Some(b"answer".to_vec());
    assert_eq!(
        wire.events,
        [
            Event::Provisional {
                dialog,
                code: 180,
                sdp: None
            },
            Event::Provisional {
                dialog,
                code: 183,
                sdp: None
            },
            Event::Accepted { dialog, sdp },
        ]
    );
}

#[test]
fn a_challenge_is_answered_once() {
    for (status, challenge, name) in [
        (
            "401 Unauthorized",
            CHALLENGE.to_owned(),
            Name::Authorization,
        ),
        (
            "407 Proxy Authentication Required",
            CHALLENGE.replace("WWW", "Proxy"),
            Name::ProxyAuthorization,
        ),
    ] {
        let (mut wire, dialog) = calling(with_credentials());
        let first = wire.last().branch();
        let answer = refusal(status, &challenge);
        assert_eq!(wire.is_answered("INVITE", &answer), ["ACK", "INVITE"]);
        let again = wire.last();
        assert_ne!(again.branch(), first);
        assert_eq!(again.header(Name::CSeq), "2 INVITE");
        assert_eq!(again.header(Name::From), wire.sent[0].header(Name::From));
        assert_eq!(
            again.header(Name::CallId),
            wire.sent[0].header(Name::CallId)
        );
        assert!(
            again.header(name).contains("username=\"me\""),
            "{}",
            again.text
        );
        assert_eq!(again.message().body(), b"offer");
        // The same challenge again: the password is wrong.
        assert_eq!(wire.is_answered("INVITE", &answer), ["ACK"]);
        assert!(matches!(
            &wire.events[..],
            [Event::Refused {
                code: 401 | 407,
                ..
            }]
        ));
        wire.waits(Duration::from_secs(40));
        assert_eq!((wire.ua.counts(), dialog), (Counts::default(), DialogId(1)));
    }
}

#[test]
fn a_stale_nonce_is_no_wrong_password() {
    let (mut wire, dialog) = calling(with_credentials());
    let stale = CHALLENGE.replace("n1", "n2") + ", stale=true";
    wire.is_answered("INVITE", &refusal("401 No", CHALLENGE));
    assert_eq!(
        wire.is_answered("INVITE", &refusal("401 No", &stale)),
        ["ACK", "INVITE"]
    );
    assert!(
        wire.last()
            .header(Name::Authorization)
            .contains("nonce=\"n2\"")
    );
    assert_eq!(wire.is_answered("INVITE", &ok("t", SDP)), ["ACK"]);
    // RFC 3261 §13.2.2.4: the ACK carries the credentials of the INVITE.
    assert!(
        wire.last()
            .header(Name::Authorization)
            .contains("nonce=\"n2\"")
    );
    assert!(matches!(wire.events[..], [Event::Accepted { .. }]));
    // Requests inside the dialog answer challenges too.
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(wire.last().header(Name::CSeq), "4 BYE");
    assert_eq!(
        wire.is_answered("BYE", &refusal("401 No", CHALLENGE)),
        ["BYE"]
    );
    assert_eq!(wire.last().header(Name::CSeq), "5 BYE");
    wire.is_answered("BYE", &refusal("403 No", ""));
    wire.waits(Duration::from_secs(40));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn without_credentials_a_challenge_is_a_refusal() {
    let (mut wire, _) = calling(invite(peer()));
    assert_eq!(
        wire.is_answered("INVITE", &refusal("401 No", CHALLENGE)),
        ["ACK"]
    );
    assert!(matches!(
        wire.events[..],
        [Event::Refused { code: 401, .. }]
    ));
}

#[test]
fn an_interval_that_is_too_small_is_raised_once() {
    let (mut wire, _) = calling(invite(peer()));
    let answer = refusal("422 Session Interval Too Small", "Min-SE: 2400");
    assert_eq!(wire.is_answered("INVITE", &answer), ["ACK", "INVITE"]);
    assert_eq!(wire.last().header(Name::SessionExpires), "2400");
    assert_eq!(wire.last().header(Name::MinSe), "2400");
    assert_eq!(wire.is_answered("INVITE", &answer), ["ACK"]);
    assert!(matches!(
        wire.events[..],
        [Event::Refused { code: 422, .. }]
    ));
}

#[test]
fn a_call_that_never_ends_its_ringing_is_cancelled() {
    let (mut wire, _) = calling(invite(peer()));
    wire.is_answered("INVITE", &refusal("180 Ringing", ""));
    let names = wire.waits(Duration::from_secs(601));
    assert_eq!(names[..1], ["CANCEL"]);
    assert!(matches!(
        wire.events[1..],
        [Event::Refused { code: 408, .. }]
    ));
    wire.waits(Duration::from_secs(40));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn a_cancelled_invite_without_a_final_answer_is_over_after_a_while() {
    let (mut wire, dialog) = calling(invite(peer()));
    wire.is_answered("INVITE", &refusal("180 Ringing", ""));
    assert_eq!(
        wire.does(|ua, now, _| ua.hang_up(now, dialog, None)),
        ["CANCEL"]
    );
    assert_eq!(wire.last().branch(), wire.sent[0].branch());
    assert_eq!(wire.last().header(Name::CSeq), "1 CANCEL");
    wire.is_answered("CANCEL", &refusal("200 OK", ""));
    assert_eq!(
        wire.does(|ua, now, _| ua.hang_up(now, dialog, None)),
        [""; 0]
    );
    wire.waits(Duration::from_secs(33));
    assert_eq!(wire.ua.counts(), Counts::default());
    assert_eq!(wire.events.len(), 2);
}

#[test]
fn a_bye_without_an_answer_ends_the_dialog() {
    let (mut wire, dialog) = calling(invite(peer()));
    wire.is_answered("INVITE", &ok("t", SDP));
    wire.does(|ua, now, _| ua.hang_up(now, dialog, None));
    assert_eq!(wire.waits(Duration::from_secs(33)).len(), 10);
    assert_eq!(wire.ua.counts(), Counts::default());
    let cause = EndCause::HungUp;
    assert_eq!(wire.events[1..], [Event::Ended { dialog, cause }]);
}

#[test]
fn a_peer_that_lost_the_dialog_ends_it() {
    for status in ["481 No", "408 No"] {
        let (mut wire, dialog) = calling(invite(peer()));
        wire.is_answered("INVITE", &ok("t", SDP));
        let body = b"Signal=1".to_vec();
        wire.does(|ua, now, _| ua.info(now, dialog, "application/dtmf-relay", body));
        assert_eq!(wire.is_answered("INFO", &refusal(status, "")), ["BYE"]);
        let cause = EndCause::DialogLost;
        assert_eq!(wire.events[1..], [Event::Ended { dialog, cause }]);
    }
}

#[test]
fn a_full_table_refuses_calls_and_requests_of_ours() {
    let mut wire = Wire::with_limits(Limits {
        max_client_transactions: 0,
        ..Limits::default()
    });
    let dialog = wire.ua.next_dialog_id();
    wire.does(|ua, now, _| ua.invite(now, dialog, invite(peer())));
    wire.does(|ua, now, _| ua.request(now, RequestId(1), register()));
    assert!(matches!(
        wire.events[..],
        [
            Event::Refused { code: 503, .. },
            Event::Response { code: 503, .. }
        ]
    ));
}

fn register() -> OutRequest {
    let party = Party {
        display: None,
        uri: "sip:me@r.example".to_owned(),
    };
    OutRequest {
        method: Method::Register,
        to: peer(),
        uri: "sip:r.example".to_owned(),
        from: party.clone(),
        to_party: party,
        contact_user: Some("me".to_owned()),
        headers: vec![("Expires".to_owned(), "600".to_owned())],
        body: None,
        credentials: Some(Credentials::new("me", "secret")),
        series: None,
    }
}

#[test]
fn a_registration_answers_its_challenge_and_goes_on_in_its_series() {
    let mut wire = Wire::new();
    let id = RequestId(7);
    assert_eq!(
        wire.does(|ua, now, _| ua.request(now, id, register())),
        ["REGISTER"]
    );
    assert_eq!(wire.last().header(Name::CSeq), "1 REGISTER");
    let names = wire.is_answered("REGISTER", &refusal("401 No", CHALLENGE));
    assert_eq!(names, ["REGISTER"]);
    let call_id = wire.last().header(Name::CallId);
    let more = "Contact: <sip:other@192.0.2.3>;expires=30, <sip:me@192.0.2.1:5060>;expires=300
        Expires: 60";
    wire.is_answered("REGISTER", &ok("t", more));
    let [
        Event::Response {
            id: RequestId(7),
            code: 200,
            answer,
        },
    ] = &wire.events[..]
    else {
        panic!("{:?}", wire.events);
    };
    assert_eq!(answer.expires_seconds, Some(300));
    assert_eq!(answer.series, Series { call_id, cseq: 2 });
    assert_eq!(answer.seen_as, Some("192.0.2.1:5060".parse().unwrap()));
    let next = OutRequest {
        series: Some(answer.series.clone()),
        ..register()
    };
    wire.does(|ua, now, _| ua.request(now, id, next));
    assert_eq!(wire.last().header(Name::CSeq), "3 REGISTER");
    wire.waits(Duration::from_secs(40));
    assert!(matches!(
        wire.events[1..],
        [Event::Response { code: 408, .. }]
    ));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn a_closed_connection_fails_what_was_not_heard_of() {
    let mut wire = Wire::new();
    let to = Destination {
        transport: Transport::Tcp,
        flow: Some(FlowId(4)),
        ..peer()
    };
    let request = OutRequest { to, ..register() };
    wire.does(|ua, now, _| ua.request(now, RequestId(1), request));
    wire.does(|ua, now, _| ua.flow_closed(now, FlowId(5)));
    assert_eq!(wire.events, []);
    wire.does(|ua, now, _| ua.flow_closed(now, FlowId(4)));
    assert!(matches!(
        wire.events[..],
        [Event::Response { code: 503, .. }]
    ));
    assert_eq!(wire.ua.counts(), Counts::default());
}

#[test]
fn a_reply_needs_no_words_of_its_own() {
    let answer = Answer::code(486);
    assert_eq!((answer.code, answer.reason, answer.body), (486, None, None));
}
