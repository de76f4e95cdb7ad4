//! Calls of extensions: the same guarded connections, behind a list of origins for each instance.
//!
//! The connections live on one runtime, and calls may come from any thread. An answer is collected up to a bound and
//! within the instance's deadline. Which headers go out is the extension's own business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gatewright::service::http::{ANSWER_BYTES_MAX, Http, HttpError, Repeatable};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::call::{BoxError, Call, Repeat};
use crate::deadline::Deadlines;
use crate::destination::{Destination, DestinationError, DestinationSettings};
use crate::error::{ReadError, SendError};
use crate::origin::{Origin, OriginError};
use crate::upstream::Upstream;

/// How many connections to one origin may be open.
const CONNECTIONS_MAX: usize = 256;

/// Who sends this header knows that the other side tells a request that comes twice.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The connections of all instances. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Egress {
    upstream: Upstream,
    home: Handle,
}

/// What one instance may reach, and for how long.
#[derive(Clone, Debug)]
pub struct EgressSettings {
    /// The origins, each scheme, host and port.
    pub origins: Vec<Arc<str>>,
    /// Whether they may be at private or loopback addresses. Link-local ones are not reached.
    pub allow_private: bool,
    /// Further origins, which may be at link-local addresses and those of metadata services, but at no private one.
    pub metadata: Vec<Arc<str>>,
    /// How long one call may take, from its beginning to the last byte of its answer.
    pub deadline: Duration,
}

/// Why a list of origins is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// An entry is not an origin.
    #[error("`{origin}` is not an origin")]
    Origin {
        /// The entry.
        origin: Arc<str>,
        /// What is wrong with it.
        #[source]
        source: OriginError,
    },
    /// An origin cannot be called.
    #[error("`{origin}` cannot be called")]
    Destination {
        /// The entry.
        origin: Arc<str>,
        /// Why.
        #[source]
        source: DestinationError,
    },
}

/// The [`Http`] of one instance.
#[derive(Debug)]
pub struct EgressHttp {
    /// None while the instance only rehearses.
    egress: Option<Egress>,
    destinations: Vec<Arc<Destination>>,
    deadline_nanos: AtomicU64,
}

impl Egress {
    /// Connections that live on this runtime, which must have time and I/O.
    #[must_use]
    pub fn new(home: Handle) -> Self {
        Self { upstream: Upstream::new(), home }
    }

    /// Calls for one instance.
    ///
    /// # Errors
    ///
    /// See [`EgressError`].
    pub fn http(&self, settings: &EgressSettings) -> Result<EgressHttp, EgressError> {
        Ok(EgressHttp { egress: Some(self.clone()), ..EgressHttp::rehearsal(settings)? })
    }

    /// Makes one call on the connections' own runtime.
    async fn call(&self, call: Call) -> Result<Response<Bytes>, CallError> {
        let upstream = self.upstream.clone();
        let calling = async move { collect(&upstream, call).await };
        if Handle::try_current().is_ok_and(|current| current.id() == self.home.id()) {
            return calling.await;
        }
        Task(self.home.spawn(calling)).end().await
    }
}

impl EgressHttp {
    /// Checks calls like any other, and sends none.
    ///
    /// # Errors
    ///
    /// See [`EgressError`].
    pub fn rehearsal(settings: &EgressSettings) -> Result<Self, EgressError> {
        // An origin that is in both lists is what the narrower one says.
        let metadata = settings.metadata.iter().map(|origin| (origin, Reach::Metadata));
        let reach = if settings.allow_private { Reach::Private } else { Reach::Public };
        let origins = settings.origins.iter().map(|origin| (origin, reach));
        let destinations = metadata.chain(origins).map(|(origin, reach)| destination(origin, reach));
        let http = Self {
            egress: None,
            destinations: destinations.collect::<Result<_, _>>()?,
            deadline_nanos: AtomicU64::new(0),
        };
        http.within(settings.deadline);
        Ok(http)
    }

    /// From now on calls may take this long.
    pub fn within(&self, deadline: Duration) {
        let nanos = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
        self.deadline_nanos.store(nanos, Ordering::Relaxed);
    }

    fn deadline(&self) -> Duration {
        Duration::from_nanos(self.deadline_nanos.load(Ordering::Relaxed))
    }

    /// The destination of a URL, and its origin for messages.
    fn find(&self, method: &Method, url: &Uri) -> Result<(&Arc<Destination>, Arc<Origin>), HttpError> {
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(HttpError::NotAbsolute);
        };
        let origin = Origin::parse(&format!("{scheme}://{authority}")).map_err(|_| HttpError::NotAbsolute)?;
        // A tunnel would lead past the list.
        if *method == Method::CONNECT {
            return Err(HttpError::Forbidden { origin: origin.to_string() });
        }
        let found = self.destinations.iter().find(|destination| destination.origin().same_origin(&origin));
        match found {
            Some(destination) => Ok((destination, Arc::new(origin))),
            None => Err(HttpError::Forbidden { origin: origin.to_string() }),
        }
    }
}

