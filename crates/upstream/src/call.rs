//! One call to a provider, and how it becomes a request on the wire.
//!
//! Requests are serialised from typed parts only: connection-level headers of the caller are
//! dropped, `Host` and the framing headers come from here, and the credential is added last.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::credential::Credential;
use crate::deadline::Deadlines;
use crate::destination::Destination;
use crate::error::SendError;

/// An error of any type, as bodies of others report it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What to send, where to, for how long.
#[derive(Debug)]
pub struct Call {
    /// The provider.
    pub destination: Arc<Destination>,
    /// The method.
    pub method: Method,
    /// Path and query below the destination's base path.
    pub path: PathAndQuery,
    /// End-to-end headers. Connection-level ones, `Host` and `Content-Length` are replaced.
    pub headers: HeaderMap,
    /// The body.
    pub body: RequestBody,
    /// How long each part may take.
    pub deadlines: Deadlines,
    /// The credential, absent for a provider that needs none.
    pub credential: Option<Credential>,
    /// When the call is made once more by itself.
    pub repeat: Repeat,
}

/// When a call is made once more, on a fresh connection, because a connection that had served before ended under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// No byte of it had left. What else is to be tried is the caller's business.
    #[default]
    Unsent,
    /// The peer says that it has not processed it, too.
    Unprocessed,
    /// No byte of an answer came, too: the peer may see it twice, and that does no harm.
    Unanswered,
}

impl Call {
    /// Turns the call into an HTTP/1.1 request in origin form, credential included.
    pub(crate) fn into_request(self) -> Result<Request<RequestBody>, SendError> {
        let origin = self.destination.origin();
        let path = origin.join(&self.path).map_err(|source| SendError::Request { source: source.into() })?;
        let mut headers = self.headers;
        strip_connection_headers(&mut headers);
        strip_own_headers(&mut headers);
        headers.insert(HOST, origin.authority().clone());
        if self.body.is_end_stream() && [Method::POST, Method::PUT, Method::PATCH].contains(&self.method) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(credential) = &self.credential {
            credential.apply(&mut headers, origin)?;
        }
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from(path);
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// The same request once more; none of one whose body is streamed.
pub(crate) fn copy_of(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let mut copy = Request::new(request.body().copy()?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Rewrites a request from HTTP/1.1 origin form into the absolute form that HTTP/2 needs.
pub(crate) fn into_http2(
    request: Request<RequestBody>,
    destination: &Destination,
) -> Result<Request<RequestBody>, SendError> {
    let (mut head, body) = request.into_parts();
    let authority = head.headers.remove(HOST).unwrap_or_else(|| destination.origin().authority().clone());
    let mut uri = head.uri.into_parts();
    uri.scheme = destination.origin().scheme().as_str().parse().ok();
    uri.authority = authority.to_str().ok().and_then(|text| text.parse().ok());
    head.uri = Uri::from_parts(uri).map_err(|source| SendError::Request { source: source.into() })?;
    head.version = Version::HTTP_2;
    Ok(Request::from_parts(head, body))
}

/// Removes what concerns one connection only, and whatever `Connection` names.
pub fn strip_connection_headers(headers: &mut HeaderMap) {
    // A name that `Connection` lists may stand before or after it, hence the two rounds.
    let listed: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, _)| *name == CONNECTION)
        .filter_map(|(_, value)| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed {
        headers.remove(name);
    }
    remove_where(headers, |name| {
        matches!(
            name,
            "connection"
                | "keep-alive"
                | "proxy-authenticate"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        )
    });
}

/// Removes the headers of a caller that this side decides on.
fn strip_own_headers(headers: &mut HeaderMap) {
    remove_where(headers, |name| matches!(name, "content-length" | "expect" | "proxy-authorization"));
}

/// One pass over the few names that there are costs less than a look-up for each that may be.
fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    while let Some(name) = headers.keys().find(|name| unwanted(name.as_str())).cloned() {
        headers.remove(name);
    }
}

/// The body of a request: bytes at hand, or a stream that is sent as it comes.
pub struct RequestBody(Payload);

enum Payload {
    Bytes(Option<Bytes>),
    Stream { body: Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>, progress: Arc<Progress> },
}

/// How far a streamed body has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    ended: AtomicBool,
    /// When a piece of it was taken last.
    moved: Mutex<Option<Instant>>,
}

impl Progress {
    /// Whether it was taken to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Since when an answer is waited for: nobody answers before it has come.
    pub(crate) fn since(&self, dispatched: Instant) -> Instant {
        self.moved.lock().map_or(dispatched, |moved| moved.max(dispatched))
    }
}

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        Self(Payload::Bytes(None))
    }

    /// Streams a body that is not at hand as a whole. Such a request is not retried.
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = Box::pin(http_body_util::BodyExt::map_err(body, Into::into));
        Self(Payload::Stream { body, progress: Arc::default() })
    }

    /// The same body once more; none of a streamed one.
    fn copy(&self) -> Option<Self> {
        match &self.0 {
            Payload::Bytes(bytes) => Some(Self(Payload::Bytes(bytes.clone()))),
            Payload::Stream { .. } => None,
        }
    }

    /// How far a streamed body has come; none for bytes at hand.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        match &self.0 {
            Payload::Bytes(_) => None,
            Payload::Stream { progress, .. } => Some(Arc::clone(progress)),
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self(Payload::Bytes(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Payload::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Payload::Stream { body, progress } => {
                let polled = body.as_mut().poll_frame(cx);
                if polled.is_ready() {
                    *progress.moved.lock() = Some(Instant::now());
                }
                if matches!(polled, Poll::Ready(None)) || body.is_end_stream() {
                    progress.ended.store(true, Ordering::Relaxed);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Payload::Bytes(bytes) => bytes.is_none(),
            Payload::Stream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Payload::Bytes(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Payload::Stream { body, .. } => body.size_hint(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Payload::Bytes(bytes) => write!(f, "RequestBody({} bytes)", bytes.as_ref().map_or(0, Bytes::len)),
            Payload::Stream { .. } => f.write_str("RequestBody(stream)"),
        }
    }
}

#[cfg(test)]
mod tests;
