//! Keeps the way in to phones behind a NAT open.
//!
//! A NAT keeps a mapping while packets *leave* it (RFC 4787 §4.3), so the phone is asked with OPTIONS and
//! its answer does the work. Phones with a public address are left alone.

use std::collections::{BTreeMap, BTreeSet};

use clock::Time;
use sip::{Aor, Method, OutRequest, Party, RequestId};

use crate::Engine;

/// When which device is asked next.
#[derive(Default)]
pub(crate) struct KeepAlive {
    due: BTreeSet<(Time, Aor)>,
    due_of: BTreeMap<Aor, Time>,
}

impl KeepAlive {
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    fn set(&mut self, aor: Aor, at: Time) {
        if let Some(before) = self.due_of.insert(aor, at) {
            self.due.remove(&(before, aor));
        }
        self.due.insert((at, aor));
    }

    fn take_due(&mut self, now: Time) -> Option<Aor> {
        let (at, aor) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, aor));
        self.due_of.remove(&aor);
        Some(aor)
    }
}

impl Engine {
    /// A device has registered; if it sits behind a NAT it is asked from time to time.
    pub(crate) fn keep_alive(&mut self, now: Time, aor: Aor) {
        if self
            .registrar
            .bindings(aor, now)
            .any(sip::Binding::is_behind_nat)
        {
            self.keepalive.set(aor, now + self.settings.keepalive);
        }
    }

    /// Asks the devices whose time has come.
    pub(crate) fn keepalive_due(&mut self, now: Time) {
        while let Some(aor) = self.keepalive.take_due(now) {
            let bindings = self.registrar.bindings(aor, now);
            let behind_nat: Vec<_> = bindings
                .filter(|binding| binding.is_behind_nat())
                .cloned()
                .collect();
            for binding in &behind_nat {
                let us = Party {
                    display: None,
                    uri: "sip:keepalive@switchhook.invalid".to_owned(),
                };
                let request = OutRequest {
                    method: Method::Options,
                    to: binding.destination,
                    uri: binding.uri.clone(),
                    from: us,
                    to_party: Party {
                        display: None,
                        uri: binding.uri.clone(),
                    },
                    contact_user: None,
                    headers: Vec::new(),
                    body: None,
                    credentials: None,
                    series: None,
                };
                let outputs = self.ua.request(now, KEEPALIVE, request);
                self.carry_out(outputs);
            }
            if !behind_nat.is_empty() {
                self.keepalive.set(aor, now + self.settings.keepalive);
            }
        }
    }
}

/// The id of every keep-alive: nobody waits for the answer. No trunk has it.
const KEEPALIVE: RequestId = RequestId(0);
