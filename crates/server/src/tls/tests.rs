//! Handshakes with a client that trusts one certificate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Tls, TlsError, TlsFiles};
use crate::listener::ListenerOptions;
use crate::testing::{connect, echo, quick_drain, read_to_close, serve, soon};

/// Writes a new certificate and its key over those in `folder`, and returns the certificate.
fn issue(folder: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    std::fs::write(&files.certificate, issued.cert.pem()).unwrap();
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).unwrap();
    (files, issued.cert.der().clone())
}

fn listen(tls: Tls) -> SocketAddr {
    let (application, _asked) = echo();
    serve(ListenerOptions { tls: Some(tls), ..ListenerOptions::new("test") }, &quick_drain(), application)
}

/// Connects as a client that trusts `trusted` alone and offers `protocols`.
async fn handshake(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(name, connect(address).await)).await
}

/// One kept-alive exchange over HTTP/1.1.
async fn ask(tls: &mut TlsStream<TcpStream>) -> String {
    tls.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut text = String::new();
    while !text.ends_with("GET / ") {
        text.push(char::from(soon(tls.read_u8()).await.unwrap()));
    }
    text
}

#[tokio::test]
async fn a_client_that_offers_http2_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let (files, certificate) = issue(folder.path());
    let address = listen(Tls::load(files).unwrap());
    let tls = handshake(address, &certificate, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(tls);
    let (mut sender, connection) =
        soon(hyper::client::conn::http2::handshake(TokioExecutor::new(), io)).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let request = Request::get("https://localhost/").body(Empty::<Bytes>::new()).unwrap();
    let answer = soon(sender.send_request(request)).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    let body = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body, "GET https://localhost/ ");
}

#[tokio::test]
async fn a_client_that_offers_nothing_or_http1_gets_http1() {
    let folder = tempfile::tempdir().unwrap();
    let (files, certificate) = issue(folder.path());
    let address = listen(Tls::load(files).unwrap());
    for protocols in [&[][..], &["http/1.1"]] {
        let mut tls = handshake(address, &certificate, protocols).await.unwrap();
        assert!(ask(&mut tls).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn a_client_that_offers_another_protocol_only_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let (files, certificate) = issue(folder.path());
    let address = listen(Tls::load(files).unwrap());
    assert!(handshake(address, &certificate, &["spdy/3"]).await.is_err());
}

#[tokio::test]
async fn a_reloaded_certificate_is_served_to_new_connections_and_open_ones_live_on() {
    let folder = tempfile::tempdir().unwrap();
    let (files, first) = issue(folder.path());
    let tls = Tls::load(files).unwrap();
    let address = listen(tls.clone());
    let mut open = handshake(address, &first, &[]).await.unwrap();
    ask(&mut open).await;

    let (_, second) = issue(folder.path());
    tls.reload().unwrap();
    assert!(handshake(address, &first, &[]).await.is_err());
    let mut new = handshake(address, &second, &[]).await.unwrap();
    ask(&mut new).await;
    ask(&mut open).await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (files, certificate) = issue(folder.path());
    let other = tempfile::tempdir().unwrap();
    let (others, _) = issue(other.path());
    let tls = Tls::load(files.clone()).unwrap();
    let address = listen(tls.clone());
    let good = std::fs::read(&files.certificate).unwrap();

    std::fs::write(&files.certificate, "no certificate").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::NoCertificate { .. })));
    std::fs::remove_file(&files.certificate).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Certificate { .. })));
    std::fs::copy(&others.certificate, &files.certificate).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Mismatch { .. })));
    std::fs::write(&files.certificate, good).unwrap();
    std::fs::write(&files.key, "no key").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Key { .. })));

    let mut client = handshake(address, &certificate, &[]).await.unwrap();
    ask(&mut client).await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_handshake_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = issue(folder.path());
    let mut options =
        ListenerOptions { tls: Some(Tls::load(files).unwrap()), ..ListenerOptions::new("test") };
    options.limits.tls_handshake_timeout = Duration::from_millis(100);
    let (application, _asked) = echo();
    let address = serve(options, &quick_drain(), application);
    assert_eq!(read_to_close(&mut connect(address).await).await, "");
}
