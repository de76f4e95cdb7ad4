//! What goes wrong at the provider, and how it is named.

use std::time::Duration;

use gatewright_upstream::{DialError, ReadError, SendError, Upstream};
use http_body_util::BodyExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::support::{Provider, call, ok, settings, soon, text};

/// A destination on this machine at a port.
fn at(address: std::net::SocketAddr) -> std::sync::Arc<gatewright_upstream::Destination> {
    let settings = settings(&format!("http://{address}"));
    std::sync::Arc::new(gatewright_upstream::Destination::new(settings).unwrap())
}

#[tokio::test]
async fn fault_u1_a_closed_port_refuses_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = soon(Upstream::new().send(call(&at(closed)))).await.unwrap_err();
    assert!(
        matches!(error, SendError::Dial(DialError::Refused { address }) if address == closed),
        "{error:?}"
    );
    assert!(error.is_retry_safe());
}

#[tokio::test]
async fn fault_u2_a_connect_into_silence_ends_at_its_deadline() {
    // A full accept queue makes the kernel ignore further handshakes.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 100, "the accept queue never fills");
    }

    let mut blackholed = call(&at(address));
    blackholed.deadlines.connect = Duration::from_millis(100);
    let started = Instant::now();
    let error = Upstream::new().send(blackholed).await.unwrap_err();
    assert!(matches!(error, SendError::Dial(DialError::ConnectTimeout { .. })), "{error:?}");
    assert!(error.is_retry_safe());
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn fault_u4_a_head_that_never_comes_ends_at_the_first_byte_deadline() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let mut stalled = call(&provider.destination());
    stalled.deadlines.first_byte = Duration::from_millis(50);
    let serving = async {
        let mut peer = provider.accept().await;
        peer.request().await;
        peer.closed().await;
    };
    let (answer, ()) = tokio::join!(upstream.send(stalled), serving);
    let error = answer.unwrap_err();
    assert!(
        matches!(error, SendError::FirstByteTimeout { waited, sent: true } if waited >= Duration::from_millis(50)),
        "{error:?}"
    );
    assert!(!error.is_retry_safe());
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn fault_u5_a_stall_in_the_body_ends_at_the_gap_deadline() {
    let provider = Provider::bind().await;
    let mut stalled = call(&provider.destination());
    stalled.deadlines.gap = Duration::from_millis(50);
    let upstream = Upstream::new();
    let part = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(stalled), provider.serve(part));
    let mut body = answer.unwrap().body;
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    let error = soon(body.frame()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, ReadError::GapTimeout { waited } if waited >= Duration::from_millis(50)),
        "{error:?}"
    );
    assert!(body.frame().await.is_none(), "an error is the end");
    peer.closed().await;
}

#[tokio::test]
async fn a_reused_connection_keeps_the_deadlines_of_each_call() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let hello = ok("hello");
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&hello));
    text(answer.unwrap()).await.unwrap();
    let mut hasty = call(&destination);
    hasty.deadlines.first_byte = Duration::from_millis(50);
    let serving = async {
        peer.request().await;
        peer.closed().await;
    };
    let (answer, ()) = tokio::join!(upstream.send(hasty), serving);
    assert!(matches!(answer, Err(SendError::FirstByteTimeout { .. })), "{answer:?}");
    assert_eq!(upstream.stats().reused, 1);
}

#[tokio::test]
async fn a_slow_but_moving_answer_outlives_its_gap_deadline() {
    let provider = Provider::bind().await;
    let mut moving = call(&provider.destination());
    moving.deadlines.gap = Duration::from_millis(400);
    let upstream = Upstream::new();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n";
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(moving), provider.serve(head));
    let mut body = answer.unwrap().body;
    let started = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..8 {
        pace.tick().await;
        peer.write("x").await;
        assert!(soon(body.frame()).await.unwrap().is_ok());
    }
    assert!(started.elapsed() > Duration::from_millis(600));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_reader_that_does_not_ask_uses_up_no_gap() {
    let provider = Provider::bind().await;
    let mut unread = call(&provider.destination());
    unread.deadlines.gap = Duration::from_millis(50);
    let upstream = Upstream::new();
    let hello = ok("hello");
    let (answer, _) = tokio::join!(upstream.send(unread), provider.serve(&hello));
    let answer = answer.unwrap();
    tokio::time::interval_at(Instant::now() + Duration::from_millis(120), Duration::from_secs(1))
        .tick()
        .await;
    assert_eq!(text(answer).await.unwrap(), "hello");
}

