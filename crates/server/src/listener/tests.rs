//! Listeners over real sockets: what one client may hold and for how long, and what it costs the others.

mod http2;

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::{ConnectionInfo, Listener, ListenerOptions};
use crate::drain::Phase;
use crate::testing::{
    connect, echo, eventually, exchange, loopback, quick_drain, read_to_close, read_until, serve, soon,
};

/// Short enough for a test to wait for it, and long enough not to come between two steps of one.
const SHORT: Duration = Duration::from_millis(200);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn options() -> ListenerOptions {
    ListenerOptions::new("test")
}

/// An answer without end, that tells when it is dropped.
struct Endless(#[expect(dead_code, reason = "its drop is what the tests wait for")] mpsc::Sender<()>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))))
    }
}

/// An application that answers without end, and a channel that closes when all its answers are dropped.
fn endless() -> (impl super::Application<Body = Endless>, Dropped) {
    let (alive, dropped) = mpsc::channel(1);
    // The application must not keep the channel open, so it gives its sender away with the first answer.
    let alive = Arc::new(parking_lot::Mutex::new(Some(alive)));
    let application = service_fn(move |_request: Request<Incoming>| {
        let alive = alive.lock().take();
        async move {
            match alive {
                Some(alive) => Ok::<_, Infallible>(Response::new(Endless(alive))),
                None => pending().await,
            }
        }
    });
    (application, Dropped(dropped))
}

struct Dropped(mpsc::Receiver<()>);

impl Dropped {
    async fn wait(&mut self) {
        assert_eq!(soon(self.0.recv()).await, None);
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_in_time_is_answered_with_408() {
    let mut options = options();
    options.limits.header_timeout = SHORT;
    let (application, asked) = echo();
    let address = serve(options, &quick_drain(), application);
    let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
    assert_eq!(asked.lock().len(), 0);
}

#[tokio::test]
async fn a_head_that_drips_does_not_get_more_time() {
    let mut options = options();
    options.limits.header_timeout = SHORT;
    let (application, _asked) = echo();
    let address = serve(options, &quick_drain(), application);
    let (mut reader, mut writer) = connect(address).await.into_split();
    writer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    let drip = async {
        while writer.write_all(b"X: y\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let mut answer = Vec::new();
    let read = async { reader.read_to_end(&mut answer).await };
    soon(async {
        tokio::select! { _ = read => {}, () = drip => {} }
    })
    .await;
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_without_an_answer() {
    let mut options = options();
    options.limits.header_timeout = SHORT;
    let (application, _asked) = echo();
    let address = serve(options, &quick_drain(), application);
    assert_eq!(exchange(address, b"").await, "");
}

#[tokio::test]
async fn a_kept_connection_is_closed_when_it_idles() {
    let mut options = options();
    options.limits.idle_timeout = SHORT;
    let (application, _asked) = echo();
    let address = serve(options, &quick_drain(), application);
    let mut client = connect(address).await;
    for _ in 0..3 {
        client.write_all(REQUEST).await.unwrap();
        read_until(&mut client, "GET / ").await;
    }
    assert_eq!(read_to_close(&mut client).await, "");
}

#[tokio::test]
async fn a_connection_that_waits_for_its_answer_does_not_idle() {
    let mut options = options();
    options.limits.idle_timeout = SHORT;
    options.limits.header_timeout = SHORT;
    let (answer, wait) = tokio::sync::watch::channel(false);
    let application = service_fn(move |request: Request<Incoming>| {
        let mut wait = wait.clone();
        async move {
            if request.uri() == "/slow" {
                wait.wait_for(|answer| *answer).await.unwrap();
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done"))))
        }
    });
    let address = serve(options, &quick_drain(), application);
    let mut slow = connect(address).await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // Another connection that begins later and idles to its end shows that the time has passed.
    let mut other = connect(address).await;
    other.write_all(REQUEST).await.unwrap();
    read_until(&mut other, "done").await;
    assert_eq!(read_to_close(&mut other).await, "");
    answer.send(true).unwrap();
    read_until(&mut slow, "done").await;
    slow.write_all(REQUEST).await.unwrap();
    read_until(&mut slow, "done").await;
}

#[tokio::test]
async fn a_body_that_stops_is_answered_with_408_and_the_connection_closed() {
    let mut options = options();
    options.limits.body.idle_timeout = SHORT;
    let (application, _asked) = echo();
    let address = serve(options, &quick_drain(), application);
    let answer = exchange(address, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab").await;
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_its_body_is_told_to_go_on() {
    let (application, _asked) = echo();
    let address = serve(options(), &quick_drain(), application);
    let mut client = connect(address).await;
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    client.write_all(head).await.unwrap();
    read_until(&mut client, "HTTP/1.1 100 Continue\r\n\r\n").await;
    client.write_all(b"body").await.unwrap();
    read_until(&mut client, "POST / body").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let mut options = options();
    options.limits.write_stall_timeout = SHORT;
    let (application, mut dropped) = endless();
    let address = serve(options, &quick_drain(), application);
    let mut client = connect(address).await;
    client.write_all(REQUEST).await.unwrap();
    dropped.wait().await;
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let (application, mut dropped) = endless();
    let address = serve(options(), &quick_drain(), application);
    let mut client = connect(address).await;
    client.write_all(REQUEST).await.unwrap();
    read_until(&mut client, "x").await;
    drop(client);
    dropped.wait().await;
}

#[tokio::test]
async fn over_the_cap_a_connection_waits_until_another_ends() {
    let mut options = options();
    options.limits.connections_max = 1;
    let (application, asked) = echo();
    let address = serve(options, &quick_drain(), application);
    let mut first = connect(address).await;
    first.write_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut first, "GET /1 ").await;
    let mut second = connect(address).await;
    second.write_all(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    first.write_all(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut first, "GET /3 ").await;
    assert_eq!(*asked.lock(), ["GET /1 ", "GET /3 "]);
    drop(first);
    read_until(&mut second, "GET /2 ").await;
}

#[tokio::test]
async fn over_its_own_cap_an_address_is_turned_away() {
    let mut options = options();
    options.limits.connections_per_address_max = Some(1);
    let (application, _asked) = echo();
    let address = serve(options, &quick_drain(), application);
    let mut first = connect(address).await;
    first.write_all(REQUEST).await.unwrap();
    read_until(&mut first, "GET / ").await;
    assert_eq!(exchange(address, b"").await, "");
    drop(first);
    let served = async {
        loop {
            let mut client = connect(address).await;
            if client.write_all(REQUEST).await.is_ok() && client.read_u8().await.is_ok() {
                break;
            }
        }
    };
    soon(served).await;
}

/// A kernel that closes over unread bytes resets the connection, and the client loses the answer.
#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    const BODY: usize = 8 * 1024 * 1024;
    let application = service_fn(|_request: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"too large"))))
    });
    let address = serve(options(), &quick_drain(), application);
    let mut client = connect(address).await;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    soon(client.write_all(&vec![b'x'; BODY])).await.unwrap();
    client.shutdown().await.unwrap();
    let answer = read_to_close(&mut client).await;
    assert!(answer.ends_with("too large"), "{answer}");
}

#[tokio::test]
async fn a_client_that_never_stops_sending_is_not_read_for_ever() {
    let mut options = options();
    options.limits.linger_timeout = SHORT;
    let drain = quick_drain();
    let application = service_fn(|_request: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"too large"))))
    });
    let address = serve(options, &drain, application);
    let mut client = connect(address).await;
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n").await.unwrap();
    let endless = async { while client.write_all(&[b'x'; 4096]).await.is_ok() {} };
    soon(endless).await;
    eventually("only the accept loop is left", || drain.present() == 1).await;
}

