//! HTTP/2 without TLS, where it is switched on.

use std::convert::Infallible;
use std::future::pending;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{SHORT, endless, options};
use crate::listener::ListenerOptions;
use crate::testing::{connect, echo, eventually, exchange, quick_drain, serve, soon};

type Sender = http2::SendRequest<Empty<Bytes>>;

fn cleartext() -> ListenerOptions {
    ListenerOptions { http2_cleartext: true, ..options() }
}

async fn client(builder: &http2::Builder<TokioExecutor>, address: std::net::SocketAddr) -> Sender {
    let io = TokioIo::new(connect(address).await);
    let (sender, connection) = soon(builder.handshake(io)).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

fn get(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn both_versions_are_served_where_it_is_on() {
    let (application, asked) = echo();
    let address = serve(cleartext(), &quick_drain(), application);
    let mut sender = client(&http2::Builder::new(TokioExecutor::new()), address).await;
    let answer = soon(sender.send_request(get("http://a/2"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    exchange(address, b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(*asked.lock(), ["GET http://a/2 ", "GET /1 "]);
}

#[tokio::test]
async fn a_preface_may_come_in_pieces() {
    let (application, _asked) = echo();
    let address = serve(cleartext(), &quick_drain(), application);
    let mut client = connect(address).await;
    for piece in [&b"PRI * HT"[..], b"TP/2.0\r\n\r\nSM", b"\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        client.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut frame = [0; 9];
    soon(client.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame[3], 4, "the answer to the preface is a SETTINGS frame");
}

/// Reads frames until the server has announced its settings and enlarged the connection's window.
#[tokio::test]
async fn announces_the_limits_that_bound_its_memory() {
    let (application, _asked) = echo();
    let address = serve(cleartext(), &quick_drain(), application);
    let mut client = connect(address).await;
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut settings = Vec::new();
    let mut window = None;
    while settings.is_empty() || window.is_none() {
        let mut head = [0; 9];
        soon(client.read_exact(&mut head)).await.unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        soon(client.read_exact(&mut payload)).await.unwrap();
        match head[3] {
            4 if head[4] == 0 => {
                settings = payload
                    .chunks(6)
                    .map(|entry| (entry[1], u32::from_be_bytes(entry[2..].try_into().unwrap())))
                    .collect();
            }
            8 => window = Some(u32::from_be_bytes(payload.try_into().unwrap())),
            _ => {}
        }
    }
    // Streams, stream window, header list; then the connection window above the 65,535 of the protocol.
    assert!(settings.contains(&(3, 100)), "{settings:?}");
    assert!(settings.contains(&(4, 65_536)), "{settings:?}");
    assert!(settings.contains(&(6, 16_384)), "{settings:?}");
    assert_eq!(window, Some(262_144 - 65_535));
}

#[tokio::test]
async fn a_request_whose_authority_and_host_differ_is_refused_and_the_next_one_served() {
    let (application, asked) = echo();
    let address = serve(cleartext(), &quick_drain(), application);
    let mut sender = client(&http2::Builder::new(TokioExecutor::new()), address).await;
    let mut odd = get("http://a/odd");
    odd.headers_mut().insert("host", "b".parse().unwrap());
    let answer = soon(sender.send_request(odd)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let body = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("the request target and Host differ"));
    soon(sender.send_request(get("http://a/plain"))).await.unwrap();
    assert_eq!(*asked.lock(), ["GET http://a/plain "]);
}

#[tokio::test]
async fn a_stream_for_which_the_client_has_no_room_ends_its_connection() {
    let mut options = cleartext();
    options.limits.write_stall_timeout = SHORT;
    let (application, mut dropped) = endless();
    let address = serve(options, &quick_drain(), application);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1024);
    let mut sender = client(&builder, address).await;
    let answer = soon(sender.send_request(get("http://a/"))).await.unwrap();
    dropped.wait().await;
    drop(answer);
}

#[tokio::test]
async fn a_client_that_only_cancels_loses_its_connection() {
    let mut options = cleartext();
    options.limits.http2.cancels_max = 10;
    // The bounds that hyper has of its own shall not come first.
    options.limits.http2.pending_resets_max = 100_000;
    options.limits.http2.local_resets_max = 100_000;
    let drain = quick_drain();
    let application =
        service_fn(|_request: Request<Incoming>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
    let address = serve(options, &drain, application);
    let mut sender = client(&http2::Builder::new(TokioExecutor::new()), address).await;
    let flood = async {
        while sender.ready().await.is_ok() {
            let request = sender.send_request(get("http://a/"));
            tokio::select! {
                biased;
                _ = request => {}
                () = tokio::task::yield_now() => {}
            }
        }
    };
    soon(flood).await;
    eventually("only the accept loop is left", || drain.present() == 1).await;
}

#[tokio::test]
async fn a_connection_without_streams_is_closed_when_it_idles() {
    let mut options = cleartext();
    options.limits.idle_timeout = SHORT;
    let drain = quick_drain();
    let (application, _asked) = echo();
    let address = serve(options, &drain, application);
    let mut sender = client(&http2::Builder::new(TokioExecutor::new()), address).await;
    soon(sender.send_request(get("http://a/"))).await.unwrap();
    eventually("only the accept loop is left", || drain.present() == 1).await;
}
