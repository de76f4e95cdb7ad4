//! What clients see of a drain.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::drain::{CutSignal, Drain, DrainReport, DrainTimes, Phase};
use crate::listener::{Application, ConnectionInfo, ListenerOptions};
use crate::testing::{
    PATIENCE, connect, echo, eventually, exchange, quick_drain, read_to_close, read_until, serve, soon,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A streamed answer: what the test feeds it, until the test ends it or a drain cuts it.
struct Stream {
    feed: mpsc::Receiver<&'static str>,
    cut: CutSignal,
    is_over: bool,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.cut.poll_cut(cx).is_ready() {
            self.is_over = true;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"cut")))));
        }
        let fed = ready!(self.feed.poll_recv(cx));
        Poll::Ready(fed.map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
    }
}

/// An application whose answer the test writes, on connections that a drain may cut.
fn streaming(is_cuttable: bool) -> (impl Application, mpsc::Receiver<mpsc::Sender<&'static str>>) {
    let (opened, streams) = mpsc::channel(16);
    let application = service_fn(move |request: Request<Incoming>| {
        let opened = opened.clone();
        async move {
            let info = request.extensions().get::<ConnectionInfo>().unwrap();
            let cut = if is_cuttable { info.cut_signal() } else { CutSignal::never() };
            let (sender, feed) = mpsc::channel(1);
            opened.send(sender).await.unwrap();
            Ok::<_, Infallible>(Response::new(Stream { feed, cut, is_over: false }))
        }
    });
    (application, streams)
}

/// Begins a drain and waits until nothing is accepted any more.
async fn close(drain: &Drain, address: SocketAddr) -> tokio::task::JoinHandle<DrainReport> {
    let waiting = drain.clone();
    let report = tokio::spawn(async move { waiting.wait_idle().await });
    soon(drain.reached(Phase::Closing)).await;
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    soon(refused).await;
    report
}

#[tokio::test]
async fn a_stream_finishes_to_its_last_byte_while_nothing_new_is_accepted() {
    let drain = quick_drain();
    let (application, mut streams) = streaming(true);
    let address = serve(ListenerOptions::new("test"), &drain, application);
    let mut client = connect(address).await;
    client.write_all(REQUEST).await.unwrap();
    let stream = soon(streams.recv()).await.unwrap();
    stream.send("before ").await.unwrap();
    read_until(&mut client, "before \r\n").await;

    let report = close(&drain, address).await;
    stream.send("after").await.unwrap();
    drop(stream);
    assert_eq!(read_to_close(&mut client).await, "5\r\nafter\r\n0\r\n\r\n");
    assert_eq!(soon(report).await.unwrap(), DrainReport::default());
}

