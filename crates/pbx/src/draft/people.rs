//! Users and their devices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::compile::{Compiler, is_digit, not_a_number};
use super::document;
use super::export::unhashed;
use super::text::{MAX_EMAILS, is_email, is_word};
use crate::event::UserRef;
use crate::hash;
use crate::mailbox::{PIN_DIGITS, pin_hash};
use crate::plan::{Device, Ha1, User};

/// A device that rings shorter cannot be reached by anybody.
pub(crate) const MIN_RING_SECONDS: u32 = 3;
/// A caller who waits longer has long gone.
pub(crate) const MAX_RING_SECONDS: u32 = 600;
const DEFAULT_RING_SECONDS: u32 = 25;
pub(crate) const MAX_INTERNAL_DIGITS: usize = 8;
const MAX_DEVICES_PER_USER: usize = 16;
const MIN_PASSWORD_CHARS: usize = 8;

/// Numbers people dial in need: an internal number of the same digits would take the call.
const EMERGENCY_NUMBERS: &[&str] = &[
    "000", "108", "110", "111", "112", "113", "117", "118", "119", "911", "995", "999",
];

impl Compiler<'_> {
    /// Every user, in the draft's order, whatever is wrong with them.
    pub(super) fn people(&mut self) -> Vec<User> {
        let draft = self.draft;
        let mut seen = Seen::default();
        draft
            .users
            .iter()
            .enumerate()
            .map(|(index, user)| self.person(&format!("users[{index}]"), user, &mut seen))
            .collect()
    }

    fn person(&mut self, path: &str, user: &document::User, seen: &mut Seen) -> User {
        self.internal_number(&format!("{path}.number"), &user.number, seen);
        self.name(&format!("{path}.name"), &user.name);
        self.user_name_clash(&format!("{path}.name"), user, seen);
        self.email(&format!("{path}.email"), user.email.as_deref());
        let voicemail_emails = self.voicemail_emails(path, user);
        let ring_seconds = user.ring_seconds.unwrap_or(DEFAULT_RING_SECONDS);
        if !(MIN_RING_SECONDS..=MAX_RING_SECONDS).contains(&ring_seconds) {
            self.error(
                format!("{path}.ring_seconds"),
                format!("must be {MIN_RING_SECONDS} to {MAX_RING_SECONDS}"),
            );
        }
        if user.devices.is_empty() {
            self.warning(
                format!("{path}.devices"),
                "is empty, so calls to this user are always unavailable: add a device",
            );
        }
        if user.devices.len() > MAX_DEVICES_PER_USER {
            self.error(
                format!("{path}.devices"),
                format!("has more than {MAX_DEVICES_PER_USER} devices, which all ring together"),
            );
        }
        let devices =
            user.devices.iter().enumerate().map(|(index, device)| {
                self.device(&format!("{path}.devices[{index}]"), device, seen)
            });
        let devices = devices.collect();
        User {
            who: UserRef {
                number: user.number.as_str().into(),
                name: user.name.as_str().into(),
            },
            email: user.email.as_deref().map(Into::into),
            voicemail_emails,
            pin: self.pin(path, user),
            caller_id: self.caller_id(&format!("{path}.caller_id"), user.caller_id.as_deref()),
            ring_time: Duration::from_secs(ring_seconds.into()),
            record: user.record,
            devices,
        }
    }

    fn internal_number(&mut self, path: &str, number: &str, seen: &mut Seen) {
        if !is_word(number, MAX_INTERNAL_DIGITS, is_digit) {
            self.error(
                path,
                format!("must be 1 to {MAX_INTERNAL_DIGITS} digits in quotes, such as \"1010\""),
            );
        }
        if EMERGENCY_NUMBERS.contains(&number) {
            self.warning(
                path,
                format!(
                    "`{number}` is an emergency number somewhere: a call for help would ring \
                         this user instead"
                ),
            );
        }
        self.unique(path, number, &mut seen.numbers, "internal number");
    }

    fn email(&mut self, path: &str, email: Option<&str>) {
        if email.is_some_and(|email| !is_email(email)) {
            self.error(
                path,
                "must be one mail address, such as john@acme.example.com",
            );
        }
    }

    /// Where the user's messages are mailed.
    fn voicemail_emails(&mut self, path: &str, user: &document::User) -> Vec<Arc<str>> {
        let Some(emails) = &user.voicemail.emails else {
            return user.email.as_deref().map(Into::into).into_iter().collect();
        };
        if emails.len() > MAX_EMAILS {
            self.error(
                format!("{path}.voicemail.emails"),
                format!("has more than {MAX_EMAILS} addresses: take a mailing list"),
            );
        }
        for (index, email) in emails.iter().enumerate() {
            self.email(&format!("{path}.voicemail.emails[{index}]"), Some(email));
        }
        emails.iter().map(|email| email.as_str().into()).collect()
    }

    /// What is kept of the mailbox's PIN.
    fn pin(&mut self, path: &str, user: &document::User) -> Option<[u8; 32]> {
        let pin = user.voicemail.pin.as_ref()?.reveal();
        if let Some(hash) = unhashed(pin) {
            return Some(hash);
        }
        if !PIN_DIGITS.contains(&pin.len()) || !pin.chars().all(is_digit) {
            self.error(
                format!("{path}.voicemail.pin"),
                format!(
                    "must be {} to {} digits in quotes, such as \"4711\"",
                    PIN_DIGITS.start(),
                    PIN_DIGITS.end()
                ),
            );
        }
        Some(pin_hash(&user.number, pin))
    }

    fn user_name_clash(&mut self, path: &str, user: &document::User, seen: &mut Seen) {
        let clash = seen.names.insert(user.name.clone(), path.to_owned());
        if let Some(other) = clash {
            self.warning(
                path,
                format!(
                    "`{}` is the name at {other} too: filters of the API by name find both",
                    user.name
                ),
            );
        }
    }

    fn device(&mut self, path: &str, device: &document::Device, seen: &mut Seen) -> Device {
        self.name(&format!("{path}.name"), &device.name);
        let username_path = format!("{path}.username");
        let allowed = |char: char| char.is_ascii_alphanumeric() || "-_.+".contains(char);
        if !is_word(&device.username, 64, allowed) {
            self.error(
                username_path.as_str(),
                "must be 1 to 64 of the characters A-Z, a-z, 0-9 and `-_.+`: it is part of an \
                 address",
            );
        }
        self.unique(
            &username_path,
            &device.username,
            &mut seen.usernames,
            "username",
        );
        let ha1 = self.ha1(path, device);
        Device {
            name: device.name.as_str().into(),
            username: device.username.as_str().into(),
            ha1,
        }
    }

    fn ha1(&mut self, path: &str, device: &document::Device) -> Ha1 {
        match (&device.password, &device.ha1) {
            (Some(password), None) => {
                let password = password.reveal();
                if password.chars().count() < MIN_PASSWORD_CHARS {
                    self.warning(
                        format!("{path}.password"),
                        format!(
                            "is shorter than {MIN_PASSWORD_CHARS} characters: whoever guesses it \
                             calls at your cost"
                        ),
                    );
                }
                Ha1::of(&device.username, &self.draft.domain, password)
            }
            (None, Some(ha1)) => self.stored_ha1(&format!("{path}.ha1"), ha1),
            (Some(_), Some(_)) => {
                self.error(path, "has both `password` and `ha1`: keep one of them");
                Ha1::NONE
            }
            (None, None) => {
                self.error(
                    path,
                    "has neither `password` nor `ha1`: no phone could register",
                );
                Ha1::NONE
            }
        }
    }

    fn stored_ha1(&mut self, path: &str, ha1: &document::Ha1) -> Ha1 {
        if let Some(realm) = ha1
            .realm
            .as_ref()
            .filter(|realm| **realm != self.draft.domain)
        {
            self.error(
                path,
                format!(
                    "was made for the domain `{realm}`, and a hash holds its domain: after a \
                     change of `domain` give the password again"
                ),
            );
        }
        let md5 = hash::unhex(ha1.md5.reveal());
        if md5.is_none() {
            self.error(format!("{path}.md5"), "must be 32 hexadecimal digits");
        }
        let sha256 = ha1.sha256.as_ref().map(|hex| hash::unhex(hex.reveal()));
        if sha256 == Some(None) {
            self.error(format!("{path}.sha256"), "must be 64 hexadecimal digits");
        }
        Ha1 {
            md5: md5.unwrap_or_default(),
            sha256: sha256.flatten(),
        }
    }

    fn caller_id(&mut self, path: &str, text: Option<&str>) -> Option<crate::number::E164> {
        let text = text?;
        let number = self.numbering.normalise(text);
        if number.is_none() {
            self.error(path, not_a_number(text));
        }
        number
    }

    /// Only numbers that are the account's may be shown. Asked after the flows, which say which
    /// numbers these are.
    pub(super) fn caller_ids(&mut self) {
        let of_users = self.users.iter().enumerate().filter_map(|(index, user)| {
            let path = format!("users[{index}].caller_id");
            Some((path, user.caller_id?))
        });
        let shown = of_users.chain(std::mem::take(&mut self.shown));
        let foreign: Vec<_> = shown
            .filter(|(_, number)| !self.claimed.contains_key(number))
            .collect();
        for (path, number) in foreign {
            self.error(
                path,
                format!(
                    "+{number} is no number of this account, and showing another's is spoofing: \
                     take one that an inbound number object has"
                ),
            );
        }
    }

    /// Reports a second use of what must be unique.
    pub(super) fn unique(
        &mut self,
        path: &str,
        value: &str,
        seen: &mut BTreeMap<String, String>,
        what: &str,
    ) {
        if let Some(other) = seen.get(value) {
            let rule = format!("`{value}` is the {what} at {other} too: it must be unique");
            self.error(path, rule);
            return;
        }
        seen.insert(value.to_owned(), path.to_owned());
    }
}

/// What must not come twice, and where it came first.
#[derive(Debug, Default)]
struct Seen {
    numbers: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    usernames: BTreeMap<String, String>,
}
