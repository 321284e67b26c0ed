//! Where a delivery goes and what is sent with it: the endpoint as it is now, or the webhook object as
//! it was when a call passed it. The latter is kept with the delivery, sealed, for it holds secrets.

use std::sync::Arc;
use std::time::Duration;

use pbx::{Component, Endpoint};
use serde::{Deserialize, Serialize};

use crate::account::{Purpose, Seal, SealError};

/// Where a delivery goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Where it is.
    pub url: Arc<str>,
    /// Sent as `X-Pbx-Token`, and the key of the signature.
    pub secret_token: Arc<str>,
    /// Further headers, as (name, value).
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// How long an answer may take, if not as long as usual.
    #[serde(skip)]
    pub timeout: Option<Duration>,
}

/// Why a kept destination cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// The seal.
    #[error("the destination cannot be unsealed")]
    Seal(#[from] SealError),
    /// What was in it.
    #[error("the destination cannot be read")]
    Json(#[from] serde_json::Error),
}

impl Destination {
    /// The destination as it is kept.
    pub fn seal(&self, seal: &Seal) -> Result<Arc<[u8]>, DestinationError> {
        let json = serde_json::to_vec(self)?;
        Ok(seal.seal(Purpose::Destination, &json)?.into())
    }

    /// Reads what [`Destination::seal`] made.
    pub fn open(sealed: &[u8], seal: &Seal) -> Result<Self, DestinationError> {
        let json = seal.open(Purpose::Destination, sealed)?;
        Ok(serde_json::from_slice(&json)?)
    }
}

impl From<&Endpoint> for Destination {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            url: Arc::clone(&endpoint.url),
            secret_token: Arc::clone(&endpoint.secret_token),
            headers: Vec::new(),
            timeout: endpoint.timeout,
        }
    }
}

impl From<&Component> for Destination {
    fn from(component: &Component) -> Self {
        Self {
            url: Arc::clone(&component.url),
            secret_token: Arc::clone(&component.secret_token),
            headers: component.headers.clone(),
            timeout: None,
        }
    }
}
