//! TLS towards providers: public authorities, the configured host name, never a way back to clear.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::answer::Protocol;
use crate::destination::{DestinationError, Http2};
use crate::origin::Host;

const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// The TLS setup of one destination, shared by all workers and with one session cache.
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// The same, but for what is spoken.
    http1: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    pub(crate) fn new(
        host: &Host,
        http2: Http2,
        extra_roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, DestinationError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in extra_roots {
            roots.add(root).map_err(DestinationError::Root)?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(DestinationError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = match http2 {
            Http2::Never => vec![ALPN_HTTP1.to_vec()],
            Http2::Negotiate => vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()],
            Http2::PriorKnowledge => vec![ALPN_HTTP2.to_vec()],
        };
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.to_string())
                .map_err(|_| DestinationError::ServerName { host: name.to_string() })?,
        };
        let mut http1 = config.clone();
        http1.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        Ok(Self { config: Arc::new(config), http1: Arc::new(http1), name })
    }

    /// Shakes hands over a connected socket.
    pub(super) async fn connect(&self, tcp: TcpStream, http2: Http2) -> io::Result<TlsStream<TcpStream>> {
        let config = match http2 {
            Http2::Never => &self.http1,
            Http2::Negotiate | Http2::PriorKnowledge => &self.config,
        };
        TlsConnector::from(Arc::clone(config)).connect(self.name.clone(), tcp).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What both sides agreed to speak.
pub(super) fn protocol(stream: &TlsStream<TcpStream>) -> Protocol {
    match stream.get_ref().1.alpn_protocol() {
        Some(ALPN_HTTP2) => Protocol::Http2,
        _ => Protocol::Http1,
    }
}
