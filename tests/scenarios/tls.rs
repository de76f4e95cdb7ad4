//! TLS on a listener: HTTP/1.1 and HTTP/2 by negotiation, and a certificate that is replaced while the gateway runs.

use std::sync::Arc;

use bytes::Bytes;
use gatewright_testkit::harness::{CALLER_KEY, Gateway, eventually, within};
use gatewright_testkit::provider::SimulatedProvider;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{chat, streamed_chat};

/// A certificate that vouches for itself, and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
}

fn identity() -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["gateway.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    Identity {
        certificate: certificate.der().clone(),
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    }
}

async fn with_tls(provider: &SimulatedProvider, identity: &Identity) -> Gateway {
    Gateway::in_front_of(provider)
        .file("cert.pem", &identity.certificate_pem)
        .file("key.pem", &identity.key_pem)
        .set("/listeners/0/tls", json!({"certificate": "cert.pem", "key": "key.pem"}))
        .start()
        .await
}

/// Connects as a client that trusts this certificate only and offers these protocols.
async fn connect(
    gateway: &Gateway,
    trusted: &Identity,
    protocols: &[&str],
) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let socket = TcpStream::connect(gateway.address()).await.unwrap();
    let name = ServerName::try_from("gateway.example").unwrap();
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, socket);
    within("a TLS handshake", handshake).await.map_err(|error| error.to_string())
}

fn request(target: &str, body: &Value) -> Request<Full<Bytes>> {
    Request::post(target)
        .header("host", "gateway.example")
        .header("authorization", format!("Bearer {CALLER_KEY}"))
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

async fn over_http1(stream: TlsStream<TcpStream>, body: &Value) -> (u16, Bytes) {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer =
        within("an answer", sender.send_request(request("/v1/chat/completions", body))).await.unwrap();
    (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn the_protocol_is_the_one_that_both_sides_speak() {
    let provider = SimulatedProvider::start().await;
    let identity = identity();
    let gateway = with_tls(&provider, &identity).await;
    for (offered, negotiated) in
        [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
    {
        let stream = connect(&gateway, &identity, offered).await.unwrap();
        let protocol =
            stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        assert_eq!(protocol.as_deref(), negotiated, "{offered:?}");
        if negotiated != Some("h2") {
            let (status, body) = over_http1(stream, &streamed_chat("x")).await;
            assert_eq!(status, 200);
            assert!(body.ends_with(b"data: [DONE]\n\n"), "{body:?}");
        }
    }
    let plain = gateway.raw(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!plain.starts_with("HTTP/1.1 200"), "a TLS listener serves nothing in the clear: {plain:?}");
}

#[tokio::test]
async fn many_streams_share_one_http2_connection_and_one_that_is_left_does_not_disturb_the_others() {
    let provider = SimulatedProvider::start().await;
    let identity = identity();
    let gateway = with_tls(&provider, &identity).await;
    let stream = connect(&gateway, &identity, &["h2"]).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let target = "https://gateway.example/v1/chat/completions";
    let mut answers = Vec::new();
    for _ in 0..30 {
        let mut sender = sender.clone();
        within("a stream of the connection", sender.ready()).await.unwrap();
        answers.push(
            within("an answer", sender.send_request(request(target, &streamed_chat("x")))).await.unwrap(),
        );
    }
    answers.truncate(29);
    for answer in answers {
        assert_eq!(answer.status(), 200);
        let body = within("a body", answer.into_body().collect()).await.unwrap().to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n"), "{body:?}");
    }
    eventually("nothing under way", async || {
        (gateway.metrics().await.count("gatewright_exchanges_in_flight", &[]) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_used_for_new_connections_and_old_ones_go_on() {
    let provider = SimulatedProvider::start().await;
    let (old, new) = (identity(), identity());
    let gateway = with_tls(&provider, &old).await;
    let stream = connect(&gateway, &old, &["http/1.1"]).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);

    std::fs::write(gateway.folder().join("key.pem"), &new.key_pem).unwrap();
    std::fs::write(gateway.folder().join("cert.pem"), &new.certificate_pem).unwrap();
    gateway.signal("HUP").await;
    eventually("the new certificate", async || connect(&gateway, &new, &["http/1.1"]).await.ok().map(drop))
        .await;
    assert!(connect(&gateway, &old, &["http/1.1"]).await.is_err());
    let answer =
        within("an answer", sender.send_request(request("/v1/chat/completions", &chat("x")))).await.unwrap();
    assert_eq!(answer.status(), 200, "the connection of before goes on");

    std::fs::write(gateway.folder().join("cert.pem"), "no certificate").unwrap();
    gateway.signal("HUP").await;
    gateway.log_line("the refusal of a certificate", |line| line["level"] == "ERROR").await;
    assert!(connect(&gateway, &new, &["http/1.1"]).await.is_ok(), "a broken certificate changes nothing");
}

#[tokio::test]
async fn a_certificate_file_that_changes_is_noticed_without_a_signal() {
    let provider = SimulatedProvider::start().await;
    let (old, new) = (identity(), identity());
    let gateway = with_tls(&provider, &old).await;
    std::fs::write(gateway.folder().join("key.pem"), &new.key_pem).unwrap();
    std::fs::write(gateway.folder().join("cert.pem"), &new.certificate_pem).unwrap();
    eventually("the new certificate", async || connect(&gateway, &new, &["http/1.1"]).await.ok().map(drop))
        .await;
}

#[tokio::test]
async fn fault_u3_a_provider_whose_certificate_nobody_vouches_for_is_not_called() {
    // A TLS listener of another gateway stands for the provider.
    let behind = SimulatedProvider::start().await;
    let provider = identity();
    let far = with_tls(&behind, &provider).await;
    let url = format!("https://localhost:{}/v1", far.address().port());
    let near = Gateway::builder()
        .provider_at("far", &url)
        .model("small", &json!([{"provider": "far"}]))
        .start()
        .await;
    let answer = near.chat(&chat("x")).send().await.whole().await;
    let error = crate::support::error_of(&answer, 502);
    assert_eq!(error["code"], "upstream_unavailable");
    assert!(behind.requests().is_empty());
    assert!(near.log().to_lowercase().contains("certificate"), "the log says why: {}", near.log());
}