#[tokio::test]
async fn every_request_knows_its_connection() {
    let application = service_fn(|request: Request<Incoming>| async move {
        let info = request.extensions().get::<ConnectionInfo>().unwrap();
        let text = format!("{} {} {}", info.listener(), info.peer(), info.is_tls());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
    });
    let address = serve(options(), &quick_drain(), application);
    let mut client = connect(address).await;
    let expected = format!("test {} false", client.local_addr().unwrap());
    client.write_all(REQUEST).await.unwrap();
    read_until(&mut client, &expected).await;
}

/// Blocks its worker on `/block` until the test comes to the barrier too.
fn blocking(barrier: Arc<Barrier>) -> impl super::Application {
    service_fn(move |request: Request<Incoming>| {
        if request.uri() == "/block" {
            barrier.wait();
            barrier.wait();
        }
        async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"done")))) }
    })
}

#[tokio::test]
async fn a_blocked_worker_keeps_no_new_connection_waiting() {
    let barrier = Arc::new(Barrier::new(2));
    let drain = quick_drain();
    let listener = Listener::bind(loopback(), options()).unwrap();
    let address = listener.local_addr();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (listener, drain) = (listener.clone(), drain.fork());
            let application = blocking(Arc::clone(&barrier));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    listener.serve(application, drain.clone()).await.unwrap();
                    drain.reached(Phase::Ended).await;
                });
            })
        })
        .collect();
    eventually("both workers accept", || drain.present() == 2).await;

    let mut blocked = connect(address).await;
    blocked.write_all(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let reached = Arc::clone(&barrier);
    soon(tokio::task::spawn_blocking(move || reached.wait())).await.unwrap();
    for _ in 0..8 {
        let mut client = connect(address).await;
        client.write_all(REQUEST).await.unwrap();
        read_until(&mut client, "done").await;
    }
    soon(tokio::task::spawn_blocking(move || barrier.wait())).await.unwrap();
    read_until(&mut blocked, "done").await;

    drop(blocked);
    soon(drain.wait_idle()).await;
    for worker in workers {
        soon(tokio::task::spawn_blocking(|| worker.join())).await.unwrap().unwrap();
    }
}
