//! Which connections serve again, and who waits for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_upstream::{Destination, RequestBody, SendError, Upstream};
use http_body::Frame;
use tokio::time::Instant;

use crate::support::{Peer, Provider, call, channel_body, ok, sockets_are_looked_at, soon, text, until};

#[tokio::test]
async fn reuses_a_connection_after_a_clean_end() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let mut peer = None;
    for answer in [
        ok("one"),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-trailer: 1\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n".to_owned(),
    ] {
        let serving = async {
            if peer.is_none() {
                peer = Some(provider.accept().await);
            }
            peer.as_mut().unwrap().serve(&answer).await
        };
        let (answer, _) = tokio::join!(upstream.send(call(&destination)), serving);
        text(answer.unwrap()).await.unwrap();
    }
    let stats = upstream.stats();
    assert_eq!((stats.opened, stats.reused, stats.open), (1, 5, 1));
}

/// Sends one call whose answer leaves the connection in doubt, then expects a new connection.
async fn is_not_reused(answer: &str) {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let (first, (_peer, _)) = tokio::join!(upstream.send(call(&destination)), provider.serve(answer));
    soon(text(first.unwrap())).await.unwrap();
    assert_eq!(upstream.stats().open, 0, "{answer:?}");
}

#[tokio::test]
async fn connections_with_doubtful_ends_do_not_serve_again() {
    is_not_reused("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
        .await;
    is_not_reused("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok").await;
    is_not_reused("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n").await;
    is_not_reused("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore").await;
    is_not_reused("HTTP/1.1 204 No Content\r\n\r\nbody").await;
    is_not_reused("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nbody").await;
    is_not_reused("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
    is_not_reused("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_upload_spends_the_connection() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let (pieces, body) = channel_body();
    let mut upload = call(&provider.destination());
    upload.body = RequestBody::stream(body);
    let serving = async {
        let mut peer = provider.accept().await;
        pieces.send(Ok(Frame::data(Bytes::from_static(b"part")))).await.unwrap();
        peer.until("part").await;
        peer.write(&ok("enough")).await;
        peer
    };
    let (answer, mut peer) = tokio::join!(upstream.send(upload), serving);
    assert_eq!(soon(text(answer.unwrap())).await.unwrap(), "enough");
    assert_eq!(upstream.stats().open, 0);
    peer.closed().await;
}

#[tokio::test]
async fn an_answer_before_the_request_is_read_spends_the_connection() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let mut upload = call(&provider.destination());
    // More than the socket buffers of both sides take.
    upload.body = RequestBody::from(Bytes::from(vec![b'x'; 64 << 20]));
    let serving = async {
        let mut peer = provider.accept().await;
        peer.until("xxxx").await;
        peer.write(&ok("enough")).await;
        peer
    };
    let (answer, _peer) = tokio::join!(upstream.send(upload), serving);
    assert_eq!(soon(text(answer.unwrap())).await.unwrap(), "enough");
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn a_call_that_meets_a_closed_idle_connection_goes_out_on_a_fresh_one() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let (one, two) = (ok("one"), ok("two"));
    let (answer, (peer, _)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&one));
    text(answer.unwrap()).await.unwrap();
    drop(peer);
    sockets_are_looked_at().await;
    let (answer, (_peer, request)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&two));
    let answer = answer.unwrap();
    assert!(!answer.reused);
    assert!(request.ends_with("{}"), "the whole request went out again: {request}");
    assert_eq!(text(answer).await.unwrap(), "two");
    assert_eq!(upstream.stats().opened, 2);
}

#[tokio::test]
async fn bytes_that_come_unasked_end_an_idle_connection() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let (one, two) = (ok("one"), ok("two"));
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&one));
    text(answer.unwrap()).await.unwrap();
    peer.write(&ok("smuggled")).await;
    sockets_are_looked_at().await;
    let (answer, _) = tokio::join!(upstream.send(call(&destination)), provider.serve(&two));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "two");
}

fn capped(provider: &Provider, connections_max: usize, waiters_max: usize) -> Arc<Destination> {
    let mut settings = provider.settings();
    (settings.connections_max, settings.waiters_max) = (connections_max, waiters_max);
    Arc::new(Destination::new(settings).unwrap())
}

