//! HTTP/2: one connection for many calls.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gatewright_upstream::{Answer, BoxError, Destination, Http2, Protocol, ReadError, SendError, Upstream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use crate::authority::{Authority, accept_tls};
use crate::support::{Pieces, Provider, call, channel_body, soon, text};

type Reply = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// One request as the server sees it, waiting for its reply.
struct Seen {
    request: Request<Incoming>,
    reply: oneshot::Sender<Reply>,
}

impl Seen {
    fn answer(self, body: &'static str) {
        let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never: Infallible| match never {});
        let _gone = self.reply.send(Response::new(body.boxed_unsync()));
    }

    /// Answers with a head, and a body that the test writes.
    fn begin(self) -> Pieces {
        let (pieces, body) = channel_body();
        let _gone = self.reply.send(Response::new(body.boxed_unsync()));
        pieces
    }
}

/// An HTTP/2 provider over TLS.
struct Server {
    provider: Arc<Provider>,
    authority: Authority,
    requests: mpsc::Receiver<Seen>,
    connections: Arc<AtomicUsize>,
    shutdown: Arc<Notify>,
}

impl Server {
    async fn start() -> Self {
        let (provider, authority) = (Arc::new(Provider::bind().await), Authority::new());
        let acceptor = authority.acceptor("localhost", 4000, &["h2", "http/1.1"]);
        let (seen, requests) = mpsc::channel(1000);
        let connections = Arc::new(AtomicUsize::new(0));
        let shutdown = Arc::new(Notify::new());
        tokio::spawn({
            let (provider, connections, shutdown) =
                (Arc::clone(&provider), Arc::clone(&connections), Arc::clone(&shutdown));
            async move {
                loop {
                    let Ok(stream) = accept_tls(&provider, &acceptor).await else { continue };
                    connections.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(serve(stream, seen.clone(), Arc::clone(&shutdown)));
                }
            }
        });
        Self { provider, authority, requests, connections, shutdown }
    }

    fn destination(&self) -> Arc<Destination> {
        self.authority.destination(&self.provider, Http2::Negotiate)
    }

