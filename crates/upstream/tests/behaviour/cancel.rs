//! A call that nobody wants any more ends at the provider, too.

use std::time::Duration;

use gatewright_upstream::Upstream;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::support::{Peer, Provider, call};

/// How soon a provider must see that a caller has gone.
const AT_ONCE: Duration = Duration::from_millis(100);

async fn closes_at_once(mut peer: Peer) {
    timeout(AT_ONCE, peer.closed()).await.expect("the provider sees the end within 100 ms");
}

#[tokio::test]
async fn fault_c1_dropping_a_call_before_the_head_closes_the_connection() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let mut sending = upstream.send(call(&destination));
    let peer = tokio::select! {
        _ = &mut sending => unreachable!("the provider does not answer"),
        peer = async {
            let mut peer = provider.accept().await;
            peer.request().await;
            peer
        } => peer,
    };
    drop(sending);
    closes_at_once(peer).await;
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn fault_c2_dropping_an_answer_in_its_middle_closes_the_connection() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let part = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let (answer, (peer, _)) =
        tokio::join!(upstream.send(call(&provider.destination())), provider.serve(part));
    let mut answer = answer.unwrap();
    assert!(answer.body.frame().await.unwrap().is_ok());
    drop(answer);
    closes_at_once(peer).await;
    assert_eq!(upstream.stats().open, 0);
}

#[tokio::test]
async fn dropping_an_unread_answer_closes_the_connection() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let part = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
    let (answer, (peer, _)) =
        tokio::join!(upstream.send(call(&provider.destination())), provider.serve(part));
    drop(answer.unwrap());
    closes_at_once(peer).await;
}

#[tokio::test]
async fn dropping_the_upstream_closes_its_idle_connections() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let empty = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (answer, (peer, _)) =
        tokio::join!(upstream.send(call(&provider.destination())), provider.serve(empty));
    drop(answer.unwrap());
    assert_eq!(upstream.stats().open, 1);
    drop(upstream);
    closes_at_once(peer).await;
}
