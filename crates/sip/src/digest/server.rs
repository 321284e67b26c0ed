//! The side that challenges and checks. Nonces carry their own time and proof, so a challenge
//! holds no memory; only counts of right answers are remembered.

use std::borrow::Cow;
use std::time::Duration;

use clock::Time;
use hmac::digest::{CtOutput, Output};
use hmac::{Hmac, Mac as _};
use md5::Md5;
use sha2::Sha256;

use super::nonces::{NonceId, NonceTable};
use super::{Algorithm, AuthParams, Computation, Ha1, Hex, Protection, inside_quotes, quoted};
use crate::bytes::as_str;
use crate::method::Method;
use crate::params::unquote;

/// How long a nonce may be used after it was issued.
pub const NONCE_LIFETIME: Duration = Duration::from_mins(5);

/// How far in the future a nonce may seem to be, after the clock was set back.
const CLOCK_STEP: Duration = Duration::from_secs(5);

/// Why an answer to a challenge was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// A parameter is missing or unreadable: answer 400.
    Malformed,
    /// Made with a hash or protection that was not offered: challenge again.
    NotOffered,
    /// Wrong password, unknown user: challenge again, and count it as a guess.
    WrongResponse,
    /// Right password, nonce too old or not ours: challenge again with [`Stale::Yes`].
    Stale,
    /// Right password, but this count of the nonce was used: a replay, or a client that does not
    /// count. Challenge again with [`Stale::Yes`].
    NonceCountReused,
}

/// Whether a challenge tells the client that only its nonce was bad, so that it tries again
/// without asking its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The password was right.
    Yes,
    /// First challenge, or a wrong password.
    No,
}

/// The value of an Authorization or Proxy-Authorization header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Who it says it is, without quotes and escapes.
    pub username: Cow<'a, [u8]>,
    /// The realm it answers for, without quotes and escapes.
    pub realm: Cow<'a, [u8]>,
    nonce: &'a [u8],
    uri: &'a [u8],
    response: &'a [u8],
    algorithm: Option<Algorithm>,
    protection: Option<Protection<'a>>,
}

impl<'a> Authorization<'a> {
    /// Reads the header value. `None` for another scheme than Digest, or without one of username,
    /// realm, nonce, uri and response.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let params = AuthParams::parse(value)?;
        let find = |wanted: &str| {
            let mut all = params.iter();
            all.find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
                .map(|(_, value)| value)
        };
        let protection = match find("qop").map(inside_quotes) {
            None => Some(Protection::Legacy),
            Some(qop) if qop.eq_ignore_ascii_case(b"auth") => {
                let (nc, cnonce) = (find("nc"), find("cnonce"));
                nc.zip(cnonce).map(|(nc, cnonce)| Protection::Auth {
                    nc: inside_quotes(nc),
                    cnonce: inside_quotes(cnonce),
                })
            }
            Some(_) => None,
        };
        Some(Self {
            username: unquote(find("username")?),
            realm: unquote(find("realm")?),
            nonce: inside_quotes(find("nonce")?),
            uri: inside_quotes(find("uri")?),
            response: inside_quotes(find("response")?),
            algorithm: Algorithm::from_param(find("algorithm")),
            protection,
        })
    }
}

/// Issues challenges and checks the answers. One per node: it knows which nonces were used.
pub struct Challenger {
    key: Hmac<Sha256>,
    /// Stands in for the hash of a user that does not exist, so that the check takes as long.
    nobody: Ha1,
    serial: u32,
    nonces: NonceTable,
}

impl std::fmt::Debug for Challenger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Challenger")
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

impl Challenger {
    /// A challenger whose nonces nobody without the secret can make. With the same secret nonces
    /// outlive a restart; which counts were used does not, so a fresh one is the safer choice.
    pub fn new(secret: [u8; 32]) -> Self {
        let key = Hmac::new_from_slice(&secret).expect("HMAC takes a key of any length");
        let nobody = Ha1 { md5: [b'0'; 32] };
        Self {
            key,
            nobody,
            serial: 0,
            nonces: NonceTable::default(),
        }
    }

