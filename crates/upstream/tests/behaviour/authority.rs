//! A certificate authority of the tests' own, and TLS listeners with its certificates.

use std::sync::Arc;

use gatewright_upstream::{Destination, DestinationSettings, Http2};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::{Provider, settings};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// A TLS side that shows a certificate for `name`, good until the end of `year`.
    pub(crate) fn acceptor(&self, name: &str, year: i32, alpn: &[&str]) -> TlsAcceptor {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A destination at `localhost` that trusts this authority.
    pub(crate) fn destination(&self, provider: &Provider, http2: Http2) -> Arc<Destination> {
        let settings = DestinationSettings {
            extra_roots_pem: self.issuer.pem().into_bytes(),
            http2,
            ..settings(&format!("https://localhost:{}", provider.address.port()))
        };
        Arc::new(Destination::new(settings).unwrap())
    }
}

/// Accepts a connection and shakes hands, as far as the other side lets it.
pub(crate) async fn accept_tls(
    provider: &Provider,
    acceptor: &TlsAcceptor,
) -> std::io::Result<TlsStream<TcpStream>> {
    acceptor.accept(provider.accept().await.stream).await
}
