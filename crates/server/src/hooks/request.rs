//! The request that makes a delivery: where to, with which headers, and how long its answer may take.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clock::Time;
use http_body_util::Full;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{Method, Request};
use pbx::Trigger;
use store::{Delivery, Tells};

use super::destination::Destination;
use super::guard::Target;
use super::sign;
use crate::settings::Hooks;

/// What we call ourselves.
pub(super) const PRODUCT: &str = concat!("switchhook/", env!("CARGO_PKG_VERSION"));
/// What frames the request is ours to say: a configured header must not (RFC 9112 §6).
const FRAMING: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];

/// A request that can be sent.
pub(super) struct Prepared {
    pub(super) target: Target,
    pub(super) request: Request<Full<Bytes>>,
    pub(super) patience: Duration,
}

/// Makes the request, or says why there is none.
pub(super) fn prepare(
    to: &Destination,
    delivery: &Delivery,
    now: Time,
    settings: &Hooks,
) -> Result<Prepared, String> {
    let target = Target::parse(&to.url).map_err(|refusal| refusal.to_string())?;
    let mut headers = configured(&to.headers)?;
    add_ours(&mut headers, &target, to, delivery, now)?;
    let body = Full::new(Bytes::from_owner(Arc::clone(&delivery.body)));
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = readable(target.path.as_str())?;
    *request.headers_mut() = headers;
    let patience = to
        .timeout
        .unwrap_or_else(|| usual_timeout(&delivery.tells, settings));
    Ok(Prepared {
        target,
        request,
        patience,
    })
}

/// The headers that the destination brings along.
pub(super) fn configured(headers: &[(Arc<str>, Arc<str>)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = readable(name)?;
        if !FRAMING.contains(&name) {
            // The value may be a secret: the complaint names the header only.
            let value = HeaderValue::from_str(value).map_err(|error| format!("{name}: {error}"))?;
            map.append(name, value);
        }
    }
    Ok(map)
}

/// Ours count, whatever the destination says.
fn add_ours(
    headers: &mut HeaderMap,
    target: &Target,
    to: &Destination,
    delivery: &Delivery,
    now: Time,
) -> Result<(), String> {
    let id = format!("{}-{}", delivery.call, delivery.id.0);
    let signature = sign::signature(&to.secret_token, &id, now, &delivery.body);
    let seconds = now.as_secs().to_string();
    let ours = [
        (HOST, target.authority.as_str()),
        (USER_AGENT, PRODUCT),
        (CONTENT_TYPE, "application/json"),
        (HeaderName::from_static(sign::TOKEN), &to.secret_token),
        (HeaderName::from_static(sign::DELIVERY), &id),
        (HeaderName::from_static(sign::ID), &id),
        (HeaderName::from_static(sign::TIMESTAMP), &seconds),
        (HeaderName::from_static(sign::SIGNATURE), &signature),
    ];
    for (name, value) in ours {
        let value = HeaderValue::from_str(value).map_err(|error| format!("{name}: {error}"))?;
        headers.insert(name, value);
    }
    Ok(())
}

pub(super) fn readable<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
) -> Result<T, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

/// Receivers of audio fetch it before they answer (contract §2.3).
fn usual_timeout(tells: &Tells, settings: &Hooks) -> Duration {
    let seconds = match tells {
        Tells::Trigger(
            Trigger::Voicemail | Trigger::RecordingInbound | Trigger::RecordingOutbound,
        ) => settings.recording_timeout_seconds,
        Tells::Trigger(
            Trigger::UserInbound
            | Trigger::UserInboundAnswered
            | Trigger::UserInboundCompleted
            | Trigger::QueueCall
            | Trigger::RingGroupCall
            | Trigger::UserOutbound
            | Trigger::UserOutboundAnswered
            | Trigger::UserOutboundCompleted,
        )
        | Tells::Component { .. } => settings.timeout_seconds,
    };
    Duration::from_secs(seconds.into())
}

#[cfg(test)]
mod tests {
    use pbx::{AccountId, CallId};
    use store::{DeliveryId, Place};

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Result<Prepared, String> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let to = Destination {
            url: "https://crm.example/hook?x=1".into(),
            secret_token: "5up3r".into(),
            headers: headers.collect(),
            timeout: None,
        };
        let delivery = Delivery {
            id: DeliveryId(3),
            account: AccountId(1),
            endpoint: "object:main/crm".into(),
            call: CallId(7),
            tells: Tells::Component {
                destination: Arc::default(),
            },
            body: b"{}"[..].into(),
            attempts: 0,
            due: Time::ZERO,
            place: Place::InLane,
        };
        prepare(&to, &delivery, Time::from_secs(1), &Hooks::default())
    }

    #[test]
    fn configured_headers_go_along_and_ours_count() {
        let told = [
            ("X-Campaign", "spring"),
            ("x-campaign", "summer"),
            ("Host", "elsewhere.example"),
            ("X-PBX-Token", "guess"),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
        ];
        let prepared = request(&told).unwrap();
        let headers = prepared.request.headers();
        let all = |name: &str| -> Vec<&str> {
            let values = headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap()).collect()
        };
        assert_eq!(all("x-campaign"), ["spring", "summer"]);
        assert_eq!(all("host"), ["crm.example"]);
        assert_eq!(all("x-pbx-token"), ["5up3r"]);
        assert_eq!(all("content-length"), [""; 0]);
        assert_eq!(all("transfer-encoding"), [""; 0]);
        assert_eq!(prepared.request.uri(), "/hook?x=1");
        assert_eq!(prepared.patience, Duration::from_secs(30));
    }

    #[test]
    fn what_is_no_header_is_named_and_its_value_is_not() {
        let refused = |name, value| request(&[(name, value)]).err().unwrap();
        assert!(refused("a b", "1").starts_with("`a b`: "));
        let split = refused("x-a", "geheim\r\nx-b: 2");
        assert!(
            split.starts_with("x-a: ") && !split.contains("geheim"),
            "{split}"
        );
    }
}
