//! What may be sent over HTTP in somebody's name: addresses, tokens, headers.

use serde_json::{Map, Value};

use super::export::is_hashed;

const MAX_URL_CHARS: usize = 2_048;
/// Headers of one object: more is no description of a receiver.
const MAX_HEADERS: usize = 20;
const MAX_HEADER_NAME_CHARS: usize = 64;
const MAX_HEADER_VALUE_CHARS: usize = 1_024;

/// Headers that are not for a document to say, in lower case: how the message travels (RFC 9110
/// §7.6.1, §7.2, §8.6, §10.1.1), what its body is, and what we sign and number it with.
const RESERVED_HEADERS: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-pbx-delivery",
    "x-pbx-token",
];

/// What keeps a text from being the address of a receiver. Where it may lead is the server's to
/// decide, when it is saved and at every connection.
pub(crate) fn url_complaint(url: &str) -> Option<&'static str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Some("must begin with https:// or http://");
    };
    if url.len() > MAX_URL_CHARS || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("must be at most 2048 visible ASCII characters: encode the rest with `%`");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("holds a user name: tell the receiver who calls by the secret token");
    }
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    if host.is_empty() {
        return Some("names no host");
    }
    None
}

/// What keeps a text from being a token that a receiver compares.
pub(crate) fn token_complaint(token: &str) -> Option<&'static str> {
    if is_hashed(token) {
        return Some("must be the token itself: the receiver compares it, not its hash");
    }
    // RFC 9110 §5.5: what a header value can carry unharmed.
    let is_clean = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (!is_clean).then_some(
        "must be one or more visible ASCII characters without spaces: it is sent in a header",
    )
}

/// What keeps a map from being headers.
pub(crate) fn headers_complaint(headers: &Map<String, Value>) -> Option<String> {
    if headers.len() > MAX_HEADERS {
        return Some(format!("has more than {MAX_HEADERS} headers"));
    }
    headers.iter().find_map(|(name, value)| {
        let complaint = match value.as_str() {
            Some(value) => header_complaint(name, value),
            None => Some("must have a text as its value: put it in quotes"),
        };
        complaint.map(|complaint| format!("`{}` {complaint}", name.escape_debug()))
    })
}

fn header_complaint(name: &str, value: &str) -> Option<&'static str> {
    // RFC 9110 §5.6.2.
    let is_token_char =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > MAX_HEADER_NAME_CHARS || !name.bytes().all(is_token_char) {
        return Some("is no name of a header: write letters, digits and `-`, at most 64");
    }
    if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        return Some("is a header that is made by the server: take it out");
    }
    if is_hashed(value) {
        return Some("must be the value itself: the receiver reads it, not its hash");
    }
    // RFC 9110 §5.5, without what is there for old texts.
    let is_clean = value
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if value.len() > MAX_HEADER_VALUE_CHARS || !is_clean || value.trim() != value {
        return Some(
            "has a value that a header cannot carry: write at most 1024 visible ASCII characters, \
             without spaces around them",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(headers: &Value, expected: Option<&str>) {
        let found = headers_complaint(headers.as_object().unwrap());
        match (&found, expected) {
            (Some(found), Some(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => assert_eq!(found.as_deref(), expected),
        }
    }

    #[test]
    fn headers_say_who_is_told_and_never_how() {
        check(&json!({}), None);
        check(
            &json!({"X-Source": "pbx", "authorization": "Bearer a b"}),
            None,
        );
        check(&json!({"X-Empty": ""}), None);
        for name in [
            "Host",
            "content-LENGTH",
            "Transfer-Encoding",
            "X-Pbx-Token",
            "TE",
        ] {
            check(&json!({name: "1"}), Some("made by the server"));
        }
        for name in [
            "",
            "X Source",
            "X:Source",
            "Größe",
            "X\r\nHost",
            &"x".repeat(65),
        ] {
            check(&json!({name: "1"}), Some("no name of a header"));
        }
        for value in [
            "a\r\nHost: b",
            "a\0",
            "\t",
            " a",
            "a ",
            "ä",
            &"x".repeat(1_025),
        ] {
            check(&json!({"X-Source": value}), Some("cannot carry"));
        }
        check(&json!({"X-Source": 1}), Some("in quotes"));
        let hash = format!("sha256:{}", "0".repeat(64));
        check(&json!({"X-Source": hash}), Some("not its hash"));
        let many: Map<String, Value> = (0..=MAX_HEADERS)
            .map(|number| (format!("X-{number}"), json!("")))
            .collect();
        check(&Value::Object(many), Some("more than 20"));
    }
}
