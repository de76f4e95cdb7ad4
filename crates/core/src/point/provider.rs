//! How a provider is spoken to. An adapter is a pure codec: the host keeps sockets, pools, TLS,
//! deadlines and the credential.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::dialect::{Abilities, Codec, Dialect, Operation};
use crate::{BuildError, Failure, Secret};

/// Where an attempt goes.
#[derive(Clone, Copy, Debug)]
pub struct ProviderTarget<'a> {
    /// The model name that the provider is asked for.
    pub model: &'a str,
    /// What is asked for.
    pub operation: Operation,
    /// The dialect that the caller speaks.
    pub dialect: Dialect,
}

/// A request in the dialect that the adapter chose, complete.
#[derive(Clone, Copy, Debug)]
pub struct ProviderRequest<'a> {
    /// The model name that the provider is asked for; in the body, where the dialect has it there.
    pub model: &'a str,
    /// What is asked for.
    pub operation: Operation,
    /// The dialect of the body.
    pub dialect: Dialect,
    /// Whether the answer is wanted as a stream.
    pub streams: bool,
    /// The body.
    pub body: &'a Bytes,
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

/// A call that is complete but for what authenticates it, as a signature covers it.
#[derive(Clone, Copy, Debug)]
pub struct UnsignedCall<'a> {
    /// The method.
    pub method: &'a Method,
    /// What the `Host` header will say.
    pub authority: &'a str,
    /// Path and query as they will be sent, the path of the provider's base URL included.
    pub path: &'a str,
    /// The headers so far. The host adds `Host`, `Content-Length` and what a connection needs.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a Bytes,
    /// When it is sent.
    pub time: SystemTime,
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
/// use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
///
/// struct Regional { codec: &'static dyn Codec }
///
/// impl ProviderAdapter for Regional {
///     fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
///         (target.operation == self.codec.operation()).then_some(self.codec)
///     }
///
///     fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
///         Ok(UpstreamCall {
///             method: Method::POST,
///             path: format!("/regions/eu/models/{}", request.model).into(),
///             headers: HeaderMap::new(),
///             body: request.body.clone(),
///         })
///     }
/// }
/// ```
pub trait ProviderAdapter: Send + Sync + 'static {
    /// The codec of the dialect in which the provider is asked; `None` where it does not offer the
    /// operation. Choose the caller's own dialect where the provider speaks it: its bytes then travel as
    /// they came. The host translates to any other.
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec>;

    /// What the target can take. The operator's own word about a model wins over it.
    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        let _ = target;
        Abilities::default()
    }

    /// Headers of a caller that the provider reads where both speak one dialect: lists, which are joined with what
    /// the adapter and the provider's settings say.
    fn passes(&self) -> &[HeaderName] {
        &[]
    }

    /// Writes the call for a request in the dialect that [`ProviderAdapter::codec`] chose.
    ///
    /// # Errors
    ///
    /// A [`Failure`] that names what this provider cannot express.
    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure>;

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

    /// Whether each call is signed with this secret. The host then asks [`ProviderAdapter::sign`] for every call, and
    /// [`ProviderAdapter::credential`] for none.
    fn signs(&self, secret: &Secret) -> bool {
        let _ = secret;
        false
    }

    /// The headers that authenticate one call. The host adds them last, and only to calls that go to the provider's
    /// own origin. By default there is one, which says the same for every call.
    ///
    /// # Errors
    ///
    /// When the secret is of no use for a signature.
    fn sign(&self, secret: &Secret, call: &UnsignedCall<'_>) -> Result<HeaderMap, BuildError> {
        let _ = call;
        self.credential(secret).map(|header| HeaderMap::from_iter([header]))
    }

    /// Classes an error answer.
    fn classify(
        &self,
        target: &ProviderTarget<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Failure {
        match self.codec(target) {
            Some(codec) => codec.parse_error(status, headers, body),
            None => Failure::internal("an answer to an operation that the provider does not offer"),
        }
    }
}
