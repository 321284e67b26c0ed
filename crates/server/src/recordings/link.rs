//! Links to audio: unguessable, so that they need no login.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::settings::Http;

/// Where audio is served.
pub const FOLDER: &str = "/recordings/";
/// What a link ends in.
const SUFFIX: &str = ".mp3";
/// 192 bits: nobody finds one by trying.
const TOKEN_BYTES: usize = 24;

/// What a new link ends in.
pub fn token() -> Arc<str> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system that gave random bytes at the start gives them later");
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// The beginning of every link: what the operator says, else where we listen.
pub fn base(settings: &Http, listening: SocketAddr) -> String {
    match settings.public_url.trim_end_matches('/') {
        "" => format!("http://{listening}"),
        url => url.to_owned(),
    }
}

/// The whole link, as people outside reach it.
pub fn of(base: &str, token: &str) -> String {
    format!("{base}{FOLDER}{token}{SUFFIX}")
}

/// The token of a whole link, or of its end.
pub fn token_of(link: &str) -> Option<&str> {
    token_in(link.trim().rsplit('/').next()?)
}

/// The token in the last part of a link's path.
pub fn token_in(file: &str) -> Option<&str> {
    file.strip_suffix(SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_back_to_its_token_and_no_two_are_alike() {
        let token = token();
        assert_ne!(token, super::token());
        assert_eq!(token.len(), 32);
        let mut settings = Http::default();
        for (public_url, begins) in [
            ("", "http://127.0.0.1:8080/recordings/"),
            (
                "https://pbx.example.com/",
                "https://pbx.example.com/recordings/",
            ),
            (
                "https://example.com/pbx",
                "https://example.com/pbx/recordings/",
            ),
        ] {
            public_url.clone_into(&mut settings.public_url);
            let link = of(&base(&settings, settings.listen), &token);
            let file = link.strip_prefix(begins).unwrap();
            assert_eq!(token_in(file), Some(&*token));
            assert_eq!(token_of(&link), Some(&*token));
        }
        assert_eq!(token_in("something"), None);
    }
}
