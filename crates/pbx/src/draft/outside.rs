//! What other software has to do with the account: webhook endpoints, API keys, addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::compile::Compiler;
use super::document;
use super::export;
use super::http::{token_complaint, url_complaint};
use super::triggers::Triggers;
use crate::hash;
use crate::network::Network;
use crate::plan::{ApiKey, Endpoint};
use crate::trigger::Trigger;

/// Contract §2.3.
const MAX_TIMEOUT_SECONDS: u32 = 600;
/// Contract §1.
const API_KEY_CHARS: usize = 64;

impl Compiler<'_> {
    /// Every webhook endpoint.
    pub(super) fn webhooks(&mut self) -> Vec<Endpoint> {
        let draft = self.draft;
        let mut names = BTreeMap::new();
        draft
            .webhooks
            .iter()
            .enumerate()
            .map(|(index, webhook)| self.webhook(index, webhook, &mut names))
            .collect()
    }

    fn webhook(
        &mut self,
        index: usize,
        webhook: &document::Webhook,
        names: &mut BTreeMap<String, String>,
    ) -> Endpoint {
        let path = format!("webhooks[{index}]");
        let name_path = format!("{path}.name");
        self.name(&name_path, &webhook.name);
        self.unique(&name_path, &webhook.name, names, "name");
        if let Some(complaint) = url_complaint(&webhook.url) {
            self.error(format!("{path}.url"), complaint);
        }
        if let Some(complaint) = token_complaint(webhook.secret_token.reveal()) {
            self.error(format!("{path}.secret_token"), complaint);
        }
        let triggers = match &webhook.triggers {
            Triggers::All => Trigger::ALL.into_iter().collect(),
            Triggers::Some(triggers) => triggers.iter().copied().collect::<BTreeSet<_>>(),
        };
        if triggers.is_empty() {
            self.warning(
                format!("{path}.triggers"),
                "is empty, so nothing is ever sent there: name triggers, or `all`",
            );
        }
        if webhook
            .timeout_seconds
            .is_some_and(|seconds| !(1..=MAX_TIMEOUT_SECONDS).contains(&seconds))
        {
            self.error(
                format!("{path}.timeout_seconds"),
                format!("must be 1 to {MAX_TIMEOUT_SECONDS}"),
            );
        }
        Endpoint {
            name: webhook.name.as_str().into(),
            url: webhook.url.as_str().into(),
            secret_token: webhook.secret_token.reveal().into(),
            triggers,
            timeout: webhook
                .timeout_seconds
                .map(|seconds| Duration::from_secs(seconds.into())),
        }
    }

    /// API keys, and the addresses they may be used from.
    pub(super) fn api(&mut self) -> (Vec<ApiKey>, Vec<Network>) {
        let draft = self.draft;
        let mut names = BTreeMap::new();
        let mut keys = Vec::new();
        for (index, key) in draft.api.keys.iter().enumerate() {
            let path = format!("api.keys[{index}]");
            let name_path = format!("{path}.name");
            self.name(&name_path, &key.name);
            self.unique(&name_path, &key.name, &mut names, "name");
            match key_hash(key.key.reveal()) {
                Some(sha256) => keys.push(ApiKey {
                    name: key.name.as_str().into(),
                    sha256,
                }),
                None => self.error(
                    format!("{path}.key"),
                    format!(
                        "must be {API_KEY_CHARS} of the characters A-Z, a-z and 0-9, or `sha256:` \
                         and 64 hexadecimal digits"
                    ),
                ),
            }
        }
        let allowed_ips = self.allowed_ips();
        if !keys.is_empty() && draft.api.allowed_ips.is_empty() {
            self.warning(
                "api.allowed_ips",
                "is empty, which blocks every request: add the addresses that may use the keys",
            );
        }
        (keys, allowed_ips)
    }

    fn allowed_ips(&mut self) -> Vec<Network> {
        let draft = self.draft;
        let mut networks = Vec::new();
        for (index, text) in draft.api.allowed_ips.iter().enumerate() {
            match text.parse() {
                Ok(network) => networks.push(network),
                Err(complaint) => {
                    self.error(
                        format!("api.allowed_ips[{index}]"),
                        format!("`{text}` {complaint}"),
                    );
                }
            }
        }
        networks
    }
}

fn key_hash(key: &str) -> Option<[u8; 32]> {
    if let Some(hex) = key.strip_prefix(export::HASH_PREFIX) {
        return hash::unhex(hex);
    }
    let whole = key.len() == API_KEY_CHARS && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    whole.then(|| hash::sha256(key))
}
