//! Connections that switch to another protocol: what is asked, what comes of it, and what they hold.

use std::time::Duration;

use gatewright_upstream::{Call, Credential, Deadlines, Http2, SendError, Switch, Tunnel, Upstream};
use http::{HeaderValue, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::authority::{Authority, accept_tls};
use crate::support::{Provider, call, ok, soon, text};

const SWITCHES: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: talk\r\nx-a: b\r\n\r\n";

fn talk() -> HeaderValue {
    HeaderValue::from_static("talk")
}

fn asking(provider: &Provider) -> Call {
    Call { method: Method::GET, body: bytes::Bytes::new().into(), ..call(&provider.destination()) }
}

fn switched(switch: Result<Switch, SendError>) -> Box<Tunnel> {
    match switch {
        Ok(Switch::Switched(tunnel, _)) => tunnel,
        other => panic!("not switched: {other:?}"),
    }
}

#[tokio::test]
async fn a_connection_that_switched_is_a_stream_both_ways() {
    let (provider, upstream) = (Provider::bind().await, Upstream::new());
    let mut asked = asking(&provider);
    asked.headers.insert("upgrade", HeaderValue::from_static("other"));
    let origin = std::sync::Arc::clone(asked.destination.origin());
    asked.credential =
        Some(Credential::new(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer k"), origin));
    // The first bytes of the other protocol come with the head.
    let answer = format!("{SWITCHES}first");
    let (switch, (mut peer, request)) = tokio::join!(upstream.switch(asked, talk()), provider.serve(&answer));
    assert!(request.starts_with("GET /v1/chat HTTP/1.1\r\n"), "{request}");
    for line in ["connection: Upgrade", "upgrade: talk", "authorization: Bearer k"] {
        assert_eq!(request.matches(line).count(), 1, "{request}");
    }
    assert!(!request.contains("other"), "{request}");
    let mut tunnel = switched(switch);
    let mut read = [0; 9];
    peer.write("more").await;
    soon(tunnel.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"firstmore");
    soon(tunnel.write_all(b"back")).await.unwrap();
    peer.until("back").await;
    assert_eq!(upstream.stats().open, 1);
    drop(tunnel);
    peer.closed().await;
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn an_answer_that_does_not_switch_is_given_as_it_is() {
    let (provider, upstream) = (Provider::bind().await, Upstream::new());
    let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\nconnection: x-hop\r\nx-hop: y\r\ncontent-length: 4\r\n\r\nbusy";
    let (switch, _) = tokio::join!(upstream.switch(asking(&provider), talk()), provider.serve(answer));
    let Ok(Switch::Refused(refused)) = switch else { panic!("switched") };
    assert_eq!((refused.status.as_u16(), &*refused.body), (429, &b"busy"[..]));
    assert_eq!(refused.headers.get("retry-after").unwrap(), "3");
    assert!(!refused.headers.contains_key("x-hop"));
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn a_session_counts_against_the_cap_as_long_as_it_lives() {
    let (provider, upstream) = (Provider::bind().await, Upstream::new());
    let settings = gatewright_upstream::DestinationSettings {
        connections_max: 1,
        wait_max: Duration::from_millis(20),
        ..provider.settings()
    };
    let destination = std::sync::Arc::new(gatewright_upstream::Destination::new(settings).unwrap());
    let (one, two) = (ok("one"), ok("two"));
    let plain = || call(&destination);
    // An idle connection gives way.
    let (answer, (mut idle, _)) = tokio::join!(upstream.send(plain()), provider.serve(&one));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "one");
    let asked = Call { method: Method::GET, body: bytes::Bytes::new().into(), ..plain() };
    let (switch, (_peer, _)) = tokio::join!(upstream.switch(asked, talk()), provider.serve(SWITCHES));
    let tunnel = switched(switch);
    idle.closed().await;
    let error = upstream.send(plain()).await.unwrap_err();
    assert!(matches!(error, SendError::PoolExhausted { .. }), "{error:?}");
    drop(tunnel);
    let (answer, _) = tokio::join!(upstream.send(plain()), provider.serve(&two));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "two");
}

#[tokio::test]
async fn a_provider_that_would_rather_speak_http2_is_asked_for_http1() {
    let (provider, authority) = (Provider::bind().await, Authority::new());
    let acceptor = authority.acceptor("localhost", 4000, &["h2", "http/1.1"]);
    let destination = authority.destination(&provider, Http2::Negotiate);
    let asked = Call { method: Method::GET, body: bytes::Bytes::new().into(), ..call(&destination) };
    let upstream = Upstream::new();
    let serving = async {
        let mut stream = accept_tls(&provider, &acceptor).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(SWITCHES.as_bytes()).await.unwrap();
        stream
    };
    let (switch, _stream) =
        Box::pin(soon(async { tokio::join!(upstream.switch(asked, talk()), serving) })).await;
    switched(switch);
}

#[tokio::test]
async fn a_provider_that_says_nothing_or_leaves_is_given_up() {
    let (provider, upstream) = (Provider::bind().await, Upstream::new());
    let mut asked = asking(&provider);
    asked.deadlines = Deadlines { first_byte: Duration::from_millis(20), ..Deadlines::default() };
    let (switch, _peer) = tokio::join!(upstream.switch(asked, talk()), provider.accept());
    assert!(matches!(switch, Err(SendError::FirstByteTimeout { .. })), "{switch:?}");
    let leaving = async {
        let mut peer = provider.accept().await;
        peer.request().await;
    };
    let (switch, ()) = tokio::join!(upstream.switch(asking(&provider), talk()), leaving);
    assert!(matches!(switch, Err(SendError::ClosedEarly { .. } | SendError::Reset { .. })), "{switch:?}");
    assert_eq!(upstream.stats().open, 0);
}
