//! Which authorities a receiver's certificate may come from: the public ones that are built in, and
//! those of the operator's own file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, TrustAnchor};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring};

/// The authorities that are believed.
#[derive(Default)]
pub struct Trust {
    own: Vec<TrustAnchor<'static>>,
    /// Made at the first secure connection: the public authorities take some memory.
    connector: OnceLock<TlsConnector>,
}

/// Why `hooks.ca_file` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// No such file, or no PEM.
    #[error("hooks.ca_file: cannot read certificates from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// PEM without a certificate.
    #[error("hooks.ca_file: there is no certificate in {}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A certificate that nothing can be checked against.
    #[error("hooks.ca_file: certificate {number} of {} cannot be used", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Which of its certificates, from 1.
        number: usize,
        /// Why.
        source: rustls::Error,
    },
}

impl Trust {
    /// The public authorities and those of a PEM file; an empty path is no file.
    pub fn load(file: &Path) -> Result<Self, TrustError> {
        let mut own = RootCertStore::empty();
        if !file.as_os_str().is_empty() {
            let path = || file.to_owned();
            let unreadable = |source| TrustError::Unreadable {
                path: path(),
                source,
            };
            let certificates = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
            for (number, certificate) in (1..).zip(certificates) {
                let added = own.add(certificate.map_err(unreadable)?);
                added.map_err(|source| TrustError::Unusable {
                    path: path(),
                    number,
                    source,
                })?;
            }
            if own.is_empty() {
                return Err(TrustError::Empty { path: path() });
            }
        }
        Ok(Self {
            own: own.roots,
            connector: OnceLock::new(),
        })
    }

    /// What opens connections that are checked against these authorities.
    pub(super) fn connector(&self) -> &TlsConnector {
        self.connector.get_or_init(|| {
            let public = webpki_roots::TLS_SERVER_ROOTS.iter();
            let roots = RootCertStore {
                roots: public.chain(&self.own).cloned().collect(),
            };
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("the ring provider has suites for TLS 1.2 and 1.3")
                .with_root_certificates(roots)
                .with_no_client_auth();
            TlsConnector::from(Arc::new(config))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_gives_no_authority_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let cases = [
            (None, "cannot read certificates from"),
            (Some("no PEM".to_owned()), "there is no certificate in"),
            (Some(pem("PRIVATE KEY")), "there is no certificate in"),
            (Some(pem("CERTIFICATE")), "certificate 1 of"),
        ];
        for (content, expect) in cases {
            let path = folder.path().join("ca.pem");
            if let Some(content) = &content {
                std::fs::write(&path, content).unwrap();
            }
            let error = Trust::load(&path).map(|_| ()).unwrap_err().to_string();
            let named = format!("hooks.ca_file: {expect} {}", path.display());
            assert!(error.starts_with(&named), "{content:?}: {error}");
        }
        assert!(Trust::load(Path::new("")).is_ok());
    }
}
