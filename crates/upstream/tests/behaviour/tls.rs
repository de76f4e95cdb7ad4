//! TLS: what is accepted, and that nothing else is.

use std::error::Error;
use std::sync::Arc;

use gatewright_upstream::{
    Answer, Destination, DestinationError, DestinationSettings, DialError, Http2, Origin, Protocol,
    SendError, Upstream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, accept_tls};
use crate::support::{Provider, call, ok, settings, soon, text};

/// The year in which certificates end that are good.
const FUTURE: i32 = 4000;

/// Sends one call to a provider that answers over TLS as HTTP/1.1.
async fn send(
    destination: &Arc<Destination>,
    provider: &Provider,
    acceptor: &TlsAcceptor,
) -> Result<Answer, SendError> {
    let upstream = Upstream::new();
    let serving = async {
        let mut stream = accept_tls(provider, acceptor).await.ok()?;
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.ok().filter(|read| *read > 0)?;
        stream.write_all(ok("hello").as_bytes()).await.ok()?;
        Some((stream, read))
    };
    let (answer, served) = tokio::join!(upstream.send(call(destination)), serving);
    assert_eq!(
        answer.is_ok(),
        served.is_some(),
        "the provider saw a request only when the handshake was good"
    );
    answer
}

/// What the TLS library said at the root of a failed dial.
fn tls_cause(error: &SendError) -> String {
    let SendError::Dial(dial @ DialError::Tls { .. }) = error else { panic!("no TLS error: {error:?}") };
    dial.source().expect("a cause").to_string()
}

#[tokio::test]
async fn a_good_certificate_is_accepted() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let acceptor = authority.acceptor("localhost", FUTURE, &[]);
    let destination = authority.destination(&provider, Http2::Negotiate);
    let answer = soon(send(&destination, &provider, &acceptor)).await.unwrap();
    assert_eq!(answer.protocol, Protocol::Http1);
    assert_eq!(text(answer).await.unwrap(), "hello");
}

#[tokio::test]
async fn fault_u3_a_certificate_for_another_name_is_refused() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let acceptor = authority.acceptor("other.example", FUTURE, &[]);
    let destination = authority.destination(&provider, Http2::Never);
    let error = soon(send(&destination, &provider, &acceptor)).await.unwrap_err();
    assert!(tls_cause(&error).contains("not valid for name"), "{error:?}");
    assert!(error.is_retry_safe());
}

#[tokio::test]
async fn fault_u3_an_expired_certificate_is_refused() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let acceptor = authority.acceptor("localhost", 2020, &[]);
    let destination = authority.destination(&provider, Http2::Never);
    let error = soon(send(&destination, &provider, &acceptor)).await.unwrap_err();
    assert!(tls_cause(&error).contains("expired"), "{error:?}");
}

#[tokio::test]
async fn fault_u3_an_unknown_authority_is_refused() {
    let provider = Provider::bind().await;
    let acceptor = Authority::new().acceptor("localhost", FUTURE, &[]);
    for destination in [
        Authority::new().destination(&provider, Http2::Never),
        Arc::new(
            Destination::new(settings(&format!("https://localhost:{}", provider.address.port()))).unwrap(),
        ),
    ] {
        let error = soon(send(&destination, &provider, &acceptor)).await.unwrap_err();
        assert!(tls_cause(&error).contains("invalid peer certificate"), "{error:?}");
    }
}

#[tokio::test]
async fn fault_u3_a_provider_in_clear_gets_no_request() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let upstream = Upstream::new();
    let serving = async {
        let mut peer = provider.accept().await;
        let mut seen = Vec::new();
        peer.stream.write_all(ok("hello").as_bytes()).await.unwrap();
        let _reset_or_end = peer.stream.read_to_end(&mut seen).await;
        seen
    };
    let destination = authority.destination(&provider, Http2::Never);
    let (answer, seen) = soon(async { tokio::join!(upstream.send(call(&destination)), serving) }).await;
    tls_cause(&answer.unwrap_err());
    assert!(!String::from_utf8_lossy(&seen).contains("POST"));
    assert!(provider.is_untouched().await, "no second connection was tried");
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_at_its_deadline() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let upstream = Upstream::new();
    let mut stalled = call(&authority.destination(&provider, Http2::Never));
    stalled.deadlines.tls = std::time::Duration::from_millis(50);
    let serving = async {
        let mut peer = provider.accept().await;
        peer.closed().await;
    };
    let (answer, ()) = tokio::join!(upstream.send(stalled), serving);
    let error = answer.unwrap_err();
    assert!(matches!(error, SendError::Dial(DialError::TlsTimeout { .. })), "{error:?}");
}

#[tokio::test]
async fn http2_on_demand_refuses_a_provider_without_it() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let acceptor = authority.acceptor("localhost", FUTURE, &[]);
    let destination = authority.destination(&provider, Http2::PriorKnowledge);
    let error = soon(send(&destination, &provider, &acceptor)).await.unwrap_err();
    assert!(matches!(error, SendError::Dial(DialError::Protocol { .. })), "{error:?}");
}

#[test]
fn unreadable_authorities_are_refused_when_the_plan_is_built() {
    let origin = Arc::new(Origin::parse("https://api.example.com").unwrap());
    let build = |pem: &str| {
        let settings = DestinationSettings {
            extra_roots_pem: pem.as_bytes().to_vec(),
            ..DestinationSettings::new(Arc::clone(&origin))
        };
        Destination::new(settings)
    };
    assert!(build("\n").is_ok());
    assert!(matches!(build("not a certificate"), Err(DestinationError::RootsEmpty)));
    let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    assert!(matches!(build(broken), Err(DestinationError::RootsSyntax(_))));
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(build(empty), Err(DestinationError::Root(_))));
}
