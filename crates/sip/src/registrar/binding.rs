//! One place where a device can be reached, and where to send what is meant for it.

use std::fmt::Write as _;

use clock::Time;

use super::BindingId;
use super::request::{Device, RegisterRequest, Wanted};
use crate::transport::{Destination, Source, Transport, is_routable};
use crate::uri::Uri;

/// A registered contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub(super) id: BindingId,
    /// The contact URI: the request URI of what is sent to the device.
    pub uri: String,
    /// Where requests for the device go.
    pub destination: Destination,
    /// Where its last REGISTER came from.
    pub source: Source,
    /// When it ends.
    pub expires: Time,
    /// Its preference in thousandths.
    pub q: u16,
    pub(super) call_id: Box<[u8]>,
    pub(super) cseq: u32,
    pub(super) device: Option<(Box<[u8]>, u32)>,
}

impl Binding {
    pub(super) fn new(
        id: BindingId,
        request: &RegisterRequest<'_>,
        wanted: &Wanted<'_>,
        expires: Time,
    ) -> Self {
        Self {
            id,
            uri: String::from_utf8_lossy(wanted.text).into_owned(),
            destination: destination(&wanted.uri, request.source, request.wants_rport),
            source: request.source,
            expires,
            q: wanted.q,
            call_id: request.call_id.into(),
            cseq: request.cseq,
            device: wanted
                .device
                .map(|device| (device.instance.into(), device.reg_id)),
        }
    }

    /// The value of its Contact header in the answer to a REGISTER.
    pub fn contact_value(&self, now: Time) -> String {
        // Rounded up: a binding that is shown has not ended.
        let seconds = self.expires.since(now).as_micros().div_ceil(1_000_000);
        let mut value = format!("<{}>;expires={seconds}", self.uri);
        if self.q < 1_000 {
            let _written = write!(value, ";q=0.{:03}", self.q);
        }
        if let Some((instance, reg_id)) = &self.device {
            let instance = String::from_utf8_lossy(instance);
            let _written = write!(value, ";+sip.instance=\"{instance}\"");
            if *reg_id > 0 {
                let _written = write!(value, ";reg-id={reg_id}");
            }
        }
        value
    }

    /// Whether it is reached through a NAT: datagrams go elsewhere than the contact says.
    pub fn is_behind_nat(&self) -> bool {
        let contact = Uri::parse(self.uri.as_bytes()).and_then(|uri| uri.socket_address());
        !self.destination.transport.is_reliable() && contact != Some(self.destination.remote)
    }

    pub(super) fn is_at(&self, wanted: &Wanted<'_>) -> bool {
        // Most refreshes repeat the URI letter by letter.
        self.uri.as_bytes() == wanted.text
            || Uri::parse(self.uri.as_bytes()).is_some_and(|own| own.is_equivalent(&wanted.uri))
    }

    pub(super) fn is_of(&self, device: Option<Device<'_>>) -> bool {
        let own = self.device.as_ref();
        let own = own.map(|(instance, reg_id)| Device {
            instance,
            reg_id: *reg_id,
        });
        own.is_some() && own == device
    }
}