#[tokio::test]
async fn the_total_deadline_ends_a_call_before_and_after_the_head() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let hurried = || {
        let mut call = call(&provider.destination());
        call.deadlines.total = Duration::from_millis(50);
        call
    };
    let serving = async {
        let mut peer = provider.accept().await;
        peer.request().await;
        peer.closed().await;
    };
    let (answer, ()) = tokio::join!(upstream.send(hurried()), serving);
    assert!(matches!(answer, Err(SendError::TotalTimeout { sent: true, .. })), "{answer:?}");

    let head = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n";
    let (answer, _peer) = tokio::join!(upstream.send(hurried()), provider.serve(head));
    let error = soon(text(answer.unwrap())).await.unwrap_err();
    assert!(matches!(error, ReadError::TotalTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn the_total_deadline_ends_an_answer_that_never_pauses() {
    let provider = Provider::bind().await;
    let mut flooded = call(&provider.destination());
    flooded.deadlines.total = Duration::from_millis(100);
    let upstream = Upstream::new();
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(flooded), provider.serve(head));
    let flood = tokio::spawn(async move { while peer.try_write(&[b'x'; 64 * 1024]).await.is_ok() {} });
    let mut body = answer.unwrap().body;
    let error = soon(async {
        loop {
            if let Err(error) = body.frame().await.expect("no end") {
                return error;
            }
        }
    });
    assert!(matches!(error.await, ReadError::TotalTimeout { .. }));
    soon(flood).await.unwrap();
}

#[tokio::test]
async fn fault_u6_a_reset_in_the_body_is_a_reset() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let part = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let (answer, (peer, _)) =
        tokio::join!(upstream.send(call(&provider.destination())), provider.serve(part));
    let mut body = answer.unwrap().body;
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    peer.reset();
    let error = soon(body.frame()).await.unwrap().unwrap_err();
    assert!(matches!(error, ReadError::Reset { .. }), "{error:?}");
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn fault_u6_a_close_in_the_body_is_not_an_end() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    for part in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
    ] {
        let (answer, (peer, _)) =
            tokio::join!(upstream.send(call(&provider.destination())), provider.serve(part));
        drop(peer);
        let error = soon(text(answer.unwrap())).await.unwrap_err();
        assert!(matches!(error, ReadError::ClosedEarly), "{part:?}: {error:?}");
    }
}

#[tokio::test]
async fn broken_connections_before_the_head_tell_whether_the_request_was_sent() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let closing = async {
        let mut peer = provider.accept().await;
        peer.request().await;
    };
    let (answer, ()) = tokio::join!(upstream.send(call(&provider.destination())), closing);
    let error = answer.unwrap_err();
    assert!(matches!(error, SendError::ClosedEarly { sent: true }), "{error:?}");
    assert!(!error.is_retry_safe());

    let resetting = async {
        let mut peer = provider.accept().await;
        peer.request().await;
        peer.reset();
    };
    let (answer, ()) = tokio::join!(upstream.send(call(&provider.destination())), resetting);
    let error = answer.unwrap_err();
    assert!(matches!(error, SendError::Reset { sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn malformed_heads_are_refused_and_their_connections_closed() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(128 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for head in [
        "SSH-2.0-OpenSSH_9.0\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 4, 5\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\ncontent-length: +4\r\n\r\nfour",
        "HTTP/1.1 200 OK\r\nbad name : x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        &endless,
        &many,
    ] {
        let serving = async {
            let (mut peer, _) = provider.serve(head).await;
            peer.closed().await;
        };
        let (answer, ()) = tokio::join!(upstream.send(call(&provider.destination())), serving);
        let shown: String = head.chars().take(80).collect();
        assert!(matches!(answer, Err(SendError::Malformed { .. })), "{shown:?}: {answer:?}");
    }
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn malformed_chunks_are_refused() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    for chunk in ["zz\r\nhalf\r\n", "4\r\nhalfXX", "ffffffffffffffffff\r\n", "-4\r\nhalf\r\n"] {
        let part = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
        let (answer, _peer) =
            tokio::join!(upstream.send(call(&provider.destination())), provider.serve(&part));
        let error = soon(text(answer.unwrap())).await.unwrap_err();
        assert!(matches!(error, ReadError::Malformed { .. }), "{chunk:?}: {error:?}");
    }
}