/// Reads a request and says which call it is.
async fn name_of_next(peer: &mut Peer) -> String {
    let request = peer.request().await;
    request.lines().find_map(|line| line.strip_prefix("x-name: ")).unwrap().to_owned()
}

#[tokio::test]
async fn callers_beyond_the_cap_are_served_in_the_order_of_their_arrival() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = capped(&provider, 1, 10);
    let mut calls = tokio::task::JoinSet::new();
    for name in ["a", "b", "c", "d"] {
        let mut named = call(&destination);
        named.headers.insert("x-name", name.parse().unwrap());
        let sender = upstream.clone();
        calls.spawn(async move { text(sender.send(named).await.unwrap()).await.unwrap() });
        tokio::task::yield_now().await;
    }
    let mut peer = provider.accept().await;
    until(|| upstream.stats().waiting == 3).await;
    for name in ["a", "b", "c", "d"] {
        assert_eq!(name_of_next(&mut peer).await, name);
        peer.write(&ok(name)).await;
    }
    let mut served: Vec<_> = soon(calls.join_all()).await;
    served.sort();
    assert_eq!(served, ["a", "b", "c", "d"]);
    let stats = upstream.stats();
    assert_eq!((stats.opened, stats.reused, stats.waiting), (1, 3, 0));
}

#[tokio::test]
async fn a_waiter_that_leaves_passes_its_turn_on() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = capped(&provider, 1, 10);
    let first = upstream.send(call(&destination));
    let mut peer = None;
    let serving = async {
        peer = Some(provider.accept().await);
        peer.as_mut().unwrap().request().await;
    };
    let mut first = first;
    tokio::select! { _ = &mut first => unreachable!("not answered yet"), () = serving => {} }
    let mut leaving = upstream.send(call(&destination));
    let mut staying = upstream.send(call(&destination));
    assert!(futures_ready(&mut leaving).await.is_none());
    assert!(futures_ready(&mut staying).await.is_none());
    drop(leaving);
    drop(first);
    let two = ok("two");
    let (answer, _) = tokio::join!(staying, provider.serve(&two));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "two");
}

/// Polls once.
async fn futures_ready<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn the_queue_is_bounded_in_number_and_time() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let mut settings = provider.settings();
    (settings.connections_max, settings.waiters_max) = (1, 1);
    settings.wait_max = Duration::from_millis(50);
    let destination = Arc::new(Destination::new(settings).unwrap());
    let part = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    let (busy, _peer) = tokio::join!(upstream.send(call(&destination)), provider.serve(part));
    let busy = busy.unwrap();

    let started = Instant::now();
    let (waited, refused) =
        tokio::join!(upstream.send(call(&destination)), upstream.send(call(&destination)));
    assert!(
        matches!(waited, Err(SendError::PoolExhausted { waited, connections_max: 1 }) if waited >= Duration::from_millis(50)),
        "{waited:?}"
    );
    assert!(
        matches!(refused, Err(SendError::PoolExhausted { waited, .. }) if waited < Duration::from_millis(50)),
        "{refused:?}"
    );
    assert!(waited.unwrap_err().is_retry_safe());
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(busy);
}

#[tokio::test]
async fn never_more_connections_than_the_cap() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = capped(&provider, 3, 100);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (sender, one) = (upstream.clone(), call(&destination));
        calls.spawn(async move { text(sender.send(one).await.unwrap()).await.unwrap() });
    }
    let serving = tokio::spawn(async move {
        loop {
            let mut peer = provider.accept().await;
            tokio::spawn(async move {
                loop {
                    peer.serve(&ok("x")).await;
                }
            });
        }
    });
    let served = soon(calls.join_all()).await;
    serving.abort();
    assert_eq!(served.len(), 30);
    assert_eq!(upstream.stats().opened, 3);
}

#[tokio::test]
async fn idle_connections_close_after_their_time() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let mut settings = provider.settings();
    settings.idle_timeout = Duration::from_secs(1);
    let destination = Arc::new(Destination::new(settings).unwrap());
    let empty = ok("");
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&empty));
    drop(answer.unwrap());
    assert_eq!(upstream.stats().open, 1);
    peer.closed().await;
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn connections_of_a_dropped_destination_close() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let empty = ok("");
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&empty));
    drop(answer.unwrap());
    drop(destination);
    peer.closed().await;
    let mut pools = 0;
    upstream.stats_by_destination(|_, _| pools += 1);
    assert_eq!(pools, 0);
}
