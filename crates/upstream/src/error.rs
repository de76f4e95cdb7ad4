//! What can go wrong with a call, as facts that the pipeline turns into failures.

pub(crate) mod cause;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::call::BoxError;
use crate::dial::address::AddressClass;

/// Why no connection to a destination could be made. Nothing of the request left the process.
///
/// Cloneable, because callers that wait for one connection share the outcome.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name could not be resolved, and no good answer of the last minutes is known.
    #[error("could not resolve {host}")]
    Resolve {
        /// The name that was asked for.
        host: String,
        /// What the resolver said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The name exists, but has no address.
    #[error("{host} has no address")]
    NoAddress {
        /// The name that was asked for.
        host: String,
    },
    /// Every address of the host is one that must not be connected to.
    #[error("{host} is at {address}, which is a {class} address")]
    AddressDenied {
        /// The configured host.
        host: String,
        /// The first address that was refused.
        address: IpAddr,
        /// What kind of address it is.
        class: AddressClass,
    },
    /// Nobody listens.
    #[error("{address} refused the connection")]
    Refused {
        /// The last address that was tried.
        address: SocketAddr,
    },
    /// Resolution and connect together took too long.
    #[error("no connection to {host} within {after:?}")]
    ConnectTimeout {
        /// The configured host.
        host: String,
        /// The deadline.
        after: Duration,
    },
    /// The connect failed in another way.
    #[error("could not connect to {address}")]
    Connect {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The TLS handshake failed: certificate, name, protocol or connection.
    #[error("the TLS handshake with {host} failed")]
    Tls {
        /// The configured host.
        host: String,
        /// What the TLS library said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The TLS handshake took too long.
    #[error("no TLS handshake with {host} within {after:?}")]
    TlsTimeout {
        /// The configured host.
        host: String,
        /// The deadline.
        after: Duration,
    },
    /// The peer did not agree to the HTTP version that the settings demand, or its opening
    /// exchange failed.
    #[error("{host} does not speak the HTTP version that was asked for")]
    Protocol {
        /// The configured host.
        host: String,
    },
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The credential belongs to another origin than the destination's.
    #[error("the credential of {bound} must not be sent to {destination}")]
    CredentialOrigin {
        /// The origin that may see the credential.
        bound: String,
        /// The origin that the call was for.
        destination: String,
    },
    /// Path or headers do not make a valid request.
    #[error("the request is not valid")]
    Request {
        /// What is wrong.
        #[source]
        source: http::Error,
    },
    /// No connection could be made.
    #[error("no connection")]
    Dial(#[from] DialError),
    /// All connections were busy for too long, or too many calls were waiting already.
    #[error("no free connection within {waited:?}, {connections_max} are in use")]
    PoolExhausted {
        /// How long the call waited.
        waited: Duration,
        /// The cap of this worker.
        connections_max: usize,
    },
    /// The head of the answer did not come in time.
    #[error("no answer within {waited:?}")]
    FirstByteTimeout {
        /// How long was waited since the request was handed to the connection.
        waited: Duration,
        /// Whether any byte of the request may have left.
        sent: bool,
    },
    /// The deadline of the whole call passed before the head of the answer came.
    #[error("the call took longer than {after:?}")]
    TotalTimeout {
        /// How long the call took.
        after: Duration,
        /// Whether any byte of the request may have left.
        sent: bool,
    },
    /// The connection broke before the head of the answer was complete.
    #[error("the connection broke before the answer")]
    Reset {
        /// Whether any byte of the request may have left.
        sent: bool,
        /// What the connection said.
        #[source]
        source: BoxError,
    },
    /// The peer closed the connection before the head of the answer was complete.
    #[error("the connection was closed before the answer")]
    ClosedEarly {
        /// Whether any byte of the request may have left.
        sent: bool,
    },
    /// The peer refused to process the request at all (HTTP/2 `REFUSED_STREAM` or `GOAWAY`).
    #[error("the provider refused the stream")]
    StreamRefused,
    /// The answer is not HTTP as it should be.
    #[error("the head of the answer is malformed")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// The caller's streamed body failed.
    #[error("the request body failed")]
    RequestBody {
        /// What the body reported.
        #[source]
        source: BoxError,
    },
}

impl SendError {
    /// Whether the provider cannot have seen any part of the request, so that sending it again
    /// cannot cause the same work twice.
    pub fn is_retry_safe(&self) -> bool {
        match self {
            Self::CredentialOrigin { .. }
            | Self::Request { .. }
            | Self::Dial(_)
            | Self::PoolExhausted { .. }
            | Self::StreamRefused => true,
            Self::FirstByteTimeout { sent, .. }
            | Self::TotalTimeout { sent, .. }
            | Self::Reset { sent, .. }
            | Self::ClosedEarly { sent } => !sent,
            Self::Malformed { .. } | Self::RequestBody { .. } => false,
        }
    }
}

/// Why an answer ended before it was complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing came for too long while the reader waited.
    #[error("the answer stalled for {waited:?}")]
    GapTimeout {
        /// How long was waited.
        waited: Duration,
    },
    /// The deadline of the whole call passed.
    #[error("the call took longer than {after:?}")]
    TotalTimeout {
        /// How long the call took.
        after: Duration,
    },
    /// The connection or stream broke.
    #[error("the connection broke in the middle of the answer")]
    Reset {
        /// What the connection said.
        #[source]
        source: BoxError,
    },
    /// The peer closed the connection before the end that it had announced.
    #[error("the connection was closed before the answer was complete")]
    ClosedEarly,
    /// The framing of the body is not valid.
    #[error("the body of the answer is malformed")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
    /// The caller's streamed body failed while the answer was already being read.
    #[error("the request body failed")]
    RequestBody {
        /// What the body reported.
        #[source]
        source: BoxError,
    },
}