/// Where requests for a contact go.
///
/// What came down a connection goes back down it (RFC 5626 §5.3). A datagram's contact is trusted
/// when it can be right: an address that reaches us from elsewhere than it says, from inside a
/// private network or with `rport` asked for, sits behind a NAT, and only its source leads back
/// through that. A host name is not looked up: its source is known.
fn destination(uri: &Uri<'_>, source: Source, wants_rport: bool) -> Destination {
    let from_source = Destination::from(source);
    let Some(contact) = uri.socket_address() else {
        return from_source;
    };
    let is_same_host = contact.ip() == source.remote.ip();
    let is_credible = !wants_rport && (is_same_host || is_routable(contact.ip()));
    if source.transport.is_reliable() || !is_credible {
        return from_source;
    }
    let transport = uri.transport().unwrap_or(Transport::Udp);
    let flow = (transport == Transport::Udp).then_some(source.flow);
    Destination {
        transport,
        remote: contact,
        flow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::parse::Framing;
    use crate::registrar::{Aor, Registrar};
    use crate::transport::FlowId;

    fn check(
        contact: &str,
        source: (Transport, &str),
        wants_rport: bool,
        expect: (Transport, &str),
    ) {
        let flow = FlowId(9);
        let source = Source {
            transport: source.0,
            remote: source.1.parse().unwrap(),
            flow,
        };
        let uri = Uri::parse(contact.as_bytes()).unwrap();
        let found = destination(&uri, source, wants_rport);
        assert_eq!(
            (found.transport, found.remote.to_string().as_str()),
            expect,
            "{contact}"
        );
        let keeps_flow = found.transport == source.transport;
        assert_eq!(found.flow, keeps_flow.then_some(flow), "{contact}");
    }

    #[test]
    fn requests_go_where_the_device_can_be_reached() {
        use Transport::{Tcp, Tls, Udp, Ws};
        let public = "198.51.100.7:40000";
        for (contact, source, wants_rport, expect) in [
            // Same place, or another port of the same host.
            (
                "sip:a@198.51.100.7:40000",
                (Udp, public),
                true,
                (Udp, public),
            ),
            (
                "sip:a@198.51.100.7:5070",
                (Udp, public),
                false,
                (Udp, "198.51.100.7:5070"),
            ),
            (
                "sip:a@198.51.100.7:5070",
                (Udp, public),
                true,
                (Udp, public),
            ),
            (
                "sip:a@127.0.0.1:5071",
                (Udp, "127.0.0.1:5070"),
                false,
                (Udp, "127.0.0.1:5071"),
            ),
            // Behind a NAT.
            ("sip:a@192.168.1.5", (Udp, public), false, (Udp, public)),
            ("sip:a@10.0.0.5:5062", (Udp, public), true, (Udp, public)),
            ("sip:a@100.64.3.3", (Udp, public), false, (Udp, public)),
            (
                "sip:a@[fd00::5]",
                (Udp, "[2001:db8::1]:5060"),
                false,
                (Udp, "[2001:db8::1]:5060"),
            ),
            ("sip:a@203.0.113.9", (Udp, public), true, (Udp, public)),
            // Registered by somebody else for a public address.
            (
                "sip:a@203.0.113.9",
                (Udp, public),
                false,
                (Udp, "203.0.113.9:5060"),
            ),
            (
                "sip:a@203.0.113.9;transport=tcp",
                (Udp, public),
                false,
                (Tcp, "203.0.113.9:5060"),
            ),
            // Names and connections.
            (
                "sip:a@phone.example.com",
                (Udp, public),
                false,
                (Udp, public),
            ),
            ("sip:a@203.0.113.9", (Tcp, public), false, (Tcp, public)),
            ("sips:a@203.0.113.9", (Tls, public), false, (Tls, public)),
            (
                "sip:x@df7jal23ls0d.invalid;transport=ws",
                (Ws, public),
                false,
                (Ws, public),
            ),
        ] {
            check(contact, source, wants_rport, expect);
        }
    }

    #[test]
    fn only_phones_behind_a_nat_are_called_so() {
        use Transport::{Tcp, Udp};
        for (contact, transport, expect) in [
            ("sip:a@192.168.1.5", Udp, true),
            ("sip:a@phone.example.com", Udp, true),
            ("sip:a@198.51.100.7:40000", Udp, false),
            ("sip:a@192.168.1.5", Tcp, false),
        ] {
            let bytes = format!(
                "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: sip:a@h\r\nTo: sip:a@h\r\n\
                 Call-ID: c\r\nCSeq: 1 REGISTER\r\nContact: <{contact}>\r\n\r\n"
            );
            let message = Message::parse(bytes.as_bytes(), Framing::Datagram).unwrap();
            let remote = "198.51.100.7:40000".parse().unwrap();
            let source = Source {
                transport,
                remote,
                flow: FlowId(1),
            };
            let request = RegisterRequest::parse(&message, source).unwrap();
            let mut registrar = Registrar::default();
            let bindings = registrar.apply(Time::ZERO, Aor(1), &request).unwrap();
            assert_eq!(bindings[0].is_behind_nat(), expect, "{contact}");
        }
    }
}
