//! Requests over plain connections, one each, so that a test decides when a client leaves.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::answer::Answer;
use super::wait::within;

/// A request that a test makes.
#[derive(Debug, Clone)]
pub struct Request {
    address: SocketAddr,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// A request to any address, without a key.
    pub fn new(address: SocketAddr, method: Method, target: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&address.to_string()).expect("an address is a host"));
        Self { address, method, target: target.to_owned(), headers, body: Bytes::new() }
    }

    /// Sets a header.
    ///
    /// # Panics
    /// If name or value cannot be sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a test names a header");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a test sends text in headers"));
        self
    }

    /// Calls with this key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {key}"))
    }

    /// Calls without a key.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.headers.remove(AUTHORIZATION);
        self
    }

    /// Sends this JSON text.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = body.into();
        self
    }

    /// Sends the request on a connection of its own and waits for the head of the answer.
    ///
    /// # Panics
    /// If no head comes.
    ///
    /// # Cancellation
    /// The client leaves: the connection is closed.
    pub async fn send(self) -> Answer {
        match self.try_send().await {
            Ok(answer) => answer,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same, where the gateway may be gone.
    ///
    /// # Errors
    /// Nobody listens, or the connection ends before the head.
    ///
    /// # Cancellation
    /// The client leaves: the connection is closed.
    pub async fn try_send(self) -> Result<Answer, String> {
        let connection = Connection::open(self.address).await.map_err(|error| error.to_string())?;
        connection.try_send(self).await
    }

    fn into_parts(self) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.parse().expect("a test names a valid target");
        *request.headers_mut() = self.headers;
        request
    }
}

/// An HTTP/1.1 connection; dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = within("a connection", TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(io::Error::other)?;
        // How it ends shows in the answers.
        let task = tokio::spawn(async move { connection.await.ok() }).abort_handle();
        Ok(Self { sender, task })
    }

    /// Sends a request and waits for the head of the answer, which keeps the connection.
    ///
    /// # Panics
    /// If no head comes.
    ///
    /// # Cancellation
    /// The connection is closed.
    pub async fn send(self, request: Request) -> Answer {
        match self.try_send(request).await {
            Ok(answer) => answer,
            Err(error) => panic!("{error}"),
        }
    }

    async fn try_send(mut self, request: Request) -> Result<Answer, String> {
        let what = format!("the head of the answer to {} {}", request.method, request.target);
        let answer = within(&what, self.sender.send_request(request.into_parts())).await;
        answer
            .map(|answer| Answer::new(answer, self))
            .map_err(|error| format!("{what} did not come: {error:?}"))
    }

    /// Waits until another request can be sent.
    ///
    /// # Panics
    /// If the other side closes the connection.
    pub async fn ready(&mut self) {
        within("a connection that can be used again", self.sender.ready()).await.expect("it is kept alive");
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sends these bytes and returns what comes back until the other side closes.
pub(super) async fn raw(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        // The other side may refuse and close before it has read everything.
        stream.write_all(bytes).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        Ok(answer)
    };
    within("the end of a connection", exchange).await
}
