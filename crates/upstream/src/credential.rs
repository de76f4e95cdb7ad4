//! A provider's credential, bound to the one origin that may see it.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::SendError;
use crate::origin::Origin;

/// A header that authenticates the gateway to one origin.
///
/// It is added when everything else about a request is settled, and only for the origin that it
/// is bound to. Its value never appears in `Debug` output.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: HeaderValue,
    bound: Arc<Origin>,
}

impl Credential {
    /// Binds a header value to `origin` (scheme, host and port; the base path is not compared).
    pub fn new(header: HeaderName, mut value: HeaderValue, bound: Arc<Origin>) -> Self {
        // Keeps the value out of `Debug` and out of HTTP/2's header compression table.
        value.set_sensitive(true);
        Self { header, value, bound }
    }

    /// Adds the header to a request for `destination`, replacing what stood there.
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
        headers.insert(self.header.clone(), self.value.clone());
        Ok(())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("header", &self.header)
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}
