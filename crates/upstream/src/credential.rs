//! A provider's credential, bound to the one origin that may see it.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::SendError;
use crate::origin::Origin;

/// The headers, mostly one, that authenticate the gateway to one origin.
///
/// They are added when everything else about a request is settled, and only for the origin that they
/// are bound to. Their values never appear in `Debug` output.
#[derive(Clone)]
pub struct Credential {
    headers: HeaderMap,
    bound: Arc<Origin>,
}

impl Credential {
    /// Binds a header value to `origin` (scheme, host and port; the base path is not compared).
    pub fn new(header: HeaderName, value: HeaderValue, bound: Arc<Origin>) -> Self {
        Self::of_headers(HeaderMap::from_iter([(header, value)]), bound)
    }

    /// Binds headers to `origin`, as [`Credential::new`] binds one.
    pub fn of_headers(mut headers: HeaderMap, bound: Arc<Origin>) -> Self {
        // Keeps the values out of `Debug` and out of HTTP/2's header compression table.
        headers.values_mut().for_each(|value| value.set_sensitive(true));
        Self { headers, bound }
    }

    /// Adds the headers to a request for `destination`, replacing what stood there.
    ///
    /// # Errors
    ///
    /// [`SendError::CredentialOrigin`] when the credential belongs to another origin.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, destination: &Origin) -> Result<(), SendError> {
        if !self.bound.same_origin(destination) {
            return Err(SendError::CredentialOrigin {
                bound: self.bound.to_string(),
                destination: destination.to_string(),
            });
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}
