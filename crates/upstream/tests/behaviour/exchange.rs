//! One request, one answer.

use std::sync::Arc;

use bytes::Bytes;
use gatewright_upstream::{Credential, Destination, Origin, RequestBody, SendError, Upstream};
use http::header::{AUTHORIZATION, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use crate::support::{Provider, call, channel_body, ok, soon, text};

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
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
    assert_eq!(soon(text(answer)).await.unwrap(), "hello");
}

#[tokio::test]
async fn an_answer_arrives_piece_by_piece() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (answer, (mut peer, _)) =
        tokio::join!(upstream.send(call(&provider.destination())), provider.serve(head));
    let mut body = answer.unwrap().body;
    for piece in ["data: 1\n\n", "data: 2\n\n"] {
        peer.write(&format!("{:x}\r\n{piece}\r\n", piece.len())).await;
        let frame = soon(body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    peer.write("0\r\n\r\n").await;
    assert!(soon(body.frame()).await.is_none());
}

#[tokio::test]
async fn a_body_may_be_streamed_up() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let (pieces, body) = channel_body();
    let mut upload = call(&provider.destination());
    upload.body = RequestBody::stream(body);
    let sending = upstream.send(upload);
    let serving = async {
        let mut peer = provider.accept().await;
        for piece in ["one", "two"] {
            pieces.send(Ok(Frame::data(Bytes::from(piece)))).await.unwrap();
            peer.until(piece).await;
        }
        drop(pieces);
        peer.until("0\r\n\r\n").await;
        peer.write(&ok("taken")).await;
        peer
    };
    let (answer, _peer) = tokio::join!(sending, serving);
    assert_eq!(text(answer.unwrap()).await.unwrap(), "taken");
}

#[tokio::test]
async fn a_failing_upload_is_the_callers_fault() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let (pieces, body) = channel_body();
    let mut upload = call(&provider.destination());
    upload.body = RequestBody::stream(body);
    let serving = async {
        let mut peer = provider.accept().await;
        pieces.send(Err("disk on fire".into())).await.unwrap();
        peer.closed().await;
    };
    let (answer, ()) = tokio::join!(upstream.send(upload), serving);
    assert!(matches!(answer, Err(SendError::RequestBody { .. })), "{answer:?}");
}

#[tokio::test]
async fn connection_headers_of_the_answer_stay_here() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let answer = "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n\
                  x-end: 1\r\ncontent-length: 0\r\n\r\n";
    let (answer, _) = tokio::join!(upstream.send(call(&provider.destination())), provider.serve(answer));
    let headers = answer.unwrap().headers;
    let names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(headers.contains_key("x-end") && headers.contains_key("content-length"));
}

#[tokio::test]
async fn redirects_are_answers_like_any_other() {
    let (provider, elsewhere) = (Provider::bind().await, Provider::bind().await);
    let upstream = Upstream::new();
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", elsewhere.address);
    let (answer, _) = tokio::join!(upstream.send(call(&provider.destination())), provider.serve(&redirect));
    assert_eq!(answer.unwrap().status, 302);
    assert_eq!(upstream.stats().opened, 1);
}

#[tokio::test]
async fn a_credential_reaches_its_own_origin_and_no_other() {
    let (owner, other) = (Provider::bind().await, Provider::bind().await);
    let upstream = Upstream::new();
    let bound = Arc::new(Origin::parse(&format!("http://{}", owner.address)).unwrap());
    let credential = Credential::new(AUTHORIZATION, HeaderValue::from_static("Bearer canary"), bound);

    let mut allowed = call(&owner.destination());
    allowed.credential = Some(credential.clone());
    let empty = ok("");
    let (answer, (_peer, request)) = tokio::join!(upstream.send(allowed), owner.serve(&empty));
    answer.unwrap();
    assert!(request.contains("authorization: Bearer canary\r\n"), "{request}");

    let mut denied = call(&other.destination());
    denied.credential = Some(credential);
    let error = soon(upstream.send(denied)).await.unwrap_err();
    assert!(matches!(error, SendError::CredentialOrigin { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("canary"));
    assert_eq!(upstream.stats().opened, 1, "no connection was made for the denied call");
}

#[tokio::test]
async fn a_host_name_resolves_through_the_system() {
    let provider = Provider::bind().await;
    let mut settings = provider.settings();
    settings.origin =
        Arc::new(Origin::parse(&format!("http://localhost:{}", provider.address.port())).unwrap());
    let destination = Arc::new(Destination::new(settings).unwrap());
    let upstream = Upstream::new();
    let hello = ok("hello");
    let (answer, (_peer, request)) = tokio::join!(upstream.send(call(&destination)), provider.serve(&hello));
    assert_eq!(text(answer.unwrap()).await.unwrap(), "hello");
    assert!(request.contains(&format!("host: localhost:{}\r\n", provider.address.port())), "{request}");
}

#[tokio::test]
async fn an_answer_may_be_read_by_another_task() {
    let provider = Provider::bind().await;
    let upstream = Upstream::new();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    let (answer, (mut peer, _)) =
        tokio::join!(upstream.send(call(&provider.destination())), provider.serve(head));
    let mut answer = answer.unwrap();
    // This task asks first and gives up; the next must be woken in its place.
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::Pin::new(&mut answer.body).poll_frame(&mut cx).is_pending());
    let reading = tokio::spawn(text(answer));
    tokio::task::yield_now().await;
    peer.write("hello").await;
    assert_eq!(soon(reading).await.unwrap().unwrap(), "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_from_many_threads_all_complete() {
    let provider = Provider::bind().await;
    let destination = provider.destination();
    let upstream = Upstream::new();
    let serving = tokio::spawn(async move {
        loop {
            let mut peer = provider.accept().await;
            tokio::spawn(async move {
                loop {
                    peer.request().await;
                    for piece in ["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n", "one", "two"] {
                        peer.write(piece).await;
                        tokio::task::yield_now().await;
                    }
                }
            });
        }
    });
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (upstream, destination) = (upstream.clone(), Arc::clone(&destination));
        calls.spawn(async move {
            for _ in 0..50 {
                let answer = upstream.send(call(&destination)).await.unwrap();
                let body = tokio::spawn(text(answer)).await.unwrap().unwrap();
                assert_eq!(body, "onetwo");
            }
        });
    }
    soon(calls.join_all()).await;
    serving.abort();
}