    async fn next(&mut self) -> Seen {
        soon(self.requests.recv()).await.unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(
    stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    seen: mpsc::Sender<Seen>,
    shutdown: Arc<Notify>,
) {
    let service = service_fn(move |request| {
        let seen = seen.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            seen.send(Seen { request, reply }).await.map_err(|_| "test over")?;
            answer.await.map_err(|_| "no answer")
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _broken = connection.await;
}

fn spawn(
    upstream: &Upstream,
    destination: &Arc<Destination>,
) -> tokio::task::JoinHandle<Result<Answer, SendError>> {
    let (upstream, call) = (upstream.clone(), call(destination));
    tokio::spawn(async move { upstream.send(call).await })
}

#[tokio::test]
async fn calls_share_one_connection() {
    let mut server = Server::start().await;
    let (upstream, destination) = (Upstream::new(), server.destination());
    let calls: Vec<_> = (0..50).map(|_| spawn(&upstream, &destination)).collect();
    let mut open = Vec::new();
    for _ in &calls {
        open.push(server.next().await);
    }
    let request = &open[0].request;
    assert_eq!(request.uri().path(), "/chat");
    assert_eq!(
        request.uri().authority().unwrap().as_str(),
        format!("localhost:{}", server.provider.address.port())
    );
    open.into_iter().for_each(|seen| seen.answer("hello"));
    for call in calls {
        let answer = soon(call).await.unwrap().unwrap();
        assert_eq!(answer.protocol, Protocol::Http2);
        assert_eq!(text(answer).await.unwrap(), "hello");
    }
    assert_eq!(server.connections(), 1);
    let stats = upstream.stats();
    assert_eq!((stats.opened, stats.reused, stats.open, stats.waiting), (1, 49, 1, 0));
}

#[tokio::test]
async fn fault_c1_dropping_a_call_resets_its_stream_and_no_other() {
    let mut server = Server::start().await;
    let (upstream, destination) = (Upstream::new(), server.destination());
    let (leaving, staying) = (spawn(&upstream, &destination), spawn(&upstream, &destination));
    let (first, second) = (server.next().await, server.next().await);
    leaving.abort();
    let mut first_reply = first.reply;
    let mut second_reply = second.reply;
    let gone = timeout(Duration::from_millis(100), async {
        tokio::select! {
            () = first_reply.closed() => 1,
            () = second_reply.closed() => 2,
        }
    });
    assert_eq!(gone.await.expect("the provider sees the end within 100 ms"), 1);
    Seen { request: second.request, reply: second_reply }.answer("hello");
    assert_eq!(text(soon(staying).await.unwrap().unwrap()).await.unwrap(), "hello");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn fault_c2_dropping_an_answer_resets_its_stream() {
    let mut server = Server::start().await;
    let (upstream, destination) = (Upstream::new(), server.destination());
    let call = spawn(&upstream, &destination);
    let pieces = server.next().await.begin();
    let mut answer = soon(call).await.unwrap().unwrap();
    pieces.send(Ok(Frame::data(Bytes::from_static(b"half")))).await.unwrap();
    assert_eq!(soon(answer.body.frame()).await.unwrap().unwrap().into_data().unwrap(), "half");
    drop(answer);
    timeout(Duration::from_millis(100), pieces.closed())
        .await
        .expect("the provider sees the end within 100 ms");
    assert_eq!(upstream.stats().open, 1, "the connection stays for others");
}

#[tokio::test]
async fn fault_u17_after_goaway_calls_in_flight_end_and_new_ones_take_a_new_connection() {
    let mut server = Server::start().await;
    let (upstream, destination) = (Upstream::new(), server.destination());
    let first = spawn(&upstream, &destination);
    let pieces = server.next().await.begin();
    let first = soon(first).await.unwrap().unwrap();
    server.shutdown.notify_waiters();
    // The old connection may still take some calls until it has read the notice.
    let mut extra = 0;
    while server.connections() == 1 {
        let call = spawn(&upstream, &destination);
        server.next().await.answer("hello");
        assert_eq!(text(soon(call).await.unwrap().unwrap()).await.unwrap(), "hello");
        extra += 1;
        assert!(extra < 1000, "the notice never takes effect");
    }
    pieces.send(Ok(Frame::data(Bytes::from_static(b"done")))).await.unwrap();
    drop(pieces);
    assert_eq!(soon(text(first)).await.unwrap(), "done");
}

#[tokio::test]
async fn a_failing_answer_is_a_reset() {
    let mut server = Server::start().await;
    let (upstream, destination) = (Upstream::new(), server.destination());
    let call = spawn(&upstream, &destination);
    let pieces = server.next().await.begin();
    let answer = soon(call).await.unwrap().unwrap();
    pieces.send(Err("boom".into())).await.unwrap();
    let error = soon(text(answer)).await.unwrap_err();
    assert!(matches!(error, ReadError::Reset { .. }), "{error:?}");
}

#[tokio::test]
async fn deadlines_hold_on_streams() {
    let mut server = Server::start().await;
    let (upstream, destination) = (Upstream::new(), server.destination());
    let mut no_head = call(&destination);
    no_head.deadlines.first_byte = Duration::from_millis(50);
    let error = upstream.send(no_head).await.unwrap_err();
    assert!(matches!(error, SendError::FirstByteTimeout { .. }), "{error:?}");
    let mut reply = server.next().await.reply;
    soon(reply.closed()).await;

    let mut stalled = call(&destination);
    stalled.deadlines.gap = Duration::from_millis(50);
    let sending = tokio::spawn({
        let upstream = upstream.clone();
        async move { upstream.send(stalled).await }
    });
    let pieces = server.next().await.begin();
    let answer = soon(sending).await.unwrap().unwrap();
    let error = soon(text(answer)).await.unwrap_err();
    assert!(matches!(error, ReadError::GapTimeout { .. }), "{error:?}");
    soon(pieces.closed()).await;
}

#[tokio::test]
async fn callers_that_wait_for_one_failed_dial_fail_with_it() {
    let provider = Provider::bind().await;
    let authority = Authority::new();
    let (upstream, destination) = (Upstream::new(), authority.destination(&provider, Http2::Negotiate));
    let calls: Vec<_> = (0..5).map(|_| spawn(&upstream, &destination)).collect();
    drop(provider.accept().await);
    for call in calls {
        let error = soon(call).await.unwrap().unwrap_err();
        assert!(matches!(error, SendError::Dial(_)), "{error:?}");
    }
    assert!(provider.is_untouched().await, "one dial for all");
}

#[tokio::test]
async fn dropping_the_upstream_closes_its_connections() {
    let mut server = Server::start().await;
    let (upstream, destination) = (Upstream::new(), server.destination());
    let call = spawn(&upstream, &destination);
    server.next().await.answer("hello");
    let answer = soon(call).await.unwrap().unwrap();
    text(answer).await.unwrap();
    let connections = Arc::downgrade(&server.shutdown);
    let before = connections.strong_count();
    drop(upstream);
    crate::support::until(|| connections.strong_count() < before).await;
}
