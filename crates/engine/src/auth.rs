//! Who a phone is: digest challenges, and the device that an answer proves.

use std::net::SocketAddr;
use std::sync::Arc;

use clock::Time;
use pbx::AccountId;
use sip::{Answer, Authorization, DigestError, Ha1, Message, Name, Stale, Uri};

use crate::Engine;
use crate::guesses::Claim;

/// A device whose password was proven.
pub(crate) struct DeviceRef {
    pub(crate) account: AccountId,
    pub(crate) username: Arc<str>,
}

impl DeviceRef {
    fn claim(&self) -> Claim {
        Claim {
            account: self.account,
            username: self.username.clone(),
        }
    }
}

impl Engine {
    /// The device that sends this request. `Err` is the answer to give: a challenge, or 403 for a
    /// wrong password. An unknown user is answered like a wrong password, in wording and time.
    pub(crate) fn authenticate(
        &mut self,
        now: Time,
        message: &Message<'_>,
        from: SocketAddr,
    ) -> Result<DeviceRef, Answer> {
        let authorization = message
            .headers(Name::Authorization)
            .chain(message.headers(Name::ProxyAuthorization))
            .find_map(Authorization::parse);
        let Some(authorization) = authorization else {
            return Err(self.challenge(now, message, Stale::No));
        };
        let device = self.claimed_device(&authorization);
        let claim = device.as_ref().map(DeviceRef::claim);
        if self.guesses.is_locked_out(now, from, claim.as_ref()) {
            self.locked_out += 1;
            return Err(Answer::code(403));
        }
        let ha1 = device.as_ref().and_then(|device| self.ha1_of(device));
        let verdict = self
            .challenger
            .verify(now, &authorization, message.method(), ha1.as_ref());
        match (verdict, device) {
            (Ok(()), Some(device)) => {
                self.guesses.right(now, from, device.claim());
                Ok(device)
            }
            (Ok(()), None) | (Err(DigestError::WrongResponse), _) => {
                self.guesses.wrong(now, from, claim.as_ref());
                self.refused_passwords += 1;
                Err(Answer::code(403))
            }
            (Err(DigestError::Stale | DigestError::NonceCountReused), _) => {
                Err(self.challenge(now, message, Stale::Yes))
            }
            (Err(DigestError::NotOffered), _) => Err(self.challenge(now, message, Stale::No)),
            (Err(DigestError::Malformed), _) => Err(Answer::code(400)),
        }
    }

    /// The device that the answer claims to be: its realm is its account's domain.
    fn claimed_device(&self, authorization: &Authorization<'_>) -> Option<DeviceRef> {
        let (_, account) = self.directory.account_of_domain(&authorization.realm)?;
        let username = std::str::from_utf8(&authorization.username).ok()?;
        let (_, _, device) = self.plan(account)?.device(username)?;
        Some(DeviceRef {
            account,
            username: device.username.clone(),
        })
    }

    fn ha1_of(&self, device: &DeviceRef) -> Option<Ha1> {
        let (_, _, found) = self.plan(device.account)?.device(&device.username)?;
        Some(Ha1::from_md5(&found.ha1.md5))
    }

    fn challenge(&mut self, now: Time, message: &Message<'_>, stale: Stale) -> Answer {
        let Some(realm) = self.realm_for(message) else {
            // No account has been applied yet, so there is nobody to be.
            return Answer::code(403);
        };
        let challenge = self.challenger.challenge(now, &realm, stale);
        Answer::code(401).header("WWW-Authenticate", &challenge)
    }

    /// The domain to challenge for: the one that the request names, else that of the only device
    /// with the sender's name, else one that is always the same for this sender.
    fn realm_for(&self, message: &Message<'_>) -> Option<Arc<str>> {
        let from = message.from().map(|from| from.uri);
        let named = [
            message.request_line().map(|line| line.uri),
            message.to().map(|to| to.uri),
            from,
        ];
        let uris = || named.iter().flatten().filter_map(|uri| Uri::parse(uri));
        if let Some((domain, _)) = uris().find_map(|uri| self.directory.account_of_domain(uri.host))
        {
            return Some(domain.clone());
        }
        let user = from.and_then(crate::front::user_of).unwrap_or_default();
        let account = self.directory.account_of_device(&user);
        let by_device = account
            .and_then(|account| self.plan(account))
            .map(|plan| plan.domain.clone());
        by_device.or_else(|| self.directory.any_domain(user.as_bytes()).cloned())
    }
}
