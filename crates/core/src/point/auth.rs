//! Who is calling? Decided on the head of the request alone, before a byte of the body is read.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, Method, Uri};

use crate::{Denial, HookResult, Principal};

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// All headers, credentials included: this point is the one that may read them.
    pub headers: &'a HeaderMap,
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl<'a> RequestHead<'a> {
    /// The token of an `authorization: Bearer` header.
    #[must_use]
    pub fn bearer(&self) -> Option<&'a str> {
        let value = self.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_matches(' '))
            .filter(|token| !token.is_empty())
    }

    /// Every API key that the head presents, in each of the ways in which client libraries do: as a bearer token, in
    /// one of [`KEY_HEADERS`], as the query parameter `key`. What stands in the query is taken as it is written.
    pub fn keys(&self) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.headers;
        let named = KEY_HEADERS.iter().filter_map(|name| headers.get(*name)).map(|value| value.as_bytes());
        let query = self.uri.query().unwrap_or_default().split('&');
        let asked = query.filter_map(|pair| pair.strip_prefix("key=")).map(str::as_bytes);
        let keys = self.bearer().map(str::as_bytes).into_iter().chain(named).chain(asked);
        keys.filter(|key| !key.is_empty())
    }
}

/// The headers in which client libraries send an API key, beside `authorization`.
pub const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// What an authenticator says of a head.
#[derive(Clone, Debug)]
#[must_use]
pub enum AuthVerdict {
    /// Not a credential of mine: ask the next. When all abstain, the caller gets 401.
    Abstain,
    /// This is who calls.
    Accept(Arc<Principal>),
    /// A credential of mine, and it is not valid.
    Reject(Box<Denial>),
}

/// Establishes the identity of a caller.
///
/// Instances are asked in the order of the configuration; the first that does not abstain
/// decides.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use std::sync::Arc;
///
/// struct Badge;
///
/// #[async_trait]
/// impl Authenticator for Badge {
///     async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
///         Ok(match head.headers.get("x-badge").map(|value| value.as_bytes()) {
///             None => AuthVerdict::Abstain,
///             Some(b"visitor") => AuthVerdict::Accept(Arc::new(Principal::new("lobby".into(), "badge"))),
///             Some(_) => AuthVerdict::Reject(Box::new(Denial::unauthenticated(
///                 "bad_badge",
///                 "this badge is not valid",
///             ))),
///         })
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Judges a head.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides what becomes of the
    /// exchange (by default it is denied).
    ///
    /// # Cancellation
    ///
    /// Dropped at the instance's deadline, and when the client leaves.
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict>;
}
