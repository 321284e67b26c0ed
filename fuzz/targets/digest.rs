//! Any Authorization and any challenge: read without a panic, never taken for a right answer, and
//! our own answer to any challenge can be read back.
#![no_main]

use clock::Time;
use libfuzzer_sys::fuzz_target;
use sip::digest::client::{self, Attempt};
use sip::{Authorization, Challenge, Challenger, Credentials, Ha1, Method};

fuzz_target!(|bytes: &[u8]| {
    if let Some(authorization) = Authorization::parse(bytes) {
        let mut challenger = Challenger::new([1; 32]);
        let ha1 = Ha1::md5("user", "realm", "a password that is not in the corpus");
        for known in [Some(&ha1), None] {
            let verdict = challenger.verify(Time::from_secs(1), &authorization, Method::Invite, known);
            assert!(verdict.is_err());
        }
    }
    let Some(challenge) = Challenge::parse(bytes) else { return };
    let attempt = Attempt { method: Method::Invite, uri: "sip:h", cnonce: "c", nc: 1 };
    let Some(answer) = client::answer(&challenge, &Credentials::new("u", "p"), &attempt) else {
        return;
    };
    assert!(challenge.is_answerable());
    let read = Authorization::parse(answer.as_bytes());
    assert_eq!(read.map(|read| read.username.into_owned()).as_deref(), Some(&b"u"[..]));
});