#[tokio::test]
async fn new_connections_are_served_while_unready() {
    let drain = Drain::new(DrainTimes { unready_min: PATIENCE, ..DrainTimes::default() });
    let (application, _asked) = echo();
    let address = serve(ListenerOptions::new("test"), &drain, application);
    drain.begin();
    let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_begins_while_closing_tells_the_client_to_close() {
    let drain = quick_drain();
    let (answer, wait) = tokio::sync::watch::channel(false);
    let (asked, mut was_asked) = mpsc::channel(1);
    let application = service_fn(move |_request: Request<Incoming>| {
        let (mut wait, asked) = (wait.clone(), asked.clone());
        async move {
            asked.send(()).await.unwrap();
            wait.wait_for(|answer| *answer).await.unwrap();
            Ok::<_, Infallible>(Response::new(http_body_util::Empty::<Bytes>::new()))
        }
    });
    let address = serve(ListenerOptions::new("test"), &drain, application);
    let mut client = connect(address).await;
    client.write_all(REQUEST).await.unwrap();
    soon(was_asked.recv()).await.unwrap();

    let report = close(&drain, address).await;
    answer.send(true).unwrap();
    let text = read_to_close(&mut client).await;
    assert!(text.contains("connection: close\r\n"), "{text}");
    assert_eq!(soon(report).await.unwrap(), DrainReport::default());
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let drain = quick_drain();
    let (application, _asked) = echo();
    let address = serve(ListenerOptions::new("test"), &drain, application);
    let mut used = connect(address).await;
    used.write_all(REQUEST).await.unwrap();
    read_until(&mut used, "GET / ").await;
    let mut unused = connect(address).await;
    eventually("both are accepted", || drain.present() == 3).await;

    let report = close(&drain, address).await;
    assert_eq!(read_to_close(&mut used).await, "");
    assert_eq!(read_to_close(&mut unused).await, "");
    assert_eq!(soon(report).await.unwrap(), DrainReport::default());
}

/// The clients are blocking ones and the drain has begun before, so that nothing of the server runs between
/// their requests and the closing.
#[tokio::test]
async fn requests_that_arrived_before_the_closing_are_served() {
    let drain = quick_drain();
    let (application, asked) = echo();
    let address = serve(ListenerOptions::new("test"), &drain, application);
    drain.begin();
    let began = std::time::Instant::now();
    eventually("the closing needs no more waiting", || began.elapsed() > Duration::from_millis(5)).await;
    let mut used = std::net::TcpStream::connect(address).unwrap();
    used.write_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    eventually("the first request is served", || asked.lock().len() == 1).await;

    let mut queued = std::net::TcpStream::connect(address).unwrap();
    queued.write_all(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    used.write_all(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(soon(drain.wait_idle()).await, DrainReport::default());

    for (client, answers) in [(&mut queued, 1), (&mut used, 2)] {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), answers, "{text}");
        assert_eq!(text.matches("connection: close").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_stream_past_the_deadline_ends_itself() {
    let times = DrainTimes {
        unready_min: Duration::ZERO,
        closing_max: Duration::from_millis(50),
        ..DrainTimes::default()
    };
    let drain = Drain::new(times);
    let (application, mut streams) = streaming(true);
    let address = serve(ListenerOptions::new("test"), &drain, application);
    let mut client = connect(address).await;
    client.write_all(REQUEST).await.unwrap();
    let _endless = soon(streams.recv()).await.unwrap();

    let report = soon(drain.wait_idle()).await;
    let text = read_to_close(&mut client).await;
    assert!(text.ends_with("3\r\ncut\r\n0\r\n\r\n"), "{text}");
    assert_eq!(report, DrainReport { cut: 1, aborted: 0 });
}

#[tokio::test]
async fn a_stream_that_does_not_end_itself_is_dropped() {
    let times = DrainTimes {
        unready_min: Duration::ZERO,
        closing_max: Duration::from_millis(50),
        cut_max: Duration::from_millis(50),
        ..DrainTimes::default()
    };
    let drain = Drain::new(times);
    let (application, mut streams) = streaming(false);
    let address = serve(ListenerOptions::new("test"), &drain, application);
    let mut client = connect(address).await;
    client.write_all(REQUEST).await.unwrap();
    let endless = soon(streams.recv()).await.unwrap();

    assert_eq!(soon(drain.wait_idle()).await, DrainReport { cut: 1, aborted: 1 });
    soon(endless.closed()).await;
    let mut text = Vec::new();
    // The connection ends without the end of the body, by a close or by a reset.
    drop(soon(client.read_to_end(&mut text)).await);
    assert!(!String::from_utf8_lossy(&text).ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn http2_clients_are_told_to_go_and_their_streams_finish() {
    let drain = quick_drain();
    let (application, mut streams) = streaming(true);
    let options = ListenerOptions { http2_cleartext: true, ..ListenerOptions::new("test") };
    let address = serve(options, &drain, application);
    let io = TokioIo::new(connect(address).await);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (mut sender, connection) = soon(handshake).await.unwrap();
    let client = tokio::spawn(connection);
    let request = || Request::get("http://a/").body(http_body_util::Empty::<Bytes>::new()).unwrap();
    let answer = soon(sender.send_request(request())).await.unwrap();
    let stream = soon(streams.recv()).await.unwrap();

    let report = close(&drain, address).await;
    // The client takes the farewell in when it reads; then it has no connection to send on.
    let refused =
        async { while sender.ready().await.is_ok() && sender.send_request(request()).await.is_ok() {} };
    soon(refused).await;
    stream.send("after").await.unwrap();
    drop(stream);
    let body = soon(http_body_util::BodyExt::collect(answer.into_body())).await.unwrap().to_bytes();
    assert_eq!(body, "after");
    soon(client).await.unwrap().unwrap();
    assert_eq!(soon(report).await.unwrap(), DrainReport::default());
}
