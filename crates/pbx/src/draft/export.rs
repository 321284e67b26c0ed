//! How a draft leaves the process: sorted, so that two exports of the same account are the same
//! bytes, and with hashes in place of secrets.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Device, Draft, Ha1, Object};
use super::secret::Secret;
use super::triggers::Triggers;
use crate::hash;
use crate::mailbox::pin_hash;
use crate::objects;
use crate::plan;

/// Stands before the hash of a secret.
pub(super) const HASH_PREFIX: &str = "sha256:";

/// What an export does with secrets that must stay readable at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// A trunk's password, a webhook's token or an object's comes out as its hash. Applied again, the stored
    /// one is kept (see [`Draft::keep_secrets`]).
    Hashed,
    /// They come out as they are.
    Shown,
}

/// Whether a text is a hash that stands for a secret.
pub(super) fn is_hashed(text: &str) -> bool {
    unhashed(text).is_some()
}

/// The hash that stands for a secret, if the text is one.
pub(super) fn unhashed(text: &str) -> Option<[u8; 32]> {
    text.strip_prefix(HASH_PREFIX).and_then(hash::unhex)
}

fn prefixed(hash: &[u8; 32]) -> Secret {
    format!("{HASH_PREFIX}{}", hash::hex(hash)).into()
}

fn hashed(secret: &Secret) -> Secret {
    if is_hashed(secret.reveal()) {
        return secret.clone();
    }
    prefixed(&hash::sha256(secret.reveal()))
}

impl Draft {
    /// Makes of every device's password, PIN and API key what is kept of them: their hashes. What
    /// must be sent to others (a trunk's password, a webhook's token) stays; seal the document.
    pub fn hash_passwords(&mut self) {
        for user in &mut self.users {
            for device in &mut user.devices {
                hash_password(device, &self.domain);
            }
            let number = &user.number;
            if let Some(pin) = &mut user.voicemail.pin
                && !is_hashed(pin.reveal())
            {
                *pin = prefixed(&pin_hash(number, pin.reveal()));
            }
        }
        for key in &mut self.api.keys {
            key.key = hashed(&key.key);
        }
    }

    /// The document as people see it: hashed passwords, everything in the order of its id where
    /// the order means nothing. Trunks and numbers keep theirs.
    #[must_use]
    pub fn export(&self, secrets: Secrets) -> Self {
        let mut draft = self.clone();
        draft.hash_passwords();
        if secrets == Secrets::Hashed {
            draft.hash_shared_secrets();
        }
        draft.sort();
        draft
    }

    /// Puts the stored secret back wherever an export's hash stands for it.
    pub fn keep_secrets(&mut self, stored: &Self) {
        for trunk in &mut self.trunks {
            let before = stored.trunks.iter().find(|other| other.name == trunk.name);
            let before = before.and_then(|trunk| trunk.register.as_ref());
            if let (Some(register), Some(before)) = (&mut trunk.register, before) {
                keep(&mut register.password, &before.password);
            }
        }
        for webhook in &mut self.webhooks {
            let before = stored
                .webhooks
                .iter()
                .find(|other| other.name == webhook.name);
            if let Some(before) = before {
                keep(&mut webhook.secret_token, &before.secret_token);
            }
        }
        self.keep_objects_secrets(stored);
    }

    fn keep_objects_secrets(&mut self, stored: &Self) {
        for flow in &mut self.flows {
            let before = stored.flows.iter().find(|other| other.id == flow.id);
            let before = before.map(|flow| &*flow.objects).unwrap_or_default();
            for object in &mut flow.objects {
                let Some(before) = before.iter().find(|other| other.id == object.id) else {
                    continue;
                };
                let mut before = before.clone();
                let known: BTreeMap<_, _> = secrets_of(&mut before).into_iter().collect();
                for (place, value) in secrets_of(object) {
                    if let Some(before) = known.get(&place)
                        && *value == hashed_value(before)
                    {
                        value.clone_from(before);
                    }
                }
            }
        }
    }

    fn hash_shared_secrets(&mut self) {
        for register in self
            .trunks
            .iter_mut()
            .filter_map(|trunk| trunk.register.as_mut())
        {
            register.password = hashed(&register.password);
        }
        for webhook in &mut self.webhooks {
            webhook.secret_token = hashed(&webhook.secret_token);
        }
        for object in self.flows.iter_mut().flat_map(|flow| &mut flow.objects) {
            for (_, value) in secrets_of(object) {
                *value = hashed_value(value);
            }
        }
    }

    fn sort(&mut self) {
        self.users
            .sort_by(|left, right| left.number.cmp(&right.number));
        for user in &mut self.users {
            user.devices
                .sort_by(|left, right| left.username.cmp(&right.username));
        }
        self.flows.sort_by(|left, right| left.id.cmp(&right.id));
        for flow in &mut self.flows {
            flow.objects.sort_by(|left, right| left.id.cmp(&right.id));
        }
        for trunk in &mut self.trunks {
            trunk.inbound_from.sort();
        }
        for webhook in &mut self.webhooks {
            if let Triggers::Some(triggers) = &mut webhook.triggers {
                triggers.sort();
                triggers.dedup();
            }
        }
        self.webhooks
            .sort_by(|left, right| left.name.cmp(&right.name));
        self.api
            .keys
            .sort_by(|left, right| left.name.cmp(&right.name));
        self.api.allowed_ips.sort();
    }
}

/// The secrets in an object's settings, each with its place among them.
fn secrets_of(object: &mut Object) -> Vec<(String, &mut Value)> {
    let fields = objects::kind(&object.kind).map_or(&[][..], |kind| kind.fields);
    let settings = object.settings.iter_mut();
    settings
        .flat_map(|(key, value)| {
            let field = fields.iter().find(|field| field.name == key);
            field.map_or_else(Vec::new, |field| field.shape.secrets(key, value))
        })
        .collect()
}

/// What is no text stays as it is: it is no secret, and an error.
fn hashed_value(value: &Value) -> Value {
    value.as_str().map_or_else(
        || value.clone(),
        |text| hashed(&text.into()).reveal().into(),
    )
}

fn keep(secret: &mut Secret, stored: &Secret) {
    if is_hashed(secret.reveal()) && *secret == hashed(stored) {
        secret.clone_from(stored);
    }
}

fn hash_password(device: &mut Device, realm: &str) {
    let Some(password) = device.password.take() else {
        return;
    };
    let ha1 = plan::Ha1::of(&device.username, realm, password.reveal());
    device.ha1 = Some(Ha1 {
        md5: hash::hex(&ha1.md5).into(),
        sha256: ha1.sha256.map(|bytes| hash::hex(&bytes).into()),
        realm: Some(realm.to_owned()),
    });
}
