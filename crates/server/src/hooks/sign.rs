//! The headers that let a receiver tell that a delivery is ours (contract §2 and §2.3).
//!
//! `X-Pbx-Token` is the endpoint's secret as it stands; Standard Webhooks adds a signature over id,
//! time and body, so that a new receiver need not compare a shared string.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clock::Time;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Header of the secret token.
pub const TOKEN: &str = "x-pbx-token";
/// Header of the delivery's id, the same in every attempt.
pub const DELIVERY: &str = "x-pbx-delivery";
/// Standard Webhooks: the id again.
pub const ID: &str = "webhook-id";
/// Standard Webhooks: seconds since 1970, of this attempt.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Standard Webhooks: `v1,` and the base64 of the signature.
pub const SIGNATURE: &str = "webhook-signature";

/// Secrets of Standard Webhooks may be given as base64 behind this prefix.
const ENCODED_SECRET_PREFIX: &str = "whsec_";

/// The value of `webhook-signature`: HMAC-SHA256 over `id.timestamp.body`.
pub fn signature(secret: &str, delivery: &str, at: Time, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret))
        .expect("HMAC takes a key of any length (RFC 2104 §3)");
    mac.update(delivery.as_bytes());
    mac.update(b".");
    mac.update(at.as_secs().to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// A `whsec_…` secret stands for the bytes it encodes, any other for its own.
fn key(secret: &str) -> Vec<u8> {
    let encoded = secret.strip_prefix(ENCODED_SECRET_PREFIX);
    encoded
        .and_then(|text| BASE64.decode(text).ok())
        .unwrap_or_else(|| secret.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_of_standard_webhooks_verifies() {
        // The vector of the specification's own libraries.
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Time::from_secs(1_614_265_330),
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_plain_secret_is_its_own_key() {
        let at = Time::from_secs(1);
        assert_eq!(
            signature("whsec_c2VjcmV0", "1", at, b"{}"),
            signature("secret", "1", at, b"{}")
        );
        assert_ne!(
            signature("secret", "1", at, b"{}"),
            signature("secret", "2", at, b"{}")
        );
    }
}