#[async_trait]
impl Http for EgressHttp {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let (destination, origin) = self.find(&head.method, &head.uri)?;
        let origin = origin.to_string();
        let Some(egress) = &self.egress else {
            return Err(HttpError::Rehearsal { origin });
        };
        let deadline = self.deadline();
        let is_repeatable = head.method.is_idempotent()
            || head.extensions.get::<Repeatable>().is_some()
            || head.headers.contains_key(IDEMPOTENCY_KEY);
        let call = Call {
            destination: Arc::clone(destination),
            method: head.method,
            path: head.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
            headers: head.headers,
            body: body.into(),
            deadlines: deadlines(deadline),
            credential: None,
            repeat: if is_repeatable { Repeat::Unanswered } else { Repeat::Unprocessed },
        };
        egress.call(call).await.map_err(|error| error.into_http(origin, deadline))
    }
}

/// Where an origin may be, beside the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Private,
    Metadata,
}

fn destination(text: &Arc<str>, reach: Reach) -> Result<Arc<Destination>, EgressError> {
    let origin = || Arc::clone(text);
    let parsed = Origin::parse(text).map_err(|source| EgressError::Origin { origin: origin(), source })?;
    let settings = DestinationSettings {
        allow_private: reach == Reach::Private,
        allow_link_local: reach == Reach::Metadata,
        connections_max: CONNECTIONS_MAX,
        ..DestinationSettings::new(Arc::new(parsed))
    };
    let destination = Destination::new(settings);
    let destination = destination.map_err(|source| EgressError::Destination { origin: origin(), source })?;
    Ok(Arc::new(destination))
}

/// The deadline of the whole is that of each part, except where a part has a tighter one by itself.
fn deadlines(deadline: Duration) -> Deadlines {
    let own = Deadlines::default();
    Deadlines {
        connect: own.connect.min(deadline),
        tls: own.tls.min(deadline),
        first_byte: deadline,
        gap: deadline,
        total: deadline,
    }
}

/// Why a call has no answer.
#[derive(Debug)]
enum CallError {
    Send(SendError),
    Read(ReadError),
    TooLarge,
    /// The connections' runtime is gone.
    Ended,
}

async fn collect(upstream: &Upstream, call: Call) -> Result<Response<Bytes>, CallError> {
    let answer = upstream.send(call).await.map_err(CallError::Send)?;
    let announced = answer.body.size_hint().lower();
    if announced > u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(CallError::TooLarge);
    }
    let body = Limited::new(answer.body, ANSWER_BYTES_MAX).collect().await.map_err(CallError::of_body)?;
    let mut response = Response::new(body.to_bytes());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

impl CallError {
    fn of_body(error: BoxError) -> Self {
        if error.is::<LengthLimitError>() {
            return Self::TooLarge;
        }
        match error.downcast() {
            Ok(error) => Self::Read(*error),
            Err(source) => Self::Read(ReadError::Malformed { source }),
        }
    }

    /// The error as extensions see it: connect and handshake that took too long are timeouts as well.
    fn into_http(self, origin: String, deadline: Duration) -> HttpError {
        use crate::error::DialError;
        let timeout = |waited| HttpError::Timeout { origin: origin.clone(), waited };
        match &self {
            Self::Send(SendError::TotalTimeout { .. } | SendError::FirstByteTimeout { .. })
            | Self::Read(ReadError::TotalTimeout { .. } | ReadError::GapTimeout { .. }) => timeout(deadline),
            Self::Send(SendError::Dial(
                DialError::ConnectTimeout { after, .. } | DialError::TlsTimeout { after, .. },
            )) => timeout(*after),
            Self::Send(error) => HttpError::Unreachable { cause: with_causes(error), origin },
            Self::Read(error) => HttpError::Unreachable { cause: with_causes(error), origin },
            Self::TooLarge => HttpError::TooLarge { origin, bytes_max: ANSWER_BYTES_MAX },
            Self::Ended => {
                HttpError::Unreachable { cause: "the gateway is shutting down".to_owned(), origin }
            }
        }
    }
}

/// The answer keeps no error of ours, so its causes go into the text.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A call on the connections' runtime, which ends with its caller.
struct Task(JoinHandle<Result<Response<Bytes>, CallError>>);

impl Task {
    async fn end(mut self) -> Result<Response<Bytes>, CallError> {
        (&mut self.0).await.unwrap_or(Err(CallError::Ended))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_of_the_metadata_list_may_be_link_local() {
        let settings = EgressSettings {
            origins: vec!["https://hooks.test".into(), "http://169.254.169.254".into()],
            allow_private: true,
            metadata: vec!["http://169.254.169.254".into(), "http://metadata.internal".into()],
            deadline: Duration::from_secs(1),
        };
        let http = EgressHttp::rehearsal(&settings).expect("they are origins");
        let reach = |url: &'static str| {
            let (destination, _) = http.find(&Method::GET, &Uri::from_static(url)).expect("it is listed");
            let settings = destination.settings();
            (settings.allow_private, settings.allow_link_local)
        };
        assert_eq!(reach("https://hooks.test/a"), (true, false));
        assert_eq!(reach("http://metadata.internal/token"), (false, true));
        assert_eq!(reach("http://169.254.169.254/latest"), (false, true));
    }
}