    /// The value of a WWW-Authenticate or Proxy-Authenticate header, good for one client.
    pub fn challenge(&mut self, now: Time, realm: &str, stale: Stale) -> String {
        self.serial = self.serial.wrapping_add(1);
        let id = NonceId {
            issued: now,
            serial: self.serial,
        };
        let proof = u128::from_be_bytes(self.proof(realm.as_bytes(), id));
        let stale = match stale {
            Stale::Yes => ", stale=true",
            Stale::No => "",
        };
        format!(
            "Digest realm=\"{}\", nonce=\"{:016x}{:08x}{proof:032x}\", algorithm=MD5, qop=\"auth\"{stale}",
            quoted(realm),
            now.as_micros(),
            id.serial,
        )
    }

    /// Checks an answer. `ha1` is what is kept for its username and realm; `None` for an unknown
    /// user takes the same time and ends as a wrong password.
    ///
    /// The URI of the answer is not compared with the request's: proxies and phones rewrite one of
    /// the two often enough (RFC 3261 §22.4), and what the comparison guards against, another
    /// request sent with the same answer, is kept out by the count.
    pub fn verify(
        &mut self,
        now: Time,
        authorization: &Authorization<'_>,
        method: Method,
        ha1: Option<&Ha1>,
    ) -> Result<(), DigestError> {
        let Some(protection) = authorization.protection else {
            return Err(DigestError::NotOffered);
        };
        if authorization.algorithm != Some(Algorithm::Md5) {
            return Err(DigestError::NotOffered);
        }
        let count = count(protection)?;
        let computation = Computation {
            method: method.as_str().as_bytes(),
            uri: authorization.uri,
            nonce: authorization.nonce,
            protection,
        };
        let given = unhex(authorization.response).ok_or(DigestError::WrongResponse)?;
        let expected = CtOutput::<Md5>::new(computation.response(ha1.unwrap_or(&self.nobody)));
        // Compared in constant time: how much of a guess is right does not show.
        let is_right = expected == CtOutput::new(given);
        if !is_right || ha1.is_none() {
            return Err(DigestError::WrongResponse);
        }
        let id = self.check_nonce(now, authorization)?;
        self.nonces.take(now, id, count)
    }

    /// The nonce's identity, if we made it for this realm and it is not too old.
    fn check_nonce(
        &self,
        now: Time,
        authorization: &Authorization<'_>,
    ) -> Result<NonceId, DigestError> {
        let (id, proof) = nonce_parts(authorization.nonce).ok_or(DigestError::Stale)?;
        let is_ours = self
            .mac(&authorization.realm, id)
            .verify_truncated_left(&proof)
            .is_ok();
        let is_young = now.since(id.issued) <= NONCE_LIFETIME;
        let is_past = id.issued.since(now) <= CLOCK_STEP;
        (is_ours && is_young && is_past)
            .then_some(id)
            .ok_or(DigestError::Stale)
    }

    /// What proves that a nonce is ours: the HMAC over all it stands for.
    fn mac(&self, realm: &[u8], id: NonceId) -> Hmac<Sha256> {
        let mut mac = self.key.clone();
        mac.update(&id.issued.as_micros().to_be_bytes());
        mac.update(&id.serial.to_be_bytes());
        mac.update(realm);
        mac
    }

    /// The half of the HMAC that goes into the nonce.
    fn proof(&self, realm: &[u8], id: NonceId) -> Proof {
        let full: [u8; 32] = self.mac(realm, id).finalize().into_bytes().into();
        full.first_chunk().copied().unwrap_or_default()
    }
}

/// Half an HMAC: 128 bits.
type Proof = [u8; 16];

/// Time, serial number and proof of a nonce as [`Challenger::challenge`] writes it.
fn nonce_parts(nonce: &[u8]) -> Option<(NonceId, Proof)> {
    let (issued, rest) = nonce.split_at_checked(16)?;
    let (serial, proof) = rest.split_at_checked(8)?;
    let issued = Time::from_micros(hexadecimal(issued)?);
    let serial = u32::try_from(hexadecimal(serial)?).ok()?;
    Some((NonceId { issued, serial }, unhex(proof)?.into()))
}

/// The count of an answer. Without protection there is none, and the nonce is good for one
/// request: that is what keeps a replay out, for one more round trip of an old phone.
fn count(protection: Protection<'_>) -> Result<u32, DigestError> {
    match protection {
        Protection::Legacy => Ok(1),
        Protection::Auth { nc, .. } => hexadecimal(nc)
            .and_then(|count| u32::try_from(count).ok())
            .ok_or(DigestError::Malformed),
    }
}

