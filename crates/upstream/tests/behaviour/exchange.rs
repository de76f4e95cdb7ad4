//! One request, one answer.

use gatewright_upstream::Upstream;

use crate::support::{Provider, call, ok, soon, text};

#[tokio::test]
async fn sends_a_request_and_reads_the_answer() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let answer = ok("hello");
    let (answer, (_peer, request)) =
        tokio::join!(upstream.send(call(&provider.destination())), provider.serve(&answer));
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200);
    assert!(request.starts_with("POST /v1/chat HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", provider.address)), "{request}");
    assert_eq!(soon(text(answer)).await.unwrap(), "hello");
}

#[tokio::test]
async fn reuses_a_connection_after_a_clean_end() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let destination = provider.destination();
    let one = ok("one");
    let (answer, (mut peer, _)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&one));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "one");

    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n";
    let (answer, _) = tokio::join!(upstream.send(call(&destination)), peer.serve(chunked));
    let answer = answer.unwrap();
    assert!(answer.reused);
    assert_eq!(text(answer).await.unwrap(), "two");

    let three = ok("three");
    let (answer, _) = tokio::join!(upstream.send(call(&destination)), peer.serve(&three));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "three");
    let stats = upstream.stats();
    assert_eq!((stats.opened, stats.reused, stats.open), (1, 2, 1));
}
