//! How a provider is spoken to. An adapter is a pure codec: the host keeps sockets, pools, TLS,
//! deadlines and the credential.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::dialect::{Codec, Operation};
use crate::{BuildError, Failure, LlmRequest, Secret};

/// Where an attempt goes.
#[derive(Clone, Copy, Debug)]
pub struct ProviderTarget<'a> {
    /// The model name that the provider is asked for.
    pub model: &'a str,
    /// What is asked for.
    pub operation: Operation,
}

/// What the host sends.
#[derive(Clone, Debug)]
pub struct UpstreamCall {
    /// The method.
    pub method: Method,
    /// Path and query behind the provider's base URL, beginning with a slash.
    pub path: std::borrow::Cow<'static, str>,
    /// Headers of the dialect. The credential is not among them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Speaks a provider's protocol.
///
/// The codec comes from `gatewright-wire`, which has one per public dialect.
///
/// # Example
///
/// A provider that speaks a dialect of its caller under paths of its own.
///
/// ```
/// use gatewright::dialect::Codec;
/// use gatewright::http::{HeaderMap, Method};
/// use gatewright::prelude::*;
/// use gatewright::{ProviderTarget, UpstreamCall};
///
/// struct Regional { codec: &'static dyn Codec }
///
/// impl ProviderAdapter for Regional {
///     fn codec(&self, operation: Operation) -> Option<&'static dyn Codec> {
///         (operation == self.codec.operation()).then_some(self.codec)
///     }
///
///     fn encode(
///         &self,
///         request: &LlmRequest,
///         target: &ProviderTarget<'_>,
///     ) -> Result<UpstreamCall, Failure> {
///         Ok(UpstreamCall {
///             method: Method::POST,
///             path: format!("/regions/eu/models/{}", target.model).into(),
///             headers: HeaderMap::new(),
///             body: request.to_body(),
///         })
///     }
/// }
/// ```
pub trait ProviderAdapter: Send + Sync + 'static {
    /// The codec of the provider's own dialect for an operation; `None` where the provider does
    /// not offer it.
    fn codec(&self, operation: Operation) -> Option<&'static dyn Codec>;

    /// Writes the call for a request. Model name and usage request are set already when the
    /// request is in the provider's own dialect.
    ///
    /// # Errors
    ///
    /// A [`Failure`] that names what this provider cannot express.
    fn encode(&self, request: &LlmRequest, target: &ProviderTarget<'_>) -> Result<UpstreamCall, Failure>;

    /// The header that carries the credential. The host adds it last, and only to calls that go
    /// to the provider's own origin.
    ///
    /// # Errors
    ///
    /// When the secret cannot stand in a header.
    fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", secret.expose()))
            .map_err(|_| BuildError::new("the API key has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok((http::header::AUTHORIZATION, value))
    }

    /// Classes an error answer.
    fn classify(
        &self,
        operation: Operation,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Failure {
        match self.codec(operation) {
            Some(codec) => codec.parse_error(status, headers, body),
            None => Failure::internal("an answer to an operation that the provider does not offer"),
        }
    }
}
