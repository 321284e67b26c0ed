//! Deliveries to a receiver that speaks TLS with a certificate of a private authority.

use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;

use super::*;

/// The name in the receiver's certificate.
const NAME: &str = "localhost";

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A receiver with a certificate for [`NAME`] by this authority.
    async fn receiver(&self) -> Receiver {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([NAME.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Receiver::serve(Secured { listener, acceptor }, Habit::Takes)
    }
}

struct Secured {
    listener: tokio::net::TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Secured {
    type Io = TlsStream<tokio::net::TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            // A sender that does not believe us goes away.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What becomes of a delivery to `host` when the authorities in `believed` are the operator's own.
async fn deliver(believed: Option<&Authority>, by: &Authority, host: &str) -> (usize, Server) {
    let folder = tempfile::tempdir().unwrap();
    let crm = by.receiver().await;
    let mut settings = hooks();
    if let Some(authority) = believed {
        settings.ca_file = folder.path().join("ca.pem");
        std::fs::write(&settings.ca_file, authority.0.pem()).unwrap();
    }
    let mut webhook = crm.webhook("crm");
    webhook["url"] = json!(format!("https://{host}:{}/", crm.address.port()));
    let server = start(&folder, &[webhook], settings);
    server
        .ledger
        .push(call_events(CallId(1)).into_iter().take(2));
    let (delivered, retried) = (
        &server.metrics.attempts_delivered,
        &server.metrics.attempts_retried,
    );
    eventually(|| delivered.value() + retried.value() > 0).await;
    (crm.got().len(), server)
}

#[tokio::test]
async fn a_private_authority_is_believed_when_the_operator_names_it() {
    let authority = Authority::new("ours");
    let (got, server) = deliver(Some(&authority), &authority, NAME).await;
    assert_eq!(got, 1);
    let reader = server.end().await;
    assert_eq!(in_state(&reader, DeliveryState::Delivered).len(), 1);
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_gets_nothing_and_is_told() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let unknown = "no secure connection to localhost: invalid peer certificate: UnknownIssuer";
    let cases = [
        (None, NAME, unknown),
        (Some(&foreign), NAME, unknown),
        (
            Some(&ours),
            "127.0.0.1",
            "no secure connection to 127.0.0.1: invalid peer certificate: certificate not valid for name",
        ),
    ];
    for (believed, host, expect) in cases {
        let (got, server) = deliver(believed, &ours, host).await;
        assert_eq!(got, 0, "{host}");
        let reader = server.end().await;
        let records = in_state(&reader, DeliveryState::Pending);
        let [record] = records.as_slice() else {
            panic!("one is to be tried again: {records:?}");
        };
        let error = record.error.as_deref().unwrap_or_default();
        assert!(error.starts_with(expect), "{error}");
        assert_eq!(record.delivery.attempts, 1);
    }
}
