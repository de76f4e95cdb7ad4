//! A provider whose every byte is written by the test, and calls to it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use gatewright_upstream::{
    Answer, BoxError, Call, Deadlines, Destination, DestinationSettings, Http2, Origin, ReadError, Repeat,
    RequestBody,
};
use http::{HeaderMap, Method};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Fails a test that waits for what never comes.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("happens soon")
}

/// Settings for a destination on this machine, without HTTP/2.
pub(crate) fn settings(url: &str) -> DestinationSettings {
    let origin = Arc::new(Origin::parse(url).unwrap());
    DestinationSettings { allow_private: true, http2: Http2::Never, ..DestinationSettings::new(origin) }
}

pub(crate) fn call(destination: &Arc<Destination>) -> Call {
    Call {
        destination: Arc::clone(destination),
        method: Method::POST,
        path: "/chat".parse().unwrap(),
        headers: HeaderMap::new(),
        body: RequestBody::from(Bytes::from_static(b"{}")),
        deadlines: Deadlines::default(),
        credential: None,
        repeat: Repeat::Unsent,
    }
}

pub(crate) async fn text(answer: Answer) -> Result<String, ReadError> {
    let body = answer.body.collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// A listener on a free port of loopback.
pub(crate) struct Provider {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Provider {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) fn settings(&self) -> DestinationSettings {
        settings(&format!("http://{}/v1", self.address))
    }

    pub(crate) fn destination(&self) -> Arc<Destination> {
        Arc::new(Destination::new(self.settings()).unwrap())
    }

    /// Whether nobody has connected. A connection on loopback is there as soon as it is made.
    pub(crate) async fn is_untouched(&self) -> bool {
        sockets_are_looked_at().await;
        let mut cx = Context::from_waker(Waker::noop());
        self.listener.poll_accept(&mut cx).is_pending()
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        Peer { stream, seen: Vec::new() }
    }

    /// Accepts a connection and answers its first request.
    pub(crate) async fn serve(&self, answer: &str) -> (Peer, String) {
        let mut peer = self.accept().await;
        let request = peer.serve(answer).await;
        (peer, request)
    }
}

/// The provider's end of one connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    seen: Vec<u8>,
}

impl Peer {
    /// The next whole request with its `Content-Length` body.
    pub(crate) async fn request(&mut self) -> String {
        loop {
            if let Some(end) = whole_request(&self.seen) {
                let rest = self.seen.split_off(end);
                return String::from_utf8(std::mem::replace(&mut self.seen, rest)).unwrap();
            }
            let read = soon(self.stream.read_buf(&mut self.seen)).await.unwrap();
            assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&self.seen));
        }
    }

    pub(crate) async fn write(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    pub(crate) async fn serve(&mut self, answer: &str) -> String {
        let request = self.request().await;
        self.write(answer).await;
        request
    }

    /// Reads until `text` has come.
    pub(crate) async fn until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.seen).contains(text) {
            let read = soon(self.stream.read_buf(&mut self.seen)).await.unwrap();
            assert!(read > 0, "closed before {text:?}");
        }
        self.seen.clear();
    }

    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Waits until the other side has closed or reset the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _reset_or_end = soon(self.stream.read_to_end(&mut rest)).await;
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn whole_request(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).ok()?;
    let head = text.find("\r\n\r\n")? + 4;
    let length = text
        .split_at(head)
        .0
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    (bytes.len() >= head + length).then_some(head + length)
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// The pieces of a body that is streamed up.
pub(crate) type Pieces = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

/// A body whose pieces the test sends.
pub(crate) fn channel_body() -> (Pieces, impl Body<Data = Bytes, Error = BoxError> + Send) {
    let (pieces, source) = mpsc::channel(4);
    (pieces, ChannelBody { source })
}

struct ChannelBody {
    source: mpsc::Receiver<Result<Frame<Bytes>, BoxError>>,
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.source.poll_recv(cx)
    }
}

/// Lets the runtime notice what has happened on the sockets.
pub(crate) async fn sockets_are_looked_at() {
    tokio::task::yield_now().await;
}

/// Lets other tasks run until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