/// The hash that 32 hexadecimal digits of either case write.
fn unhex(text: &[u8]) -> Option<Output<Md5>> {
    let digits = Hex::try_from(text)
        .ok()
        .filter(|text| text.iter().all(u8::is_ascii_hexdigit))?;
    let value = u128::from_str_radix(as_str(&digits)?, 16).ok()?;
    Some(value.to_be_bytes().into())
}

/// A hexadecimal number of 1 to 16 digits.
fn hexadecimal(text: &[u8]) -> Option<u64> {
    let digits_only = !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit);
    let text = as_str(text).filter(|_| digits_only)?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::super::client::{self, Attempt, Challenge, Credentials};
    use super::super::hex;
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);
    const REALM: &str = "acme.example.com";

    fn challenger() -> Challenger {
        Challenger::new([7; 32])
    }

    fn ha1() -> Ha1 {
        Ha1::md5("1010", REALM, "secret")
    }

    fn answer(challenge: &str, password: &str, nc: u32) -> String {
        let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
        let credentials = Credentials::new("1010", password);
        let attempt = Attempt {
            method: Method::Register,
            uri: "sip:acme.example.com",
            cnonce: "c",
            nc,
        };
        client::answer(&challenge, &credentials, &attempt).unwrap()
    }

    fn check(challenger: &mut Challenger, now: Time, answer: &str) -> Result<(), DigestError> {
        let authorization = Authorization::parse(answer.as_bytes()).unwrap();
        challenger.verify(now, &authorization, Method::Register, Some(&ha1()))
    }

    #[test]
    fn a_right_answer_is_taken_once_per_count() {
        let mut challenger = challenger();
        let challenge = challenger.challenge(NOW, REALM, Stale::No);
        let first = answer(&challenge, "secret", 1);
        assert_eq!(check(&mut challenger, NOW, &first), Ok(()));
        assert_eq!(
            check(&mut challenger, NOW, &first),
            Err(DigestError::NonceCountReused)
        );
        assert_eq!(
            check(&mut challenger, NOW, &answer(&challenge, "secret", 2)),
            Ok(())
        );
    }

    #[test]
    fn a_wrong_password_method_or_user_is_a_wrong_response() {
        let mut challenger = challenger();
        let challenge = challenger.challenge(NOW, REALM, Stale::No);
        let wrong = answer(&challenge, "guess", 1);
        assert_eq!(
            check(&mut challenger, NOW, &wrong),
            Err(DigestError::WrongResponse)
        );
        let right = answer(&challenge, "secret", 1);
        let right = Authorization::parse(right.as_bytes()).unwrap();
        let ha1 = ha1();
        for (method, ha1) in [(Method::Invite, Some(&ha1)), (Method::Register, None)] {
            let result = challenger.verify(NOW, &right, method, ha1);
            assert_eq!(result, Err(DigestError::WrongResponse), "{method:?}");
        }
        assert_eq!(
            challenger.verify(NOW, &right, Method::Register, Some(&ha1)),
            Ok(())
        );
    }

    #[test]
    fn the_stand_in_for_unknown_users_is_no_password() {
        let mut challenger = challenger();
        let challenge = challenger.challenge(NOW, REALM, Stale::No);
        let nobody = challenger.nobody.clone();
        let parsed = Challenge::parse(challenge.as_bytes()).unwrap();
        let response = Computation {
            method: b"REGISTER",
            uri: b"sip:x",
            nonce: parsed.nonce(),
            protection: Protection::Legacy,
        }
        .response(&nobody);
        let forged = format!(
            "Digest username=\"x\", realm=\"{REALM}\", nonce=\"{}\", uri=\"sip:x\", response=\"{}\"",
            std::str::from_utf8(parsed.nonce()).unwrap(),
            std::str::from_utf8(&hex(&response.into())).unwrap(),
        );
        let forged = Authorization::parse(forged.as_bytes()).unwrap();
        let result = challenger.verify(NOW, &forged, Method::Register, None);
        assert_eq!(result, Err(DigestError::WrongResponse));
    }

    #[test]
    fn old_and_foreign_nonces_are_stale_only_with_the_right_password() {
        let mut challenger = challenger();
        let challenge = challenger.challenge(NOW, REALM, Stale::No);
        let late = NOW + NONCE_LIFETIME + Duration::from_millis(1);
        let early = Time::from_micros(NOW.as_micros() - 10_000_000);
        let foreign = Challenger::new([8; 32]).challenge(NOW, REALM, Stale::No);
        let other_realm = challenger.challenge(NOW, "other.example.com", Stale::No);
        let other_realm = other_realm.replace("other.example.com", REALM);
        for (now, challenge) in [
            (late, &challenge),
            (early, &challenge),
            (NOW, &foreign),
            (NOW, &other_realm),
        ] {
            let right = answer(challenge, "secret", 1);
            assert_eq!(check(&mut challenger, now, &right), Err(DigestError::Stale));
            let wrong = answer(challenge, "guess", 1);
            assert_eq!(
                check(&mut challenger, now, &wrong),
                Err(DigestError::WrongResponse)
            );
        }
        let in_time = answer(&challenge, "secret", 1);
        assert_eq!(
            check(&mut challenger, NOW + NONCE_LIFETIME, &in_time),
            Ok(())
        );
    }

    #[test]
    fn without_qop_a_nonce_is_good_for_one_request() {
        let mut challenger = challenger();
        let challenge = challenger
            .challenge(NOW, REALM, Stale::No)
            .replace(", qop=\"auth\"", "");
        let answer = answer(&challenge, "secret", 1);
        assert!(!answer.contains("qop"));
        assert_eq!(check(&mut challenger, NOW, &answer), Ok(()));
        assert_eq!(
            check(&mut challenger, NOW, &answer),
            Err(DigestError::NonceCountReused)
        );
    }

    #[test]
    fn two_challenges_of_one_instant_are_two_nonces() {
        let mut challenger = challenger();
        let one = challenger.challenge(NOW, REALM, Stale::No);
        assert_ne!(one, challenger.challenge(NOW, REALM, Stale::No));
        assert!(
            challenger
                .challenge(NOW, REALM, Stale::Yes)
                .ends_with(", stale=true")
        );
        assert!(
            challenger
                .challenge(NOW, "a\"b", Stale::No)
                .contains(r#"realm="a\"b""#)
        );
    }

    #[test]
    fn authorizations_are_read_tolerantly() {
        let value = "digest  username=\"a \\\"b\\\"\" ,REALM=\"r,1\",nonce=n, uri=\"sip:x\", \
                     response=\"ABC\",algorithm=md5, qop=auth,\r\n nc=00000001,cnonce=\"c\"";
        let read = Authorization::parse(value.as_bytes()).unwrap();
        assert_eq!(&*read.username, b"a \"b\"");
        assert_eq!(&*read.realm, b"r,1");
        assert_eq!(read.algorithm, Some(Algorithm::Md5));
        assert_eq!(
            read.protection,
            Some(Protection::Auth {
                nc: b"00000001",
                cnonce: b"c"
            })
        );
        for value in [
            "",
            "Digest",
            "Basic abc",
            "NoOneKnowsThisScheme opaque-data=here",
            "Digest username=\"a\"",
        ] {
            assert_eq!(Authorization::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn what_was_not_offered_is_not_taken() {
        let base = "Digest username=\"1010\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"x\"";
        for (extra, expect) in [
            (", algorithm=SHA-256", DigestError::NotOffered),
            (", algorithm=MD5-sess", DigestError::NotOffered),
            (", qop=auth-int, nc=1, cnonce=c", DigestError::NotOffered),
            (", qop=auth", DigestError::NotOffered),
            (", qop=auth, nc=zz, cnonce=c", DigestError::Malformed),
            ("", DigestError::WrongResponse),
        ] {
            let value = format!("{base}{extra}");
            assert_eq!(
                check(&mut challenger(), NOW, &value),
                Err(expect),
                "{extra}"
            );
        }
    }

    #[test]
    fn what_is_no_nonce_of_ours_is_seen() {
        for nonce in ["", "00", &"z".repeat(56), &"f".repeat(23)] {
            assert!(nonce_parts(nonce.as_bytes()).is_none(), "{nonce}");
        }
    }
}
