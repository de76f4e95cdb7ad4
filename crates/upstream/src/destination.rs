//! Where calls go: everything about a provider that is fixed when a plan is built.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::dial::tls::Tls;
use crate::origin::{Origin, Scheme};

/// Whether HTTP/2 is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Http2 {
    /// HTTP/1.1 only.
    Never,
    /// Over TLS, what the provider chooses by ALPN; HTTP/1.1 over cleartext.
    #[default]
    Negotiate,
    /// HTTP/2 only, also over cleartext.
    PriorKnowledge,
}

/// The settings of a [`Destination`]. Two equal settings describe interchangeable destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSettings {
    /// The base URL.
    pub origin: Arc<Origin>,
    /// Allows loopback, private, shared, documentation and benchmarking addresses. Default false.
    pub allow_private: bool,
    /// Allows link-local addresses and the metadata services of clouds. Default false; it is a
    /// switch of its own because such addresses hand out credentials to whoever asks.
    pub allow_link_local: bool,
    /// Whether HTTP/2 is spoken. Default by negotiation.
    pub http2: Http2,
    /// How many connections one worker may have open to this destination. Default 1024.
    pub connections_max: usize,
    /// How many calls of one worker may wait for a connection. Default 1024.
    pub waiters_max: usize,
    /// How long a call may wait for a connection to become free. Default 5 s.
    pub wait_max: Duration,
    /// How long an unused connection is kept. Default 50 s, below the idle limit of common
    /// load balancers, so that the gateway is the side that closes.
    pub idle_timeout: Duration,
    /// Certificate authorities in PEM form that are trusted beside the public ones.
    pub extra_roots_pem: Vec<u8>,
}

impl DestinationSettings {
    /// The default settings for a base URL.
    pub fn new(origin: Arc<Origin>) -> Self {
        Self {
            origin,
            allow_private: false,
            allow_link_local: false,
            http2: Http2::default(),
            connections_max: 1024,
            waiters_max: 1024,
            wait_max: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(50),
            extra_roots_pem: Vec::new(),
        }
    }
}

/// Why settings do not make a destination.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationError {
    /// `connections_max` is zero.
    #[error("at least one connection must be allowed")]
    NoConnections,
    /// The extra roots are not PEM, or hold no certificate.
    #[error("the extra certificate authorities are not readable as PEM")]
    RootsSyntax(#[source] rustls_pki_types::pem::Error),
    /// The extra roots hold no certificate.
    #[error("the extra certificate authorities contain no certificate")]
    RootsEmpty,
    /// A certificate cannot be used as an authority.
    #[error("an extra certificate authority is not usable")]
    Root(#[source] rustls::Error),
    /// The TLS library refuses its own configuration.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The host cannot be named in a TLS handshake.
    #[error("the host {host:?} is not a name that certificates can carry")]
    ServerName {
        /// The host of the base URL.
        host: String,
    },
}

/// A provider's endpoint with its settings, shared by all workers.
///
/// Connections are pooled by the identity of this value: while a provider's settings stay equal,
/// keep the same `Arc` from plan to plan and its connections stay open.
pub struct Destination {
    id: u64,
    settings: DestinationSettings,
    tls: Option<Tls>,
}

impl Destination {
    /// Checks the settings and prepares TLS.
    ///
    /// # Errors
    ///
    /// See [`DestinationError`].
    pub fn new(settings: DestinationSettings) -> Result<Self, DestinationError> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        if settings.connections_max == 0 {
            return Err(DestinationError::NoConnections);
        }
        let tls = match settings.origin.scheme() {
            Scheme::Http => None,
            Scheme::Https => {
                let roots = parse_roots(&settings.extra_roots_pem)?;
                Some(Tls::new(settings.origin.host(), settings.http2, roots)?)
            }
        };
        Ok(Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), settings, tls })
    }

    /// The base URL.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.settings.origin
    }

    /// What the destination was built from.
    pub fn settings(&self) -> &DestinationSettings {
        &self.settings
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Whether a new connection may turn out to speak HTTP/2.
    pub(crate) fn may_speak_http2(&self) -> bool {
        match self.settings.http2 {
            Http2::Never => false,
            Http2::Negotiate => self.tls.is_some(),
            Http2::PriorKnowledge => true,
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("id", &self.id)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn parse_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, DestinationError> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(DestinationError::RootsSyntax)?;
    if roots.is_empty() && !pem.trim_ascii().is_empty() {
        return Err(DestinationError::RootsEmpty);
    }
    Ok(roots)
}
