//! A server with the test account, its carrier and its webhook receiver: what most tests begin with.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::account::{ANNS_EMAIL, Account, Endpoint, PASSWORD, Registration, TOKEN, Trunk};
use super::receiver::{Delivery, Receiver};
use super::server::Server;
use super::sipp::{Sipp, Wire};
use super::{address, contract, wait_for};

/// The path of the receiver that takes every trigger.
pub(crate) const CRM: &str = "/crm";

/// Webhooks arrive, and rows are listed, within a second of what they tell; the rest is a busy
/// machine's.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// Everything a call needs.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) receiver: Receiver,
    pub(crate) carrier: SocketAddr,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&[], |_| {})
    }

    /// With variables for the server, and the account changed.
    pub(crate) fn with(variables: &[(&str, &str)], change: impl FnOnce(&mut Account)) -> Self {
        let receiver = Receiver::start();
        let carrier = address::fresh_address();
        let mut account = account(carrier, receiver.url(CRM));
        change(&mut account);
        let server = Server::start(&account.yaml(), variables);
        Self {
            server,
            receiver,
            carrier,
        }
    }

    /// Registers a device at a fresh address, where its scenarios can then be played.
    pub(crate) fn phone(&self, device: &str) -> Phone {
        self.phone_over(device, Wire::Udp)
    }

    pub(crate) fn phone_over(&self, device: &str, wire: Wire) -> Phone {
        let phone = Phone {
            device: device.to_owned(),
            address: address::fresh_address(),
            wire,
        };
        phone.register(self, "600").start().finish();
        phone
    }

    /// A call by the carrier.
    pub(crate) fn carrier_plays(&self, scenario: &str, caller: &str, called: &str) -> Sipp {
        let call = Sipp::play(scenario, self.carrier).caller(caller);
        call.toward(self.server.listening().udp, called)
    }

    /// A call by a registered phone.
    pub(crate) fn phone_plays(&self, phone: &Phone, scenario: &str, called: &str) -> Sipp {
        let call = phone.play(scenario).credentials(&phone.device, PASSWORD);
        call.toward(self.sip(phone.wire), called)
    }

    fn sip(&self, wire: Wire) -> SocketAddr {
        let listening = self.server.listening();
        match wire {
            Wire::Udp => listening.udp,
            Wire::Tcp => listening.tcp,
        }
    }

    /// Waits for so many webhooks, demands that no more follow, and checks each body, the token
    /// and the order.
    pub(crate) fn hooks(&self, count: usize) -> Vec<Delivery> {
        self.receiver.wait_for(CRM, count, SOON);
        std::thread::sleep(GRACE);
        let hooks = self.receiver.received(CRM);
        let told = hooks
            .iter()
            .map(|hook| (hook.kind(), hook.header("x-pbx-delivery")));
        let told: Vec<_> = told.collect();
        assert_eq!(hooks.len(), count, "{told:?}");
        check_hooks(&hooks);
        hooks
    }

    /// Waits for so many rows, oldest first, and demands that there are no more.
    pub(crate) fn rows(&self, count: usize) -> Vec<Value> {
        let what = format!("{count} rows");
        let rows = || Some(self.server.user_calls("sort_by=oldest_first&limit=10000"));
        let rows = wait_for(&what, SOON, || rows().filter(|rows| rows.len() >= count));
        assert_eq!(rows.len(), count, "{rows:?}");
        rows
    }
}

/// How long something that must not happen is given to happen.
pub(crate) const GRACE: Duration = Duration::from_millis(300);

/// A device and where it is.
pub(crate) struct Phone {
    pub(crate) device: String,
    pub(crate) address: SocketAddr,
    pub(crate) wire: Wire,
}

impl Phone {
    pub(crate) fn play(&self, scenario: &str) -> Sipp {
        Sipp::play(scenario, self.address).over(self.wire)
    }

    /// A registration for so many seconds, given as text.
    pub(crate) fn register(&self, stage: &Stage, expires_seconds: &str) -> Sipp {
        self.register_playing("register", stage, expires_seconds)
    }

    /// The same with a scenario that does more than register.
    pub(crate) fn register_playing(
        &self,
        scenario: &str,
        stage: &Stage,
        expires_seconds: &str,
    ) -> Sipp {
        let port = self.address.port().to_string();
        let register = self.play(scenario).credentials(&self.device, PASSWORD);
        let register = register
            .key("expires", expires_seconds)
            .key("contact_port", &port);
        register.toward(stage.sip(self.wire), "")
    }
}

/// Checks every body and token, and the order within each call.
pub(crate) fn check_hooks(hooks: &[Delivery]) {
    for hook in hooks {
        contract::check_hook(&hook.body);
        assert_eq!(hook.header("x-pbx-token"), TOKEN);
        assert_eq!(hook.header("content-type"), "application/json");
    }
    let mut calls: Vec<&str> = hooks.iter().map(Delivery::call).collect();
    calls.sort_unstable();
    calls.dedup();
    for call in calls {
        let of_call = hooks.iter().filter(|hook| hook.call() == call);
        contract::check_order(&of_call.map(|hook| hook.body.clone()).collect::<Vec<_>>());
    }
}

/// The account with one IP trunk and one endpoint that takes all.
pub(crate) fn account(carrier: SocketAddr, url: String) -> Account {
    Account {
        ring_seconds: 25,
        trunks: vec![Trunk {
            name: "carrier",
            address: carrier,
            registration: Registration::None,
        }],
        endpoints: vec![Endpoint {
            name: "crm",
            url,
            triggers: "all",
            timeout_seconds: 30,
        }],
        anns_settings: format!("    email: {ANNS_EMAIL}\n"),
        more_parts: "",
        more_flows: String::new(),
        allowed_ips: "[\"127.0.0.1\"]",
        limits: "{}",
    }
}
