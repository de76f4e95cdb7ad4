//! The one request that a load consists of, and a connection that fires it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// A chat request that is sent again and again.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Where it goes.
    pub target: SocketAddr,
    headers: HeaderMap,
    body: Bytes,
}

/// Why a shot did not hit.
#[derive(Debug, thiserror::Error)]
pub enum ShotError {
    /// There is no connection.
    #[error("cannot connect to {target}")]
    Connect {
        /// Where to.
        target: SocketAddr,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The exchange broke off.
    #[error("the exchange failed")]
    Exchange(#[source] hyper::Error),
    /// The answer is no success.
    #[error("the answer is {status}: {body}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The beginning of the body.
        body: String,
    },
}

impl Shot {
    /// A request for `model` with a prompt of about so many bytes.
    ///
    /// # Panics
    /// If `key` cannot stand in a header.
    pub fn new(target: SocketAddr, model: &str, prompt_bytes: usize, stream: bool, key: &str) -> Self {
        const WORDS: &str = "tell me in a few words what this says and why it does so ";
        let prompt: String = WORDS.chars().cycle().take(prompt_bytes).collect();
        let messages = json!([{"role": "user", "content": prompt}]);
        let body = Bytes::from(json!({"model": model, "stream": stream, "messages": messages}).to_string());
        let value = |text: &str| HeaderValue::from_str(text).expect("a key is visible ASCII");
        let headers = HeaderMap::from_iter([
            (HOST, value(&target.to_string())),
            (AUTHORIZATION, value(&format!("Bearer {key}"))),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONTENT_LENGTH, HeaderValue::from(body.len())),
        ]);
        Self { target, headers, body }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/v1/chat/completions");
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

/// A connection of a load; closed when dropped.
#[derive(Debug)]
pub struct Gun {
    sender: SendRequest<Full<Bytes>>,
    connection: AbortHandle,
}

impl Gun {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens, or the handshake fails.
    ///
    /// # Cancellation
    /// The connection is dropped.
    pub async fn aim(shot: &Shot) -> Result<Self, ShotError> {
        let connect = |cause| ShotError::Connect { target: shot.target, cause };
        let stream = TcpStream::connect(shot.target).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(ShotError::Exchange)?;
        let connection = tokio::spawn(async move {
            // The exchange that it breaks sees the error.
            connection.await.ok();
        });
        Ok(Self { sender, connection: connection.abort_handle() })
    }

    /// Fires and waits for the head of a successful answer.
    ///
    /// # Errors
    /// The exchange breaks off or the answer is no success.
    ///
    /// # Cancellation
    /// The connection is of no more use.
    pub async fn fire(&mut self, shot: &Shot) -> Result<Response<Incoming>, ShotError> {
        self.sender.ready().await.map_err(ShotError::Exchange)?;
        let response = self.sender.send_request(shot.request()).await.map_err(ShotError::Exchange)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.into_body().collect().await.map_err(ShotError::Exchange)?.to_bytes();
        let body = String::from_utf8_lossy(&body).chars().take(300).collect();
        Err(ShotError::Status { status, body })
    }

    /// Fires and waits for the whole answer; its length in bytes.
    ///
    /// # Errors
    /// As [`Gun::fire`].
    ///
    /// # Cancellation
    /// The connection is of no more use.
    pub async fn fire_whole(&mut self, shot: &Shot) -> Result<usize, ShotError> {
        let mut response = self.fire(shot).await?;
        let mut length = 0;
        while let Some(frame) = response.frame().await {
            length += frame.map_err(ShotError::Exchange)?.data_ref().map_or(0, Bytes::len);
        }
        Ok(length)
    }
}

impl Drop for Gun {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
